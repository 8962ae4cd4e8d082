// dies: SIGSEGV
// Jumps to where nothing is mapped.
#include <stdint.h>
#include <stdio.h>

int main(void)
{
	void (*volatile nowhere)(void) = (void (*)(void))(uintptr_t)0x1000;

	puts("before");
	fflush(stdout);
	nowhere();
	puts("after");
	return 0;
}
