//! `/proc/self/maps` and `/proc/self/smaps` of the guest.
//!
//! Layout as in the kernel's fs/proc/task_mmu.c (`show_map_vma`, `__show_smap`).

use std::io::Write as _;

use super::host_maps::{HostMaps, HostVma};
use super::region::{Backing, Flags, Region};
use super::space::{AddressSpace, Maps};
use super::types::Errno;

/// The column before the name: `25 + sizeof(void *) * 6 - 1` of a 64-bit kernel. A 32-bit
/// guest sees it too, as a 32-bit program on a 64-bit kernel does.
const NAME_COLUMN: usize = 72;

/// What the numbers of smaps that every mapping has are called, with what is summed for the
/// guest. The others (page sizes, THPeligible) are taken from the first mapping as they are.
fn is_sum(label: &str) -> bool {
    !matches!(
        label,
        "Size" | "KernelPageSize" | "MMUPageSize" | "THPeligible" | "ProtectionKey"
    )
}

struct Renderer<'a> {
    base: u64,
    brk: (u64, u64),
    /// A folder that is the guest's root: its path is left out of names.
    root: &'a [u8],
    /// For what only the host knows: the inodes of shared memory, the present names of files.
    host: Option<HostMaps>,
}

impl Renderer<'_> {
    fn host_vma(&self, region: &Region) -> Option<&HostVma> {
        let start = self.base + region.start;
        self.host.as_ref()?.meeting(start, start + 1).next()
    }

    /// Device and inode as shown.
    fn object(&self, region: &Region) -> (String, u64) {
        match &region.backing {
            Backing::Anonymous | Backing::Special(_) => ("00:00".into(), 0),
            Backing::File { file, .. } => {
                let device = format!(
                    "{:02x}:{:02x}",
                    libc::major(file.dev),
                    libc::minor(file.dev)
                );
                (device, file.inode)
            }
            Backing::SharedAnonymous { .. } | Backing::Shm { .. } => match self.host_vma(region) {
                Some(vma) => (vma.device.clone(), vma.inode),
                None => ("00:01".into(), 0),
            },
        }
    }

    fn name(&self, region: &Region) -> Vec<u8> {
        let anon = region.anon_name.as_deref();
        match &region.backing {
            Backing::File { file, .. } => {
                // The host's, since the file may have been renamed or removed.
                let now = self.host_vma(region).filter(|vma| vma.inode == file.inode);
                let path = match now {
                    Some(vma) => vma.name.clone(),
                    // seq_file_path escapes newlines only.
                    None => {
                        let lines = file.path.split(|&byte| byte == b'\n');
                        lines.collect::<Vec<_>>().join(&b"\\012"[..])
                    }
                };
                match path.strip_prefix(self.root) {
                    Some(inside) if inside.starts_with(b"/") => inside.to_vec(),
                    _ => path,
                }
            }
            Backing::Shm { key, .. } => format!("/SYSV{key:08x} (deleted)").into_bytes(),
            Backing::SharedAnonymous { .. } => match anon {
                Some(name) => format!("[anon_shmem:{name}]").into_bytes(),
                None => b"/dev/zero (deleted)".to_vec(),
            },
            Backing::Special(name) => name.as_bytes().to_vec(),
            Backing::Anonymous if region.start < self.brk.1 && region.end > self.brk.0 => {
                b"[heap]".to_vec()
            }
            Backing::Anonymous => match anon {
                Some(name) => format!("[anon:{name}]").into_bytes(),
                None => Vec::new(),
            },
        }
    }

    fn line(&self, out: &mut Vec<u8>, region: &Region) {
        let first = out.len();
        let shared = if region.is_shared() { 's' } else { 'p' };
        let (device, inode) = self.object(region);
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            "{:08x}-{:08x} {:?}{shared} {:08x} {device} {inode} ",
            region.start,
            region.end,
            region.prot,
            region.backing.offset(),
        );
        let name = self.name(region);
        if !name.is_empty() {
            out.resize(out.len().max(first + NAME_COLUMN), b' ');
            out.push(b' ');
            out.extend_from_slice(&name);
        }
        out.push(b'\n');
    }

    /// The lines below a mapping in smaps.
    fn numbers(&self, out: &mut Vec<u8>, region: &Region) {
        let start = self.base + region.start;
        let end = self.base + region.end;
        let vmas: Vec<&HostVma> = self
            .host
            .iter()
            .flat_map(|host| host.meeting(start, end))
            .collect();
        let mut put = |label: &str, number: u64| {
            let unit = if label == "THPeligible" { "" } else { " kB" };
            let _ = writeln!(out, "{:<16}{number:>8}{unit}", format!("{label}:"));
        };
        for (index, (label, first)) in vmas
            .first()
            .iter()
            .flat_map(|v| v.numbers.iter().enumerate())
        {
            match label.as_str() {
                "Size" => put(label, region.len() / 1024),
                _ if !is_sum(label) => put(label, *first),
                _ => {
                    // A mapping of the host that covers more than this region gives its share.
                    let share = |vma: &&HostVma| {
                        let common = vma.end.min(end) - vma.start.max(start);
                        let number = vma.numbers.get(index).filter(|n| n.0 == *label);
                        let number = number.map_or(0, |n| u128::from(n.1));
                        (number * u128::from(common) / u128::from(vma.end - vma.start)) as u64
                    };
                    put(label, vmas.iter().map(share).sum());
                }
            }
        }
        let host_flags = vmas.first().map_or(&[][..], |vma| &vma.flags);
        let _ = out.write_all(b"VmFlags:");
        for flag in vm_flags(region, host_flags) {
            let _ = write!(out, " {flag}");
        }
        // The kernel ends each flag, the last one too, with a space.
        let _ = out.write_all(b" \n");
    }
}

/// The host's flags with those that the guest sees differently put right.
fn vm_flags<'a>(region: &Region, host: &'a [String]) -> Vec<&'a str> {
    let mut flags = Vec::new();
    for (has, name) in [
        (region.prot.effective().bits() & 1 != 0, "rd"),
        (region.prot.is_write(), "wr"),
        (region.prot.is_exec(), "ex"),
    ] {
        if has {
            flags.push(name);
        }
    }
    let rest = host.iter().map(String::as_str);
    let (may, rest): (Vec<_>, Vec<_>) = rest
        .filter(|flag| !matches!(*flag, "rd" | "wr" | "ex" | "me" | "gd"))
        .partition(|flag| matches!(*flag, "sh" | "mr" | "mw"));
    flags.extend(may);
    if !region.flags.has(Flags::NOEXEC) {
        flags.push("me");
    }
    let (shared, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|flag| *flag == "ms");
    flags.extend(shared);
    if region.flags.has(Flags::GROWSDOWN) {
        flags.push("gd");
    }
    // In the order of their bits: VM_ARM64_BTI is the architecture's first one.
    let (low, high): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|flag| !matches!(*flag, "wf" | "dd" | "sd" | "mm" | "hg" | "nh" | "mg"));
    flags.extend(low);
    if region.flags.has(Flags::GUARDED) {
        flags.push("bt");
    }
    flags.extend(high);
    if region.flags.has(Flags::TAGGED) {
        flags.push("mt");
    }
    flags
}

impl AddressSpace {
    fn renderer<'a>(&self, maps: &Maps, root: &'a [u8], host: Option<HostMaps>) -> Renderer<'a> {
        let root = root.strip_suffix(b"/").unwrap_or(root);
        Renderer {
            base: self.window.base(),
            brk: (maps.brk_start, maps.brk),
            root,
            host,
        }
    }

    /// `/proc/self/maps`. Paths below `root` (the sysroot; may be empty) are shown without it.
    #[must_use]
    pub fn maps_text(&self, root: &[u8]) -> Vec<u8> {
        let maps = self.read_maps();
        let special = |r: &Region| r.backing.may_end();
        let host = maps
            .regions
            .iter()
            .any(special)
            .then(HostMaps::read)
            .and_then(Result::ok);
        let renderer = self.renderer(&maps, root, host);
        let mut out = Vec::new();
        for region in maps.regions.iter() {
            renderer.line(&mut out, region);
        }
        out
    }

    /// What the guest's smaps has behind these labels ("Rss:"), each summed, in bytes.
    pub fn smaps_sums(&self, labels: &[&str]) -> Result<Vec<u64>, Errno> {
        let text = self.smaps_text(b"")?;
        let mut sums = vec![0; labels.len()];
        for line in text.split(|&byte| byte == b'\n') {
            let mut words = std::str::from_utf8(line)
                .unwrap_or("")
                .split_ascii_whitespace();
            let (label, size, unit) = (words.next(), words.next(), words.next());
            let place = labels.iter().position(|&wanted| label == Some(wanted));
            if let (Some(place), Some(Ok(size)), Some("kB")) =
                (place, size.map(str::parse::<u64>), unit)
            {
                sums[place] += size * 1024;
            }
        }
        Ok(sums)
    }

    /// `/proc/self/smaps`, with numbers from the host's.
    pub fn smaps_text(&self, root: &[u8]) -> Result<Vec<u8>, Errno> {
        let maps = self.read_maps();
        let renderer = self.renderer(&maps, root, Some(HostMaps::read_smaps()?));
        let mut out = Vec::new();
        for region in maps.regions.iter() {
            renderer.line(&mut out, region);
            renderer.numbers(&mut out, region);
        }
        Ok(out)
    }
}
