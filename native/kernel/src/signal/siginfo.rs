//! siginfo_t in the guest's layout (include/uapi/asm-generic/siginfo.h).

use crate::abi::GuestAbi;
use crate::cpu::Exit;
use crate::thunk::convert::{get_int, put_int};

/// The size of siginfo_t on every Linux.
pub const SIZE: usize = 128;

/// A signal that an instruction of the guest caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultInfo {
    pub signal: i32,
    pub code: i32,
    pub addr: u64,
    /// What more the processor says of it, for guests whose frames tell; 0 when there is nothing.
    pub syndrome: u64,
}

/// An si_code of SIGILL.
pub const ILL_ILLOPC: i32 = 1;
/// An si_code of SIGTRAP.
pub const TRAP_BRKPT: i32 = 1;

impl FaultInfo {
    /// What Linux makes of a trap on most architectures, the instruction being at `pc`.
    #[must_use]
    pub fn of(exit: Exit, pc: u64) -> Self {
        // si_code values of asm-generic/siginfo.h.
        const MAPERR: i32 = 1;
        const ACCERR: i32 = 2;
        const ADRALN: i32 = 1;
        const ADRERR: i32 = 2;
        let (signal, code, addr) = match exit {
            Exit::Fault {
                addr,
                mapped,
                bus,
                align,
                ..
            } => match (bus, align) {
                (_, true) => (libc::SIGBUS, ADRALN, addr),
                (true, _) => (libc::SIGBUS, ADRERR, addr),
                _ => (libc::SIGSEGV, if mapped { ACCERR } else { MAPERR }, addr),
            },
            Exit::Breakpoint { .. } => (libc::SIGTRAP, TRAP_BRKPT, pc),
            _ => (libc::SIGILL, ILL_ILLOPC, pc),
        };
        Self {
            signal,
            code,
            addr,
            syndrome: 0,
        }
    }
}

/// A call that a seccomp filter answers with SIGSYS.
#[derive(Clone, Copy, Debug)]
pub struct RefusedCall {
    pub address: u64,
    pub number: i32,
    pub arch: u32,
    pub errno: i32,
}

/// Reads little-endian host fields of a siginfo_t by offset.
struct Host<'a>(&'a [u8; SIZE]);

impl Host<'_> {
    fn int(&self, at: usize) -> u64 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        i32::from_le_bytes(bytes) as u64
    }
    fn word(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        u64::from_le_bytes(bytes)
    }
}

/// Writes the guest's fields one after another.
struct Guest {
    bytes: [u8; SIZE],
    at: usize,
    abi: GuestAbi,
}

impl Guest {
    fn int(&mut self, value: u64) {
        put_int(
            &mut self.bytes[self.at..self.at + 4],
            self.abi.big_endian,
            value,
        );
        self.at += 4;
    }
    fn word(&mut self, value: u64) {
        let size = self.abi.word_bytes();
        self.at = self.at.div_ceil(size) * size;
        put_int(
            &mut self.bytes[self.at..self.at + size],
            self.abi.big_endian,
            value,
        );
        self.at += size;
    }
}

/// Where the host's union begins.
const UNION: usize = 16;

/// A field of the union.
#[derive(Clone, Copy)]
enum Field {
    Int,
    /// A pointer or a long.
    Word,
    /// An exit status, or a signal.
    Status,
}

/// Which fields are in use, by signal and code (kernel/signal.c, `siginfo_layout`).
fn fields(signal: i32, code: i32) -> &'static [Field] {
    use Field::{Int, Status, Word};
    match (signal, code) {
        (libc::SIGCHLD, 1..=6) => &[Int, Int, Status, Word, Word],
        (libc::SIGPOLL, 1..=6) => &[Word, Int],
        (libc::SIGSYS, 1..=2) => &[Word, Int, Int],
        // Of a stop before or after a system call (kernel/ptrace: ptrace_notify).
        (libc::SIGTRAP, libc::SIGTRAP) => &[Int, Int],
        (libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP, 1..=15) => {
            &[Word]
        }
        (_, libc::SI_USER | libc::SI_TKILL | libc::SI_KERNEL) => &[Int, Int],
        // SI_TIMER has two ints of its own before the value.
        _ => &[Int, Int, Word],
    }
}

/// Whether the guest has it as the host does.
#[must_use]
pub fn is_hosts(abi: GuestAbi) -> bool {
    abi.word_bits == 64 && !abi.big_endian && abi.numbers.is_none()
}

/// Fills the union of a host's siginfo_t, whose code is there, with that of the guest's, by which `signal` (the host's number) is sent.
pub fn union_from_guest(info: &mut [u8; SIZE], guest: &[u8; SIZE], signal: i32, abi: GuestAbi) {
    if is_hosts(abi) {
        info[UNION..].copy_from_slice(&guest[UNION..]);
        return;
    }
    let code = Host(info).int(8) as i32;
    let (word, mut from, mut at) = (abi.word_bytes(), union_of(abi), UNION);
    info[UNION..].fill(0);
    for field in fields(signal, code) {
        let (size, host_size) = match field {
            Field::Word => (word, 8),
            Field::Int | Field::Status => (4, 4),
        };
        from = from.next_multiple_of(size);
        at = at.next_multiple_of(host_size);
        let mut value = get_int(&guest[from..from + size], abi.big_endian, false);
        if matches!(field, Field::Status) && code != libc::CLD_EXITED {
            value = abi.signal_to_host(value as i32) as u64;
        }
        put_int(&mut info[at..at + host_size], false, value);
        from += size;
        at += host_size;
    }
}

/// Where the guest's union begins, which is aligned to a word.
fn union_of(abi: GuestAbi) -> usize {
    if abi.word_bits == 64 { 16 } else { 12 }
}

/// The guest's bytes for a signal that the host delivered.
#[must_use]
pub fn to_guest(info: &libc::siginfo_t, abi: GuestAbi) -> [u8; SIZE] {
    // SAFETY: siginfo_t is 128 bytes of plain data.
    let bytes: &[u8; SIZE] = unsafe { &*std::ptr::from_ref(info).cast() };
    bytes_to_guest(bytes, abi)
}

/// The same for the bytes of a host's siginfo_t.
#[must_use]
pub fn bytes_to_guest(bytes: &[u8; SIZE], abi: GuestAbi) -> [u8; SIZE] {
    if is_hosts(abi) {
        return *bytes;
    }
    let host = Host(bytes);
    let (signal, code) = (host.int(0) as i32, host.int(8) as i32);
    let errno = abi.errno_to_guest(host.int(4) as i32) as u64;
    let mut guest = start(signal, errno, code, abi);
    let mut at = UNION;
    for field in fields(signal, code) {
        match field {
            Field::Word => {
                at = at.next_multiple_of(8);
                guest.word(host.word(at));
                at += 8;
            }
            Field::Int => {
                guest.int(host.int(at));
                at += 4;
            }
            Field::Status => {
                let status = host.int(at) as i32;
                let exited = code == libc::CLD_EXITED;
                let told = if exited {
                    status
                } else {
                    abi.signal_to_guest(status)
                };
                guest.int(told as u64);
                at += 4;
            }
        }
    }
    guest.bytes
}

/// The guest's bytes for a fault.
#[must_use]
pub fn for_fault(fault: &FaultInfo, abi: GuestAbi) -> [u8; SIZE] {
    let mut guest = start(fault.signal, 0, fault.code, abi);
    guest.word(fault.addr);
    guest.bytes
}

/// The guest's bytes for a refused call.
#[must_use]
pub fn for_refused(call: &RefusedCall, abi: GuestAbi) -> [u8; SIZE] {
    const SYS_SECCOMP: i32 = 1;
    let mut guest = start(libc::SIGSYS, call.errno as u64, SYS_SECCOMP, abi);
    guest.word(call.address);
    guest.int(call.number as u64);
    guest.int(call.arch.into());
    guest.bytes
}

/// The guest's bytes for a signal of the kernel's own.
#[must_use]
pub fn by_kernel(signal: i32, abi: GuestAbi) -> [u8; SIZE] {
    const SI_KERNEL: i32 = 0x80;
    start(signal, 0, SI_KERNEL, abi).bytes
}

/// `errno` is the guest's number.
fn start(signal: i32, errno: u64, code: i32, abi: GuestAbi) -> Guest {
    let mut guest = Guest {
        bytes: [0; SIZE],
        at: 0,
        abi,
    };
    let code = abi.code_to_guest(code) as u64;
    guest.int(abi.signal_to_guest(signal) as u64);
    if abi.has_code_first() {
        guest.int(code);
        guest.int(errno);
    } else {
        guest.int(errno);
        guest.int(code);
    }
    guest.at = union_of(abi);
    guest
}
