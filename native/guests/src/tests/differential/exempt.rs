//! What Unicorn cannot judge.

use crate::aarch64::table::{TABLE, find};

/// Lines of the table of which too little is compared here, and who else looks at them.
pub const ELSEWHERE: &[(&str, &str)] = &[
    (
        "mrs",
        "FPCR, FPSR, NZCV, TPIDR_EL0 here; ID registers, counters: testbins/c/cpu/hwcap.c",
    ),
    (
        "msr",
        "FPCR, FPSR, NZCV, TPIDR_EL0 here; DIT, SSBS: testbins/c/cpu/hwcap.c",
    ),
    ("sys", "DC ZVA, IC IVAU, DC CVAU: behaviour.rs"),
    ("brk", "behaviour.rs; stops before anything is compared"),
    ("bc_cond", NEWER),
    ("cmp_branch", NEWER),
    ("abs", NEWER),
    ("extreme", NEWER),
    ("extreme_imm", NEWER),
    ("pauth_one", NEWER),
    ("xpac", NEWER),
    ("pacga", NEWER),
    ("br_auth", NEWER),
    ("ldr_auth", NEWER),
    ("wait_time", NEWER),
    ("msr_imm", NEWER),
    ("mops_set", NEWER),
    ("mops_copy", NEWER),
    ("lse128", NEWER),
    ("addg", NEWER),
    ("subp", NEWER),
    ("subps", NEWER),
    ("irg", NEWER),
    ("gmi", NEWER),
    ("ldst_tags", TAGS),
    ("stgp", TAGS),
];

/// Those that came after Unicorn.
const NEWER: &str = "oracle/aarch64.rs";

/// A program that newer qemu has run, too.
const TAGS: &str = "tests/mte/program.c";

/// Why an instruction is not compared with Unicorn.
pub fn skipped(bits: u32) -> Option<&'static str> {
    let name = find(bits).map_or("", |n| TABLE[n].name);
    match name {
        name if ELSEWHERE.contains(&(name, NEWER)) || ELSEWHERE.contains(&(name, TAGS)) => {
            Some("Unicorn does not know it")
        }
        "one_source" if bits >> 10 & 63 >= 6 => Some("CTZ, CNT: oracle/aarch64.rs"),
        "mrs" | "msr" if !matches!(bits >> 5 & 0xffff, 0xda10 | 0xda20 | 0xda21 | 0xde82) => {
            Some("ID registers, counters: unicorn has a whole system's")
        }
        "hint" if bits >> 5 & 0x7f >= 4 => {
            Some("pointer authentication, WFE, SEV: no-ops in this profile")
        }
        "sys" => Some("unicorn has no user-mode cache maintenance"),
        "simd_mod_imm" if bits & 0x2000_f800 == 0x2000_f800 => {
            Some("reserved (op and o2 set); QEMU 5 takes it for FMOV")
        }
        "simd_across" | "simd_pair_scalar"
            if matches!(bits >> 12 & 0xf, 0xc..=0xf)
                && bits >> 29 & 1 == 0
                && bits >> 22 & 1 == 1 =>
        {
            Some("reserved (double with U clear); QEMU 5 takes it for half precision")
        }
        "simd_extra" if matches!(bits >> 11 & 15, 3..=5 | 13 | 15) => {
            Some("I8MM, BF16: QEMU 5 has none; testbins/c/cpu/matrix.c")
        }
        "simd_element" if bits & 0x6000_9400 == 0x2000_1000 && bits >> 30 & 1 == 0 => {
            Some("FCMLA of D registers: QEMU 5 raises the upper half's exceptions too")
        }
        "simd_element" if bits >> 12 & 15 == 15 && bits >> 29 & 1 == 0 => {
            Some("I8MM, BF16: testbins/c/cpu/matrix.c")
        }
        "fp_one_source" if bits >> 15 & 0x3f == 6 && bits >> 22 & 3 == 1 => {
            Some("BFCVT: testbins/c/cpu/matrix.c")
        }
        "simd_two_misc"
            if bits >> 12 & 31 == 0x16 && bits >> 29 & 1 == 0 && bits >> 23 & 1 == 1 =>
        {
            Some("BFCVTN: testbins/c/cpu/matrix.c")
        }
        "simd_shift_scalar"
            if bits >> 11 & 31 == 0x1f && bits >> 20 & 7 == 1 && bits >> 29 & 1 == 0 =>
        {
            Some("FCVTZS of half precision: QEMU writes 32 bits of it")
        }
        // By U, a and opcode.
        "simd_three_half" | "simd_three_half_s"
            if 0x75fd_c7dfu32
                >> ((bits >> 29 & 1) << 4 | (bits >> 23 & 1) << 3 | bits >> 11 & 7)
                & 1
                == 0 =>
        {
            Some("reserved; QEMU 5 aborts")
        }
        "simd_misc_half" | "simd_misc_half_s"
            if (bits & 0x00ff_f000 == 0x00f9_f000 && bits & 0x3000_0000 != 0x1000_0000)
                || bits & 0x10ff_f000 == 0x10f8_f000 =>
        {
            Some(
                "FSQRT, and reserved ones in its place or that of FABS: unicorn aborts; testbins/c/cpu/matrix.c",
            )
        }
        "simd_misc_half" | "simd_misc_half_s"
            if !matches!(
                (bits >> 29 & 1) << 6 | (bits >> 23 & 1) << 5 | bits >> 12 & 31,
                0x18..=0x1d
                    | 0x2c..=0x2f
                    | 0x38..=0x3b
                    | 0x3d
                    | 0x3f
                    | 0x58..=0x5d
                    | 0x6c
                    | 0x6d
                    | 0x6f
                    | 0x79..=0x7b
                    | 0x7d
                    | 0x7f
            ) =>
        {
            Some("reserved; QEMU 5 aborts")
        }
        // Smaller than 64 bits: unicorn compares without sign (qemu-aarch64 7.2 agrees with us).
        "ldadd" if matches!(bits >> 12 & 7, 4 | 5) && bits >> 30 != 3 => {
            Some("signed minimum and maximum")
        }
        _ => None,
    }
}
