// dies: SIGBUS
// Reads a mapped page that lies beyond the end of its file.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

int main(void)
{
	int fd = memfd_create("empty", 0);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	puts("before");
	fflush(stdout);
	printf("after %d\n", *p);
	return 0;
}
