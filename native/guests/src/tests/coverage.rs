//! The coverage tables of the documentation, generated from the decode tables.

use crate::aarch64::insn::Insn;
use crate::aarch64::table::{Lifters, TABLE, find};
use crate::guest::Lift;
use crate::ir::build::IrBuilder;
use std::fmt::Write;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// What becomes of random instructions of a line: lifted, for the fallback core, undefined.
fn sample(n: usize) -> [u32; 3] {
    let e = &TABLE[n];
    let mut seed = 0x9e37_79b9_7f4a_7c15u64 ^ n as u64;
    let mut out = [0; 3];
    for _ in 0..4000 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = ((seed >> 32) as u32 & !e.mask) | e.value;
        if find(bits) != Some(n) {
            continue;
        }
        let mut b = IrBuilder::new(crate::aarch64::insn::LAYOUT, true);
        b.start_insn(0x1000);
        let lift = Lifters::<IrBuilder>::ALL[n](
            &mut b,
            Insn {
                bits,
                pc: 0x1000,
                mode: 0,
                features: crate::aarch64::features::USUAL.and(crate::aarch64::features::MTE),
            },
        );
        out[match lift {
            Lift::Next | Lift::End => 0,
            Lift::Unlifted => 1,
            Lift::Undefined => 2,
        }] += 1;
    }
    out
}

fn table() -> String {
    let mut t = String::from(
        "# AArch64 coverage of the native core\n\n\
         Generated from the decode table (`QUSR_WRITE_DOCS=1 cargo test -p qusr-guests coverage`); a test\n\
         fails when it is out of date. What no line matches goes to the fallback core, which executes it or\n\
         finds it undefined.\n\n\
         | encoding | bits 31-0 | by the native core | by the fallback core |\n|---|---|---|---|\n",
    );
    for (n, e) in TABLE.iter().enumerate() {
        let [lifted, fallback, undefined] = sample(n);
        let own = match (lifted, undefined) {
            (0, _) => "-",
            (_, 0) => "all",
            _ => "the allocated ones",
        };
        let other = match fallback {
            0 => "-",
            _ if lifted == 0 => "all",
            _ => "some forms",
        };
        let _ = writeln!(t, "| {} | `{}` | {own} | {other} |", e.name, e.pattern);
    }
    t + &vectors()
}

/// SVE's and SVE2's lines, and which have code of their own.
fn vectors() -> String {
    use crate::aarch64::sve::{is_inline, table};
    use crate::aarch64::{MODE_QUADS, MODE_VECTORS, features};
    let mut t = String::from(
        "\n## SVE, SVE2\n\n\
         All of these are lifted. Inline: with vectors of up to 256 bits there is code of the host for it (of some forms:\n\
         for some sizes of elements, or operations of the line); the others, and all with longer vectors, are calls of\n\
         helpers, loads and stores the interpreter's.\n\n\
         | encoding | bits 31-0 | needs | inline |\n|---|---|---|---|\n",
    );
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for (group, g) in table::GROUPS.iter().enumerate() {
        for (n, e) in g.lines.iter().enumerate() {
            let mut counts = [0; 2];
            for _ in 0..2000 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let bits = ((seed >> 32) as u32 & !e.mask) | e.value;
                if table::find(bits) != Some((group, n)) {
                    continue;
                }
                let mut b = IrBuilder::new(crate::aarch64::insn::LAYOUT, true);
                b.start_insn(0x1000);
                let i = Insn {
                    bits,
                    pc: 0x1000,
                    mode: MODE_VECTORS | 1 << MODE_QUADS,
                    features: features::ALL_SVE,
                };
                counts[usize::from(is_inline(&mut b, i))] += 1;
            }
            let inline = match counts {
                [_, 0] => "-",
                [0, _] => "yes",
                _ => "some forms",
            };
            let need = features::name(e.need);
            let _ = writeln!(t, "| {} | `{}` | {need} | {inline} |", e.name, e.pattern);
        }
    }
    t
}

/// RISC-V's: no line has forms for the fallback core, so what is told is who has an encoding.
fn riscv_table() -> String {
    use crate::riscv::Kind;
    use crate::riscv::features;
    let mut t = String::from(
        "# RISC-V coverage of the native core\n\n\
         Generated from the decode tables (`QUSR_WRITE_DOCS=1 cargo test -p qusr-guests coverage`); a test\n\
         fails when it is out of date. Whatever no line matches, or only lines of extensions that the processor lacks, is\n\
         undefined; so are reserved forms of a line. Not there: the seed (Zkr), which Linux does not let programs read.\n\n\
         | encoding | bits | extensions | RV64 | RV32 |\n|---|---|---|---|---|\n",
    );
    for kind in [Kind::Long, Kind::Short] {
        for e in kind.table() {
            let has = |xlen| {
                if features::by_names(&[], xlen).contains(e.need) {
                    "yes"
                } else {
                    "-"
                }
            };
            let names = features::names(e.need).join(" ");
            let names = if names.is_empty() { "i" } else { &names };
            let _ = writeln!(
                t,
                "| {} | `{}` | {names} | {} | {} |",
                e.name,
                e.pattern,
                has(64),
                has(32)
            );
        }
    }
    t
}

/// MIPS': as RISC-V's, by processors of release 2 and of release 6 with 64 and with 32 bits.
fn mips_table() -> String {
    use crate::mips::features;
    let mut t = String::from(
        "# MIPS coverage of the native core\n\n\
         Generated from the decode table (`QUSR_WRITE_DOCS=1 cargo test -p qusr-guests coverage`); a test\n\
         fails when it is out of date. Whatever no line matches, or only lines that the processor lacks, is undefined; so are\n\
         reserved forms of a line. Not there: MIPS16, microMIPS, DSP, MSA, MIPS-3D, Loongson's own instructions.\n\n\
         | encoding | bits | needs | 64, R2 | 32, R2 | 64, R6 | 32, R6 |\n|---|---|---|---|---|---|---|\n",
    );
    let processors = [(true, "r2"), (false, "r2"), (true, "r6"), (false, "r6")];
    for e in crate::mips::table::TABLE {
        let has = processors.map(|(wide, release)| {
            let names = [release.into(), "ps".into()];
            if features::by_names(&names, wide).contains(e.need) {
                "yes"
            } else {
                "-"
            }
        });
        let names = features::names(e.need).join(", ");
        let _ = writeln!(
            t,
            "| {} | `{}` | {names} | {} |",
            e.name,
            e.pattern,
            has.join(" | ")
        );
    }
    t
}

#[test]
fn the_coverage_tables_are_up_to_date() {
    let tables = [
        ("aarch64", table()),
        ("riscv", riscv_table()),
        ("mips", mips_table()),
    ];
    for (name, now) in tables {
        let path = format!("{DOCS}/{name}-coverage.md");
        if std::env::var_os("QUSR_WRITE_DOCS").is_some() {
            std::fs::write(&path, &now).expect("docs can be written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == now,
            "docs/{name}-coverage.md is out of date: QUSR_WRITE_DOCS=1 cargo test -p qusr-guests coverage"
        );
    }
}
