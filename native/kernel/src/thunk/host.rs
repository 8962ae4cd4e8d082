//! Entering the host kernel.
//!
//! [`safe_syscall`] is the only way guest system calls enter it. The instruction
//! sits between two labels, so that a signal handler can see whether the call was
//! entered: before or on it, the handler moves the pc to the third label and the call
//! returns [`ERESTARTSYS`]; behind it, the call was made. So no signal
//! slips in between the last check and a blocking call.

use std::arch::global_asm;
use std::sync::atomic::AtomicU32;

/// "Not made because a signal waits; make it again after the handler": the
/// kernel's own internal number (include/linux/errno.h).
pub const ERESTARTSYS: i64 = 512;

global_asm!(
    ".pushsection .text.qusr_safe_syscall, \"ax\", @progbits",
    ".global qusr_safe_syscall",
    ".type qusr_safe_syscall, @function",
    "qusr_safe_syscall:",
    "push rbp",
    "mov rbp, rdi",
    "mov rax, rsi",
    "mov rcx, rdx",
    "mov rdi, [rcx]",
    "mov rsi, [rcx + 8]",
    "mov rdx, [rcx + 16]",
    "mov r10, [rcx + 24]",
    "mov r8, [rcx + 32]",
    "mov r9, [rcx + 40]",
    ".global qusr_safe_syscall_start",
    "qusr_safe_syscall_start:",
    "cmp dword ptr [rbp], 0",
    "jnz qusr_safe_syscall_interrupted",
    "syscall",
    ".global qusr_safe_syscall_end",
    "qusr_safe_syscall_end:",
    "pop rbp",
    "ret",
    ".global qusr_safe_syscall_interrupted",
    "qusr_safe_syscall_interrupted:",
    "mov rax, -512",
    "pop rbp",
    "ret",
    ".size qusr_safe_syscall, . - qusr_safe_syscall",
    ".popsection",
);

unsafe extern "C" {
    fn qusr_safe_syscall(pending: *const AtomicU32, number: i64, args: *const [u64; 6]) -> i64;
    static qusr_safe_syscall_start: u8;
    static qusr_safe_syscall_end: u8;
    static qusr_safe_syscall_interrupted: u8;
}

/// Makes a host system call unless `pending` is non-zero. Returns what the
/// kernel returned (-errno for errors), or -[`ERESTARTSYS`].
///
/// # Safety
/// The call must be one whose effects the emulator can bear: pointers must be into
/// guest memory or into buffers that outlive the call.
#[must_use]
pub unsafe fn safe_syscall(pending: &AtomicU32, number: u16, args: &[u64; 6]) -> i64 {
    // SAFETY: the assembly touches only its arguments; the caller vouches for the call.
    unsafe { qusr_safe_syscall(pending, number.into(), args) }
}

/// For signal handlers: where to continue when a signal arrived at `pc`. `None`
/// means that no call was about to be entered.
#[must_use]
pub fn interrupted_at(pc: usize) -> Option<usize> {
    let start = &raw const qusr_safe_syscall_start as usize;
    let end = &raw const qusr_safe_syscall_end as usize;
    (start..end).contains(&pc).then(landing)
}

/// Where a call that is to be made again goes on.
#[must_use]
pub fn landing() -> usize {
    &raw const qusr_safe_syscall_interrupted as usize
}

/// Whether `pc` stands just behind the kernel's work, with the result not looked at yet.
#[must_use]
pub fn was_made_at(pc: usize) -> bool {
    pc == &raw const qusr_safe_syscall_end as usize
}
