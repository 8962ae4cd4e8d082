//! Vector loads and stores. They are executed outside of translated code, element by element where it matters: an access that
//! faults leaves its element's number in vstart, and what comes before it done.

use super::unit::{Reserved, Type, Unit, log2, overlap, require};
use crate::ir::eval::{mask, sext};
use crate::ir::interp::{Fault, Mem};
use crate::ir::state::{Refused, State};
use crate::riscv::insn::slot;

impl From<Reserved> for Refused {
    fn from(_: Reserved) -> Self {
        Self::Undefined
    }
}

/// How the elements' addresses are found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unit,
    Strided,
    Indexed,
    Whole,
    Mask,
    FaultOnlyFirst,
}

/// An instruction, in numbers.
struct Access {
    mode: Mode,
    store: bool,
    /// Fields of a segment.
    fields: u32,
    /// Bits of an element in memory, and of an index.
    w: u32,
    index: u32,
    /// log2 of the registers of a field, and of the indices.
    lmul: i32,
    index_lmul: i32,
    /// Elements.
    count: u64,
}

impl Unit<'_> {
    fn access(&self) -> Result<Access, Reserved> {
        let width = [8, 0, 0, 0, 0, 16, 32, 64][self.f(12, 3) as usize];
        let fields = self.f(29, 3) + 1;
        let store = self.f(5, 1) != 0;
        let mode = match (self.f(26, 2), self.vs2()) {
            (0, 0) => Mode::Unit,
            (0, 8) => Mode::Whole,
            (0, 11) => Mode::Mask,
            (0, _) => Mode::FaultOnlyFirst,
            (2, _) => Mode::Strided,
            _ => Mode::Indexed,
        };
        let own = log2(width) - log2(self.sew) + self.lmul;
        let mut a = Access {
            mode,
            store,
            fields,
            w: width,
            index: width,
            lmul: own,
            index_lmul: own,
            count: self.vl,
        };
        let (vd, vs2) = (self.vd(), self.vs2());
        match mode {
            Mode::Whole => {
                require(vd.is_multiple_of(fields))?;
                a.count = u64::from(fields) * (8 * self.bytes() as u64 / u64::from(width));
                a.fields = 1;
                return Ok(a);
            }
            Mode::Mask => {
                a.count = self.vl.div_ceil(8);
                a.lmul = 0;
                return Ok(a);
            }
            Mode::Indexed => {
                require(width < 64 || self.model.xlen == 64)?;
                require((-3..=3).contains(&own) && self.aligned(vs2, own))?;
                (a.w, a.lmul) = (self.sew, self.lmul);
                self.sources(&[(vs2, width)])?;
            }
            _ => {}
        }
        let size = 1 << a.lmul.max(0);
        require((-3..=3).contains(&a.lmul) && self.aligned(vd, a.lmul))?;
        require(fields * size <= 8 && vd + fields * size <= 32)?;
        if store {
            if mode == Mode::Indexed {
                return self.sources(&[(vs2, a.index), (vd, a.w)]).map(|()| a);
            }
            return Ok(a);
        }
        require(self.unmasked(vd))?;
        if mode == Mode::Indexed {
            for field in (0..fields).map(|k| vd + k * size) {
                if a.index != a.w && (a.index < a.w || field != vs2) {
                    require(self.apart(field, a.lmul, vs2, a.index_lmul))?;
                }
                let together = overlap(field, size, vs2, 1 << a.index_lmul.max(0));
                require(fields == 1 || !together)?;
            }
        }
        Ok(a)
    }

    /// All elements of a unit-stride access that need no looking at one by one; false: something was in the way, and nothing has
    /// been done.
    fn at_once(&mut self, a: &Access, mem: &mut dyn Mem, base: u64) -> bool {
        let simple = matches!(
            a.mode,
            Mode::Unit | Mode::Whole | Mode::Mask | Mode::FaultOnlyFirst
        );
        if !simple
            || a.fields != 1
            || !(self.vm() || a.mode == Mode::Mask)
            || self.vstart >= a.count
        {
            return false;
        }
        let size = u64::from(a.w / 8);
        let from = self.vd() as usize * self.bytes() + (self.vstart * size) as usize;
        let len = ((a.count - self.vstart) * size) as usize;
        let at = base.wrapping_add(self.vstart * size) & mask(self.model.xlen);
        // Around the end of a narrower address space.
        if at
            .checked_add(len as u64)
            .is_none_or(|end| end > mask(self.model.xlen))
        {
            return false;
        }
        let data = &mut self.regs[from..from + len];
        if a.store {
            return mem.write(at, data).is_ok();
        }
        let mut buffer = [0; 1024];
        let buffer = &mut buffer[..len];
        if mem.read(at, buffer).is_err() {
            return false;
        }
        data.copy_from_slice(buffer);
        true
    }

    /// Field `k` of element `i`.
    fn one(&mut self, a: &Access, mem: &mut dyn Mem, at: u64, i: u64, k: u32) -> Result<(), Fault> {
        let reg = self.vd() + k * (1 << a.lmul.max(0));
        let n = a.w as usize / 8;
        if a.store {
            let v = self.get(reg, i, a.w);
            return mem.write(at, &v.to_le_bytes()[..n]);
        }
        let mut b = [0; 8];
        mem.read(at, &mut b[..n])?;
        self.put(reg, i, a.w, u64::from_le_bytes(b));
        Ok(())
    }
}

/// The instruction whose bits are in `imm`.
pub fn execute(st: &mut State, mem: &mut dyn Mem, imm: u64) -> Result<(), Refused> {
    let bits = imm as u32;
    let x = |st: &State, n: u32| if n == 0 { 0 } else { st.r()[n as usize] };
    let (base, stride) = (x(st, bits >> 15 & 31), x(st, bits >> 20 & 31));
    // Whole registers are accessed whatever vtype says.
    let whole = bits >> 26 & 3 == 0 && bits >> 20 & 31 == 8;
    let mut u = if whole {
        let sew = [8, 0, 0, 0, 0, 16, 32, 64][(bits >> 12 & 7) as usize];
        Unit::typed(st, imm, Type { sew, lmul: 0 })
    } else {
        Unit::new(st, imm).ok_or(Refused::Undefined)?
    };
    let a = u.access()?;
    let stride = sext(u.model.xlen, stride) as u64;
    let done = if u.at_once(&a, mem, base) {
        Ok(a.count)
    } else {
        elements(&mut u, &a, mem, base, stride)
    };
    let (vl, vstart, fault) = match done {
        Ok(count) if a.mode == Mode::FaultOnlyFirst => (Some(count), 0, None),
        Ok(_) => (None, 0, None),
        Err((i, fault)) => (None, i, Some(fault)),
    };
    let r = st.r_mut();
    r[usize::from(slot::VSTART)] = vstart;
    r[usize::from(slot::VUSED)] = 1;
    if let Some(vl) = vl {
        r[usize::from(slot::VL)] = vl;
    }
    fault.map_or(Ok(()), |f| Err(f.into()))
}

/// How many elements there are then; or where it faults.
fn elements(
    u: &mut Unit<'_>,
    a: &Access,
    mem: &mut dyn Mem,
    base: u64,
    stride: u64,
) -> Result<u64, (u64, Fault)> {
    let size = u64::from(a.w / 8);
    let segment = size * u64::from(a.fields);
    let unmasked = matches!(a.mode, Mode::Whole | Mode::Mask);
    for i in u.vstart..a.count {
        if !unmasked && !u.active(i) {
            continue;
        }
        let offset = match a.mode {
            Mode::Strided => i.wrapping_mul(stride),
            Mode::Indexed => u.get(u.vs2(), i, a.index),
            _ => i * segment,
        };
        if a.mode == Mode::FaultOnlyFirst && a.fields > 1 {
            // What lies behind the new vl stays as it was, all fields of it.
            let at = base.wrapping_add(offset) & mask(u.model.xlen);
            match mem.read(at, &mut [0; 64][..segment as usize]) {
                Ok(()) => {}
                Err(_) if i != 0 => return Ok(i),
                Err(fault) => return Err((i, fault)),
            }
        }
        for k in 0..a.fields {
            let at = base.wrapping_add(offset).wrapping_add(u64::from(k) * size);
            match u.one(a, mem, at & mask(u.model.xlen), i, k) {
                Ok(()) => {}
                Err(_) if a.mode == Mode::FaultOnlyFirst && i != 0 => return Ok(i),
                Err(fault) => return Err((i, fault)),
            }
        }
    }
    Ok(a.count)
}
