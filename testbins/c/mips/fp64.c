// A program of o32 for whole floating-point registers (.MIPS.abiflags says so) begins with them.
// arches: mipsel mips
// cflags: -mfp64 -modd-spreg
#include "../check.h"
#include <sys/prctl.h>

static volatile double numbers[2] = { 1.5, -2.25 };

CHECK(begins_with_64_bits)
{
	double even, odd;

	EQ(prctl(PR_GET_FP_MODE), PR_FP_MODE_FR);
	__asm__ volatile("ldc1 $f22, 0(%2)\n\tldc1 $f23, 8(%2)\n\tmov.d %0, $f22\n\tmov.d %1, $f23"
			 : "=&f"(even), "=&f"(odd) : "r"(numbers) : "$f22", "$f23", "memory");
	EQ(even == 1.5, 1);
	EQ(odd == -2.25, 1);
}

CHECK_MAIN
