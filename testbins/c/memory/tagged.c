// Tagged addresses: Documentation/arch/arm64/tagged-address-abi.rst.
// arches: aarch64
#include "../check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef PR_SET_TAGGED_ADDR_CTRL
#define PR_SET_TAGGED_ADDR_CTRL 55
#define PR_GET_TAGGED_ADDR_CTRL 56
#define PR_TAGGED_ADDR_ENABLE 1
#endif

#define TAG(p) ((void *)((uintptr_t)(p) | 0x5aUL << 56))

static int set(unsigned long flags)
{
	return prctl(PR_SET_TAGGED_ADDR_CTRL, flags, 0, 0, 0);
}

static int get(void)
{
	return prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0);
}

CHECK(accesses)
{
	static uint64_t data[16];
	uint64_t *p = TAG(data), sum = 0, got;

	for (int i = 0; i < 20000; i++) {
		p[i & 15] += i;
		__atomic_fetch_add(&p[(i + 1) & 15], 1, __ATOMIC_RELAXED);
		asm volatile("ldp %0, xzr, [%1]" : "=r"(got) : "r"(p) : "memory");
		sum += got;
	}
	got = 0;
	for (int i = 0; i < 16; i++)
		got += data[i];
	EQ(got, 20000UL * 19999 / 2 + 20000);
	TRUE(sum > 0);
	memset(TAG(data), 7, sizeof(data));
	EQ(memcmp(TAG(data), TAG(data + 8), 64), 0);
	EQ(data[15], 0x0707070707070707);
}

CHECK(control)
{
	EQ(get(), 0);
	ERR(set(0x80), EINVAL);
	ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 1, 0, 0), EINVAL);
	ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 0, 0, 1), EINVAL);
	ERR(prctl(PR_GET_TAGGED_ADDR_CTRL, 1, 0, 0, 0), EINVAL);
	EQ(get(), 0);
	OK(set(PR_TAGGED_ADDR_ENABLE));
	EQ(get(), 1);
	OK(set(0));
	EQ(get(), 0);
}

/* A call with a plain buffer, one with a structure, one with pointers in structures, a path. */
static void calls(int works)
{
	char text[8] = "hello", back[8] = "";
	struct iovec part = { TAG(text), 5 };
	struct timespec now;
	int ends[2];

	OK(pipe(ends));
	if (works) {
		EQ(write(ends[1], TAG(text), 5), 5);
		EQ(read(ends[0], TAG(back), 5), 5);
		EQ(strcmp(back, "hello"), 0);
		EQ(writev(ends[1], TAG(&part), 1), 5);
		EQ(read(ends[0], back, 8), 5);
		OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, TAG(&now)));
		OK(access(TAG("/"), F_OK));
		EQ(syscall(SYS_getcwd, TAG(back), 8), -1);
		EQ(errno, ERANGE);
	} else {
		ERR(write(ends[1], TAG(text), 5), EFAULT);
		ERR(writev(ends[1], TAG(&part), 1), EFAULT);
		ERR(writev(ends[1], &part, 1), EFAULT);
		ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, TAG(&now)), EFAULT);
		ERR(access(TAG("/"), F_OK), EFAULT);
		ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, TAG(back), SIGSET_SIZE), EFAULT);
	}
	OK(close(ends[0]));
	OK(close(ends[1]));
}

CHECK(system_calls)
{
	struct sigaction action = { .sa_handler = SIG_IGN }, old;

	calls(0);
	OK(set(1));
	calls(1);
	OK(syscall(SYS_rt_sigaction, SIGUSR1, TAG(&action), NULL, SIGSET_SIZE));
	OK(sigaction(SIGUSR1, NULL, &old));
	TRUE(old.sa_handler == SIG_IGN);
	/* What is no address without its tag stays wrong. */
	ERR(write(1, TAG(0x123456789000), 1), EFAULT);
	ERR(write(1, (void *)-4096L, 1), EFAULT);
	OK(set(0));
	calls(0);
}

static void *in_thread(void *unused)
{
	return (void *)(long)get();
}

CHECK(inherited)
{
	pthread_t thread;
	void *result;
	int status;

	OK(set(1));
	EQ(pthread_create(&thread, NULL, in_thread, NULL), 0);
	EQ(pthread_join(thread, &result), 0);
	EQ((long)result, 1);
	pid_t child = OK(fork());
	if (child == 0)
		_exit(get());
	OK(waitpid(child, &status, 0));
	EQ(WEXITSTATUS(status), 1);
	OK(set(0));
	EQ(pthread_create(&thread, NULL, in_thread, NULL), 0);
	EQ(pthread_join(thread, &result), 0);
	EQ((long)result, 0);
}

/* Calls on mappings take tags whatever the thread has said; those that make new ones do not. */
CHECK(mappings)
{
	unsigned char in_core;
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q;

	OK((long)p);
	EQ(get(), 0);
	OK(mprotect(TAG(p), 4096, PROT_READ));
	OK(madvise(TAG(p), 4096, MADV_DONTNEED));
	OK(msync(TAG(p), 4096, MS_ASYNC));
	OK(mincore(TAG(p), 4096, &in_core));
	OK(mlock(TAG(p), 4096));
	OK(munlock(TAG(p), 4096));
	q = mremap(TAG(p + 2 * 4096), 4096, 4096, 0);
	EQ((long)q, (long)(p + 2 * 4096));
	OK(munmap(TAG(p), 3 * 4096));
	ERR(mmap(TAG(p), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED ? -1 : 0, ENOMEM);
	q = mmap(TAG(p), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)q);
	EQ((uintptr_t)q >> 56, 0);
}

CHECK_MAIN
