//! The decode table of the 32-bit instructions of T32, but for floating point and Advanced SIMD
//! ([`super::fptable`]).

use super::features::{CRC, DIV_T, LPAE, SB, T2, V4, V7, V8};
use super::table::encodings;
use super::{alu, branch, media, mem, mul, multi, sync, system};
use crate::decode::Fields;

encodings! { 32, Fields { high: (20, 9), low: (12, 4) };
    // 11101: several registers, double and exclusive, shifted registers, coprocessors.
    ldm_stm_ia          "1110 1000 10 w l nnnn rrrrrrrrrrrrrrrr" multi::t32, 'n' 'e' T2;
    ldm_stm_db          "1110 1001 00 w l nnnn rrrrrrrrrrrrrrrr" multi::t32, 'n' 'e' T2;
    strex               "1110 1000 0100 nnnn tttt dddd iiiiiiii" sync::t32_strex, 'n' 'e' T2;
    ldrex               "1110 1000 0101 nnnn tttt 1111 iiiiiiii" sync::t32_ldrex, 'n' 'e' T2;
    table_branch        "1110 1000 1101 nnnn 1111 0000 000 h mmmm" branch::table, 'u' 'e' T2;
    strex_narrow        "1110 1000 1100 nnnn tttt 1111 010 z dddd" sync::store, 'n' 'e' T2;
    strexd              "1110 1000 1100 nnnn tttt uuuu 0111 dddd" sync::store, 'n' 'e' T2;
    ldrex_narrow        "1110 1000 1101 nnnn tttt 1111 010 z 1111" sync::load, 'n' 'e' T2;
    ldrexd              "1110 1000 1101 nnnn tttt uuuu 0111 1111" sync::load, 'n' 'e' T2;
    stl                 "1110 1000 1100 nnnn tttt 1111 10 zz 1111" sync::release, 'n' 'e' V8;
    lda                 "1110 1000 1101 nnnn tttt 1111 10 zz 1111" sync::acquire, 'n' 'e' V8;
    stlexd              "1110 1000 1100 nnnn tttt uuuu 1111 dddd" sync::store, 'n' 'e' V8;
    stlex               "1110 1000 1100 nnnn tttt 1111 11 zz dddd" sync::store, 'n' 'e' V8;
    ldaexd              "1110 1000 1101 nnnn tttt uuuu 1111 1111" sync::load, 'n' 'e' V8;
    ldaex               "1110 1000 1101 nnnn tttt 1111 11 zz 1111" sync::load, 'n' 'e' V8;
    ldrd_strd_post      "1110 1000 u11 l nnnn tttt uuuu iiiiiiii" mem::t32_double, 'n' 'e' T2;
    ldrd_strd           "1110 1001 u1 w l nnnn tttt uuuu iiiiiiii" mem::t32_double, 'n' 'e' T2;
    carry_shifted       "1110 1010 101 s nnnn 0 iii dddd ii tt mmmm" alu::t32_shifted, 'r' 's' T2;
    sbc_shifted         "1110 1011 011 s nnnn 0 iii dddd ii tt mmmm" alu::t32_shifted, 'r' 's' T2;
    adc_shifted         "1110 1011 010 s nnnn 0 iii dddd ii tt mmmm" alu::t32_shifted, 'r' 's' T2;
    pkh                 "1110 1010 1100 nnnn 0 iii dddd ii t 0 mmmm" media::pack, 'n' 's' T2;
    logic_shifted       "1110 1010 0oo s nnnn 0 iii dddd ii tt mmmm" alu::t32_shifted, 'l' 's' T2;
    eor_shifted         "1110 1010 100 s nnnn 0 iii dddd ii tt mmmm" alu::t32_shifted, 'l' 's' T2;
    arithmetic_shifted  "1110 1011 ooo s nnnn 0 iii dddd ii tt mmmm" alu::t32_shifted, 'a' 's' T2;
    mrrc                "1110 1100 0101 uuuu tttt 1111 oooo mmmm" system::mrrc, 'n' 'e' LPAE;
    mcr                 "1110 1110 ooo 0 nnnn tttt 1111 ppp 1 mmmm" system::mcr, 'n' 'e' T2;
    mrc_flags           "1110 1110 ooo 1 nnnn 1111 1111 ppp 1 mmmm" system::mrc, 'r' 's' T2;
    mrc                 "1110 1110 ooo 1 nnnn tttt 1111 ppp 1 mmmm" system::mrc, 'n' 's' T2;

    // 11110: constants, branches, miscellaneous.
    logic_imm           "11110 i 0 00oo s nnnn 0 iii dddd iiiiiiii" alu::t32_imm, 'l' 's' T2;
    eor_imm             "11110 i 0 0100 s nnnn 0 iii dddd iiiiiiii" alu::t32_imm, 'l' 's' T2;
    carry_imm           "11110 i 0 101o s nnnn 0 iii dddd iiiiiiii" alu::t32_imm, 'r' 's' T2;
    arithmetic_imm      "11110 i 0 1ooo s nnnn 0 iii dddd iiiiiiii" alu::t32_imm, 'a' 's' T2;
    addw                "11110 i 1 0000 0 nnnn 0 iii dddd iiiiiiii" alu::t32_plain_add, 'n' 's' T2;
    subw                "11110 i 1 0101 0 nnnn 0 iii dddd iiiiiiii" alu::t32_plain_add, 'n' 's' T2;
    movw_movt           "11110 i 1 0 o10 0 nnnn 0 iii dddd iiiiiiii" alu::mov_half, 'n' 's' T2;
    ssat16_usat16       "11110 0 1 1 o01 0 nnnn 0 000 dddd 0000 ssss" media::saturate_halves, 'n' 'e' T2;
    ssat_usat           "11110 0 1 1 o0t 0 nnnn 0 iii dddd ii 0 sssss" media::saturate, 'n' 'e' T2;
    sbfx_ubfx           "11110 0 1 1 o10 0 nnnn 0 iii dddd ii 0 wwwww" media::extract, 'n' 's' T2;
    bfi                 "11110 0 1 1 011 0 nnnn 0 iii dddd ii 0 mmmmm" media::insert, 'n' 's' T2;
    msr                 "11110 0 1 1 100 0 nnnn 10 0 0 mmmm 0000 0000" system::msr_reg, 'r' 's' T2;
    hint                "11110 0 1 1 101 0 1111 10 0 0 0 000 hhhhhhhh" system::nop, 'n' 's' T2;
    cps                 "11110 0 1 1 101 0 1111 10 0 0 0 ooc aif mmmmm" system::nop, 'n' 's' T2;
    clrex               "11110 0 1 1 101 1 1111 10 0 0 1111 0010 1111" sync::clrex, 'n' 'e' T2;
    dsb                 "11110 0 1 1 101 1 1111 10 0 0 1111 0100 oooo" system::barrier, 'n' 'e' V7;
    dmb                 "11110 0 1 1 101 1 1111 10 0 0 1111 0101 oooo" system::barrier, 'n' 'e' V7;
    isb                 "11110 0 1 1 101 1 1111 10 0 0 1111 0110 oooo" system::isb, 'u' 'e' V7;
    sb                  "11110 0 1 1 101 1 1111 10 0 0 1111 0111 0000" system::isb, 'u' 'e' SB;
    bxj                 "11110 0 1 1 110 0 mmmm 10 0 0 1111 0000 0000" branch::bx, 'u' 'e' T2;
    mrs                 "11110 0 1 1 111 0 1111 10 0 0 dddd 0000 0000" system::mrs, 'r' 's' T2;
    system_undefined    "11110 o 111 ooooooo 10 o 0 oooo oooo oooo" branch::undefined, 'u' 'e' T2;
    b_cond              "11110 s cccc iiiiii 10 j 0 j iiiiiiiiiii" branch::b_cond, 'c' 'e' T2;
    b                   "11110 s iiiiiiiiii 10 j 1 j iiiiiiiiiii" branch::b, 'b' 'e' T2;
    bl                  "11110 s iiiiiiiiii 11 j o j iiiiiiiiiii" branch::bl, 'b' 'e' V4;

    // 11111: loads and stores, registers, products.
    ldr_literal         "1111 100 s u zz 1 1111 tttt iiiiiiiiiiii" mem::t32_imm12, 'n' 'e' T2;
    ldr_str_imm12       "1111 100 s 1 zz l nnnn tttt iiiiiiiiiiii" mem::t32_imm12, 'n' 'e' T2;
    ldr_str_imm8        "1111 100 s 0 zz l nnnn tttt 1 puw iiiiiiii" mem::t32_imm8, 'n' 'e' T2;
    ldr_str_reg         "1111 100 s 0 zz l nnnn tttt 0 00000 ii mmmm" mem::t32_reg, 'n' 'e' T2;
    shift               "1111 1010 0 tt s nnnn 1111 dddd 0000 mmmm" alu::t32_shift, 'h' 's' T2;
    extend              "1111 1010 0 ooo nnnn 1111 dddd 10 rr mmmm" media::extend, 'n' 's' T2;
    parallel            "1111 1010 1 ooo nnnn 1111 dddd 0 ppp mmmm" media::parallel, 'n' 'e' T2;
    qadd                "1111 1010 1000 nnnn 1111 dddd 10 oo mmmm" media::qadd, 'n' 'e' T2;
    rev                 "1111 1010 1001 nnnn 1111 dddd 10 oo mmmm" media::reverse, 'n' 's' T2;
    sel                 "1111 1010 1010 nnnn 1111 dddd 1000 mmmm" media::sel, 'n' 's' T2;
    clz                 "1111 1010 1011 nnnn 1111 dddd 1000 mmmm" media::clz, 'n' 's' T2;
    crc32               "1111 1010 110 c nnnn 1111 dddd 10 zz mmmm" media::crc, 'n' 'e' CRC;
    mul                 "1111 1011 0000 nnnn 1111 dddd 0000 mmmm" mul::mul, 'n' 's' T2;
    mla                 "1111 1011 0000 nnnn aaaa dddd 0000 mmmm" mul::mla, 'n' 's' T2;
    mls                 "1111 1011 0000 nnnn aaaa dddd 0001 mmmm" mul::mls, 'n' 's' T2;
    smla_half           "1111 1011 0001 nnnn aaaa dddd 00 xy mmmm" mul::half_product, 'n' 's' T2;
    smlad               "1111 1011 0010 nnnn aaaa dddd 000 x mmmm" mul::dual_product, 'n' 's' T2;
    smlaw               "1111 1011 0011 nnnn aaaa dddd 000 y mmmm" mul::word_half, 'n' 's' T2;
    smlsd               "1111 1011 0100 nnnn aaaa dddd 000 x mmmm" mul::dual_product, 'n' 's' T2;
    smmla               "1111 1011 0101 nnnn aaaa dddd 000 r mmmm" mul::high, 'n' 's' T2;
    smmls               "1111 1011 0110 nnnn aaaa dddd 000 r mmmm" mul::high, 'n' 's' T2;
    usad                "1111 1011 0111 nnnn aaaa dddd 0000 mmmm" media::usad, 'n' 's' T2;
    umaal               "1111 1011 1110 nnnn llll hhhh 0110 mmmm" mul::umaal, 'n' 's' T2;
    mul_long            "1111 1011 1 oo 0 nnnn llll hhhh 0000 mmmm" mul::long, 'n' 's' T2;
    div                 "1111 1011 10 o 1 nnnn 1111 dddd 1111 mmmm" mul::divide, 'n' 'e' DIV_T;
    smlal_half          "1111 1011 1100 nnnn llll hhhh 10 xy mmmm" mul::half_long, 'n' 's' T2;
    smlald_smlsld       "1111 1011 110 o nnnn llll hhhh 110 x mmmm" mul::dual_long, 'n' 's' T2;
}
