// futexes: robust and priority-inheriting mutexes, requeue, wake_op, futex_waitv, CLEARTID.
// no-reference: qemu-user has no robust futexes (set_robust_list: ENOSYS), so nobody wakes who waits
// libs: -lpthread
#include "../check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define ZERO(call) EQ(call, 0)

#ifdef __NR_futex
#define FUTEX(word, op, value, time, word2, value3) \
	syscall(__NR_futex, word, op, value, time, word2, value3)
#endif

static pthread_mutex_t *robust_mutex(int shared, int protocol)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attributes, shared);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	ZERO(pthread_mutex_init(mutex, &attributes));
	return mutex;
}

static void *locks_and_ends(void *argument)
{
	pthread_mutex_lock(argument);
	usleep(20000);
	return NULL;
}

static void owner_dies(int protocol)
{
	pthread_mutex_t *mutex = robust_mutex(PTHREAD_PROCESS_PRIVATE, protocol);
	pthread_t thread;

	ZERO(pthread_create(&thread, NULL, locks_and_ends, mutex));
	usleep(10000);
	EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
	ZERO(pthread_join(thread, NULL));
	ZERO(pthread_mutex_consistent(mutex));
	ZERO(pthread_mutex_unlock(mutex));
	ZERO(pthread_create(&thread, NULL, locks_and_ends, mutex));
	ZERO(pthread_join(thread, NULL));
	EQ(pthread_mutex_trylock(mutex), EOWNERDEAD);
	ZERO(pthread_mutex_unlock(mutex));
	EQ(pthread_mutex_lock(mutex), ENOTRECOVERABLE);
	munmap(mutex, 4096);
}

CHECK(robust_thread)
{
	owner_dies(PTHREAD_PRIO_NONE);
}

static void process_dies(void (*dies)(pthread_mutex_t *))
{
	pthread_mutex_t *mutex = robust_mutex(PTHREAD_PROCESS_SHARED, PTHREAD_PRIO_NONE);
	pid_t pid = OK(fork());

	if (pid == 0) {
		dies(mutex);
		_exit(0);
	}
	usleep(5000);
	/* The child may not have it yet. */
	for (;;) {
		int result = pthread_mutex_lock(mutex);
		if (result == EOWNERDEAD)
			break;
		EQ(result, 0);
		ZERO(pthread_mutex_unlock(mutex));
		usleep(1000);
	}
	EQ(waitpid(pid, NULL, 0), pid);
	munmap(mutex, 4096);
}

static void exits(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	usleep(30000);
}

static void crashes(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	usleep(30000);
	*(volatile int *)8 = 1;
}

static void *only_locks(void *argument)
{
	pthread_mutex_lock(argument);
	for (;;)
		pause();
}

static void other_thread_holds(pthread_mutex_t *mutex)
{
	pthread_t thread;

	pthread_create(&thread, NULL, only_locks, mutex);
	usleep(50000);
}

static void executes(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	execl("/bin/true", "true", NULL);
}

CHECK(robust_process)
{
	process_dies(exits);
	process_dies(crashes);
	process_dies(other_thread_holds);
	process_dies(executes);
}

CHECK(robust_list_calls)
{
	void *head = NULL, *other = NULL;
	size_t size = 0;

	OK(syscall(__NR_get_robust_list, 0, &head, &size));
	EQ(size, 3 * sizeof(long));
	OK(syscall(__NR_get_robust_list, getpid(), &other, &size));
	TRUE(head == other);
	ERR(syscall(__NR_get_robust_list, 0x7ffffff0, &head, &size), ESRCH);
	ERR(syscall(__NR_set_robust_list, head, 8), EINVAL);
}

static long pi_counter;

static void *pi_counts(void *argument)
{
	for (int i = 0; i < 300; i++) {
		pthread_mutex_lock(argument);
		long before = pi_counter;
		if (i % 16 == 0)
			sched_yield();
		pi_counter = before + 1;
		pthread_mutex_unlock(argument);
	}
	return NULL;
}

CHECK(pi_mutex)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no PI futexes for big-endian words: the host stores thread ids");
	return;
#endif
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	pthread_t threads[4];

	pthread_mutexattr_init(&attributes);
	ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
	ZERO(pthread_mutex_init(&mutex, &attributes));
	for (int i = 0; i < 4; i++)
		ZERO(pthread_create(&threads[i], NULL, pi_counts, &mutex));
	for (int i = 0; i < 4; i++)
		ZERO(pthread_join(threads[i], NULL));
	EQ(pi_counter, 1200);
	ZERO(pthread_mutex_lock(&mutex));
	struct timespec soon;
	clock_gettime(CLOCK_REALTIME, &soon);
	EQ(pthread_mutex_trylock(&mutex), EBUSY);
	ZERO(pthread_mutex_unlock(&mutex));
}

static uint32_t words[4] __attribute__((aligned(16)));
static int woken[4];

static void *waits(void *argument)
{
	int i = (int)(intptr_t)argument;

	while (__atomic_load_n(&words[i], __ATOMIC_SEQ_CST) == 0)
		FUTEX(&words[i], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	__atomic_store_n(&woken[i], 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *waits_once(void *argument)
{
	return (void *)(intptr_t)FUTEX(&words[0], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL,
				       (uint32_t)(uintptr_t)argument);
}

CHECK(wait_wake)
{
	pthread_t thread;
	struct timespec brief = { 0, 10000000 };

	ERR(FUTEX(&words[0], FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	ERR(FUTEX(&words[0], FUTEX_WAIT, 0, &brief, NULL, 0), ETIMEDOUT);
	ERR(FUTEX((char *)&words[0] + 1, FUTEX_WAIT, 0, &brief, NULL, 0), EINVAL);
	EQ(FUTEX(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	ERR(FUTEX(&words[0], 99, 1, NULL, NULL, 0), ENOSYS);
	ERR(FUTEX(8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	ERR(FUTEX(&words[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	ZERO(pthread_create(&thread, NULL, waits, (void *)0));
	usleep(10000);
	__atomic_store_n(&words[0], 1, __ATOMIC_SEQ_CST);
	FUTEX(&words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	ZERO(pthread_join(thread, NULL));
	words[0] = 0;
}

CHECK(bitset)
{
	pthread_t a, b;
	void *result;

	ZERO(pthread_create(&a, NULL, waits_once, (void *)1));
	ZERO(pthread_create(&b, NULL, waits_once, (void *)2));
	/* Nobody waits with bit 2; then one each. */
	usleep(30000);
	EQ(FUTEX(&words[0], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 4), 0);
	while (FUTEX(&words[0], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 2) != 1)
		usleep(1000);
	ZERO(pthread_join(b, &result));
	while (FUTEX(&words[0], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1) != 1)
		usleep(1000);
	ZERO(pthread_join(a, &result));
}

CHECK(requeue)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		ZERO(pthread_create(&threads[i], NULL, waits_once, (void *)-1));
	usleep(30000);
	ERR(FUTEX(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &words[1], 5), EAGAIN);
	int total = 0;
	for (int i = 0; i < 1000 && total < 3; i++) {
		total += (int)OK(FUTEX(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)9,
				       &words[1], 0));
		usleep(1000);
	}
	EQ(total, 3);
	EQ(FUTEX(&words[0], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	EQ(FUTEX(&words[1], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 3);
	for (int i = 0; i < 3; i++)
		ZERO(pthread_join(threads[i], NULL));
}

CHECK(wake_op)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no FUTEX_WAKE_OP for big-endian words, which the host would change");
	return;
#endif
	words[2] = 5;
	/* *word2 += 3, then wake waiters of word2 if it was 5. */
	EQ(FUTEX(&words[1], FUTEX_WAKE_OP, 1, (void *)1, &words[2],
		 FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	EQ(words[2], 8);
	EQ(FUTEX(&words[1], FUTEX_WAKE_OP, 1, (void *)1, &words[2],
		 FUTEX_OP(FUTEX_OP_XOR, 0xf, FUTEX_OP_CMP_GT, 5)), 0);
	EQ(words[2], 7);
	words[2] = 0;
}

#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif

static void *sets_word_1(void *argument)
{
	usleep(20000);
	__atomic_store_n(&words[1], 1, __ATOMIC_SEQ_CST);
	FUTEX(&words[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return argument;
}

CHECK(waitv)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no futex_waitv for big-endian words");
	return;
#endif
	struct futex_waitv list[2] = {
		{ .uaddr = (uintptr_t)&words[0], .val = 0, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
		{ .uaddr = (uintptr_t)&words[1], .val = 0, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
	};
	/* Always 64-bit times (struct __kernel_timespec). */
	struct { int64_t sec, nsec; } limit;
	struct timespec now;
	pthread_t thread;

	words[0] = words[1] = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	limit.sec = now.tv_sec, limit.nsec = now.tv_nsec;
	ERR(syscall(__NR_futex_waitv, list, 2, 0, &limit, CLOCK_MONOTONIC), ETIMEDOUT);
	list[0].val = 1;
	ERR(syscall(__NR_futex_waitv, list, 2, 0, &limit, CLOCK_MONOTONIC), EAGAIN);
	list[0].val = 0;
	ERR(syscall(__NR_futex_waitv, list, 0, 0, NULL, 0), EINVAL);
	ERR(syscall(__NR_futex_waitv, list, 2, 1, NULL, 0), EINVAL);
	ZERO(pthread_create(&thread, NULL, sets_word_1, NULL));
	limit.sec += 10;
	EQ(syscall(__NR_futex_waitv, list, 2, 0, &limit, CLOCK_MONOTONIC), 1);
	ZERO(pthread_join(thread, NULL));
	words[1] = 0;
}

static char thread_stack[65536] __attribute__((aligned(16)));
static volatile int raw_tid, raw_parent_tid, raw_ran;

static int raw_thread(void *argument)
{
	raw_ran = argument == (void *)&raw_ran;
	return 0;
}

CHECK(cleartid)
{
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	raw_tid = 1;
	int tid = OK(clone(raw_thread, thread_stack + sizeof(thread_stack), flags,
			   (void *)&raw_ran, &raw_parent_tid, NULL, &raw_tid));

	EQ(raw_parent_tid, tid);
	while (raw_tid != 0)
		FUTEX(&raw_tid, FUTEX_WAIT, tid, NULL, NULL, 0);
	EQ(raw_ran, 1);
}

CHECK_MAIN
