// arches: aarch64
// build: native-core
// BF16, I8MM, and what else Unicorn has not or gets wrong: checksums of results and FPSR over random operands,
// under several FPCR, which have to be qemu's (tests/test_testbins.py compares the output).
#include "../check.h"

#include <sys/auxv.h>

__asm__(".arch armv8.6-a+fp16+fp16fml+bf16+i8mm\n\t");

static uint64_t seed = 0x9e3779b97f4a7c15ULL;

static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

/* Two words or four halves: zeros, denormals, ordinary numbers, infinities and NaNs now and then. */
static uint64_t lanes(void)
{
	static const uint32_t words[] = {
		0,	    0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
		0x7fc00001, 0x7f800001, 0x00000001, 0x807fffff, 0x7f7fffff, 0x3f7f8000,
		0x00800000, 0x7f7f8000, 0x3f808000, 0x3f818000,
	};
	static const uint16_t halves[] = { 0,	   0x8000, 0x3c00, 0x7c00, 0x7e01, 0x0001,
					   0x83ff, 0x7bff, 0x3f80, 0x0080, 0x7f7f, 0x4248 };
	uint64_t r = 0;
	float f;
	uint32_t bits;
	switch (next() % 8) {
	case 0:
		for (int i = 0; i < 2; i++) r = r << 32 | words[next() % 16];
		return r;
	case 1:
		for (int i = 0; i < 4; i++) r = r << 16 | halves[next() % 12];
		return r;
	case 2:
		return next();
	case 3:
		/* Halves of ordinary size. */
		for (int i = 0; i < 4; i++) r = r << 16 | (0x3000 + (next() & 0x97ff));
		return r;
	default:
		for (int i = 0; i < 2; i++) {
			f = (float)(int64_t)(next() >> 40) / 4096.0f - 2048.0f;
			memcpy(&bits, &f, 4);
			r = r << 32 | bits;
		}
		return r;
	}
}

typedef struct {
	uint64_t lo, hi;
} q;

static const uint64_t modes[] = { 0, 1 << 24, 1 << 25, 3 << 24 | 1 << 22, 2 << 22, 3 << 22, 1 << 19 };

#define ROUNDS 400

#define TRY(name, text)                                                               \
	static void name(q *d, q *n, q *m, uint64_t fpcr, uint64_t *fpsr)             \
	{                                                                             \
		__asm__ volatile("msr fpcr, %[c]\n\tmsr fpsr, xzr\n\t"                \
				 "ldr q0, %[vd]\n\tldr q1, %[vn]\n\tldr q2, %[vm]\n\t" \
				 text "\n\tstr q0, %[vd]\n\tmrs %[s], fpsr\n\t"       \
				 "msr fpcr, xzr"                                      \
				 : [vd] "+m"(*d), [s] "=&r"(*fpsr)                    \
				 : [vn] "m"(*n), [vm] "m"(*m), [c] "r"(fpcr)          \
				 : "v0", "v1", "v2", "memory");                       \
	}

static void sweep(const char *name, void (*one)(q *, q *, q *, uint64_t, uint64_t *))
{
	for (unsigned k = 0; k < sizeof modes / sizeof *modes; k++) {
		uint64_t hash = 0xcbf29ce484222325ULL, flags = 0;
		seed = 0x9e3779b97f4a7c15ULL + k;
		for (int i = 0; i < ROUNDS; i++) {
			q d = { lanes(), lanes() }, n = { lanes(), lanes() },
			  m = { lanes(), lanes() };
			uint64_t fpsr;
			one(&d, &n, &m, modes[k], &fpsr);
			uint64_t parts[] = { d.lo, d.hi, fpsr };
			for (int p = 0; p < 3; p++) {
				hash = (hash ^ parts[p]) * 0x100000001b3ULL;
				hash ^= hash >> 29;
			}
			flags |= fpsr;
		}
		printf("%s fpcr %07lx: %016lx, flags %02lx\n", name, (unsigned long)modes[k],
		       (unsigned long)hash, (unsigned long)flags);
	}
}

#define ALL(X)                                                      \
	X(smmla, "smmla v0.4s, v1.16b, v2.16b")                     \
	X(ummla, "ummla v0.4s, v1.16b, v2.16b")                     \
	X(usmmla, "usmmla v0.4s, v1.16b, v2.16b")                   \
	X(usdot, "usdot v0.4s, v1.16b, v2.16b")                     \
	X(usdot_d, "usdot v0.2s, v1.8b, v2.8b")                     \
	X(usdot_lane, "usdot v0.4s, v1.16b, v2.4b[3]")              \
	X(sudot_lane, "sudot v0.4s, v1.16b, v2.4b[1]")              \
	X(bfdot, "bfdot v0.4s, v1.8h, v2.8h")                       \
	X(bfdot_d, "bfdot v0.2s, v1.4h, v2.4h")                     \
	X(bfdot_lane, "bfdot v0.4s, v1.8h, v2.2h[2]")               \
	X(bfmmla, "bfmmla v0.4s, v1.8h, v2.8h")                     \
	X(bfmlalb, "bfmlalb v0.4s, v1.8h, v2.8h")                   \
	X(bfmlalt, "bfmlalt v0.4s, v1.8h, v2.8h")                   \
	X(bfmlalb_lane, "bfmlalb v0.4s, v1.8h, v2.h[5]")            \
	X(bfmlalt_lane, "bfmlalt v0.4s, v1.8h, v2.h[7]")            \
	X(bfcvt, "bfcvt h0, s1")                                    \
	X(bfcvtn, "bfcvtn v0.4h, v1.4s")                            \
	X(bfcvtn2, "bfcvtn2 v0.8h, v1.4s")                          \
	X(fsqrt_h, "fsqrt v0.8h, v1.8h")                            \
	X(fsqrt_4h, "fsqrt v0.4h, v1.4h")                           \
	X(fcmla_lane, "fcmla v0.8h, v1.8h, v2.h[1], #90")           \
	X(fcmla_lane_s, "fcmla v0.4s, v1.4s, v2.s[1], #270")

#define DEFINE(name, text) TRY(name, text)
ALL(DEFINE)

CHECK(sums)
{
	/* HWCAP2_I8MM, HWCAP2_BF16: this program is only run where they are to be there. */
	TRUE((getauxval(AT_HWCAP2) >> 13 & 3) == 3);
#define RUN(name, text) sweep(#name, name);
	ALL(RUN)
}

CHECK_MAIN
