//! [`Interp`]: computes a guest's semantics, one instruction at a time.
//!
//! It single-steps, runs where there is no code generator, and is what translated code is
//! checked against under `--core native,check`.

use super::eval::{self, eval_any, sext};
use super::sem::{Above, Guard, Indirect, Sem, Tags};
use super::state::{Helper, Outside, Refused, State};
use super::{Op, Rmw, Trap, Under};

/// A failed access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub addr: u64,
    pub write: bool,
}

/// Guest memory as the interpreter needs it.
pub trait Mem {
    /// Reads `buf.len()` bytes.
    ///
    /// # Errors
    /// A fault at the first byte that cannot be read.
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;
    /// Writes all of `data`.
    ///
    /// # Errors
    /// A fault at the first byte that cannot be written.
    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault>;
    /// Atomically replaces `w` bits if they equal `expected`; the old value.
    ///
    /// # Errors
    /// A fault as for a write.
    fn cas(&mut self, addr: u64, w: u8, expected: u128, new: u128) -> Result<u128, Fault>;
    /// How accesses from here on are compared with the tags of memory.
    fn check_tags(&mut self, _tags: Tags) {}
    /// The tag of memory that can be read; None: it has none.
    ///
    /// # Errors
    /// A fault as for a read.
    fn tag(&mut self, _addr: u64) -> Result<Option<u8>, Fault> {
        Ok(None)
    }
    /// Gives memory that can be written the tag, if it has one.
    ///
    /// # Errors
    /// A fault as for a write.
    fn set_tag(&mut self, _addr: u64, _tag: u8) -> Result<(), Fault> {
        Ok(())
    }
}

/// What an interpreted instruction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing special: on to the next.
    Next,
    /// The pc was set (in [`State::pc`]).
    Jumped,
    Trapped(Trap, u32),
    Faulted(Fault),
}

/// The computing implementation.
pub struct Interp<'a> {
    pub st: &'a mut State,
    pub mem: &'a mut dyn Mem,
    pub outcome: Outcome,
    /// A condition does not hold: nothing has effects.
    skipped: bool,
    /// Memory has the highest byte first.
    big: bool,
    above: Above,
}

impl<'a> Interp<'a> {
    pub fn new(st: &'a mut State, mem: &'a mut dyn Mem) -> Self {
        Self {
            st,
            mem,
            outcome: Outcome::Next,
            skipped: false,
            big: false,
            above: Above::default(),
        }
    }

    /// Nothing may change any more, or nothing may at all.
    fn faulted(&self) -> bool {
        self.skipped
            || matches!(
                self.outcome,
                Outcome::Faulted(_)
                    | Outcome::Jumped
                    | Outcome::Trapped(
                        Trap::Align
                            | Trap::Undefined
                            | Trap::Fallback
                            | Trap::Breakpoint
                            | Trap::Exception,
                        _
                    )
            )
    }

    /// `w` bits as they are in memory.
    fn ordered(&self, w: u8, v: u128) -> u128 {
        if self.big {
            v.swap_bytes() >> (128 - u32::from(w))
        } else {
            v
        }
    }

    fn read(&mut self, w: u8, addr: u128) -> u128 {
        let mut b = [0u8; 16];
        if self.faulted() {
            return 0;
        }
        if let Err(f) = self.mem.read(addr as u64, &mut b[..usize::from(w / 8)]) {
            self.outcome = Outcome::Faulted(f);
        }
        self.ordered(w, u128::from_le_bytes(b))
    }

    fn write(&mut self, w: u8, addr: u128, v: u128) {
        if self.faulted() {
            return;
        }
        let v = self.ordered(w, v & wide_mask(w));
        if let Err(f) = self
            .mem
            .write(addr as u64, &v.to_le_bytes()[..usize::from(w / 8)])
        {
            self.outcome = Outcome::Faulted(f);
        }
    }

    fn swap_if(&mut self, w: u8, addr: u128, expected: u128, v: u128) -> u128 {
        if self.faulted() {
            return 0;
        }
        let m = wide_mask(w);
        let (e, v) = (self.ordered(w, expected & m), self.ordered(w, v & m));
        match self.mem.cas(addr as u64, w, e, v) {
            Ok(old) => self.ordered(w, old),
            Err(f) => {
                self.outcome = Outcome::Faulted(f);
                0
            }
        }
    }

    fn goto(&mut self, pc: u64) {
        self.st.pc = pc;
        self.outcome = Outcome::Jumped;
    }

    fn start_ex(&mut self, w: u8, addr: u128) -> u128 {
        let v = self.read(w, addr);
        if !self.faulted() {
            self.st.ex_addr = addr as u64;
            self.st.ex_size = u64::from(w);
            self.st.ex_value = v;
        }
        v
    }

    fn end_ex(&mut self, w: u8, addr: u128, v: u128) -> u128 {
        if self.faulted() {
            return 1;
        }
        let expected = self.st.ex_value;
        if self.st.ex_addr != addr as u64 || self.st.ex_size != u64::from(w) {
            self.st.ex_addr = u64::MAX;
            return 1;
        }
        let old = self.swap_if(w, addr, expected, v);
        if self.faulted() {
            return 1;
        }
        self.st.ex_addr = u64::MAX;
        u128::from(old != expected)
    }
}

fn wide_mask(w: u8) -> u128 {
    if w >= 128 { u128::MAX } else { (1 << w) - 1 }
}

/// The new memory value of an atomic operation.
#[must_use]
pub fn rmw_value(op: Rmw, w: u8, old: u64, v: u64) -> u64 {
    let m = eval::mask(w);
    let (old, v) = (old & m, v & m);
    let (so, sv) = (sext(w, old), sext(w, v));
    m & match op {
        Rmw::Add => old.wrapping_add(v),
        Rmw::Clear => old & !v,
        Rmw::Xor => old ^ v,
        Rmw::Or => old | v,
        Rmw::MaxS => so.max(sv) as u64,
        Rmw::MinS => so.min(sv) as u64,
        Rmw::MaxU => old.max(v),
        Rmw::MinU => old.min(v),
        Rmw::Swap => v,
    }
}

impl Sem for Interp<'_> {
    type V = u128;
    const STEPS: bool = true;

    fn guard(&mut self, cond: Option<super::flags::Cc>, _how: Guard) {
        self.skipped = cond.is_some_and(|c| !c.holds(self.st.flags));
    }

    fn when(&mut self, cond: u128) {
        self.skipped = cond & 1 == 0;
    }

    fn unguard(&mut self) {
        self.skipped = false;
    }

    fn check_tags(&mut self, tags: Tags) {
        self.mem.check_tags(tags);
    }

    fn byte_order(&mut self, big: bool) {
        self.big = big;
    }

    fn zero_above(&mut self, above: Above) {
        self.above = above;
    }

    fn set_nz(&mut self, v: u128, carry: Option<(u128, u8)>) {
        let carry = carry.map(|(b, n)| (b as u64, n));
        let f = super::flags::part(self.st.flags, Some(v as u64), carry);
        self.set_f(u128::from(f));
    }

    fn konst(&mut self, v: u64) -> u128 {
        u128::from(v)
    }

    fn wide(&mut self, v: u128) -> u128 {
        v
    }

    fn op(&mut self, op: Op, w: u8, args: [Option<u128>; 3], imm: u64) -> u128 {
        let [a, b, c] = args.map(|x| x.unwrap_or(0));
        let mut env = self.st.env();
        let r = eval_any(&mut env, op, w, a, b, c, imm);
        if !self.skipped {
            self.st.set_env(env);
        }
        // The guest may have more of them.
        if op.kind() == super::Kind::Flags
            && let Some(flags) = self.st.flags_of(op, w, a, b, env)
        {
            return u128::from(flags);
        }
        r
    }

    fn get(&mut self, slot: u16) -> u128 {
        u128::from(self.st.r()[usize::from(slot)])
    }

    fn set(&mut self, slot: u16, v: u128) {
        if !self.faulted() {
            self.st.r_mut()[usize::from(slot)] = v as u64;
        }
    }

    fn get_x(&mut self, slot: u16) -> u128 {
        self.st.wide(usize::from(slot))
    }

    fn set_x(&mut self, slot: u16, v: u128) {
        if !self.faulted() {
            self.st.set_wide(usize::from(slot), v);
            for piece in self.above.of(slot) {
                self.st.set_wide(usize::from(piece), 0);
            }
        }
    }

    fn get_f(&mut self) -> u128 {
        u128::from(self.st.flags)
    }

    fn set_f(&mut self, f: u128) {
        if !self.faulted() {
            self.st.flags = f as u64;
        }
    }

    fn load(&mut self, w: u8, sx: u8, addr: u128) -> u128 {
        let v = self.read(w, addr) as u64;
        u128::from(match sx {
            0 => v,
            _ => sext(w, v) as u64 & eval::mask(sx),
        })
    }

    fn load_x(&mut self, w: u8, addr: u128) -> u128 {
        self.read(w, addr)
    }

    fn load_ahead(&mut self, w: u8, sx: u8, addr: u128) -> u128 {
        self.load(w, sx, addr)
    }

    fn load_ahead_x(&mut self, w: u8, addr: u128) -> u128 {
        self.read(w, addr)
    }

    fn store(&mut self, w: u8, addr: u128, v: u128) {
        self.write(w, addr, v);
    }

    fn store_x(&mut self, w: u8, addr: u128, v: u128) {
        self.write(w, addr, v);
    }

    fn store_under(&mut self, w: u8, addr: u128, v: u128, p: u128, under: Under) {
        let (lanes, step) = under.lanes(w);
        for i in (0..lanes).filter(|i| p >> (u32::from(under.first) + i * step) & 1 != 0) {
            let at = addr as u64;
            let at = at.wrapping_add(u64::from(i * u32::from(w / 8)));
            self.write(w, at.into(), super::vector::lane(v, w, i).into());
        }
    }

    fn load_ex(&mut self, w: u8, addr: u128) -> u128 {
        self.start_ex(w, addr)
    }

    fn store_ex(&mut self, w: u8, addr: u128, v: u128) -> u128 {
        self.end_ex(w, addr, v)
    }

    fn load_ex_pair(&mut self, w: u8, addr: u128) -> u128 {
        self.start_ex(2 * w, addr)
    }

    fn store_ex_pair(&mut self, w: u8, addr: u128, v: u128) -> u128 {
        self.end_ex(2 * w, addr, v)
    }

    fn within(&mut self, bytes: u32, block: u32, addr: u128, write: bool) {
        let first = addr as u32 & (block - 1);
        if first + bytes > block && !self.faulted() {
            self.st.trap_addr = addr as u64;
            self.outcome = Outcome::Trapped(Trap::Align, u32::from(write));
        }
    }

    fn clear_ex(&mut self) {
        if !self.skipped {
            self.st.ex_addr = u64::MAX;
        }
    }

    fn rmw(&mut self, op: Rmw, w: u8, addr: u128, v: u128) -> u128 {
        let mut old = self.read(w, addr);
        while !self.faulted() {
            let new = u128::from(rmw_value(op, w, old as u64, v as u64));
            let seen = self.swap_if(w, addr, old, new);
            if seen == old {
                break;
            }
            old = seen;
        }
        old
    }

    fn cas(&mut self, w: u8, addr: u128, expected: u128, v: u128) -> u128 {
        self.swap_if(w, addr, expected, v)
    }

    fn cas_pair(&mut self, w: u8, addr: u128, expected: u128, v: u128) -> u128 {
        self.swap_if(2 * w, addr, expected, v)
    }

    fn fence(&mut self) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }

    fn sticky(&mut self, v: u128, bits: u32) {
        if v != 0 && !self.faulted() {
            self.st.fpstatus |= u64::from(bits);
        }
    }

    fn accrued(&mut self) -> u128 {
        u128::from(super::float::accrued(self.st.env()))
    }

    fn accrue(&mut self, v: u128) {
        if !self.skipped && !self.faulted() {
            let env = super::float::with_accrued(self.st.env(), v as u64);
            self.st.set_env(env);
        }
    }

    fn outside(&mut self, f: Outside, imm: u64, pc: u64) {
        if self.faulted() {
            return;
        }
        match f(self.st, self.mem, imm) {
            Ok(()) => {}
            Err(Refused::Fault(fault)) => self.outcome = Outcome::Faulted(fault),
            Err(Refused::Undefined) => self.trap(Trap::Undefined, 0, pc),
        }
    }

    fn changed(&mut self, _: std::ops::Range<u16>) {}

    fn changed_slots(&mut self, _: std::ops::Range<u16>) {}

    fn call(&mut self, h: Helper, args: [Option<u128>; 3], imm: u64) -> u128 {
        if self.faulted() {
            return 0;
        }
        let [a, b, c] = args.map(|x| x.unwrap_or(0));
        u128::from(h(self.st, a, b, c, imm) as u64)
    }

    fn call_x(&mut self, h: Helper, args: [Option<u128>; 3], imm: u64) -> u128 {
        if self.faulted() {
            return 0;
        }
        let [a, b, c] = args.map(|x| x.unwrap_or(0));
        h(self.st, a, b, c, imm)
    }

    fn ask_x(&mut self, h: Helper, a: u128) -> u128 {
        self.call_x(h, [Some(a), None, None], 0)
    }

    fn side(&mut self, cond: u128, target: u64) {
        if cond & 1 != 0 && self.outcome == Outcome::Next && !self.skipped {
            self.goto(target);
        }
    }

    fn jump(&mut self, target: u64) {
        if self.outcome == Outcome::Next && !self.skipped {
            self.goto(target);
        }
    }

    fn call_to(&mut self, target: u64, _ret: u64) {
        self.jump(target);
    }

    fn jump_r(&mut self, _how: Indirect, target: u128, _ret: u64) {
        self.jump(target as u64);
    }

    fn trap_if(&mut self, cond: u128, t: Trap, arg: u32, pc: u64) {
        if cond & 1 != 0 {
            self.trap(t, arg, pc);
        }
    }

    fn trap(&mut self, t: Trap, arg: u32, pc: u64) {
        if self.skipped {
            return;
        }
        if self.outcome == Outcome::Next {
            self.st.pc = pc;
            self.outcome = Outcome::Trapped(t, arg);
        }
    }
}
