//! Each line of the decode table by itself.

use super::exempt::{ELSEWHERE, is_compact, skipped, wants_words};
use super::operands::{address, random_regs, word};
use super::rig::{Kind, MIPS, MIPS64, MIPS64EL, MIPS64EL_R6, MIPSEL, MIPSEL_R6, Rig};
use crate::ir::eval::mask;
use crate::mips::features::R6;
use crate::mips::table::{Encoding, TABLE};
use crate::tests::fuzz::{Rng, env_number, only, report};
use crate::tests::rig::{Case, Outcome, RegFile, Who};

/// Cases for each line: six processors take a few seconds so. `QUSR_FUZZ_CASES` says how many otherwise.
fn cases() -> u64 {
    env_number("QUSR_FUZZ_CASES", 40)
}

/// What delay slots have: ADDIU, OR, LW and SW of any registers.
fn in_slot(r: &mut Rng) -> u32 {
    let opcode = [0x24 << 24, 0x25, 0x8c << 24, 0xac << 24][r.below(4) as usize];
    let fields = r.next() as u32
        & if opcode == 0x25 {
            0x03ff_f800
        } else {
            0x03ff_ffff
        };
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
        if !kind.is_own(line, w) || skipped(kind, line, w) {
            continue;
        }
        let mut insns = vec![w];
        if line.has_slot {
            insns.push(in_slot(r));
        } else if is_compact(line) {
            insns.push(0);
        }
        let Some(case) = rig.place(r, &insns) else {
            *rig = Rig::new(kind).expect("there was one before");
            continue;
        };
        let mut regs = random_regs(r, kind);
        if kind.is_wide && wants_words(line) {
            for reg in &mut regs[1..34] {
                *reg = u128::from(*reg as i32 as u64);
            }
        }
        if line.name == "alnv_ps" {
            // A word's address.
            regs[(w >> 21 & 31) as usize] &= !3;
        }
        settle_control(line, w, &mut regs);
        move_base(rig, r, &case, &mut regs, *insns.last().unwrap_or(&w));
        // Unicorn's processors of 32 bits have MIPS16, whose code has odd addresses.
        if matches!(line.name, "jr" | "jalr") {
            regs[(w >> 21 & 31) as usize] &= !3;
        }
        if line.name == "beqzc_bnezc" {
            // JIC, JIALC: with a number.
            let jumps = regs[(w >> 16 & 31) as usize] & !3;
            let odd = u128::from(w & 3);
            if w >> 21 & 31 == 0 {
                regs[(w >> 16 & 31) as usize] =
                    jumps.wrapping_sub(odd) & u128::from(mask(kind.xlen()));
            }
        }
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
        let pc_relative = line.value >> 26 == 0x3b && line.need.contains(R6);
        if pc_relative
            || !line.name.contains(&only)
            || !kind.processor().features.contains(line.need)
        {
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

/// "MIPS Architecture For Programmers", volume II, release 6: ADDIUPC, AUIPC, ALUIPC, LWPC, LWUPC, LDPC.
#[test]
fn pc_relative_as_the_manual_says() {
    /// An instruction for register 5, and what comes of its pc.
    type Example = (u32, fn(u64) -> u64);
    let Some(mut rig) = Rig::new(MIPS64EL_R6) else {
        return;
    };
    let mut r = Rng(1);
    let cases: [Example; 7] = [
        (0xeca0_0004, |pc| pc + 16),
        (0xeca7_ffff, |pc| pc - 4),
        (0xecbe_0001, |pc| pc + 0x1_0000),
        (0xecbf_ffff, |pc| (pc - 0x1_0000) & !0xffff),
        (0xeca8_0001, |_| 0xd),
        (0xecb0_0001, |_| 0xd),
        (0xecb8_0001, |_| 0xd_0000_000d),
    ];
    // Behind each are breakpoints, 0xd.
    for (word, want) in cases {
        let regs = random_regs(&mut r, MIPS64EL_R6);
        let case = rig.place(&mut r, &[word]).expect("room");
        for who in Who::OURS {
            let got = rig.observe(who, &case, &regs).expect("an outcome");
            assert_eq!(got.class, "done", "{word:08x}");
            assert_eq!(got.regs[5], want(case.pc).into(), "{word:08x} {who:?}");
        }
    }
}
