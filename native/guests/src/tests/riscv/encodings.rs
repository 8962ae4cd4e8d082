//! Each line of the decode tables by itself.

use super::exempt::{ELSEWHERE, is_elsewhere, skipped};
use super::operands::{address, random_regs, word};
use super::rig::{Rig, guest};
use crate::ir::eval::mask;
use crate::riscv::Kind;
use crate::riscv::table::Encoding;
use crate::tests::fuzz::{Rng, cases, env_number, only, report};
use crate::tests::rig::{Case, Outcome, RegFile, Who};

/// Where the base register of an access is.
fn base_of(kind: Kind, line: &Encoding, w: u32) -> Option<usize> {
    Some(match kind {
        Kind::Short if line.name.ends_with("sp") => 2,
        Kind::Short => 8 + (w >> 7 & 7) as usize,
        Kind::Long => (w >> 15 & 31) as usize,
    })
}

/// Whether the line of an instruction is this one.
pub fn is_own(xlen: u8, kind: Kind, line: &Encoding, w: u32) -> bool {
    let d = guest(xlen).decode(0, &w.to_le_bytes(), 0);
    d.kind == kind
        && d.line
            .is_some_and(|n| std::ptr::eq(&raw const kind.table()[n], line))
}

/// Stores that fault in their midst leave open what was stored by then.
pub fn forget_parts(o: &mut Outcome) {
    if o.class.starts_with("fault") {
        o.memory = None;
    }
}

/// Most addresses would be nowhere: moves the base to where this one leads into the data.
pub fn move_base(rig: &mut Rig, r: &mut Rng, case: &Case, regs: &mut RegFile, base: usize) {
    if base != 0
        && r.below(8) != 0
        && let Some(at) = rig.fault_address(case, regs)
    {
        let to = address(r).wrapping_sub(at);
        let moved = (regs[base] as u64).wrapping_add(to) & mask(rig.xlen);
        regs[base] = u128::from(moved);
    }
}

struct Line {
    kind: Kind,
    encoding: &'static Encoding,
}

fn try_line(rig: &mut Rig, r: &mut Rng, line: &Line, out: &mut Vec<String>) -> u64 {
    let (xlen, kind, encoding) = (rig.xlen, line.kind, line.encoding);
    let (mut executed, mut tries) = (0, 0);
    let before_line = out.len();
    while executed < cases() && tries < cases() * 40 && out.len() < before_line + 4 {
        tries += 1;
        let w = word(r, kind, encoding);
        if !is_own(xlen, kind, encoding, w) || skipped(xlen, kind, encoding, w).is_some() {
            continue;
        }
        let Some(case) = rig.place(r, &[w]) else {
            *rig = Rig::new(xlen).expect("there was one before");
            continue;
        };
        let mut regs = random_regs(r, xlen, true);
        if let Some(base) = base_of(kind, encoding, w) {
            move_base(rig, r, &case, &mut regs, base);
        }
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&mut want);
        let mut compared = true;
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                compared = false;
                continue;
            };
            forget_parts(&mut got);
            // Unicorn looks at alignment after it has looked whether the address is that of the reservation.
            if got.class == "misaligned" && encoding.name.starts_with("sc_") {
                compared = false;
                continue;
            }
            let text = rig.differences(&want, &got);
            if !text.is_empty() {
                let regs: Vec<String> = regs.iter().map(|v| format!("{v:x}")).collect();
                out.push(format!(
                    "{kind:?} {} {w:08x} {who:?}: {text}\n    from {}",
                    encoding.name,
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

fn try_lines(xlen: u8, kind: Kind) {
    let Some(mut rig) = Rig::new(xlen) else {
        return;
    };
    let only = only();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x1234_5678_9abc_def1));
    let (mut failures, mut thin, mut total) = (Vec::new(), Vec::new(), 0);
    for encoding in kind.table() {
        if !encoding.name.contains(&only) || is_elsewhere(encoding, xlen) {
            continue;
        }
        let line = Line { kind, encoding };
        let executed = try_line(&mut rig, &mut r, &line, &mut failures);
        total += executed;
        if executed < cases() && !ELSEWHERE.iter().any(|e| e.0 == encoding.name) {
            thin.push(format!("{}: {executed}", encoding.name));
        }
    }
    report(&failures, total);
    assert!(
        thin.is_empty(),
        "{kind:?} of {xlen} bits: lines with fewer than {} cases that were compared, and not in ELSEWHERE: {}",
        cases(),
        thin.join(", ")
    );
}

#[test]
fn long_instructions_of_64_bits_agree_with_unicorn() {
    try_lines(64, Kind::Long);
}

#[test]
fn long_instructions_of_32_bits_agree_with_unicorn() {
    try_lines(32, Kind::Long);
}

#[test]
fn short_instructions_of_64_bits_agree_with_unicorn() {
    try_lines(64, Kind::Short);
}

#[test]
fn short_instructions_of_32_bits_agree_with_unicorn() {
    try_lines(32, Kind::Short);
}
