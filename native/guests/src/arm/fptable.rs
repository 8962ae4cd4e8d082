//! The decode table of floating point and Advanced SIMD, for A32 and T32.
//!
//! Patterns are those of A32. Conditional instructions (VFP, moves, loads and stores) have the condition's four bits as
//! letters; Advanced SIMD has `1111` there. T32's differ in their top byte only and are brought into this form
//! ([`super::fp_form`]).

use super::features::{
    AES, BF16, DOTPROD, FCMA, FHM, FP16, FPV8, HALF, I8MM, JSCVT, NEON, PMULL, RDM, SHA1, SHA2,
    VFP2, VFP3, VFP4,
};
use super::table::encodings;
use super::{fp, neon};
use crate::decode::Fields;

/// Fused operations, and half precision, of Advanced SIMD came with VFPv4.
const FUSED: super::features::Features = NEON.and(VFP4);
const NEON16: super::features::Features = NEON.and(FP16);
const NEON8: super::features::Features = NEON.and(FPV8);

encodings! { 32, Fields { high: (20, 8), low: (8, 4) };
    // Unconditional, before the conditional ones of the same bits.
    vcmla               "1111 110 rr D 1 z nnnn dddd 1000 N Q M 0 mmmm" neon::complex_multiply, 'n' 'e' FCMA;
    vcadd               "1111 110 r 1 D 0 z nnnn dddd 1000 N Q M 0 mmmm" neon::complex_add, 'n' 'e' FCMA;
    vcmla_element       "1111 1110 z D rr nnnn dddd 1000 N Q M 0 mmmm" neon::complex_multiply_element, 'n' 'e' FCMA;
    vdot                "1111 11000 D 10 nnnn dddd 1101 N Q M u mmmm" neon::dot, 'n' 'e' DOTPROD;
    vdot_element        "1111 11100 D 10 nnnn dddd 1101 N Q M u mmmm" neon::dot_element, 'n' 'e' DOTPROD;
    vusdot              "1111 11001 D 10 nnnn dddd 1101 N Q M 0 mmmm" neon::dot, 'n' 'e' I8MM;
    vusdot_element      "1111 11101 D 00 nnnn dddd 1101 N Q M o mmmm" neon::dot_element, 'n' 'e' I8MM;
    vmmla               "1111 11000 D 10 nnnn dddd 1100 N 1 M u mmmm" neon::matrix, 'n' 'e' I8MM;
    vusmmla             "1111 11001 D 10 nnnn dddd 1100 N 1 M 0 mmmm" neon::matrix, 'n' 'e' I8MM;
    vfmal               "1111 1100 o D 10 nnnn dddd 1000 N Q M 1 mmmm" neon::multiply_long, 'n' 'e' FHM;
    vfmal_element       "1111 11100 D 0 o nnnn dddd 1000 N Q M 1 mmmm" neon::multiply_long_element, 'n' 'e' FHM;
    vdot_bf16           "1111 11000 D 00 nnnn dddd 1101 N Q M 0 mmmm" neon::bfloat_dot, 'n' 'e' BF16;
    vdot_bf16_element   "1111 11100 D 00 nnnn dddd 1101 N Q M 0 mmmm" neon::bfloat_dot, 'n' 'e' BF16;
    vmmla_bf16          "1111 11000 D 00 nnnn dddd 1100 N 1 M 0 mmmm" neon::bfloat_matrix, 'n' 'e' BF16;
    vfma_bf16           "1111 11000 D 11 nnnn dddd 1000 N t M 1 mmmm" neon::bfloat_long, 'n' 'e' BF16;
    vfma_bf16_element   "1111 11100 D 11 nnnn dddd 1000 N t M 1 mmmm" neon::bfloat_long, 'n' 'e' BF16;
    vsel                "1111 11100 D cc nnnn dddd 10zz N 0 M 0 mmmm" fp::select, 'r' 'e' FPV8;
    vmaxnm_scalar       "1111 11101 D 00 nnnn dddd 10zz N o M 0 mmmm" fp::max_min, 'n' 'e' FPV8;
    vrint_directed      "1111 11101 D 11 10rr dddd 10zz 01 M 0 mmmm" fp::round, 'n' 'e' FPV8;
    vcvt_directed       "1111 11101 D 11 11rr dddd 10zz s 1 M 0 mmmm" fp::to_int_rounded, 'n' 'e' FPV8;
    vmovx_vins          "1111 11101 D 11 0000 dddd 1010 o 1 M 0 mmmm" fp::move_half, 'n' 'e' FP16;

    sha1_three          "1111 00100 D oo nnnn dddd 1100 N 1 M 0 mmmm" neon::sha1, 'n' 'e' SHA1;
    sha256_three        "1111 00110 D oo nnnn dddd 1100 N 1 M 0 mmmm" neon::sha256, 'n' 'e' SHA2;
    vfma_f16            "1111 00100 D o 1 nnnn dddd 1100 N Q M 1 mmmm" neon::fused, 'n' 'e' NEON16;
    vfma                "1111 00100 D o 0 nnnn dddd 1100 N Q M 1 mmmm" neon::fused, 'n' 'e' FUSED;
    vqrdmlah            "1111 00110 D zz nnnn dddd 1011 N Q M 1 mmmm" neon::rounding_double, 'n' 'e' RDM;
    vqrdmlsh            "1111 00110 D zz nnnn dddd 1100 N Q M 1 mmmm" neon::rounding_double, 'n' 'e' RDM;
    vmaxnm_f16          "1111 00110 D o 1 nnnn dddd 1111 N Q M 1 mmmm" neon::max_min_number, 'n' 'e' NEON16;
    vmaxnm              "1111 00110 D o 0 nnnn dddd 1111 N Q M 1 mmmm" neon::max_min_number, 'n' 'e' NEON8;
    v_three_f16_add     "1111 001 u 0 D o 1 nnnn dddd 1101 N Q M b mmmm" neon::three_same_float, 'n' 'e' NEON16;
    v_three_f16         "1111 001 u 0 D o 1 nnnn dddd 111 b N Q M b mmmm" neon::three_same_float, 'n' 'e' NEON16;
    v_three_f32_add     "1111 001 u 0 D o 0 nnnn dddd 1101 N Q M b mmmm" neon::three_same_float, 'n' 'e' NEON;
    v_three_f32         "1111 001 u 0 D o 0 nnnn dddd 111 b N Q M b mmmm" neon::three_same_float, 'n' 'e' NEON;
    v_three_same        "1111 001 u 0 D zz nnnn dddd oooo N Q M o mmmm" neon::three_same, 'n' 'e' NEON;

    vext                "1111 00101 D 11 nnnn dddd iiii N Q M 0 mmmm" neon::extract, 'n' 'e' NEON;
    vtbl                "1111 00111 D 11 nnnn dddd 10 ll N o M 0 mmmm" neon::table, 'n' 'e' NEON;
    vdup_element        "1111 00111 D 11 iiii dddd 1100 0 Q M 0 mmmm" neon::duplicate, 'n' 'e' NEON;
    aes                 "1111 00111 D 11 zz 00 dddd 0011 oo M 0 mmmm" neon::aes, 'n' 'e' AES;
    sha1h               "1111 00111 D 11 zz 01 dddd 0010 11 M 0 mmmm" neon::sha_two, 'n' 'e' SHA1;
    sha1su1             "1111 00111 D 11 zz 10 dddd 0011 10 M 0 mmmm" neon::sha_two, 'n' 'e' SHA1;
    sha256su0           "1111 00111 D 11 zz 10 dddd 0011 11 M 0 mmmm" neon::sha_two, 'n' 'e' SHA2;
    vswp_vtrn_vuzp_vzip "1111 00111 D 11 zz 10 dddd 000 oo Q M 0 mmmm" neon::transpose, 'n' 'e' NEON;
    vcvt_bf16           "1111 00111 D 11 01 10 dddd 0110 01 M 0 mmmm" neon::convert_bfloat, 'n' 'e' BF16;
    vcvt_half_lanes     "1111 00111 D 11 zz 10 dddd 011 o 0 Q M 0 mmmm" neon::convert_half, 'n' 'e' NEON.and(HALF);
    vrint_lanes         "1111 00111 D 11 zz 10 dddd 01 ooo Q M 0 mmmm" neon::two_misc_float, 'n' 'e' NEON8;
    vcvt_directed_lanes "1111 00111 D 11 zz 11 dddd 00 rr u Q M 0 mmmm" neon::convert, 'n' 'e' NEON8;
    vcvt_lanes          "1111 00111 D 11 zz 11 dddd 011 o u Q M 0 mmmm" neon::convert, 'n' 'e' NEON;
    v_estimate          "1111 00111 D 11 zz 11 dddd 010 F o Q M 0 mmmm" neon::two_misc_float, 'n' 'e' NEON;
    v_misc_float        "1111 00111 D 11 zz 01 dddd 01 ooo Q M 0 mmmm" neon::two_misc_float, 'n' 'e' NEON;
    v_misc              "1111 00111 D 11 zz aa dddd 0 oooo Q M 0 mmmm" neon::two_misc, 'n' 'e' NEON;

    v_element           "1111 001 Q 1 D zz nnnn dddd oooo N 1 M 0 mmmm" neon::by_element, 'n' 'e' NEON;
    vmull_p64           "1111 00101 D 10 nnnn dddd 1110 N 0 M 0 mmmm" neon::three_different, 'n' 'e' PMULL;
    v_different         "1111 001 u 1 D zz nnnn dddd oooo N 0 M 0 mmmm" neon::three_different, 'n' 'e' NEON;

    v_mod_imm           "1111 001 i 1 D 000 iii dddd cccc 0 Q o 1 iiii" neon::mod_imm, 'n' 'e' NEON;
    v_fixed_point       "1111 001 u 1 D iiiiii dddd 11 fo 0 Q M 1 mmmm" neon::fixed_point, 'n' 'e' NEON;
    v_shift_imm         "1111 001 u 1 D iiiiii dddd oooo L Q M 1 mmmm" neon::shift_imm, 'n' 'e' NEON;

    vld_multiple        "1111 01000 D L 0 nnnn dddd tttt zz aa mmmm" neon::multiple, 'n' 'e' NEON;
    vld_all_lanes       "1111 01001 D L 0 nnnn dddd 11 ee zz t a mmmm" neon::all_lanes, 'n' 'e' NEON;
    vld_one_lane        "1111 01001 D L 0 nnnn dddd zz ee iiii mmmm" neon::one_lane, 'n' 'e' NEON;

    vmov_core_pair_s    "cccc 1100010 o uuuu tttt 1010 00 M 1 mmmm" fp::core_pair_s, 'n' 'e' VFP2;
    vmov_core_pair_d    "cccc 1100010 o uuuu tttt 1011 00 M 1 mmmm" fp::core_pair_d, 'n' 'e' VFP2;
    vldr_vstr_half      "cccc 1101 U D 0 L nnnn dddd 1001 iiiiiiii" fp::load_store_half, 'n' 'e' FP16;
    vldr_vstr           "cccc 1101 U D 0 L nnnn dddd 101 z iiiiiiii" fp::load_store, 'n' 'e' VFP2;
    vldm_vstm           "cccc 110 P U D W L nnnn dddd 101 z iiiiiiii" fp::load_store_multiple, 'n' 'e' VFP2;

    vmla                "cccc 11100 D 0 o nnnn dddd 10 zz N o M 0 mmmm" fp::three_source, 'n' 'e' VFP2;
    vmul_vadd           "cccc 11100 D 1 o nnnn dddd 10 zz N o M 0 mmmm" fp::three_source, 'n' 'e' VFP2;
    vdiv                "cccc 11101 D 00 nnnn dddd 10 zz N 0 M 0 mmmm" fp::three_source, 'n' 'e' VFP2;
    vfnma               "cccc 11101 D 01 nnnn dddd 10 zz N o M 0 mmmm" fp::three_source, 'n' 'e' VFP4;
    vfma_scalar         "cccc 11101 D 10 nnnn dddd 10 zz N o M 0 mmmm" fp::three_source, 'n' 'e' VFP4;
    vmov_imm            "cccc 11101 D 11 iiii dddd 10 zz 0000 iiii" fp::move_imm, 'n' 'e' VFP3;
    vmov_vabs_vneg_vsqrt "cccc 11101 D 11 000 o dddd 10 zz o 1 M 0 mmmm" fp::one_source, 'n' 'e' VFP2;
    vcvtb_bf16          "cccc 11101 D 11 0011 dddd 1001 t 1 M 0 mmmm" fp::to_bfloat, 'n' 'e' BF16;
    vcvtb               "cccc 11101 D 11 001 o dddd 101 z t 1 M 0 mmmm" fp::half, 'n' 'e' HALF;
    vcmp                "cccc 11101 D 11 0100 dddd 10 zz e 1 M 0 mmmm" fp::compare, 'n' 'e' VFP2;
    vcmp_zero           "cccc 11101 D 11 0101 dddd 10 zz e 1 0 0 0000" fp::compare, 'n' 'e' VFP2;
    vrint               "cccc 11101 D 11 0110 dddd 10 zz o 1 M 0 mmmm" fp::round, 'n' 'e' FPV8;
    vrintx              "cccc 11101 D 11 0111 dddd 10 zz 0 1 M 0 mmmm" fp::round, 'n' 'e' FPV8;
    vcvt_formats        "cccc 11101 D 11 0111 dddd 101 z 1 1 M 0 mmmm" fp::resize, 'n' 'e' VFP2;
    vcvt_from_int       "cccc 11101 D 11 1000 dddd 10 zz s 1 M 0 mmmm" fp::from_int, 'n' 'e' VFP2;
    vjcvt               "cccc 11101 D 11 1001 dddd 1011 1 1 M 0 mmmm" fp::javascript, 'n' 'e' JSCVT;
    vcvt_fixed          "cccc 11101 D 11 1 o 1 u dddd 10 zz s 1 i 0 iiii" fp::to_fixed, 'n' 'e' VFP3;
    vcvtr               "cccc 11101 D 11 110 s dddd 10 zz 0 1 M 0 mmmm" fp::round_current, 'n' 'e' VFP2;
    vcvt_to_int         "cccc 11101 D 11 110 s dddd 10 zz 1 1 M 0 mmmm" fp::to_int, 'n' 'e' VFP2;
    vmov_core_half      "cccc 1110000 o nnnn tttt 1001 N 00 1 0000" fp::core_half, 'n' 'e' FP16;
    vmov_core_single    "cccc 1110000 o nnnn tttt 1010 N 00 1 0000" fp::core_single, 'n' 'e' VFP2;
    vmov_to_element     "cccc 11100 oo 0 dddd tttt 1011 D oo 1 0000" fp::to_element, 'n' 'e' VFP2;
    vmov_from_element   "cccc 1110 U oo 1 nnnn tttt 1011 N oo 1 0000" fp::from_element, 'n' 'e' VFP2;
    vdup_core           "cccc 11101 B Q 0 dddd tttt 1011 D 0 E 1 0000" fp::duplicate, 'n' 'e' NEON;
    vmrs_flags          "cccc 11101111 0001 1111 1010 0001 0000" fp::mrs_flags, 'k' 's' VFP2;
    vmrs                "cccc 11101111 rrrr tttt 1010 0001 0000" fp::mrs, 'n' 'e' VFP2;
    vmsr                "cccc 11101110 rrrr tttt 1010 0001 0000" fp::msr, 'n' 'e' VFP2;
}
