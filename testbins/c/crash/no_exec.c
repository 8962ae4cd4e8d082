// dies: SIGSEGV
// Jumps into data: readable, writable, not executable.
#include <stdint.h>
#include <stdio.h>

static uint32_t code[16] __attribute__((aligned(64)));

int main(void)
{
	void (*volatile data)(void) = (void (*)(void))(uintptr_t)code;

	puts("before");
	fflush(stdout);
	data();
	puts("after");
	return 0;
}
