// Robust mutexes in memory that processes share, of an owner that ends in any way.
// libs: -lpthread
// no-reference: qemu-user gives none up of a process that a signal kills
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

/* The last: by its parent, while it sleeps. */
enum { EXIT, ABORT, FAULT, TERMINATE, KILL, WAYS, KILLED = WAYS };

struct shared {
	pthread_mutex_t mutex;
	volatile int held;
};

static struct shared *make(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;

	TRUE(shared != MAP_FAILED);
	EQ(pthread_mutexattr_init(&attributes), 0);
	EQ(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
	EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	EQ(pthread_mutex_init(&shared->mutex, &attributes), 0);
	return shared;
}

/* Takes the mutex, waits for a byte, and ends. */
static pid_t owner(struct shared *shared, int way, const int *ends)
{
	pid_t child = OK(fork());
	char byte;

	if (child != 0) {
		while (!shared->held)
			sched_yield();
		return child;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_mutex_lock(&shared->mutex);
	shared->held = 1;
	while (read(ends[0], &byte, 1) != 1)
		;
	switch (way) {
	case EXIT:
		_exit(0);
	case ABORT:
		abort();
	case FAULT:
		*(volatile int *)8 = 1;
		break;
	case TERMINATE:
		kill(getpid(), SIGTERM);
		break;
	case KILL:
		kill(getpid(), SIGKILL);
		break;
	case KILLED:
		break;
	}
	for (;;)
		pause();
}

static int lock(struct shared *shared)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 60;
	return pthread_mutex_timedlock(&shared->mutex, &end);
}

static void take_over(struct shared *shared)
{
	EQ(lock(shared), EOWNERDEAD);
	EQ(pthread_mutex_consistent(&shared->mutex), 0);
	EQ(pthread_mutex_unlock(&shared->mutex), 0);
	EQ(lock(shared), 0);
	EQ(pthread_mutex_unlock(&shared->mutex), 0);
}

CHECK(owner_is_dead)
{
	for (int way = EXIT; way < WAYS; way++) {
		struct shared *shared = make();
		int ends[2], status;

		OK(pipe(ends));
		pid_t child = owner(shared, way, ends);
		OK(write(ends[1], "x", 1));
		EQ(waitpid(child, &status, 0), child);
		take_over(shared);
	}
}

/* The owner's parent has not waited for it. */
CHECK(owner_is_a_zombie)
{
	struct shared *shared = make();
	siginfo_t info;
	int ends[2];

	OK(pipe(ends));
	pid_t child = owner(shared, KILL, ends);
	OK(write(ends[1], "x", 1));
	OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	take_over(shared);
	EQ(waitpid(child, NULL, 0), child);
}

static void *write_later(void *argument)
{
	struct timespec some = { .tv_nsec = 100000000 };

	nanosleep(&some, NULL);
	return write(*(int *)argument, "x", 1) == 1 ? NULL : argument;
}

/* It dies while somebody waits (or a little before, which is as right). */
CHECK(owner_dies)
{
	for (int way = EXIT; way < WAYS; way++) {
		struct shared *shared = make();
		int ends[2], status;
		pthread_t thread;
		void *wrong;

		OK(pipe(ends));
		pid_t child = owner(shared, way, ends);
		EQ(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
		take_over(shared);
		EQ(pthread_join(thread, &wrong), 0);
		TRUE(wrong == NULL);
		EQ(waitpid(child, &status, 0), child);
	}
}

CHECK(owner_lives)
{
	struct shared *shared = make();
	struct timespec end;
	int ends[2], status;

	OK(pipe(ends));
	pid_t child = owner(shared, EXIT, ends);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += 300000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	EQ(pthread_mutex_timedlock(&shared->mutex, &end), ETIMEDOUT);
	OK(write(ends[1], "x", 1));
	EQ(waitpid(child, &status, 0), child);
	take_over(shared);
}

/* Its parent, which has waited for it, finds the mutex given up at the first try. */
CHECK(trylock_of_one_that_ended)
{
	for (int way = EXIT; way <= KILLED; way++) {
		struct shared *shared = make();
		int ends[2], status;

		OK(pipe(ends));
		pid_t child = owner(shared, way, ends);
		EQ(pthread_mutex_trylock(&shared->mutex), EBUSY);
		if (way == KILLED)
			OK(kill(child, SIGKILL));
		else
			OK(write(ends[1], "x", 1));
		EQ(waitpid(child, &status, 0), child);
		EQ(pthread_mutex_trylock(&shared->mutex), EOWNERDEAD);
		EQ(pthread_mutex_consistent(&shared->mutex), 0);
		EQ(pthread_mutex_unlock(&shared->mutex), 0);
	}
}

/* Robust and with priority inheritance: the kernel knows the owner from the word alone. */
CHECK(with_priority_inheritance)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no PI futexes for big-endian words: the host stores thread ids");
	return;
#endif
	for (int way = EXIT; way < WAYS; way++) {
		struct shared *shared = make();
		pthread_mutexattr_t attributes;
		int ends[2], status;

		EQ(pthread_mutexattr_init(&attributes), 0);
		EQ(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
		EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
		EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
		EQ(pthread_mutex_init(&shared->mutex, &attributes), 0);
		OK(pipe(ends));
		pid_t child = owner(shared, way, ends);
		OK(write(ends[1], "x", 1));
		EQ(waitpid(child, &status, 0), child);
		take_over(shared);
	}
}

#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif
#ifndef __NR_futex_wait
#define __NR_futex_wait 455
#endif

struct waitv {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

enum { FUTEX2_SIZE_U32 = 2, WAITERS = (int)0x80000000, OWNER_DIED = 0x40000000 };

/* The calls of newer kernels, for a lock whose owner is in the robust list of a process that is killed. */
CHECK(newer_calls)
{
	for (int vector = 0; vector < 2; vector++) {
		struct shared *shared = make();
		volatile int *word = &shared->mutex.__data.__lock;
		int other = 1, ends[2], status;
		pthread_t thread;
		void *wrong;
		long got;

		OK(pipe(ends));
		pid_t child = owner(shared, KILL, ends);
		int owned = __sync_or_and_fetch(word, WAITERS);

		EQ(owned & 0x3fffffff, child);
		EQ(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
		if (vector) {
			struct waitv list[2] = {
				{ 1, (uintptr_t)&other, FUTEX2_SIZE_U32, 0 },
				{ (uint32_t)owned, (uintptr_t)word, FUTEX2_SIZE_U32, 0 },
			};

			got = syscall(__NR_futex_waitv, list, 2, 0, NULL, CLOCK_MONOTONIC);
		} else {
			got = syscall(__NR_futex_wait, word, (unsigned)owned, 0xffffffffUL,
				      FUTEX2_SIZE_U32, NULL, CLOCK_MONOTONIC);
		}
		if (got == -1 && errno == ENOSYS)
			check_na("the kernel has no such call");
		/* EAGAIN: it was given up before the wait began. */
		if (got == -1)
			EQ(errno, EAGAIN);
		else
			EQ(got, vector);
		EQ(*word & ~WAITERS, OWNER_DIED);
		EQ(pthread_join(thread, &wrong), 0);
		TRUE(wrong == NULL);
		EQ(waitpid(child, &status, 0), child);
	}
}

CHECK_MAIN
