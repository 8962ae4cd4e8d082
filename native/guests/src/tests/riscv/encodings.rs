//! Each line of the decode tables by itself.

use super::exempt::{ELSEWHERE, is_computing, is_elsewhere, skipped, unicorns};
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

/// What Unicorn can judge of floating point although it knows of no boxes: singles that are in theirs, of which results
/// are compared without. Minimum and maximum of signalling NaNs it has otherwise.
fn settle_floats(encoding: &Encoding, w: u32, regs: &mut RegFile) -> bool {
    let single = encoding.name.ends_with("_s");
    if single {
        regs[33..65]
            .iter_mut()
            .for_each(|f| *f |= 0xffff_ffff << 32);
    }
    let signals = |n: u32| {
        let v = regs[33 + (n & 31) as usize] as u64;
        let (abs, least, quiet) = if single {
            (v & 0x7fff_ffff, 0x7f80_0001, 0x7fc0_0000)
        } else {
            (v & !(1 << 63), (0x7ff << 52) + 1, 0xfff << 51)
        };
        (least..quiet).contains(&abs)
    };
    !(encoding.name.starts_with("fmin") && (signals(w >> 15) || signals(w >> 20)))
}

/// Forgets the boxes around singles.
fn forget_boxes(encoding: &Encoding, o: &mut Outcome) {
    let name = encoding.name;
    let single = name.ends_with("_s") && name != "fcvt_d_s";
    if single || name.starts_with("fcvt_s_") || name == "fmv_w_x" {
        o.regs[33..65].iter_mut().for_each(|f| *f &= 0xffff_ffff);
    }
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
        if is_computing(encoding) && !settle_floats(encoding, w, &mut regs) {
            continue;
        }
        if let Some(base) = base_of(kind, encoding, w) {
            move_base(rig, r, &case, &mut regs, base);
        }
        let Some(mut want) = rig.observe(Who::Unicorn, &case, &regs) else {
            continue;
        };
        forget_parts(&mut want);
        forget_boxes(encoding, &mut want);
        let mut compared = true;
        for who in Who::OURS {
            let Some(mut got) = rig.observe(who, &case, &regs) else {
                compared = false;
                continue;
            };
            forget_parts(&mut got);
            forget_boxes(encoding, &mut got);
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

fn try_lines(xlen: u8, kind: Kind, part: fn(&Encoding, u8) -> bool) {
    let Some(mut rig) = Rig::new(xlen) else {
        return;
    };
    let only = only();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x1234_5678_9abc_def1));
    let (mut failures, mut thin, mut total) = (Vec::new(), Vec::new(), 0);
    for encoding in kind.table() {
        if !encoding.name.contains(&only) || !part(encoding, xlen) {
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

fn is_here(line: &Encoding, xlen: u8) -> bool {
    !is_elsewhere(line, xlen)
}

/// Those of 64 bits are `tests::oracle`'s.
#[test]
fn floats_of_32_bits_agree_with_unicorn() {
    try_lines(32, Kind::Long, |l, xlen| {
        is_computing(l) && unicorns(xlen).contains(l.need)
    });
}

#[test]
fn long_instructions_of_64_bits_agree_with_unicorn() {
    try_lines(64, Kind::Long, is_here);
}

#[test]
fn long_instructions_of_32_bits_agree_with_unicorn() {
    try_lines(32, Kind::Long, is_here);
}

#[test]
fn short_instructions_of_64_bits_agree_with_unicorn() {
    try_lines(64, Kind::Short, is_here);
}

#[test]
fn short_instructions_of_32_bits_agree_with_unicorn() {
    try_lines(32, Kind::Short, is_here);
}
