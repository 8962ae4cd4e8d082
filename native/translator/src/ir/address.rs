//! The addresses of accesses: which sums they take along, and what is known of their alignment.

use super::build::{FIRST_ADDRESS, IrBuilder};
use super::sem::Sem;
use super::{Addr, NONE, Op, Val};

impl IrBuilder {
    fn addr(&mut self, addr: Val) -> ([Val; 2], Addr) {
        ([addr, NONE], Addr::default())
    }

    /// Matches `base + (index << shift) + disp`.
    pub(super) fn matched(&mut self, addr: Val) -> ([Val; 2], Addr) {
        if !self.fold {
            return self.addr(addr);
        }
        let mut out = Addr::default();
        let mut base = addr;
        if (FIRST_ADDRESS..NONE).contains(&addr) {
            (base, out.disp) = self.addresses[(addr - FIRST_ADDRESS) as usize];
        }
        let w = self.width;
        let i = *self.inst(base);
        if i.op == Op::Add
            && i.w == w
            && let Some(k) = self.known(i.b)
            && let Some(disp) = self.displacement((k as i64).wrapping_add(i64::from(out.disp)))
            && !self.replaces(base, [i.a, NONE])
        {
            out.disp = disp;
            base = i.a;
        }
        let i = *self.inst(base);
        let mut index = NONE;
        if i.op == Op::Add && i.w == w && self.known(i.b).is_none() && self.known(i.a).is_none() {
            let (x, sum) = (*self.inst(i.b), base);
            (base, index) = (i.a, i.b);
            if x.op == Op::Shl && x.w == w && self.known(x.b).is_some_and(|k| k <= 3) {
                out.shift = self.known(x.b).unwrap_or(0) as u8;
                index = x.a;
            }
            if self.replaces(sum, [base, index]) {
                (base, index, out.shift) = (sum, NONE, 0);
            }
        }
        out.wrap = w == 32 && (out.disp != 0 || index != NONE);
        ([base, index], out)
    }

    /// A guest register holds `sum`, and none holds an operand of it any more: the access takes the sum, since keeping
    /// what was there before would take another register.
    fn replaces(&self, sum: Val, operands: [Val; 2]) -> bool {
        let held = |v: Val| self.cur.general.contains(&v);
        held(sum) && operands.iter().any(|&v| v != NONE && !held(v))
    }

    /// A value (or an address that is no operation) as another one and a constant.
    fn root(&self, v: Val) -> (Val, u64) {
        let (mut v, mut k) = if (FIRST_ADDRESS..NONE).contains(&v) {
            let (a, disp) = self.addresses[(v - FIRST_ADDRESS) as usize];
            (a, disp as u64)
        } else {
            (v, 0)
        };
        while let i = self.inst(v)
            && i.op == Op::Add
            && i.w == self.width
            && let Some(more) = self.known(i.b)
        {
            (v, k) = (i.a, k.wrapping_add(more));
        }
        (v, k)
    }

    /// `k` as a displacement; of a sum that wraps, all are.
    pub(super) fn displacement(&self, k: i64) -> Option<i32> {
        if self.width == 32 {
            return Some(k as i32);
        }
        i32::try_from(k).ok()
    }

    /// An access faults here unless its `bytes` bytes are within an aligned block of `block`; the address of what was found
    /// to be aligned is not checked again.
    pub(super) fn check_alignment(&mut self, bytes: u32, block: u32, addr: Val, write: bool) {
        let below = u64::from(bytes) - 1;
        let (root, k) = self.root(addr);
        let known = self.fold && self.aligned.0 == root && self.aligned.1 >= bytes;
        if bytes <= 1 || (known && k & below == 0) {
            return;
        }
        let mut checked = addr;
        if (FIRST_ADDRESS..NONE).contains(&addr) {
            let (a, disp) = self.addresses[(addr - FIRST_ADDRESS) as usize];
            checked = a;
            if disp as u64 & below != 0 {
                checked = self.add_k(self.width, a, disp as u64);
            }
        }
        let imm = u64::from(write) | u64::from(bytes) << 8 | u64::from(block) << 16;
        self.push(Op::Aligned, 0, [checked, NONE, NONE], imm);
        if k & below == 0 && block == bytes {
            self.aligned = (root, bytes);
        }
    }
}
