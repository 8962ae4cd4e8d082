// dies: SIGSEGV
// Crashes with known values in registers and memory; tests/test_core_dump.py looks at the core.
#include "nolibc.h"

char crash_text[] = "text of the data segment";
unsigned long crash_word = 0x12345678;

static __attribute__((noinline)) void crash_here(void)
{
#if defined(__aarch64__)
	__asm__ volatile("movz x19, #0x1919, lsl #48\n\t"
			 "mov x20, #0x10\n\t"
			 "str x19, [x20]" ::: "x19", "x20", "memory");
#elif defined(__arm__)
	__asm__ volatile("mov r4, #0x4400\n\t"
			 "mov r5, #0x10\n\t"
			 "str r4, [r5]" ::: "r4", "r5", "memory");
#elif defined(__s390x__)
	__asm__ volatile("llihh %%r9, 0x1919\n\t"
			 "lghi %%r8, 0x10\n\t"
			 "stg %%r9, 0(%%r8)" ::: "r8", "r9", "memory");
#elif defined(__powerpc__)
	__asm__ volatile("lis 9, 0x1919\n\t"
			 "li 8, 0x10\n\t"
			 "stw 9, 0(8)" ::: "r8", "r9", "memory");
#else
	*(volatile int *)0x10 = 1;
#endif
}

int main(int argc, char **argv, char **envp)
{
	(void)argc, (void)argv, (void)envp;
	crash_here();
	return (int)crash_word;
}
