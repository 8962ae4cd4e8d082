// dies: SIGILL
// Runs an instruction that is defined as undefined.
#include "../isa.h"
#include <stdio.h>

int main(void)
{
	puts("before");
	fflush(stdout);
	ISA_UNDEFINED();
	puts("after");
	return 0;
}
