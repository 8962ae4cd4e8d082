// Guard pages of madvise (Linux 6.13), and the order in which mmap checks its arguments.
#include "../check.h"
#include "../isa.h"
#include <signal.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static sigjmp_buf back;
static siginfo_t seen;

static void handler(int signal, siginfo_t *info, void *context)
{
	seen = *info;
	siglongjmp(back, 1);
}

/* Whether an access gives SIGSEGV; what it said is in `seen`. */
static int faults(volatile char *p, int write)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO }, old;
	int result = 0;

	sigaction(SIGSEGV, &action, &old);
	if (sigsetjmp(back, 1)) {
		result = 1;
	} else if (write) {
		*p = 1;
	} else {
		(void)*p;
	}
	sigaction(SIGSEGV, &old, NULL);
	return result;
}

CHECK(guards)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ends[2];

	OK((long)p);
	memset(p, 7, 4 * page);
	OK_OR_NA(madvise(p + page, page, MADV_GUARD_INSTALL), EINVAL);
	for (int write = 0; write < 2; write++) {
		EQ(faults(p + page + 8, write), 1);
		EQ(seen.si_code, SEGV_MAPERR);
		EQ((uintptr_t)seen.si_addr, ISA_FAULT_ADDRESS(p + page + 8));
	}
	EQ(faults(p, 1), 0);
	EQ(faults(p + 2 * page, 1), 0);
	/* For system calls, too. */
	OK(pipe(ends));
	ERR(write(ends[1], p + page, 1), EFAULT);
	ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p + page, NULL, SIGSET_SIZE), EFAULT);
	/* The pages' contents are gone; protections do not bring them back. */
	OK(mprotect(p, 4 * page, PROT_READ));
	EQ(faults(p + page, 0), 1);
	OK(mprotect(p, 4 * page, PROT_READ | PROT_WRITE));
	EQ(faults(p + page, 0), 1);
	OK(madvise(p, 4 * page, MADV_GUARD_REMOVE));
	EQ(faults(p + page, 1), 0);
	EQ(p[page + 1], 0);
	EQ(p[2 * page + 1], 7);
	OK(madvise(p, page, MADV_GUARD_INSTALL));
	OK(munmap(p, 4 * page));
	ERR(madvise(p, page, MADV_GUARD_INSTALL), ENOMEM);
}

static long map(size_t size, int flags, int fd, off_t offset)
{
	return (long)mmap(NULL, size, PROT_READ, flags, fd, offset);
}

CHECK(order_of_checks)
{
	int fd = OK(open("file", O_CREAT | O_RDWR, 0600));
	long page = sysconf(_SC_PAGESIZE);

	ERR(map(0, MAP_PRIVATE, -1, 0), EBADF);
	ERR(map(0, MAP_PRIVATE, fd, 0), EINVAL);
	ERR(map(0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	ERR(map(page, 0, -1, 0), EBADF);
	ERR(map(page, 0, fd, 0), EINVAL);
	ERR(map(page, MAP_ANONYMOUS, -1, 0), EINVAL);
	ERR(map(-1, MAP_ANONYMOUS, -1, 0), ENOMEM);
	ERR(map(page, MAP_PRIVATE | MAP_HUGETLB, fd, 0), EINVAL);
	ERR(map(page, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);
	ERR(map(page, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
#ifndef __mips__ /* there this is MAP_HUGETLB, and MAP_SYNC is not there */
	ERR(map(page, MAP_SHARED_VALIDATE | 0x80000 /* MAP_SYNC */, fd, 0), EOPNOTSUPP);
#endif
	OK(close(fd));
}

CHECK_MAIN
