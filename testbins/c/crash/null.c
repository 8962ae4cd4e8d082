// dies: SIGSEGV
// Reads through a null pointer.
#include <stdio.h>

int main(void)
{
	int *volatile p = NULL;

	puts("before");
	fflush(stdout);
	printf("after %d\n", *p);
	return 0;
}
