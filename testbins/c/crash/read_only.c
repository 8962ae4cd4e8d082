// dies: SIGSEGV
// Writes to a constant.
#include <stdio.h>

static const char constant[] = "constant";

int main(void)
{
	char *volatile p = (char *)constant;

	puts("before");
	fflush(stdout);
	*p = 'C';
	printf("after %s\n", p);
	return 0;
}
