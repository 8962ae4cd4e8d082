//! Each line of the decode table by itself.

use super::exempt::{ELSEWHERE, skipped};
use super::operands::{address, random_regs, word};
use super::rig::{Kind, MIPS, MIPS64, MIPS64EL, MIPS64EL_R6, MIPSEL, MIPSEL_R6, Rig};
use crate::ir::eval::mask;
use crate::mips::table::{Encoding, TABLE};
use crate::tests::fuzz::{Rng, cases, env_number, only, report};
use crate::tests::rig::{Case, Outcome, RegFile, Who};

/// What delay slots have: ADDIU, OR, LW and SW of any registers.
fn in_slot(r: &mut Rng) -> u32 {
    let opcode = [0x24 << 24, 0x25, 0x8c << 24, 0xac << 24][r.below(4) as usize];
    let fields = r.next() as u32 & if opcode == 0x25 { 0x03ff_f800 } else { 0x03ff_ffff };
    opcode | fields
}

/// Moves the base register to where the access leads into the data.
fn move_base(rig: &mut Rig, r: &mut Rng, case: &Case, regs: &mut RegFile, word: u32) {
    let base = (word >> 21 & 31) as usize;
    if base != 0
        && r.below(8) != 0
        && let Some(at) = rig.fault_address(case, regs)
    {
        let to = address(r).wrapping_sub(at);
        let moved = (regs[base] as u64).wrapping_add(to) & mask(rig.kind.xlen());
        regs[base] = moved.into();
    }
}

/// Bits of control registers that are to be written as 0.
fn settle_control(line: &Encoding, w: u32, regs: &mut RegFile) {
    let bits = match w >> 11 & 31 {
        25 => 0xff,
        26 => 0x3f07c,
        28 => 0xf87,
        _ => 0xff83_ffff,
    };
    if line.name == "ctc1" {
        regs[(w >> 16 & 31) as usize] &= bits;
    }
}

/// Stores that fault in their midst leave open what was stored by then, and exceptions what a branch has linked with.
fn forget_parts(o: &mut Outcome) {
    if o.class.starts_with("fault") {
        o.memory = None;
    }
}

fn try_line(rig: &mut Rig, r: &mut Rng, line: &Encoding, out: &mut Vec<String>) -> u64 {
    let kind = rig.kind;
    let (mut executed, mut tries) = (0, 0);
    let before_line = out.len();
    while executed < cases() && tries < cases() * 40 && out.len() < before_line + 4 {
        tries += 1;
        let w = word(r, line);
        if !kind.is_own(line, w) || skipped(line, w) {
            continue;
        }
        let mut insns = vec![w];
        if line.has_slot {
            insns.push(in_slot(r));
        }
        let Some(case) = rig.place(r, &insns) else {
            *rig = Rig::new(kind).expect("there was one before");
            continue;
        };
        let mut regs = random_regs(r, kind);
        settle_control(line, w, &mut regs);
        move_base(rig, r, &case, &mut regs, *insns.last().unwrap_or(&w));
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        // The kernel makes these accesses, and so does the translator.
        if want.class == "misaligned" {
            continue;
        }
        forget_parts(&mut want);
        let mut compared = true;
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                compared = false;
                continue;
            };
            forget_parts(&mut got);
            if got.class == "misaligned" && line.name.starts_with("sc") {
                compared = false;
                continue;
            }
            let text = rig.differences(&want, &got);
            if !text.is_empty() {
                let regs: Vec<String> = regs.iter().map(|v| format!("{v:x}")).collect();
                out.push(format!(
                    "{} {} {insns:08x?} {who:?}: {text}\n    from {}",
                    kind.guest,
                    line.name,
                    regs.join(" ")
                ));
            }
        }
        if compared && want.class != "undefined" {
            executed += 1;
        }
    }
    executed
}

fn try_lines(kind: Kind) {
    let Some(mut rig) = Rig::new(kind) else {
        return;
    };
    let only = only();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x1234_5678_9abc_def1));
    let (mut failures, mut thin, mut total) = (Vec::new(), Vec::new(), 0);
    for line in TABLE {
        if !line.name.contains(&only) || !kind.processor().features.contains(line.need) {
            continue;
        }
        let executed = try_line(&mut rig, &mut r, line, &mut failures);
        total += executed;
        if executed < cases() && !ELSEWHERE.iter().any(|e| e.0 == line.name) {
            thin.push(format!("{}: {executed}", line.name));
        }
    }
    report(&failures, total);
    assert!(
        thin.is_empty(),
        "{}: lines with fewer than {} cases that were compared, and not in ELSEWHERE: {}",
        kind.guest,
        cases(),
        thin.join(", ")
    );
}

#[test]
fn mipsel_agrees_with_unicorn() {
    try_lines(MIPSEL);
}

#[test]
fn mips_agrees_with_unicorn() {
    try_lines(MIPS);
}

#[test]
fn mips64el_agrees_with_unicorn() {
    try_lines(MIPS64EL);
}

#[test]
fn mips64_agrees_with_unicorn() {
    try_lines(MIPS64);
}

#[test]
fn mipsel_of_release_6_agrees_with_unicorn() {
    try_lines(MIPSEL_R6);
}

#[test]
fn mips64el_of_release_6_agrees_with_unicorn() {
    try_lines(MIPS64EL_R6);
}
