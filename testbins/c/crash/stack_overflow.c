// dies: SIGSEGV
// Recurses until the stack has no room.
#include <stdio.h>

#pragma GCC diagnostic ignored "-Winfinite-recursion"

static int recurse(volatile char *above, int depth)
{
	volatile char frame[4096];

	frame[0] = above[0];
	return recurse(frame, depth + 1) + frame[0] + depth;
}

int main(void)
{
	volatile char first = 1;

	puts("before");
	fflush(stdout);
	printf("after %d\n", recurse(&first, 0));
	return 0;
}
