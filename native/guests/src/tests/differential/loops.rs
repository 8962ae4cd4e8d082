//! Loops that become regions: registers in other homes, left at their ends, by branches, faults and interrupts.

use super::encodings::forget_parts;
use super::exempt::skipped;
use super::lines::LEFT_OUT;
use super::operands::{random_regs, random_word};
use super::rig::Rig;
use super::{CODE, DATA};
use crate::aarch64::LITTLE;
use crate::aarch64::table::{Encoding, TABLE, find};
use crate::guest::{Guest, Lift};
use crate::ir::build::IrBuilder;
use crate::ir::{Inst, Op};
use crate::tests::fuzz::{Rng, cases, env_number, report};
use crate::tests::rig::{Case, HOT, Who};
use crate::translator::regions_made;

/// Counts the rounds, and is nothing else's.
const COUNTER: u32 = 28;
/// Walks through the data, so that some accesses fault after some rounds.
const WALKER: u32 = 27;

/// Whether any field that could be a register is one of ours.
fn touches(w: u32, register: u32) -> bool {
    [0, 5, 10, 16].iter().any(|&at| w >> at & 31 == register)
}

/// Undefined ones end a loop in its first round; helpers cannot be in a region, which takes the loop's way around.
fn is_wanted(r: &mut Rng, w: u32) -> bool {
    let mut b = IrBuilder::new(crate::aarch64::insn::LAYOUT, true);
    b.start_insn(CODE);
    let (lift, _) = LITTLE.lift(&mut b, CODE, &w.to_le_bytes(), &mut 0);
    let helper = |i: &Inst| matches!(i.op, Op::Call | Op::CallX);
    matches!(lift, Lift::Next) && (!b.block.insts.iter().any(helper) || r.below(32) == 0)
}

/// An instruction of a loop's body, not at its end if it is a branch.
fn random_instruction(r: &mut Rng, usable: &[&Encoding], left: u32) -> u32 {
    loop {
        // A conditional branch forward, within the loop or to behind it.
        if left > 0 && r.below(6) == 0 {
            let over = r.below(u64::from(left) + 4) as u32 + 1;
            return match r.below(3) {
                // b.cond
                0 => 0x5400_0000 | over << 5 | r.below(14) as u32,
                // cbz, cbnz
                1 => 0xb400_0000 | (r.below(2) as u32) << 24 | over << 5 | r.below(8) as u32,
                // tbz, tbnz
                _ => {
                    0x3600_0000
                        | (r.below(2) as u32) << 24
                        | (r.below(32) as u32) << 19
                        | over << 5
                        | r.below(8) as u32
                }
            };
        }
        let line = usable[if r.below(3) == 0 {
            r.below(usable.len() as u64)
        } else {
            r.below(48)
        } as usize];
        let mut w = random_word(r, line);
        // Loads and stores have op0 = x1x0 (Arm ARM C4.1).
        let memory = w >> 25 & 5 == 4;
        if memory {
            w &= !0x3e0;
        }
        if touches(w, COUNTER) || touches(w, WALKER) {
            continue;
        }
        if memory {
            w |= if r.below(4) == 0 { 31 } else { WALKER } << 5;
        }
        if find(w).is_some_and(|n| TABLE[n].name == line.name)
            && skipped(w).is_none()
            && is_wanted(r, w)
        {
            return w;
        }
    }
}

/// A loop, with its way back at the end.
fn random_loop(r: &mut Rng, usable: &[&Encoding]) -> Vec<u32> {
    let count = 2 + r.below(12) as u32;
    let mut words: Vec<u32> = (0..count)
        .map(|n| random_instruction(r, usable, count - 1 - n))
        .collect();
    // add x27, x27, #16..#256
    let step = 16 * (1 + r.below(16) as u32);
    words.push(0x9100_0000 | step << 10 | WALKER << 5 | WALKER);
    let flags = r.below(2) as u32;
    // sub or subs x28, x28, #1
    words.push(0xd100_0400 | flags << 29 | COUNTER << 5 | COUNTER);
    let back = (words.len() as u32).wrapping_neg() & 0x7_ffff;
    words.push(if flags == 0 {
        // cbnz x28
        0xb500_0000 | back << 5 | COUNTER
    } else {
        // b.ne
        0x5400_0001 | back << 5
    });
    words
}

struct Loops {
    rig: Rig,
    r: Rng,
    usable: Vec<&'static Encoding>,
}

impl Loops {
    fn new(seed: u64) -> Option<Self> {
        Some(Self {
            rig: Rig::new()?,
            r: Rng(env_number("QUSR_FUZZ_SEED", seed)),
            usable: TABLE
                .iter()
                .filter(|e| !LEFT_OUT.contains(&e.name))
                .collect(),
        })
    }

    /// A loop of up to `rounds` rounds, and the registers that it starts with.
    fn next(&mut self, rounds: u64) -> (Case, Vec<u128>) {
        let r = &mut self.r;
        let mut case = loop {
            let words = random_loop(r, &self.usable);
            match self.rig.place(r, &words) {
                Some(c) => break c,
                None => self.rig = Rig::new().expect("there was one before"),
            }
        };
        let rounds = 1 + r.below(rounds);
        case.steps = case.words.len() * rounds as usize;
        let mut regs = random_regs(r, 0);
        regs[COUNTER as usize] = u128::from(rounds);
        regs[WALKER as usize] = u128::from(DATA + r.below(0x4000));
        (case, regs)
    }
}

fn text(case: &Case) -> String {
    let code: Vec<String> = case.words.iter().map(|w| format!("{w:08x}")).collect();
    format!("{:#x} {}", case.pc, code.join(" "))
}

#[test]
fn loops_agree_with_unicorn() {
    let Some(mut loops) = Loops::new(0x1009_5eed_0000_0001) else {
        return;
    };
    let (mut failures, mut compared, before) = (Vec::new(), 0, regions_made());
    for _ in 0..2 * cases() {
        let (case, regs) = loops.next(5 * u64::from(HOT));
        let Some(mut want) = loops.rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&case, &mut want);
        for who in Who::OURS {
            let Some(mut got) = loops.rig.observe(who, &case, &regs) else {
                break;
            };
            forget_parts(&case, &mut got);
            compared += 1;
            let found = loops.rig.differences(&want, &got);
            if !found.is_empty() {
                failures.push(format!("{who:?}: {found} | {}", text(&case)));
            }
        }
        if failures.len() > 40 {
            break;
        }
    }
    let made = regions_made() - before;
    assert!(
        made > cases() / 4 || !failures.is_empty(),
        "only {made} regions of {} loops",
        2 * cases()
    );
    report(&failures, compared);
}

/// Against the interpreter, since they take many rounds.
#[test]
fn interrupted_loops_agree_with_the_interpreter() {
    let Some(mut loops) = Loops::new(0x1009_5eed_0000_0002) else {
        return;
    };
    let (mut failures, mut compared, before) = (Vec::new(), 0, regions_made());
    for _ in 0..cases() / 5 {
        let (case, mut regs) = loops.next(3000);
        // Around in the data, and with an end.
        regs[WALKER as usize] = u128::from(DATA);
        let Some(want) = loops.rig.observe(Who::Interpreted, &case, &regs) else {
            continue;
        };
        let got = loops.rig.observe_interrupted(&mut loops.r, &case, &regs);
        compared += 1;
        let found = loops.rig.differences(&want, &got);
        if !found.is_empty() {
            failures.push(format!("{found} | {}", text(&case)));
        }
    }
    let made = regions_made() - before;
    assert!(made > cases() / 100, "only {made} regions");
    report(&failures, compared);
}
