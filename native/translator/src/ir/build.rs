//! [`IrBuilder`]: records a guest's semantics as IR, folding and forwarding on the way.

use super::eval::{self, mask};
use super::eval::{PART_CARRY, PART_NZ};
use super::flags::Cc;
use super::layout::Layout;
use super::sem::{Above, Guard, Indirect, Sem, Tags};
use super::skip::Known;
use super::state::{Helper, Outside};
use super::{Addr, Block, Inst, NONE, Op, Rmw, Trap, Under, Val};
use crate::cpu::Watch;

/// An instruction has no more addresses at a time.
pub(super) const ADDRESSES: usize = 4;
/// The value that stands for the first of them.
pub(super) const FIRST_ADDRESS: Val = NONE - ADDRESSES as Val;

/// So many lanes of predicates are remembered.
pub(super) const LANES: usize = 4;

/// Records one block.
pub struct IrBuilder {
    pub block: Block,
    pub(super) layout: Layout,
    /// What is known of the guest's registers now.
    pub(super) cur: Known,
    /// Parts of wide slots are in use.
    pub(super) has_parts: bool,
    /// What was, before the `Skip` that is open, and its condition.
    pub(super) open: Option<(Option<Cc>, Box<Known>)>,
    /// What is set now is so only if this condition holds.
    pub(super) selecting: Option<Val>,
    /// Bits of the guest's general registers and addresses.
    pub(super) width: u8,
    /// Memory has the highest byte first.
    big: bool,
    above: Above,
    /// How accesses are compared with the tags of memory.
    pub(super) tags: Tags,
    /// Addresses that are no operations: a base, and what is added to it. Accesses take them along.
    pub(super) addresses: [(Val, i32); ADDRESSES],
    next_address: usize,
    insn: u16,
    pub(super) ended: bool,
    pub(super) fold: bool,
    /// Bits of addresses that accesses take away, for a guest that uses them.
    tag_bits: u8,
    /// What was last taken off an address, and what remained.
    untagged: (Val, Val),
    /// The last lanes that were made of predicates.
    pub(super) lanes: [Val; LANES],
    /// A value that is a multiple of this many bytes, as was checked.
    pub(super) aligned: (Val, u32),
    /// Data that a debugger watches.
    watches: Vec<Watch>,
}

impl IrBuilder {
    /// A builder of a new block.
    #[must_use]
    pub fn new(layout: Layout, fold: bool) -> Self {
        Self::reusing(layout, fold, Block::default())
    }

    /// A builder in the memory of a block that is not needed any more.
    /// `fold`: fold constants and simplify.
    #[must_use]
    pub fn reusing(layout: Layout, fold: bool, mut block: Block) -> Self {
        block.clear();
        let mut cur = std::mem::take(&mut block.known);
        cur.clear(layout);
        Self {
            block,
            layout,
            cur,
            has_parts: false,
            open: None,
            selecting: None,
            width: 64,
            big: false,
            above: Above::default(),
            tags: Tags::Ignored,
            addresses: [(NONE, 0); ADDRESSES],
            next_address: 0,
            insn: 0,
            ended: false,
            fold,
            tag_bits: 0,
            untagged: (NONE, NONE),
            lanes: [NONE; LANES],
            aligned: (NONE, 0),
            watches: Vec::new(),
        }
    }

    /// What was recorded.
    #[must_use]
    pub fn finish(mut self) -> Block {
        self.block.known = self.cur;
        self.block
    }

    /// The width of the guest's general registers and addresses.
    #[must_use]
    pub fn with_width(mut self, width: u8) -> Self {
        self.width = width;
        self
    }

    /// From now on accesses take the highest `bits` of their addresses away (they become copies of the
    /// one below). Otherwise an address that has any there faults.
    pub fn remove_tags(&mut self, bits: u8) {
        self.tag_bits = bits;
    }

    /// From now on accesses are preceded by a look whether they touch one of these.
    pub fn watch(&mut self, watches: &[Watch]) {
        self.watches = watches.to_vec();
    }

    fn look_out(&mut self, w: u8, addr: Val, reads: bool, writes: bool) {
        for n in 0..self.watches.len() {
            let watch = self.watches[n];
            if reads && watch.reads || writes && watch.writes {
                let h = (watch.len as u32) << 1 | u32::from(writes && watch.writes);
                self.push_h(Op::Watched, w, [addr, NONE, NONE], watch.start, h);
            }
        }
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

    pub(super) fn push(&mut self, op: Op, w: u8, args: [Val; 3], imm: u64) -> Val {
        self.push_h(op, w, args, imm, 0)
    }

    fn push_h(&mut self, op: Op, w: u8, [a, b, c]: [Val; 3], imm: u64, h: u32) -> Val {
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

    pub(super) fn inst(&self, v: Val) -> &Inst {
        &self.block.insts[v as usize]
    }

    /// The constant that `v` is.
    pub(super) fn known(&self, v: Val) -> Option<u64> {
        (v != NONE && self.inst(v).op == Op::Const).then(|| self.inst(v).imm)
    }

    /// The bits above the low `w` are known to be zero.
    pub(super) fn is_clean(&self, v: Val, w: u8) -> bool {
        let i = self.inst(v);
        match i.op {
            Op::Const => i.imm & !mask(w) == 0,
            Op::Get => w >= self.width,
            Op::Sext | Op::Call | Op::MulHiS => w >= 64,
            Op::Cc | Op::StoreEx | Op::StoreExPair => true,
            Op::Pack => w >= 16,
            Op::Load => match Addr::unpack(i.imm).sx {
                0 => i.w <= w,
                sx => sx <= w,
            },
            Op::FpToInt => (i.imm & 0x7f) as u8 <= w,
            Op::Clz | Op::Ctz | Op::Popcnt | Op::Cls => w >= 8,
            _ => i.w <= w,
        }
    }

    fn helper(&mut self, h: Helper) -> u32 {
        let helpers = &mut self.block.helpers;
        let known = helpers.iter().position(|&x| std::ptr::fn_addr_eq(x, h));
        known.unwrap_or_else(|| {
            helpers.push(h);
            helpers.len() - 1
        }) as u32
    }

    /// The flags that the block began with.
    pub(super) fn first_flags(&mut self) -> Val {
        if self.cur.first_f == NONE {
            self.cur.first_f = self.push(Op::GetF, 0, [NONE; 3], 0);
        }
        self.cur.first_f
    }

    fn mem(&mut self, op: Op, w: u8, sx: u8, addr: Val, v: Val, h: u32) -> Val {
        let ([mut a, mut b], mut x) = self.matched(addr);
        (x.sx, x.big) = (sx, self.big && w > 8);
        if self.tag_bits != 0 || !self.watches.is_empty() {
            if b != NONE {
                let by = self.konst(x.shift.into());
                let index = self.op2(Op::Shl, self.width, b, by);
                a = self.op2(Op::Add, self.width, a, index);
                (b, x.shift) = (NONE, 0);
            }
            let whole = !self.watches.is_empty() || self.tags != Tags::Ignored;
            if whole && x.disp != 0 {
                a = self.add_k(self.width, a, i64::from(x.disp) as u64);
                x.disp = 0;
            }
            self.compare_tags(w, a);
            a = self.untag(a);
            let load = matches!(op, Op::Load | Op::LoadX);
            self.look_out(w, a, load, !load);
        }
        self.push_h(op, w, [a, b, v], x.pack(), h)
    }

    /// Atomic operations take a plain address.
    fn atomic(&mut self, op: Op, w: u8, addr: Val, b: Val, c: Val, imm: u64) -> Val {
        let pair = matches!(op, Op::LoadExPair | Op::StoreExPair | Op::CasPair);
        self.compare_tags(if pair { 2 * w } else { w }, addr);
        let addr = self.untag(addr);
        if !self.watches.is_empty() {
            let (load, store) = match op {
                Op::LoadEx | Op::LoadExPair => (true, false),
                Op::StoreEx | Op::StoreExPair => (false, true),
                _ => (true, true),
            };
            self.look_out(if pair { 2 * w } else { w }, addr, load, store);
        }
        self.push_h(op, w, [addr, b, c], imm, u32::from(self.big))
    }
}

impl Sem for IrBuilder {
    type V = Val;
    const STEPS: bool = false;

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
        if self.cur.general[i] == NONE {
            self.cur.general[i] = self.push(Op::Get, 64, [NONE; 3], u64::from(slot));
        }
        self.cur.general[i]
    }

    fn set(&mut self, slot: u16, v: Val) {
        let v = match self.selecting {
            Some(c) => {
                let old = self.get(slot);
                self.select(self.width, c, v, old)
            }
            None => v,
        };
        self.push(Op::Set, 64, [v, NONE, NONE], u64::from(slot));
        self.cur.general[usize::from(slot)] = v;
    }

    fn get_x(&mut self, slot: u16) -> Val {
        let i = usize::from(slot);
        if self.cur.wide[i] == NONE {
            self.cur.wide[i] = match self.derived(i) {
                Some(v) => v,
                None => self.push(Op::GetX, self.layout.unit(i).1, [NONE; 3], u64::from(slot)),
            };
        }
        self.cur.wide[i]
    }

    fn set_x(&mut self, slot: u16, v: Val) {
        debug_assert!(self.selecting.is_none(), "wide values are not selected");
        let i = usize::from(slot);
        self.push(
            Op::SetX,
            self.layout.unit(i).1,
            [v, NONE, NONE],
            u64::from(slot),
        );
        self.has_parts |= self.layout.is_part(i);
        if self.has_parts {
            self.forget_overlapping(i);
        }
        self.cur.wide[i] = v;
        let above = self.above.of(slot);
        if !above.is_empty() {
            let zero = self.wide(0);
            for piece in above {
                self.push(Op::SetX, 128, [zero, NONE, NONE], u64::from(piece));
                self.cur.wide[usize::from(piece)] = zero;
            }
        }
    }

    fn get_f(&mut self) -> Val {
        if self.cur.flags == NONE {
            self.cur.flags = self.first_flags();
        }
        self.cur.flags
    }

    fn set_f(&mut self, f: Val) {
        debug_assert!(self.open.is_none(), "flags are not set behind a jump");
        let f = match self.selecting {
            Some(c) => {
                let old = self.get_f();
                self.op3(Op::FSelect, 16, f, old, c)
            }
            None => f,
        };
        self.push(Op::SetF, 0, [f, NONE, NONE], 0);
        self.cur.flags = f;
    }

    fn set_nz(&mut self, v: Val, carry: Option<(Val, u8)>) {
        let mut base = self.cur.flags;
        let (mut b, mut imm) = (NONE, PART_NZ);
        if let Some((value, bit)) = carry {
            (b, imm) = (value, imm | PART_CARRY | u64::from(bit));
        }
        if base != NONE {
            let old = *self.inst(base);
            match old.op {
                // What the block began with.
                Op::GetF => base = NONE,
                Op::FPart => {
                    base = old.c;
                    if carry.is_none() {
                        (b, imm) = (old.b, imm | old.imm);
                    }
                }
                _ => {}
            }
        }
        let f = self.push(Op::FPart, 32, [v, b, base], imm);
        self.set_f(f);
    }

    fn check_tags(&mut self, tags: Tags) {
        self.tags = tags;
    }

    fn byte_order(&mut self, big: bool) {
        self.big = big;
    }

    fn zero_above(&mut self, above: Above) {
        self.above = above;
    }

    fn guard(&mut self, cond: Option<Cc>, how: Guard) {
        self.begin_guard(cond, how);
    }

    fn when(&mut self, cond: Val) {
        self.begin_when(cond);
    }

    fn unguard(&mut self) {
        self.end_guard();
    }

    fn address(&mut self, w: u8, a: Val, k: u64) -> Val {
        match self.displacement(k as i64) {
            Some(0) if self.is_clean(a, w) => a,
            Some(disp) if self.fold && self.known(a).is_none() => {
                let n = self.next_address;
                self.next_address = (n + 1) % ADDRESSES;
                self.addresses[n] = (a, disp);
                FIRST_ADDRESS + n as Val
            }
            _ => self.add_k(w, a, k),
        }
    }

    fn load(&mut self, w: u8, sx: u8, addr: Val) -> Val {
        self.mem(Op::Load, w, sx, addr, NONE, 0)
    }

    fn load_x(&mut self, w: u8, addr: Val) -> Val {
        self.mem(Op::LoadX, w, 0, addr, NONE, 0)
    }

    fn load_ahead(&mut self, w: u8, sx: u8, addr: Val) -> Val {
        self.mem(Op::Load, w, sx, addr, NONE, 1)
    }

    fn load_ahead_x(&mut self, w: u8, addr: Val) -> Val {
        self.mem(Op::LoadX, w, 0, addr, NONE, 1)
    }

    fn store(&mut self, w: u8, addr: Val, v: Val) {
        self.mem(Op::Store, w, 0, addr, v, 0);
    }

    fn store_x(&mut self, w: u8, addr: Val, v: Val) {
        self.mem(Op::StoreX, w, 0, addr, v, 0);
    }

    fn store_under(&mut self, w: u8, addr: Val, v: Val, p: Val, under: Under) {
        let (count, step) = under.lanes(w);
        let all = (0..count).fold(0, |all, n| all | 1 << (u32::from(under.first) + n * step));
        match self.known(p).map(|p| p & all) {
            Some(0) => return,
            Some(lanes) if lanes == all => {
                self.store_x(128 >> under.spread, addr, v);
                return;
            }
            _ => {}
        }
        let (mut a, mut disp) = if (FIRST_ADDRESS..NONE).contains(&addr) {
            self.addresses[(addr - FIRST_ADDRESS) as usize]
        } else {
            (addr, 0)
        };
        if self.tag_bits != 0 || !self.watches.is_empty() {
            a = self.add_k(self.width, a, i64::from(disp) as u64);
            disp = 0;
            a = self.untag(a);
            let bytes = 16 >> under.spread;
            self.look_out(8 * bytes, a, false, true);
        }
        let x = Addr {
            disp,
            ..Addr::default()
        };
        self.push_h(Op::StoreUnder, w, [a, p, v], x.pack(), under.pack());
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

    fn within(&mut self, bytes: u32, block: u32, addr: Val, write: bool) {
        self.check_alignment(bytes, block, addr, write);
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

    fn accrued(&mut self) -> Val {
        self.push(Op::Accrued, 8, [NONE; 3], 0)
    }

    fn accrue(&mut self, v: Val) {
        self.push(Op::Accrue, 8, [v, NONE, NONE], 0);
        // A comparison that was done before must not be done again, which raises its exceptions again.
        for slot in 0..self.cur.general.len() {
            let v = self.cur.general[slot];
            if v != NONE && self.inst(v).op.class().is_done_again(self.inst(v).w) {
                self.cur.general[slot] = NONE;
            }
        }
    }

    fn outside(&mut self, _: Outside, _imm: u64, pc: u64) {
        self.trap(Trap::Step, 0, pc);
    }

    fn changed(&mut self, pieces: std::ops::Range<u16>) {
        let (from, to) = (usize::from(pieces.start), usize::from(pieces.end));
        self.cur.wide[from..to].fill(NONE);
    }

    fn changed_slots(&mut self, slots: std::ops::Range<u16>) {
        let (from, to) = (usize::from(slots.start), usize::from(slots.end));
        self.cur.general[from..to].fill(NONE);
    }

    fn call(&mut self, h: Helper, args: [Option<Val>; 3], imm: u64) -> Val {
        let h = self.helper(h);
        self.push_h(Op::Call, 64, args.map(|x| x.unwrap_or(NONE)), imm, h)
    }

    fn call_x(&mut self, h: Helper, args: [Option<Val>; 3], imm: u64) -> Val {
        let h = self.helper(h);
        self.push_h(Op::CallX, 128, args.map(|x| x.unwrap_or(NONE)), imm, h)
    }

    fn ask_x(&mut self, h: Helper, a: Val) -> Val {
        let h = self.helper(h);
        self.push_h(Op::AskX, 128, [a, NONE, NONE], 0, h)
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

    fn trap_if(&mut self, cond: Val, t: Trap, arg: u32, pc: u64) {
        match self.known(cond) {
            Some(0) => {}
            Some(_) => self.trap(t, arg, pc),
            None => {
                self.push_h(Op::TrapIf, t as u8, [cond, NONE, NONE], pc, arg);
            }
        }
    }

    fn trap(&mut self, t: Trap, arg: u32, pc: u64) {
        self.push_h(Op::Trap, t as u8, [NONE; 3], pc, arg);
        self.ended = true;
    }
}
