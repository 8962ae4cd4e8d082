//! Each line of the decode table by itself.

use super::exempt::{ELSEWHERE, skipped};
use super::operands::{Words, random_fpcr, random_regs};
use super::rig::{self, Rig};
use crate::aarch64::table::{Encoding, TABLE, find};
use crate::aarch64::{AArch64, BIG, LITTLE};
use crate::tests::fuzz::{Rng, cases, env_number, only, report};
use crate::tests::rig::{Case, Outcome, Who};

/// What is known of one opcode of a line.
#[derive(Clone, Copy, Default)]
struct Opcode {
    executed: u64,
    /// Undefined, not compared, or another line's.
    other: u64,
}

/// How often an opcode may turn out to be of no use before it is left alone.
const PATIENCE: u64 = 40;

/// A load that makes an exclusive store succeed: the same address and size.
fn before(line: &Encoding, w: u32) -> Option<u32> {
    match line.name {
        // LDXR x17: the status register is that of no operand.
        "stxr" => Some(0x085f_7c00 | (w & 0xc000_03e0) | 17),
        "stxp" => Some(0x887f_4400 | (w & 0x4000_03e0) | 16),
        _ => None,
    }
}

/// Register choices that the architecture leaves open (CONSTRAINED UNPREDICTABLE).
fn is_unpredictable(line: &Encoding, w: u32) -> bool {
    let (s, t, n, t2) = (w >> 16 & 31, w & 31, w >> 5 & 31, w >> 10 & 31);
    match line.name {
        "stxr" => s == t || s == n || n == 17 || n == 16,
        "stxp" => s == t || s == t2 || s == n || n == 17 || n == 16,
        "ldxp" => t == t2,
        _ => false,
    }
}

/// Compares until `cases` instructions of a line were executed, its opcodes taking turns. Returns how many.
fn try_line(rig: &mut Rig, r: &mut Rng, line: &Encoding, cases: u64, out: &mut Vec<String>) -> u64 {
    let words = Words::new(line);
    let mut opcodes = vec![Opcode::default(); words.opcodes() as usize];
    let in_memory = is_memory(line);
    let (mut executed, mut n, mut usable) = (0, 0, opcodes.len() as u64);
    // An opcode of many gets its share of them all, in a long run as many as a line.
    while executed < cases.max(usable * cases / 50) {
        if usable == 0 || out.len() > 200 {
            break;
        }
        n = (n + 1) % opcodes.len();
        let o = opcodes[n];
        if o.other >= PATIENCE * (o.executed + 1) {
            continue;
        }
        let w = words.word(r, n as u64);
        opcodes[n].other += 1;
        if opcodes[n].other >= PATIENCE * (o.executed + 1) {
            usable -= 1;
        }
        let own = find(w).is_some_and(|k| TABLE[k].name == line.name);
        if !own || skipped(w).is_some() || is_unpredictable(line, w) {
            continue;
        }
        let code: Vec<u32> = before(line, w).into_iter().chain([w]).collect();
        let Some(case) = rig.place(r, &code) else {
            *rig = rig.again();
            continue;
        };
        let fpcr = random_fpcr(r, w);
        let mut regs = random_regs(r, fpcr);
        if in_memory && r.below(4) != 0 {
            // Most addresses would be nowhere: move the base to where this one leads into the data.
            let rn = (w >> 5 & 31) as usize;
            if let Some(at) = rig.fault_address(&case, &regs) {
                let base = regs[rn] as u64;
                regs[rn] = u128::from(base.wrapping_add(r.address()).wrapping_sub(at));
            }
        }
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&case, &mut want);
        forget_half(rig.guest, w, &mut want);
        let mut compared = true;
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                compared = false;
                continue;
            };
            forget_parts(&case, &mut got);
            forget_half(rig.guest, w, &mut got);
            let text = rig.differences(&want, &got);
            if !text.is_empty() {
                out.push(format!("{} {w:08x} {who:?}: {text}", line.name));
            }
        }
        if compared && want.class != "undefined" {
            if opcodes[n].other >= PATIENCE * (o.executed + 1) {
                usable += 1;
            }
            opcodes[n].executed += 1;
            opcodes[n].other -= 1;
            executed += 1;
        }
    }
    executed
}

/// How an access is not single-copy atomic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    /// Of general registers, or of one vector register.
    Plain,
    /// Of several vector registers, one by one.
    Structure,
}

/// Whether the parts of an access are left open if it faults in its midst.
fn parts(w: u32) -> Option<Parts> {
    let name = find(w).map_or("", |k| TABLE[k].name);
    let pair = name == "ldst_pair";
    if name.starts_with("simd_ld") || (pair && w >> 26 & 1 == 1) {
        Some(Parts::Structure)
    } else {
        (pair || is_quad(w)).then_some(Parts::Plain)
    }
}

/// Forgets what an access that faults in its midst leaves open.
pub fn forget_parts(case: &Case, o: &mut Outcome) {
    let n = (o.regs[32] as u64).wrapping_sub(case.pc) / 4;
    if let Some(&w) = case.words.get(n as usize)
        && let Some(parts) = parts(w)
    {
        rig::forget_parts(o, parts == Parts::Structure);
    }
}

/// Forgets which half of a 128-bit register faults: QEMU 5 accesses the one at the higher address first where data are
/// big-endian.
fn forget_half(guest: &AArch64, w: u32, o: &mut Outcome) {
    // LDP, STP and their like of them: V set, opc 2.
    let pair = w >> 30 == 2 && w >> 25 & 31 == 0b10110;
    if guest.big_data && (is_quad(w) || pair) && o.class.starts_with("fault") {
        o.class = "fault".into();
    }
}

/// A load or store of one 128-bit register: opc<1> and V are set, size is 0.
fn is_quad(w: u32) -> bool {
    w >> 24 & 0x3e == 0x3c && w >> 30 == 0 && w >> 23 & 1 == 1
}

/// All lines of a part of the table.
fn try_lines(guest: &'static AArch64, part: fn(&Encoding) -> bool) {
    let Some(mut rig) = Rig::of(guest) else {
        return;
    };
    let only = only();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x1234_5678_9abc_def1));
    let (mut failures, mut thin, mut total) = (Vec::new(), Vec::new(), 0);
    for line in TABLE.iter().filter(|l| part(l) && l.name.contains(&only)) {
        let executed = try_line(&mut rig, &mut r, line, cases(), &mut failures);
        total += executed;
        if executed < cases() && !ELSEWHERE.iter().any(|e| e.0 == line.name) {
            thin.push(format!("{}: {executed}", line.name));
        }
    }
    report(&failures, total);
    assert!(
        thin.is_empty(),
        "lines with fewer than {} cases that were compared, and not in ELSEWHERE: {}",
        cases(),
        thin.join(", ")
    );
}

/// Loads and stores have op0 = x1x0 (Arm ARM C4.1).
fn is_memory(l: &Encoding) -> bool {
    l.value >> 25 & 5 == 4
}

/// Floating point and Advanced SIMD have op0 = x111.
pub fn is_vector(l: &Encoding) -> bool {
    l.value >> 25 & 7 == 7
}

#[test]
fn general_instructions_agree_with_unicorn() {
    try_lines(&LITTLE, |l| !is_memory(l) && !is_vector(l));
}

#[test]
fn memory_instructions_agree_with_unicorn() {
    try_lines(&LITTLE, is_memory);
}

#[test]
fn big_endian_memory_instructions_agree_with_unicorn() {
    try_lines(&BIG, is_memory);
}

#[test]
fn vector_instructions_agree_with_unicorn() {
    try_lines(&LITTLE, is_vector);
}

#[test]
fn what_is_judged_elsewhere_is_in_the_table() {
    for (name, by) in ELSEWHERE {
        assert!(TABLE.iter().any(|l| l.name == *name), "{name}");
        assert!(by.contains(".rs") || by.contains(".c"), "{name}: {by}");
    }
}
