//! Into the guest and out of it.

use std::arch::global_asm;
use std::mem::offset_of;
use std::ops::Range;
use std::sync::atomic::AtomicU32;

/// What the guest has in its registers, and how it was left.
#[repr(C, align(64))]
pub struct State {
    /// As they are popped: r15 to r8, rbp, rsi, rdx, rcx, rbx, rax, rdi.
    pub general: [u64; 15],
    /// As IRETQ has it: rip, cs, rflags, rsp, ss.
    pub frame: [u64; 5],
    pub fs_base: u64,
    pub gs_base: u64,
    /// The emulator's stack pointer.
    host_sp: u64,
    /// The area of XSAVE, and its size.
    pub area: *mut u8,
    pub area_size: usize,
    /// Of the thread that runs it.
    pub block: *mut Block,
    /// Not 0: the guest is to be left, if `heed` is not 0 either.
    pub wanted: *const AtomicU32,
    pub heed: u32,
    /// Whether it was left by an exception ([`State::trap`]); otherwise since somebody wanted it.
    pub trapped: u32,
    pub trap: Trap,
}

/// An exception of the guest's, as the host's kernel told of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Trap {
    pub signal: i32,
    pub code: i32,
    pub vector: u32,
    pub error: u64,
    pub addr: u64,
    /// SIGSYS: AUDIT_ARCH_* of the call.
    pub arch: u32,
}

/// What a host thread has for it, at the start of its slot (`slots.rs`).
#[repr(C)]
pub struct Block {
    /// The kernel's: whether system calls are dispatched.
    pub selector: u8,
    /// 1: the guest runs, or is being entered.
    pub mode: u32,
    pub state: *mut State,
    /// The emulator's FS base.
    pub host_fs: u64,
}

pub const RIP: usize = 0;
pub const CS: usize = 1;
pub const FLAGS: usize = 2;
pub const SP: usize = 3;
pub const SS: usize = 4;

global_asm!(
    ".pushsection .text.qusr_direct_enter, \"ax\", @progbits",
    ".hidden qusr_direct_enter",
    ".global qusr_direct_enter",
    "qusr_direct_enter:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rdi + {host_sp}], rsp",
    "mov rsi, [rdi + {block}]",
    ".hidden qusr_direct_entering",
    ".global qusr_direct_entering",
    // From here on a signal handler leaves us by the landing, if there is something to leave for: nothing of the state has
    // changed yet.
    "qusr_direct_entering:",
    "mov dword ptr [rsi + {mode}], 1",
    "mov rax, [rdi + {wanted}]",
    "mov eax, [rax]",
    "test eax, [rdi + {heed}]",
    "jnz 2f",
    "mov rcx, [rdi + {area}]",
    "mov eax, -1",
    "mov edx, -1",
    "xrstor64 [rcx]",
    "mov rax, [rdi + {fs_base}]",
    "wrfsbase rax",
    "mov rax, [rdi + {gs_base}]",
    "wrgsbase rax",
    "mov byte ptr [rsi + {selector}], 1",
    // Signals have a stack of their own: nothing is written below.
    "mov rsp, rdi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rbp",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rbx",
    "pop rax",
    "pop rdi",
    "iretq",
    "2:",
    "mov dword ptr [rdi + {trapped}], 0",
    "mov dword ptr [rsi + {mode}], 0",
    ".hidden qusr_direct_landing",
    ".global qusr_direct_landing",
    "qusr_direct_landing:",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".popsection",
    host_sp = const offset_of!(State, host_sp),
    block = const offset_of!(State, block),
    wanted = const offset_of!(State, wanted),
    heed = const offset_of!(State, heed),
    trapped = const offset_of!(State, trapped),
    area = const offset_of!(State, area),
    fs_base = const offset_of!(State, fs_base),
    gs_base = const offset_of!(State, gs_base),
    mode = const offset_of!(Block, mode),
    selector = const offset_of!(Block, selector),
);

unsafe extern "C" {
    fn qusr_direct_enter(state: *mut State);
    fn qusr_direct_entering();
    fn qusr_direct_landing();
}

impl State {
    /// Without a thread, and with nothing in its registers.
    pub fn new(area: *mut u8, area_size: usize, wanted: *const AtomicU32) -> Self {
        Self {
            general: [0; 15],
            frame: [0, 0x33, 0x202, 0, 0x2b],
            fs_base: 0,
            gs_base: 0,
            host_sp: 0,
            area,
            area_size,
            block: std::ptr::null_mut(),
            wanted,
            heed: 0,
            trapped: 0,
            trap: Trap::default(),
        }
    }

    /// The emulator's stack pointer, for the landing.
    pub fn host_sp(&self) -> u64 {
        self.host_sp
    }
}

/// Runs the guest until it is left.
///
/// # Safety
/// The state is whole, its block the calling thread's, and signals have the stack of its slot.
pub unsafe fn enter(state: *mut State) {
    // SAFETY: as the caller promises.
    unsafe { qusr_direct_enter(state) };
}

/// Where the state is loaded.
pub fn entering() -> Range<usize> {
    qusr_direct_entering as *const () as usize..landing()
}

/// Where a handler goes to leave the guest.
pub fn landing() -> usize {
    qusr_direct_landing as *const () as usize
}
