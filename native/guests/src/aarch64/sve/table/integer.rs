//! Integer arithmetic, shifts, counts of elements, permutations and immediates: bits 31-29 are 000.

use super::super::int;
use super::super::permute::Mix;
use super::super::{float, unit};

const ALL: u32 = 15;

super::lines! {
    // Predicated arithmetic.
    add_p       "00000100 zz 000000 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::add);
    sub_p       "00000100 zz 000001 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::sub);
    subr_p      "00000100 zz 000011 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive_reversed(8, int::sub);
    smax_p      "00000100 zz 001000 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::smax);
    umax_p      "00000100 zz 001001 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::umax);
    smin_p      "00000100 zz 001010 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::smin);
    umin_p      "00000100 zz 001011 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::umin);
    sabd_p      "00000100 zz 001100 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::sabd);
    uabd_p      "00000100 zz 001101 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::uabd);
    mul_p       "00000100 zz 010000 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::mul);
    smulh_p     "00000100 zz 010010 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::smulh);
    umulh_p     "00000100 zz 010011 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::umulh);
    sdiv_p      "00000100 zz 010100 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(32, int::sdiv);
    udiv_p      "00000100 zz 010101 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(32, int::udiv);
    sdivr_p     "00000100 zz 010110 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive_reversed(32, int::sdiv);
    udivr_p     "00000100 zz 010111 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive_reversed(32, int::udiv);
    orr_p       "00000100 zz 011000 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, |_, a, b| a | b);
    eor_p       "00000100 zz 011001 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, |_, a, b| a ^ b);
    and_p       "00000100 zz 011010 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, |_, a, b| a & b);
    bic_p       "00000100 zz 011011 000 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, |_, a, b| a & !b);

    // Reductions.
    saddv       "00000100 zz 000000 001 ggg nnnnn ddddd" SVE 'n' Registers |u| { unit::require(u.w() < 64)?; u.reduce(64, true, |_| 0, int::add) };
    uaddv       "00000100 zz 000001 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(64, false, |_| 0, int::add);
    smaxv       "00000100 zz 001000 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, true, |w| 1 << (w - 1), int::smax);
    umaxv       "00000100 zz 001001 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, false, |_| 0, int::umax);
    sminv       "00000100 zz 001010 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, true, |w| (1 << (w - 1)) - 1, int::smin);
    uminv       "00000100 zz 001011 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, false, |_| u64::MAX, int::umin);
    movprfx_z   "00000100 zz 010000 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.move_prefix(false);
    movprfx_m   "00000100 zz 010001 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.move_prefix(true);
    orv         "00000100 zz 011000 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, false, |_| 0, |_, a, b| a | b);
    eorv        "00000100 zz 011001 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, false, |_| 0, |_, a, b| a ^ b);
    andv        "00000100 zz 011010 001 ggg nnnnn ddddd" SVE 'n' Registers |u| u.reduce(0, false, |_| u64::MAX, |_, a, b| a & b);

    // Products that accumulate.
    mla         "00000100 zz 0 mmmmm 010 ggg nnnnn ddddd" SVE 'n' Registers |u| u.multiply_add(|_, d, a, b| d.wrapping_add(a.wrapping_mul(b)));
    mls         "00000100 zz 0 mmmmm 011 ggg nnnnn ddddd" SVE 'n' Registers |u| u.multiply_add(|_, d, a, b| d.wrapping_sub(a.wrapping_mul(b)));
    mad         "00000100 zz 0 mmmmm 110 ggg aaaaa ddddd" SVE 'n' Registers |u| u.multiply_add(|_, d, a, m| a.wrapping_add(d.wrapping_mul(m)));
    msb         "00000100 zz 0 mmmmm 111 ggg aaaaa ddddd" SVE 'n' Registers |u| u.multiply_add(|_, d, a, m| a.wrapping_sub(d.wrapping_mul(m)));

    // Shifts.
    asr_pi      "00000100 zz 000000 100 ggg zziii ddddd" SVE 'n' Registers |u| u.shift_imm(false, int::asr);
    lsr_pi      "00000100 zz 000001 100 ggg zziii ddddd" SVE 'n' Registers |u| u.shift_imm(false, int::lsr);
    lsl_pi      "00000100 zz 000011 100 ggg zziii ddddd" SVE 'n' Registers |u| u.shift_imm(true, int::lsl);
    asrd_pi     "00000100 zz 000100 100 ggg zziii ddddd" SVE 'n' Registers |u| u.shift_imm(false, int::asrd);
    sqshl_pi    "00000100 zz 000110 100 ggg zziii ddddd" SVE2 'n' Registers |u| u.shift_imm(true, |w, a, n| int::shift(true, false, true, w, a, n as i64));
    uqshl_pi    "00000100 zz 000111 100 ggg zziii ddddd" SVE2 'n' Registers |u| u.shift_imm(true, |w, a, n| int::shift(false, false, true, w, a, n as i64));
    srshr_pi    "00000100 zz 001100 100 ggg zziii ddddd" SVE2 'n' Registers |u| u.shift_imm(false, |w, a, n| int::shift(true, true, false, w, a, -(n as i64)));
    urshr_pi    "00000100 zz 001101 100 ggg zziii ddddd" SVE2 'n' Registers |u| u.shift_imm(false, |w, a, n| int::shift(false, true, false, w, a, -(n as i64)));
    sqshlu_pi   "00000100 zz 001111 100 ggg zziii ddddd" SVE2 'n' Registers |u| u.shift_imm(true, |w, a, n| unit::clip(w, false, unit::number(true, w, a) << n));
    asr_p       "00000100 zz 010000 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::asr);
    lsr_p       "00000100 zz 010001 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::lsr);
    lsl_p       "00000100 zz 010011 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive(8, int::lsl);
    asrr_p      "00000100 zz 010100 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive_reversed(8, int::asr);
    lsrr_p      "00000100 zz 010101 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive_reversed(8, int::lsr);
    lslr_p      "00000100 zz 010111 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.destructive_reversed(8, int::lsl);
    asr_pw      "00000100 zz 011000 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.shift_wide(true, int::asr);
    lsr_pw      "00000100 zz 011001 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.shift_wide(true, int::lsr);
    lsl_pw      "00000100 zz 011011 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.shift_wide(true, int::lsl);

    // One operand.
    sxtb        "00000100 zz 010000 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(16, |_, a| unit::signed(8, a) as u64);
    uxtb        "00000100 zz 010001 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(16, |_, a| a & 0xff);
    sxth        "00000100 zz 010010 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(32, |_, a| unit::signed(16, a) as u64);
    uxth        "00000100 zz 010011 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(32, |_, a| a & 0xffff);
    sxtw        "00000100 zz 010100 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(64, |_, a| unit::signed(32, a) as u64);
    uxtw        "00000100 zz 010101 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(64, |_, a| a & 0xffff_ffff);
    abs         "00000100 zz 010110 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, |w, a| unit::signed(w, a).unsigned_abs());
    neg         "00000100 zz 010111 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, |_, a| a.wrapping_neg());
    cls         "00000100 zz 011000 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, int::cls);
    clz         "00000100 zz 011001 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, int::clz);
    cnt         "00000100 zz 011010 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, |_, a| a.count_ones().into());
    cnot        "00000100 zz 011011 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, |_, a| u64::from(a == 0));
    fabs        "00000100 zz 011100 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(16, |w, a| a & !(1 << (w - 1)));
    fneg        "00000100 zz 011101 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(16, |w, a| a ^ 1 << (w - 1));
    not         "00000100 zz 011110 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, |_, a| !a);

    // Without a predicate.
    add         "00000100 zz 1 mmmmm 000000 nnnnn ddddd" SVE 'n' Registers |u| u.binary(ALL, int::add);
    sub         "00000100 zz 1 mmmmm 000001 nnnnn ddddd" SVE 'n' Registers |u| u.binary(ALL, int::sub);
    sqadd       "00000100 zz 1 mmmmm 000100 nnnnn ddddd" SVE 'n' Registers |u| u.binary(ALL, int::sqadd);
    uqadd       "00000100 zz 1 mmmmm 000101 nnnnn ddddd" SVE 'n' Registers |u| u.binary(ALL, int::uqadd);
    sqsub       "00000100 zz 1 mmmmm 000110 nnnnn ddddd" SVE 'n' Registers |u| u.binary(ALL, int::sqsub);
    uqsub       "00000100 zz 1 mmmmm 000111 nnnnn ddddd" SVE 'n' Registers |u| u.binary(ALL, int::uqsub);
    and         "00000100 00 1 mmmmm 001100 nnnnn ddddd" SVE 'n' Registers |u| u.bitwise(|a, b| a & b);
    orr         "00000100 01 1 mmmmm 001100 nnnnn ddddd" SVE 'n' Registers |u| u.bitwise(|a, b| a | b);
    eor         "00000100 10 1 mmmmm 001100 nnnnn ddddd" SVE 'n' Registers |u| u.bitwise(|a, b| a ^ b);
    bic         "00000100 11 1 mmmmm 001100 nnnnn ddddd" SVE 'n' Registers |u| u.bitwise(|a, b| a & !b);
    xar         "00000100 zz 1 zziii 001101 mmmmm ddddd" SVE2 'n' Registers |u| u.xor_rotate();
    eor3        "00000100 00 1 mmmmm 001110 kkkkk ddddd" SVE2 'n' Registers |u| u.ternary_bits(|a, b, k| a ^ b ^ k);
    bsl         "00000100 00 1 mmmmm 001111 kkkkk ddddd" SVE2 'n' Registers |u| u.ternary_bits(|a, b, k| a & k | b & !k);
    bcax        "00000100 01 1 mmmmm 001110 kkkkk ddddd" SVE2 'n' Registers |u| u.ternary_bits(|a, b, k| a ^ b & !k);
    bsl1n       "00000100 01 1 mmmmm 001111 kkkkk ddddd" SVE2 'n' Registers |u| u.ternary_bits(|a, b, k| !a & k | b & !k);
    bsl2n       "00000100 10 1 mmmmm 001111 kkkkk ddddd" SVE2 'n' Registers |u| u.ternary_bits(|a, b, k| a & k | !b & !k);
    nbsl        "00000100 11 1 mmmmm 001111 kkkkk ddddd" SVE2 'n' Registers |u| u.ternary_bits(|a, b, k| !(a & k | b & !k));
    index_ii    "00000100 zz 1 iiiii 010000 iiiii ddddd" SVE 'n' Registers |u| u.index(false, false);
    index_ri    "00000100 zz 1 iiiii 010001 nnnnn ddddd" SVE 'n' Registers |u| u.index(true, false);
    index_ir    "00000100 zz 1 mmmmm 010010 iiiii ddddd" SVE 'n' Registers |u| u.index(false, true);
    index_rr    "00000100 zz 1 mmmmm 010011 nnnnn ddddd" SVE 'n' Registers |u| u.index(true, true);
    addvl       "00000100 001 nnnnn 01010 iiiiii ddddd" SVE 's' Registers |u| u.add_length(u.xsp(u.m()), false);
    addpl       "00000100 011 nnnnn 01010 iiiiii ddddd" SVE 's' Registers |u| u.add_length(u.xsp(u.m()), true);
    rdvl        "00000100 101 11111 01010 iiiiii ddddd" SVE 'x' Registers |u| u.add_length(0, false);
    mul         "00000100 zz 1 mmmmm 011000 nnnnn ddddd" SVE2 'n' Registers |u| u.binary(ALL, int::mul);
    pmul        "00000100 00 1 mmmmm 011001 nnnnn ddddd" SVE2 'n' Registers |u| u.binary(ALL, int::pmul);
    smulh       "00000100 zz 1 mmmmm 011010 nnnnn ddddd" SVE2 'n' Registers |u| u.binary(ALL, int::smulh);
    umulh       "00000100 zz 1 mmmmm 011011 nnnnn ddddd" SVE2 'n' Registers |u| u.binary(ALL, int::umulh);
    sqdmulh     "00000100 zz 1 mmmmm 011100 nnnnn ddddd" SVE2 'n' Registers |u| u.binary(ALL, int::sqdmulh);
    sqrdmulh    "00000100 zz 1 mmmmm 011101 nnnnn ddddd" SVE2 'n' Registers |u| u.binary(ALL, int::sqrdmulh);
    asr_w       "00000100 zz 1 mmmmm 100000 nnnnn ddddd" SVE 'n' Registers |u| u.shift_wide(false, int::asr);
    lsr_w       "00000100 zz 1 mmmmm 100001 nnnnn ddddd" SVE 'n' Registers |u| u.shift_wide(false, int::lsr);
    lsl_w       "00000100 zz 1 mmmmm 100011 nnnnn ddddd" SVE 'n' Registers |u| u.shift_wide(false, int::lsl);
    asr_i       "00000100 zz 1 zziii 100100 nnnnn ddddd" SVE 'n' Registers |u| u.shift_imm_all(false, int::asr);
    lsr_i       "00000100 zz 1 zziii 100101 nnnnn ddddd" SVE 'n' Registers |u| u.shift_imm_all(false, int::lsr);
    lsl_i       "00000100 zz 1 zziii 100111 nnnnn ddddd" SVE 'n' Registers |u| u.shift_imm_all(true, int::lsl);
    adr_sxtw    "00000100 00 1 mmmmm 1010 ii nnnnn ddddd" SVE 'n' Registers |u| u.addresses(64, |v| unit::signed(32, v) as u64);
    adr_uxtw    "00000100 01 1 mmmmm 1010 ii nnnnn ddddd" SVE 'n' Registers |u| u.addresses(64, |v| v & 0xffff_ffff);
    adr_s       "00000100 10 1 mmmmm 1010 ii nnnnn ddddd" SVE 'n' Registers |u| u.addresses(32, |v| v);
    adr_d       "00000100 11 1 mmmmm 1010 ii nnnnn ddddd" SVE 'n' Registers |u| u.addresses(64, |v| v);
    ftssel      "00000100 zz 1 mmmmm 101100 nnnnn ddddd" SVE 'n' Registers |u| u.fp_binary(float::tssel);
    fexpa       "00000100 zz 1 00000 101110 nnnnn ddddd" SVE 'n' Registers |u| u.fp_unary(false, float::expa);
    movprfx     "00000100 00 1 00000 101111 nnnnn ddddd" SVE 'n' Registers |u| u.move_all();

    // Counts.
    cnt_e       "00000100 zz 10 iiii 111000 ppppp ddddd" SVE 'x' Registers |u| u.count_elements();
    inc_v       "00000100 zz 11 iiii 11000 o ppppp ddddd" SVE 'n' Registers |u| u.step_vector(false);
    inc_x       "00000100 zz 11 iiii 11100 o ppppp ddddd" SVE 'x' Registers |u| u.step_scalar();
    sqinc_x     "00000100 zz 1 f iiii 1111 oo ppppp ddddd" SVE 'x' Registers |u| u.step_scalar_saturating();
    sqinc_v     "00000100 zz 10 iiii 1100 oo ppppp ddddd" SVE 'n' Registers |u| u.step_vector(true);

    // Immediates.
    orr_imm     "00000101 00 0000 iiiiiiiiiiiii ddddd" SVE 'n' Registers |u| u.bitmask(|a, b| a | b);
    eor_imm     "00000101 01 0000 iiiiiiiiiiiii ddddd" SVE 'n' Registers |u| u.bitmask(|a, b| a ^ b);
    and_imm     "00000101 10 0000 iiiiiiiiiiiii ddddd" SVE 'n' Registers |u| u.bitmask(|a, b| a & b);
    dupm        "00000101 11 0000 iiiiiiiiiiiii ddddd" SVE 'n' Registers |u| u.bitmask(|_, b| b);
    cpy_imm     "00000101 zz 01 gggg 0 M h iiiiiiii ddddd" SVE 'n' Registers |u| u.copy_imm(true);
    fcpy        "00000101 zz 01 gggg 110 iiiiiiii ddddd" SVE 'n' Registers |u| u.copy_float(true);

    // Permutations.
    ext         "00000101 001 iiiii 000 iii mmmmm ddddd" SVE 'n' Registers |u| u.extract(u.d(), u.n());
    ext_pair    "00000101 011 iiiii 000 iii nnnnn ddddd" SVE2 'n' Registers |u| u.extract(u.n(), (u.n() + 1) % 32);
    dup_element "00000101 ii 1 zzzzz 001000 nnnnn ddddd" SVE 'n' Registers |u| u.copy_element();
    tbl         "00000101 zz 1 mmmmm 001100 nnnnn ddddd" SVE 'n' Registers |u| u.table(false, false);
    tbl_pair    "00000101 zz 1 mmmmm 001010 nnnnn ddddd" SVE2 'n' Registers |u| u.table(true, false);
    tbx         "00000101 zz 1 mmmmm 001011 nnnnn ddddd" SVE2 'n' Registers |u| u.table(false, true);
    dup_x       "00000101 zz 100000 001110 nnnnn ddddd" SVE 'n' Registers |u| u.copy_scalar(false);
    insr_x      "00000101 zz 100100 001110 mmmmm ddddd" SVE 'n' Registers |u| u.insert(u.x(u.n()));
    sunpklo     "00000101 zz 110000 001110 nnnnn ddddd" SVE 'n' Registers |u| u.unpack(false, true);
    sunpkhi     "00000101 zz 110001 001110 nnnnn ddddd" SVE 'n' Registers |u| u.unpack(true, true);
    uunpklo     "00000101 zz 110010 001110 nnnnn ddddd" SVE 'n' Registers |u| u.unpack(false, false);
    uunpkhi     "00000101 zz 110011 001110 nnnnn ddddd" SVE 'n' Registers |u| u.unpack(true, false);
    insr_v      "00000101 zz 110100 001110 mmmmm ddddd" SVE 'n' Registers |u| u.insert_simd();
    rev         "00000101 zz 111000 001110 nnnnn ddddd" SVE 'n' Registers |u| u.reverse_elements();
    punpklo     "00000101 00 110000 0100000 nnnn 0 dddd" SVE 'n' Registers |u| u.unpack_predicate(false);
    punpkhi     "00000101 00 110001 0100000 nnnn 0 dddd" SVE 'n' Registers |u| u.unpack_predicate(true);
    rev_p       "00000101 zz 110100 0100000 nnnn 0 dddd" SVE 'n' Registers |u| u.reverse_predicate();
    zip1_p      "00000101 zz 10 mmmm 0100000 nnnn 0 dddd" SVE 'n' Registers |u| u.mix_predicates(Mix::Zip, 0);
    zip2_p      "00000101 zz 10 mmmm 0100010 nnnn 0 dddd" SVE 'n' Registers |u| u.mix_predicates(Mix::Zip, 1);
    uzp1_p      "00000101 zz 10 mmmm 0100100 nnnn 0 dddd" SVE 'n' Registers |u| u.mix_predicates(Mix::Uzp, 0);
    uzp2_p      "00000101 zz 10 mmmm 0100110 nnnn 0 dddd" SVE 'n' Registers |u| u.mix_predicates(Mix::Uzp, 1);
    trn1_p      "00000101 zz 10 mmmm 0101000 nnnn 0 dddd" SVE 'n' Registers |u| u.mix_predicates(Mix::Trn, 0);
    trn2_p      "00000101 zz 10 mmmm 0101010 nnnn 0 dddd" SVE 'n' Registers |u| u.mix_predicates(Mix::Trn, 1);
    zip1        "00000101 zz 1 mmmmm 011000 nnnnn ddddd" SVE 'n' Registers |u| u.mix(Mix::Zip, 0);
    zip2        "00000101 zz 1 mmmmm 011001 nnnnn ddddd" SVE 'n' Registers |u| u.mix(Mix::Zip, 1);
    uzp1        "00000101 zz 1 mmmmm 011010 nnnnn ddddd" SVE 'n' Registers |u| u.mix(Mix::Uzp, 0);
    uzp2        "00000101 zz 1 mmmmm 011011 nnnnn ddddd" SVE 'n' Registers |u| u.mix(Mix::Uzp, 1);
    trn1        "00000101 zz 1 mmmmm 011100 nnnnn ddddd" SVE 'n' Registers |u| u.mix(Mix::Trn, 0);
    trn2        "00000101 zz 1 mmmmm 011101 nnnnn ddddd" SVE 'n' Registers |u| u.mix(Mix::Trn, 1);
    zip1_q      "00000101 101 mmmmm 000000 nnnnn ddddd" SVE_F64MM 'n' Registers |u| u.mix_quads(Mix::Zip, 0);
    zip2_q      "00000101 101 mmmmm 000001 nnnnn ddddd" SVE_F64MM 'n' Registers |u| u.mix_quads(Mix::Zip, 1);
    uzp1_q      "00000101 101 mmmmm 000010 nnnnn ddddd" SVE_F64MM 'n' Registers |u| u.mix_quads(Mix::Uzp, 0);
    uzp2_q      "00000101 101 mmmmm 000011 nnnnn ddddd" SVE_F64MM 'n' Registers |u| u.mix_quads(Mix::Uzp, 1);
    trn1_q      "00000101 101 mmmmm 000110 nnnnn ddddd" SVE_F64MM 'n' Registers |u| u.mix_quads(Mix::Trn, 0);
    trn2_q      "00000101 101 mmmmm 000111 nnnnn ddddd" SVE_F64MM 'n' Registers |u| u.mix_quads(Mix::Trn, 1);
    cpy_v       "00000101 zz 100000 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.copy_simd();
    compact     "00000101 zz 100001 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.compact();
    lasta_v     "00000101 zz 100010 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.last_to_simd(true);
    lastb_v     "00000101 zz 100011 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.last_to_simd(false);
    revb        "00000101 zz 100100 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(16, |w, a| int::reverse(w, 8, a));
    revh        "00000101 zz 100101 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(32, |w, a| int::reverse(w, 16, a));
    revw        "00000101 zz 100110 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(64, |w, a| int::reverse(w, 32, a));
    rbit        "00000101 zz 100111 100 ggg nnnnn ddddd" SVE 'n' Registers |u| u.unary(8, |w, a| int::reverse(w, 1, a));
    clasta      "00000101 zz 101000 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.last_or_vector(true);
    clastb      "00000101 zz 101001 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.last_or_vector(false);
    clasta_v    "00000101 zz 101010 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.last_or_simd(true);
    clastb_v    "00000101 zz 101011 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.last_or_simd(false);
    splice      "00000101 zz 101100 100 ggg mmmmm ddddd" SVE 'n' Registers |u| u.splice(u.d(), u.n());
    splice_pair "00000101 zz 101101 100 ggg nnnnn ddddd" SVE2 'n' Registers |u| u.splice(u.n(), (u.n() + 1) % 32);
    lasta_x     "00000101 zz 100000 101 ggg nnnnn ddddd" SVE 'x' Registers |u| u.last_to_scalar(true);
    lastb_x     "00000101 zz 100001 101 ggg nnnnn ddddd" SVE 'x' Registers |u| u.last_to_scalar(false);
    cpy_x       "00000101 zz 101000 101 ggg nnnnn ddddd" SVE 'n' Registers |u| u.copy_scalar(true);
    clasta_x    "00000101 zz 110000 101 ggg mmmmm ddddd" SVE 'x' Registers |u| u.last_or_scalar(true);
    clastb_x    "00000101 zz 110001 101 ggg mmmmm ddddd" SVE 'x' Registers |u| u.last_or_scalar(false);
    sel         "00000101 zz 1 mmmmm 11 gggg nnnnn ddddd" SVE 'n' Registers |u| u.select();
}
