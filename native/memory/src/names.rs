//! Names of regions: the kernel's own (`[stack]`) and those of `PR_SET_VMA_ANON_NAME`.

use std::sync::Arc;

use libc::{EBADF, EINVAL, ENOMEM};

use super::region::Backing;
use super::space::AddressSpace;
use super::types::Errno;

/// Including the NUL (`ANON_VMA_NAME_MAX_LEN`).
const MAX_ANON_NAME: usize = 80;

impl AddressSpace {
    /// Shows private anonymous memory under a name such as `[stack]` or `[vdso]` and keeps
    /// it apart from its neighbours. What else is in the range stays as it is.
    pub fn set_name(&self, addr: u64, len: u64, name: &str) {
        let name: Arc<str> = name.into();
        let end = addr.saturating_add(self.page_ceil(len)).min(self.limit());
        let mut maps = self.write_maps();
        maps.regions.change(addr, end, |region| {
            if matches!(region.backing, Backing::Anonymous | Backing::Special(_)) {
                region.backing = Backing::Special(Arc::clone(&name));
            }
        });
    }

    /// `prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len, name)`; `None` takes the name away.
    pub fn set_anon_name(&self, addr: u64, len: u64, name: Option<&[u8]>) -> Result<(), Errno> {
        let name: Option<Arc<str>> = match name {
            Some(bytes) if bytes.len() >= MAX_ANON_NAME || !bytes.iter().all(is_valid) => {
                return Err(EINVAL);
            }
            Some(bytes) => Some(String::from_utf8_lossy(bytes).into()),
            None => None,
        };
        let rounded = self.page_ceil(len);
        if !addr.is_multiple_of(self.page_size()) || (len != 0 && rounded == 0) {
            return Err(EINVAL);
        }
        let end = addr.checked_add(rounded).ok_or(EINVAL)?;
        if end == addr {
            return Ok(());
        }
        let mut maps = self.write_maps();
        let hole = maps.regions.first_hole(addr, end).is_some();
        // Up to the first region that cannot have a name.
        let is_file =
            |backing: &Backing| matches!(backing, Backing::File { .. } | Backing::Shm { .. });
        let bad = maps
            .regions
            .meeting(addr, end)
            .find(|r| is_file(&r.backing))
            .map(|r| r.start);
        let stop = bad.map_or(end, |start| start.max(addr));
        maps.regions
            .change(addr, stop, |region| region.anon_name.clone_from(&name));
        match (bad, hole) {
            (Some(_), _) => Err(EBADF),
            (None, true) => Err(ENOMEM),
            (None, false) => Ok(()),
        }
    }
}

/// Printable, and none of the characters that would confuse readers of maps.
fn is_valid(byte: &u8) -> bool {
    (0x20..0x7f).contains(byte) && !b"\\`$[]".contains(byte)
}
