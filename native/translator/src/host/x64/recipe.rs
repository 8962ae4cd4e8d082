//! Where pending condition flags can be computed from at a fault.

use super::asm::Mem;
use super::codegen::{Gen, Loc};
use super::layout::{self, BIAS};
use crate::host::code::{Place, Recipe};
use crate::ir::eval::{PART_CARRY, PART_NZ};
use crate::ir::{NONE, Op, Val};

/// The place of an operand that is addressed by the state's register.
fn memory(m: Mem) -> Place {
    Place::Memory(m.disp + BIAS)
}

impl Gen<'_> {
    fn place(&self, v: Val) -> Option<Place> {
        if v == NONE {
            return Some(Place::Const(0));
        }
        Some(match self.loc[v as usize] {
            Loc::G(r) => Place::Reg(r),
            Loc::X(r) => Place::Wide(r),
            Loc::Spill(n) => memory(layout::spill(usize::from(n))),
            Loc::Slot(n) => memory(layout::slot(usize::from(n))),
            Loc::SlotX(n) => memory(layout::slot_x(self.pin.layout, usize::from(n))),
            Loc::None => Place::Const(self.known(v)?),
        })
    }

    /// How to get the flags that are pending here.
    pub(super) fn recipe(&self) -> Option<Recipe> {
        let f = self.live.at[self.pos as usize].flags_at;
        if f == NONE {
            return None;
        }
        let i = self.get(f);
        if i.op != Op::FPart {
            return self.recipe_of(f);
        }
        let base = if i.c == NONE {
            Recipe {
                op: Op::GetF,
                w: 16,
                imm: 0,
                a: Place::Const(0),
                b: Place::Const(0),
                nz: None,
                carry: None,
            }
        } else {
            self.recipe_of(i.c)?
        };
        let nz = if i.imm & PART_NZ != 0 {
            Some(self.place(i.a)?)
        } else {
            None
        };
        let carry = if i.imm & PART_CARRY != 0 {
            Some((self.place(i.b)?, (i.imm & 63) as u8))
        } else {
            None
        };
        Some(Recipe { nz, carry, ..base })
    }

    fn recipe_of(&self, f: Val) -> Option<Recipe> {
        let i = self.get(f);
        match i.op {
            // Packed in a register.
            Op::FSelect | Op::FAdc => Some(Recipe {
                op: Op::FPack,
                w: 16,
                imm: 0,
                a: self.place(f)?,
                b: Place::Const(0),
                nz: None,
                carry: None,
            }),
            // What FLogic tests may be an unmaterialised `and`.
            Op::FLogic if self.live.at[f as usize].fused_and => {
                let x = self.get(i.a);
                Some(Recipe {
                    op: Op::FLogic,
                    w: i.w,
                    imm: 1,
                    a: self.place(x.a)?,
                    b: self.place(x.b)?,
                    nz: None,
                    carry: None,
                })
            }
            Op::GetF => None,
            _ => Some(Recipe {
                op: i.op,
                w: i.w,
                imm: i.imm,
                a: self.place(i.a)?,
                b: self.place(i.b)?,
                nz: None,
                carry: None,
            }),
        }
    }
}
