//! The decode table of A32, but for floating point and Advanced SIMD ([`super::fptable`]).

use super::features::{CRC, DIV_A, LPAE, MP, SB, T2, V4, V5, V5E, V6, V6K, V7, V8};
use super::table::encodings;
use super::{alu, branch, media, mem, mul, multi, sync, system};
use crate::decode::Fields;

encodings! { 32, Fields { high: (20, 8), low: (4, 4) };
    // Without a condition.
    blx_imm             "1111 101 h iiiiiiiiiiiiiiiiiiiiiiii" branch::blx_imm, 'u' 'e' V5;
    clrex               "1111 0101 0111 1111 1111 0000 0001 1111" sync::clrex, 'n' 'e' V6K;
    dsb                 "1111 0101 0111 1111 1111 0000 0100 oooo" system::barrier, 'n' 'e' V7;
    dmb                 "1111 0101 0111 1111 1111 0000 0101 oooo" system::barrier, 'n' 'e' V7;
    isb                 "1111 0101 0111 1111 1111 0000 0110 oooo" system::isb, 'u' 'e' V7;
    sb                  "1111 0101 0111 1111 1111 0000 0111 0000" system::isb, 'u' 'e' SB;
    pld_imm             "1111 0101 u1 01 nnnn 1111 iiiiiiiiiiii" mem::preload, 'n' 's' V5E;
    pldw_imm            "1111 0101 u0 01 nnnn 1111 iiiiiiiiiiii" mem::preload, 'n' 's' MP;
    pld_reg             "1111 0111 u1 01 nnnn 1111 iiiii tt 0 mmmm" mem::preload, 'n' 's' V5E;
    pldw_reg            "1111 0111 u0 01 nnnn 1111 iiiii tt 0 mmmm" mem::preload, 'n' 's' MP;
    pli_imm             "1111 0100 u1 01 nnnn 1111 iiiiiiiiiiii" mem::preload, 'n' 's' V7;
    pli_reg             "1111 0110 u1 01 nnnn 1111 iiiii tt 0 mmmm" mem::preload, 'n' 's' V7;
    hint_imm            "1111 0100 u0 01 nnnn tttt iiiiiiiiiiii" mem::preload, 'n' 's' MP;
    hint_reg            "1111 0110 u0 01 nnnn tttt iiiii tt 0 mmmm" mem::preload, 'n' 's' MP;
    setend              "1111 0001 0000 0001 0000 00 e 0 0000 0000" system::setend, 'u' 'e' V6;
    cps                 "1111 0001 0000 mm c 0 0000 000 aif 0 ooooo" system::nop, 'n' 's' V6;
    unconditional       "1111 oooo oooo oooo oooo oooo oooo oooo" branch::undefined, 'u' 'e' V4;

    // Miscellaneous, in the space of comparisons without the S bit.
    mrs                 "cccc 00010 0 00 1111 dddd 0000 0000 0000" system::mrs, 'r' 's' V4;
    msr_reg             "cccc 00010 0 10 mmmm 1111 0000 0000 nnnn" system::msr_reg, 'r' 's' V4;
    bx                  "cccc 00010 010 1111 1111 1111 0001 mmmm" branch::bx, 'u' 'e' V4;
    bxj                 "cccc 00010 010 1111 1111 1111 0010 mmmm" branch::bx, 'u' 'e' V5E;
    blx_reg             "cccc 00010 010 1111 1111 1111 0011 mmmm" branch::blx_reg, 'u' 'e' V5;
    clz                 "cccc 00010 110 1111 dddd 1111 0001 mmmm" media::clz, 'n' 's' V5;
    crc32               "cccc 00010 zz 0 nnnn dddd 00 c 0 0100 mmmm" media::crc, 'n' 'e' CRC;
    qadd                "cccc 00010 oo 0 nnnn dddd 0000 0101 mmmm" media::qadd, 'n' 'e' V5E;
    bkpt                "cccc 00010 010 iiiiiiiiiiii 0111 iiii" branch::bkpt, 'u' 'e' V5;
    smla_half           "cccc 00010 000 dddd aaaa mmmm 1 yx 0 nnnn" mul::half_product, 'n' 's' V5E;
    smlaw               "cccc 00010 010 dddd aaaa mmmm 1 y 0 0 nnnn" mul::word_half, 'n' 's' V5E;
    smulw               "cccc 00010 010 dddd 0000 mmmm 1 y 1 0 nnnn" mul::word_half, 'n' 's' V5E;
    smlal_half          "cccc 00010 100 hhhh llll mmmm 1 yx 0 nnnn" mul::half_long, 'n' 's' V5E;
    smul_half           "cccc 00010 110 dddd 0000 mmmm 1 yx 0 nnnn" mul::half_product, 'n' 's' V5E;
    mul                 "cccc 0000000 s dddd 0000 mmmm 1001 nnnn" mul::mul, 'l' 's' V4;
    mla                 "cccc 0000001 s dddd aaaa mmmm 1001 nnnn" mul::mla, 'l' 's' V4;
    umaal               "cccc 00000100 hhhh llll mmmm 1001 nnnn" mul::umaal, 'n' 's' V6;
    mls                 "cccc 00000110 dddd aaaa mmmm 1001 nnnn" mul::mls, 'n' 's' T2;
    mul_long            "cccc 00001 ooo hhhh llll mmmm 1001 nnnn" mul::long, 'l' 's' V4;
    swp                 "cccc 00010 b 00 nnnn tttt 0000 1001 mmmm" sync::swap, 'n' 'e' V4;
    stl                 "cccc 00011 zz 0 nnnn 1111 1100 1001 tttt" sync::release, 'n' 'e' V8;
    stlex               "cccc 00011 zz 0 nnnn dddd 1110 1001 tttt" sync::store, 'n' 'e' V8;
    strex               "cccc 00011 00 0 nnnn dddd 1111 1001 tttt" sync::store, 'n' 'e' V6;
    strex_other         "cccc 00011 zz 0 nnnn dddd 1111 1001 tttt" sync::store, 'n' 'e' V6K;
    lda                 "cccc 00011 zz 1 nnnn tttt 1100 1001 1111" sync::acquire, 'n' 'e' V8;
    ldaex               "cccc 00011 zz 1 nnnn tttt 1110 1001 1111" sync::load, 'n' 'e' V8;
    ldrex               "cccc 00011 00 1 nnnn tttt 1111 1001 1111" sync::load, 'n' 'e' V6;
    ldrex_other         "cccc 00011 zz 1 nnnn tttt 1111 1001 1111" sync::load, 'n' 'e' V6K;
    extra_undefined     "cccc 000 oooo o nnnn tttt hhhh 1001 llll" branch::undefined, 'u' 'e' V4;
    extra_half          "cccc 000 puiw l nnnn tttt hhhh 1011 llll" mem::a32_extra, 'n' 'e' V4;
    extra_signed        "cccc 000 puiw l nnnn tttt hhhh 11 o 1 llll" mem::a32_extra, 'n' 'e' V4;
    misc_undefined      "cccc 00010 oo 0 oooo oooo oooo oooo oooo" branch::undefined, 'u' 'e' V4;

    // Data processing: to the pc, then the rest by what it does to the flags.
    pc_shifted          "cccc 000 0ooo s nnnn 1111 iiiii tt 0 mmmm" alu::a32_shifted, 'u' 'e' V4;
    pc_move_shifted     "cccc 000 11oo s nnnn 1111 iiiii tt 0 mmmm" alu::a32_shifted, 'u' 'e' V4;
    logic_shifted       "cccc 000 000o s nnnn dddd iiiii tt 0 mmmm" alu::a32_shifted, 'l' 's' V4;
    sub_shifted         "cccc 000 001o s nnnn dddd iiiii tt 0 mmmm" alu::a32_shifted, 'a' 's' V4;
    add_shifted         "cccc 000 0100 s nnnn dddd iiiii tt 0 mmmm" alu::a32_shifted, 'a' 's' V4;
    carry_shifted       "cccc 000 01oo s nnnn dddd iiiii tt 0 mmmm" alu::a32_shifted, 'r' 's' V4;
    test_shifted        "cccc 000 100o 1 nnnn 0000 iiiii tt 0 mmmm" alu::a32_shifted, 'z' 's' V4;
    compare_shifted     "cccc 000 101o 1 nnnn 0000 iiiii tt 0 mmmm" alu::a32_shifted, 'k' 's' V4;
    move_shifted        "cccc 000 11o1 s 0000 dddd iiiii tt 0 mmmm" alu::a32_shifted, 'l' 's' V4;
    orr_bic_shifted     "cccc 000 11o0 s nnnn dddd iiiii tt 0 mmmm" alu::a32_shifted, 'l' 's' V4;
    logic_by            "cccc 000 000o s nnnn dddd ssss 0 tt 1 mmmm" alu::a32_by_register, 'h' 's' V4;
    sub_by              "cccc 000 001o s nnnn dddd ssss 0 tt 1 mmmm" alu::a32_by_register, 'a' 's' V4;
    add_by              "cccc 000 0100 s nnnn dddd ssss 0 tt 1 mmmm" alu::a32_by_register, 'a' 's' V4;
    carry_by            "cccc 000 01oo s nnnn dddd ssss 0 tt 1 mmmm" alu::a32_by_register, 'r' 's' V4;
    test_by             "cccc 000 100o 1 nnnn 0000 ssss 0 tt 1 mmmm" alu::a32_by_register, 's' 's' V4;
    compare_by          "cccc 000 101o 1 nnnn 0000 ssss 0 tt 1 mmmm" alu::a32_by_register, 'k' 's' V4;
    move_by             "cccc 000 11o1 s 0000 dddd ssss 0 tt 1 mmmm" alu::a32_by_register, 'h' 's' V4;
    orr_bic_by          "cccc 000 11o0 s nnnn dddd ssss 0 tt 1 mmmm" alu::a32_by_register, 'h' 's' V4;
    movw_movt           "cccc 00110 o 00 iiii dddd iiiiiiiiiiii" alu::mov_half, 'n' 's' T2;
    hint                "cccc 00110 010 0000 1111 0000 hhhhhhhh" system::nop, 'n' 's' V4;
    msr_imm             "cccc 00110 010 mmmm 1111 rrrr iiiiiiii" system::msr_imm, 'r' 's' V4;
    imm_undefined       "cccc 00110 oo 0 oooo oooo oooo oooo oooo" branch::undefined, 'u' 'e' V4;
    pc_imm              "cccc 001 0ooo s nnnn 1111 rrrr iiiiiiii" alu::a32_imm, 'u' 'e' V4;
    pc_move_imm         "cccc 001 11oo s nnnn 1111 rrrr iiiiiiii" alu::a32_imm, 'u' 'e' V4;
    logic_imm           "cccc 001 000o s nnnn dddd rrrr iiiiiiii" alu::a32_imm, 'l' 's' V4;
    sub_imm             "cccc 001 001o s nnnn dddd rrrr iiiiiiii" alu::a32_imm, 'a' 's' V4;
    add_imm             "cccc 001 0100 s nnnn dddd rrrr iiiiiiii" alu::a32_imm, 'a' 's' V4;
    carry_imm           "cccc 001 01oo s nnnn dddd rrrr iiiiiiii" alu::a32_imm, 'r' 's' V4;
    test_imm            "cccc 001 100o 1 nnnn 0000 rrrr iiiiiiii" alu::a32_imm, 'z' 's' V4;
    compare_imm         "cccc 001 101o 1 nnnn 0000 rrrr iiiiiiii" alu::a32_imm, 'k' 's' V4;
    move_imm            "cccc 001 11o1 s 0000 dddd rrrr iiiiiiii" alu::a32_imm, 'l' 's' V4;
    orr_bic_imm         "cccc 001 11o0 s nnnn dddd rrrr iiiiiiii" alu::a32_imm, 'l' 's' V4;

    // Loads and stores of words and bytes.
    ldr_str_imm         "cccc 010 pubw l nnnn tttt iiiiiiiiiiii" mem::a32_imm, 'n' 'e' V4;
    ldr_str_reg         "cccc 011 pubw l nnnn tttt iiiii tt 0 mmmm" mem::a32_reg, 'n' 'e' V4;

    // Media.
    parallel            "cccc 01100 ooo nnnn dddd 1111 ppp 1 mmmm" media::parallel, 'n' 'e' V6;
    pkh                 "cccc 01101 000 nnnn dddd iiiii t 01 mmmm" media::pack, 'n' 's' V6;
    sel                 "cccc 01101 000 nnnn dddd 1111 1011 mmmm" media::sel, 'n' 's' V6;
    ssat16_usat16       "cccc 01101 o10 ssss dddd 1111 0011 nnnn" media::saturate_halves, 'n' 'e' V6;
    ssat_usat           "cccc 01101 o1 sssss dddd iiiii t 01 nnnn" media::saturate, 'n' 'e' V6;
    extend              "cccc 01101 ooo nnnn dddd rr 00 0111 mmmm" media::extend, 'n' 's' V6;
    rev                 "cccc 01101 011 1111 dddd 1111 o011 mmmm" media::reverse, 'n' 's' V6;
    revsh               "cccc 01101 111 1111 dddd 1111 1011 mmmm" media::reverse, 'n' 's' V6;
    rbit                "cccc 01101 111 1111 dddd 1111 0011 mmmm" media::reverse, 'n' 's' T2;
    smlad_smlsd         "cccc 01110 000 dddd aaaa mmmm 0 o x 1 nnnn" mul::dual_product, 'n' 's' V6;
    smlald_smlsld       "cccc 01110 100 hhhh llll mmmm 0 o x 1 nnnn" mul::dual_long, 'n' 's' V6;
    smmla               "cccc 01110 101 dddd aaaa mmmm 00 r 1 nnnn" mul::high, 'n' 's' V6;
    smmls               "cccc 01110 101 dddd aaaa mmmm 11 r 1 nnnn" mul::high, 'n' 's' V6;
    div                 "cccc 01110 0 o 1 dddd 1111 mmmm 0001 nnnn" mul::divide, 'n' 'e' DIV_A;
    usad                "cccc 01111 000 dddd aaaa mmmm 0001 nnnn" media::usad, 'n' 's' V6;
    sbfx                "cccc 01111 01 wwwww dddd lllll 101 nnnn" media::extract, 'n' 's' T2;
    bfi                 "cccc 01111 10 mmmmm dddd lllll 001 nnnn" media::insert, 'n' 's' T2;
    ubfx                "cccc 01111 11 wwwww dddd lllll 101 nnnn" media::extract, 'n' 's' T2;

    ldm_stm             "cccc 100 puswl nnnn rrrrrrrrrrrrrrrr" multi::a32, 'n' 'e' V4;
    b                   "cccc 1010 iiiiiiiiiiiiiiiiiiiiiiii" branch::b, 'b' 'e' V4;
    bl                  "cccc 1011 iiiiiiiiiiiiiiiiiiiiiiii" branch::bl, 'b' 'e' V4;

    mrrc                "cccc 1100 0101 uuuu tttt 1111 oooo mmmm" system::mrrc, 'n' 'e' LPAE;
    mcr                 "cccc 1110 ooo 0 nnnn tttt 1111 ppp 1 mmmm" system::mcr, 'n' 'e' V4;
    mrc_flags           "cccc 1110 ooo 1 nnnn 1111 1111 ppp 1 mmmm" system::mrc, 'r' 's' V4;
    mrc                 "cccc 1110 ooo 1 nnnn tttt 1111 ppp 1 mmmm" system::mrc, 'n' 's' V4;
    svc                 "cccc 1111 iiiiiiiiiiiiiiiiiiiiiiii" branch::svc, 'u' 'e' V4;
}
