//! The decode table: one line for each encoding.
//!
//! A pattern is 32 characters, bit 31 first: `0` and `1` are fixed, letters name
//! fields (for the reader and the fuzzer; lifters read fields by position). The
//! first line that matches wins. The last column tells what the instruction does to the
//! condition flags: `n` nothing, `r` reads, `k` writes them all, `u` leads elsewhere.

use super::{
    atomic, branch, crypto, fp, int, mem, mops, mte, nzcv, pauth, simd, simd_mem, sm, system,
};
use crate::decode::{self, Fields};

/// One encoding.
pub struct Encoding {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for tests, and docs/aarch64-coverage.md")
    )]
    pub name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "as above"))]
    pub pattern: &'static str,
    pub mask: u32,
    pub value: u32,
    pub flags: char,
}

macro_rules! encodings {
    ($($name:ident $pattern:literal $path:path, $flags:literal;)*) => {
        decode::table! {
            aarch64, 32, Fields::one(21, 11);
            $($name $pattern $path { flags: $flags })*
        }
    };
}

encodings! {
    adr                 "p ll 10000 iiiiiiiiiiiiiiiiiii ddddd" int::adr, 'n';
    add_imm             "z o 0 100010 h iiiiiiiiiiii nnnnn ddddd" int::add_sub_imm, 'n';
    adds_imm            "z o 1 100010 h iiiiiiiiiiii nnnnn ddddd" int::add_sub_imm, 'k';
    ands_imm            "z 11 100100 N rrrrrr ssssss nnnnn ddddd" int::logical_imm, 'k';
    logical_imm         "z oo 100100 N rrrrrr ssssss nnnnn ddddd" int::logical_imm, 'n';
    movn                "z 00 100101 hh iiiiiiiiiiiiiiii ddddd" int::mov_wide, 'n';
    movz_movk           "z 1k 100101 hh iiiiiiiiiiiiiiii ddddd" int::mov_wide, 'n';
    sbfm                "z 00 100110 N rrrrrr ssssss nnnnn ddddd" int::bitfield, 'n';
    bfm                 "z 01 100110 N rrrrrr ssssss nnnnn ddddd" int::bitfield, 'n';
    ubfm                "z 10 100110 N rrrrrr ssssss nnnnn ddddd" int::bitfield, 'n';
    extr                "z 00 100111 N 0 mmmmm ssssss nnnnn ddddd" int::extr, 'n';
    ands_bics           "z 11 01010 ss N mmmmm iiiiii nnnnn ddddd" int::logical_shifted, 'k';
    logical_shifted     "z oo 01010 ss N mmmmm iiiiii nnnnn ddddd" int::logical_shifted, 'n';
    add_shifted         "z o 0 01011 ss 0 mmmmm iiiiii nnnnn ddddd" int::add_sub_shifted, 'n';
    adds_shifted        "z o 1 01011 ss 0 mmmmm iiiiii nnnnn ddddd" int::add_sub_shifted, 'k';
    add_extended        "z o 0 01011 00 1 mmmmm eee iii nnnnn ddddd" int::add_sub_extended, 'n';
    adds_extended       "z o 1 01011 00 1 mmmmm eee iii nnnnn ddddd" int::add_sub_extended, 'k';
    adc                 "z o S 11010000 mmmmm 000000 nnnnn ddddd" int::adc_sbc, 'r';
    rmif                "1 0 1 11010000 iiiiii 00001 nnnnn 0 ffff" nzcv::rmif, 'r';
    setf                "0 0 1 11010000 000000 z 0010 nnnnn 01101" nzcv::setf, 'r';
    ccmp_reg            "z o 1 11010010 mmmmm cccc 0 0 nnnnn 0 ffff" nzcv::ccmp, 'r';
    ccmp_imm            "z o 1 11010010 mmmmm cccc 1 0 nnnnn 0 ffff" nzcv::ccmp, 'r';
    csel                "z o 0 11010100 mmmmm cccc 0 p nnnnn ddddd" nzcv::csel, 'r';
    madd                "z 00 11011 000 mmmmm o aaaaa nnnnn ddddd" int::madd, 'n';
    smaddl              "1 00 11011 001 mmmmm o aaaaa nnnnn ddddd" int::maddl, 'n';
    umaddl              "1 00 11011 101 mmmmm o aaaaa nnnnn ddddd" int::maddl, 'n';
    smulh               "1 00 11011 010 mmmmm 0 aaaaa nnnnn ddddd" int::mulh, 'n';
    umulh               "1 00 11011 110 mmmmm 0 aaaaa nnnnn ddddd" int::mulh, 'n';
    div                 "z 00 11010110 mmmmm 00001 o nnnnn ddddd" int::two_source, 'n';
    shift_var           "z 00 11010110 mmmmm 0010 oo nnnnn ddddd" int::two_source, 'n';
    crc32               "z 00 11010110 mmmmm 010 Czz nnnnn ddddd" int::crc32, 'n';
    one_source          "z 10 11010110 00000 000 ooo nnnnn ddddd" int::one_source, 'n';

    b                   "000101 iiiiiiiiiiiiiiiiiiiiiiiiii" branch::b, 'b';
    bl                  "100101 iiiiiiiiiiiiiiiiiiiiiiiiii" branch::bl, 'b';
    b_cond              "01010100 iiiiiiiiiiiiiiiiiii 0 cccc" branch::b_cond, 'r';
    cbz                 "z 011010 o iiiiiiiiiiiiiiiiiii ttttt" branch::cbz, 'u';
    tbz                 "b 011011 o bbbbb iiiiiiiiiiiiii ttttt" branch::tbz, 'u';
    br                  "1101011 0000 11111 000000 nnnnn 00000" branch::br, 'u';
    blr                 "1101011 0001 11111 000000 nnnnn 00000" branch::br, 'u';
    ret                 "1101011 0010 11111 000000 nnnnn 00000" branch::br, 'u';
    svc                 "11010100 000 iiiiiiiiiiiiiiii 00001" branch::svc, 'u';
    brk                 "11010100 001 iiiiiiiiiiiiiiii 00000" branch::brk, 'u';
    hint                "11010101 00000011 0010 mmmm ooo 11111" system::hint, 'n';
    clrex               "11010101 00000011 0011 mmmm 010 11111" branch::clrex, 'n';
    dsb                 "11010101 00000011 0011 mmmm 100 11111" branch::barrier, 'n';
    dmb                 "11010101 00000011 0011 mmmm 101 11111" branch::barrier, 'n';
    isb                 "11010101 00000011 0011 mmmm 110 11111" branch::isb, 'u';
    sb                  "11010101 00000011 0011 0000 111 11111" branch::isb, 'u';
    cfinv               "11010101 00000000 0100 0000 000 11111" nzcv::flag_form, 'r';
    xaflag              "11010101 00000000 0100 0000 001 11111" nzcv::flag_form, 'r';
    axflag              "11010101 00000000 0100 0000 010 11111" nzcv::flag_form, 'r';
    mrs                 "11010101 0011 oooo nnnn mmmm ppp ttttt" branch::mrs, 'u';
    msr                 "11010101 0001 oooo nnnn mmmm ppp ttttt" branch::msr, 'u';
    sys                 "11010101 00001 ooo nnnn mmmm ppp ttttt" branch::sys, 'u';

    ldst_unsigned       "zz 111 V 01 oo iiiiiiiiiiii nnnnn ttttt" mem::unsigned_imm, 'n';
    ldst_imm9           "zz 111 V 00 oo 0 iiiiiiiii mm nnnnn ttttt" mem::imm9, 'n';
    ldst_reg            "zz 111 V 00 oo 1 mmmmm eee S 10 nnnnn ttttt" mem::reg_offset, 'n';
    ldr_literal         "oo 011 V 00 iiiiiiiiiiiiiiiiiii ttttt" mem::literal, 'n';
    stgp                "01 101 0 0 mm 0 iiiiiii uuuuu nnnnn ttttt" mte::store_pair, 'n';
    ldst_pair           "oo 101 V 0 mm L iiiiiii uuuuu nnnnn ttttt" mem::pair, 'n';

    stxr                "zz 001000 000 sssss r 11111 nnnnn ttttt" atomic::stxr, 'n';
    ldxr                "zz 001000 010 11111 a 11111 nnnnn ttttt" atomic::ldxr, 'n';
    stxp                "1z 001000 001 sssss r uuuuu nnnnn ttttt" atomic::stxp, 'n';
    ldxp                "1z 001000 011 11111 a uuuuu nnnnn ttttt" atomic::ldxp, 'n';
    casp                "0z 001000 0 L 1 sssss o 11111 nnnnn ttttt" atomic::casp, 'n';
    stlr                "zz 001000 100 11111 o 11111 nnnnn ttttt" atomic::stlr, 'n';
    ldar                "zz 001000 110 11111 o 11111 nnnnn ttttt" atomic::ldar, 'n';
    cas                 "zz 001000 1 L 1 sssss o 11111 nnnnn ttttt" atomic::cas, 'n';
    ldapr               "zz 111000 101 11111 1 100 00 nnnnn ttttt" atomic::ldar, 'n';
    ldadd               "zz 111000 a r 1 sssss 0 ooo 00 nnnnn ttttt" atomic::rmw, 'n';
    swp                 "zz 111000 a r 1 sssss 1 000 00 nnnnn ttttt" atomic::rmw, 'n';
    fp_one_source       "000 11110 tt 1 oooooo 10000 nnnnn ddddd" fp::one_source, 'n';
    fp_two_source       "000 11110 tt 1 mmmmm oooo 10 nnnnn ddddd" fp::two_source, 'n';
    fp_three_source     "000 11111 tt o mmmmm o aaaaa nnnnn ddddd" fp::three_source, 'n';
    fcmp                "000 11110 tt 1 mmmmm 00 1000 nnnnn oo000" fp::fcmp, 'k';
    fccmp               "000 11110 tt 1 mmmmm cccc 01 nnnnn o ffff" fp::fccmp, 'r';
    fcsel               "000 11110 tt 1 mmmmm cccc 11 nnnnn ddddd" fp::fcsel, 'r';
    fmov_imm            "000 11110 tt 1 iiiiiiii 100 00000 ddddd" fp::fmov_imm, 'n';
    fjcvtzs             "0001111001111110000000 nnnnn ddddd" fp::javascript, 'k';
    fp_int              "z 0011110 tt 1 rr ooo 000000 nnnnn ddddd" fp::int_convert, 'n';
    fp_fixed            "z 0011110 tt 0 rr ooo ssssss nnnnn ddddd" fp::fixed_convert, 'n';
    simd_ld_multiple    "0 q 001100 p L 0 mmmmm oooo zz nnnnn ttttt" simd_mem::multiple, 'n';
    simd_ld_single      "0 q 001101 p L R mmmmm ooo S zz nnnnn ttttt" simd_mem::single, 'n';
    simd_copy           "0 q o 01110000 iiiii 0 iiii 1 nnnnn ddddd" simd::copy, 'n';
    simd_copy_scalar    "01 0 11110000 iiiii 0 0000 1 nnnnn ddddd" simd::copy, 'n';
    simd_ext            "0 q 101110 000 mmmmm 0 iiii 0 nnnnn ddddd" simd::ext, 'n';
    simd_tbl            "0 q 001110 000 mmmmm 0 ll o 00 nnnnn ddddd" simd::tbl, 'n';
    simd_permute        "0 q 001110 zz 0 mmmmm 0 ooo 10 nnnnn ddddd" simd::permute, 'n';
    simd_three_same     "0 q u 01110 zz 1 mmmmm ooooo 1 nnnnn ddddd" simd::three_same, 'n';
    simd_three_scalar   "01 u 11110 zz 1 mmmmm ooooo 1 nnnnn ddddd" simd::three_same, 'n';
    simd_three_half     "0 q u 01110 a 10 mmmmm 00 ooo 1 nnnnn ddddd" simd::three_same_half, 'n';
    simd_three_half_s   "01 u 11110 a 10 mmmmm 00 ooo 1 nnnnn ddddd" simd::three_same_half, 'n';
    simd_misc_half      "0 q u 01110 a 111100 ooooo 10 nnnnn ddddd" simd::two_misc_half, 'n';
    simd_misc_half_s    "01 u 11110 a 111100 ooooo 10 nnnnn ddddd" simd::two_misc_half, 'n';
    simd_extra          "0 q u 01110 zz 0 mmmmm 1 oooo 1 nnnnn ddddd" simd::three_extra, 'n';
    simd_extra_scalar   "01 u 11110 zz 0 mmmmm 1 oooo 1 nnnnn ddddd" simd::three_extra, 'n';
    simd_different      "0 q u 01110 zz 1 mmmmm oooo 00 nnnnn ddddd" simd::three_different, 'n';
    simd_diff_scalar    "01 u 11110 zz 1 mmmmm oooo 00 nnnnn ddddd" simd::three_different, 'n';
    simd_two_misc       "0 q u 01110 zz 10000 ooooo 10 nnnnn ddddd" simd::two_misc, 'n';
    simd_misc_scalar    "01 u 11110 zz 10000 ooooo 10 nnnnn ddddd" simd::two_misc, 'n';
    simd_across         "0 q u 01110 zz 11000 ooooo 10 nnnnn ddddd" simd::across, 'n';
    simd_pair_scalar    "01 u 11110 zz 11000 ooooo 10 nnnnn ddddd" simd::pairwise_scalar, 'n';
    simd_mod_imm        "0 q o 0111100000 iii cccc o 1 iiiii ddddd" simd::mod_imm, 'n';
    simd_shift_imm      "0 q u 011110 hhhh bbb ooooo 1 nnnnn ddddd" simd::shift_imm, 'n';
    simd_shift_scalar   "01 u 111110 hhhh bbb ooooo 1 nnnnn ddddd" simd::shift_imm, 'n';
    simd_element        "0 q u 01111 zz l mmmmm oooo h 0 nnnnn ddddd" simd::by_element, 'n';
    simd_elem_scalar    "01 u 11111 zz l mmmmm oooo h 0 nnnnn ddddd" simd::by_element, 'n';
    aes                 "01001110 00 10100 ooooo 10 nnnnn ddddd" simd::aes, 'n';
    sha_three           "01011110 000 mmmmm 0 ooo 00 nnnnn ddddd" simd::sha_three, 'n';
    sha_two             "01011110 00 10100 ooooo 10 nnnnn ddddd" simd::sha_two, 'n';
    sha512_three        "11001110 011 mmmmm 1000 oo nnnnn ddddd" crypto::sha512_three, 'n';
    sha512_two          "11001110 110 00000 100000 nnnnn ddddd" crypto::sha512_two, 'n';
    sha3_four           "11001110 00o mmmmm 0 aaaaa nnnnn ddddd" crypto::sha3_four, 'n';
    xar                 "11001110 100 mmmmm iiiiii nnnnn ddddd" crypto::xar, 'n';
    sm_three            "11001110 011 mmmmm 1100 oo nnnnn ddddd" sm::three, 'n';
    sm3_rounds          "11001110 010 mmmmm 10 ii oo nnnnn ddddd" sm::rounds, 'n';
    sm3ss1              "11001110 010 mmmmm 0 aaaaa nnnnn ddddd" sm::ss1, 'n';
    sm4e                "11001110 110 00000 100001 nnnnn ddddd" sm::sm4e, 'n';
    bc_cond             "01010100 iiiiiiiiiiiiiiiiiii 1 cccc" branch::b_cond, 'r';
    cmp_branch          "z 111010 i ccc mmmmm ww iiiiiiiii ttttt" branch::compare_branch, 'u';
    abs                 "z 10 11010110 00000 001 000 nnnnn ddddd" int::abs, 'n';
    extreme             "z 00 11010110 mmmmm 0110 oo nnnnn ddddd" int::extreme_reg, 'n';
    extreme_imm         "z 00 100011 1 00 oo iiiiiiii nnnnn ddddd" int::extreme_imm, 'n';
    pauth_one           "1 10 11010110 00001 00 Z ooo nnnnn ddddd" pauth::one_source, 'n';
    xpac                "1 10 11010110 00001 01000 D 11111 ddddd" pauth::xpac, 'n';
    pacga               "1 00 11010110 mmmmm 001100 nnnnn ddddd" pauth::generic, 'n';
    br_auth             "1101011 z 0 oo 11111 00001 M nnnnn mmmmm" pauth::branch, 'u';
    ldr_auth            "11 111000 M S 1 iiiiiiiii W 1 nnnnn ttttt" pauth::load, 'n';
    wait_time           "11010101 00000011 0001 0000 00o ttttt" system::wait, 'n';
    msr_imm             "11010101 00000 011 0100 mmmm ooo 11111" system::msr_imm, 'n';
    mops_set            "00 011001 11 0 sssss pppp 01 nnnnn ddddd" mops::fill, 'r';
    mops_copy           "00 011 o 01 oo 0 sssss pppp 01 nnnnn ddddd" mops::copy, 'r';
    lse128              "00 011001 a r 1 mmmmm o ooo 00 nnnnn ttttt" atomic::rmw_pair, 'n';
    ldapur              "zz 011001 oo 0 iiiiiiiii 00 nnnnn ttttt" atomic::ldapur, 'n';
    addg                "1 o 0 100011 0 iiiiii 00 iiii nnnnn ddddd" mte::add, 'n';
    subp                "1 0 0 11010110 mmmmm 000000 nnnnn ddddd" mte::difference, 'n';
    subps               "1 0 1 11010110 mmmmm 000000 nnnnn ddddd" mte::difference, 'k';
    irg                 "1 0 0 11010110 mmmmm 000100 nnnnn ddddd" mte::insert_random, 'n';
    gmi                 "1 0 0 11010110 mmmmm 000101 nnnnn ddddd" mte::exclude, 'n';
    ldst_tags           "11 011001 oo 1 iiiiiiiii mm nnnnn ttttt" mte::access, 'n';
}
