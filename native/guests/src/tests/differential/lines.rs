//! Straight lines of random instructions: the register allocator, flags carried across
//! instructions, and exact state where one of them faults.

use super::encodings::{forget_parts, is_vector};
use super::exempt::skipped;
use super::operands::{random_regs, random_word};
use super::rig::Rig;
use crate::aarch64::table::{Encoding, TABLE, find};
use crate::tests::fuzz::{Rng, cases, env_number, report};
use crate::tests::rig::Who;

/// What ends a block, and what depends on a monitor that unicorn keeps differently.
pub const LEFT_OUT: [&str; 22] = [
    "b", "bl", "b_cond", "cbz", "tbz", "br", "blr", "ret", "svc", "brk", "isb", "sb", "hint",
    "mrs", "msr", "sys", "stxr", "ldxr", "stxp", "ldxp", "casp", "clrex",
];

/// `vectors`: nothing but floating-point and vector instructions, of which few are undefined.
fn random_line(r: &mut Rng, usable: &[&Encoding], vectors: bool) -> Vec<u32> {
    let count = 2 + r.below(if vectors { 6 } else { 20 }) as usize;
    let mut words = Vec::new();
    while words.len() < count {
        // Integer encodings come first in the table: prefer them, and loads and stores near sp.
        let n = if vectors || r.below(3) == 0 {
            r.below(usable.len() as u64)
        } else {
            r.below(48)
        };
        let line = usable[n as usize];
        let mut w = random_word(r, line);
        if line.name.starts_with("ldst") && r.below(8) != 0 {
            w |= 0x3e0;
        }
        // Few registers, so that values meet.
        if r.below(2) == 0 && line.mask & 0x1f == 0 {
            w = (w & !0x1f) | r.below(8) as u32;
        }
        let same = find(w).is_some_and(|n| TABLE[n].name == line.name);
        if same && skipped(w).is_none() {
            words.push(w);
        }
    }
    words
}

#[test]
fn straight_lines_agree_with_unicorn() {
    try_straight_lines(false, |_| true);
}

/// More values at once than there are temporaries for wide ones.
#[test]
fn vector_lines_agree_with_unicorn() {
    try_straight_lines(true, is_vector);
}

fn try_straight_lines(vectors: bool, wanted: fn(&Encoding) -> bool) {
    let Some(mut rig) = Rig::new() else { return };
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x0bad_cafe_1234_5671));
    let usable: Vec<&Encoding> = TABLE
        .iter()
        .filter(|e| !LEFT_OUT.contains(&e.name) && wanted(e))
        .collect();
    let (mut failures, mut compared) = (Vec::new(), 0);
    for _ in 0..4 * cases() {
        let words = random_line(&mut r, &usable, vectors);
        let Some(case) = rig.place(&mut r, &words) else {
            rig = Rig::new().expect("there was one before");
            continue;
        };
        let regs = random_regs(&mut r, 0);
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&case, &mut want);
        for who in [Who::Translated, Who::Unoptimised] {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                break;
            };
            forget_parts(&case, &mut got);
            compared += 1;
            let text = rig.differences(&want, &got);
            if !text.is_empty() {
                let code: Vec<String> = words.iter().map(|w| format!("{w:08x}")).collect();
                failures.push(format!(
                    "{:#x} {who:?}: {text} | {}",
                    case.pc,
                    code.join(" ")
                ));
            }
        }
        if failures.len() > 40 {
            break;
        }
    }
    assert!(
        compared > cases(),
        "only {compared} of {} lines were compared",
        4 * cases()
    );
    report(&failures, compared);
}
