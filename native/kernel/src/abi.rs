//! What the Rust side needs to know of a guest's binary interface.
//!
//! The facts themselves are Python's (`qusr/arch/`); they arrive here as data.

use std::sync::{Mutex, PoisonError};

use crate::thunk::exec::map_flags;
use crate::thunk::table::{FlagMap, ValueMap};

/// Byte order and word size of a guest, as [`crate::thunk`] and
/// [`crate::memory`] need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestAbi {
    /// Width of a guest `long` and of a guest pointer, in bits: 32 or 64.
    pub word_bits: u8,
    /// Width of the registers that calls have their arguments and results in: that of a word, or 64 where programs
    /// with short pointers run on a 64-bit kernel (mips' n32).
    pub register_bits: u8,
    /// True when guest data is big-endian.
    pub big_endian: bool,
    /// What it numbers otherwise than the host; None: nothing.
    pub numbers: Option<&'static Numbers>,
}

impl GuestAbi {
    /// That of this host, for what processes of qusr tell one another.
    pub const HOST: Self = Self::of(64, false);

    /// Of words that are as wide as registers, with the host's numbers.
    #[must_use]
    pub const fn of(word_bits: u8, big_endian: bool) -> Self {
        Self {
            word_bits,
            register_bits: word_bits,
            big_endian,
            numbers: None,
        }
    }

    /// Size of a guest pointer in bytes.
    #[must_use]
    pub fn word_bytes(self) -> usize {
        usize::from(self.word_bits / 8)
    }
}

/// The numbers that an ABI has otherwise than the host in what it keeps in memory. The inside of qusr knows the
/// host's only; these are for where a guest's memory is read and written. They are declared in Python
/// (`qusr/arch/<isa>/constants*.py`) and come with the table of calls.
#[derive(Debug, PartialEq, Eq)]
pub struct Numbers {
    /// By the other's number; 0: there is no such signal.
    pub(crate) to_host: [u8; SIGNALS],
    pub(crate) to_guest: [u8; SIGNALS],
    /// `sa_flags`.
    pub(crate) action_flags: FlagMap,
    /// `si_code`s that are not the host's: the host's and the guest's.
    pub(crate) codes: Vec<(i32, i32)>,
    /// siginfo_t has the code before the errno (`__ARCH_HAS_SWAPPED_SIGINFO`).
    pub(crate) code_first: bool,
    /// The level of a socket's own options and control messages.
    pub(crate) sol_socket: i32,
    /// RLIM_INFINITY of getrlimit(2); 0: all bits of a word.
    pub(crate) infinity: u64,
    pub(crate) errnos: ValueMap,
}

/// One more than there are signals on the host.
pub(crate) const SIGNALS: usize = 65;

impl GuestAbi {
    /// The host's number of a signal; one that it does not have is -1.
    #[must_use]
    pub fn signal_to_host(self, signal: i32) -> i32 {
        let Some(numbers) = self.numbers else {
            return signal;
        };
        let place = usize::try_from(signal).unwrap_or(SIGNALS);
        match numbers.to_host.get(place) {
            Some(0) if signal != 0 => -1,
            Some(found) => (*found).into(),
            None => signal,
        }
    }

    /// The guest's number of a signal of the host.
    #[must_use]
    pub fn signal_to_guest(self, signal: i32) -> i32 {
        let place = usize::try_from(signal).unwrap_or(SIGNALS);
        let found = self
            .numbers
            .and_then(|numbers| numbers.to_guest.get(place).copied());
        found.map_or(signal, i32::from)
    }

    /// A set of signals by the host's numbers.
    #[must_use]
    pub fn mask_to_host(self, mask: u64) -> u64 {
        self.numbers
            .map_or(mask, |numbers| moved(mask, &numbers.to_host))
    }

    /// A set of signals by the guest's numbers.
    #[must_use]
    pub fn mask_to_guest(self, mask: u64) -> u64 {
        self.numbers
            .map_or(mask, |numbers| moved(mask, &numbers.to_guest))
    }

    #[must_use]
    pub fn action_flags_to_host(self, flags: u64) -> u64 {
        self.numbers.map_or(flags, |numbers| {
            map_flags(&numbers.action_flags, flags, false)
        })
    }

    #[must_use]
    pub fn action_flags_to_guest(self, flags: u64) -> u64 {
        self.numbers.map_or(flags, |numbers| {
            map_flags(&numbers.action_flags, flags, true)
        })
    }

    /// The guest's si_code of one of the host's.
    #[must_use]
    pub fn code_to_guest(self, code: i32) -> i32 {
        let found = self
            .numbers
            .and_then(|numbers| numbers.codes.iter().find(|(host, _)| *host == code));
        found.map_or(code, |(_, guest)| *guest)
    }

    /// The host's si_code of one of the guest's.
    #[must_use]
    pub fn code_to_host(self, code: i32) -> i32 {
        let found = self
            .numbers
            .and_then(|numbers| numbers.codes.iter().find(|(_, guest)| *guest == code));
        found.map_or(code, |(host, _)| *host)
    }

    /// The guest's number of an errno.
    #[must_use]
    pub fn errno_to_guest(self, errno: i32) -> i32 {
        self.numbers
            .map_or(errno, |numbers| numbers.errnos.get(errno as u32) as i32)
    }

    /// The host's number of a level of socket options.
    #[must_use]
    pub fn level_to_host(self, level: i32) -> i32 {
        match self.numbers {
            Some(numbers) if level == numbers.sol_socket => libc::SOL_SOCKET,
            _ => level,
        }
    }

    /// The guest's number of a level of socket options.
    #[must_use]
    pub fn level_to_guest(self, level: i32) -> i32 {
        match self.numbers {
            Some(numbers) if level == libc::SOL_SOCKET => numbers.sol_socket,
            _ => level,
        }
    }

    /// RLIM_INFINITY of getrlimit(2).
    #[must_use]
    pub fn infinity(self) -> u64 {
        match self.numbers {
            Some(numbers) if numbers.infinity != 0 => numbers.infinity,
            _ => u64::MAX >> (64 - u32::from(self.word_bits)),
        }
    }

    /// Whether siginfo_t has the code before the errno.
    #[must_use]
    pub fn has_code_first(self) -> bool {
        self.numbers.is_some_and(|numbers| numbers.code_first)
    }
}

/// Each signal's bit at the place that its number in `places` says.
fn moved(mask: u64, places: &[u8; SIGNALS]) -> u64 {
    let mut left = mask;
    let mut found = 0;
    while left != 0 {
        let signal = left.trailing_zeros() as usize + 1;
        left &= left - 1;
        if places[signal] != 0 {
            found |= 1 << (places[signal] - 1);
        }
    }
    found
}

/// Keeps what a table has for good: each ABI's numbers once.
pub(crate) fn kept(numbers: Numbers) -> &'static Numbers {
    static KEPT: Mutex<Vec<&'static Numbers>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = kept.iter().find(|known| ***known == numbers) {
        return same;
    }
    let numbers: &'static Numbers = Box::leak(Box::new(numbers));
    kept.push(numbers);
    numbers
}
