//! Straight lines of random instructions: register allocation, flags, jumps over parts of them, and faults in
//! the middle.

use super::operands::{random_regs, word};
use super::rig::Rig;
use crate::arm::Kind;
use crate::arm::table::Encoding;
use crate::tests::fuzz::{Rng, cases, env_number, report};
use crate::tests::rig::Who;

/// What can be in the midst of a line: no exits, nothing that stops, nothing that tells the time.
fn usable(kind: Kind, l: &Encoding) -> bool {
    let exits = l.flags == 'u' || l.flags == 'b' || l.name.ends_with("undefined");
    let other = matches!(
        l.name,
        "mrrc" | "b_cond" | "it" | "mrc" | "mrc_flags" | "mcr" | "pop" | "unconditional" | "cps"
    );
    // Unicorn's monitor does not know sizes.
    let monitored = l.name.starts_with("ldrex") || l.name.starts_with("ldaex");
    let several = l.name.starts_with("ldm_stm") && kind != Kind::T16;
    !(exits || other || monitored || several)
}

/// A random instruction of the kind, without the pc.
fn insn(r: &mut Rng, kind: Kind, lines: &[&Encoding], always: bool) -> u32 {
    loop {
        let line = lines[r.below(lines.len() as u64) as usize];
        let mut w = word(r, kind, line, always);
        if kind == Kind::A32 && !always && line.mask >> 28 == 0 {
            // Few conditions, so that neighbours share them.
            let cond = [0, 0, 1, 14, 14, 8, 10][r.below(7) as usize];
            w = w & 0x0fff_ffff | cond << 28;
        }
        let own = kind
            .find(w)
            .is_some_and(|k| std::ptr::eq(&raw const kind.table()[k], line));
        if own
            && !super::encodings::is_doubtful(kind, line, w)
            && !(kind == Kind::T16 && w >> 11 >= 29)
        {
            return w;
        }
    }
}

/// Base registers lead into the data more often than not.
fn try_kind(kinds: &[Kind]) {
    let Some(mut rig) = Rig::new() else { return };
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x9abc_def1_1234_5678));
    let mut failures = Vec::new();
    let mut compared = 0;
    let tables: Vec<(Kind, Vec<&Encoding>)> = kinds
        .iter()
        .map(|&k| (k, k.table().iter().filter(|l| usable(k, l)).collect()))
        .collect();
    let thumb = kinds[0] != Kind::A32;
    for _ in 0..cases() * 8 {
        let mut code = Vec::new();
        let length = 2 + r.below(20);
        // Instructions left in an IT block.
        let mut left = 0;
        for _ in 0..length {
            if thumb && left == 0 && r.below(4) == 0 {
                left = 1 + r.below(4);
                let first = r.below(14) as u32;
                let mut mask = 0;
                for n in 1..left {
                    mask |= (r.below(2) as u32) << (4 - n);
                }
                mask |= 1 << (4 - left);
                code.push(0xbf00 | first << 4 | mask);
                left += 1;
            }
            left = left.saturating_sub(1);
            let (kind, lines) = &tables[r.below(tables.len() as u64) as usize];
            let always = !thumb && r.below(3) == 0;
            code.push(insn(&mut r, *kind, lines, always));
        }
        let Some(case) = rig.place(&mut r, thumb, &code) else {
            rig = Rig::new().expect("there was one before");
            continue;
        };
        let mut regs = random_regs(&mut r);
        for reg in &mut regs[..13] {
            if r.below(2) == 0 {
                *reg = u128::from(r.address32() & !3);
            }
        }
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        if want.class.starts_with("fault") {
            want.memory = None;
        }
        compared += 1;
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                continue;
            };
            if got.class.starts_with("fault") {
                got.memory = None;
            }
            // Unpredictable forms and alignment are for `encodings`.
            if got.class == "undefined" || got.class.ends_with(" true") || want.class == "undefined"
            {
                continue;
            }
            let text = rig.differences(&want, &got);
            if !text.is_empty() {
                let words: Vec<String> = code.iter().map(|w| format!("{w:x}")).collect();
                failures.push(format!("{who:?}: {text}\n   {}", words.join(" ")));
            }
        }
        if failures.len() > 10 {
            break;
        }
    }
    report(&failures, compared);
}

#[test]
fn lines_of_a32_agree_with_unicorn() {
    try_kind(&[Kind::A32]);
}

#[test]
fn lines_of_t32_agree_with_unicorn() {
    try_kind(&[Kind::T16, Kind::T16, Kind::T32]);
}

/// `QUSR_LINE`: halfwords and words in hexadecimal, to be tried with many operands.
#[test]
fn one_line() {
    let Ok(text) = std::env::var("QUSR_LINE") else {
        return;
    };
    let thumb = std::env::var("QUSR_A32").is_err();
    let code: Vec<u32> = text
        .split_whitespace()
        .map(|w| u32::from_str_radix(w, 16).expect("hexadecimal"))
        .collect();
    let Some(mut rig) = Rig::new() else { return };
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x9abc_def1_1234_5678));
    let mut bad = 0;
    for _ in 0..300 {
        let Some(case) = rig.place(&mut r, thumb, &code) else {
            return;
        };
        let mut regs = random_regs(&mut r);
        for reg in &mut regs[..13] {
            if r.below(2) == 0 {
                *reg = u128::from(r.address32() & !3);
            }
        }
        let Some(want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        let Some(got) = rig.observe(Who::Translated, &case, &regs) else {
            continue;
        };
        if got.class.ends_with(" true") {
            continue;
        }
        let text = rig.differences(&want, &got);
        if !text.is_empty() {
            bad += 1;
            if bad < 4 {
                eprintln!("{text}");
            }
        }
    }
    eprintln!("{bad} of 300");
    rig.dump(&mut r, thumb, &code);
}
