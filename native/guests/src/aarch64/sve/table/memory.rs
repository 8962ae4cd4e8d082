//! Loads, stores and prefetches: bit 31 is 1.

use super::super::memory::{Mode, Offset};

super::lines! {
    ldr_z       "10000101 10 iiiiii 010 iii nnnnn ttttt" SVE 'n' Memory |u, m| u.whole_vector(m, false);
    ldr_p       "10000101 10 iiiiii 000 iii nnnnn 0 tttt" SVE 'n' Memory |u, m| u.whole_predicate(m, false);
    str_z       "11100101 10 iiiiii 010 iii nnnnn ttttt" SVE 'n' Memory |u, m| u.whole_vector(m, true);
    str_p       "11100101 10 iiiiii 000 iii nnnnn 0 tttt" SVE 'n' Memory |u, m| u.whole_predicate(m, true);
    prf_i       "1000010 111 iiiiii 0 zz ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(false);
    prf_r       "1000010 zz 00 mmmmm 110 ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(true);
    prf_32      "1000010 00 x 1 mmmmm 0 zz ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(false);
    prf_b32     "1000010 zz 00 iiiii 111 ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(false);
    ld1r        "1000010 zz 1 iiiiii 1 zz ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_replicated(m);
    ld1_32      "1000010 zz x 0 mmmmm 0 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_offsets(m, 32, Offset::Extended(22), false);
    ld1_32s     "1000010 zz x 1 mmmmm 0 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_offsets(m, 32, Offset::Extended(22), true);
    ld1_b32     "1000010 zz 01 iiiii 1 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_bases(m, 32);
    ldnt1_32    "1000010 zz 00 mmmmm 10 u ggg nnnnn ttttt" SVE2 'n' Memory |u, m| u.gather_once(m, 32, 13);
    ld1_r       "1010010 zzzz mmmmm 010 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_one(m, Mode::Plain, false);
    ldff1_r     "1010010 zzzz mmmmm 011 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_one(m, Mode::First, false);
    ld1_i       "1010010 zzzz 0 iiii 101 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_one(m, Mode::Plain, true);
    ldnf1_i     "1010010 zzzz 1 iiii 101 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_one(m, Mode::Never, true);
    ldnt1_r     "1010010 zz 00 mmmmm 110 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_once(m, false);
    ldnt1_i     "1010010 zz 000 iiii 111 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_once(m, true);
    ldn_r       "1010010 zz kk mmmmm 110 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.structures(m, false, false);
    ldn_i       "1010010 zz kk 0 iiii 111 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.structures(m, false, true);
    ld1rq_r     "1010010 zz 00 mmmmm 000 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_segment(m, 16, false);
    ld1ro_r     "1010010 zz 01 mmmmm 000 ggg nnnnn ttttt" SVE_F64MM 'n' Memory |u, m| u.load_segment(m, 32, false);
    ld1rq_i     "1010010 zz 000 iiii 001 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.load_segment(m, 16, true);
    ld1ro_i     "1010010 zz 010 iiii 001 ggg nnnnn ttttt" SVE_F64MM 'n' Memory |u, m| u.load_segment(m, 32, true);
    prf_64s     "1100010 00 11 mmmmm 1 zz ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(false);
    prf_64      "1100010 00 x 1 mmmmm 0 zz ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(false);
    prf_b64     "1100010 zz 00 iiiii 111 ggg nnnnn 0 pppp" SVE 'n' Registers |u| u.prefetch(false);
    ld1_u32     "1100010 zz x 0 mmmmm 0 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_offsets(m, 64, Offset::Extended(22), false);
    ld1_u32s    "1100010 zz x 1 mmmmm 0 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_offsets(m, 64, Offset::Extended(22), true);
    ld1_64      "1100010 zz 10 mmmmm 1 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_offsets(m, 64, Offset::Whole, false);
    ld1_64s     "1100010 zz 11 mmmmm 1 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_offsets(m, 64, Offset::Whole, true);
    ld1_b64     "1100010 zz 01 iiiii 1 uf ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.gather_bases(m, 64);
    ldnt1_64    "1100010 zz 00 mmmmm 1 u 0 ggg nnnnn ttttt" SVE2 'n' Memory |u, m| u.gather_once(m, 64, 14);
    st1_r       "1110010 zz zz mmmmm 010 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.store_one(m, false);
    stnt1_i     "1110010 zz 001 iiii 111 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.store_once(m, true);
    stn_i       "1110010 zz kk 1 iiii 111 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.structures(m, true, true);
    st1_i       "1110010 zz zz 0 iiii 111 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.store_one(m, true);
    stnt1_r     "1110010 zz 00 mmmmm 011 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.store_once(m, false);
    stn_r       "1110010 zz kk mmmmm 011 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.structures(m, true, false);
    st1_64      "1110010 zz 00 mmmmm 101 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_offsets(m, 64, Offset::Whole, false);
    st1_64s     "1110010 zz 01 mmmmm 101 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_offsets(m, 64, Offset::Whole, true);
    st1_b64     "1110010 zz 10 iiiii 101 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_bases(m, 64);
    st1_b32     "1110010 zz 11 iiiii 101 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_bases(m, 32);
    st1_u32     "1110010 zz 00 mmmmm 1 x 0 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_offsets(m, 64, Offset::Extended(14), false);
    st1_u32s    "1110010 zz 01 mmmmm 1 x 0 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_offsets(m, 64, Offset::Extended(14), true);
    st1_32      "1110010 zz 10 mmmmm 1 x 0 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_offsets(m, 32, Offset::Extended(14), false);
    st1_32s     "1110010 zz 11 mmmmm 1 x 0 ggg nnnnn ttttt" SVE 'n' Memory |u, m| u.scatter_offsets(m, 32, Offset::Extended(14), true);
    stnt1_64    "1110010 zz 00 mmmmm 001 ggg nnnnn ttttt" SVE2 'n' Memory |u, m| u.scatter_once(m, 64);
    stnt1_32    "1110010 zz 10 mmmmm 001 ggg nnnnn ttttt" SVE2 'n' Memory |u, m| u.scatter_once(m, 32);
}
