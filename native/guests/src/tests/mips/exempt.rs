//! What Unicorn cannot judge.

use crate::mips::table::Encoding;

/// Why a word is not compared.
pub fn skipped(line: &Encoding, w: u32) -> bool {
    match line.name {
        // A jump by the register that it links with cannot be begun again.
        "jalr" => w >> 21 & 31 == w >> 11 & 31,
        "bltzal_bgezal" | "bltzall_bgezall" => w >> 21 & 31 == 31,
        // Fields that have to be 0, which processors need not look at.
        "movf_movt" | "fmovf_fmovt" | "movf_ps_movt_ps" => w >> 17 & 1 != 0,
        // Registers of pairs that are not there, and what is written twice.
        _ => false,
    }
}

/// Lines of which too little is compared here, and who else looks at them.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("syscall", "a way into the kernel: each program"),
    ("break", "stops before anything is compared: testbins/c/mips"),
    (
        "sc",
        "here without a reservation, which Unicorn does not keep from step to step: testbins/c/threads/atomics.c",
    ),
    ("scd", "the same"),
    ("sc_r6", "the same"),
    ("scd_r6", "the same"),
];
