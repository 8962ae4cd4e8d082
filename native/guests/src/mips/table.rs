//! The decode table.
//!
//! A line is a name, a pattern, a lifter, the features that it needs, and `s` for a branch with a delay slot. Where a
//! processor lacks a feature, a later line may match: release 6 gave encodings to other instructions.

use super::features::{
    DSP, DSP2, Features, I, MIPS2, MIPS4, OLD, OLD_MIPS2, OLD_MIPS2_WIDE, OLD_MIPS4, OLD_R1,
    OLD_R1_WIDE, OLD_WIDE, PS, R2, R2_WIDE, R6, R6_WIDE, WIDE,
};
use super::{branch, dsp, fcsr, fp, int, mem, paired, system};
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
    /// It is a branch, and the next instruction is in its delay slot.
    pub has_slot: bool,
}

macro_rules! encodings {
    ($fields:expr; $($name:ident $pattern:literal $path:path, $need:expr $(, $slot:ident)?;)*) => {
        $crate::decode::table! {
            mips, 32, $fields;
            $($name $pattern $path { need: $need, has_slot: false $(|| stringify!($slot).len() == 4)? })*
        }

        /// The line for an instruction on a processor with these features.
        #[must_use]
        #[inline]
        pub fn find_for(bits: u32, features: Features) -> Option<usize> {
            let has = |&n: &usize| features.contains(TABLE[n].need);
            find(bits).filter(has).or_else(|| INDEX.find_where(FIELDS, bits, has))
        }
    };
}

const PAIRED: Features = PS.and(OLD);

encodings! { Fields { high: (26, 6), low: (0, 3) };
    sll                 "000000 00000 ttttt ddddd sssss 000000" int::shift_imm, I;
    srl                 "000000 00000 ttttt ddddd sssss 000010" int::shift_imm, I;
    rotr                "000000 00001 ttttt ddddd sssss 000010" int::shift_imm, R2;
    sra                 "000000 00000 ttttt ddddd sssss 000011" int::shift_imm, I;
    sllv                "000000 sssss ttttt ddddd 00000 000100" int::shift, I;
    srlv                "000000 sssss ttttt ddddd 00000 000110" int::shift, I;
    rotrv               "000000 sssss ttttt ddddd 00001 000110" int::shift, R2;
    srav                "000000 sssss ttttt ddddd 00000 000111" int::shift, I;
    lsa                 "000000 sssss ttttt ddddd 000aa 000101" int::shift_add, R6;
    dlsa                "000000 sssss ttttt ddddd 000aa 010101" int::shift_add, R6_WIDE;
    movf_movt           "000000 sssss ccc0o ddddd 00000 000001" int::move_fcc, OLD_MIPS4;
    jr                  "000000 sssss 00000 00000 h0000 001000" branch::jump_register, OLD, slot;
    jalr                "000000 sssss 00000 ddddd h0000 001001" branch::jump_register, I, slot;
    movz_movn           "000000 sssss ttttt ddddd 00000 00101o" int::move_if, OLD_MIPS4;
    syscall             "000000 cccccccccccccccccccc 001100"    system::syscall, I;
    break               "000000 cccccccccccccccccccc 001101"    system::breakpoint, I;
    sync                "000000 00000 00000 00000 sssss 001111" system::sync, MIPS2;
    clz_clo_r6          "000000 sssss 00000 ddddd 00001 01000o" int::count_leading, R6;
    dclz_dclo_r6        "000000 sssss 00000 ddddd 00001 01001o" int::count_leading, R6_WIDE;
    mfhi_mflo           "000000 00000 00000 ddddd 00000 0100o0" int::move_from, OLD;
    mthi_mtlo           "000000 sssss 00000 00000 00000 0100o1" int::move_to, OLD;
    dsllv               "000000 sssss ttttt ddddd 00000 010100" int::shift, WIDE;
    dsrlv               "000000 sssss ttttt ddddd 00000 010110" int::shift, WIDE;
    drotrv              "000000 sssss ttttt ddddd 00001 010110" int::shift, R2_WIDE;
    dsrav               "000000 sssss ttttt ddddd 00000 010111" int::shift, WIDE;
    mult_multu          "000000 sssss ttttt 00000 00000 01100o" int::mult, OLD;
    div_divu            "000000 sssss ttttt 00000 00000 01101o" int::div, OLD;
    dmult_dmultu        "000000 sssss ttttt 00000 00000 01110o" int::dmult, OLD_WIDE;
    ddiv_ddivu          "000000 sssss ttttt 00000 00000 01111o" int::div, OLD_WIDE;
    mul_muh             "000000 sssss ttttt ddddd 0001o 01100u" int::mul_part, R6;
    div_mod             "000000 sssss ttttt ddddd 0001o 01101u" int::div_part, R6;
    dmul_dmuh           "000000 sssss ttttt ddddd 0001o 01110u" int::mul_part, R6_WIDE;
    ddiv_dmod           "000000 sssss ttttt ddddd 0001o 01111u" int::div_part, R6_WIDE;
    add_sub             "000000 sssss ttttt ddddd 00000 1000oo" int::add_sub, I;
    and_nor             "000000 sssss ttttt ddddd 00000 1001oo" int::logic, I;
    slt_sltu            "000000 sssss ttttt ddddd 00000 10101o" int::set_less, I;
    dadd_dsub           "000000 sssss ttttt ddddd 00000 1011oo" int::add_sub, WIDE;
    tge_tlt             "000000 sssss ttttt cccccccccc 1100oo"  int::trap, MIPS2;
    teq_tne             "000000 sssss ttttt cccccccccc 1101o0"  int::trap, MIPS2;
    seleqz_selnez       "000000 sssss ttttt ddddd 00000 1101o1" int::select, R6;
    dsll                "000000 00000 ttttt ddddd sssss 111o00" int::shift_imm, WIDE;
    dsrl                "000000 00000 ttttt ddddd sssss 111o10" int::shift_imm, WIDE;
    drotr               "000000 00001 ttttt ddddd sssss 111o10" int::shift_imm, R2_WIDE;
    dsra                "000000 00000 ttttt ddddd sssss 111o11" int::shift_imm, WIDE;

    bal                 "000001 00000 10001 iiiiiiiiiiiiiiii"   branch::branch_zero, I, slot;
    nal                 "000001 00000 10000 iiiiiiiiiiiiiiii"   branch::branch_zero, I, slot;
    bltz_bgez           "000001 sssss 0000o iiiiiiiiiiiiiiii"   branch::branch_zero, I, slot;
    bltzl_bgezl         "000001 sssss 0001o iiiiiiiiiiiiiiii"   branch::branch_zero, OLD_MIPS2, slot;
    bltzal_bgezal       "000001 sssss 1000o iiiiiiiiiiiiiiii"   branch::branch_zero, OLD, slot;
    bltzall_bgezall     "000001 sssss 1001o iiiiiiiiiiiiiiii"   branch::branch_zero, OLD_MIPS2, slot;
    tgei_tlti           "000001 sssss 010oo iiiiiiiiiiiiiiii"   int::trap_imm, OLD_MIPS2;
    teqi_tnei           "000001 sssss 011o0 iiiiiiiiiiiiiiii"   int::trap_imm, OLD_MIPS2;
    dahi                "000001 sssss 00110 iiiiiiiiiiiiiiii"   int::add_upper, R6_WIDE;
    dati                "000001 sssss 11110 iiiiiiiiiiiiiiii"   int::add_upper, R6_WIDE;
    synci               "000001 sssss 11111 iiiiiiiiiiiiiiii"   system::synci, R2;
    j_jal               "00001o iiiiiiiiiiiiiiiiiiiiiiiiii"     branch::jump, I, slot;
    beq_bne             "00010o sssss ttttt iiiiiiiiiiiiiiii"   branch::branch_equal, I, slot;
    blez_bgtz           "00011o sssss 00000 iiiiiiiiiiiiiiii"   branch::branch_sign, I, slot;
    bgec_bltc_al        "00011o sssss ttttt iiiiiiiiiiiiiiii"   branch::compact_order, R6;
    addi                "001000 sssss ttttt iiiiiiiiiiiiiiii"   int::add_imm, OLD;
    beqc                "001000 sssss ttttt iiiiiiiiiiiiiiii"   branch::compact_equal, R6;
    addiu               "001001 sssss ttttt iiiiiiiiiiiiiiii"   int::add_imm, I;
    slti_sltiu          "00101o sssss ttttt iiiiiiiiiiiiiiii"   int::set_less_imm, I;
    andi_ori            "00110o sssss ttttt iiiiiiiiiiiiiiii"   int::logic_imm, I;
    xori                "001110 sssss ttttt iiiiiiiiiiiiiiii"   int::logic_imm, I;
    lui                 "001111 00000 ttttt iiiiiiiiiiiiiiii"   int::lui, I;
    aui                 "001111 sssss ttttt iiiiiiiiiiiiiiii"   int::lui, R6;
    beql_bnel           "01010o sssss ttttt iiiiiiiiiiiiiiii"   branch::branch_equal, OLD_MIPS2, slot;
    blezl_bgtzl         "01011o sssss 00000 iiiiiiiiiiiiiiii"   branch::branch_sign, OLD_MIPS2, slot;
    bgec_bltc           "01011o sssss ttttt iiiiiiiiiiiiiiii"   branch::compact_order, R6;
    daddi               "011000 sssss ttttt iiiiiiiiiiiiiiii"   int::add_imm, OLD_WIDE;
    bnec                "011000 sssss ttttt iiiiiiiiiiiiiiii"   branch::compact_equal, R6;
    daddiu              "011001 sssss ttttt iiiiiiiiiiiiiiii"   int::add_imm, WIDE;
    ldl                 "011010 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_left_double, OLD_WIDE;
    ldr                 "011011 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_right_double, OLD_WIDE;
    daui                "011101 sssss ttttt iiiiiiiiiiiiiiii"   int::add_upper, R6_WIDE;

    madd_maddu          "011100 sssss ttttt 00000 00000 00000o" int::mult_add, OLD_R1;
    mul                 "011100 sssss ttttt ddddd 00000 000010" int::mul, OLD_R1;
    msub_msubu          "011100 sssss ttttt 00000 00000 00010o" int::mult_add, OLD_R1;
    clz_clo             "011100 sssss ttttt ddddd 00000 10000o" int::count_leading, OLD_R1;
    dclz_dclo           "011100 sssss ttttt ddddd 00000 10010o" int::count_leading, OLD_R1_WIDE;
    ext                 "011111 sssss ttttt mmmmm lllll 000000" int::extract, R2;
    dext                "011111 sssss ttttt mmmmm lllll 000001" int::extract, R2_WIDE;
    dextu               "011111 sssss ttttt mmmmm lllll 00001o" int::extract, R2_WIDE;
    ins                 "011111 sssss ttttt mmmmm lllll 000100" int::insert, R2;
    dinsm               "011111 sssss ttttt mmmmm lllll 000101" int::insert, R2_WIDE;
    dins                "011111 sssss ttttt mmmmm lllll 00011o" int::insert, R2_WIDE;
    wsbh                "011111 00000 ttttt ddddd 00010 100000" int::swap_bytes, R2;
    seb_seh             "011111 00000 ttttt ddddd 1o000 100000" int::sign_extend, R2;
    bitswap             "011111 00000 ttttt ddddd 00000 100000" int::swap_bits, R6;
    align               "011111 sssss ttttt ddddd 010bb 100000" int::align, R6;
    dsbh                "011111 00000 ttttt ddddd 00010 100100" int::swap_bytes, R2_WIDE;
    dshd                "011111 00000 ttttt ddddd 00101 100100" int::swap_halves, R2_WIDE;
    dbitswap            "011111 00000 ttttt ddddd 00000 100100" int::swap_bits, R6_WIDE;
    dalign              "011111 sssss ttttt ddddd 01bbb 100100" int::align, R6_WIDE;
    pref_r6             "011111 sssss ttttt iiiiiiiii 0 110101" system::prefetch, R6;
    sc_r6               "011111 sssss ttttt iiiiiiiii 0 100110" mem::store_conditional, R6;
    scd_r6              "011111 sssss ttttt iiiiiiiii 0 100111" mem::store_conditional_double, R6_WIDE;
    ll_r6               "011111 sssss ttttt iiiiiiiii 0 110110" mem::load_linked, R6;
    lld_r6              "011111 sssss ttttt iiiiiiiii 0 110111" mem::load_linked_double, R6_WIDE;
    rdhwr               "011111 00000 ttttt ddddd 00eee 111011" system::rdhwr, I;

    lb_lbu              "100o00 sssss ttttt iiiiiiiiiiiiiiii"   mem::load, I;
    lh_lhu              "100o01 sssss ttttt iiiiiiiiiiiiiiii"   mem::load, I;
    lwl                 "100010 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_left, OLD;
    lw                  "100011 sssss ttttt iiiiiiiiiiiiiiii"   mem::load, I;
    lwr                 "100110 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_right, OLD;
    lwu                 "100111 sssss ttttt iiiiiiiiiiiiiiii"   mem::load, WIDE;
    sb_sh               "10100o sssss ttttt iiiiiiiiiiiiiiii"   mem::store, I;
    swl                 "101010 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_left, OLD;
    sw                  "101011 sssss ttttt iiiiiiiiiiiiiiii"   mem::store, I;
    sdl                 "101100 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_left_double, OLD_WIDE;
    sdr                 "101101 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_right_double, OLD_WIDE;
    swr                 "101110 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_right, OLD;
    ll                  "110000 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_linked, OLD_MIPS2;
    lwc1                "110001 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_fp, I;
    bc_balc             "11o010 iiiiiiiiiiiiiiiiiiiiiiiiii"     branch::compact_jump, R6;
    pref                "110011 sssss ttttt iiiiiiiiiiiiiiii"   system::nop, OLD_MIPS4;
    lld                 "110100 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_linked_double, OLD_MIPS2_WIDE;
    ldc1                "110101 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_fp, MIPS2;
    beqzc_bnezc         "11o110 sssss ttttt iiiiiiiiiiiiiiii"   branch::compact_zero, R6;
    ld                  "110111 sssss ttttt iiiiiiiiiiiiiiii"   mem::load_double, WIDE;
    sc                  "111000 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_conditional, OLD_MIPS2;
    swc1                "111001 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_fp, I;
    addiupc             "111011 sssss 00iii iiiiiiiiiiiiiiii"   int::add_pc, R6;
    lwpc                "111011 sssss 01iii iiiiiiiiiiiiiiii"   mem::load_pc, R6;
    lwupc               "111011 sssss 10iii iiiiiiiiiiiiiiii"   mem::load_pc, R6_WIDE;
    ldpc                "111011 sssss 110ii iiiiiiiiiiiiiiii"   mem::load_pc, R6_WIDE;
    auipc_aluipc        "111011 sssss 1111o iiiiiiiiiiiiiiii"   int::add_pc, R6;
    scd                 "111100 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_conditional_double, OLD_MIPS2_WIDE;
    sdc1                "111101 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_fp, MIPS2;
    sd                  "111111 sssss ttttt iiiiiiiiiiiiiiii"   mem::store_double, WIDE;

    mfc1                "010001 00000 ttttt sssss 00000000000"  fcsr::mfc1, I;
    dmfc1               "010001 00001 ttttt sssss 00000000000"  fcsr::dmfc1, WIDE;
    cfc1                "010001 00010 ttttt sssss 00000000000"  fcsr::cfc1, I;
    mfhc1               "010001 00011 ttttt sssss 00000000000"  fcsr::mfhc1, R2;
    mtc1                "010001 00100 ttttt sssss 00000000000"  fcsr::mtc1, I;
    dmtc1               "010001 00101 ttttt sssss 00000000000"  fcsr::dmtc1, WIDE;
    ctc1                "010001 00110 ttttt sssss 00000000000"  fcsr::ctc1, I;
    mthc1               "010001 00111 ttttt sssss 00000000000"  fcsr::mthc1, R2;
    bc1f_bc1t           "010001 01000 ccclo iiiiiiiiiiiiiiii"   branch::branch_fcc, OLD, slot;
    bc1eqz_bc1nez       "010001 01o01 ttttt iiiiiiiiiiiiiiii"   branch::branch_fpr, R6, slot;
    fadd_fdiv           "010001 1000f ttttt sssss ddddd 0000oo" fp::arithmetic, I;
    fsqrt               "010001 1000f 00000 sssss ddddd 000100" fp::sqrt, MIPS2;
    fabs                "010001 1000f 00000 sssss ddddd 000101" fp::sign, I;
    fmov_fneg           "010001 1000f 00000 sssss ddddd 00011o" fp::sign, I;
    round_l             "010001 1000f 00000 sssss ddddd 0010oo" fp::round_to, I;
    round_w             "010001 1000f 00000 sssss ddddd 0011oo" fp::round_to, MIPS2;
    fsel                "010001 1000f ttttt sssss ddddd 010000" fp::select, R6;
    fmovf_fmovt         "010001 1000f ccc0o sssss ddddd 010001" fp::move_fcc, OLD_MIPS4;
    fmovz_fmovn         "010001 1000f ttttt sssss ddddd 01001o" fp::move_if, OLD_MIPS4;
    fseleqz             "010001 1000f ttttt sssss ddddd 010100" fp::select, R6;
    fselnez             "010001 1000f ttttt sssss ddddd 010111" fp::select, R6;
    recip               "010001 1000f 00000 sssss ddddd 010101" fp::reciprocal, MIPS4;
    rsqrt               "010001 1000f 00000 sssss ddddd 010110" fp::reciprocal, MIPS4;
    maddf_msubf         "010001 1000f ttttt sssss ddddd 01100o" fp::fused, R6;
    rint                "010001 1000f 00000 sssss ddddd 011010" fp::round_integral, R6;
    class               "010001 1000f 00000 sssss ddddd 011011" fp::class, R6;
    fmin_fmax           "010001 1000f ttttt sssss ddddd 0111oo" fp::min_max, R6;
    cvt_s_d             "010001 1000f 00000 sssss ddddd 10000o" fp::convert, I;
    cvt_from_int        "010001 1010f 00000 sssss ddddd 10000o" fp::convert, I;
    cvt_w               "010001 1000f 00000 sssss ddddd 10010o" fp::convert_to_int, I;
    c_cond              "010001 1000f ttttt sssss ccc00 11oooo" fp::compare, OLD;
    cmp_cond            "010001 1010f ttttt sssss ddddd 0ooooo" fp::compare_to_mask, R6;

    add_ps_sub_ps       "010001 10110 ttttt sssss ddddd 00000o" paired::arithmetic, PAIRED;
    mul_ps              "010001 10110 ttttt sssss ddddd 000010" paired::arithmetic, PAIRED;
    abs_ps              "010001 10110 00000 sssss ddddd 000101" paired::sign, PAIRED;
    mov_ps_neg_ps       "010001 10110 00000 sssss ddddd 00011o" paired::sign, PAIRED;
    movf_ps_movt_ps     "010001 10110 ccc0o sssss ddddd 010001" paired::move_fcc, PAIRED;
    movz_ps_movn_ps     "010001 10110 ttttt sssss ddddd 01001o" paired::move_if, PAIRED;
    cvt_s_pu            "010001 10110 00000 sssss ddddd 100000" paired::unpack, PAIRED;
    cvt_s_pl            "010001 10110 00000 sssss ddddd 101000" paired::unpack, PAIRED;
    cvt_ps_s            "010001 10000 ttttt sssss ddddd 100110" paired::pack, PAIRED;
    pll_puu             "010001 10110 ttttt sssss ddddd 1011oo" paired::pack, PAIRED;
    c_cond_ps           "010001 10110 ttttt sssss ccc00 11oooo" paired::compare, PAIRED;
    lwxc1               "010011 bbbbb iiiii 00000 ddddd 000000" mem::load_fp_indexed, OLD_MIPS4;
    ldxc1               "010011 bbbbb iiiii 00000 ddddd 000001" mem::load_fp_indexed, OLD_MIPS4;
    luxc1               "010011 bbbbb iiiii 00000 ddddd 000101" mem::load_fp_indexed, OLD_MIPS4;
    swxc1               "010011 bbbbb iiiii sssss 00000 001000" mem::store_fp_indexed, OLD_MIPS4;
    sdxc1               "010011 bbbbb iiiii sssss 00000 001001" mem::store_fp_indexed, OLD_MIPS4;
    suxc1               "010011 bbbbb iiiii sssss 00000 001101" mem::store_fp_indexed, OLD_MIPS4;
    prefx               "010011 bbbbb iiiii hhhhh 00000 001111" system::nop, OLD_MIPS4;
    alnv_ps             "010011 rrrrr ttttt sssss ddddd 011110" paired::align, PAIRED;
    madd                "010011 rrrrr ttttt sssss ddddd 1oo00f" fp::multiply_add, OLD_MIPS4;
    madd_ps             "010011 rrrrr ttttt sssss ddddd 1oo110" paired::multiply_add, PAIRED;

    mfhi_mflo_ac        "000000 000aa 00000 ddddd 00000 0100o0"    int::move_from, DSP;
    mthi_mtlo_ac        "000000 sssss 00000 000aa 00000 0100o1"    int::move_to, DSP;
    mult_multu_ac       "000000 sssss ttttt 000aa 00000 01100o"    int::mult, DSP;
    madd_maddu_ac       "011100 sssss ttttt 000aa 00000 00000o"    int::mult_add, DSP;
    msub_msubu_ac       "011100 sssss ttttt 000aa 00000 00010o"    int::mult_add, DSP;
    bposge32            "000001 00000 11100 iiiiiiiiiiiiiiii"   dsp::branch, DSP, slot;
    lwx                 "011111 bbbbb iiiii ddddd 00000 001010"    dsp::load, DSP;
    lhx                 "011111 bbbbb iiiii ddddd 00100 001010"    dsp::load, DSP;
    lbux                "011111 bbbbb iiiii ddddd 00110 001010"    dsp::load, DSP;
    insv                "011111 sssss ttttt 00000 00000 001100"    dsp::into, DSP;
    addu_qb             "011111 sssss ttttt ddddd 00000 010000"    dsp::two, DSP;
    subu_qb             "011111 sssss ttttt ddddd 00001 010000"    dsp::two, DSP;
    addu_s_qb           "011111 sssss ttttt ddddd 00100 010000"    dsp::two, DSP;
    subu_s_qb           "011111 sssss ttttt ddddd 00101 010000"    dsp::two, DSP;
    muleu_s_ph_qbl      "011111 sssss ttttt ddddd 00110 010000"    dsp::two, DSP;
    muleu_s_ph_qbr      "011111 sssss ttttt ddddd 00111 010000"    dsp::two, DSP;
    addu_ph             "011111 sssss ttttt ddddd 01000 010000"    dsp::two, DSP2;
    subu_ph             "011111 sssss ttttt ddddd 01001 010000"    dsp::two, DSP2;
    addq_ph             "011111 sssss ttttt ddddd 01010 010000"    dsp::two, DSP;
    subq_ph             "011111 sssss ttttt ddddd 01011 010000"    dsp::two, DSP;
    addu_s_ph           "011111 sssss ttttt ddddd 01100 010000"    dsp::two, DSP2;
    subu_s_ph           "011111 sssss ttttt ddddd 01101 010000"    dsp::two, DSP2;
    addq_s_ph           "011111 sssss ttttt ddddd 01110 010000"    dsp::two, DSP;
    subq_s_ph           "011111 sssss ttttt ddddd 01111 010000"    dsp::two, DSP;
    addsc               "011111 sssss ttttt ddddd 10000 010000"    dsp::two, DSP;
    addwc               "011111 sssss ttttt ddddd 10001 010000"    dsp::two, DSP;
    modsub              "011111 sssss ttttt ddddd 10010 010000"    dsp::two, DSP;
    raddu_w_qb          "011111 sssss 00000 ddddd 10100 010000"    dsp::two, DSP;
    addq_s_w            "011111 sssss ttttt ddddd 10110 010000"    dsp::two, DSP;
    subq_s_w            "011111 sssss ttttt ddddd 10111 010000"    dsp::two, DSP;
    muleq_s_w_phl       "011111 sssss ttttt ddddd 11100 010000"    dsp::two, DSP;
    muleq_s_w_phr       "011111 sssss ttttt ddddd 11101 010000"    dsp::two, DSP;
    mulq_s_ph           "011111 sssss ttttt ddddd 11110 010000"    dsp::two, DSP2;
    mulq_rs_ph          "011111 sssss ttttt ddddd 11111 010000"    dsp::two, DSP;
    cmpu_eq_qb          "011111 sssss ttttt 00000 00000 010001"    dsp::compare, DSP;
    cmpu_lt_qb          "011111 sssss ttttt 00000 00001 010001"    dsp::compare, DSP;
    cmpu_le_qb          "011111 sssss ttttt 00000 00010 010001"    dsp::compare, DSP;
    pick_qb             "011111 sssss ttttt ddddd 00011 010001"    dsp::two, DSP;
    cmpgu_eq_qb         "011111 sssss ttttt ddddd 00100 010001"    dsp::two, DSP;
    cmpgu_lt_qb         "011111 sssss ttttt ddddd 00101 010001"    dsp::two, DSP;
    cmpgu_le_qb         "011111 sssss ttttt ddddd 00110 010001"    dsp::two, DSP;
    cmp_eq_ph           "011111 sssss ttttt 00000 01000 010001"    dsp::compare, DSP;
    cmp_lt_ph           "011111 sssss ttttt 00000 01001 010001"    dsp::compare, DSP;
    cmp_le_ph           "011111 sssss ttttt 00000 01010 010001"    dsp::compare, DSP;
    pick_ph             "011111 sssss ttttt ddddd 01011 010001"    dsp::two, DSP;
    precrq_qb_ph        "011111 sssss ttttt ddddd 01100 010001"    dsp::two, DSP;
    precr_qb_ph         "011111 sssss ttttt ddddd 01101 010001"    dsp::two, DSP2;
    packrl_ph           "011111 sssss ttttt ddddd 01110 010001"    dsp::two, DSP;
    precrqu_s_qb_ph     "011111 sssss ttttt ddddd 01111 010001"    dsp::two, DSP;
    precrq_ph_w         "011111 sssss ttttt ddddd 10100 010001"    dsp::two, DSP;
    precrq_rs_ph_w      "011111 sssss ttttt ddddd 10101 010001"    dsp::two, DSP;
    cmpgdu_eq_qb        "011111 sssss ttttt ddddd 11000 010001"    dsp::two, DSP2;
    cmpgdu_lt_qb        "011111 sssss ttttt ddddd 11001 010001"    dsp::two, DSP2;
    cmpgdu_le_qb        "011111 sssss ttttt ddddd 11010 010001"    dsp::two, DSP2;
    precr_sra_ph_w      "011111 sssss ttttt nnnnn 11110 010001"    dsp::into, DSP2;
    precr_sra_r_ph_w    "011111 sssss ttttt nnnnn 11111 010001"    dsp::into, DSP2;
    absq_s_qb           "011111 00000 ttttt ddddd 00001 010010"    dsp::one, DSP2;
    repl_qb             "011111 00nnn nnnnn ddddd 00010 010010"    dsp::one, DSP;
    replv_qb            "011111 00000 ttttt ddddd 00011 010010"    dsp::one, DSP;
    precequ_ph_qbl      "011111 00000 ttttt ddddd 00100 010010"    dsp::one, DSP;
    precequ_ph_qbr      "011111 00000 ttttt ddddd 00101 010010"    dsp::one, DSP;
    precequ_ph_qbla     "011111 00000 ttttt ddddd 00110 010010"    dsp::one, DSP;
    precequ_ph_qbra     "011111 00000 ttttt ddddd 00111 010010"    dsp::one, DSP;
    absq_s_ph           "011111 00000 ttttt ddddd 01001 010010"    dsp::one, DSP;
    repl_ph             "011111 nnnnn nnnnn ddddd 01010 010010"    dsp::one, DSP;
    replv_ph            "011111 00000 ttttt ddddd 01011 010010"    dsp::one, DSP;
    preceq_w_phl        "011111 00000 ttttt ddddd 01100 010010"    dsp::one, DSP;
    preceq_w_phr        "011111 00000 ttttt ddddd 01101 010010"    dsp::one, DSP;
    absq_s_w            "011111 00000 ttttt ddddd 10001 010010"    dsp::one, DSP;
    bitrev              "011111 00000 ttttt ddddd 11011 010010"    dsp::one, DSP;
    preceu_ph_qbl       "011111 00000 ttttt ddddd 11100 010010"    dsp::one, DSP;
    preceu_ph_qbr       "011111 00000 ttttt ddddd 11101 010010"    dsp::one, DSP;
    preceu_ph_qbla      "011111 00000 ttttt ddddd 11110 010010"    dsp::one, DSP;
    preceu_ph_qbra      "011111 00000 ttttt ddddd 11111 010010"    dsp::one, DSP;
    shll_qb             "011111 00nnn ttttt ddddd 00000 010011"    dsp::one, DSP;
    shrl_qb             "011111 00nnn ttttt ddddd 00001 010011"    dsp::one, DSP;
    shllv_qb            "011111 sssss ttttt ddddd 00010 010011"    dsp::two, DSP;
    shrlv_qb            "011111 sssss ttttt ddddd 00011 010011"    dsp::two, DSP;
    shra_qb             "011111 00nnn ttttt ddddd 00100 010011"    dsp::one, DSP2;
    shra_r_qb           "011111 00nnn ttttt ddddd 00101 010011"    dsp::one, DSP2;
    shrav_qb            "011111 sssss ttttt ddddd 00110 010011"    dsp::two, DSP2;
    shrav_r_qb          "011111 sssss ttttt ddddd 00111 010011"    dsp::two, DSP2;
    shll_ph             "011111 0nnnn ttttt ddddd 01000 010011"    dsp::one, DSP;
    shra_ph             "011111 0nnnn ttttt ddddd 01001 010011"    dsp::one, DSP;
    shllv_ph            "011111 sssss ttttt ddddd 01010 010011"    dsp::two, DSP;
    shrav_ph            "011111 sssss ttttt ddddd 01011 010011"    dsp::two, DSP;
    shll_s_ph           "011111 0nnnn ttttt ddddd 01100 010011"    dsp::one, DSP;
    shra_r_ph           "011111 0nnnn ttttt ddddd 01101 010011"    dsp::one, DSP;
    shllv_s_ph          "011111 sssss ttttt ddddd 01110 010011"    dsp::two, DSP;
    shrav_r_ph          "011111 sssss ttttt ddddd 01111 010011"    dsp::two, DSP;
    shll_s_w            "011111 nnnnn ttttt ddddd 10100 010011"    dsp::one, DSP;
    shra_r_w            "011111 nnnnn ttttt ddddd 10101 010011"    dsp::one, DSP;
    shllv_s_w           "011111 sssss ttttt ddddd 10110 010011"    dsp::two, DSP;
    shrav_r_w           "011111 sssss ttttt ddddd 10111 010011"    dsp::two, DSP;
    shrl_ph             "011111 0nnnn ttttt ddddd 11001 010011"    dsp::one, DSP2;
    shrlv_ph            "011111 sssss ttttt ddddd 11011 010011"    dsp::two, DSP2;
    adduh_qb            "011111 sssss ttttt ddddd 00000 011000"    dsp::two, DSP2;
    subuh_qb            "011111 sssss ttttt ddddd 00001 011000"    dsp::two, DSP2;
    adduh_r_qb          "011111 sssss ttttt ddddd 00010 011000"    dsp::two, DSP2;
    subuh_r_qb          "011111 sssss ttttt ddddd 00011 011000"    dsp::two, DSP2;
    addqh_ph            "011111 sssss ttttt ddddd 01000 011000"    dsp::two, DSP2;
    subqh_ph            "011111 sssss ttttt ddddd 01001 011000"    dsp::two, DSP2;
    addqh_r_ph          "011111 sssss ttttt ddddd 01010 011000"    dsp::two, DSP2;
    subqh_r_ph          "011111 sssss ttttt ddddd 01011 011000"    dsp::two, DSP2;
    mul_ph              "011111 sssss ttttt ddddd 01100 011000"    dsp::two, DSP2;
    mul_s_ph            "011111 sssss ttttt ddddd 01110 011000"    dsp::two, DSP2;
    addqh_w             "011111 sssss ttttt ddddd 10000 011000"    dsp::two, DSP2;
    subqh_w             "011111 sssss ttttt ddddd 10001 011000"    dsp::two, DSP2;
    addqh_r_w           "011111 sssss ttttt ddddd 10010 011000"    dsp::two, DSP2;
    subqh_r_w           "011111 sssss ttttt ddddd 10011 011000"    dsp::two, DSP2;
    mulq_s_w            "011111 sssss ttttt ddddd 10110 011000"    dsp::two, DSP2;
    mulq_rs_w           "011111 sssss ttttt ddddd 10111 011000"    dsp::two, DSP2;
    dpa_w_ph            "011111 sssss ttttt 000aa 00000 110000"    dsp::accumulate, DSP2;
    dps_w_ph            "011111 sssss ttttt 000aa 00001 110000"    dsp::accumulate, DSP2;
    mulsa_w_ph          "011111 sssss ttttt 000aa 00010 110000"    dsp::accumulate, DSP2;
    dpau_h_qbl          "011111 sssss ttttt 000aa 00011 110000"    dsp::accumulate, DSP;
    dpaq_s_w_ph         "011111 sssss ttttt 000aa 00100 110000"    dsp::accumulate, DSP;
    dpsq_s_w_ph         "011111 sssss ttttt 000aa 00101 110000"    dsp::accumulate, DSP;
    mulsaq_s_w_ph       "011111 sssss ttttt 000aa 00110 110000"    dsp::accumulate, DSP;
    dpau_h_qbr          "011111 sssss ttttt 000aa 00111 110000"    dsp::accumulate, DSP;
    dpax_w_ph           "011111 sssss ttttt 000aa 01000 110000"    dsp::accumulate, DSP2;
    dpsx_w_ph           "011111 sssss ttttt 000aa 01001 110000"    dsp::accumulate, DSP2;
    dpsu_h_qbl          "011111 sssss ttttt 000aa 01011 110000"    dsp::accumulate, DSP;
    dpaq_sa_l_w         "011111 sssss ttttt 000aa 01100 110000"    dsp::accumulate, DSP;
    dpsq_sa_l_w         "011111 sssss ttttt 000aa 01101 110000"    dsp::accumulate, DSP;
    dpsu_h_qbr          "011111 sssss ttttt 000aa 01111 110000"    dsp::accumulate, DSP;
    maq_sa_w_phl        "011111 sssss ttttt 000aa 10000 110000"    dsp::accumulate, DSP;
    maq_sa_w_phr        "011111 sssss ttttt 000aa 10010 110000"    dsp::accumulate, DSP;
    maq_s_w_phl         "011111 sssss ttttt 000aa 10100 110000"    dsp::accumulate, DSP;
    maq_s_w_phr         "011111 sssss ttttt 000aa 10110 110000"    dsp::accumulate, DSP;
    dpaqx_s_w_ph        "011111 sssss ttttt 000aa 11000 110000"    dsp::accumulate, DSP2;
    dpsqx_s_w_ph        "011111 sssss ttttt 000aa 11001 110000"    dsp::accumulate, DSP2;
    dpaqx_sa_w_ph       "011111 sssss ttttt 000aa 11010 110000"    dsp::accumulate, DSP2;
    dpsqx_sa_w_ph       "011111 sssss ttttt 000aa 11011 110000"    dsp::accumulate, DSP2;
    append              "011111 sssss ttttt nnnnn 00000 110001"    dsp::into, DSP2;
    prepend             "011111 sssss ttttt nnnnn 00001 110001"    dsp::into, DSP2;
    balign              "011111 sssss ttttt nnnnn 10000 110001"    dsp::into, DSP2;
    extr_w              "011111 sssss ttttt 000aa 00000 111000"    dsp::extract, DSP;
    extrv_w             "011111 sssss ttttt 000aa 00001 111000"    dsp::extract, DSP;
    extp                "011111 sssss ttttt 000aa 00010 111000"    dsp::extract, DSP;
    extpv               "011111 sssss ttttt 000aa 00011 111000"    dsp::extract, DSP;
    extr_r_w            "011111 sssss ttttt 000aa 00100 111000"    dsp::extract, DSP;
    extrv_r_w           "011111 sssss ttttt 000aa 00101 111000"    dsp::extract, DSP;
    extr_rs_w           "011111 sssss ttttt 000aa 00110 111000"    dsp::extract, DSP;
    extrv_rs_w          "011111 sssss ttttt 000aa 00111 111000"    dsp::extract, DSP;
    extpdp              "011111 sssss ttttt 000aa 01010 111000"    dsp::extract, DSP;
    extpdpv             "011111 sssss ttttt 000aa 01011 111000"    dsp::extract, DSP;
    extr_s_h            "011111 sssss ttttt 000aa 01110 111000"    dsp::extract, DSP;
    extrv_s_h           "011111 sssss ttttt 000aa 01111 111000"    dsp::extract, DSP;
    rddsp               "011111 mmmmm mmmmm ddddd 10010 111000"    dsp::rddsp, DSP;
    wrdsp               "011111 sssss mmmmm mmmmm 10011 111000"    dsp::wrdsp, DSP;
    shilo               "011111 nnnnn n0000 000aa 11010 111000"    dsp::shift_accumulator, DSP;
    shilov              "011111 sssss 00000 000aa 11011 111000"    dsp::shift_accumulator, DSP;
    mthlip              "011111 sssss 00000 000aa 11111 111000"    dsp::move_up, DSP;
}
