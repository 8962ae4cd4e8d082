//! Where a debugger wants guest code to stop: addresses of instructions, and of data.

/// A range of data, and which accesses to it stop the guest before they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    pub start: u64,
    pub len: u64,
    pub reads: bool,
    pub writes: bool,
}

impl Watch {
    /// Whether an access of `len` bytes at `addr` is one of those.
    #[must_use]
    pub fn sees(&self, addr: u64, len: u64, write: bool) -> bool {
        let wanted = if write { self.writes } else { self.reads };
        wanted
            && addr < self.start.saturating_add(self.len)
            && self.start < addr.saturating_add(len)
    }
}

/// All stops of a process. Cores stop *before* the instruction in question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// Addresses of instructions, ascending, as in memory (without an interworking bit).
    pub code: Vec<u64>,
    pub data: Vec<Watch>,
    /// Instructions are to be counted ([`CpuCore::executed`](crate::CpuCore::executed)).
    pub count: bool,
    /// Each block of code stops the guest before it is executed ([`Exit::Block`](crate::Exit::Block)). It ends with a
    /// jump, a call or a system call, or where the core thinks it long enough.
    pub blocks: bool,
}

impl Stops {
    /// Whether nothing stops the guest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code.is_empty() && self.data.is_empty()
    }

    /// Whether the instruction at `addr` is one to stop at.
    #[must_use]
    pub fn at(&self, addr: u64) -> bool {
        self.code.binary_search(&addr).is_ok()
    }

    /// Whether one of them is in `start..=last`.
    #[must_use]
    pub fn between(&self, start: u64, last: u64) -> bool {
        let first = self.code.partition_point(|&at| at < start);
        self.code.get(first).is_some_and(|&at| at <= last)
    }

    /// Whether an access is watched.
    #[must_use]
    pub fn sees(&self, addr: u64, len: u64, write: bool) -> bool {
        self.data.iter().any(|watch| watch.sees(addr, len, write))
    }

    /// The addresses of instructions that are in only one of the two.
    #[must_use]
    pub fn changed_code(&self, other: &Self) -> Vec<u64> {
        let only = |a: &Self, b: &Self| -> Vec<u64> {
            a.code.iter().copied().filter(|&at| !b.at(at)).collect()
        };
        let mut changed = only(self, other);
        changed.extend(only(other, self));
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_that_touch_a_watched_range_are_seen() {
        let watch = Watch {
            start: 16,
            len: 4,
            reads: false,
            writes: true,
        };
        let seen = |addr, len| watch.sees(addr, len, true);
        assert!(seen(16, 1) && seen(19, 1) && seen(12, 5) && seen(0, 64) && seen(19, 8));
        assert!(!seen(12, 4) && !seen(20, 8) && !watch.sees(16, 4, false));
        let last = Watch {
            start: u64::MAX - 3,
            len: 4,
            reads: true,
            writes: true,
        };
        assert!(last.sees(u64::MAX - 8, 8, false));
    }

    #[test]
    fn changes_are_what_only_one_has() {
        let a = Stops {
            code: vec![4, 8, 12],
            ..Stops::default()
        };
        let b = Stops {
            code: vec![8, 16],
            ..Stops::default()
        };
        assert_eq!(a.changed_code(&b), [4, 12, 16]);
        assert!(a.between(5, 8) && !a.between(13, 100) && !a.between(5, 7));
    }
}
