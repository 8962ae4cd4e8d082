//! The host's signals while a guest runs.
//!
//! All handlers of the process are entered by this code (`memory::fault::entry`), since any signal may arrive in the guest.

use std::arch::{asm, global_asm};
use std::mem;
use std::mem::offset_of;
use std::ops::Range;
use std::sync::atomic::Ordering;

use libc::{c_int, siginfo_t, ucontext_t};

use super::entry::{self, Block, FLAGS, RIP, SP, State, Trap};
use super::fpu;
use super::slots::{REGION, REGION_SIZE, SLOT};
use crate::memory::fault;

use super::super::linux::registers::{DIRECTION_FLAG, RESUME_FLAG, TRAP_FLAG};

const ALIGNMENT_FLAG: u64 = 1 << 18;
const NESTED_FLAG: u64 = 1 << 14;

global_asm!(
    ".pushsection .text.qusr_direct_handler, \"ax\", @progbits",
    ".hidden qusr_direct_handler",
    ".global qusr_direct_handler",
    // Signal, siginfo, ucontext in rdi, rsi, rdx. Of the registers nothing is to be kept: the kernel puts them back.
    "qusr_direct_handler:",
    "mov rcx, rsp",
    "sub rcx, [rip + {region}]",
    "cmp rcx, [rip + {size}]",
    "jae 9f",
    "mov rbx, rsp",
    "and rbx, {slot}",
    // The guest's base may be anything.
    "rdfsbase r12",
    "mov rax, [rbx + {host_fs}]",
    "wrfsbase rax",
    "movzx r13d, byte ptr [rbx + {selector}]",
    "mov byte ptr [rbx + {selector}], 0",
    // The kernel leaves AC as it is.
    "pushfq",
    "and dword ptr [rsp], 0xfffbffff",
    "popfq",
    "mov r14, rsp",
    "mov rcx, rbx",
    "mov r8, r12",
    "and rsp, -16",
    "call {on_signal}",
    "mov rsp, r14",
    "test eax, eax",
    "jz 8f",
    "wrfsbase r12",
    "mov [rbx + {selector}], r13b",
    "test r13b, r13b",
    "jz 8f",
    // The one system call that is not dispatched. (The kernel compares the address behind it.)
    "add rsp, 8",
    ".hidden qusr_direct_return",
    ".global qusr_direct_return",
    "qusr_direct_return:",
    "mov eax, 15",
    "syscall",
    "8:",
    "ret",
    // A thread without guests.
    "9:",
    "jmp {plain}",
    ".popsection",
    region = sym REGION,
    size = sym REGION_SIZE,
    slot = const -(SLOT as isize),
    host_fs = const offset_of!(Block, host_fs),
    selector = const offset_of!(Block, selector),
    on_signal = sym on_signal,
    plain = sym plain,
);

unsafe extern "C" {
    fn qusr_direct_handler();
    fn qusr_direct_return();
}

/// Where all handlers are entered.
pub fn code() -> usize {
    qusr_direct_handler as *const () as usize
}

/// The code that makes the one call which is not dispatched: `mov eax, 15`, `syscall`, and the address behind.
pub fn return_code() -> Range<usize> {
    let start = qusr_direct_return as *const () as usize;
    start..start + 8
}

extern "C" fn plain(signal: c_int, info: *mut siginfo_t, context: *mut ucontext_t) {
    let handler = fault::entered(signal);
    if handler != 0 {
        // SAFETY: whoever wanted signals to be entered here gave a handler; one without SA_SIGINFO ignores what it
        // does not expect.
        let handler: extern "C" fn(c_int, *mut siginfo_t, *mut ucontext_t) =
            unsafe { mem::transmute(handler) };
        handler(signal, info, context);
    }
}

/// What is done about a signal in a thread with a block; 0: the guest was left.
extern "C" fn on_signal(
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut ucontext_t,
    block: *mut Block,
    fs_base: u64,
) -> u32 {
    // SAFETY: the block is this thread's, and the thread is in this handler.
    let block = unsafe { &mut *block };
    // SAFETY: a byte that the code interrupted by this may just have written.
    if unsafe { (&raw const block.mode).read_volatile() } == 0 {
        plain(signal, info, context);
        return 1;
    }
    // SAFETY: who runs the guest is interrupted by this, and keeps the state; the kernel gives the rest.
    let (state, told, context) = unsafe { (&mut *block.state, &*info, &mut *context) };
    let pc = context.uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
    let entering = entry::entering().contains(&(pc as usize));
    if told.si_code > 0 && fault::SIGNALS.contains(&signal) {
        if entering {
            // The processor would not load what the guest's registers are to be, as a pc that is no address.
            state.trap = Trap {
                signal: libc::SIGSEGV,
                code: 0x80,
                vector: 13,
                ..Trap::default()
            };
        } else {
            // SAFETY: the kernel's frame.
            unsafe { save(state, context, fs_base) };
            let reg = |index: c_int| context.uc_mcontext.gregs[index as usize] as u64;
            state.trap = Trap {
                signal,
                code: told.si_code,
                vector: reg(libc::REG_TRAPNO) as u32,
                error: reg(libc::REG_ERR),
                // SAFETY: of these signals all have one there, or something else that can be read.
                addr: unsafe { told.si_addr() } as u64,
                arch: arch(told),
            };
        }
        state.trapped = 1;
        leave(block, context);
        return 0;
    }
    plain(signal, info, context);
    // SAFETY: the core keeps what it points to.
    let wanted = unsafe { (*state.wanted).load(Ordering::SeqCst) };
    if wanted & state.heed == 0 {
        return 1;
    }
    if !entering {
        // SAFETY: the kernel's frame.
        unsafe { save(state, context, fs_base) };
    }
    state.trapped = 0;
    leave(block, context);
    0
}

/// AUDIT_ARCH_* of a dispatched call: behind its address and number.
fn arch(info: &siginfo_t) -> u32 {
    // SAFETY: siginfo_t is 128 bytes of plain data.
    unsafe { std::ptr::from_ref(info).cast::<u32>().add(7).read() }
}

/// Takes the guest's registers out of the frame.
///
/// # Safety
/// The frame is one that the kernel has made for a signal in the guest.
unsafe fn save(state: &mut State, context: &ucontext_t, fs_base: u64) {
    let reg = |index: c_int| context.uc_mcontext.gregs[index as usize] as u64;
    state.general = [
        libc::REG_R15,
        libc::REG_R14,
        libc::REG_R13,
        libc::REG_R12,
        libc::REG_R11,
        libc::REG_R10,
        libc::REG_R9,
        libc::REG_R8,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDX,
        libc::REG_RCX,
        libc::REG_RBX,
        libc::REG_RAX,
        libc::REG_RDI,
    ]
    .map(reg);
    state.frame[RIP] = reg(libc::REG_RIP);
    state.frame[FLAGS] = reg(libc::REG_EFL);
    state.frame[SP] = reg(libc::REG_RSP);
    state.fs_base = fs_base;
    // SAFETY: FSGSBASE is there; nothing has changed it since the guest ran.
    unsafe {
        asm!("rdgsbase {}", out(reg) state.gs_base, options(nomem, nostack));
        fpu::save(state, context.uc_mcontext.fpregs.cast());
    }
}

/// Has the handler end in the emulator, whose registers are on its stack.
fn leave(block: &mut Block, context: &mut ucontext_t) {
    block.mode = 0;
    // SAFETY: as in `on_signal`.
    let sp = unsafe { (*block.state).host_sp() };
    let off = TRAP_FLAG | DIRECTION_FLAG | RESUME_FLAG | ALIGNMENT_FLAG | NESTED_FLAG;
    let gregs = &mut context.uc_mcontext.gregs;
    gregs[libc::REG_RIP as usize] = entry::landing() as i64;
    gregs[libc::REG_RSP as usize] = sp as i64;
    gregs[libc::REG_EFL as usize] &= !(off as i64);
    // cs, gs, fs, ss
    gregs[libc::REG_CSGSFS as usize] = 0x002b_0000_0000_0033;
    // Without any the kernel gives the thread those that a program begins with.
    context.uc_mcontext.fpregs = std::ptr::null_mut();
}
