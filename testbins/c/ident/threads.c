// What a single thread has: futex, robust list, set_tid_address, rseq; arm's own calls.
#include "../check.h"

#include <linux/futex.h>
#include <sys/rseq.h>
#include <time.h>

static uint32_t word;

static long futex(void *at, int op, uint32_t value, const void *timeout,
		  void *second, uint32_t third)
{
	return syscall(__NR_futex, at, op, value, timeout, second, third);
}

CHECK(futex_wake)
{
	EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
	ERR(futex((char *)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	ERR(futex(&word, 100, 1, NULL, NULL, 0), ENOSYS);
	ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
}

CHECK(futex_wait)
{
	struct timespec a, b;
	long t[2] = { 0, 3000000 };

	word = 7;
	ERR(futex(&word, FUTEX_WAIT, 6, NULL, NULL, 0), EAGAIN);
	OK(clock_gettime(CLOCK_MONOTONIC, &a));
	ERR(futex(&word, FUTEX_WAIT_PRIVATE, 7, t, NULL, 0), ETIMEDOUT);
	OK(clock_gettime(CLOCK_MONOTONIC, &b));
	TRUE((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >=
	     3000000);
	/* WAIT_BITSET takes an absolute time, of either clock. */
	t[0] = 1;
	ERR(futex(&word, FUTEX_WAIT_BITSET, 7, t, NULL, ~0U), ETIMEDOUT);
	ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 7, t, NULL,
		  ~0U), ETIMEDOUT);
	ERR(futex(&word, FUTEX_WAIT_BITSET, 7, t, NULL, 0), EINVAL);
	t[1] = 1000000000;
	ERR(futex(&word, FUTEX_WAIT, 7, t, NULL, 0), EINVAL);
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(futex(&word, FUTEX_WAIT, 7, bad_pointer(i), NULL, 0),
		    EFAULT);
	ERR(futex(check_unmapped(), FUTEX_WAIT, 7, NULL, NULL, 0), EFAULT);
}

#ifdef __NR_futex_time64
CHECK(futex_time64)
{
	int64_t t[2] = { 0, 2000000 };

	word = 7;
	ERR(syscall(__NR_futex_time64, &word, FUTEX_WAIT, 7, t, NULL, 0),
	    ETIMEDOUT);
	ERR(syscall(__NR_futex_time64, &word, FUTEX_WAIT, 6, NULL, NULL, 0),
	    EAGAIN);
	t[0] = 1;
	ERR(syscall(__NR_futex_time64, &word, FUTEX_WAIT_BITSET, 7, t, NULL,
		    ~0U), ETIMEDOUT);
	EQ(syscall(__NR_futex_time64, &word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}
#endif

CHECK(futex_operations_on_two_words)
{
	uint32_t other = 5;

	word = 1;
	EQ(futex(&word, FUTEX_REQUEUE, 1, (void *)1, &other, 0), 0);
	EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 1), 0);
	ERR(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 2), EAGAIN);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no FUTEX_WAKE_OP for big-endian words, which the host would change");
	return;
#endif
	/* other += 3, and wake there if it was 5 */
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
		 FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	EQ(other, 8);
}

CHECK(robust_list)
{
	struct robust_list_head *head = NULL, mine = { { &mine.list }, 0, NULL };
	size_t size = 0;

	OK(syscall(__NR_get_robust_list, 0, &head, &size));
	EQ(size, sizeof(mine));
	struct robust_list_head *old = head;
	OK(syscall(__NR_set_robust_list, &mine, sizeof(mine)));
	OK(syscall(__NR_get_robust_list, 0, &head, &size));
	EQ((long)head, (long)&mine);
	ERR(syscall(__NR_set_robust_list, &mine, 5), EINVAL);
	ERR(syscall(__NR_get_robust_list, 0x7ffffff0, &head, &size), ESRCH);
	OK(syscall(__NR_set_robust_list, old, sizeof(mine)));
	EFAULTS(p, syscall(__NR_get_robust_list, 0, p, &size));
}

CHECK(set_tid_address)
{
	static int cleared;

	EQ(syscall(__NR_set_tid_address, &cleared), getpid());
	EQ(syscall(__NR_set_tid_address, NULL), syscall(__NR_gettid));
}

/* Any will do, and glibc 2.36 has none for some. */
#ifndef RSEQ_SIG
#define RSEQ_SIG 0x53053053
#endif

#ifdef __powerpc__
register char *thread_pointer __asm__("r2");
#define THREAD_POINTER() thread_pointer
#elif defined(__m68k__)
#define THREAD_POINTER() ((char *)syscall(__NR_get_thread_area))
#else
#define THREAD_POINTER() ((char *)__builtin_thread_pointer())
#endif

CHECK(rseq)
{
	static struct rseq area __attribute__((aligned(32)));
	long r = syscall(__NR_rseq, &area, sizeof(area), 0, RSEQ_SIG);

	if (__rseq_size) {
		/* libc has registered its own. */
		struct rseq *libc = (void *)(THREAD_POINTER() + __rseq_offset);

		EQ(r, -1);
		TRUE((int)libc->cpu_id >= 0);
	} else if (r == 0) {
		TRUE((int)area.cpu_id >= 0);
		OK(syscall(__NR_rseq, &area, sizeof(area), RSEQ_FLAG_UNREGISTER,
			   RSEQ_SIG));
	} else {
		EQ(errno, ENOSYS);
	}
}

CHECK(signals_to_itself_by_0)
{
	OK(syscall(__NR_kill, getpid(), 0));
	OK(syscall(__NR_tgkill, getpid(), getpid(), 0));
	OK(syscall(__NR_tkill, getpid(), 0));
	ERR(syscall(__NR_kill, 0x7ffffff0, 0), ESRCH);
	ERR(syscall(__NR_kill, getpid(), 1000), EINVAL);
	ERR(syscall(__NR_tgkill, 1, getpid(), 0), ESRCH);
}

#ifdef __arm__
/* Documentation/arm/kernel_user_helpers.rst */
#define KUSER_VERSION (*(const int *)0xffff0ffc)
#define KUSER_GET_TLS ((void *(*)(void))0xffff0fe0)
#define KUSER_CMPXCHG ((int (*)(int, int, volatile int *))0xffff0fc0)
#define KUSER_BARRIER ((void (*)(void))0xffff0fa0)
#define KUSER_CMPXCHG64 \
	((int (*)(const int64_t *, const int64_t *, volatile int64_t *))0xffff0f60)

static void *tls_register(void)
{
	void *p;

	__asm__ volatile("mrc p15, 0, %0, c13, c0, 3" : "=r"(p));
	return p;
}

CHECK(kuser_helpers)
{
	static volatile int v;
	static volatile int64_t w __attribute__((aligned(8)));
	int64_t from = 0x1122334455667788LL, to = -2;

	TRUE(KUSER_VERSION >= 5);
	EQ((long)KUSER_GET_TLS(), (long)tls_register());
	v = 10;
	EQ(KUSER_CMPXCHG(10, 20, &v), 0);
	EQ(v, 20);
	TRUE(KUSER_CMPXCHG(10, 30, &v) != 0);
	EQ(v, 20);
	KUSER_BARRIER();
	w = from;
	EQ(KUSER_CMPXCHG64(&from, &to, &w), 0);
	EQ(w, to);
	TRUE(KUSER_CMPXCHG64(&from, &to, &w) != 0);
	EQ(w, to);
}

CHECK(set_tls)
{
	void *old = tls_register(), *seen, *helper;
	register long number __asm__("r7") = 0xf0005;
	register long argument __asm__("r0") = 0x12345670;

	/* libc's thread pointer is away for these few instructions. */
	__asm__ volatile("svc 0\n\t"
			 "mrc p15, 0, %[seen], c13, c0, 3\n\t"
			 "mov %[helper], r0\n\t"
			 "mov r0, %[old]\n\t"
			 "svc 0"
			 : [seen] "=&r"(seen), [helper] "=&r"(helper),
			   "+r"(argument)
			 : [old] "r"(old), "r"(number)
			 : "memory");
	EQ((long)seen, 0x12345670);
	EQ((long)helper, 0);
	EQ((long)tls_register(), (long)old);
	EQ(syscall(0xf0006), (long)old);
}

CHECK(cacheflush)
{
	static char area[64];

	OK(syscall(0xf0002, area, area + sizeof(area), 0));
	ERR(syscall(0xf0002, area + 10, area, 0), EINVAL);
	ERR(syscall(0xf0002, area, area + 10, 1), EINVAL);
	/* arch/arm/kernel/traps.c: up to here ENOSYS, beyond SIGILL. */
	ERR(syscall(0xf07ff), ENOSYS);
}

CHECK(arm_only_calls)
{
	int fd = OK(open("arm", O_CREAT | O_RDWR | O_LARGEFILE, 0600));

	EQ(write(fd, "abc", 3), 3);
	/* The flags come before the pairs, so that these are aligned. */
	OK(syscall(__NR_arm_fadvise64_64, fd, POSIX_FADV_WILLNEED,
		   ARG64(0x100000000ULL), ARG64(0x100000000ULL)));
	ERR(syscall(__NR_arm_fadvise64_64, fd, 77, ARG64(0), ARG64(0)), EINVAL);
	OK(syscall(__NR_arm_sync_file_range, fd, SYNC_FILE_RANGE_WRITE,
		   ARG64(0), ARG64(0x100000000ULL)));
	OK(close(fd));
}
#endif

CHECK_MAIN
