//! Memory tagging (Arm ARM D10; FEAT_MTE2): what programs can do with tags, and how their accesses are compared with them. The tags
//! themselves are the address space's (`memory::granules`).

use super::features::MTE;
use super::insn::{Insn, set, set_sp, slot, x, xsp};
use super::linux::random::number;
use super::{MODE_TAGS_NOTED, MODE_TAGS_TRAPPED};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::interp::Mem;
use crate::ir::sem::{Sem, Tags};
use crate::ir::state::{Refused, State};

/// [`crate::ir::Trap::Exception`]: an access whose tag differs, reads and writes; and one that was noted before.
pub const READ: u32 = 0x100;
pub const WRITE: u32 = 0x101;
pub const NOTED: u32 = 0x102;

/// PSTATE.TCO, where MRS has it: accesses are not compared.
pub const TCO: u64 = 1 << 25;

/// PR_MTE_TCF_SYNC, PR_MTE_TCF_ASYNC, and the tags that IRG may choose (PR_MTE_TAG_MASK).
pub const SYNC: u64 = 1 << 1;
pub const ASYNC: u64 = 1 << 2;
const INCLUDED: u32 = 3;
pub const CONTROL: u64 = SYNC | ASYNC | 0xffff << INCLUDED;

const GRANULE: u64 = 16;
const TAG: u64 = 15 << 56;

/// How a thread's accesses are compared, as translations have it. One that asks for both ways gets the first, as on qemu.
#[must_use]
pub fn mode(st: &State) -> u32 {
    let control = st.r()[usize::from(slot::TAG_CONTROL)];
    if st.r()[usize::from(slot::PSTATE)] & TCO != 0 {
        0
    } else if control & SYNC != 0 {
        MODE_TAGS_TRAPPED
    } else if control & ASYNC != 0 {
        MODE_TAGS_NOTED
    } else {
        0
    }
}

/// The same for the accesses of an instruction.
pub fn of(i: Insn) -> Tags {
    if i.mode & (MODE_TAGS_TRAPPED | MODE_TAGS_NOTED) == 0 || !is_compared(i) {
        Tags::Ignored
    } else if i.mode & MODE_TAGS_TRAPPED != 0 {
        Tags::Trapped(slot::TAGS)
    } else {
        Tags::Noted(slot::TAGS, slot::TAG_FAULTS)
    }
}

/// What is relative to the pc, or to the stack pointer at a known distance, is not (`tag_checked` in the manual's pseudocode), nor
/// are the instructions about tags.
fn is_compared(i: Insn) -> bool {
    let bits = i.bits;
    let literal = bits & 0x3b00_0000 == 0x1800_0000;
    let about_tags = bits & 0xff20_0000 == 0xd920_0000 || bits & 0xfe40_0000 == 0x6800_0000;
    if literal || about_tags {
        return false;
    }
    if bits & 0xfff8_0000 == 0xd508_0000 {
        // Of what maintains caches, DC ZVA alone.
        return bits & 0xffff_ffe0 == 0xd50b_7420;
    }
    if i.rn() != 31 {
        return true;
    }
    let plain = bits & 0x3b00_0000 == 0x3800_0000;
    let pair = bits & 0x3a00_0000 == 0x2800_0000;
    let vectors = bits & 0xbe00_0000 == 0x0c00_0000;
    if plain {
        // By a register; before or after the base has changed. Atomic ones have 00 there.
        return i.f(10, 2) == 2 && i.bit(21) || i.bit(10);
    }
    (pair || vectors) && i.bit(23)
}

/// ChooseNonExcludedTag.
fn choose(mut tag: u64, mut offset: u64, excluded: u64) -> u64 {
    if excluded & 0xffff == 0xffff {
        return 0;
    }
    let next = |tag: u64| {
        let mut tag = tag & 15;
        while excluded >> tag & 1 != 0 {
            tag = (tag + 1) & 15;
        }
        tag
    };
    if offset == 0 {
        return next(tag);
    }
    while offset != 0 {
        offset -= 1;
        tag = next(tag + 1);
    }
    tag
}

fn excluded(st: &State) -> u64 {
    !(st.r()[usize::from(slot::TAG_CONTROL)] >> INCLUDED) & 0xffff
}

const fn with_tag(addr: u64, tag: u64) -> u64 {
    addr & !TAG | (tag & 15) << 56
}

/// IRG.
pub fn insert_random<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !i.has(MTE) {
        return Lift::Undefined;
    }
    let (base, more) = (xsp(s, i.rn()), x(s, i.rm()));
    let v = s.call(
        |st, base, more, _, _| {
            let excluded = excluded(st) | more as u64 & 0xffff;
            let any = number(&mut st.r_mut()[usize::from(slot::SEED)]);
            // One of those that are left, each as likely.
            let left = u64::from((!excluded & 0xffff).count_ones());
            let tag = if left == 0 {
                0
            } else {
                (0..any % left).fold(choose(0, 0, excluded), |tag, _| choose(tag, 1, excluded))
            };
            u128::from(with_tag(base as u64, tag))
        },
        [Some(base), Some(more), None],
        0,
    );
    set_sp(s, 64, i.rd(), v);
    Lift::Next
}

/// GMI.
pub fn exclude<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !i.has(MTE) {
        return Lift::Undefined;
    }
    let (base, set_so_far) = (xsp(s, i.rn()), x(s, i.rm()));
    let tag = s.shift_k(Op::Shr, 64, base, 56);
    let tag = s.and_k(64, tag, 15);
    let one = s.konst(1);
    let bit = s.op2(Op::Shl, 64, one, tag);
    let v = s.op2(Op::Or, 64, set_so_far, bit);
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// ADDG, SUBG.
pub fn add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !i.has(MTE) {
        return Lift::Undefined;
    }
    let base = xsp(s, i.rn());
    let offset = u64::from(i.f(16, 6)) * GRANULE;
    let offset = if i.bit(30) {
        offset.wrapping_neg()
    } else {
        offset
    };
    let sum = s.add_k(64, base, offset);
    let v = s.call(
        |st, base, sum, _, by| {
            let tag = choose(base as u64 >> 56, by, excluded(st));
            u128::from(with_tag(sum as u64, tag))
        },
        [Some(base), Some(sum), None],
        u64::from(i.f(10, 4)),
    );
    set_sp(s, 64, i.rd(), v);
    Lift::Next
}

/// SUBP, SUBPS: of addresses without their tags.
pub fn difference<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !i.has(MTE) {
        return Lift::Undefined;
    }
    let [a, b] = [i.rn(), i.rm()].map(|n| {
        let v = xsp(s, n);
        let v = s.shift_k(Op::Shl, 64, v, 8);
        s.shift_k(Op::Sar, 64, v, 8)
    });
    let v = s.op2(Op::Sub, 64, a, b);
    if i.bit(29) {
        let f = s.op2(Op::FSub, 64, a, b);
        s.set_f(f);
    }
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// STG, ST2G, STZG, STZ2G, LDG. Those of whole blocks (STGM, STZGM, LDGM) are not for programs.
pub fn access<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (kind, how) = (i.f(22, 2), i.f(10, 2));
    if !i.has(MTE) || (how == 0 && kind != 1) {
        return Lift::Undefined;
    }
    if how != 0 {
        // Before or behind the base has moved.
        let base = xsp(s, i.rn());
        let offset = if how == 1 { 0 } else { offset(i) };
        let addr = s.add_k(64, base, offset);
        s.aligned_to(GRANULE as u32, addr, true);
    }
    let run = if how == 0 { load } else { store };
    s.outside(run, u64::from(i.bits), i.pc);
    if S::STEPS { Lift::Next } else { Lift::End }
}

fn offset(i: impl Bits) -> u64 {
    (i64::from(i.signed(12, 9)) << 4) as u64
}

/// An instruction by itself, for what is executed outside of translated code.
#[derive(Clone, Copy)]
struct Word(u32);

impl Bits for Word {
    fn bits(self) -> u32 {
        self.0
    }
}

fn load(st: &mut State, mem: &mut dyn Mem, imm: u64) -> Result<(), Refused> {
    let i = Word(imm as u32);
    let base = st.r()[i.f(5, 5) as usize];
    let tag = mem.tag(base.wrapping_add(offset(i)) & !(GRANULE - 1))?;
    let to = i.f(0, 5) as usize;
    if to != 31 {
        let old = st.r()[to];
        st.r_mut()[to] = with_tag(old, tag.unwrap_or(0).into());
    }
    Ok(())
}

fn store(st: &mut State, mem: &mut dyn Mem, imm: u64) -> Result<(), Refused> {
    let i = Word(imm as u32);
    let n = i.f(5, 5) as usize;
    let base = st.r()[n];
    let moved = base.wrapping_add(offset(i));
    let addr = if i.f(10, 2) == 1 { base } else { moved };
    let tag = (st.r()[i.f(0, 5) as usize] >> 56) as u8;
    let granules = 1 + u64::from(i.bit(23));
    for k in 0..granules {
        let at = addr.wrapping_add(k * GRANULE);
        if i.bit(22) {
            mem.write(at, &[0; GRANULE as usize])?;
        }
        mem.set_tag(at, tag)?;
    }
    if i.f(10, 2) != 2 {
        st.r_mut()[n] = moved;
    }
    Ok(())
}

/// STGP: a pair of registers, and the tag of their address.
pub fn store_pair<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !i.has(MTE) || i.f(23, 2) == 0 {
        return Lift::Undefined;
    }
    let base = xsp(s, i.rn());
    let offset = if i.f(23, 2) == 1 { 0 } else { pair_offset(i) };
    let addr = s.add_k(64, base, offset);
    s.aligned_to(GRANULE as u32, addr, true);
    let big = if i.big() { BIG } else { 0 };
    s.outside(pair, u64::from(i.bits) | big, i.pc);
    if S::STEPS { Lift::Next } else { Lift::End }
}

const BIG: u64 = 1 << 32;

fn pair_offset(i: impl Bits) -> u64 {
    (i64::from(i.signed(15, 7)) << 4) as u64
}

fn pair(st: &mut State, mem: &mut dyn Mem, imm: u64) -> Result<(), Refused> {
    let i = Word(imm as u32);
    let n = i.f(5, 5) as usize;
    let base = st.r()[n];
    let moved = base.wrapping_add(pair_offset(i));
    let addr = if i.f(23, 2) == 1 { base } else { moved };
    let mut bytes = [0; GRANULE as usize];
    for (half, from) in bytes.chunks_mut(8).zip([i.f(0, 5), i.f(10, 5)]) {
        let v = if from == 31 { 0 } else { st.r()[from as usize] };
        half.copy_from_slice(&if imm & BIG != 0 {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        });
    }
    mem.write(addr, &bytes)?;
    mem.set_tag(addr, (addr >> 56) as u8)?;
    if i.f(23, 2) != 2 {
        st.r_mut()[n] = moved;
    }
    Ok(())
}

/// DC GVA, DC GZVA (`zero`): the tags of 64 bytes.
pub fn block<S: Sem>(s: &mut S, i: Insn, zero: bool) -> Lift {
    if !i.has(MTE) {
        return Lift::Undefined;
    }
    s.outside(fill, u64::from(i.rd()) | u64::from(zero) << 5, i.pc);
    if S::STEPS { Lift::Next } else { Lift::End }
}

fn fill(st: &mut State, mem: &mut dyn Mem, imm: u64) -> Result<(), Refused> {
    let n = imm as usize & 31;
    let addr = if n == 31 { 0 } else { st.r()[n] } & !63;
    for at in (0..4).map(|k| addr.wrapping_add(k * GRANULE)) {
        if imm >> 5 != 0 {
            mem.write(at, &[0; GRANULE as usize])?;
        }
        mem.set_tag(at, (addr >> 56) as u8)?;
    }
    Ok(())
}
