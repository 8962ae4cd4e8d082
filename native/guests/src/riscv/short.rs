//! The decode table of the instructions of 16 bits.

use super::features::{C, C32, C64, CD, CF32, Features, I, M, RV64, ZBA, ZBB, ZCB, ZCMOP};
use super::table::encodings;
use super::{branch, compressed};
use crate::decode::Fields;

const ZCB_M: Features = ZCB.and(M);
const ZCB_B: Features = ZCB.and(ZBB);
const ZCB_A: Features = ZCB.and(ZBA).and(RV64);

encodings! { 16, Fields { high: (10, 6), low: (0, 2) };
    c_illegal           "0000000000000000" branch::undefined, I;
    c_addi4spn          "000 iiiiiiii ddd 00" compressed::addi4spn, C;
    c_fld               "001 iii nnn ii ddd 00" compressed::fld, CD;
    c_lw                "010 iii nnn ii ddd 00" compressed::lw, C;
    c_ld                "011 iii nnn ii ddd 00" compressed::ld, C64;
    c_flw               "011 iii nnn ii ddd 00" compressed::flw, CF32;
    c_lbu               "100000 nnn ii ddd 00" compressed::load_narrow, ZCB;
    c_lhu_lh            "100001 nnn oi ddd 00" compressed::load_narrow, ZCB;
    c_sb                "100010 nnn ii mmm 00" compressed::store_narrow, ZCB;
    c_sh                "100011 nnn 0i mmm 00" compressed::store_narrow, ZCB;
    c_fsd               "101 iii nnn ii mmm 00" compressed::fsd, CD;
    c_sw                "110 iii nnn ii mmm 00" compressed::sw, C;
    c_sd                "111 iii nnn ii mmm 00" compressed::sd, C64;
    c_fsw               "111 iii nnn ii mmm 00" compressed::fsw, CF32;
    c_addi              "000 i ddddd iiiii 01" compressed::addi, C;
    c_addiw             "001 i ddddd iiiii 01" compressed::addiw, C64;
    c_jal               "001 iiiiiiiiiii 01" compressed::jal, C32;
    c_li                "010 i ddddd iiiii 01" compressed::li, C;
    c_addi16sp          "011 i 00010 iiiii 01" compressed::addi16sp, C;
    c_mop               "011 00 nnn 1 00000 01" branch::nop, ZCMOP;
    c_lui               "011 i ddddd iiiii 01" compressed::lui, C;
    c_srli_srai         "100 s 0o ddd sssss 01" compressed::srli_srai, C;
    c_andi              "100 i 10 ddd iiiii 01" compressed::andi, C;
    c_op                "100 0 11 ddd oo mmm 01" compressed::op, C;
    c_op_w              "100 1 11 ddd 0o mmm 01" compressed::op_w, C64;
    c_mul               "100 1 11 ddd 10 mmm 01" compressed::mul, ZCB_M;
    c_zext_b            "100 1 11 ddd 11 000 01" compressed::one_source, ZCB;
    c_sext_b            "100 1 11 ddd 11 001 01" compressed::one_source, ZCB_B;
    c_ext_h             "100 1 11 ddd 11 01o 01" compressed::one_source, ZCB_B;
    c_zext_w            "100 1 11 ddd 11 100 01" compressed::one_source, ZCB_A;
    c_not               "100 1 11 ddd 11 101 01" compressed::one_source, ZCB;
    c_j                 "101 iiiiiiiiiii 01" compressed::j, C;
    c_beqz_bnez         "11o iii nnn iiiii 01" compressed::branch, C;
    c_slli              "000 s ddddd sssss 10" compressed::slli, C;
    c_fldsp             "001 i ddddd iiiii 10" compressed::fldsp, CD;
    c_lwsp              "010 i ddddd iiiii 10" compressed::lwsp, C;
    c_ldsp              "011 i ddddd iiiii 10" compressed::ldsp, C64;
    c_flwsp             "011 i ddddd iiiii 10" compressed::flwsp, CF32;
    c_ebreak            "100 1 00000 00000 10" branch::ebreak, C;
    c_jr_jalr           "100 o nnnnn 00000 10" compressed::jump_register, C;
    c_mv_add            "100 o ddddd mmmmm 10" compressed::move_add, C;
    c_fsdsp             "101 iiiiii mmmmm 10" compressed::fsdsp, CD;
    c_swsp              "110 iiiiii mmmmm 10" compressed::swsp, C;
    c_sdsp              "111 iiiiii mmmmm 10" compressed::sdsp, C64;
    c_fswsp             "111 iiiiii mmmmm 10" compressed::fswsp, CF32;
}
