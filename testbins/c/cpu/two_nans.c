// Which NaN comes of two, or three: each ISA has a rule of its own (Arm: one that signals, then the first; RISC-V: always the
// same one; PowerPC: by the operand's place; MIPS before 2008: below), and qemu-user prints what it is. Not for s390x and x86,
// where Unicorn has x87's rule for all (docs/guests.md).
// arches: aarch64 arm mips mipsel mips64 mips64el mipsn32 mipsn32el riscv64 ppc
// cflags: -O1 -fsignaling-nans -frounding-math
// libs: -lm
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Quiet and signalling ones with a payload of their own, by the bit of IEEE 754-2008, and a number. */
static const uint64_t doubles[] = {
	0x7ff8000000000111, 0xfff8000000000222, 0x7ff0000000000333, 0xfff0000000000444, 0x4004000000000000,
};
static const uint32_t singles[] = { 0x7fc00111, 0xffc00222, 0x7f800333, 0xff800444, 0x40200000 };
enum { COUNT = 5 };

/* As bits all the way: on some machines to move a NaN through a register of another format changes it. */
#define OPERATION(name, type, bits, expression)                          \
	static __attribute__((noinline)) bits name(bits x, bits y, bits z) \
	{                                                                 \
		volatile type a, b, c, r;                                 \
		bits out;                                                 \
                                                                          \
		memcpy((void *)&a, &x, sizeof x);                         \
		memcpy((void *)&b, &y, sizeof y);                         \
		memcpy((void *)&c, &z, sizeof z);                         \
		r = expression;                                           \
		memcpy(&out, (void *)&r, sizeof out);                     \
		(void)c;                                                  \
		return out;                                               \
	}

#if defined(__aarch64__) || defined(__riscv) || defined(__powerpc__) || defined(__s390x__)
#define FUSED(e) e /* one instruction */
#else
#define FUSED(e) 0
#endif

OPERATION(add_d, double, uint64_t, a + b)
OPERATION(sub_d, double, uint64_t, a - b)
OPERATION(mul_d, double, uint64_t, a * b)
OPERATION(div_d, double, uint64_t, a / b)
OPERATION(fma_d, double, uint64_t, FUSED(__builtin_fma(a, b, c)))
OPERATION(add_s, float, uint32_t, a + b)
OPERATION(sub_s, float, uint32_t, a - b)
OPERATION(mul_s, float, uint32_t, a * b)
OPERATION(div_s, float, uint32_t, a / b)
OPERATION(fma_s, float, uint32_t, FUSED(__builtin_fmaf(a, b, c)))

/*
 * With the bit of MIPS before 2008, which is the other way round: a NaN that signals makes a new one, and else the result is an
 * operand's "when possible" (volume I, "Not a Number"); qemu-user makes a new one here, too.
 */
static uint64_t shown(uint64_t result, int signals, int width)
{
#if defined(__mips__) && !defined(__mips_nan2008)
	uint64_t made = width == 64 ? 0x7ff7ffffffffffff : 0x7fbfffff;
	int is_operand = (result & 0xfff) == 0x333 || (result & 0xfff) == 0x444;

	return result == made || (!signals && is_operand) ? 0 : result;
#else
	(void)signals;
	(void)width;
	return result;
#endif
}

int main(void)
{
	static uint64_t (*const wide[])(uint64_t, uint64_t, uint64_t) = { add_d, sub_d, mul_d, div_d, fma_d };
	static uint32_t (*const narrow[])(uint32_t, uint32_t, uint32_t) = { add_s, sub_s, mul_s, div_s, fma_s };
	static const char *const names[] = { "add", "sub", "mul", "div", "fma" };

	for (int op = 0; op < 5; op++)
		for (int a = 0; a < COUNT; a++)
			for (int b = 0; b < COUNT; b++)
				for (int c = 0; c < (op == 4 ? COUNT : 1); c++) {
					int signals = a < 2 || b < 2 || (op == 4 && c < 2);
					uint64_t d = wide[op](doubles[a], doubles[b], doubles[c]);
					uint64_t s = narrow[op](singles[a], singles[b], singles[c]);

					printf("%s %d %d %d: %016llx %08llx\n", names[op], a, b, c,
					       (unsigned long long)shown(d, signals, 64),
					       (unsigned long long)shown(s, signals, 32));
				}
	return 0;
}
