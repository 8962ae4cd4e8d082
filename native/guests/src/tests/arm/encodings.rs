//! Each line of the decode tables by itself, with conditions.

use super::exempt::{ELSEWHERE, UNALLOCATED};
use super::operands::{ALL, random_regs, word};
use super::rig::{Case, Rig, forget_parts};
use crate::arm::table::Encoding;
use crate::arm::{Arm, Kind, fptable};
use crate::tests::fuzz::{Rng, cases, env_number, only, report};
use crate::tests::rig::{RegFile, Who};

/// Where the base register of an access is.
fn base_of(kind: Kind, w: u32) -> Option<usize> {
    Some(match kind {
        Kind::T16 => match w >> 12 {
            5..=8 => (w >> 3 & 7) as usize,
            12 => (w >> 8 & 7) as usize,
            _ => 13,
        },
        _ => (w >> 16 & 15) as usize,
    })
}

/// The registers that an instruction which faults may have loaded before.
fn loaded(kind: Kind, line: &Encoding, w: u32) -> u32 {
    match (kind, line.name) {
        (Kind::A32, "ldm_stm") | (Kind::T32, "ldm_stm_ia" | "ldm_stm_db") => w & 0xffff,
        (Kind::T16, "ldm_stm" | "pop") => w & 0xff,
        (_, "extra_signed" | "ldrd_strd" | "ldrd_strd_post") => {
            let t = w >> 12 & 15;
            1 << t | 1 << (t + 1).min(15) | 1 << (w >> 8 & 15)
        }
        _ => 0,
    }
}

/// What is left open, or told apart by nobody.
fn skipped(kind: Kind, line: &Encoding, w: u32) -> bool {
    // Floating point and Advanced SIMD are `oracle`'s.
    ELSEWHERE.iter().any(|e| e.0 == line.name) || (kind == Kind::A32 && fptable::find(w).is_some())
}

/// Has a register number that most instructions leave open: the pc, in T32 also sp; or the same twice.
pub fn is_doubtful(kind: Kind, line: &Encoding, w: u32) -> bool {
    if kind == Kind::T16 {
        return line.name == "it";
    }
    let letters: Vec<char> = line.pattern.chars().filter(|c| *c != ' ').collect();
    let mut seen = Vec::new();
    let mut n = 0;
    while n + 4 <= 32 {
        let c = letters[n];
        let run = letters[n..].iter().take_while(|x| **x == c).count();
        if run == 4 && "dnmtuashlp".contains(c) {
            seen.push(w >> (28 - n) & 15);
        }
        n += run;
    }
    let twice = (0..seen.len()).any(|k| seen[..k].contains(&seen[k]));
    let odd = line.name == "extra_signed"
        || line.name == "msr_reg"
        || line.name == "ssat_usat"
        || line.name.starts_with("pc_")
        || line.name.starts_with("ldm_stm");
    twice
        || odd
        || seen
            .iter()
            .any(|&r| r == 15 || (kind == Kind::T32 && r == 13))
}

/// What comes before an instruction: IT in Thumb.
fn before(r: &mut Rng, kind: Kind) -> Option<u32> {
    if kind == Kind::A32 || r.below(3) != 0 {
        return None;
    }
    Some(0xbf08 | (r.below(14) as u32) << 4)
}

struct Line {
    kind: Kind,
    encoding: &'static Encoding,
}

fn try_line(rig: &mut Rig, r: &mut Rng, line: &Line, cases: u64, out: &mut Vec<String>) -> u64 {
    let (mut executed, mut tries) = (0, 0);
    let before_line = out.len();
    while executed < cases && tries < cases * 40 && out.len() < before_line + 6 {
        tries += 1;
        let (always, kind) = (r.below(2) == 0, line.kind);
        let w = word(r, kind, line.encoding, always);
        let own = kind
            .find(w)
            .is_some_and(|k| std::ptr::eq(&raw const kind.table()[k], line.encoding));
        // T16 that is the first half of a longer instruction, and the other way round.
        if !own || (kind == Kind::T16 && w >> 11 >= 29) || skipped(kind, line.encoding, w) {
            continue;
        }
        let thumb = kind != Kind::A32;
        let halves = [(w >> 16) as u16, w as u16];
        let bytes: Vec<u8> = match kind {
            Kind::T16 => (w as u16).to_le_bytes().to_vec(),
            Kind::T32 => halves.iter().flat_map(|h| h.to_le_bytes()).collect(),
            _ => w.to_le_bytes().to_vec(),
        };
        let d = Arm::of(ALL, false, false).decode(u64::from(thumb), &bytes, 0);
        if d.kind != kind {
            continue;
        }
        let it = before(r, kind);
        let code: Vec<u32> = it.into_iter().chain([w]).collect();
        let Some(case) = rig.place(r, thumb, &code) else {
            *rig = Rig::new().expect("there was one before");
            continue;
        };
        let mut regs = random_regs(r);
        move_base(rig, r, &case, &mut regs, base_of(kind, w));
        let parts = loaded(kind, line.encoding, w);
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&mut want, parts);
        let mut compared = true;
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                compared = false;
                continue;
            };
            forget_parts(&mut got, parts);
            // Unicorn does not enforce alignment.
            if got.class.ends_with(" true") {
                compared = false;
                continue;
            }
            if got.class == "undefined" && want.class != "undefined" {
                let open = it.is_some() && matches!(line.encoding.flags, 'u' | 'b' | 'r');
                if open || is_doubtful(kind, line.encoding, w) {
                    compared = false;
                    continue;
                }
            }
            let text = rig.differences(&want, &got);
            if !text.is_empty() {
                let it = it.map_or(String::new(), |w| format!("{w:04x} "));
                let name = line.encoding.name;
                out.push(format!("{kind:?} {name} {it}{w:08x} {who:?}: {text}"));
            }
        }
        if compared && (want.class != "undefined" || line.encoding.name == UNALLOCATED) {
            executed += 1;
        }
    }
    executed
}

/// Most addresses would be nowhere: moves the base to where this one leads into the data.
fn move_base(rig: &mut Rig, r: &mut Rng, case: &Case, regs: &mut RegFile, base: Option<usize>) {
    if let Some(n) = base.filter(|&n| n < 15)
        && r.below(4) != 0
        && let Some(at) = rig.fault_address(case, regs)
    {
        let base = regs[n] as u32;
        let to = r.address32().wrapping_sub(at as u32);
        regs[n] = u128::from(base.wrapping_add(to));
    }
}

fn try_lines(kind: Kind, part: fn(&Encoding) -> bool) {
    let Some(mut rig) = Rig::new() else { return };
    let only = only();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x1234_5678_9abc_def1));
    let (mut failures, mut thin, mut total) = (Vec::new(), Vec::new(), 0);
    for encoding in kind.table() {
        if !part(encoding) || !encoding.name.contains(&only) {
            continue;
        }
        let line = Line { kind, encoding };
        let executed = try_line(&mut rig, &mut r, &line, cases(), &mut failures);
        total += executed;
        if executed < cases() && !ELSEWHERE.iter().any(|e| e.0 == encoding.name) {
            thin.push(format!("{}: {executed}", encoding.name));
        }
    }
    report(&failures, total);
    assert!(
        thin.is_empty(),
        "{kind:?}: lines with fewer than {} cases that were compared, and not in ELSEWHERE: {}",
        cases(),
        thin.join(", ")
    );
}

#[test]
fn a32_agrees_with_unicorn() {
    try_lines(Kind::A32, |_| true);
}

#[test]
fn t32_agrees_with_unicorn() {
    try_lines(Kind::T32, |_| true);
}

#[test]
fn t16_agrees_with_unicorn() {
    try_lines(Kind::T16, |_| true);
}
