//! The registers by their numbers (docs/internals.md), which are others with 32 bits than with 64, and those
//! that the kernel knows.

use crate::kernel::linux::Registers;

/// Where the registers of a word size are. Those of the floating-point unit follow one another.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    pub ax: u32,
    pub bx: u32,
    pub cx: u32,
    pub dx: u32,
    pub si: u32,
    pub di: u32,
    pub bp: u32,
    pub sp: u32,
    pub ip: u32,
    pub flags: u32,
    /// cs, ss, ds, es, fs, gs.
    pub cs: u32,
    /// st0 to st7.
    pub st: u32,
    /// fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop.
    pub fctrl: u32,
    pub xmm: u32,
    pub xmm_count: u32,
    pub mxcsr: u32,
    /// The tag word as FXSAVE has it: a bit for each register that is not empty.
    pub ftw: u32,
    /// The bits of MXCSR that there are; it cannot be set.
    pub mxcsr_mask: u32,
}

impl Numbers {
    pub const SS: u32 = 1;
    pub const DS: u32 = 2;
    pub const ES: u32 = 3;
    pub const FS: u32 = 4;
    pub const GS: u32 = 5;

    pub fn fstat(&self) -> u32 {
        self.fctrl + 1
    }

    pub fn ftag(&self) -> u32 {
        self.fctrl + 2
    }

    /// The instruction's segment and offset, the operand's, the opcode.
    pub fn last_instruction(&self) -> [u32; 5] {
        [3, 4, 5, 6, 7].map(|n| self.fctrl + n)
    }
}

pub const W64: Numbers = Numbers {
    ax: 0,
    bx: 1,
    cx: 2,
    dx: 3,
    si: 4,
    di: 5,
    bp: 6,
    sp: 7,
    ip: 16,
    flags: 17,
    cs: 18,
    st: 24,
    fctrl: 32,
    xmm: 40,
    xmm_count: 16,
    mxcsr: 56,
    ftw: 59,
    mxcsr_mask: 60,
};
pub const R8: u32 = 8;
pub const FS_BASE: u32 = 57;
pub const GS_BASE: u32 = 58;

pub const REGISTERS64: Registers = Registers {
    number: W64.ax,
    args: &[W64.di, W64.si, W64.dx, R8 + 2, R8, R8 + 1],
    stack_args: None,
    results: &[W64.ax],
    pc: W64.ip,
    sp: W64.sp,
    tls: FS_BASE,
    count: W64.mxcsr_mask as usize + 1,
    // The top of the floating-point stack is in fstat, and st0 is what is there.
    leading: &[W64.fctrl + 1],
    call_marker: None,
    shown_number: None,
    pending_result: Some(W64.ax),
    indirect: None,
};

pub const W32: Numbers = Numbers {
    ax: 0,
    cx: 1,
    dx: 2,
    bx: 3,
    sp: 4,
    bp: 5,
    si: 6,
    di: 7,
    ip: 8,
    flags: 9,
    cs: 10,
    st: 16,
    fctrl: 24,
    xmm: 32,
    xmm_count: 8,
    mxcsr: 40,
    ftw: 41,
    mxcsr_mask: 42,
};
/// The descriptors that are a thread's own (set_thread_area(2)), one behind the other.
pub const TLS: u32 = 43;
pub const TLS_COUNT: u32 = 3;

pub const REGISTERS32: Registers = Registers {
    number: W32.ax,
    args: &[W32.bx, W32.cx, W32.dx, W32.si, W32.di, W32.bp],
    stack_args: None,
    results: &[W32.ax],
    pc: W32.ip,
    sp: W32.sp,
    tls: TLS,
    count: (TLS + TLS_COUNT) as usize,
    // What selectors stand for; the top of the floating-point stack.
    leading: &[TLS, TLS + 1, TLS + 2, W32.fctrl + 1],
    call_marker: None,
    shown_number: None,
    pending_result: Some(W32.ax),
    indirect: None,
};

/// EFLAGS: what a program may change, and a frame or a tracer with it (`FIX_EFLAGS`).
pub const USER_FLAGS: u64 = 0x0005_0dd5;
pub const TRAP_FLAG: u64 = 1 << 8;
pub const DIRECTION_FLAG: u64 = 1 << 10;
pub const RESUME_FLAG: u64 = 1 << 16;
/// Interrupts are on, and bit 1 always is.
pub const FIXED_FLAGS: u64 = 0x202;

/// Selectors of user code and data (arch/x86/include/asm/segment.h).
pub const USER_DS: u64 = 0x2b;
pub const USER_CS: u64 = 0x33;
/// The same with 32 bits.
pub const USER_CS32: u64 = 0x73;
pub const USER_DS32: u64 = 0x7b;

/// The floating-point unit as a program finds it, and a signal handler.
pub const INITIAL_CONTROL: u64 = 0x37f;
pub const INITIAL_MXCSR: u64 = 0x1f80;
pub const MXCSR_BITS: u64 = 0xffff;
