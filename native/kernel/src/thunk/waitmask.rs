//! The signal masks of ppoll(2) and its like, which are in force during the call and in the
//! handlers of the signals that end it (kernel/signal.c, `set_user_sigmask`).

use std::sync::atomic::Ordering;

use super::convert::{get_int, read_set};
use super::exec::{Args, Call};
use super::host::ERESTARTSYS;
use crate::abi::GuestAbi;
use crate::memory::AddressSpace;
use crate::signal::deferred;
use crate::signal::host::DUE;

/// Whether calls of the host's number `host` have such masks.
#[must_use]
pub fn is_of(host: u16) -> bool {
    matches!(
        i64::from(host),
        libc::SYS_ppoll | libc::SYS_pselect6 | libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2
    )
}

impl Call<'_> {
    /// Makes the call; signals that are put aside ([`deferred`]) end it as its mask says.
    pub(super) fn make_with_mask(&mut self, host: u16, args: &mut [u64; 6]) -> i64 {
        const EINTR: i64 = -(libc::EINTR as i64);
        let Some(mask) = of_call(host, self.args, self.env.space, self.abi) else {
            return self.make(host, None, args);
        };
        let before = deferred::set_blocked(mask);
        let mut result = EINTR;
        if deferred::due(mask) == 0 {
            result = self.make(host, None, args);
        }
        if deferred::due(mask) != 0 && [EINTR, -ERESTARTSYS].contains(&result) {
            // It is delivered next, and then the mask is put back.
            self.env.pending.fetch_or(DUE, Ordering::SeqCst);
            return EINTR;
        }
        deferred::set_blocked(before);
        result
    }
}

/// The mask that the guest gave to the call which the host knows as `host`; None when it
/// has none. The slot is the argument's place in the guest's and the kernel's interface.
#[must_use]
pub fn of_call(host: u16, args: &Args, space: &AddressSpace, abi: GuestAbi) -> Option<u64> {
    let word = abi.word_bytes();
    let get = |address: u64, size: usize| -> Option<u64> {
        let mut bytes = [0; 8];
        space.read(address, &mut bytes[..size]).ok()?;
        Some(get_int(&bytes[..size], abi.big_endian, false))
    };
    let address = match i64::from(host) {
        libc::SYS_ppoll => args[3],
        // A struct of the mask's address and its size.
        libc::SYS_pselect6 if args[5] != 0 => get(args[5], word)?,
        libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => args[4],
        _ => return None,
    };
    if address == 0 {
        return None;
    }
    read_set(space, address, abi)
}
