//! Integer and fixed-point arithmetic on elements, and what each operation's operands are.

use super::unit::Unit;
use crate::ir::eval::{mask, sext};

/// An operation on elements of `w` bits: a is of vs2, b of vs1 or the scalar, d the old one of vd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alu {
    Add,
    Sub,
    Rsub,
    Andn,
    MinU,
    Min,
    MaxU,
    Max,
    And,
    Or,
    Xor,
    Ror,
    Rol,
    Sll,
    Srl,
    Sra,
    SaddU,
    Sadd,
    SsubU,
    Ssub,
    Smul,
    SsrL,
    SsrA,
    AaddU,
    Aadd,
    AsubU,
    Asub,
    DivU,
    Div,
    RemU,
    Rem,
    Mul,
    MulhU,
    MulhSU,
    Mulh,
    /// a * b + d, and its relatives.
    Macc,
    Nmsac,
    Madd,
    Nmsub,
    Clmul,
    Clmulh,
    // Comparisons.
    Eq,
    Ne,
    LtU,
    Lt,
    LeU,
    Le,
    GtU,
    Gt,
}

/// Where the elements of an operation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of one width.
    Same,
    /// The result is a bit.
    Compare,
    /// The result is twice as wide; sources are extended first, as signed ones or not.
    Widen(bool, bool),
    /// vs2 is as wide as the result; vs1 is extended.
    WidenWide(bool),
    /// vs2 is twice as wide as the result.
    Narrow,
    /// The same, and the result is clipped, as a signed one or not.
    Clip(bool),
}

/// What OPI (`m` false) or OPM encodings compute, by funct6.
#[must_use]
pub fn operation(m: bool, funct6: u32) -> Option<(Form, Alu)> {
    use Alu::*;
    use Form::*;
    let same = |op| Some((Same, op));
    let wide = |a, b, op| Some((Widen(a, b), op));
    if m {
        return match funct6 {
            0x08 => same(AaddU),
            0x09 => same(Aadd),
            0x0a => same(AsubU),
            0x0b => same(Asub),
            0x0c => same(Clmul),
            0x0d => same(Clmulh),
            0x20 => same(DivU),
            0x21 => same(Div),
            0x22 => same(RemU),
            0x23 => same(Rem),
            0x24 => same(MulhU),
            0x25 => same(Mul),
            0x26 => same(MulhSU),
            0x27 => same(Mulh),
            0x29 => same(Madd),
            0x2b => same(Nmsub),
            0x2d => same(Macc),
            0x2f => same(Nmsac),
            0x30 => wide(false, false, Add),
            0x31 => wide(true, true, Add),
            0x32 => wide(false, false, Sub),
            0x33 => wide(true, true, Sub),
            0x34 => Some((WidenWide(false), Add)),
            0x35 => Some((WidenWide(true), Add)),
            0x36 => Some((WidenWide(false), Sub)),
            0x37 => Some((WidenWide(true), Sub)),
            0x38 => wide(false, false, Mul),
            0x3a => wide(true, false, Mul),
            0x3b => wide(true, true, Mul),
            0x3c => wide(false, false, Macc),
            0x3d => wide(true, true, Macc),
            0x3e => wide(true, false, Macc),
            0x3f => wide(false, true, Macc),
            _ => None,
        };
    }
    match funct6 {
        0x00 => same(Add),
        0x01 => same(Andn),
        0x02 => same(Sub),
        0x03 => same(Rsub),
        0x04 => same(MinU),
        0x05 => same(Min),
        0x06 => same(MaxU),
        0x07 => same(Max),
        0x09 => same(And),
        0x0a => same(Or),
        0x0b => same(Xor),
        0x14 => same(Ror),
        0x15 => same(Rol),
        0x18 => Some((Compare, Eq)),
        0x19 => Some((Compare, Ne)),
        0x1a => Some((Compare, LtU)),
        0x1b => Some((Compare, Lt)),
        0x1c => Some((Compare, LeU)),
        0x1d => Some((Compare, Le)),
        0x1e => Some((Compare, GtU)),
        0x1f => Some((Compare, Gt)),
        0x20 => same(SaddU),
        0x21 => same(Sadd),
        0x22 => same(SsubU),
        0x23 => same(Ssub),
        0x25 => same(Sll),
        0x27 => same(Smul),
        0x28 => same(Srl),
        0x29 => same(Sra),
        0x2a => same(SsrL),
        0x2b => same(SsrA),
        0x2c => Some((Narrow, Srl)),
        0x2d => Some((Narrow, Sra)),
        0x2e => Some((Clip(false), SsrL)),
        0x2f => Some((Clip(true), SsrA)),
        0x35 => wide(false, false, Sll),
        _ => None,
    }
}

/// The carry-less product.
fn carryless(a: u64, b: u64) -> u128 {
    (0..64)
        .filter(|n| b >> n & 1 != 0)
        .fold(0, |r, n| r ^ u128::from(a) << n)
}

impl Unit<'_> {
    /// `v` shifted right by `n`, rounded as vxrm says ("Vector Fixed-Point Rounding Mode Register vxrm").
    pub fn rounded(&self, v: i128, n: u32) -> i128 {
        if n == 0 {
            return v;
        }
        let below = v & ((1 << n) - 1);
        let half = 1 << (n - 1);
        let odd = v >> n & 1 != 0;
        let up = match self.vxrm {
            0 => below >= half,
            1 => below > half || below == half && odd,
            2 => false,
            _ => !odd && below != 0,
        };
        (v >> n) + i128::from(up)
    }

    /// The nearest number of `w` bits; notes if that is another one.
    pub fn clipped(&mut self, v: i128, w: u32, signed: bool) -> u64 {
        let (low, high) = if signed {
            (-(1i128 << (w - 1)), (1i128 << (w - 1)) - 1)
        } else {
            (0, (1i128 << w) - 1)
        };
        let r = v.clamp(low, high);
        self.sat |= r != v;
        r as u64
    }

    /// Operands have `w` bits, and what is above them is anything in b and d.
    pub fn alu(&mut self, op: Alu, w: u32, a: u64, b: u64, d: u64) -> u64 {
        let m = mask(w as u8);
        let (a, b) = (a & m, b & m);
        let (sa, sb) = (sext(w as u8, a), sext(w as u8, b));
        let n = (b & u64::from(w - 1)) as u32;
        let (ua, ub) = (i128::from(a), i128::from(b));
        let (ia, ib) = (i128::from(sa), i128::from(sb));
        match op {
            Alu::Add => a.wrapping_add(b),
            Alu::Sub => a.wrapping_sub(b),
            Alu::Rsub => b.wrapping_sub(a),
            Alu::Andn => a & !b,
            Alu::MinU => a.min(b),
            Alu::Min => sa.min(sb) as u64,
            Alu::MaxU => a.max(b),
            Alu::Max => sa.max(sb) as u64,
            Alu::And => a & b,
            Alu::Or => a | b,
            Alu::Xor => a ^ b,
            Alu::Ror => a >> n | a.checked_shl(w - n).unwrap_or(0),
            Alu::Rol => a << n | a.checked_shr(w - n).unwrap_or(0),
            Alu::Sll => a << n,
            Alu::Srl => a >> n,
            Alu::Sra => (sa >> n) as u64,
            Alu::SaddU => self.clipped(ua + ub, w, false),
            Alu::Sadd => self.clipped(ia + ib, w, true),
            Alu::SsubU => self.clipped(ua - ub, w, false),
            Alu::Ssub => self.clipped(ia - ib, w, true),
            Alu::Smul => {
                let v = self.rounded(ia * ib, w - 1);
                self.clipped(v, w, true)
            }
            Alu::SsrL => self.rounded(ua, n) as u64,
            Alu::SsrA => self.rounded(ia, n) as u64,
            Alu::AaddU => self.rounded(ua + ub, 1) as u64,
            Alu::Aadd => self.rounded(ia + ib, 1) as u64,
            Alu::AsubU => self.rounded(ua - ub, 1) as u64,
            Alu::Asub => self.rounded(ia - ib, 1) as u64,
            Alu::DivU => a.checked_div(b).unwrap_or(u64::MAX),
            Alu::Div if b == 0 => u64::MAX,
            Alu::Div => sa.wrapping_div(sb) as u64,
            Alu::RemU => a.checked_rem(b).unwrap_or(a),
            Alu::Rem if b == 0 => a,
            Alu::Rem => sa.wrapping_rem(sb) as u64,
            Alu::Mul => a.wrapping_mul(b),
            Alu::MulhU => ((u128::from(a) * u128::from(b)) >> w) as u64,
            Alu::MulhSU => ((ia * ub) >> w) as u64,
            Alu::Mulh => ((ia * ib) >> w) as u64,
            Alu::Macc => a.wrapping_mul(b).wrapping_add(d),
            Alu::Nmsac => d.wrapping_sub(a.wrapping_mul(b)),
            Alu::Madd => b.wrapping_mul(d).wrapping_add(a),
            Alu::Nmsub => a.wrapping_sub(b.wrapping_mul(d)),
            Alu::Clmul => carryless(a, b) as u64,
            Alu::Clmulh => (carryless(a, b) >> w) as u64,
            Alu::Eq => (a == b).into(),
            Alu::Ne => (a != b).into(),
            Alu::LtU => (a < b).into(),
            Alu::Lt => (sa < sb).into(),
            Alu::LeU => (a <= b).into(),
            Alu::Le => (sa <= sb).into(),
            Alu::GtU => (a > b).into(),
            Alu::Gt => (sa > sb).into(),
        }
    }
}
