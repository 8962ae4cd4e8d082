//! Cold paths of floating-point operations, and probes for results that Arm finds tiny and x86 does not.

use super::asm::{Map, Pp, Reg, Rm};
use super::codegen::{At, Gen};
use super::emit_float::{can_reach_normal, result_width};
use super::layout;
use crate::ir::{Inst, Op};

impl Gen<'_> {
    /// Cold code that has operation `i` done by its meaning, for a wide result in `d`, and comes back here.
    pub(super) fn float_cold(&mut self, i: &Inst, args: &[Reg], d: Reg) -> At {
        let back = self.here();
        let mut to = back;
        self.cold(|g| {
            to = g.here();
            for (n, &a) in args.iter().enumerate() {
                g.store_x(128, layout::arg(n), a);
            }
            g.helper_call(i);
            g.load_x(128, d, Rm::M(layout::arg(0)));
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        to
    }

    fn is_probed(&self, i: &Inst) -> bool {
        can_reach_normal(i) && (self.tune.probes || !self.tune.region)
    }

    /// Under flush-to-zero: has denormal lanes of `a` trap before an operation that would not, or not first.
    pub(super) fn probe_denormal(&mut self, w: u8, a: Reg, packed: bool) {
        if !self.tune.host_flush {
            return;
        }
        let pp = if w == 64 { Pp::P66 } else { Pp::None };
        if packed {
            self.asm.vexi(pp, Map::M0f, false, 0xc2, 0, a, Rm::R(a), 0);
        } else {
            self.asm.vex(pp, Map::M0f, false, 0x2e, a, 0, Rm::R(a));
        }
    }

    /// Keeps an operand in xmm0 that the result in `d` is about to overwrite, if the operation may have to be done
    /// again after it. The answer is for [`float_probed`](Self::float_probed).
    pub(super) fn keep(&mut self, i: &Inst, d: Reg, args: &[Reg]) -> bool {
        let kept = self.is_probed(i) && args.contains(&d);
        if kept {
            self.mov_x(0, d);
        }
        kept
    }

    /// When exceptions trap: cold code as [`float_cold`](Self::float_cold), after a probe of the result in `d`. Half of
    /// the smallest normal number is tiny for every processor, so halving the result traps where it may have
    /// been tiny before rounding. The operands are intact then: what traps does not write its destination.
    pub(super) fn float_probed(&mut self, i: &Inst, args: &[Reg], d: Reg, kept: bool) -> At {
        if !self.is_probed(i) {
            return self.float_cold(i, args, d);
        }
        let w = result_width(i);
        let pp = match (i.op >= Op::VFpAdd, w) {
            (false, 64) => Pp::F2,
            (false, _) => Pp::F3,
            (true, 64) => Pp::P66,
            (true, _) => Pp::None,
        };
        let site = self.here();
        self.asm
            .vex(pp, Map::M0f, false, 0x59, 0, d, Rm::M(layout::half(w)));
        let mut to = site;
        if kept {
            self.cold(|g| {
                to = g.here();
                g.mov_x(d, 0);
            });
        }
        let cold = self.float_cold(i, args, d);
        self.float_point(site, if kept { to } else { cold });
        cold
    }
}
