// Large reservations and high addresses, as sanitizers, managed languages and fuzzers ask for.
// arches: aarch64
// no-reference: qemu-user takes minutes to find so much room
#include "../check.h"
#include <sys/wait.h>

#define TIB (1UL << 40)

static char *reserve(unsigned long at, size_t size, int prot, int flags)
{
	return mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

static void touch(char *p, size_t size)
{
	for (int i = 0; i <= 8; i++) {
		char *at = p + size / 8 * i - (i == 8);

		EQ(*at, 0);
		*at = 1 + i;
		EQ(*at, 1 + i);
	}
}

CHECK(sizes)
{
	for (int bits = 38; bits <= 46; bits++) {
		char *p = reserve(0, 1UL << bits, PROT_NONE, 0);

		OK((long)p);
		OK(munmap(p, 1UL << bits));
	}
}

CHECK(several)
{
	enum { COUNT = 5 };
	char *parts[COUNT];

	for (int i = 0; i < COUNT; i++) {
		parts[i] = reserve(0, 16 * TIB, PROT_READ | PROT_WRITE, 0);
		OK((long)parts[i]);
		touch(parts[i], 16 * TIB);
	}
	for (int i = 0; i < COUNT; i++)
		EQ(parts[i][16 * TIB - 1], 9);
	for (int i = 0; i < COUNT; i++)
		OK(munmap(parts[i], 16 * TIB));
	/* What was given back can be had again, in one piece. */
	parts[0] = reserve(0, 64 * TIB, PROT_NONE, 0);
	OK((long)parts[0]);
	OK(mprotect(parts[0] + 63 * TIB, 4096, PROT_READ | PROT_WRITE));
	parts[0][63 * TIB] = 1;
	OK(munmap(parts[0], 64 * TIB));
}

static const unsigned long fixed[] = {
	/* ZGC's views, mimalloc's hints, Go's arenas, and near the top. */
	1UL << 42, 1UL << 43, 1UL << 44, 1UL << 45, 1UL << 46, 0x20000000000, 0x4000000000,
	0x600000000000, 0x7e0000000000,
};

CHECK(addresses)
{
	int status;

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		char *p = reserve(fixed[i], 1 << 20, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);

		EQ((long)p, fixed[i]);
		touch(p, 1 << 20);
		ERR(reserve(fixed[i], 4096, PROT_NONE, MAP_FIXED_NOREPLACE) == MAP_FAILED ? -1 : 0,
		    EEXIST);
	}
	/* A hint is kept; the kernel can read and write there, and children have it. */
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		char *p = (char *)fixed[i];
		int ends[2];

		EQ((long)reserve(fixed[i] + (4 << 20), 4096, PROT_READ, 0), fixed[i] + (4 << 20));
		OK(pipe(ends));
		memcpy(p, "above", 5);
		EQ(write(ends[1], p, 5), 5);
		EQ(read(ends[0], p + 4096, 5), 5);
		EQ(memcmp(p + 4096, "above", 5), 0);
		OK(close(ends[0]));
		OK(close(ends[1]));
	}
	pid_t child = OK(fork());
	if (child == 0) {
		for (unsigned i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
			if (memcmp((char *)fixed[i] + 4096, "above", 5))
				_exit(1);
		_exit(0);
	}
	OK(waitpid(child, &status, 0));
	EQ(status, 0);
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		OK(munmap((char *)fixed[i], 8 << 20));
}

CHECK(moves)
{
	char *p = reserve(0, 16 * TIB, PROT_READ | PROT_WRITE, 0);
	char *q;

	OK((long)p);
	strcpy(p, "first");
	strcpy(p + 4096, "second");
	q = mremap(p + 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x600000000000);
	EQ((long)q, 0x600000000000);
	EQ(strcmp(q, "second"), 0);
	q = mremap(q, 4096, 1 << 20, MREMAP_MAYMOVE);
	OK((long)q);
	EQ(strcmp(q, "second"), 0);
	q[(1 << 20) - 1] = 1;
	OK(munmap(q, 1 << 20));
	EQ(strcmp(p, "first"), 0);
	OK(munmap(p, 16 * TIB));
}

/* What is nobody's is no memory for system calls either. */
CHECK(nothing_there)
{
	int ends[2];

	OK(pipe(ends));
	for (unsigned long at = TIB + 0x123; at < 1UL << 47; at += 3 * TIB) {
		unsigned char page;

		if (mincore((void *)(at & ~4095UL), 4096, &page) == 0)
			continue;
		EQ(write(ends[1], (void *)at, 1), -1);
		EQ(errno, EFAULT);
	}
}

CHECK_MAIN
