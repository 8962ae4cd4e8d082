//! How many more mappings the host gives this process (`vm.max_map_count`).
//!
//! The guest's mappings and the emulator's own come out of one number. A guest that uses it up is to
//! be told ENOMEM, as by its own kernel, and to go on: so the last [`RESERVE`] are the emulator's, whose
//! allocations would fail otherwise (even brk(2) fails at the limit).
//!
//! The host's count is not known from the records: neighbours that are one here may be several there, and
//! the reservation between the guest's mappings counts, too. So it is asked, but seldom: what is known to be left is spent
//! by each call at the most that it may cost, and only when that is gone the host's mappings are counted again.

use std::fs;

use super::spare;
use super::types::Errno;

/// What the emulator keeps: stacks of threads, code caches, the C library's arenas.
const RESERVE: u64 = 512;
/// The most that is spent before counting again.
const STRIDE: u64 = 4096;
/// `DEFAULT_MAX_MAP_COUNT` of include/linux/mm.h.
const DEFAULT_LIMIT: u64 = 65_530;
/// What a call may cost: it can cut a mapping into three.
pub(super) const CUT: u64 = 2;

#[derive(Debug)]
pub(super) struct Capacity {
    /// Known to be left for the guest.
    left: u64,
    /// How many mappings the records had (free ranges included) when there was nothing left.
    full_at: Option<usize>,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            left: STRIDE,
            full_at: None,
        }
    }
}

impl Capacity {
    /// Spends `count` mappings. `recorded` is how many the records have.
    ///
    /// # Errors
    /// ENOMEM where the host has not got so many left, or no memory for our records.
    pub fn spend(&mut self, count: u64, recorded: usize) -> Result<(), Errno> {
        if spare::is_low() {
            return Err(libc::ENOMEM);
        }
        if self.left < count {
            // Counting takes milliseconds then: not again for each call of a guest that is refused.
            if self.full_at.is_some_and(|full| recorded >= full) {
                return Err(libc::ENOMEM);
            }
            self.left = host_left().min(STRIDE);
            self.full_at = (self.left < count).then_some(recorded);
            if self.full_at.is_some() {
                return Err(libc::ENOMEM);
            }
        }
        self.left -= count;
        Ok(())
    }

    /// Spends what is left, for a call that is to succeed in any case.
    pub fn spend_any(&mut self, count: u64) {
        self.left = self.left.saturating_sub(count);
    }
}

/// How many mappings the guest can have beyond those that the process has now.
fn host_left() -> u64 {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let limit = text.and_then(|text| text.trim().parse().ok());
    let limit: u64 = limit.unwrap_or(DEFAULT_LIMIT);
    let lines = |text: Vec<u8>| text.iter().filter(|&&byte| byte == b'\n').count();
    match fs::read("/proc/self/maps").map(lines) {
        Ok(count) => limit.saturating_sub(count as u64 + RESERVE),
        // Without a procfs the host's own refusals are all there is.
        Err(_) => STRIDE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_stays_so_until_mappings_go() {
        let mut capacity = Capacity {
            left: 1,
            full_at: Some(100),
        };
        assert_eq!(capacity.spend(CUT, 100), Err(libc::ENOMEM));
        assert_eq!(capacity.spend(CUT, 101), Err(libc::ENOMEM));
        // This process is far from the limit.
        assert_eq!(capacity.spend(CUT, 99), Ok(()));
        assert!(capacity.left > 0);
        capacity.spend_any(u64::MAX);
        assert_eq!(capacity.left, 0);
    }
}
