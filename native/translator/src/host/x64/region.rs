//! Regions: several blocks of a loop in one translation, with host registers of its own choice.
//!
//! Within a region guest registers that the loop uses take the place of pinned ones that it does not use.
//! Each block is generated as usual, under the region's [`Pinning`]; here they are put behind each
//! other, with the moves between the two ways at the entry and at each way out.

use super::asm::{Alu, Asm, NOREG, Reg, cc};
use super::layout::{self, PINS, PINS_X, Pinning, host};
use crate::host::code::{Code, Entry, ExitSite, FaultPoint, Reloc};
use crate::ir::handover;
use crate::ir::layout::Layout;
use crate::ir::{Block, Op};

/// A slot of fewer uses is not worth the moves.
const MIN_USES: u32 = 2;

/// Uses of each slot in some blocks.
pub struct Uses {
    layout: Layout,
    general: Vec<u32>,
    wide: Vec<u32>,
}

impl Uses {
    /// None yet.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            general: vec![0; layout.general.into()],
            wide: vec![0; layout.units()],
        }
    }

    pub fn add(&mut self, b: &Block) {
        for i in &b.insts {
            match i.op {
                Op::Get | Op::Set => self.general[i.imm as usize] += 1,
                Op::GetX | Op::SetX => self.wide[i.imm as usize] += 1,
                _ => {}
            }
        }
    }
}

impl Uses {
    /// Of wide units, those that share no bits with another one in use.
    fn apart(&self) -> Vec<u32> {
        let mut out = self.wide.clone();
        let units = self.layout.units();
        let used = |u: &usize| self.wide[*u] > 0;
        for u in (0..units).filter(used) {
            if (0..units)
                .filter(used)
                .any(|o| o != u && self.layout.overlap(o, u))
            {
                out[u] = 0;
            }
        }
        out
    }
}

/// Gives registers of unused slots to used ones. Slots that have a register in both keep it.
fn choose(uses: &[u32], reg: &mut [Reg], list: &mut Vec<(u16, Reg)>, pins: &[Reg], least: u32) {
    let mut order: Vec<usize> = (0..uses.len()).filter(|&s| uses[s] > 0).collect();
    order.sort_by_key(|&s| std::cmp::Reverse(uses[s]));
    order.truncate(pins.len());
    let mut free: Vec<Reg> = pins
        .iter()
        .copied()
        .filter(|r| !order.iter().any(|&s| reg[s] == *r))
        .collect();
    for &s in &order {
        if reg[s] == NOREG
            && uses[s] >= least
            && let Some(r) = free.pop()
        {
            reg.iter_mut().filter(|x| **x == r).for_each(|x| *x = NOREG);
            list.retain(|x| x.1 != r);
            reg[s] = r;
            list.push((s as u16, r));
        }
    }
}

/// The pinning of a region with these uses, unless the usual one is as good.
#[must_use]
pub fn pinning(usual: &Pinning, uses: &Uses) -> Option<Pinning> {
    let mut p = usual.clone();
    choose(&uses.general, &mut p.reg, &mut p.list, &PINS, MIN_USES);
    // Where no slot has to make room.
    let least = if usual.list_x.is_empty() { 1 } else { MIN_USES };
    choose(&uses.apart(), &mut p.reg_x, &mut p.list_x, &PINS_X, least);
    p.find_temporaries();
    (p.reg != usual.reg || p.reg_x != usual.reg_x).then_some(p)
}

/// Moves what differs: `from`'s registers to their slots, `to`'s from theirs. Leaves rax and the flags alone.
fn change(a: &mut Asm, from: &Pinning, to: &Pinning) {
    for &(s, r) in &from.list {
        if to.reg[usize::from(s)] != r {
            a.mov_mr(64, layout::slot(usize::from(s)), r);
        }
    }
    for &(s, r) in &from.list_x {
        if to.reg_x[usize::from(s)] != r {
            super::runtime::unit_move(a, from.layout, false, r, usize::from(s));
        }
    }
    for &(s, r) in &to.list {
        if from.reg[usize::from(s)] != r {
            a.mov(64, r, layout::slot(usize::from(s)));
        }
    }
    for &(s, r) in &to.list_x {
        if from.reg_x[usize::from(s)] != r {
            super::runtime::unit_move(a, to.layout, true, r, usize::from(s));
        }
    }
}

fn jmp_entry(a: &mut Asm, out: &mut Code, e: Entry) {
    let f = a.jmp();
    out.relocs.push((f.0 as u32, Reloc::Entry(e)));
}

/// Puts a region's blocks together. The first is the loop's head; `traps`: it has floating-point code that
/// traps or flushes.
#[must_use]
pub fn assemble(
    parts: Vec<(u64, Code)>,
    insns: &[usize],
    usual: &Pinning,
    own: &Pinning,
    traps: bool,
) -> Code {
    let mut out = Code::default();
    let mut a = Asm::default();
    if traps {
        a.alu_i(Alu::Cmp, 32, layout::host(host::TRAPS), 0);
        let on = a.jcc(cc::NE);
        let f = a.call();
        out.relocs.push((f.0 as u32, Reloc::Entry(Entry::Unmask)));
        a.bind(on);
    }
    change(&mut a, usual, own);
    let mut starts = Vec::new();
    let mut risks = Vec::new();
    let mut jumps: Vec<(u32, ExitSite)> = Vec::new();
    let mut interrupted = Vec::new();
    let mut first_insn = 0u16;
    for ((pc, code), &count) in parts.into_iter().zip(insns) {
        while a.pos() & 15 != 0 {
            a.bytes(&[0x90]);
        }
        let base = a.pos() as u32;
        starts.push((pc, base as usize));
        risks.push((pc, code.risk));
        a.bytes(&code.bytes);
        let recipes = out.recipes.len() as u32;
        out.faults.extend(code.faults.into_iter().map(|mut f| {
            f.offset += base;
            f.insn += first_insn;
            if f.recipe != FaultPoint::SETTLED {
                f.recipe += recipes;
            }
            f
        }));
        out.recipes.extend_from_slice(&code.recipes);
        out.floats.extend(code.floats.into_iter().map(|mut f| {
            f.start += base;
            f.end += base;
            f.cold += if f.cold == 0 { 0 } else { base };
            f
        }));
        for (at, r) in code.relocs {
            match r {
                Reloc::Entry(Entry::Interrupted) => interrupted.push((at + base) as usize),
                r => out.relocs.push((at + base, r)),
            }
        }
        jumps.extend(code.exits.into_iter().map(|e| (base, e)));
        first_insn += count as u16;
    }
    let mut fix: Vec<(usize, usize)> = Vec::new();
    // Interrupts: rax holds the pc.
    if !interrupted.is_empty() {
        let at = a.pos();
        change(&mut a, own, usual);
        jmp_entry(&mut a, &mut out, Entry::Interrupted);
        fix.extend(interrupted.into_iter().map(|x| (x, at)));
    }
    // What floating-point code needs first leaves the flags alone.
    out.risk = risks.first().map_or(handover::ALL, |r| r.1);
    for (base, site) in jumps {
        let ExitSite { target, from, .. } = site;
        let patch = (base + site.patch) as usize;
        let direct = (base + site.direct.0) as usize;
        let fits = |r: &&(u64, u64)| r.0 == target && site.needs & r.1 == 0;
        if site.direct.0 != 0
            && risks.iter().any(|r| fits(&r))
            && let Some(&(_, at)) = starts.iter().find(|s| s.0 == target)
        {
            fix.push((direct, at));
        }
        if let Some(&(_, at)) = starts.iter().find(|s| s.0 == target) {
            fix.push((patch, at));
            continue;
        }
        starts.push((target, a.pos()));
        fix.push((patch, a.pos()));
        change(&mut a, own, usual);
        a.align_patch(1, 0);
        let f = a.jmp();
        let stub = a.pos();
        let n = out.exits.len() as u32;
        out.exits.push(ExitSite {
            patch: f.0 as u32,
            stub: stub as u32,
            target,
            from,
            inner: (0, 0),
            direct: (0, 0),
            needs: 0,
        });
        fix.push((f.0, stub));
        // mov eax, imm32
        a.bytes(&[0xb8]);
        out.relocs.push((a.pos() as u32, Reloc::ExitNumber(n)));
        a.bytes(&[0; 4]);
        jmp_entry(&mut a, &mut out, Entry::Link);
    }
    out.bytes = a.buf;
    for (from, to) in fix {
        let rel = (to as u32).wrapping_sub(from as u32 + 4);
        out.bytes[from..from + 4].copy_from_slice(&rel.to_le_bytes());
    }
    out
}
