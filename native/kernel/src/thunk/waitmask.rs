//! The signal masks of ppoll(2) and its like, which are in force during the call and in the
//! handlers of the signals that end it (kernel/signal.c, `set_user_sigmask`).

use super::convert::get_int;
use super::exec::Args;
use crate::abi::GuestAbi;
use crate::memory::AddressSpace;

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
    match (address, word) {
        (0, _) => None,
        (_, 8) => get(address, 8),
        _ => Some(get(address, 4)? | get(address + 4, 4)? << 32),
    }
}
