//! What Unicorn cannot judge.

use crate::mips::table::Encoding;

use super::rig::Kind;

/// Whether a word is left out.
pub fn skipped(kind: Kind, line: &Encoding, w: u32) -> bool {
    let field = |from: u32| w >> from & 31;
    // Of pairs that are not there Unicorn takes others; the manual leaves it open.
    let odd = !kind.is_wide && w >> 21 & 1 != 0 && (field(11) | field(6)) & 1 != 0;
    match line.name {
        // What is never taken Unicorn executes as a NOP, and the next instruction as one of its own.
        "beq_bne" => w >> 26 & 1 != 0 && field(21) == field(16),
        "blez_bgtz" | "bltz_bgez" => field(21) == 0,
        // The register that is linked with is no operand.
        // JIC of a number: to code of MIPS16 or microMIPS, if that is odd.
        "beqzc_bnezc" => w & 0x03ff_0000 == 0 && w & 3 != 0,
        "bgec_bltc_al" => field(16) == 31,
        // BOVC and BNVC of register 0 twice Unicorn takes for forms that link.
        "beqc" | "bnec" => field(16) == 31 || field(16) | field(21) == 0,
        // A jump by the register that it links with cannot be begun again.
        "jalr" => field(21) == field(11),
        "bltzal_bgezal" | "bltzall_bgezall" => field(21) == 31,
        "fmovf_fmovt" | "fmovz_fmovn" | "fabs" | "fmov_fneg" => odd,
        // The first of two conditions has an even number.
        "movf_ps_movt_ps" => w >> 18 & 1 != 0,
        "c_cond_ps" => w >> 8 & 1 != 0,
        // FIR has MIPS-3D there.
        "cfc1" => field(11) == 0,
        _ => false,
    }
}

/// Operations of 32 bits whose operands have to be such in registers of 64, or else what comes out is open.
pub fn wants_words(line: &Encoding) -> bool {
    matches!(
        line.name,
        "sra"
            | "srav"
            | "add_sub"
            | "madd_maddu"
            | "msub_msubu"
            | "mult_multu"
            | "div_divu"
            | "addi"
            | "mul_muh"
            | "div_mod"
            | "mul"
    )
}

/// Behind a compact branch Unicorn executes another instruction with it.
pub fn is_compact(line: &Encoding) -> bool {
    matches!(
        line.name,
        "bgec_bltc" | "bgec_bltc_al" | "beqc" | "bnec" | "bc_balc" | "beqzc_bnezc"
    )
}

/// Lines of which too little is compared here, and who else looks at them.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("round_l", "for registers of 64 bits: mips64el"),
    ("luxc1", "the same"),
    ("suxc1", "the same"),
    ("syscall", "a way into the kernel: each program"),
    (
        "break",
        "stops before anything is compared: testbins/c/mips",
    ),
    (
        "sc",
        "here without a reservation, which Unicorn does not keep from step to step: testbins/c/threads/atomics.c",
    ),
    ("scd", "the same"),
    (
        "addiupc",
        "undefined for Unicorn 2.1.4; `pc_relative_as_the_manual_says`",
    ),
    ("lwpc", "the same"),
    ("lwupc", "the same"),
    ("ldpc", "the same"),
    ("auipc_aluipc", "the same"),
    ("sc_r6", "the same as sc"),
    ("scd_r6", "the same"),
];
