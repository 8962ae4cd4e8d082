//! What Unicorn cannot judge.

use super::rig::guest;
use crate::riscv::Kind;
use crate::riscv::features::{self, Features};
use crate::riscv::table::Encoding;

/// What Unicorn's processors have.
fn unicorns(xlen: u8) -> Features {
    let names = ["m", "a", "f", "d", "c"].map(String::from);
    features::by_names(&names, xlen)
}

/// A line is of the other word size, or `tests::oracle` looks at it: extensions, and floating point. Unicorn knows of no boxes
/// of narrower numbers, and has the minimum and maximum of signalling NaNs as of before F 2.2.
pub fn is_elsewhere(line: &Encoding, xlen: u8) -> bool {
    !unicorns(xlen).contains(line.need) || is_computing(line)
}

/// Floating point but for loads and stores: MADD ... NMADD, OP-FP.
pub fn is_computing(line: &Encoding) -> bool {
    line.value & 3 == 3 && matches!(line.value >> 2 & 31, 16..=20)
}

/// Lines of which too little is compared here, and who else looks at them.
pub const ELSEWHERE: &[(&str, &str)] = &[
    (
        "c_illegal",
        "nothing but undefined: testbins/c/riscv/user_level.c",
    ),
    ("ecall", "a way into the kernel: each program"),
    (
        "ebreak",
        "stops before anything is compared: testbins/c/riscv/user_level.c",
    ),
    ("c_ebreak", "the same"),
    (
        "sc_w",
        "here without a reservation, which Unicorn does not keep from step to step: testbins/c/threads/atomics.c",
    ),
    ("sc_d", "the same"),
    ("fence_i", "testbins/c/riscv/user_level.c"),
];

/// Why an instruction is not compared with Unicorn.
pub fn skipped(xlen: u8, kind: Kind, line: &Encoding, w: u32) -> Option<&'static str> {
    let long = kind == Kind::Long;
    match line.name {
        n if !n.starts_with("sc_") && ELSEWHERE.iter().any(|e| e.0 == n) => {
            Some("judged elsewhere")
        }
        // Those of a system with more privileges, and counters.
        n if long && n.starts_with("csr") && !matches!(w >> 20, 1..=3) => {
            Some("system registers: testbins/c/riscv/user_level.c")
        }
        // Amounts of 32 and more, with 32 bits: reserved. QEMU 5 shifts.
        "c_slli" | "c_srli_srai" if xlen == 32 && w & 0x1000 != 0 => {
            Some("undefined: compressed.rs")
        }
        _ => None,
    }
}

#[test]
fn exempt_lines_exist() {
    let all = |n: &str| {
        [Kind::Long, Kind::Short]
            .into_iter()
            .flat_map(|k| k.table())
            .any(|l| l.name == n)
    };
    for (name, by) in ELSEWHERE {
        assert!(all(name), "no line {name}");
        assert!(!by.is_empty());
    }
    for xlen in [32, 64] {
        assert_eq!(guest(xlen).xlen, xlen);
    }
}
