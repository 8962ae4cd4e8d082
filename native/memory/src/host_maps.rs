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
    /// As shown: newlines escaped, " (deleted)" behind a file without a name.
    pub name: Vec<u8>,
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
        Ok(Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Self {
        let mut list: Vec<HostVma> = Vec::new();
        for line in text.split(|&byte| byte == b'\n') {
            if let Some(vma) = header(line) {
                list.push(vma);
            } else if let Some(vma) = list.last_mut() {
                number(vma, &String::from_utf8_lossy(line));
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
fn header(line: &[u8]) -> Option<HostVma> {
    let mut rest = line;
    let mut word = || {
        let len = rest
            .iter()
            .position(|&byte| byte == b' ')
            .unwrap_or(rest.len());
        let (word, tail) = rest.split_at(len);
        rest = tail.trim_ascii_start();
        str::from_utf8(word).ok()
    };
    let (start, end) = word()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    word()?;
    word()?;
    let device = word()?.to_owned();
    let inode = word()?.parse().ok()?;
    Some(HostVma {
        start,
        end,
        device,
        inode,
        name: rest.to_vec(),
        ..HostVma::default()
    })
}

/// `Label:   number kB`
fn number(vma: &mut HostVma, line: &str) {
    let Some((label, rest)) = line.split_once(':') else {
        return;
    };
    let mut words = rest.split_ascii_whitespace();
    if label == "VmFlags" {
        vma.flags = words.map(str::to_owned).collect();
    } else if let Some(number) = words.next().and_then(|word| word.parse().ok()) {
        vma.numbers.push((label.to_owned(), number));
    }
}
