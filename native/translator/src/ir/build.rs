//! [`IrBuilder`]: records a guest's semantics as IR, folding and forwarding on the way.

use super::eval::{self, mask};
use super::sem::{Indirect, Sem};
use super::state::{Helper, SLOTS, WIDE};
use super::{Addr, Block, Inst, NONE, Op, Rmw, Trap, Val};

/// An instruction has no more addresses at a time.
const ADDRESSES: usize = 4;
/// The value that stands for the first of them.
const FIRST_ADDRESS: Val = NONE - ADDRESSES as Val;

/// Records one block.
pub struct IrBuilder {
    pub block: Block,
    /// The value a slot holds now, if known.
    cur: [Val; SLOTS],
    cur_x: [Val; WIDE],
    cur_f: Val,
    /// Addresses that are no operations: a base, and what is added to it. Accesses take them along.
    addresses: [(Val, i32); ADDRESSES],
    next_address: usize,
    insn: u16,
    ended: bool,
    fold: bool,
    /// Bits of addresses that accesses take away, for a guest that uses them.
    tag_bits: u8,
    /// What was last taken off an address, and what remained.
    untagged: (Val, Val),
}

impl IrBuilder {
    /// A builder of a new block.
    #[must_use]
    pub fn new(fold: bool) -> Self {
        Self::reusing(fold, Block::default())
    }

    /// A builder in the memory of a block that is not needed any more.
    /// `fold`: fold constants and simplify.
    #[must_use]
    pub fn reusing(fold: bool, mut block: Block) -> Self {
        block.clear();
        Self {
            block,
            cur: [NONE; SLOTS],
            cur_x: [NONE; WIDE],
            cur_f: NONE,
            addresses: [(NONE, 0); ADDRESSES],
            next_address: 0,
            insn: 0,
            ended: false,
            fold,
            tag_bits: 0,
            untagged: (NONE, NONE),
        }
    }

    /// From now on accesses take the highest `bits` of their addresses away (they become copies of the
    /// one below). Otherwise an address that has any there faults.
    pub fn remove_tags(&mut self, bits: u8) {
        self.tag_bits = bits;
    }

    fn untag(&mut self, addr: Val) -> Val {
        if self.tag_bits == 0 || self.known(addr).is_some() {
            return addr;
        }
        if self.untagged.0 != addr {
            let bits = self.konst(self.tag_bits.into());
            let high = self.op2(Op::Shl, 64, addr, bits);
            self.untagged = (addr, self.op2(Op::Sar, 64, high, bits));
        }
        self.untagged.1
    }

    /// Starts the next guest instruction.
    pub fn start_insn(&mut self, pc: u64) {
        self.insn = self.block.pcs.len() as u16;
        self.block.pcs.push(pc);
    }

    /// A final exit was recorded.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn push(&mut self, op: Op, w: u8, args: [Val; 3], imm: u64) -> Val {
        self.push_h(op, w, args, imm, 0)
    }

    fn push_h(&mut self, op: Op, w: u8, [a, b, c]: [Val; 3], imm: u64, h: u16) -> Val {
        let v = self.block.insts.len() as Val;
        self.block.insts.push(Inst {
            op,
            w,
            h,
            a,
            b,
            c,
            insn: self.insn,
            imm,
        });
        v
    }

    fn inst(&self, v: Val) -> &Inst {
        &self.block.insts[v as usize]
    }

    /// The constant that `v` is.
    fn known(&self, v: Val) -> Option<u64> {
        (v != NONE && self.inst(v).op == Op::Const).then(|| self.inst(v).imm)
    }

    /// The bits above the low `w` are known to be zero.
    fn is_clean(&self, v: Val, w: u8) -> bool {
        let i = self.inst(v);
        match i.op {
            Op::Const => i.imm & !mask(w) == 0,
            Op::Sext | Op::Get | Op::Call | Op::MulHiS => w >= 64,
            Op::Cc | Op::StoreEx | Op::StoreExPair => true,
            Op::Pack => w >= 16,
            Op::Load => match Addr::unpack(i.imm).sx {
                0 => i.w <= w,
                sx => sx <= w,
            },
            Op::FpToInt => (i.imm & 0x7f) as u8 <= w,
            Op::Clz | Op::Ctz | Op::Cls => w >= 8,
            _ => i.w <= w,
        }
    }

    fn helper(&mut self, h: Helper) -> u16 {
        let helpers = &mut self.block.helpers;
        let known = helpers.iter().position(|&x| std::ptr::fn_addr_eq(x, h));
        known.unwrap_or_else(|| {
            helpers.push(h);
            helpers.len() - 1
        }) as u16
    }

    /// Algebra that lifters rely on to stay simple.
    fn simplify(&mut self, op: Op, w: u8, [a, b, c]: [Val; 3], imm: u64) -> Option<Val> {
        let kb = if b == NONE {
            None
        } else {
            self.known(b).map(|k| k & mask(w))
        };
        let ka = self.known(a).map(|k| k & mask(w));
        let clean = |s: &Self, v| s.is_clean(v, w);
        match op {
            Op::Add | Op::Or | Op::Xor | Op::Sub | Op::Orn
                if op != Op::Orn && kb == Some(0) && clean(self, a) =>
            {
                Some(a)
            }
            Op::Add | Op::Or | Op::Xor if ka == Some(0) && clean(self, b) => Some(b),
            Op::Shl | Op::Shr | Op::Sar | Op::Ror
                if kb.is_some_and(|k| k & u64::from(w - 1) == 0) && clean(self, a) =>
            {
                Some(a)
            }
            Op::And if kb == Some(mask(w)) && clean(self, a) => Some(a),
            Op::Andn if kb == Some(0) && clean(self, a) => Some(a),
            Op::And if kb == Some(0) || ka == Some(0) => Some(self.konst(0)),
            Op::Mul if kb == Some(1) && clean(self, a) => Some(a),
            Op::Zext if clean(self, a) => Some(a),
            Op::Clz if self.inst(a).op == Op::Rbit && self.inst(a).w == w => {
                let x = self.inst(a).a;
                Some(self.push(Op::Ctz, w, [x, NONE, NONE], 0))
            }
            Op::Sext if w >= 64 => Some(a),
            Op::Sext
                if self.inst(a).op == Op::Load
                    && self.inst(a).w == w
                    && Addr::unpack(self.inst(a).imm).sx == 64 =>
            {
                Some(a)
            }
            Op::Orn if ka == Some(0) => Some(self.push(Op::Not, w, [b, NONE, NONE], 0)),
            Op::Sub if ka == Some(0) => Some(self.push(Op::Neg, w, [b, NONE, NONE], 0)),
            Op::Select if a == b && clean(self, a) => Some(a),
            // A known condition.
            Op::Select if self.known(c).is_some() => {
                let v = if self.known(c) == Some(0) { b } else { a };
                Some(self.op1(Op::Zext, w, v))
            }
            // A condition of selected flags is a selected condition: no packing.
            Op::Cc if self.inst(a).op == Op::FSelect => {
                let f = *self.inst(a);
                let packed = (self.inst(f.b).op == Op::FPack)
                    .then(|| self.inst(f.b).a)
                    .and_then(|v| self.known(v))?;
                let t = self.op(Op::Cc, 8, [Some(f.a), None, None], imm);
                let other = super::flags::Cc::from_index(imm).holds(packed);
                // cond ? t : other
                Some(if other {
                    let not = self.inverse(f.c)?;
                    self.op2(Op::Or, 8, not, t)
                } else {
                    self.op2(Op::And, 8, f.c, t)
                })
            }
            Op::VZext => self.wide_clean(a, w).then_some(a),
            Op::AesMix if self.inst(a).op == Op::AesSub => {
                let x = self.inst(a).a;
                Some(self.push(Op::AesRound, 128, [x, NONE, NONE], 0))
            }
            Op::AesInvMix if self.inst(a).op == Op::AesInvSub => {
                let x = self.inst(a).a;
                Some(self.push(Op::AesInvRound, 128, [x, NONE, NONE], 0))
            }
            _ => None,
        }
    }

    /// 1 - v for a condition value.
    fn inverse(&mut self, v: Val) -> Option<Val> {
        let i = *self.inst(v);
        Some(match i.op {
            Op::Cc => self.op(Op::Cc, 8, [Some(i.a), None, None], i.imm ^ 1),
            Op::Const => self.konst(i.imm ^ 1),
            Op::And | Op::Or if i.w == 8 => {
                let one = self.konst(1);
                self.op2(Op::Xor, 8, v, one)
            }
            _ => return None,
        })
    }

    /// Wide value `v` is zero above the low `w` bits.
    fn wide_clean(&self, v: Val, w: u8) -> bool {
        let i = self.inst(v);
        match i.op {
            Op::VZext | Op::LoadX => i.w <= w,
            Op::VFromG => w >= 64,
            Op::VSumU => i.w <= w,
            Op::VNarrow => w >= 64,
            _ => false,
        }
    }

    fn addr(&mut self, addr: Val) -> ([Val; 2], Addr) {
        ([addr, NONE], Addr::default())
    }

    /// Matches `base + (index << shift) + disp`.
    fn address(&mut self, addr: Val) -> ([Val; 2], Addr) {
        if !self.fold {
            return self.addr(addr);
        }
        let mut out = Addr::default();
        let mut base = addr;
        if (FIRST_ADDRESS..NONE).contains(&addr) {
            (base, out.disp) = self.addresses[(addr - FIRST_ADDRESS) as usize];
        }
        let i = *self.inst(base);
        if i.op == Op::Add
            && i.w == 64
            && let Some(k) = self.known(i.b)
            && let Ok(disp) = i32::try_from((k as i64).wrapping_add(i64::from(out.disp)))
        {
            out.disp = disp;
            base = i.a;
        }
        let i = *self.inst(base);
        if i.op == Op::Add && i.w == 64 && self.known(i.b).is_none() && self.known(i.a).is_none() {
            let x = *self.inst(i.b);
            if x.op == Op::Shl && x.w == 64 && self.known(x.b).is_some_and(|k| k <= 3) {
                out.shift = self.known(x.b).unwrap_or(0) as u8;
                return ([i.a, x.a], out);
            }
            return ([i.a, i.b], out);
        }
        ([base, NONE], out)
    }

    fn mem(&mut self, op: Op, w: u8, sx: u8, addr: Val, v: Val) -> Val {
        let ([mut a, mut b], mut x) = self.address(addr);
        x.sx = sx;
        if self.tag_bits != 0 {
            if b != NONE {
                let by = self.konst(x.shift.into());
                let index = self.op2(Op::Shl, 64, b, by);
                a = self.op2(Op::Add, 64, a, index);
                (b, x.shift) = (NONE, 0);
            }
            a = self.untag(a);
        }
        self.push(op, w, [a, b, v], x.pack())
    }

    /// Atomic operations take a plain address.
    fn atomic(&mut self, op: Op, w: u8, addr: Val, b: Val, c: Val, imm: u64) -> Val {
        let addr = self.untag(addr);
        self.push(op, w, [addr, b, c], imm)
    }

    /// The values of the guest state are unknown from here.
    fn forget(&mut self) {
        self.cur = [NONE; SLOTS];
        self.cur_x = [NONE; WIDE];
        self.cur_f = NONE;
    }
}

impl Sem for IrBuilder {
    type V = Val;

    fn konst(&mut self, v: u64) -> Val {
        self.push(Op::Const, 64, [NONE; 3], v)
    }

    fn wide(&mut self, v: u128) -> Val {
        self.block.wide.push(v);
        let n = self.block.wide.len() as u64 - 1;
        self.push(Op::ConstX, 128, [NONE; 3], n)
    }

    fn op(&mut self, op: Op, w: u8, args: [Option<Val>; 3], imm: u64) -> Val {
        let v = args.map(|x| x.unwrap_or(NONE));
        if self.fold && op.is_pure() {
            let general = op < Op::FAdd && op != Op::Const;
            if general && v.iter().all(|&x| x == NONE || self.known(x).is_some()) {
                let k = v.map(|x| u128::from(self.known(x).unwrap_or(0)));
                return self.konst(eval::eval(op, w, k[0], k[1], k[2], imm) as u64);
            }
            if let Some(r) = self.simplify(op, w, v, imm) {
                return r;
            }
        }
        self.push(op, w, v, imm)
    }

    fn get(&mut self, slot: u16) -> Val {
        let i = usize::from(slot);
        if self.cur[i] == NONE {
            self.cur[i] = self.push(Op::Get, 64, [NONE; 3], u64::from(slot));
        }
        self.cur[i]
    }

    fn set(&mut self, slot: u16, v: Val) {
        self.push(Op::Set, 64, [v, NONE, NONE], u64::from(slot));
        self.cur[usize::from(slot)] = v;
    }

    fn get_x(&mut self, slot: u16) -> Val {
        let i = usize::from(slot);
        if self.cur_x[i] == NONE {
            self.cur_x[i] = self.push(Op::GetX, 128, [NONE; 3], u64::from(slot));
        }
        self.cur_x[i]
    }

    fn set_x(&mut self, slot: u16, v: Val) {
        self.push(Op::SetX, 128, [v, NONE, NONE], u64::from(slot));
        self.cur_x[usize::from(slot)] = v;
    }

    fn get_f(&mut self) -> Val {
        if self.cur_f == NONE {
            self.cur_f = self.push(Op::GetF, 0, [NONE; 3], 0);
        }
        self.cur_f
    }

    fn set_f(&mut self, f: Val) {
        self.push(Op::SetF, 0, [f, NONE, NONE], 0);
        self.cur_f = f;
    }

    fn address(&mut self, a: Val, k: u64) -> Val {
        match i32::try_from(k as i64) {
            Ok(0) if self.is_clean(a, 64) => a,
            Ok(disp) if self.fold && self.known(a).is_none() => {
                let n = self.next_address;
                self.next_address = (n + 1) % ADDRESSES;
                self.addresses[n] = (a, disp);
                FIRST_ADDRESS + n as Val
            }
            _ => self.add_k(64, a, k),
        }
    }

    fn load(&mut self, w: u8, sx: u8, addr: Val) -> Val {
        self.mem(Op::Load, w, sx, addr, NONE)
    }

    fn load_x(&mut self, w: u8, addr: Val) -> Val {
        self.mem(Op::LoadX, w, 0, addr, NONE)
    }

    fn store(&mut self, w: u8, addr: Val, v: Val) {
        self.mem(Op::Store, w, 0, addr, v);
    }

    fn store_x(&mut self, w: u8, addr: Val, v: Val) {
        self.mem(Op::StoreX, w, 0, addr, v);
    }

    fn load_ex(&mut self, w: u8, addr: Val) -> Val {
        self.atomic(Op::LoadEx, w, addr, NONE, NONE, 0)
    }

    fn store_ex(&mut self, w: u8, addr: Val, v: Val) -> Val {
        self.atomic(Op::StoreEx, w, addr, NONE, v, 0)
    }

    fn load_ex_pair(&mut self, w: u8, addr: Val) -> Val {
        self.atomic(Op::LoadExPair, w, addr, NONE, NONE, 0)
    }

    fn store_ex_pair(&mut self, w: u8, addr: Val, v: Val) -> Val {
        self.atomic(Op::StoreExPair, w, addr, NONE, v, 0)
    }

    fn aligned(&mut self, w: u8, addr: Val, write: bool) {
        if w > 8 {
            self.push(Op::Aligned, w, [addr, NONE, NONE], u64::from(write));
        }
    }

    fn clear_ex(&mut self) {
        self.push(Op::ClearEx, 0, [NONE; 3], 0);
    }

    fn rmw(&mut self, op: Rmw, w: u8, addr: Val, v: Val) -> Val {
        self.atomic(Op::Rmw, w, addr, NONE, v, op as u64)
    }

    fn cas(&mut self, w: u8, addr: Val, expected: Val, v: Val) -> Val {
        self.atomic(Op::Cas, w, addr, expected, v, 0)
    }

    fn cas_pair(&mut self, w: u8, addr: Val, expected: Val, v: Val) -> Val {
        self.atomic(Op::CasPair, w, addr, expected, v, 0)
    }

    fn fence(&mut self) {
        self.push(Op::Fence, 0, [NONE; 3], 0);
    }

    fn sticky(&mut self, v: Val, bits: u32) {
        self.push(Op::Sticky, 128, [v, NONE, NONE], u64::from(bits));
    }

    fn call(&mut self, h: Helper, args: [Option<Val>; 3], imm: u64) -> Val {
        let h = self.helper(h);
        self.push_h(Op::Call, 64, args.map(|x| x.unwrap_or(NONE)), imm, h)
    }

    fn call_x(&mut self, h: Helper, args: [Option<Val>; 3], imm: u64) -> Val {
        let h = self.helper(h);
        self.push_h(Op::CallX, 128, args.map(|x| x.unwrap_or(NONE)), imm, h)
    }

    fn side(&mut self, cond: Val, target: u64) {
        match self.known(cond) {
            Some(0) => {}
            Some(_) => self.jump(target),
            None => {
                self.push(Op::Side, 0, [cond, NONE, NONE], target);
            }
        }
    }

    fn jump(&mut self, target: u64) {
        self.push(Op::Jump, 0, [NONE; 3], target);
        self.ended = true;
    }

    fn call_to(&mut self, target: u64, ret: u64) {
        let r = self.konst(ret);
        self.push(Op::CallTo, 0, [NONE, r, NONE], target);
        self.ended = true;
    }

    fn jump_r(&mut self, how: Indirect, target: Val, ret: u64) {
        match how {
            Indirect::Jump => self.push(Op::JumpR, 0, [target, NONE, NONE], 0),
            Indirect::Return => self.push(Op::RetR, 0, [target, NONE, NONE], 0),
            Indirect::Call => {
                let r = self.konst(ret);
                self.push(Op::CallR, 0, [target, r, NONE], 0)
            }
        };
        self.ended = true;
    }

    fn trap(&mut self, t: Trap, arg: u16, pc: u64) {
        self.push_h(Op::Trap, t as u8, [NONE; 3], pc, arg);
        self.forget();
        self.ended = true;
    }
}
