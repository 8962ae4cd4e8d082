// arches: aarch64
// FPCR.FZ and DN: checksums of results over pairs of edge cases, which have to be qemu's. FPSR is not looked at
// (cpu/status.c does).
#include "../check.h"

static const uint32_t values[] = {
	0,	    0x80000000, 1,	    0x80000001, 0x7fffff,   0x807fffff,
	0x800000,   0x80800000, 0x3f800000, 0xbf800000, 0x33800000, 0x7f800000,
	0x7fc00001, 0x7f800001, 0x1f800000, 0x20000000, 0x00800001, 0x34000000,
};

/* s0 = text(s0, s1) */
#define TWO(name, text)                                                   \
	static uint64_t name(uint32_t a, uint32_t b)                      \
	{                                                                 \
		uint32_t r;                                               \
		__asm__ volatile("fmov s0, %w1\n\tfmov s1, %w2\n\t" text  \
				 "\n\tfmov %w0, s0"                       \
				 : "=r"(r)                                \
				 : "r"(a), "r"(b)                         \
				 : "v0", "v1", "v2", "x0", "x1", "cc");   \
		return r;                                                 \
	}

#define ALL(X)                                                                          \
	X(max, "fmax s0, s0, s1")                                                       \
	X(min, "fmin s0, s0, s1")                                                       \
	X(maxnm, "fmaxnm s0, s0, s1")                                                   \
	X(max_lanes, "fmax v0.4s, v0.4s, v1.4s")                                        \
	X(minnm_lanes, "fminnm v0.4s, v0.4s, v1.4s")                                    \
	X(add, "fadd s0, s0, s1")                                                       \
	X(sub, "fsub s0, s0, s1")                                                       \
	X(mul, "fmul s0, s0, s1")                                                       \
	X(div_, "fdiv s0, s0, s1")                                                      \
	X(madd, "fmadd s0, s0, s1, s0")                                                 \
	X(mul_lanes, "fmul v0.4s, v0.4s, v1.4s")                                        \
	X(mla_lanes, "fmla v0.4s, v0.4s, v1.4s")                                        \
	X(sqrt_, "fsqrt s0, s0")                                                        \
	X(up, "frintp s0, s0")                                                          \
	X(up_lanes, "frintp v0.4s, v0.4s")                                              \
	X(to_int, "fcvtps w0, s0\n\tfmov s0, w0")                                       \
	X(to_int_lanes, "fcvtps v0.4s, v0.4s")                                          \
	X(widened, "fcvt d0, s0\n\tfmov x0, d0\n\tlsr x0, x0, #32\n\tfmov s0, w0")      \
	X(equal, "fcmeq v0.4s, v0.4s, v1.4s")                                           \
	X(at_least, "fcmge v0.4s, v0.4s, v1.4s")                                        \
	X(positive, "fcmgt v0.4s, v0.4s, #0")                                           \
	X(compared, "fcmp s0, s1\n\tcset w0, gt\n\tcset w1, eq\n\t"                     \
		    "add w0, w0, w1, lsl #1\n\tfmov s0, w0")                            \
	X(narrowed, "fcvt d0, s0\n\tfcvt d1, s1\n\tfmul d0, d0, d1\n\tfcvt s0, d0")     \
	X(narrowed_lanes, "fcvtl v0.2d, v0.2s\n\tfcvtl v1.2d, v1.2s\n\t"                \
			  "fmul v0.2d, v0.2d, v1.2d\n\tfcvtn v0.2s, v0.2d")             \
	X(difference, "fabd s0, s0, s1")                                                \
	X(half, "fcvt h0, s0\n\tfcvt s0, h0")                                           \
	X(estimate, "frecpe s0, s0")                                                    \
	X(step, "frsqrts s0, s0, s1")

ALL(TWO)

static void sweep(const char *name, uint64_t (*one)(uint32_t, uint32_t), unsigned mode)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	for (int i = 0; i < COUNT(values); i++)
		for (int j = 0; j < COUNT(values); j++)
			hash = (hash ^ one(values[i], values[j])) * 0x100000001b3ULL;
	printf("%s fpcr %07x: %016lx\n", name, mode, (unsigned long)hash);
}

CHECK(sums)
{
	for (unsigned mode = 0; mode < 8; mode++) {
		/* FZ, DN, rounding up. */
		uint64_t fpcr = (mode & 1) << 24 | (mode >> 1 & 1) << 25 | (mode >> 2) << 22;
		__asm__ volatile("msr fpcr, %0" ::"r"(fpcr));
#define RUN(name, text) sweep(#name, name, fpcr);
		ALL(RUN)
		__asm__ volatile("msr fpcr, xzr");
	}
	EQ(max(0x3f800000, 0x40000000), 0x40000000);
}

CHECK_MAIN
