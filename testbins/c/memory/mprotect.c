// mprotect, mremap, msync, madvise, mincore, mlock, brk.
#include "../check.h"
#include "probe.h"

static long page;

static char *map(size_t size, int prot)
{
	page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	OK((long)p);
	return p;
}

CHECK(mprotect)
{
	char *p = map(5 * 65536, PROT_READ | PROT_WRITE);

	memset(p, 9, 5 * page);
	OK(mprotect(p + page, page, PROT_READ));
	TRUE(writable(p));
	TRUE(!writable(p + page));
	TRUE(readable(p + page));
	TRUE(writable(p + 2 * page));
	OK(mprotect(p + page, 2 * page, PROT_NONE));
	TRUE(!readable(p + page));
	TRUE(!readable(p + 2 * page));
	OK(mprotect(p, 4 * page, PROT_READ | PROT_WRITE));
	EQ(p[page], 9);
	EQ(p[2 * page], 9);
	/* The length is rounded up to a page. */
	OK(mprotect(p, 1, PROT_READ));
	TRUE(!writable(p + page - 1));
	TRUE(writable(p + page));
	OK(mprotect(p, 0, PROT_NONE));
	TRUE(readable(p));
	ERR(mprotect(p + 1, page, PROT_READ), EINVAL);
	ERR(mprotect(p, page, 0x40000000), EINVAL);
	OK(munmap(p + page, page));
	ERR(mprotect(p, 3 * page, PROT_READ), ENOMEM);
	ERR(mprotect((void *)(-2 * page), page, PROT_READ), ENOMEM);
	OK(munmap(p, 5 * 65536));
}

CHECK(mprotect_of_a_read_only_file)
{
	int fd = OK(open("ro", O_CREAT | O_RDWR, 0600)), ro;
	char *p;

	page = sysconf(_SC_PAGESIZE);
	OK(ftruncate(fd, page));
	ro = OK(open("ro", O_RDONLY));
	p = mmap(NULL, page, PROT_READ, MAP_SHARED, ro, 0);
	OK((long)p);
	ERR(mprotect(p, page, PROT_READ | PROT_WRITE), EACCES);
	OK(munmap(p, page));
	p = mmap(NULL, page, PROT_READ, MAP_PRIVATE, ro, 0);
	OK(mprotect(p, page, PROT_READ | PROT_WRITE));
	p[0] = 1;
	OK(munmap(p, page));
	OK(close(fd));
	OK(close(ro));
}

CHECK(mremap_in_place)
{
	char *p = map(8 * 65536, PROT_READ | PROT_WRITE), *q;

	memset(p, 1, 4 * page);
	q = mremap(p, 4 * page, 2 * page, 0);
	EQ((long)q, (long)p);
	TRUE(readable(p + page));
	TRUE(!readable(p + 2 * page));
	q = mremap(p, 2 * page, 4 * page, 0);
	EQ((long)q, (long)p);
	EQ(p[page], 1);
	EQ(p[3 * page], 0);
	/* There is no room to grow without moving. */
	TRUE(mremap(p, page, 3 * page, 0) == MAP_FAILED);
	EQ(errno, ENOMEM);
	OK(munmap(p, 8 * 65536));
}

CHECK(mremap_moves)
{
	char *p = map(4 * 65536, PROT_READ | PROT_WRITE), *q, *to;

	memset(p, 6, page);
	q = mremap(p, page, 3 * page, MREMAP_MAYMOVE);
	OK((long)q);
	TRUE(q != p);
	EQ(q[0], 6);
	EQ(q[page], 0);
	q[2 * page] = 1;
	TRUE(!readable(p));
	to = map(8 * page, PROT_NONE);
	p = mremap(q, 3 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to + 2 * page);
	EQ((long)p, (long)(to + 2 * page));
	EQ(p[0], 6);
	TRUE(!readable(q));
	TRUE(writable(p + page));
	TRUE(!readable(to));
	TRUE(!readable(to + 4 * page));
	OK(munmap(to, 8 * page));
}

CHECK(mremap_dontunmap)
{
	char *p = map(65536, PROT_READ | PROT_WRITE), *q;

	p[0] = 42;
	q = mremap(p, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	OK((long)q);
	TRUE(q != p);
	EQ(q[0], 42);
	EQ(p[0], 0);
	OK(munmap(q, page));
	OK(munmap(p, 65536));
}

CHECK(mremap_of_a_shared_file)
{
	int fd = OK(open("shared", O_CREAT | O_RDWR, 0600));
	char *p, *q, c;

	page = sysconf(_SC_PAGESIZE);
	OK(ftruncate(fd, 4 * page));
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page);
	OK((long)p);
	q = mremap(p, page, 2 * page, MREMAP_MAYMOVE);
	OK((long)q);
	q[page] = 'M';
	EQ(pread(fd, &c, 1, 2 * page), 1);
	EQ(c, 'M');
	/* An old size of 0 makes a second mapping of the same pages. */
	p = mremap(q, 0, page, MREMAP_MAYMOVE);
	OK((long)p);
	q[3] = 'D';
	EQ(p[3], 'D');
	OK(munmap(p, page));
	OK(munmap(q, 2 * page));
	OK(close(fd));
}

CHECK(mremap_errors)
{
	char *p = map(4 * 65536, PROT_READ);

	TRUE(mremap(p + 1, page, page, 0) == MAP_FAILED);
	EQ(errno, EINVAL);
	TRUE(mremap(p, page, 0, 0) == MAP_FAILED);
	EQ(errno, EINVAL);
	TRUE(mremap(p, page, page, 0x100) == MAP_FAILED);
	EQ(errno, EINVAL);
	TRUE(mremap(p, page, page, MREMAP_FIXED, p + 2 * page) == MAP_FAILED);
	EQ(errno, EINVAL);
	TRUE(mremap(p, 2 * page, 2 * page, MREMAP_FIXED | MREMAP_MAYMOVE,
		    p + page) == MAP_FAILED);
	EQ(errno, EINVAL);
	OK(munmap(p, 4 * 65536));
	TRUE(mremap(p, page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED);
	EQ(errno, EFAULT);
}

CHECK(msync)
{
	char *p = map(65536 * 2, PROT_READ | PROT_WRITE);

	OK(msync(p, page, MS_SYNC));
	OK(msync(p, page, MS_ASYNC | MS_INVALIDATE));
	ERR(msync(p, page, MS_SYNC | MS_ASYNC), EINVAL);
	ERR(msync(p, page, 0x100), EINVAL);
	ERR(msync(p + 1, page, MS_SYNC), EINVAL);
	OK(munmap(p, 65536 * 2));
	ERR(msync(p, page, MS_SYNC), ENOMEM);
}

CHECK(madvise)
{
	char *p = map(65536, PROT_READ | PROT_WRITE);
	static const int harmless[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP,
	};

	memset(p, 3, 2 * page);
	for (int i = 0; i < COUNT(harmless); i++)
		OK(madvise(p, page, harmless[i]));
	EQ(p[0], 3);
	OK(madvise(p, page, MADV_DONTNEED));
	EQ(p[0], 0);
	EQ(p[page], 3);
	OK(madvise(p, 0, MADV_DONTNEED));
	ERR(madvise(p, page, 12345), EINVAL);
	ERR(madvise(p + 1, page, MADV_DONTNEED), EINVAL);
	OK(munmap(p, 65536));
	ERR(madvise(p, page, MADV_DONTNEED), ENOMEM);
}

CHECK(madvise_dontneed_rereads_the_file)
{
	int fd = OK(open("reread", O_CREAT | O_RDWR, 0600));
	char *p;

	page = sysconf(_SC_PAGESIZE);
	EQ(write(fd, "file", 4), 4);
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	OK((long)p);
	p[0] = 'X';
	OK(madvise(p, page, MADV_DONTNEED));
	EQ(p[0], 'f');
	OK(munmap(p, page));
	OK(close(fd));
}

CHECK(mincore)
{
	char *p = map(4 * 65536, PROT_READ | PROT_WRITE);
	unsigned char v[4] = { 0xee, 0xee, 0xee, 0xee };

	p[0] = 1;
	OK(mincore(p, 3 * page, v));
	EQ(v[0] & 1, 1);
	EQ(v[2] & 1, 0);
	EQ(v[3], 0xee);
	OK(mincore(p, 1, v));
	ERR(mincore(p + 1, page, v), EINVAL);
	EFAULTS(q, mincore(p, page, q));
	OK(munmap(p, 4 * 65536));
	ERR(mincore(p, page, v), ENOMEM);
}

CHECK(mlock)
{
	char *p = map(65536, PROT_READ | PROT_WRITE);

	OK_OR_NA(mlock(p, page), EPERM);
	OK(munlock(p, page));
	OK(syscall(__NR_mlock2, p, page, MLOCK_ONFAULT));
	ERR(syscall(__NR_mlock2, p, page, 0x100), EINVAL);
	OK(munlock(p, page));
	ERR(mlockall(0), EINVAL);
	ERR(mlockall(0x100), EINVAL);
	OK(munlockall());
	OK(munmap(p, 65536));
	ERR(mlock(p, page), ENOMEM);
}

CHECK(brk)
{
	page = sysconf(_SC_PAGESIZE);
	char *start = (char *)syscall(__NR_brk, 0), *at;

	at = (char *)syscall(__NR_brk, start + 10 * page);
	EQ((long)at, (long)(start + 10 * page));
	EQ(at[-1], 0);
	memset(start, 5, 10 * page);
	EQ(syscall(__NR_brk, start + page + 1), (long)start + page + 1);
	EQ(start[page], 5);
	/* What is given back and taken again reads as zeros. */
	EQ(syscall(__NR_brk, start + 10 * page), (long)start + 10 * page);
	EQ(start[5 * page], 0);
	/* A wrong address leaves it where it is. */
	EQ(syscall(__NR_brk, 1), (long)start + 10 * page);
	EQ(syscall(__NR_brk, -1L), (long)start + 10 * page);
	EQ(syscall(__NR_brk, start), (long)start);
	TRUE(!readable((char *)(((uintptr_t)start + page - 1) & -page)));
	void *old = sbrk(page);
	TRUE(old == start);
	TRUE(sbrk(0) == start + page);
	TRUE(sbrk(-page) == start + page);
}

CHECK(malloc_much)
{
	enum { MANY = 200 };
	char *p[MANY];

	for (int i = 0; i < MANY; i++) {
		p[i] = malloc(1000 * i + 1);
		TRUE(p[i] != NULL);
		memset(p[i], i, 1000 * i + 1);
	}
	for (int i = 0; i < MANY; i++) {
		EQ((unsigned char)p[i][1000 * i], i);
		free(p[i]);
	}
}

CHECK_MAIN
