// More code than a code cache holds, beside threads that fault, sleep, send signals, fork and spawn.
// arches: aarch64
// libs: -lpthread
// cflags: -O1
#include "../check.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <ucontext.h>

/* tests/test_turnover.py runs this with a code cache of 128 KiB, of which each round needs several. */
enum { BLOCKS = 4000, INSTRUCTIONS = 64, ROUNDS = 6, SLEEPERS = 40 };

static atomic_int stop;
static atomic_long faults, skipped, handled;
static long (*made)(long);
static int ends[2];

static void skip(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	skipped++;
	((ucontext_t *)context)->uc_mcontext.pc += 4;
}

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

/* add x0, x0, #1, many times; a branch to the next instruction ends each block */
static void make(void)
{
	size_t size = (BLOCKS * INSTRUCTIONS + 1) * 4;
	uint32_t *code = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TRUE(code != MAP_FAILED);
	for (int i = 0; i < BLOCKS * INSTRUCTIONS; i++)
		code[i] = i % INSTRUCTIONS == INSTRUCTIONS - 1 ? 0x14000001 :
								  0x91000400;
	code[BLOCKS * INSTRUCTIONS] = 0xd65f03c0;
	__builtin___clear_cache((char *)code, (char *)code + size);
	made = (long (*)(long))code;
}

static void *fault(void *argument)
{
	while (!stop) {
		register long address asm("x9") = 8;

		asm volatile("ldr x10, [x9]" ::"r"(address) : "x10", "memory");
		faults++;
	}
	return argument;
}

static void *sleep_in_call(void *argument)
{
	char byte;

	while (read(ends[0], &byte, 1) < 0)
		;
	return argument;
}

static void *send(void *argument)
{
	pthread_t main_thread = *(pthread_t *)argument;

	while (!stop)
		if (pthread_kill(main_thread, SIGUSR1) == 0)
			sched_yield();
	return NULL;
}

static void *start_children(void *argument)
{
	while (!stop) {
		int status = 0;
		pid_t child = fork();

		if (child == 0)
			_exit(made(0) == BLOCKS * (INSTRUCTIONS - 1) ? 7 : 8);
		while (waitpid(child, &status, 0) < 0)
			;
		if (WEXITSTATUS(status) != 7)
			return argument;
	}
	return NULL;
}

CHECK(beside_threads)
{
	pthread_t self = pthread_self(), threads[4], sleepers[SLEEPERS];
	struct sigaction action = { .sa_sigaction = skip,
				    .sa_flags = SA_SIGINFO };
	void *wrong;

	make();
	OK(pipe(ends));
	OK(sigaction(SIGSEGV, &action, NULL));
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	OK(sigaction(SIGUSR1, &action, NULL));
	EQ(pthread_create(&threads[0], NULL, fault, NULL), 0);
	EQ(pthread_create(&threads[1], NULL, fault, NULL), 0);
	EQ(pthread_create(&threads[2], NULL, send, &self), 0);
	EQ(pthread_create(&threads[3], NULL, start_children, &self), 0);
	for (int i = 0; i < SLEEPERS; i++)
		EQ(pthread_create(&sleepers[i], NULL, sleep_in_call, NULL), 0);
	for (int round = 0; round < ROUNDS; round++)
		EQ(made(round), round + BLOCKS * (INSTRUCTIONS - 1));
	stop = 1;
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		TRUE(wrong == NULL);
	}
	EQ(faults, skipped);
	TRUE(faults > 0 && handled > 0);
	/* The test that runs this looks at the process here, while the sleepers sleep. */
	if (getenv("TURNOVER_WAIT") != NULL) {
		char byte;

		puts("waiting");
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) < 0)
			;
	}
	close(ends[1]);
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(sleepers[i], NULL);
}

CHECK_MAIN
