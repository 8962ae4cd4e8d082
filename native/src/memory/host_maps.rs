//! What the host kernel says of this process's mappings: `/proc/self/maps` and `smaps`.

use std::fs;

use super::types::Errno;

/// A mapping of the host process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostVma {
    pub start: u64,
    pub end: u64,
    /// Device (`major:minor` as shown) and inode.
    pub device: String,
    pub inode: u64,
    /// The lines below it in smaps: label and number (in kB where the kernel says so).
    pub numbers: Vec<(String, u64)>,
    /// `VmFlags`.
    pub flags: Vec<String>,
}

/// The mappings in order of address.
pub(super) struct HostMaps(Vec<HostVma>);

impl HostMaps {
    pub fn read() -> Result<Self, Errno> {
        Self::read_file("/proc/self/maps")
    }

    pub fn read_smaps() -> Result<Self, Errno> {
        Self::read_file("/proc/self/smaps")
    }

    fn read_file(path: &str) -> Result<Self, Errno> {
        let text = fs::read(path).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        let mut list: Vec<HostVma> = Vec::new();
        for line in text.lines() {
            if let Some(vma) = header(line) {
                list.push(vma);
            } else if let (Some(vma), Some((label, rest))) = (list.last_mut(), line.split_once(':'))
            {
                let first = rest.split_whitespace().next().unwrap_or("");
                if label == "VmFlags" {
                    vma.flags = rest.split_whitespace().map(str::to_owned).collect();
                } else if let Ok(number) = first.parse() {
                    vma.numbers.push((label.to_owned(), number));
                }
            }
        }
        Self(list)
    }

    /// The mappings that meet `start..end`.
    pub fn meeting(&self, start: u64, end: u64) -> impl Iterator<Item = &HostVma> {
        let first = self.0.partition_point(|vma| vma.end <= start);
        self.0[first..]
            .iter()
            .take_while(move |vma| vma.start < end)
    }

    /// Their ranges, clipped.
    pub fn ranges_in(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        self.meeting(start, end)
            .map(|vma| (vma.start.max(start), vma.end.min(end)))
            .collect()
    }
}

/// `start-end perms offset dev inode [name]`
fn header(line: &str) -> Option<HostVma> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let device = words.nth(2)?.to_owned();
    let inode = words.next()?.parse().ok()?;
    Some(HostVma {
        start,
        end,
        device,
        inode,
        ..HostVma::default()
    })
}
