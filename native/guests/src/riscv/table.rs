//! The decode table of the instructions of 32 bits; `short` has those of 16.
//!
//! A line is a name, a pattern, a lifter, and the features that it needs. Where a processor lacks one, a later line may
//! match: an encoding may stand for one thing with 32 and for another with 64 bits.

use super::features::{
    A, A64, D, D32, D64, F, F64, Features, I, M, M64, RV32, RV64, ZABHA, ZACAS, ZAWRS, ZBA, ZBA64,
    ZBB, ZBB32, ZBB64, ZBC, ZBS, ZBS32, ZBS64, ZFA, ZFH, ZFH_MIN, ZICBOM, ZICBOZ, ZICOND, ZIMOP,
};
use super::{atomic, bits, branch, csr, fp, int, mem};
use crate::decode::Fields;

/// One encoding.
pub struct Encoding {
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests and coverage tables"))]
    pub name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "as above"))]
    pub pattern: &'static str,
    pub mask: u32,
    pub value: u32,
    pub need: Features,
}

/// Makes a table of lines of `$size` bits, sorted by the fields `$fields`, and `find_for`.
macro_rules! encodings {
    ($size:literal, $fields:expr; $($name:ident $pattern:literal $path:path, $need:expr;)*) => {
        $crate::decode::table! {
            riscv, $size, $fields;
            $($name $pattern $path { need: $need })*
        }

        /// The line for an instruction on a processor with these features.
        #[must_use]
        #[inline]
        pub fn find_for(bits: u32, features: $crate::riscv::features::Features) -> Option<usize> {
            let has = |&n: &usize| features.contains(TABLE[n].need);
            find(bits).filter(has).or_else(|| INDEX.find_where(FIELDS, bits, has))
        }
    };
}

pub(super) use encodings;

const ZFH64: Features = RV64.and(ZFH);
const ZFA_D: Features = ZFA.and(D);
const ZFA_H: Features = ZFA.and(ZFH);
const ZFA_D32: Features = ZFA.and(D32);
const ZACAS64: Features = RV64.and(ZACAS);
const ZACAS32: Features = RV32.and(ZACAS);
const ZABHA_CAS: Features = ZABHA.and(ZACAS);

encodings! { 32, Fields { high: (12, 3), low: (2, 5) };
    lui                 "iiiiiiiiiiiiiiiiiiii ddddd 0110111" int::lui, I;
    auipc               "iiiiiiiiiiiiiiiiiiii ddddd 0010111" int::auipc, I;
    jal                 "iiiiiiiiiiiiiiiiiiii ddddd 1101111" branch::jal, I;
    jalr                "iiiiiiiiiiii nnnnn 000 ddddd 1100111" branch::jalr, I;
    beq_bne             "iiiiiii mmmmm nnnnn 00o iiiii 1100011" branch::branch, I;
    blt_bge             "iiiiiii mmmmm nnnnn 10o iiiii 1100011" branch::branch, I;
    bltu_bgeu           "iiiiiii mmmmm nnnnn 11o iiiii 1100011" branch::branch, I;
    lb_lbu              "iiiiiiiiiiii nnnnn o00 ddddd 0000011" mem::load, I;
    lh_lhu              "iiiiiiiiiiii nnnnn o01 ddddd 0000011" mem::load, I;
    lw                  "iiiiiiiiiiii nnnnn 010 ddddd 0000011" mem::load, I;
    ld                  "iiiiiiiiiiii nnnnn 011 ddddd 0000011" mem::load, RV64;
    lwu                 "iiiiiiiiiiii nnnnn 110 ddddd 0000011" mem::load, RV64;
    sb                  "iiiiiii mmmmm nnnnn 000 iiiii 0100011" mem::store, I;
    sh                  "iiiiiii mmmmm nnnnn 001 iiiii 0100011" mem::store, I;
    sw                  "iiiiiii mmmmm nnnnn 010 iiiii 0100011" mem::store, I;
    sd                  "iiiiiii mmmmm nnnnn 011 iiiii 0100011" mem::store, RV64;
    addi                "iiiiiiiiiiii nnnnn 000 ddddd 0010011" int::op_imm, I;
    slti_sltiu          "iiiiiiiiiiii nnnnn 01o ddddd 0010011" int::op_imm, I;
    xori                "iiiiiiiiiiii nnnnn 100 ddddd 0010011" int::op_imm, I;
    ori                 "iiiiiiiiiiii nnnnn 110 ddddd 0010011" int::op_imm, I;
    andi                "iiiiiiiiiiii nnnnn 111 ddddd 0010011" int::op_imm, I;
    slli                "000000 ssssss nnnnn 001 ddddd 0010011" int::op_imm, RV64;
    slli_32             "0000000 sssss nnnnn 001 ddddd 0010011" int::op_imm, RV32;
    srli_srai           "0o0000 ssssss nnnnn 101 ddddd 0010011" int::op_imm, RV64;
    srli_srai_32        "0o00000 sssss nnnnn 101 ddddd 0010011" int::op_imm, RV32;
    add_sub             "0o00000 mmmmm nnnnn 000 ddddd 0110011" int::op, I;
    sll                 "0000000 mmmmm nnnnn 001 ddddd 0110011" int::op, I;
    slt_sltu            "0000000 mmmmm nnnnn 01o ddddd 0110011" int::op, I;
    xor                 "0000000 mmmmm nnnnn 100 ddddd 0110011" int::op, I;
    srl_sra             "0o00000 mmmmm nnnnn 101 ddddd 0110011" int::op, I;
    or_and              "0000000 mmmmm nnnnn 11o ddddd 0110011" int::op, I;
    addiw               "iiiiiiiiiiii nnnnn 000 ddddd 0011011" int::op_imm_w, RV64;
    slliw               "0000000 sssss nnnnn 001 ddddd 0011011" int::op_imm_w, RV64;
    srliw_sraiw         "0o00000 sssss nnnnn 101 ddddd 0011011" int::op_imm_w, RV64;
    addw_subw           "0o00000 mmmmm nnnnn 000 ddddd 0111011" int::op_w, RV64;
    sllw                "0000000 mmmmm nnnnn 001 ddddd 0111011" int::op_w, RV64;
    srlw_sraw           "0o00000 mmmmm nnnnn 101 ddddd 0111011" int::op_w, RV64;
    fence               "ffff pppp ssss nnnnn 000 ddddd 0001111" branch::fence, I;
    fence_i             "iiiiiiiiiiii nnnnn 001 ddddd 0001111" branch::fence_i, I;
    cbo_clean           "0000000 00001 nnnnn 010 00000 0001111" mem::block, ZICBOM;
    cbo_flush           "0000000 00010 nnnnn 010 00000 0001111" mem::block, ZICBOM;
    cbo_zero            "0000000 00100 nnnnn 010 00000 0001111" mem::zero_block, ZICBOZ;
    ecall               "0000000 00000 00000 000 00000 1110011" branch::ecall, I;
    ebreak              "0000000 00001 00000 000 00000 1110011" branch::ebreak, I;
    wrs                 "0000000 o1101 00000 000 00000 1110011" branch::nop, ZAWRS;
    csr                 "cccccccccccc nnnnn 001 ddddd 1110011" csr::access, I;
    csr_set             "cccccccccccc nnnnn 01o ddddd 1110011" csr::access, I;
    csr_imm             "cccccccccccc uuuuu 101 ddddd 1110011" csr::access, I;
    csr_set_imm         "cccccccccccc uuuuu 11o ddddd 1110011" csr::access, I;
    mop_r               "1i00ii0 111ii nnnnn 100 ddddd 1110011" branch::may_be, ZIMOP;
    mop_rr              "1i00ii1 mmmmm nnnnn 100 ddddd 1110011" branch::may_be, ZIMOP;

    mul                 "0000001 mmmmm nnnnn 000 ddddd 0110011" int::mul, M;
    mulh_mulhu          "0000001 mmmmm nnnnn 0o1 ddddd 0110011" int::mul, M;
    mulhsu              "0000001 mmmmm nnnnn 010 ddddd 0110011" int::mul, M;
    div_divu            "0000001 mmmmm nnnnn 10o ddddd 0110011" int::mul, M;
    rem_remu            "0000001 mmmmm nnnnn 11o ddddd 0110011" int::mul, M;
    mulw                "0000001 mmmmm nnnnn 000 ddddd 0111011" int::mul_w, M64;
    divw_divuw          "0000001 mmmmm nnnnn 10o ddddd 0111011" int::mul_w, M64;
    remw_remuw          "0000001 mmmmm nnnnn 11o ddddd 0111011" int::mul_w, M64;

    lr_w                "00010 oo 00000 nnnnn 010 ddddd 0101111" atomic::lr, A;
    lr_d                "00010 oo 00000 nnnnn 011 ddddd 0101111" atomic::lr, A64;
    sc_w                "00011 oo mmmmm nnnnn 010 ddddd 0101111" atomic::sc, A;
    sc_d                "00011 oo mmmmm nnnnn 011 ddddd 0101111" atomic::sc, A64;
    amocas_w            "00101 oo mmmmm nnnnn 010 ddddd 0101111" atomic::cas, ZACAS;
    amocas_d            "00101 oo mmmmm nnnnn 011 ddddd 0101111" atomic::cas, ZACAS64;
    amocas_d_32         "00101 oo mmmmm nnnnn 011 ddddd 0101111" atomic::cas_pair, ZACAS32;
    amocas_q            "00101 oo mmmmm nnnnn 100 ddddd 0101111" atomic::cas_pair, ZACAS64;
    amocas_b_h          "00101 oo mmmmm nnnnn 00z ddddd 0101111" atomic::cas, ZABHA_CAS;
    amoswap_w           "00001 oo mmmmm nnnnn 010 ddddd 0101111" atomic::amo, A;
    amoadd_w            "ooo00 oo mmmmm nnnnn 010 ddddd 0101111" atomic::amo, A;
    amoswap_d           "00001 oo mmmmm nnnnn 011 ddddd 0101111" atomic::amo, A64;
    amoadd_d            "ooo00 oo mmmmm nnnnn 011 ddddd 0101111" atomic::amo, A64;
    amoswap_b_h         "00001 oo mmmmm nnnnn 00z ddddd 0101111" atomic::amo, ZABHA;
    amoadd_b_h          "ooo00 oo mmmmm nnnnn 00z ddddd 0101111" atomic::amo, ZABHA;

    flw                 "iiiiiiiiiiii nnnnn 010 ddddd 0000111" mem::load_fp, F;
    fld                 "iiiiiiiiiiii nnnnn 011 ddddd 0000111" mem::load_fp, D;
    flh                 "iiiiiiiiiiii nnnnn 001 ddddd 0000111" mem::load_fp, ZFH_MIN;
    fsw                 "iiiiiii mmmmm nnnnn 010 iiiii 0100111" mem::store_fp, F;
    fsd                 "iiiiiii mmmmm nnnnn 011 iiiii 0100111" mem::store_fp, D;
    fsh                 "iiiiiii mmmmm nnnnn 001 iiiii 0100111" mem::store_fp, ZFH_MIN;
    fmadd_s             "aaaaa 00 mmmmm nnnnn rrr ddddd 100oo11" fp::fused, F;
    fmadd_d             "aaaaa 01 mmmmm nnnnn rrr ddddd 100oo11" fp::fused, D;
    fmadd_h             "aaaaa 10 mmmmm nnnnn rrr ddddd 100oo11" fp::fused, ZFH;
    fadd_fdiv_s         "000oo 00 mmmmm nnnnn rrr ddddd 1010011" fp::two_source, F;
    fadd_fdiv_d         "000oo 01 mmmmm nnnnn rrr ddddd 1010011" fp::two_source, D;
    fadd_fdiv_h         "000oo 10 mmmmm nnnnn rrr ddddd 1010011" fp::two_source, ZFH;
    fsqrt_s             "01011 00 00000 nnnnn rrr ddddd 1010011" fp::sqrt, F;
    fsqrt_d             "01011 01 00000 nnnnn rrr ddddd 1010011" fp::sqrt, D;
    fsqrt_h             "01011 10 00000 nnnnn rrr ddddd 1010011" fp::sqrt, ZFH;
    fsgnj_fsgnjn_s      "00100 00 mmmmm nnnnn 00o ddddd 1010011" fp::sign, F;
    fsgnj_fsgnjn_d      "00100 01 mmmmm nnnnn 00o ddddd 1010011" fp::sign, D;
    fsgnj_fsgnjn_h      "00100 10 mmmmm nnnnn 00o ddddd 1010011" fp::sign, ZFH;
    fsgnjx_s            "00100 00 mmmmm nnnnn 010 ddddd 1010011" fp::sign, F;
    fsgnjx_d            "00100 01 mmmmm nnnnn 010 ddddd 1010011" fp::sign, D;
    fsgnjx_h            "00100 10 mmmmm nnnnn 010 ddddd 1010011" fp::sign, ZFH;
    fmin_fmax_s         "00101 00 mmmmm nnnnn 00o ddddd 1010011" fp::min_max, F;
    fmin_fmax_d         "00101 01 mmmmm nnnnn 00o ddddd 1010011" fp::min_max, D;
    fmin_fmax_h         "00101 10 mmmmm nnnnn 00o ddddd 1010011" fp::min_max, ZFH;
    fle_flt_s           "10100 00 mmmmm nnnnn 00o ddddd 1010011" fp::compare, F;
    fle_flt_d           "10100 01 mmmmm nnnnn 00o ddddd 1010011" fp::compare, D;
    fle_flt_h           "10100 10 mmmmm nnnnn 00o ddddd 1010011" fp::compare, ZFH;
    feq_s               "10100 00 mmmmm nnnnn 010 ddddd 1010011" fp::compare, F;
    feq_d               "10100 01 mmmmm nnnnn 010 ddddd 1010011" fp::compare, D;
    feq_h               "10100 10 mmmmm nnnnn 010 ddddd 1010011" fp::compare, ZFH;
    fclass_s            "11100 00 00000 nnnnn 001 ddddd 1010011" fp::classify, F;
    fclass_d            "11100 01 00000 nnnnn 001 ddddd 1010011" fp::classify, D;
    fclass_h            "11100 10 00000 nnnnn 001 ddddd 1010011" fp::classify, ZFH;
    fmv_x_w             "11100 00 00000 nnnnn 000 ddddd 1010011" fp::move_to_x, F;
    fmv_x_d             "11100 01 00000 nnnnn 000 ddddd 1010011" fp::move_to_x, D64;
    fmv_x_h             "11100 10 00000 nnnnn 000 ddddd 1010011" fp::move_to_x, ZFH_MIN;
    fmv_w_x             "11110 00 00000 nnnnn 000 ddddd 1010011" fp::move_from_x, F;
    fmv_d_x             "11110 01 00000 nnnnn 000 ddddd 1010011" fp::move_from_x, D64;
    fmv_h_x             "11110 10 00000 nnnnn 000 ddddd 1010011" fp::move_from_x, ZFH_MIN;
    fcvt_s_d            "01000 00 00001 nnnnn rrr ddddd 1010011" fp::convert, D;
    fcvt_d_s            "01000 01 00000 nnnnn rrr ddddd 1010011" fp::convert, D;
    fcvt_s_h            "01000 00 00010 nnnnn rrr ddddd 1010011" fp::convert, ZFH_MIN;
    fcvt_h_s            "01000 10 00000 nnnnn rrr ddddd 1010011" fp::convert, ZFH_MIN;
    fcvt_d_h            "01000 01 00010 nnnnn rrr ddddd 1010011" fp::convert, ZFH_MIN;
    fcvt_h_d            "01000 10 00001 nnnnn rrr ddddd 1010011" fp::convert, ZFH_MIN;
    fcvt_w_s            "11000 00 0000o nnnnn rrr ddddd 1010011" fp::to_int, F;
    fcvt_w_d            "11000 01 0000o nnnnn rrr ddddd 1010011" fp::to_int, D;
    fcvt_w_h            "11000 10 0000o nnnnn rrr ddddd 1010011" fp::to_int, ZFH;
    fcvt_l_s            "11000 00 0001o nnnnn rrr ddddd 1010011" fp::to_int, F64;
    fcvt_l_d            "11000 01 0001o nnnnn rrr ddddd 1010011" fp::to_int, D64;
    fcvt_l_h            "11000 10 0001o nnnnn rrr ddddd 1010011" fp::to_int, ZFH64;
    fcvt_s_w            "11010 00 0000o nnnnn rrr ddddd 1010011" fp::from_int, F;
    fcvt_d_w            "11010 01 0000o nnnnn rrr ddddd 1010011" fp::from_int, D;
    fcvt_h_w            "11010 10 0000o nnnnn rrr ddddd 1010011" fp::from_int, ZFH;
    fcvt_s_l            "11010 00 0001o nnnnn rrr ddddd 1010011" fp::from_int, F64;
    fcvt_d_l            "11010 01 0001o nnnnn rrr ddddd 1010011" fp::from_int, D64;
    fcvt_h_l            "11010 10 0001o nnnnn rrr ddddd 1010011" fp::from_int, ZFH64;
    fli_s               "11110 00 00001 iiiii 000 ddddd 1010011" fp::constant, ZFA;
    fli_d               "11110 01 00001 iiiii 000 ddddd 1010011" fp::constant, ZFA_D;
    fli_h               "11110 10 00001 iiiii 000 ddddd 1010011" fp::constant, ZFA_H;
    fminm_fmaxm_s       "00101 00 mmmmm nnnnn 01o ddddd 1010011" fp::min_max, ZFA;
    fminm_fmaxm_d       "00101 01 mmmmm nnnnn 01o ddddd 1010011" fp::min_max, ZFA_D;
    fminm_fmaxm_h       "00101 10 mmmmm nnnnn 01o ddddd 1010011" fp::min_max, ZFA_H;
    fround_s            "01000 00 0010o nnnnn rrr ddddd 1010011" fp::round_integral, ZFA;
    fround_d            "01000 01 0010o nnnnn rrr ddddd 1010011" fp::round_integral, ZFA_D;
    fround_h            "01000 10 0010o nnnnn rrr ddddd 1010011" fp::round_integral, ZFA_H;
    fcvtmod_w_d         "11000 01 01000 nnnnn 001 ddddd 1010011" fp::to_int_modular, ZFA_D;
    fleq_fltq_s         "10100 00 mmmmm nnnnn 10o ddddd 1010011" fp::compare, ZFA;
    fleq_fltq_d         "10100 01 mmmmm nnnnn 10o ddddd 1010011" fp::compare, ZFA_D;
    fleq_fltq_h         "10100 10 mmmmm nnnnn 10o ddddd 1010011" fp::compare, ZFA_H;
    fmvh_x_d            "11100 01 00001 nnnnn 000 ddddd 1010011" fp::high_half, ZFA_D32;
    fmvp_d_x            "10110 01 mmmmm nnnnn 000 ddddd 1010011" fp::from_halves, ZFA_D32;

    sh1add              "0010000 mmmmm nnnnn 010 ddddd 0110011" bits::shift_add, ZBA;
    sh2add              "0010000 mmmmm nnnnn 100 ddddd 0110011" bits::shift_add, ZBA;
    sh3add              "0010000 mmmmm nnnnn 110 ddddd 0110011" bits::shift_add, ZBA;
    add_uw              "0000100 mmmmm nnnnn 000 ddddd 0111011" bits::shift_add_word, ZBA64;
    sh1add_uw           "0010000 mmmmm nnnnn 010 ddddd 0111011" bits::shift_add_word, ZBA64;
    sh2add_uw           "0010000 mmmmm nnnnn 100 ddddd 0111011" bits::shift_add_word, ZBA64;
    sh3add_uw           "0010000 mmmmm nnnnn 110 ddddd 0111011" bits::shift_add_word, ZBA64;
    slli_uw             "000010 ssssss nnnnn 001 ddddd 0011011" bits::shift_word, ZBA64;
    xnor                "0100000 mmmmm nnnnn 100 ddddd 0110011" bits::logic_not, ZBB;
    orn_andn            "0100000 mmmmm nnnnn 11o ddddd 0110011" bits::logic_not, ZBB;
    clz_ctz             "0110000 0000o nnnnn 001 ddddd 0010011" bits::one_source, ZBB;
    cpop                "0110000 00010 nnnnn 001 ddddd 0010011" bits::one_source, ZBB;
    sext_b_h            "0110000 0010o nnnnn 001 ddddd 0010011" bits::one_source, ZBB;
    clzw_ctzw           "0110000 0000o nnnnn 001 ddddd 0011011" bits::one_source_word, ZBB64;
    cpopw               "0110000 00010 nnnnn 001 ddddd 0011011" bits::one_source_word, ZBB64;
    min_max             "0000101 mmmmm nnnnn 1oo ddddd 0110011" bits::min_max, ZBB;
    rol                 "0110000 mmmmm nnnnn 001 ddddd 0110011" bits::rotate, ZBB;
    ror                 "0110000 mmmmm nnnnn 101 ddddd 0110011" bits::rotate, ZBB;
    rori                "011000 ssssss nnnnn 101 ddddd 0010011" bits::rotate, ZBB64;
    rori_32             "0110000 sssss nnnnn 101 ddddd 0010011" bits::rotate, ZBB32;
    rolw                "0110000 mmmmm nnnnn 001 ddddd 0111011" bits::rotate, ZBB64;
    rorw                "0110000 mmmmm nnnnn 101 ddddd 0111011" bits::rotate, ZBB64;
    roriw               "0110000 sssss nnnnn 101 ddddd 0011011" bits::rotate, ZBB64;
    orc_b               "0010100 00111 nnnnn 101 ddddd 0010011" bits::or_combine, ZBB;
    rev8                "0110101 11000 nnnnn 101 ddddd 0010011" bits::reverse_bytes, ZBB64;
    rev8_32             "0110100 11000 nnnnn 101 ddddd 0010011" bits::reverse_bytes, ZBB32;
    zext_h              "0000100 00000 nnnnn 100 ddddd 0111011" bits::zext_half, ZBB64;
    zext_h_32           "0000100 00000 nnnnn 100 ddddd 0110011" bits::zext_half, ZBB32;
    clmul               "0000101 mmmmm nnnnn 001 ddddd 0110011" bits::carryless, ZBC;
    clmulr_clmulh       "0000101 mmmmm nnnnn 01o ddddd 0110011" bits::carryless, ZBC;
    bclr                "0100100 mmmmm nnnnn 001 ddddd 0110011" bits::single, ZBS;
    bext                "0100100 mmmmm nnnnn 101 ddddd 0110011" bits::single, ZBS;
    binv                "0110100 mmmmm nnnnn 001 ddddd 0110011" bits::single, ZBS;
    bset                "0010100 mmmmm nnnnn 001 ddddd 0110011" bits::single, ZBS;
    bclri               "010010 ssssss nnnnn 001 ddddd 0010011" bits::single, ZBS64;
    bexti               "010010 ssssss nnnnn 101 ddddd 0010011" bits::single, ZBS64;
    binvi               "011010 ssssss nnnnn 001 ddddd 0010011" bits::single, ZBS64;
    bseti               "001010 ssssss nnnnn 001 ddddd 0010011" bits::single, ZBS64;
    bclri_32            "0100100 sssss nnnnn 001 ddddd 0010011" bits::single, ZBS32;
    bexti_32            "0100100 sssss nnnnn 101 ddddd 0010011" bits::single, ZBS32;
    binvi_32            "0110100 sssss nnnnn 001 ddddd 0010011" bits::single, ZBS32;
    bseti_32            "0010100 sssss nnnnn 001 ddddd 0010011" bits::single, ZBS32;
    czero               "0000111 mmmmm nnnnn 1o1 ddddd 0110011" bits::conditional_zero, ZICOND;
}
