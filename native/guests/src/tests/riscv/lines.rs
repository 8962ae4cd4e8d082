//! Straight lines of random instructions: register allocation, boxed numbers, and faults in the middle.

use super::encodings::{forget_parts, is_own};
use super::exempt::{is_elsewhere, skipped};
use super::operands::{address, random_regs, word};
use super::rig::Rig;
use crate::riscv::Kind;
use crate::riscv::table::Encoding;
use crate::tests::fuzz::{Rng, cases, env_number, report};
use crate::tests::rig::Who;

/// What can be in the midst of a line: no exits, and no monitor, which Unicorn keeps otherwise.
fn is_usable(l: &Encoding, xlen: u8) -> bool {
    let exit = matches!(
        l.name,
        "jal" | "jalr" | "c_j" | "c_jal" | "c_jr_jalr" | "c_beqz_bnez" | "beq_bne" | "blt_bge"
    );
    let other = l.name == "bltu_bgeu"
        || l.name.starts_with("csr")
        || l.name.starts_with("lr_")
        || l.name.starts_with("sc_")
        || l.name.starts_with("fence");
    !exit && !other && !is_elsewhere(l, xlen)
}

fn try_straight_lines(xlen: u8) {
    let Some(mut rig) = Rig::new(xlen) else {
        return;
    };
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x9abc_def1_1234_5678));
    let usable: Vec<(Kind, &Encoding)> = [Kind::Long, Kind::Short]
        .into_iter()
        .flat_map(|kind| kind.table().iter().map(move |l| (kind, l)))
        .filter(|(_, l)| is_usable(l, xlen))
        .collect();
    let (mut failures, mut compared) = (Vec::new(), 0);
    for _ in 0..4 * cases() {
        let length = 2 + r.below(20) as usize;
        let mut code = Vec::new();
        while code.len() < length {
            let (kind, line) = r.pick(&usable);
            let mut w = word(&mut r, kind, line);
            // Few registers, so that values meet.
            if kind == Kind::Long && r.below(2) == 0 && line.mask & 0xf80 == 0 {
                w = w & !0xf80 | (8 + r.below(8) as u32) << 7;
            }
            if is_own(xlen, kind, line, w) && skipped(xlen, kind, line, w).is_none() {
                code.push(w);
            }
        }
        let Some(case) = rig.place(&mut r, &code) else {
            rig = Rig::new(xlen).expect("there was one before");
            continue;
        };
        let mut regs = random_regs(&mut r, xlen, false);
        for reg in &mut regs[1..32] {
            if r.below(2) == 0 {
                *reg = u128::from(address(&mut r) & !7);
            }
        }
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&mut want);
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                continue;
            };
            forget_parts(&mut got);
            compared += 1;
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
    assert!(compared > cases(), "only {compared} lines were compared");
}

#[test]
fn straight_lines_of_64_bits_agree_with_unicorn() {
    try_straight_lines(64);
}

#[test]
fn straight_lines_of_32_bits_agree_with_unicorn() {
    try_straight_lines(32);
}
