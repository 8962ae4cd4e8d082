//! The trait over which a guest's instruction semantics are written once.
//!
//! `IrBuilder` implements it by recording, `Interp` by computing. Rules for a lifter:
//! guest-dependent control flow is `select` or an exit, never a host `if` on a value; guest
//! registers are written after the last access that can fault.

use super::flags::Cc;
use super::state::{Helper, Outside};
use super::{Op, Rmw, Trap, Under};

/// How the target of an indirect jump is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indirect {
    Jump,
    Call,
    Return,
}

/// How instructions are made conditional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// By selecting between old and new values of what they set: no accesses, no exits.
    Select,
    /// By a jump over them. They must not set flags.
    Jump,
    /// Within an earlier one's jump if the condition is the same, else by selecting.
    Either,
}

/// Wide slots that are the lowest pieces of longer registers, whose further ones are elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Above {
    /// The slots, from 0 on; 0: there are none.
    pub slots: u16,
    /// The piece above that of slot 0, and how many pieces there are above each. They follow each other.
    pub first: u16,
    pub pieces: u16,
}

impl Above {
    /// What is above a slot.
    #[must_use]
    pub fn of(self, slot: u16) -> std::ops::Range<u16> {
        let n = if slot < self.slots { self.pieces } else { 0 };
        let first = self.first + slot.min(self.slots) * self.pieces;
        first..first + n
    }
}

/// What becomes of accesses by an address whose tag is not that of the memory there (`memory::granules`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tags {
    /// They are as any.
    #[default]
    Ignored,
    /// The interpreter has the instruction, which faults. In this slot is where the bytes of the tags are.
    Trapped(u16),
    /// The second slot becomes 1.
    Noted(u16, u16),
}

/// Values and operations.
pub trait Sem {
    type V: Copy;
    /// Each instruction is computed by itself, so the state must be complete behind it.
    const STEPS: bool;

    /// What follows happens only if `cond` holds of the current flags (None: always), up to [`Self::unguard`].
    fn guard(&mut self, cond: Option<Cc>, how: Guard);
    /// The same if `cond` (0 or 1) holds, by a jump: what follows must not set flags, nor be needed behind it.
    fn when(&mut self, cond: Self::V);
    fn unguard(&mut self);
    /// The order of bytes in memory from here on.
    fn byte_order(&mut self, big: bool);
    /// How accesses from here on are compared with the tags of memory.
    fn check_tags(&mut self, tags: Tags);
    /// From here on setting one of these wide slots zeroes what there is of its register above them.
    fn zero_above(&mut self, above: Above);
    /// Sets N and Z by the low 32 bits of `v`, C to bit `carry.1` of `carry.0` if there is one, and leaves the other
    /// flags as they are.
    fn set_nz(&mut self, v: Self::V, carry: Option<(Self::V, u8)>);

    fn konst(&mut self, v: u64) -> Self::V;
    fn wide(&mut self, v: u128) -> Self::V;
    /// A pure operation.
    fn op(&mut self, op: Op, w: u8, args: [Option<Self::V>; 3], imm: u64) -> Self::V;

    fn get(&mut self, slot: u16) -> Self::V;
    fn set(&mut self, slot: u16, v: Self::V);
    /// A wide slot, or a part of one ([`super::layout::Layout::part`]): what is above the part in the value is anything.
    fn get_x(&mut self, slot: u16) -> Self::V;
    fn set_x(&mut self, slot: u16, v: Self::V);
    fn get_f(&mut self) -> Self::V;
    fn set_f(&mut self, f: Self::V);

    /// Loads `w` bits; sign-extends to `sx` bits unless that is 0.
    fn load(&mut self, w: u8, sx: u8, addr: Self::V) -> Self::V;
    /// Loads `w` bits (up to 128) into a wide value.
    fn load_x(&mut self, w: u8, addr: Self::V) -> Self::V;
    /// The same of memory that the instruction may access in parts only: what it does not access may be anything, and may be
    /// missing. Where some of it is, the interpreter has the instruction.
    fn load_ahead(&mut self, w: u8, sx: u8, addr: Self::V) -> Self::V;
    fn load_ahead_x(&mut self, w: u8, addr: Self::V) -> Self::V;
    fn store(&mut self, w: u8, addr: Self::V, v: Self::V);
    fn store_x(&mut self, w: u8, addr: Self::V, v: Self::V);
    /// Stores the lanes of `w` bits whose bits are set in `p`. Where memory is missing the interpreter has the instruction.
    fn store_under(&mut self, w: u8, addr: Self::V, v: Self::V, p: Self::V, under: Under);
    fn load_ex(&mut self, w: u8, addr: Self::V) -> Self::V;
    fn store_ex(&mut self, w: u8, addr: Self::V, v: Self::V) -> Self::V;
    fn load_ex_pair(&mut self, w: u8, addr: Self::V) -> Self::V;
    fn store_ex_pair(&mut self, w: u8, addr: Self::V, v: Self::V) -> Self::V;
    fn clear_ex(&mut self);
    /// Faults unless the `bytes` bytes at `addr` lie within an aligned block of `block` bytes; both are powers of two.
    fn within(&mut self, bytes: u32, block: u32, addr: Self::V, write: bool);
    fn rmw(&mut self, op: Rmw, w: u8, addr: Self::V, v: Self::V) -> Self::V;
    fn cas(&mut self, w: u8, addr: Self::V, expected: Self::V, v: Self::V) -> Self::V;
    fn cas_pair(&mut self, w: u8, addr: Self::V, expected: Self::V, v: Self::V) -> Self::V;
    fn fence(&mut self);
    /// ORs `bits` into the guest-defined status word unless the wide value is zero.
    fn sticky(&mut self, v: Self::V, bits: u32);
    /// The accrued floating-point exceptions: inexact, underflow, overflow, division by zero, invalid, from bit 0 on.
    fn accrued(&mut self) -> Self::V;
    /// Sets them, by the low five bits.
    fn accrue(&mut self, v: Self::V);
    /// Calls a helper for a general result.
    fn call(&mut self, h: Helper, args: [Option<Self::V>; 3], imm: u64) -> Self::V;
    /// All of an instruction (at `pc`) whose accesses depend on registers in ways that the IR has no words for. Translated
    /// code is left for it; nothing but conditions comes before it in the instruction.
    fn outside(&mut self, f: Outside, imm: u64, pc: u64);
    /// A helper may have changed these pieces of wide slots.
    fn changed(&mut self, pieces: std::ops::Range<u16>);
    /// The same of general slots; none of those that translated code keeps in registers of the host.
    fn changed_slots(&mut self, slots: std::ops::Range<u16>);
    /// Calls a helper for a wide result.
    fn call_x(&mut self, h: Helper, args: [Option<Self::V>; 3], imm: u64) -> Self::V;

    /// The same of one that looks at its operand only and changes nothing of the guest, nor computes with floating point:
    /// that is called sooner.
    fn ask_x(&mut self, h: Helper, a: Self::V) -> Self::V;

    /// Goes to `target` if `cond` (0 or 1) holds, else on.
    fn side(&mut self, cond: Self::V, target: u64);
    fn jump(&mut self, target: u64);
    /// A call to a known place; `ret` is the return address.
    fn call_to(&mut self, target: u64, ret: u64);
    /// A jump to a computed place; `ret` is the return address of a call.
    fn jump_r(&mut self, how: Indirect, target: Self::V, ret: u64);
    /// Stops with pc `pc`.
    fn trap(&mut self, t: Trap, arg: u32, pc: u64);
    /// The same if `cond` holds; nothing that comes behind it happens then.
    fn trap_if(&mut self, cond: Self::V, t: Trap, arg: u32, pc: u64);

    // Short forms.
    /// Faults unless `addr` is a multiple of `bytes`, a power of two.
    fn aligned_to(&mut self, bytes: u32, addr: Self::V, write: bool) {
        self.within(bytes, bytes, addr, write);
    }
    /// The same for `w` bits.
    fn aligned(&mut self, w: u8, addr: Self::V, write: bool) {
        self.aligned_to(u32::from(w) / 8, addr, write);
    }
    fn op1(&mut self, op: Op, w: u8, a: Self::V) -> Self::V {
        self.op(op, w, [Some(a), None, None], 0)
    }
    fn op1i(&mut self, op: Op, w: u8, a: Self::V, imm: u64) -> Self::V {
        self.op(op, w, [Some(a), None, None], imm)
    }
    fn op2(&mut self, op: Op, w: u8, a: Self::V, b: Self::V) -> Self::V {
        self.op(op, w, [Some(a), Some(b), None], 0)
    }
    fn op2i(&mut self, op: Op, w: u8, a: Self::V, b: Self::V, imm: u64) -> Self::V {
        self.op(op, w, [Some(a), Some(b), None], imm)
    }
    fn op3(&mut self, op: Op, w: u8, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.op(op, w, [Some(a), Some(b), Some(c)], 0)
    }
    fn add_k(&mut self, w: u8, a: Self::V, k: u64) -> Self::V {
        let k = self.konst(k);
        self.op2(Op::Add, w, a, k)
    }
    /// `a + k` in `w` bits as the address of a load or store, and for nothing else.
    fn address(&mut self, w: u8, a: Self::V, k: u64) -> Self::V {
        self.add_k(w, a, k)
    }
    fn and_k(&mut self, w: u8, a: Self::V, k: u64) -> Self::V {
        let k = self.konst(k);
        self.op2(Op::And, w, a, k)
    }
    fn shift_k(&mut self, op: Op, w: u8, a: Self::V, n: u64) -> Self::V {
        let k = self.konst(n);
        self.op2(op, w, a, k)
    }
    fn cc(&mut self, c: Cc, f: Self::V) -> Self::V {
        self.op(Op::Cc, 8, [Some(f), None, None], c as u64)
    }
    fn select(&mut self, w: u8, cond: Self::V, a: Self::V, b: Self::V) -> Self::V {
        self.op(Op::Select, w, [Some(a), Some(b), Some(cond)], 0)
    }
    /// 1 if the low `w` bits of `a` are zero.
    fn is_zero(&mut self, w: u8, a: Self::V) -> Self::V {
        let f = self.op1(Op::FLogic, w, a);
        self.cc(Cc::Eq, f)
    }
    fn not_zero(&mut self, w: u8, a: Self::V) -> Self::V {
        let f = self.op1(Op::FLogic, w, a);
        self.cc(Cc::Ne, f)
    }
}
