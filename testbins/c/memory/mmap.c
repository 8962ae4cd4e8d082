// mmap and munmap: kinds of mappings, fixed addresses, offsets, errors.
#include "../check.h"
#include "probe.h"

static long page;

static char *map(void *at, size_t size, int prot, int flags, int fd, off64_t off)
{
	char *p = mmap64(at, size, prot, flags, fd, off);

	OK((long)p);
	return p;
}

static int file(int pages)
{
	static char block[65536];
	int fd = OK(open("mapped", O_CREAT | O_TRUNC | O_RDWR | O_LARGEFILE,
			 0600));

	page = sysconf(_SC_PAGESIZE);
	for (int i = 0; i < pages; i++) {
		memset(block, 'a' + i, page);
		EQ(write(fd, block, page), page);
	}
	return fd;
}

CHECK(anonymous)
{
	page = sysconf(_SC_PAGESIZE);
	char *p = map(NULL, 3 * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EQ((uintptr_t)p % page, 0);
	for (int i = 0; i < 3 * page; i++)
		EQ(p[i], 0);
	memset(p, 1, 3 * page);
	OK(munmap(p + page, page));
	TRUE(readable(p));
	TRUE(!readable(p + page));
	TRUE(readable(p + 2 * page));
	OK(munmap(p, 3 * page));
	TRUE(!readable(p));
	/* munmap of what is not mapped is no error. */
	OK(munmap(p, 3 * page));
}

CHECK(protections)
{
	static const int all[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				   PROT_READ | PROT_EXEC };

	page = sysconf(_SC_PAGESIZE);
	for (int i = 0; i < COUNT(all); i++) {
		char *p = map(NULL, page, all[i], MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

		EQ(readable(p), !!(all[i] & PROT_READ));
		EQ(writable(p), !!(all[i] & PROT_WRITE));
		OK(munmap(p, page));
	}
	char *p = map(NULL, page, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	TRUE(writable(p));
	OK(munmap(p, page));
}

CHECK(file_private)
{
	int fd = file(3);
	char *p = map(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		      page), c;

	EQ(p[0], 'b');
	EQ(p[2 * page - 1], 'c');
	p[0] = 'X';
	EQ(pread(fd, &c, 1, page), 1);
	EQ(c, 'b');
	OK(close(fd));
	EQ(p[0], 'X');
	EQ(p[page], 'c');
	OK(munmap(p, 2 * page));
}

CHECK(file_shared)
{
	int fd = file(2);
	char *p = map(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = map(NULL, page, PROT_READ, MAP_SHARED, fd, page), c;

	p[page] = 'Y';
	EQ(q[0], 'Y');
	EQ(pread(fd, &c, 1, page), 1);
	EQ(c, 'Y');
	EQ(pwrite(fd, "Z", 1, page + 1), 1);
	EQ(p[page + 1], 'Z');
	OK(msync(p, 2 * page, MS_SYNC));
	OK(munmap(p, 2 * page));
	OK(munmap(q, page));
	OK(close(fd));
}

CHECK(end_of_file)
{
	int fd = file(1);
	char *p;

	OK(ftruncate(fd, 100));
	p = map(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EQ(p[99], 'a');
	EQ(p[100], 0);
	EQ(p[page - 1], 0);
	/* Beyond the file's last page: SIGBUS for the program, EFAULT here. */
	TRUE(!readable(p + page));
	OK(ftruncate(fd, 2 * page));
	TRUE(readable(p + page));
	OK(ftruncate(fd, 0));
	TRUE(!readable(p));
	OK(munmap(p, 2 * page));
	OK(close(fd));
}

CHECK(huge_offsets)
{
	int fd = file(0);
	const off64_t far = 0x2345678000LL;
	char *p;

	EQ(pwrite64(fd, "far", 3, far + 16), 3);
	EQ(pwrite64(fd, "wrong", 5, (far & 0xffffffff) + 16), 5);
	p = map(NULL, page, PROT_READ, MAP_SHARED, fd, far);
	MEMEQ(p + 16, "far", 3);
	OK(munmap(p, page));
#ifdef __NR_mmap2
	p = (char *)syscall(__NR_mmap2, NULL, page, PROT_READ, MAP_PRIVATE, fd,
			    (long)(far >> 12));
	OK((long)p);
	MEMEQ(p + 16, "far", 3);
	OK(munmap(p, page));
	/* 2^43: more than 32 bits of pages are not possible, this is the most. */
	p = (char *)syscall(__NR_mmap2, NULL, page, PROT_READ, MAP_PRIVATE, fd,
			    -1L);
	OK((long)p);
	OK(munmap(p, page));
#endif
	OK(close(fd));
}

CHECK(fixed)
{
	page = sysconf(_SC_PAGESIZE);
	char *p = map(NULL, 4 * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	memset(p, 7, 4 * page);
	q = map(p + page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		MAP_FIXED, -1, 0);
	EQ((long)q, (long)(p + page));
	EQ(q[0], 0);
	EQ(p[0], 7);
	EQ(p[2 * page], 7);
	TRUE(!writable(q));
	TRUE(mmap(p + 1, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_FIXED, -1, 0) == MAP_FAILED);
	EQ(errno, EINVAL);
	OK(munmap(p, 4 * page));
}

CHECK(fixed_noreplace)
{
	page = sysconf(_SC_PAGESIZE);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	char *p = map(NULL, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);

	TRUE(mmap(p, page, PROT_READ, flags, -1, 0) == MAP_FAILED);
	EQ(errno, EEXIST);
	TRUE(mmap(p + page, page, PROT_READ, flags, -1, 0) == MAP_FAILED);
	EQ(errno, EEXIST);
	OK(munmap(p + page, page));
	EQ((long)mmap(p + page, page, PROT_READ, flags, -1, 0),
	   (long)(p + page));
	OK(munmap(p, 2 * page));
}

CHECK(hint)
{
	page = sysconf(_SC_PAGESIZE);
	char *p = map(NULL, 8 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0), *q;

	OK(munmap(p, 8 * page));
	/* A free hint is taken, rounded down to a page ... */
	q = map(p + 4 * page + 5, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	TRUE(q == p + 4 * page || q == p + 5 * page);
	/* ... one in use is not. */
	p = map(q, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(p != q);
	OK(munmap(p, page));
	OK(munmap(q, page));
}

CHECK(errors)
{
	int fd = file(1), ro = OK(open("mapped", O_RDONLY)), p[2];
	struct {
		size_t size;
		int prot, flags, fd;
		off64_t offset;
		int error;
	} bad[] = {
		{ 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, EINVAL },
		{ 4096, PROT_READ, MAP_ANONYMOUS, -1, 0, EINVAL },
		{ 4096, PROT_READ, MAP_PRIVATE, -1, 0, EBADF },
		{ 4096, PROT_READ, MAP_PRIVATE, fd, 100, EINVAL },
		{ 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0, EACCES },
		{ SIZE_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
		  ENOMEM },
		{ SIZE_MAX - 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0, ENOMEM },
		{ 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, fd, 0,
		  EOPNOTSUPP },
	};

	for (int i = 0; i < COUNT(bad); i++) {
		void *m = mmap64(NULL, bad[i].size, bad[i].prot, bad[i].flags,
				 bad[i].fd, bad[i].offset);

		if (m != MAP_FAILED || errno != bad[i].error)
			FAIL("case %d: got %p %s want %s", i, m,
			     strerrorname_np(errno),
			     strerrorname_np(bad[i].error));
	}
	OK(pipe(p));
	TRUE(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, p[0], 0) == MAP_FAILED);
	EQ(errno, ENODEV);
	TRUE(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) !=
	     MAP_FAILED);
	ERR(munmap((void *)1, 4096), EINVAL);
	ERR(munmap((void *)(uintptr_t)page, 0), EINVAL);
	ERR(munmap((void *)-4096L, 8192), EINVAL);
	OK(close(fd));
	OK(close(ro));
}

CHECK(shared_anonymous_and_populate)
{
	page = sysconf(_SC_PAGESIZE);
	char *p = map(NULL, 2 * page, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	p[page] = 5;
	EQ(p[page], 5);
	OK(munmap(p, 2 * page));
	p = map(NULL, 64 << 20, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	p[40 << 20] = 1;
	EQ(p[40 << 20], 1);
	OK(munmap(p, 64 << 20));
}

CHECK(stack_and_growsdown)
{
	page = sysconf(_SC_PAGESIZE);
	char *p = map(NULL, 2 * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	p[0] = 1;
	OK(munmap(p, 2 * page));
	/* Room below, so that the mapping can grow into it. */
	p = map(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(munmap(p, 1 << 20));
	char *low = map(p + (1 << 20) - page, page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
			MAP_FIXED, -1, 0);
	low[0] = 3;
	low[-1] = 4;
	low[-page] = 5;
	EQ(low[-1], 4);
	EQ(low[-page], 5);
	OK(munmap(low - page, 2 * page));
}

CHECK(thousands_of_mappings)
{
	enum { MANY = 4000 };
	static char *at[MANY];

	page = sysconf(_SC_PAGESIZE);
	for (int i = 0; i < MANY; i++) {
		/* Protections take turns, so neighbours are not joined. */
		at[i] = map(NULL, page, i % 2 ? PROT_READ | PROT_WRITE :
			    PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (i % 2)
			*(int *)at[i] = i;
	}
	for (int i = 0; i < MANY; i++)
		EQ(*(int *)at[i], i % 2 ? i : 0);
	for (int i = 0; i < MANY; i += 3)
		OK(munmap(at[i], page));
	for (int i = 1; i < MANY; i += 3)
		EQ(*(int *)at[i], i % 2 ? i : 0);
	for (int i = 0; i < MANY; i++)
		if (i % 3)
			OK(munmap(at[i], page));
}

CHECK_MAIN
