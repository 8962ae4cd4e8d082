//! Comparisons, predicates and wide immediates: bits 31-29 are 001.

use super::super::int;

super::lines! {
    cmphs       "00100100 zz 0 mmmmm 000 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(false, false, |a, b| a >= b);
    cmphi       "00100100 zz 0 mmmmm 000 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(false, false, |a, b| a > b);
    cmpge       "00100100 zz 0 mmmmm 100 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(false, true, |a, b| a >= b);
    cmpgt       "00100100 zz 0 mmmmm 100 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(false, true, |a, b| a > b);
    cmpeq       "00100100 zz 0 mmmmm 101 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(false, true, |a, b| a == b);
    cmpne       "00100100 zz 0 mmmmm 101 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(false, true, |a, b| a != b);
    cmpeq_w     "00100100 zz 0 mmmmm 001 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(true, true, |a, b| a == b);
    cmpne_w     "00100100 zz 0 mmmmm 001 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(true, true, |a, b| a != b);
    cmpge_w     "00100100 zz 0 mmmmm 010 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(true, true, |a, b| a >= b);
    cmpgt_w     "00100100 zz 0 mmmmm 010 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(true, true, |a, b| a > b);
    cmplt_w     "00100100 zz 0 mmmmm 011 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(true, true, |a, b| a < b);
    cmple_w     "00100100 zz 0 mmmmm 011 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(true, true, |a, b| a <= b);
    cmphs_w     "00100100 zz 0 mmmmm 110 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(true, false, |a, b| a >= b);
    cmphi_w     "00100100 zz 0 mmmmm 110 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(true, false, |a, b| a > b);
    cmplo_w     "00100100 zz 0 mmmmm 111 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare(true, false, |a, b| a < b);
    cmpls_w     "00100100 zz 0 mmmmm 111 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare(true, false, |a, b| a <= b);
    cmphs_i     "00100100 zz 1 iiiiiii 0 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare_imm(false, |a, b| a >= b);
    cmphi_i     "00100100 zz 1 iiiiiii 0 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare_imm(false, |a, b| a > b);
    cmplo_i     "00100100 zz 1 iiiiiii 1 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare_imm(false, |a, b| a < b);
    cmpls_i     "00100100 zz 1 iiiiiii 1 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare_imm(false, |a, b| a <= b);
    cmpge_i     "00100101 zz 0 iiiii 000 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare_imm(true, |a, b| a >= b);
    cmpgt_i     "00100101 zz 0 iiiii 000 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare_imm(true, |a, b| a > b);
    cmplt_i     "00100101 zz 0 iiiii 001 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare_imm(true, |a, b| a < b);
    cmple_i     "00100101 zz 0 iiiii 001 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare_imm(true, |a, b| a <= b);
    cmpeq_i     "00100101 zz 0 iiiii 100 ggg nnnnn 0 dddd" SVE 'f' Registers |u| u.compare_imm(true, |a, b| a == b);
    cmpne_i     "00100101 zz 0 iiiii 100 ggg nnnnn 1 dddd" SVE 'f' Registers |u| u.compare_imm(true, |a, b| a != b);

    // Logic; the second ones set the flags.
    and_ppp     "00100101 00 00 mmmm 01 gggg 0 nnnn 0 dddd" SVE 'n' Registers |u| u.logic(|a, b| a & b);
    bic_ppp     "00100101 00 00 mmmm 01 gggg 0 nnnn 1 dddd" SVE 'n' Registers |u| u.logic(|a, b| a & !b);
    eor_ppp     "00100101 00 00 mmmm 01 gggg 1 nnnn 0 dddd" SVE 'n' Registers |u| u.logic(|a, b| a ^ b);
    sel_ppp     "00100101 00 00 mmmm 01 gggg 1 nnnn 1 dddd" SVE 'n' Registers |u| u.select_predicate();
    ands_ppp    "00100101 01 00 mmmm 01 gggg 0 nnnn 0 dddd" SVE 'f' Registers |u| u.logic(|a, b| a & b);
    bics_ppp    "00100101 01 00 mmmm 01 gggg 0 nnnn 1 dddd" SVE 'f' Registers |u| u.logic(|a, b| a & !b);
    eors_ppp    "00100101 01 00 mmmm 01 gggg 1 nnnn 0 dddd" SVE 'f' Registers |u| u.logic(|a, b| a ^ b);
    orr_ppp     "00100101 10 00 mmmm 01 gggg 0 nnnn 0 dddd" SVE 'n' Registers |u| u.logic(|a, b| a | b);
    orn_ppp     "00100101 10 00 mmmm 01 gggg 0 nnnn 1 dddd" SVE 'n' Registers |u| u.logic(|a, b| a | !b);
    nor_ppp     "00100101 10 00 mmmm 01 gggg 1 nnnn 0 dddd" SVE 'n' Registers |u| u.logic(|a, b| !(a | b));
    nand_ppp    "00100101 10 00 mmmm 01 gggg 1 nnnn 1 dddd" SVE 'n' Registers |u| u.logic(|a, b| !(a & b));
    orrs_ppp    "00100101 11 00 mmmm 01 gggg 0 nnnn 0 dddd" SVE 'f' Registers |u| u.logic(|a, b| a | b);
    orns_ppp    "00100101 11 00 mmmm 01 gggg 0 nnnn 1 dddd" SVE 'f' Registers |u| u.logic(|a, b| a | !b);
    nors_ppp    "00100101 11 00 mmmm 01 gggg 1 nnnn 0 dddd" SVE 'f' Registers |u| u.logic(|a, b| !(a | b));
    nands_ppp   "00100101 11 00 mmmm 01 gggg 1 nnnn 1 dddd" SVE 'f' Registers |u| u.logic(|a, b| !(a & b));
    brkpa       "00100101 00 00 mmmm 11 gggg 0 nnnn 0 dddd" SVE 'n' Registers |u| u.break_pair(false);
    brkpb       "00100101 00 00 mmmm 11 gggg 0 nnnn 1 dddd" SVE 'n' Registers |u| u.break_pair(true);
    brkpas      "00100101 01 00 mmmm 11 gggg 0 nnnn 0 dddd" SVE 'f' Registers |u| u.break_pair(false);
    brkpbs      "00100101 01 00 mmmm 11 gggg 0 nnnn 1 dddd" SVE 'f' Registers |u| u.break_pair(true);
    brkn        "00100101 00 011000 01 gggg 0 nnnn 0 dddd" SVE 'n' Registers |u| u.break_next();
    brkns       "00100101 01 011000 01 gggg 0 nnnn 0 dddd" SVE 'f' Registers |u| u.break_next();
    brka        "00100101 00 010000 01 gggg 0 nnnn M dddd" SVE 'n' Registers |u| u.break_after(false);
    brkas       "00100101 01 010000 01 gggg 0 nnnn 0 dddd" SVE 'f' Registers |u| u.break_after(false);
    brkb        "00100101 10 010000 01 gggg 0 nnnn M dddd" SVE 'n' Registers |u| u.break_after(true);
    brkbs       "00100101 11 010000 01 gggg 0 nnnn 0 dddd" SVE 'f' Registers |u| u.break_after(true);
    ptest       "00100101 01 010000 11 gggg 0 nnnn 0 0000" SVE 'f' Registers |u| u.ptest();
    pfirst      "00100101 01 011000 1100000 nnnn 0 dddd" SVE 'f' Registers |u| u.pfirst();
    ptrue       "00100101 zz 011000 111000 ppppp 0 dddd" SVE 'n' Registers |u| u.ptrue(false);
    ptrues      "00100101 zz 011001 111000 ppppp 0 dddd" SVE 'f' Registers |u| u.ptrue(true);
    pfalse      "00100101 00 011000 111001 00000 0 dddd" SVE 'n' Registers |u| u.pfalse();
    rdffr_p     "00100101 00 011000 1111000 nnnn 0 dddd" SVE 'n' Registers |u| u.read_ffr(true);
    rdffrs_p    "00100101 01 011000 1111000 nnnn 0 dddd" SVE 'f' Registers |u| u.read_ffr(true);
    rdffr       "00100101 00 011001 111100 00000 0 dddd" SVE 'n' Registers |u| u.read_ffr(false);
    pnext       "00100101 zz 011001 1100010 nnnn 0 dddd" SVE 'f' Registers |u| u.pnext();
    whilelt     "00100101 zz 1 mmmmm 000 f 01 nnnnn 0 dddd" SVE 'f' Registers |u| u.while_compares(true, true, false);
    whilele     "00100101 zz 1 mmmmm 000 f 01 nnnnn 1 dddd" SVE 'f' Registers |u| u.while_compares(true, true, true);
    whilelo     "00100101 zz 1 mmmmm 000 f 11 nnnnn 0 dddd" SVE 'f' Registers |u| u.while_compares(false, true, false);
    whilels     "00100101 zz 1 mmmmm 000 f 11 nnnnn 1 dddd" SVE 'f' Registers |u| u.while_compares(false, true, true);
    whilege     "00100101 zz 1 mmmmm 000 f 00 nnnnn 0 dddd" SVE2 'f' Registers |u| u.while_compares(true, false, true);
    whilegt     "00100101 zz 1 mmmmm 000 f 00 nnnnn 1 dddd" SVE2 'f' Registers |u| u.while_compares(true, false, false);
    whilehs     "00100101 zz 1 mmmmm 000 f 10 nnnnn 0 dddd" SVE2 'f' Registers |u| u.while_compares(false, false, true);
    whilehi     "00100101 zz 1 mmmmm 000 f 10 nnnnn 1 dddd" SVE2 'f' Registers |u| u.while_compares(false, false, false);
    whilewr     "00100101 zz 1 mmmmm 001100 nnnnn 0 dddd" SVE2 'f' Registers |u| u.while_apart(false);
    whilerw     "00100101 zz 1 mmmmm 001100 nnnnn 1 dddd" SVE2 'f' Registers |u| u.while_apart(true);
    cterm       "00100101 1 z 1 mmmmm 001000 nnnnn o 0000" SVE 'f' Terminate ();

    // Counts.
    cntp        "00100101 zz 100000 10 gggg 0 nnnn ddddd" SVE 'x' Registers |u| u.count_predicate();
    incp_v      "00100101 zz 10110 o 10000 00 nnnn ddddd" SVE 'n' Registers |u| u.step_by_predicate(true, false);
    incp_x      "00100101 zz 10110 o 10001 00 nnnn ddddd" SVE 'x' Registers |u| u.step_by_predicate(false, false);
    sqincp_v    "00100101 zz 1010 oo 10000 00 nnnn ddddd" SVE 'n' Registers |u| u.step_by_predicate(true, true);
    sqincp_x    "00100101 zz 1010 oo 10001 f 0 nnnn ddddd" SVE 'x' Registers |u| u.step_by_predicate(false, true);
    setffr      "00100101 00 101100 1001000 0000 00000" SVE 'n' Registers |u| u.set_ffr();
    wrffr       "00100101 00 101000 1001000 nnnn 00000" SVE 'n' Registers |u| u.write_ffr();

    // Wide immediates.
    add_i       "00100101 zz 100000 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, int::add);
    sub_i       "00100101 zz 100001 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, int::sub);
    subr_i      "00100101 zz 100011 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, |_, a, b| b.wrapping_sub(a));
    sqadd_i     "00100101 zz 100100 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, int::suqadd);
    uqadd_i     "00100101 zz 100101 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, int::uqadd);
    sqsub_i     "00100101 zz 100110 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, int::suqsub);
    uqsub_i     "00100101 zz 100111 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate(false, int::uqsub);
    smax_i      "00100101 zz 101000 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate_plain(true, int::smax);
    umax_i      "00100101 zz 101001 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate_plain(false, int::umax);
    smin_i      "00100101 zz 101010 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate_plain(true, int::smin);
    umin_i      "00100101 zz 101011 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate_plain(false, int::umin);
    mul_i       "00100101 zz 110000 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.immediate_plain(true, int::mul);
    dup_i       "00100101 zz 111000 11 h iiiiiiii ddddd" SVE 'n' Registers |u| u.copy_imm(false);
    fdup        "00100101 zz 111001 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.copy_float(false);
}
