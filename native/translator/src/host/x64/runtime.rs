//! The support code at the start of each code arena: entering and leaving
//! translated code, calling helpers, landing after a fault. And the GS base.

use super::asm::{
    Alu, Asm, Map, Mem, Pp, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RSI, RSP, Rm, Shift,
};
use super::cpu::{Cpu, Own};
use super::layout::{self, BIAS, PINS, PINS_X, Pinning, TEMPS, TEMPS_X, host};
use crate::host::Answer;
use crate::host::code::Entry;
use crate::ir::Trap;
use crate::ir::eval::eval_any;
use crate::ir::layout::Layout;
use crate::ir::state::Helper;
use crate::ir::{Op, float};

/// Indices into [`Cpu::host`] of a helper call's immediate and selector.
pub const HELPER_IMM: usize = 15;
pub const HELPER_SEL: usize = 16;

/// Enters the arena's support code at `entry`, which goes on at `host`.
///
/// # Safety
/// `entry` is [`Entries::enter`] or [`Entries::resume`] of an arena, `host` is for it, `cpu` is prepared, and GS holds the
/// guest base.
pub unsafe fn run(entry: usize, cpu: *mut Cpu, host: usize) -> Answer {
    // SAFETY: as the caller promises.
    let f: extern "C" fn(*mut Own, usize) -> u32 = unsafe { std::mem::transmute(entry) };
    let answer = f(cpu.cast(), host);
    // SAFETY: as the caller promises; the code has come back.
    let exit = || unsafe { (&*cpu).host[host::EXIT_ID] as u32 };
    match answer {
        code::LINK => Answer::Link(exit()),
        code::HOT => Answer::Hot(exit()),
        code::INDIRECT => Answer::Indirect,
        code::INTERRUPTED => Answer::Interrupted,
        code::FAULT => Answer::Fault,
        // The highest bit says that it is a trap.
        answer => Answer::Trap {
            trap: Trap::from_index(answer as u8 & 15),
            arg: answer >> 4 & 0xff_ffff,
        },
    }
}

/// What translated code returns to [`run`].
mod code {
    pub const LINK: u32 = 1;
    pub const INDIRECT: u32 = 2;
    pub const INTERRUPTED: u32 = 3;
    pub const FAULT: u32 = 4;
    /// As LINK, of an exit that was taken often.
    pub const HOT: u32 = 5;
}

/// Offsets of the entries from the arena's start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entries {
    /// `extern "C" fn(*mut Own, *const u8) -> u32`
    pub enter: usize,
    pub link: usize,
    pub indirect: usize,
    pub interrupted: usize,
    pub trap: usize,
    pub helper: usize,
    pub float_eval: usize,
    pub eval: usize,
    pub hot: usize,
    pub settle: usize,
    pub unmask: usize,
    pub fault: usize,
    /// As `enter`, with all registers as they were at the fault: to `host::RESUME`.
    pub resume: usize,
}

impl Entries {
    #[must_use]
    pub fn offset(&self, e: Entry) -> usize {
        match e {
            Entry::Link => self.link,
            Entry::Indirect => self.indirect,
            Entry::Interrupted => self.interrupted,
            Entry::Trap => self.trap,
            Entry::Helper => self.helper,
            Entry::FloatEval => self.float_eval,
            Entry::Eval => self.eval,
            Entry::Hot => self.hot,
            Entry::Settle => self.settle,
            Entry::Unmask => self.unmask,
        }
    }
}

const SAVED: [u8; 6] = [RBP, RBX, R12, R13, R14, R15];

/// `ldmxcsr` or `stmxcsr`.
pub fn csr(a: &mut Asm, load: bool, m: Mem) {
    a.op(
        Pp::None,
        Map::M0f,
        0xae,
        false,
        if load { 2 } else { 3 },
        Rm::M(m),
        false,
        false,
    );
}

/// The guest's environment into MXCSR (uses rax) or back. Exceptions trap and denormal numbers are flushed only
/// here inside; which do depends on the flags that are set already.
pub fn guest_env(a: &mut Asm, load: bool) {
    if load {
        const { assert!(float::UNDERFLOW == 1 << 4 && float::INEXACT == 1 << 5) };
        a.mov(32, RAX, layout::fpenv());
        a.shift_i(Shift::Shr, 32, Rm::R(RAX), 4);
        a.alu_i(Alu::And, 32, Rm::R(RAX), 3);
        let toggles = Mem {
            index: RAX,
            shift: 2,
            ..layout::host(host::TOGGLES)
        };
        a.mov(32, RAX, toggles);
        a.alu(Alu::And, 32, RAX, layout::host(host::TRAPS));
        a.alu(Alu::Xor, 32, RAX, layout::fpenv());
        a.alu_i(Alu::And, 32, Rm::R(RAX), !float::DENORMAL as i32);
        a.mov_mr(32, layout::host(host::ENV), RAX);
        csr(a, true, layout::host(host::ENV));
    } else {
        const FLUSH: u32 = float::HOST_FLUSH_INPUTS | float::HOST_FLUSH_RESULTS;
        csr(a, false, layout::fpenv());
        a.alu_i(Alu::Or, 32, layout::fpenv(), float::MASKS as i32);
        a.alu_i(Alu::And, 32, layout::fpenv(), !FLUSH as i32);
    }
}

/// `vmovups` between a register and memory.
pub fn wide(a: &mut Asm, load: bool, r: u8, m: Mem) {
    a.vex(
        Pp::None,
        Map::M0f,
        false,
        if load { 0x10 } else { 0x11 },
        r,
        0,
        m,
    );
}

/// Moves a wide slot, or a part of one, between its register and its place in the state.
pub fn unit_move(a: &mut Asm, l: Layout, load: bool, r: u8, n: usize) {
    let m = layout::slot_x(l, n);
    let (pp, op) = match (l.unit(n).1, load) {
        (128, _) => return wide(a, load, r, m),
        // vmovq, vmovd
        (64, true) => (Pp::F3, 0x7e),
        (64, false) => (Pp::P66, 0xd6),
        (_, true) => (Pp::P66, 0x6e),
        (_, false) => (Pp::P66, 0x7e),
    };
    a.vex(pp, Map::M0f, false, op, r, 0, m);
}

fn pins(a: &mut Asm, p: &Pinning, load: bool) {
    for &(s, r) in &p.list {
        let m = layout::slot(usize::from(s));
        if load {
            a.mov(64, r, m)
        } else {
            a.mov_mr(64, m, r)
        }
    }
    for &(s, r) in &p.list_x {
        unit_move(a, p.layout, load, r, usize::from(s));
    }
}

/// The registers that translated code uses, as they are, whatever they hold. Not rax and xmm0.
fn raw(a: &mut Asm, load: bool) {
    for &r in TEMPS.iter().chain(&PINS) {
        let m = layout::raw(r);
        if load {
            a.mov(64, r, m)
        } else {
            a.mov_mr(64, m, r)
        }
    }
    for &r in TEMPS_X.iter().chain(&PINS_X) {
        wide(a, load, r, layout::raw_x(r));
    }
}

/// The temporaries only.
fn temps(a: &mut Asm, p: &Pinning, load: bool) {
    for &r in &TEMPS {
        let m = layout::raw(r);
        if load {
            a.mov(64, r, m)
        } else {
            a.mov_mr(64, m, r)
        }
    }
    for &r in &p.temps_x {
        wide(a, load, r, layout::raw_x(r));
    }
}

/// Generates the support code.
#[must_use]
pub fn build(p: &Pinning) -> (Vec<u8>, Entries) {
    let mut a = Asm::default();
    let mut e = Entries {
        enter: 0,
        ..Entries::default()
    };
    let prologue = |a: &mut Asm| {
        for r in SAVED {
            a.push(r);
        }
        a.alu_i(Alu::Sub, 64, Rm::R(RSP), 8);
        a.lea(64, RBP, Mem::base(RDI, BIAS));
        a.mov_mr(64, layout::host(host::RSP), RSP);
        csr(a, false, layout::host(host::MXCSR));
        guest_env(a, true);
    };
    prologue(&mut a);
    a.mov(64, RAX, Rm::R(RSI));
    pins(&mut a, p, true);
    a.mov(64, RSP, layout::host(host::RETURN_RSP));
    a.jmp_rm(Rm::R(RAX));

    e.resume = a.pos();
    prologue(&mut a);
    raw(&mut a, true);
    wide(&mut a, true, 0, layout::raw_x(0));
    a.mov(64, RAX, layout::raw(RAX));
    a.mov(64, RSP, layout::host(host::RETURN_RSP));
    a.jmp_rm(layout::host(host::RESUME));

    // The way out, with the answer in eax.
    let out = a.pos();
    pins(&mut a, p, false);
    let out_raw = a.pos();
    a.mov_mr(64, layout::host(host::RETURN_RSP), RSP);
    a.mov(64, RSP, layout::host(host::RSP));
    guest_env(&mut a, false);
    csr(&mut a, true, layout::host(host::MXCSR));
    a.mov_mi(32, layout::host(host::TRAPS), 0);
    a.alu_i(Alu::Add, 64, Rm::R(RSP), 8);
    for r in SAVED.iter().rev() {
        a.pop(*r);
    }
    a.bytes(&[0xc3]);

    let leave = |a: &mut Asm, answer: u32| {
        a.mov_ri(RAX, u64::from(answer));
        let f = a.jmp();
        a.bind_to(f, out);
    };
    e.link = a.pos();
    a.mov_mr(64, layout::host(host::EXIT_ID), RAX);
    leave(&mut a, code::LINK);
    e.hot = a.pos();
    a.mov_mr(64, layout::host(host::EXIT_ID), RAX);
    leave(&mut a, code::HOT);
    e.indirect = a.pos();
    a.mov_mr(64, layout::pc(), RAX);
    leave(&mut a, code::INDIRECT);
    e.interrupted = a.pos();
    a.mov_mr(64, layout::pc(), RAX);
    leave(&mut a, code::INTERRUPTED);
    e.trap = a.pos();
    // bts eax, 31
    a.bytes(&[0x0f, 0xba, 0xe8, 31]);
    let f = a.jmp();
    a.bind_to(f, out);
    e.fault = a.pos();
    // The registers as they are: the code that faulted knows what they hold.
    raw(&mut a, false);
    wide(&mut a, false, 0, layout::raw_x(0));
    a.mov_mr(64, layout::raw(RAX), RAX);
    a.mov_ri(RAX, u64::from(code::FAULT));
    let f = a.jmp();
    a.bind_to(f, out_raw);

    // A helper: its address in rax. r12 carries the stack pointer across. Those of the guest see the guest's
    // registers in their slots, an operation by its meaning needs only its operands. Changing MXCSR's
    // masks takes 16 ns (Zen 4), so those that do not need the environment go without.
    for (guest, float) in [(true, true), (false, true), (false, false)] {
        let at = a.pos();
        if guest {
            temps(&mut a, p, false);
            pins(&mut a, p, false);
        } else {
            raw(&mut a, false);
        }
        a.mov(64, R12, Rm::R(RSP));
        a.alu_i(Alu::And, 64, Rm::R(RSP), -16);
        if float {
            guest_env(&mut a, false);
            csr(&mut a, true, layout::host(host::MXCSR));
        }
        a.lea(64, RDI, Mem::base(RBP, -BIAS));
        a.mov(64, RSI, Rm::R(RAX));
        a.mov_ri(RAX, helper as *const () as u64);
        a.call_rm(Rm::R(RAX));
        a.mov(64, RSP, Rm::R(R12));
        if float {
            guest_env(&mut a, true);
        }
        if guest {
            e.helper = at;
            pins(&mut a, p, true);
            temps(&mut a, p, true);
        } else {
            raw(&mut a, true);
            if float {
                e.float_eval = at;
            } else {
                e.eval = at;
            }
        }
        a.bytes(&[0xc3]);
    }
    let _ = RCX;
    e.settle = a.pos();
    raw(&mut a, false);
    a.mov(64, R12, Rm::R(RSP));
    a.alu_i(Alu::And, 64, Rm::R(RSP), -16);
    // Comparing is done on integers: MXCSR may stay.
    a.lea(64, RDI, Mem::base(RBP, -BIAS));
    a.mov_ri(RAX, settle as *const () as u64);
    a.call_rm(Rm::R(RAX));
    a.mov(64, RSP, Rm::R(R12));
    raw(&mut a, true);
    a.bytes(&[0xc3]);
    e.unmask = a.pos();
    guest_env(&mut a, false);
    a.mov_mi(32, layout::host(host::TRAPS), -1);
    guest_env(&mut a, true);
    a.bytes(&[0xc3]);
    (a.buf, e)
}

unsafe extern "C" fn settle(cpu: *mut Own) {
    // SAFETY: generated code passes its core.
    let cpu = unsafe { &mut *Cpu::at(cpu) };
    cpu.state.settle_flags();
}

/// What the helper entry calls.
unsafe extern "C" fn helper(cpu: *mut Own, f: usize) {
    // SAFETY: generated code passes its core.
    let (cpu, st) = unsafe { &mut *Cpu::at(cpu) }.split();
    let [a, b, c] = cpu.args;
    let imm = cpu.host[HELPER_IMM];
    let sel = cpu.host[HELPER_SEL];
    cpu.args[0] = if sel == 0 {
        // SAFETY: generated code passes the address of a `Helper` with selector 0.
        let f: Helper = unsafe { std::mem::transmute(f) };
        f(st, a, b, c, imm)
    } else {
        // SAFETY: the selector was made from an `Op`.
        let op: Op = unsafe { std::mem::transmute(sel as u8) };
        let mut env = st.env();
        let r = eval_any(&mut env, op, (sel >> 8) as u8, a, b, c, imm);
        st.set_env(env);
        r
    };
}

/// Whether user code may use `wrgsbase` (AT_HWCAP2 bit 1, set by Linux 5.9 and later).
fn has_fsgsbase() -> bool {
    // SAFETY: reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & 2 != 0 }
}

/// Points GS at guest address 0, for this thread.
pub fn set_guest_base(base: u64) {
    const ARCH_SET_GS: libc::c_int = 0x1001;
    use std::sync::OnceLock;
    static DIRECT: OnceLock<bool> = OnceLock::new();
    if *DIRECT.get_or_init(has_fsgsbase) {
        // SAFETY: nothing else in the process uses GS.
        unsafe { std::arch::asm!("wrgsbase {}", in(reg) base, options(nostack, preserves_flags)) };
    } else {
        // SAFETY: as above, by system call.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
    }
}
