//! Calls of o32 that only stand for others: `syscall`, `socketcall` and `ipc`, as
//! arch/mips/kernel/scall32-o32.S, net/socket.c and ipc/syscall.c have them.

use crate::kernel::abi::GuestAbi;
use crate::kernel::thunk::convert::get_int;
use crate::kernel::thunk::exec::Args;
use crate::memory::AddressSpace;

const SYSCALL: u64 = 4000;
const SOCKETCALL: u64 = 4102;
const IPC: u64 = 4117;

/// Numbers of socket calls, and how many arguments each has, by `SYS_SOCKET`... of linux/net.h.
const SOCKETS: [(u64, usize); 20] = [
    (4183, 3), // socket
    (4169, 3), // bind
    (4170, 3), // connect
    (4174, 2), // listen
    (4168, 3), // accept
    (4172, 3), // getsockname
    (4171, 3), // getpeername
    (4184, 4), // socketpair
    (4178, 4), // send
    (4175, 4), // recv
    (4180, 6), // sendto
    (4176, 6), // recvfrom
    (4182, 2), // shutdown
    (4181, 5), // setsockopt
    (4173, 5), // getsockopt
    (4179, 3), // sendmsg
    (4177, 3), // recvmsg
    (4334, 4), // accept4
    (4335, 5), // recvmmsg
    (4343, 4), // sendmmsg
];

/// Words of guest memory.
fn words<const N: usize>(
    space: &AddressSpace,
    abi: GuestAbi,
    at: u64,
    count: usize,
) -> Result<[u64; N], i32> {
    let mut found = [0; N];
    let size = abi.word_bytes();
    for (index, word) in found.iter_mut().take(count).enumerate() {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..size];
        space
            .read(at + (index * size) as u64, bytes)
            .map_err(|_| libc::EFAULT)?;
        *word = get_int(bytes, abi.big_endian, false);
    }
    Ok(found)
}

pub fn o32(
    number: u64,
    args: &Args,
    space: &AddressSpace,
    abi: GuestAbi,
) -> Option<Result<(u64, Args), i32>> {
    match number {
        SYSCALL => {
            let mut moved = *args;
            moved.rotate_left(1);
            // A call of this one would be found again, without end.
            let number = args[0] & 0xffff_ffff;
            (number != SYSCALL).then_some(Ok((number, moved)))
        }
        SOCKETCALL => Some(socket(args, space, abi)),
        IPC => Some(ipc(args, space, abi)),
        _ => None,
    }
}

fn socket(args: &Args, space: &AddressSpace, abi: GuestAbi) -> Result<(u64, Args), i32> {
    let index = (args[0] as usize).wrapping_sub(1);
    let (number, count) = *SOCKETS.get(index).ok_or(libc::EINVAL)?;
    Ok((number, words(space, abi, args[1], count)?))
}

/// `ipc(call, first, second, third, ptr, fifth)`; the upper half of `call` is a version.
fn ipc(args: &Args, space: &AddressSpace, abi: GuestAbi) -> Result<(u64, Args), i32> {
    const SEMTIMEDOP: u64 = 4;
    let [call, first, second, third, ptr, fifth, ..] = *args;
    let version = call >> 16 & 0xffff;
    let made = |number: u64, given: &[u64]| {
        let mut all = Args::default();
        all[..given.len()].copy_from_slice(given);
        Ok((number, all))
    };
    match call & 0xffff {
        // SEMOP: without a time limit.
        1 => made(SEMTIMEDOP_TIME32, &[first, ptr, second, 0]),
        2 => made(4393, &[first, second, third]),
        3 => {
            let [value]: [u64; 1] = words(space, abi, ptr, 1)?;
            made(
                4394,
                &[first, second, command(third, &[1, 2, 18, 20])?, value],
            )
        }
        SEMTIMEDOP => made(SEMTIMEDOP_TIME32, &[first, ptr, second, fifth]),
        11 => made(4400, &[first, ptr, second, third]),
        // MSGRCV: version 0 has what it wants in a struct ipc_kludge.
        12 if version == 0 => {
            if ptr == 0 {
                return Err(libc::EINVAL);
            }
            let [message, kind]: [u64; 2] = words(space, abi, ptr, 2)?;
            made(4401, &[first, message, second, kind, third])
        }
        12 => made(4401, &[first, ptr, second, fifth, third]),
        13 => made(4399, &[first, second]),
        14 => made(4402, &[first, command(second, &[1, 2, 11, 13])?, ptr]),
        21 => made(IPC_SHMAT, &[first, ptr, second, third]),
        22 => made(4398, &[ptr]),
        23 => made(4395, &[first, second, third]),
        24 => made(4396, &[first, command(second, &[1, 2, 13, 15])?, ptr]),
        _ => Err(libc::ENOSYS),
    }
}

/// A command of ipc(2) as the separate calls have it. Those with a struct, `structs`, mean by IPC_64 the one of these calls, and
/// a smaller one without it, which no C library has used for 20 years.
fn command(given: u64, structs: &[u64]) -> Result<u64, i32> {
    const IPC_64: u64 = 0x100;
    if given & IPC_64 == 0 && structs.contains(&given) {
        return Err(libc::EINVAL);
    }
    Ok(given & !IPC_64)
}

/// What the kernel has behind ipc(2) only goes by numbers of qusr's own (`tools/gen_syscalls.py`).
const SEMTIMEDOP_TIME32: u64 = 4000 + 0x10_0000;
const IPC_SHMAT: u64 = 4001 + 0x10_0000;
