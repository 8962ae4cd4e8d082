//! The decode table of the 16-bit instructions of T32.

use super::features::{T2, V4, V5, V6};
use super::table::encodings;
use super::{alu16, branch, media, mem, mul, multi, status, system};
use crate::decode::Fields;

encodings! { 16, Fields { high: (6, 10), low: (0, 0) };
    lsl_imm             "000 00 iiiii mmm ddd" alu16::t16_shift_imm, 'z' 's' V4;
    lsr_imm             "000 01 iiiii mmm ddd" alu16::t16_shift_imm, 'z' 's' V4;
    asr_imm             "000 10 iiiii mmm ddd" alu16::t16_shift_imm, 'z' 's' V4;
    add_sub             "000 11 k o mmm nnn ddd" alu16::t16_add, 'k' 's' V4;
    mov_imm             "001 00 ddd iiiiiiii" alu16::t16_imm8, 'z' 's' V4;
    cmp_imm             "001 01 nnn iiiiiiii" alu16::t16_imm8, 'k' 's' V4;
    add_sub_imm         "001 1 o ddd iiiiiiii" alu16::t16_imm8, 'k' 's' V4;
    and_eor             "010000 000o mmm ddd" alu16::t16_two, 'z' 's' V4;
    lsl_lsr             "010000 001o mmm ddd" alu16::t16_two, 's' 's' V4;
    asr                 "010000 0100 mmm ddd" alu16::t16_two, 's' 's' V4;
    adc                 "010000 0101 mmm ddd" alu16::t16_two, 'r' 's' V4;
    sbc                 "010000 0110 mmm ddd" alu16::t16_two, 'r' 's' V4;
    ror                 "010000 0111 mmm ddd" alu16::t16_two, 's' 's' V4;
    tst                 "010000 1000 mmm nnn" alu16::t16_two, 'z' 's' V4;
    neg                 "010000 1001 nnn ddd" alu16::t16_two, 'k' 's' V4;
    cmp_cmn             "010000 101o mmm nnn" alu16::t16_two, 'k' 's' V4;
    orr                 "010000 1100 mmm ddd" alu16::t16_two, 'z' 's' V4;
    mul                 "010000 1101 nnn ddd" mul::t16_mul, 'z' 's' V4;
    bic_mvn             "010000 111o mmm ddd" alu16::t16_two, 'z' 's' V4;
    add_pc              "010001 00 1 mmmm 111" alu16::t16_high, 'u' 'e' V4;
    add_high            "010001 00 d mmmm ddd" alu16::t16_high, 'n' 's' V4;
    cmp_high            "010001 01 n mmmm nnn" alu16::t16_high, 'k' 's' V4;
    mov_pc              "010001 10 1 mmmm 111" alu16::t16_high, 'u' 'e' V4;
    mov_high            "010001 10 d mmmm ddd" alu16::t16_high, 'n' 's' V4;
    bx                  "010001 11 0 mmmm 000" branch::bx, 'u' 'e' V4;
    blx                 "010001 11 1 mmmm 000" branch::blx_reg, 'u' 'e' V5;
    ldr_literal         "01001 ttt iiiiiiii" mem::t16_literal, 'n' 'e' V4;
    ldr_str_reg         "0101 ooo mmm nnn ttt" mem::t16_reg, 'n' 'e' V4;
    ldr_str             "0110 l iiiii nnn ttt" mem::t16_imm5, 'n' 'e' V4;
    ldrb_strb           "0111 l iiiii nnn ttt" mem::t16_imm5, 'n' 'e' V4;
    ldrh_strh           "1000 l iiiii nnn ttt" mem::t16_imm5, 'n' 'e' V4;
    ldr_str_sp          "1001 l ttt iiiiiiii" mem::t16_sp, 'n' 'e' V4;
    adr                 "1010 s ddd iiiiiiii" alu16::t16_adr, 'n' 's' V4;
    add_sub_sp          "1011 0000 o iiiiiii" alu16::t16_sp, 'n' 's' V4;
    cbz                 "1011 o0 i 1 iiiii nnn" branch::cbz, 'u' 'e' T2;
    extend              "1011 0010 oo mmm ddd" media::t16_extend, 'n' 's' V6;
    push                "1011 0 10 m rrrrrrrr" multi::push, 'n' 'e' V4;
    pop                 "1011 1 10 p rrrrrrrr" multi::pop, 'n' 'e' V4;
    setend              "1011 0110 0101 e 000" system::setend, 'u' 'e' V6;
    cps                 "1011 0110 011 c 0 aif" system::nop, 'n' 's' V6;
    rev                 "1011 1010 00 mmm ddd" media::t16_reverse, 'n' 's' V6;
    rev16               "1011 1010 01 mmm ddd" media::t16_reverse, 'n' 's' V6;
    revsh               "1011 1010 11 mmm ddd" media::t16_reverse, 'n' 's' V6;
    bkpt                "1011 1110 iiiiiiii" branch::bkpt, 'u' 'e' V5;
    hint                "1011 1111 hhhh 0000" system::nop, 'n' 's' T2;
    it                  "1011 1111 cccc mmmm" status::it, 'r' 's' T2;
    ldm_stm             "1100 l nnn rrrrrrrr" multi::t16, 'n' 'e' V4;
    udf                 "1101 1110 iiiiiiii" branch::undefined, 'u' 'e' V4;
    svc                 "1101 1111 iiiiiiii" branch::svc, 'u' 'e' V4;
    b_cond              "1101 cccc iiiiiiii" branch::b_cond, 'c' 'e' V4;
    b                   "11100 iiiiiiiiiii" branch::b, 'b' 'e' V4;
}

/// CMP, CMN and TST.
#[must_use]
pub fn compares(bits: u32) -> bool {
    bits >> 11 == 0b00101 || bits >> 8 == 0b0100_0101 || matches!(bits >> 6, 0x108 | 0x10a | 0x10b)
}
