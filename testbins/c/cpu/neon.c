// arches: arm
// cflags: -O2 -ffp-contract=off -fno-tree-vectorize
// cflags-arm: -mfpu=neon-vfpv4
// Advanced SIMD of A32 against the same in plain C, and its arithmetic (denormal numbers flushed, default NaNs, whatever
// FPSCR says) next to VFP's. Loops are long enough to be translated as a whole.
#include "../check.h"

#include <arm_neon.h>

enum { SIZE = 64, ROUNDS = 3000 };

static uint32_t seed = 1;

static uint32_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	return seed ^= seed << 5;
}

static void fill(void *p, size_t n)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x81, 0xfe, 0x40 };
	for (uint8_t *b = p; n-- != 0; b++)
		*b = next() & 1 ? edges[next() >> 8 & 7] : next() >> 9;
}

static unsigned fpscr(void)
{
	unsigned v;
	__asm__ volatile("vmrs %0, fpscr" : "=r"(v));
	return v;
}

static void set_fpscr(unsigned v)
{
	__asm__ volatile("vmsr fpscr, %0" : : "r"(v));
}

static int clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

static int16_t a[SIZE], b[SIZE], c[SIZE];
static uint8_t ub[SIZE], vb[SIZE], wb[SIZE];

/* Everything as lanes of 16 bits: NAME, the intrinsic of q registers, the same of x and y. */
#define SIXTEEN(X)                                                                             \
	X(add, vaddq_s16(x, y), (int16_t)(p + q))                                              \
	X(add_saturating, vqaddq_s16(x, y), clamp(p + q, -32768, 32767))                       \
	X(sub_saturating, vqsubq_s16(x, y), clamp(p - q, -32768, 32767))                       \
	X(halving, vhaddq_s16(x, y), (p + q) >> 1)                                             \
	X(halving_rounded, vrhaddq_s16(x, y), (p + q + 1) >> 1)                                \
	X(difference, vabdq_s16(x, y), (int16_t)(p > q ? p - q : q - p))                       \
	X(maximum, vmaxq_s16(x, y), p > q ? p : q)                                             \
	X(minimum, vminq_s16(x, y), p < q ? p : q)                                             \
	X(multiply, vmulq_s16(x, y), (int16_t)(p * q))                                         \
	X(high, vqdmulhq_s16(x, y), clamp((int)((long long)p * q * 2 >> 16), -32768, 32767))   \
	X(high_rounded, vqrdmulhq_s16(x, y),                                                   \
	  clamp((int)(((long long)p * q * 2 + 0x8000) >> 16), -32768, 32767))                  \
	X(absolute, vqabsq_s16(x), clamp(p < 0 ? -p : p, -32768, 32767))                       \
	X(shift_right, vshrq_n_s16(x, 3), p >> 3)                                              \
	X(shift_right_rounded, vrshrq_n_s16(x, 3), (p + 4) >> 3)                               \
	X(shift_left_saturating, vqshlq_n_s16(x, 5), clamp(p * 32, -32768, 32767))             \
	X(greater, vreinterpretq_s16_u16(vcgtq_s16(x, y)), p > q ? -1 : 0)                     \
	X(test, vreinterpretq_s16_u16(vtstq_s16(x, y)), p & q ? -1 : 0)                        \
	X(select, vbslq_s16(vcgtq_s16(x, y), x, veorq_s16(x, y)), p > q ? p : (int16_t)(p ^ q))

#define DO(name, vector, scalar)                                                               \
	CHECK(name)                                                                            \
	{                                                                                      \
		for (int round = 0; round < ROUNDS; round++) {                                 \
			fill(a, sizeof a), fill(b, sizeof b);                                  \
			for (int i = 0; i < SIZE; i += 8) {                                    \
				int16x8_t x = vld1q_s16(a + i), y = vld1q_s16(b + i);          \
				(void)y;                                                       \
				vst1q_s16(c + i, vector);                                      \
			}                                                                      \
			for (int i = 0; i < SIZE; i++) {                                       \
				int p = a[i], q = b[i];                                        \
				(void)q;                                                       \
				if (c[i] != (int16_t)(scalar)) {                               \
					EQ(c[i], (int16_t)(scalar));                           \
					return;                                                \
				}                                                              \
			}                                                                      \
		}                                                                              \
	}
SIXTEEN(DO)

CHECK(saturation_is_remembered)
{
	set_fpscr(0);
	int16x4_t x = vdup_n_s16(0x7fff);
	__asm__ volatile("vqadd.s16 %P0, %P0, %P1" : "+w"(x) : "w"(vdup_n_s16(-1)));
	EQ(fpscr() >> 27 & 1, 0);
	__asm__ volatile("vqadd.s16 %P0, %P0, %P1" : "+w"(x) : "w"(vdup_n_s16(2)));
	EQ(fpscr() >> 27 & 1, 1);
	set_fpscr(0);
}

CHECK(longer_and_shorter)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint16_t sum[SIZE];
		int wrong = 0;
		fill(ub, sizeof ub), fill(vb, sizeof vb);
		for (int i = 0; i < SIZE; i += 8) {
			uint8x8_t x = vld1_u8(ub + i), y = vld1_u8(vb + i);
			uint16x8_t m = vmull_u8(x, y);
			m = vabal_u8(m, x, y);
			m = vaddw_u8(m, y);
			vst1q_u16(sum + i, m);
			vst1_u8(wb + i, vqrshrn_n_u16(m, 7));
		}
		for (int i = 0; i < SIZE; i++) {
			int p = ub[i], q = vb[i];
			uint16_t m = p * q + abs(p - q) + q;
			wrong |= sum[i] != m || wb[i] != clamp((m + 64) >> 7, 0, 255);
		}
		if (wrong) {
			EQ(round, -1);
			return;
		}
	}
}

CHECK(pairs)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint32x4_t sum = vdupq_n_u32(0);
		uint32_t want = 0;
		fill(ub, sizeof ub), fill(vb, sizeof vb);
		for (int i = 0; i < SIZE; i += 16) {
			uint8x16_t d = vabdq_u8(vld1q_u8(ub + i), vld1q_u8(vb + i));
			sum = vpadalq_u16(sum, vpaddlq_u8(d));
		}
		uint32x2_t two = vadd_u32(vget_low_u32(sum), vget_high_u32(sum));
		for (int i = 0; i < SIZE; i++)
			want += abs(ub[i] - vb[i]);
		if (vget_lane_u32(vpadd_u32(two, two), 0) != want) {
			EQ(vget_lane_u32(vpadd_u32(two, two), 0), want);
			return;
		}
	}
}

CHECK(structures)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t in[24 * 4], out[24 * 4];
		uint16_t four[16], turned[16];
		int wrong = 0;
		fill(in, sizeof in), fill(four, sizeof four);
		for (int i = 0; i < 96; i += 24) {
			uint8x8x3_t v = vld3_u8(in + i);
			uint8x8_t t = v.val[0];
			v.val[0] = v.val[2], v.val[2] = t;
			vst3_u8(out + i, v);
		}
		for (int i = 0; i < 96; i++)
			wrong |= out[i] != in[i - i % 3 + 2 - i % 3];
		uint16x4x4_t m = vld4_u16(four);
		for (int i = 0; i < 4; i++)
			vst1_u16(turned + 4 * i, m.val[i]);
		for (int i = 0; i < 16; i++)
			wrong |= turned[i] != four[i % 4 * 4 + i / 4];
		uint32x2x2_t lane = { { vdup_n_u32(7), vdup_n_u32(9) } };
		lane = vld2_lane_u32((uint32_t *)four, lane, 1);
		wrong |= vget_lane_u32(lane.val[0], 0) != 7 || vget_lane_u32(lane.val[1], 1) != ((uint32_t *)four)[1];
		if (wrong) {
			EQ(round, -1);
			return;
		}
	}
}

CHECK(tables_and_permutations)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t index[8], old[8], found[8], kept[8], x[8], y[8], got[8];
		int wrong = 0;
		fill(ub, 32), fill(old, 8), fill(x, 8), fill(y, 8);
		for (int i = 0; i < 8; i++)
			index[i] = next() % 40;
		uint8x8x3_t table = { { vld1_u8(ub), vld1_u8(ub + 8), vld1_u8(ub + 16) } };
		vst1_u8(found, vtbl3_u8(table, vld1_u8(index)));
		vst1_u8(kept, vtbx3_u8(vld1_u8(old), table, vld1_u8(index)));
		for (int i = 0; i < 8; i++) {
			wrong |= found[i] != (index[i] < 24 ? ub[index[i]] : 0);
			wrong |= kept[i] != (index[i] < 24 ? ub[index[i]] : old[i]);
		}
		uint8x8x2_t z = vzip_u8(vld1_u8(x), vld1_u8(y));
		vst1_u8(got, z.val[1]);
		for (int i = 0; i < 8; i++)
			wrong |= got[i] != (i & 1 ? y : x)[4 + i / 2];
		z = vuzp_u8(z.val[0], z.val[1]);
		vst1_u8(got, z.val[1]);
		wrong |= memcmp(got, y, 8);
		vst1_u8(got, vext_u8(vld1_u8(x), vrev32_u8(vld1_u8(y)), 5));
		for (int i = 0; i < 8; i++)
			wrong |= got[i] != (i < 3 ? x[5 + i] : y[(i - 3) / 4 * 4 + 3 - (i - 3) % 4]);
		if (wrong) {
			EQ(round, -1);
			return;
		}
	}
}

static uint32_t bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

/* VFP keeps denormal numbers and NaNs, Advanced SIMD does not: in one loop, by turns. */
CHECK(two_arithmetics)
{
	volatile float tiny = 1e-38f, tenth = 0.1f;
	uint32_t nan_bits = 0x7fc12345;
	float nan;
	memcpy(&nan, &nan_bits, 4);
	set_fpscr(0);
	for (int round = 0; round < ROUNDS; round++) {
		float scalar = tiny * tenth, sum = nan + tenth;
		float32x4_t v = vmulq_f32(vdupq_n_f32(tiny), vdupq_n_f32(tenth));
		float32x4_t w = vaddq_f32(vdupq_n_f32(nan), vdupq_n_f32(tenth));
		float32x4_t d = vaddq_f32(vdupq_n_f32(scalar), vdupq_n_f32(scalar));
		float32x4_t one = vaddq_f32(vdupq_n_f32(round), vdupq_n_f32(0.5f));
		if (bits(scalar) == 0 || bits(sum) != nan_bits || bits(vgetq_lane_f32(v, 1)) != 0 ||
		    bits(vgetq_lane_f32(w, 2)) != 0x7fc00000 || bits(vgetq_lane_f32(d, 3)) != 0 ||
		    vgetq_lane_f32(one, 0) != (float)round + 0.5f) {
			EQ(round, -1);
			break;
		}
	}
	/* Input denormal, underflow, inexact. */
	EQ(fpscr() & 0x9f, 0x98);
	set_fpscr(0);
}

CHECK(directed_rounding_is_not_for_lanes)
{
	/* Towards zero. */
	set_fpscr(3 << 22);
	volatile float x = 1, y = 0x1p-24f * 1.5f;
	volatile float scalar = x + y;
	float32x2_t v = vdup_n_f32(x);
	__asm__ volatile("vadd.f32 %P0, %P0, %P1" : "+w"(v) : "w"(vdup_n_f32(y)));
	set_fpscr(0);
	EQ(bits(scalar), 0x3f800000);
	EQ(bits(vget_lane_f32(v, 1)), 0x3f800001);
}

CHECK(products_and_sums)
{
	for (int round = 0; round < ROUNDS; round++) {
		float x[8], y[8], z[8];
		for (int i = 0; i < 8; i++) {
			x[i] = (int)next() / 65536.0f, y[i] = (int)next() / 1024.0f;
			z[i] = (int)next() / 8.0f;
		}
		float32x4_t s = vld1q_f32(z), f = s, m = s;
		for (int i = 0; i < 8; i += 4) {
			__asm__("vmla.f32 %q0, %q1, %q2" : "+w"(s) : "w"(vld1q_f32(x + i)), "w"(vld1q_f32(y + i)));
			f = vfmaq_f32(f, vld1q_f32(x + i), vld1q_f32(y + i));
			m = vmlsq_lane_f32(m, vld1q_f32(x + i), vld1_f32(y + i), 1);
		}
		for (int i = 0; i < 4; i++) {
			float want = z[i] + x[i] * y[i], less = z[i] - x[i] * y[1];
			float fused = __builtin_fmaf(x[i], y[i], z[i]);
			want += x[i + 4] * y[i + 4], less -= x[i + 4] * y[5];
			fused = __builtin_fmaf(x[i + 4], y[i + 4], fused);
			if (s[i] != want || f[i] != fused || m[i] != less) {
				EQ(round, -1);
				return;
			}
		}
	}
}

/* Registers that share bits: s1 and s2 are in d0 and d1, those in q0. */
CHECK(shared_registers)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t r0, r1, r2, r3;
		uint64_t d;
		__asm__ volatile("vmov.i32 q0, #0\n\t"
				 "vmov s1, %5\n\t"
				 "vmov s2, %6\n\t"
				 "vadd.i32 q0, q0, q0\n\t"
				 "vmov %0, s1\n\t"
				 "vmov s0, %6\n\t"
				 "vadd.i64 d1, d1, d0\n\t"
				 "vrev64.32 q0, q0\n\t"
				 "vmov %Q4, %R4, d1\n\t"
				 "vmov %1, s0\n\t"
				 "vmov.32 %2, d0[1]\n\t"
				 "vmov.u16 %3, d1[3]\n\t"
				 : "=&r"(r0), "=&r"(r1), "=&r"(r2), "=&r"(r3), "=&r"(d)
				 : "r"(round), "r"(~round)
				 : "q0");
		uint64_t d0 = (uint64_t)(2 * round) << 32 | ~round;
		uint64_t d1 = (uint64_t)(uint32_t)(2 * ~round) + d0;
		uint64_t want = d1 << 32 | d1 >> 32;
		if (r0 != 2 * round || r1 != 2 * round || r2 != ~round || d != want || r3 != want >> 48) {
			EQ(round, (unsigned)-1);
			return;
		}
	}
}

CHECK(comparisons)
{
	static const float v[] = { 0, -0.0f, 1, -1, __builtin_inff(), -__builtin_inff(), __builtin_nanf("") };
	for (int round = 0; round < 300; round++)
		for (int i = 0; i < 7; i++)
			for (int j = 0; j < 7; j++) {
				volatile float x = v[i], y = v[j];
				int n = i == 6 || j == 6;
				/* Ranks by hand: -inf, -1, zeros, 1, inf. */
				static const int rank[] = { 2, 2, 3, 1, 4, 0, 9 };
				int less = !n && rank[i] < rank[j], same = !n && rank[i] == rank[j];
				int got = (x < y) | (x <= y) << 1 | (x == y) << 2 | (x > y) << 3 |
					  (x >= y) << 4 | (x != y) << 5 | __builtin_isunordered(x, y) << 6;
				int want = less | (less | same) << 1 | same << 2 | (!n && !less && !same) << 3 |
					   (!n && !less) << 4 | !same << 5 | n << 6;
				if (got != want) {
					EQ(got, want);
					return;
				}
			}
}

CHECK(conversions)
{
	static const double in[] = { 0.5, -0.5, 2147483647.5, 2147483648.0, -2147483648.0, -2147483649.0, 4294967295.0,
				     4294967296.0, -1, 1e300, -1e300 };
	static const int32_t s[] = { 0, 0, 2147483647, 2147483647, INT32_MIN, INT32_MIN, 2147483647, 2147483647, -1,
				     2147483647, INT32_MIN };
	static const uint32_t u[] = { 0, 0, 2147483647, 2147483648, 0, 0, 4294967295, 4294967295, 0, 4294967295, 0 };
	for (int i = 0; i < 11; i++) {
		uint32_t as_signed, as_unsigned;
		double d = in[i];
		__asm__ volatile("vcvt.s32.f64 s0, %P2\n\tvmov %0, s0\n\tvcvt.u32.f64 s0, %P2\n\tvmov %1, s0"
				 : "=&r"(as_signed), "=&r"(as_unsigned)
				 : "w"(d)
				 : "s0");
		EQ((int32_t)as_signed, s[i]);
		EQ(as_unsigned, u[i]);
		float f = i;
		__asm__ volatile("vcvt.u32.f32 %0, %0, #4\n\tvcvt.f32.u32 %0, %0, #2" : "+t"(f));
		EQ(bits(f), bits(4.0f * i));
	}
}

CHECK_MAIN
