// What forked processes do to memory that they share: no update is lost, nobody waits for
// a process that is stopped.
// libs: -lpthread
// cflags-aarch64: -mno-outline-atomics
#include "../check.h"
#include "child.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/time.h>

enum { CHILDREN = 3, ROUNDS = 600000 };

static struct shared {
	_Atomic uint8_t count8;
	_Atomic uint32_t count32, turn;
	_Atomic uint64_t count64;
	atomic_flag spin;
	uint32_t spun, locked;
	sem_t semaphore;
	pthread_mutex_t mutex;
} *shared;

static void new_memory(void)
{
	pthread_mutexattr_t attr;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->mutex, &attr);
	sem_init(&shared->semaphore, 1, 0);
}

static void in_children(void (*body)(int))
{
	pid_t children[CHILDREN];
	int status;

	for (int i = 0; i < CHILDREN; i++) {
		children[i] = OK(fork());
		if (children[i] == 0) {
			body(i);
			_exit(0);
		}
	}
	body(CHILDREN);
	for (int i = 0; i < CHILDREN; i++) {
		EQ(waitpid(children[i], &status, 0), children[i]);
		EQ(status, 0);
	}
}

static void count(int who)
{
	(void)who;
	for (int i = 0; i < ROUNDS; i++) {
		shared->count8++;
		atomic_fetch_add_explicit(&shared->count32, 1, memory_order_relaxed);
		shared->count64 += 0x100000001;
		while (atomic_flag_test_and_set(&shared->spin))
			;
		shared->spun++;
		atomic_flag_clear(&shared->spin);
	}
}

CHECK(counters)
{
#if defined __m68k__ || (defined __mips__ && _MIPS_SIM == _ABIO32)
	NA("what has 64 bits is changed under locks of libatomic, which are a process's own");
	return;
#endif
	new_memory();
	in_children(count);
	EQ(shared->count8, (uint8_t)((CHILDREN + 1) * ROUNDS));
	EQ(shared->count32, (CHILDREN + 1) * ROUNDS);
	EQ(shared->count64, 0x100000001ull * (CHILDREN + 1) * ROUNDS);
	EQ(shared->spun, (CHILDREN + 1) * ROUNDS);
}

static void lock_and_post(int who)
{
	(void)who;
	for (int i = 0; i < ROUNDS / 150; i++) {
		pthread_mutex_lock(&shared->mutex);
		shared->locked++;
		pthread_mutex_unlock(&shared->mutex);
		sem_post(&shared->semaphore);
	}
}

CHECK(pthread_objects)
{
	int value;

	new_memory();
	in_children(lock_and_post);
	EQ(shared->locked, (CHILDREN + 1) * (ROUNDS / 150));
	sem_getvalue(&shared->semaphore, &value);
	EQ(value, (CHILDREN + 1) * (ROUNDS / 150));
}

/* Each waits for the other without a system call. */
static void ping_pong(int who)
{
	if (who < CHILDREN - 1)
		return;
	for (int i = 0; i < 50; i++) {
		while (shared->turn % 2 != (uint32_t)(who == CHILDREN))
			;
		shared->turn++;
	}
}

CHECK(spinning_for_each_other)
{
	new_memory();
	in_children(ping_pong);
	EQ(shared->turn, 100);
}

/* What the processor changes at once. */
#if defined __m68k__ || (defined __mips__ && _MIPS_SIM == _ABIO32)
#define COUNTED turn
#else
#define COUNTED count64
#endif

CHECK(stopped_process_holds_up_nobody)
{
	int status;

	new_memory();
	pid_t child = OK(fork());
	if (child == 0)
		for (;;)
			shared->count32++;
	while (shared->count32 == 0)
		;
	OK(kill(child, SIGSTOP));
	EQ(waitpid(child, &status, WUNTRACED), child);
	for (int i = 0; i < ROUNDS; i++)
		shared->COUNTED++;
	EQ(shared->COUNTED, ROUNDS);
	OK(kill(child, SIGKILL));
	EQ(waitpid(child, &status, 0), child);
}

/* It dies while it computes and stays a zombie until its parent, which goes on first, waits for it. */
CHECK(killed_process_holds_up_nobody)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
	int status;

	new_memory();
	pid_t child = OK(fork());
	if (child == 0) {
		OK(setitimer(ITIMER_REAL, &soon, NULL));
		for (;;)
			shared->count32++;
	}
	siginfo_t ended;
	EQ(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
	for (int i = 0; i < ROUNDS; i++)
		shared->COUNTED++;
	EQ(shared->COUNTED, ROUNDS);
	EQ(waitpid(child, &status, 0), child);
	EQ(WTERMSIG(status), SIGALRM);
}

CHECK_MAIN
