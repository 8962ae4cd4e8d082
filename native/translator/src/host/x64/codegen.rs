//! From IR to host code: one forward pass with register allocation on the fly.
//!
//! A backward pass ([`super::live`]) finds last uses and registers worth computing into
//! directly. Flags and conditions are not kept anywhere: the comparison is emitted
//! again where a condition is asked for, so nothing depends on the host's flags across
//! instructions. Guest registers are in their home (a pinned host register or the
//! state) after each guest instruction, so a fault needs no register fix-up; only
//! condition flags can be pending, and [`Recipe`] says how to compute them.

use super::asm::{Alu, Asm, Fixup, RAX, RDX, Reg, Rm};
use super::layout::{self, Pinning};
use super::live::Liveness;
use crate::host::code::{Code, Entry, ExitSite, FaultPoint, FloatSite, Recipe, Reloc};
use crate::host::{TooBig, Tuning};
use crate::ir::{Block, Inst, NONE, Op, Val};
use std::mem::take;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loc {
    /// Nowhere yet: a constant, a condition, flags.
    None,
    G(Reg),
    X(Reg),
    Spill(u8),
    /// Unchanged in the guest state.
    Slot(u16),
    SlotX(u16),
}

/// A general operand as an instruction can take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opnd {
    Rm(Rm),
    Imm(i32),
    /// A constant that is no immediate.
    Big(u64),
}

/// A position in one of the two buffers.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub cold: bool,
    pub pos: usize,
}

/// An exit whose code is not placed yet.
struct ExitAt {
    patch: At,
    stub: At,
    target: u64,
    from: u64,
    inner: Option<(At, At)>,
    direct: Option<(At, At)>,
    needs: u64,
}

/// Memory that one generation leaves to the next.
#[derive(Default)]
pub struct Work {
    asm: Asm,
    other: Asm,
    loc: Vec<Loc>,
    zero_above: Vec<u8>,
    slot_owner: Vec<Val>,
    slot_owner_x: Vec<Val>,
    spilled: Vec<Val>,
    faults: Vec<(At, FaultPoint)>,
    float_cold: Vec<(At, At)>,
    exits: Vec<ExitAt>,
    relocs: Vec<(At, Reloc)>,
    cross: Vec<(At, At)>,
}

pub(super) struct Gen<'a> {
    pub asm: Asm,
    other: Asm,
    pub(super) in_cold: bool,
    pub blk: &'a Block,
    pub pin: &'a Pinning,
    pub live: &'a Liveness,
    pub tune: Tuning,
    /// [`Code::risk`]
    pub(super) risk: u64,
    pub loc: Vec<Loc>,
    /// Bits of a wide value above which it is known to be zero.
    pub zero_above: Vec<u8>,
    pub(super) owner: [Val; 16],
    pub(super) owner_x: [Val; 16],
    /// The live value that is in the state's slot.
    pub(super) slot_owner: Vec<Val>,
    pub(super) slot_owner_x: Vec<Val>,
    pub(super) locked: u16,
    pub(super) locked_x: u16,
    pub(super) spill_free: u64,
    pub(super) spilled: Vec<Val>,
    /// The part that is jumped over, while in it.
    pub(super) skip: Option<Box<super::emit_skip::Skipped>>,
    pub pos: u32,
    pub failed: bool,
    /// Their offsets are not known yet.
    faults: Vec<(At, FaultPoint)>,
    recipes: Vec<Recipe>,
    /// Floating-point instructions with a cold path.
    float_cold: Vec<(At, At)>,
    /// `float::STANDARD` while code for such an operation is generated from its plain form: cold paths add it.
    pub(super) standard: u64,
    /// The last value that was read from the accrued exceptions.
    pub(super) accrued: Val,
    exits: Vec<ExitAt>,
    relocs: Vec<(At, Reloc)>,
    /// Fixups from one buffer to the other.
    cross: Vec<(At, At)>,
}

/// Generates code for a block into `out`.
///
/// # Errors
/// The block needs more temporaries than there are.
pub fn generate(
    blk: &Block,
    pin: &Pinning,
    live: &Liveness,
    tune: Tuning,
    work: &mut Work,
    out: &mut Code,
) -> Result<(), TooBig> {
    let n = blk.insts.len();
    let mut g = Gen {
        asm: take(&mut work.asm),
        other: take(&mut work.other),
        in_cold: false,
        blk,
        pin,
        live,
        tune,
        risk: out.risk,
        loc: take(&mut work.loc),
        zero_above: take(&mut work.zero_above),
        owner: [NONE; 16],
        owner_x: [NONE; 16],
        slot_owner: take(&mut work.slot_owner),
        slot_owner_x: take(&mut work.slot_owner_x),
        locked: 0,
        locked_x: 0,
        spill_free: u64::MAX,
        spilled: take(&mut work.spilled),
        skip: None,
        pos: 0,
        failed: false,
        faults: take(&mut work.faults),
        recipes: take(&mut out.recipes),
        float_cold: take(&mut work.float_cold),
        standard: 0,
        accrued: NONE,
        exits: take(&mut work.exits),
        relocs: take(&mut work.relocs),
        cross: take(&mut work.cross),
    };
    g.clear(n);
    if (tune.traps || tune.host_flush) && !tune.region && live.floats {
        g.unmask();
    }
    for &i in live.order.iter().rev() {
        g.pos = i;
        g.locked = 0;
        g.locked_x = 0;
        g.inst(i, &blk.insts[i as usize]);
        g.free_spilled();
        if g.failed {
            break;
        }
    }
    let result = if g.failed { Err(TooBig) } else { Ok(()) };
    g.finish(out);
    *work = Work {
        asm: g.asm,
        other: g.other,
        loc: g.loc,
        zero_above: g.zero_above,
        slot_owner: g.slot_owner,
        slot_owner_x: g.slot_owner_x,
        spilled: g.spilled,
        faults: g.faults,
        float_cold: g.float_cold,
        exits: g.exits,
        relocs: g.relocs,
        cross: g.cross,
    };
    out.recipes = g.recipes;
    result
}

impl Gen<'_> {
    /// Begins with nothing, for `n` operations.
    fn clear(&mut self, n: usize) {
        self.asm.clear(n * 8 + 64);
        self.other.clear(n * 8 + 64);
        self.loc.clear();
        self.loc.resize(n, Loc::None);
        self.zero_above.clear();
        self.zero_above.resize(n, 128);
        let layout = self.pin.layout;
        self.slot_owner.clear();
        self.slot_owner.resize(layout.general.into(), NONE);
        self.slot_owner_x.clear();
        self.slot_owner_x.resize(layout.units(), NONE);
        self.spilled.clear();
        self.faults.clear();
        self.recipes.clear();
        self.float_cold.clear();
        self.exits.clear();
        self.relocs.clear();
        self.cross.clear();
    }

    pub fn here(&self) -> At {
        At {
            cold: self.in_cold,
            pos: self.asm.pos(),
        }
    }

    /// Runs `f` with output going to the cold part. The allocator's state must not change.
    pub fn cold(&mut self, f: impl FnOnce(&mut Self)) {
        assert!(!self.in_cold, "cold code does not nest");
        std::mem::swap(&mut self.asm, &mut self.other);
        self.in_cold = true;
        f(self);
        std::mem::swap(&mut self.asm, &mut self.other);
        self.in_cold = false;
    }

    /// Makes a fixup (in the current buffer) reach `to`.
    pub fn bind(&mut self, from: At, to: At) {
        self.cross.push((from, to));
    }

    pub fn fixup_at(&self, f: Fixup) -> At {
        At {
            cold: self.in_cold,
            pos: f.0,
        }
    }

    pub fn reloc(&mut self, at: At, r: Reloc) {
        self.relocs.push((at, r));
    }

    /// `jmp` to a run-time entry.
    pub fn jmp_entry(&mut self, e: Entry) {
        let f = self.asm.jmp();
        let at = self.fixup_at(f);
        self.reloc(at, Reloc::Entry(e));
    }

    pub fn call_entry(&mut self, e: Entry) {
        let f = self.asm.call();
        let at = self.fixup_at(f);
        self.reloc(at, Reloc::Entry(e));
    }

    pub fn exit_site(&mut self, patch: At, target: u64) -> u32 {
        self.exits.push(ExitAt {
            patch,
            stub: patch,
            target,
            from: self.blk.pcs[usize::from(self.get(self.pos).insn)],
            inner: None,
            direct: None,
            needs: 0,
        });
        self.exits.len() as u32 - 1
    }

    pub fn set_stub(&mut self, exit: u32, stub: At, inner: Option<(At, At)>) {
        let e = &mut self.exits[exit as usize];
        e.stub = stub;
        e.inner = inner;
    }

    /// The last exit is also reached by the jump `patch`, by way of `store`, which a target that fits `needs` can do without.
    pub fn set_direct(&mut self, patch: At, store: At, needs: u64) {
        if let Some(e) = self.exits.last_mut() {
            e.direct = Some((patch, store));
            e.needs = needs;
        }
    }

    pub fn fault_point(&mut self, i: &Inst, write: bool) {
        let mut point = FaultPoint {
            offset: 0,
            insn: i.insn,
            write,
            rough: i.op == Op::StoreUnder || (matches!(i.op, Op::Load | Op::LoadX) && i.h != 0),
            recipe: FaultPoint::SETTLED,
        };
        if let Some(recipe) = self.recipe() {
            point.recipe = self.recipes.len() as u32;
            self.recipes.push(recipe);
        }
        self.faults.push((self.here(), point));
    }

    /// Makes sure that invalid operations trap, or that denormal numbers are flushed. Changing MXCSR's masks takes 16 ns (Zen 4): it is done at the
    /// first floating-point code after entering, so that system calls of other code go without.
    fn unmask(&mut self) {
        self.asm
            .alu_i(Alu::Cmp, 32, layout::host(layout::host::TRAPS), 0);
        let f = self.asm.jcc(super::asm::cc::E);
        let (from, back) = (self.fixup_at(f), self.here());
        let mut to = back;
        self.cold(|g| {
            to = g.here();
            g.call_entry(Entry::Unmask);
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        self.bind(from, to);
    }

    /// If the instruction that starts at `site` traps, `cold` does the operation.
    pub fn float_point(&mut self, site: At, cold: At) {
        self.float_cold.push((site, cold));
    }

    /// The trapping instructions, in the order of their addresses.
    fn float_sites(&self, hot: usize, out: &mut Vec<FloatSite>) {
        out.clear();
        if !self.tune.traps && !self.tune.host_flush {
            return;
        }
        let flat = |a: &At| (if a.cold { hot + a.pos } else { a.pos }) as u32;
        let base = hot as u32;
        let later = self.other.float_sites.iter();
        let sites = self.asm.float_sites.iter().copied();
        let sites = sites.chain(later.map(|&(s, e)| (s + base, e + base)));
        out.extend(sites.map(|(start, end)| FloatSite {
            start,
            end,
            cold: 0,
        }));
        for (site, cold) in &self.float_cold {
            if let Ok(n) = out.binary_search_by_key(&flat(site), |s| s.start) {
                out[n].cold = flat(cold);
            }
        }
    }

    fn finish(&mut self, out: &mut Code) {
        // Displacements to be patched in the cold part are aligned relative to its start.
        let cold = |e: &ExitAt| e.patch.cold || e.inner.is_some() || e.direct.is_some();
        if !self.tune.region && self.exits.iter().any(cold) {
            while !self.asm.pos().is_multiple_of(4) {
                self.asm.bytes(&[0xcc]);
            }
        }
        let hot = self.asm.pos();
        self.float_sites(hot, &mut out.floats);
        let flat = |a: At| (if a.cold { hot + a.pos } else { a.pos }) as u32;
        let bytes = &mut out.bytes;
        std::mem::swap(bytes, &mut self.asm.buf);
        bytes.extend_from_slice(&self.other.buf);
        for &(from, to) in &self.cross {
            let (from, to) = (flat(from), flat(to));
            let rel = to.wrapping_sub(from + 4);
            bytes[from as usize..from as usize + 4].copy_from_slice(&rel.to_le_bytes());
        }
        out.faults.clear();
        out.faults
            .extend(self.faults.iter().map(|&(at, f)| FaultPoint {
                offset: flat(at),
                ..f
            }));
        out.faults.sort_by_key(|f| f.offset);
        out.exits.clear();
        out.exits.extend(self.exits.iter().map(|e| ExitSite {
            patch: flat(e.patch),
            stub: flat(e.stub),
            target: e.target,
            from: e.from,
            inner: e.inner.map_or((0, 0), |(p, s)| (flat(p), flat(s))),
            direct: e.direct.map_or((0, 0), |(p, s)| (flat(p), flat(s))),
            needs: e.needs,
        }));
        out.relocs.clear();
        out.relocs
            .extend(self.relocs.iter().map(|&(a, r)| (flat(a), r)));
    }

    // Values.

    pub fn get(&self, v: Val) -> &Inst {
        &self.blk.insts[v as usize]
    }

    pub fn known(&self, v: Val) -> Option<u64> {
        (v != NONE && self.get(v).op == Op::Const).then(|| self.get(v).imm)
    }

    /// Used after the current instruction.
    pub fn lives_on(&self, v: Val) -> bool {
        self.live.at[v as usize].last > self.pos
    }

    /// The operand without allocating anything. Conditions must have been materialised.
    pub fn opnd(&self, v: Val) -> Opnd {
        match self.loc[v as usize] {
            Loc::G(r) => Opnd::Rm(Rm::R(r)),
            Loc::Spill(n) => Opnd::Rm(Rm::M(layout::spill(usize::from(n)))),
            Loc::Slot(n) => Opnd::Rm(Rm::M(layout::slot(usize::from(n)))),
            Loc::X(_) | Loc::SlotX(_) => unreachable!("a wide value as a general operand"),
            Loc::None => {
                let k = self.known(v).expect("a value without a place");
                i32::try_from(k as i64).map_or(Opnd::Big(k), Opnd::Imm)
            }
        }
    }

    /// A 32-bit operation takes any constant whose low half it is.
    pub fn opnd_w(&self, w: u8, v: Val) -> Opnd {
        match self.opnd(v) {
            Opnd::Big(k) if w == 32 => Opnd::Imm(k as u32 as i32),
            o => o,
        }
    }

    /// A wide operand without allocating anything.
    pub fn opnd_x(&self, v: Val) -> Rm {
        match self.loc[v as usize] {
            Loc::X(r) => Rm::R(r),
            Loc::Spill(n) => Rm::M(layout::spill(usize::from(n))),
            Loc::SlotX(n) => Rm::M(layout::slot_x(self.pin.layout, usize::from(n))),
            l => unreachable!("wide value {v} is {l:?}"),
        }
    }

    // Helpers.

    /// Moves the wide register `r` to `d`.
    pub fn mov_x(&mut self, d: Reg, r: Reg) {
        if d != r {
            self.load_x(128, d, Rm::R(r));
        }
    }

    /// `op dst, operand` for any operand.
    pub fn alu_o(&mut self, op: Alu, w: u8, d: Reg, o: Opnd) {
        match o {
            Opnd::Rm(m) => self.asm.alu(op, w, d, m),
            Opnd::Imm(k) => self.asm.alu_i(op, w, Rm::R(d), k),
            Opnd::Big(k) => {
                debug_assert!(d != RAX, "the scratch register holds the constant");
                self.asm.mov_ri(RAX, k);
                self.asm.alu(op, w, d, Rm::R(RAX));
            }
        }
    }

    /// Puts an operand into `r`.
    pub fn load_o(&mut self, w: u8, r: Reg, o: Opnd) {
        match o {
            Opnd::Rm(m) => self.asm.mov(w, r, m),
            Opnd::Imm(k) if w == 32 => self.asm.mov_ri(r, u64::from(k as u32)),
            Opnd::Imm(k) => self.asm.mov_ri(r, i64::from(k) as u64),
            Opnd::Big(k) => self.asm.mov_ri(r, k),
        }
    }

    /// Makes sure that rdx and rax are free for a multiplication or division.
    pub fn take_rdx(&mut self) {
        self.take(RDX);
    }
}
