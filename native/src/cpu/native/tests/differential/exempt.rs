//! What Unicorn cannot judge.

use crate::guest::aarch64::table::{TABLE, find};

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
];

/// Why an instruction is not compared with Unicorn.
pub fn skipped(bits: u32) -> Option<&'static str> {
    let name = find(bits).map_or("", |n| TABLE[n].name);
    match name {
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
        // Smaller than 64 bits: unicorn compares without sign (qemu-aarch64 7.2 agrees with us).
        "ldadd" if matches!(bits >> 12 & 7, 4 | 5) && bits >> 30 != 3 => {
            Some("signed minimum and maximum")
        }
        _ => None,
    }
}
