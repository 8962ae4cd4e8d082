// dies: SIGILL
// Runs an instruction that is defined as undefined.
#include <stdio.h>

int main(void)
{
	puts("before");
	fflush(stdout);
#if defined(__aarch64__)
	__asm__ volatile(".inst 0x00000000");
#elif defined(__thumb__)
	__asm__ volatile(".inst.n 0xde00");
#elif defined(__arm__)
	__asm__ volatile(".inst 0xe7f000f0");
#elif defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("ud2");
#else
	__builtin_trap();
#endif
	puts("after");
	return 0;
}
