//! Random instructions and register contents.

use super::{DATA, READ_ONLY};
use crate::ir::eval::mask;
use crate::riscv::Kind;
use crate::riscv::table::Encoding;
use crate::tests::fuzz::Rng;
use crate::tests::rig::RegFile;

impl Rng {
    /// A general register of either word size.
    pub fn register(&mut self, xlen: u8) -> u64 {
        let v = self.operand();
        // Words are sign-extended more often than chance has it.
        let v = if self.below(3) == 0 {
            v as i32 as u64
        } else {
            v
        };
        v & mask(xlen)
    }

    /// A floating-point register: a double, or a single or half in its box, or not in its box.
    pub fn float_register(&mut self) -> u64 {
        let v = self.lanes();
        match self.below(8) {
            0..=2 => v | 0xffff_ffff << 32,
            3 => v | !0xffff,
            _ => v,
        }
    }
}

/// By number: x0-x31, pc, f0-f31, fflags, frm, fcsr. `frm`: a rounding mode other than to nearest now and then.
pub fn random_regs(r: &mut Rng, xlen: u8, frm: bool) -> RegFile {
    let mut v: RegFile = vec![0];
    v.extend((1..32).map(|_| u128::from(r.register(xlen))));
    v[2] = u128::from(DATA + 0x1000 + r.below(0x100) * 8);
    v.push(0);
    v.extend((0..32).map(|_| u128::from(r.float_register())));
    let flags = if r.below(4) == 0 { r.below(32) } else { 0 };
    let mode = if frm && r.below(4) == 0 {
        r.below(8)
    } else {
        0
    };
    v.extend([flags, mode, mode << 5 | flags].map(u128::from));
    v
}

/// An address in or at the edges of the data, aligned more often than not.
pub fn address(r: &mut Rng) -> u64 {
    match r.below(8) {
        0 => {
            let page = DATA + 0x1000 * r.below(5);
            page.wrapping_add(r.below(64)).wrapping_sub(32)
        }
        1 => READ_ONLY + r.below(0x1000),
        2 => DATA + 0x800 + r.below(0x1000),
        _ => DATA + 0x800 + 8 * r.below(0x200),
    }
}

/// A random instruction of a line, whose opcodes are as likely as each other.
pub fn word(r: &mut Rng, kind: Kind, line: &Encoding) -> u32 {
    let mut w = r.next() as u32 & !line.mask | line.value;
    if kind == Kind::Short {
        return w & 0xffff;
    }
    // Registers that programs have.
    if line.name.starts_with("csr") && r.below(4) != 0 {
        w = w & 0x000f_ffff | (1 + r.below(3) as u32) << 20;
    }
    // Rounding modes that are reserved less often than chance has it.
    if line.pattern.contains(" rrr ") && r.below(4) != 0 {
        let mode = [7, 7, 7, 7, 0, 1, 2, 3, 4][r.below(9) as usize];
        w = w & !0x7000 | mode << 12;
    }
    // The same register twice now and then.
    if r.below(6) == 0 && line.mask & 0x000f_8f80 == 0 {
        w = w & !0xf80 | w >> 8 & 0xf80;
    }
    w
}
