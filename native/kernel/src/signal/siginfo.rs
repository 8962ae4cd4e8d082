//! siginfo_t in the guest's layout (include/uapi/asm-generic/siginfo.h).

use crate::abi::GuestAbi;
use crate::cpu::Exit;
use crate::thunk::convert::put_int;

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

/// The guest's bytes for a signal that the host delivered. Which union member is in
/// use follows from signal and code (kernel/signal.c, `siginfo_layout`).
#[must_use]
pub fn to_guest(info: &libc::siginfo_t, abi: GuestAbi) -> [u8; SIZE] {
    // SAFETY: siginfo_t is 128 bytes of plain data.
    let bytes: &[u8; SIZE] = unsafe { &*std::ptr::from_ref(info).cast() };
    bytes_to_guest(bytes, abi)
}

/// The same for the bytes of a host's siginfo_t.
#[must_use]
pub fn bytes_to_guest(bytes: &[u8; SIZE], abi: GuestAbi) -> [u8; SIZE] {
    if abi.word_bits == 64 && !abi.big_endian && abi.numbers.is_none() {
        return *bytes;
    }
    let host = Host(bytes);
    let (signal, code) = (host.int(0) as i32, host.int(8) as i32);
    let errno = abi.errno_to_guest(host.int(4) as i32) as u64;
    let mut guest = start(signal, errno, code, abi);
    match (signal, code) {
        (_, libc::SI_TIMER) => {
            guest.int(host.int(16));
            guest.int(host.int(20));
            guest.word(host.word(24));
        }
        (libc::SIGCHLD, 1..=6) => {
            guest.int(host.int(16));
            guest.int(host.int(20));
            // An exit status, or a signal.
            let status = host.int(24) as i32;
            let exited = code == libc::CLD_EXITED;
            guest.int(if exited {
                status
            } else {
                abi.signal_to_guest(status)
            } as u64);
            guest.word(host.word(32));
            guest.word(host.word(40));
        }
        (libc::SIGPOLL, 1..=6) => {
            guest.word(host.word(16));
            guest.int(host.int(24));
        }
        (libc::SIGSYS, 1..=2) => {
            guest.word(host.word(16));
            guest.int(host.int(24));
            guest.int(host.int(28));
        }
        // Of a stop before or after a system call (kernel/ptrace: ptrace_notify).
        (libc::SIGTRAP, libc::SIGTRAP) => {
            guest.int(host.int(16));
            guest.int(host.int(20));
        }
        (libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP, 1..=15) => {
            guest.word(host.word(16));
        }
        (_, libc::SI_USER | libc::SI_TKILL | libc::SI_KERNEL) => {
            guest.int(host.int(16));
            guest.int(host.int(20));
        }
        _ => {
            guest.int(host.int(16));
            guest.int(host.int(20));
            guest.word(host.word(24));
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
    // The union is aligned to a word.
    guest.at = if abi.word_bits == 64 { 16 } else { 12 };
    guest
}
