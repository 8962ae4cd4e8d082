//! Condition flags at a fault: in the block that sets them, behind a branch, and behind other instructions.

use super::exempt::skipped;
use super::operands::{Words, random_regs};
use super::rig::Rig;
use crate::aarch64::table::{TABLE, find};
use crate::tests::fuzz::{Rng, cases, env_number, only, report};
use crate::tests::rig::Who;

/// `ldr x17, [x16]` and `str x17, [x16]`, where x16 leads nowhere.
const FAULTING: [u32; 2] = [0xf940_0211, 0xf900_0211];
const NOWHERE: u128 = 0x2000_0000;
/// What may stand between the flags and the fault: nothing, a branch to the next instruction (always, never or
/// by the flags), what needs registers, and a helper call.
const BETWEEN: [&[u32]; 8] = [
    &[],
    // b .+4
    &[0x1400_0001],
    // b.eq .+4
    &[0x5400_0020],
    // cbz x0, .+4
    &[0xb400_0020],
    // add x0, x1, x2; mov x3, #5; eor x19, x20, x0; b.lt .+4
    &[0x8b02_0020, 0xd280_00a3, 0xca00_0293, 0x5400_002b],
    // ldr q0, [sp]; ldr q1, [sp, #16]; ldr x5, [sp, #8]
    &[0x3dc0_03e0, 0x3dc0_07e1, 0xf940_07e5],
    // fadd d0, d1, d2; frecpe v3.4s, v4.4s
    &[0x1e62_2820, 0x4ea1_d883],
    // tbz x7, #3, .+4; bl .+4
    &[0x3618_0027, 0x9400_0001],
];
/// Behind it: what overwrites the flags, so that they are dead there unless the fault is thought of.
const BEHIND: u32 = 0xeb01_001f;

#[test]
fn flags_are_exact_at_faults() {
    let Some(mut rig) = Rig::new() else { return };
    let only = only();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x5eed_0f1a_9500_0001));
    let writes_flags = |name: &str| {
        [
            "adds_", "ands_", "adc", "rmif", "setf", "ccmp_", "cfinv", "xaflag", "axflag", "fcmp",
            "fccmp",
        ]
        .iter()
        .any(|p| name.starts_with(p))
    };
    let (mut failures, mut compared) = (Vec::new(), 0u64);
    for line in TABLE
        .iter()
        .filter(|l| writes_flags(l.name) && l.name.contains(&only))
    {
        let words = Words::new(line);
        for n in 0..cases() {
            let w = words.word(&mut r, n % words.opcodes());
            let own = find(w).is_some_and(|k| TABLE[k].name == line.name);
            if !own || skipped(w).is_some() || w & 31 == 16 && line.name != "fcmp" {
                continue;
            }
            let between = BETWEEN[n as usize / 2 % BETWEEN.len()];
            let mut code = vec![w];
            code.extend(between);
            code.push(FAULTING[n as usize % 2]);
            code.push(BEHIND);
            let Some(case) = rig.place(&mut r, &code) else {
                rig = Rig::new().expect("there was one before");
                continue;
            };
            let mut regs = random_regs(&mut r, 0);
            regs[16] = NOWHERE;
            let Some(want) = rig.observe(Who::Unicorn, &case, &regs) else {
                continue;
            };
            for who in Who::OURS {
                let Some(got) = rig.observe(who, &case, &regs) else {
                    continue;
                };
                compared += u64::from(want.class.starts_with("fault"));
                let text = rig.differences(&want, &got);
                if !text.is_empty() {
                    failures.push(format!(
                        "{} {w:08x} {between:x?} {who:?}: {text}",
                        line.name
                    ));
                }
            }
        }
    }
    assert!(
        compared > cases() || !only.is_empty(),
        "only {compared} faults"
    );
    report(&failures, compared);
}
