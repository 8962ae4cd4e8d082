// Children that live in the parent's memory are killed at whatever moment it is, while other threads
// start programs, too: nothing that they held is missed by those who go on.
// no-reference: qemu-user makes a forked copy of a vfork
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <poll.h>
#include <pthread.h>
#include <spawn.h>

extern char **environ;

/* Few in the test of every day; killed_borrowers_long.c has more. */
#ifndef ROUNDS
#define ROUNDS 1
#endif

enum { SPAWNERS = 3, SPAWNS = 6 * ROUNDS, KILLS = 40 * ROUNDS, STACK = 65536 };

static void __attribute__((constructor)) role(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "role:status") == 0)
		_exit(21);
	(void)argv;
}

static void *spawns(void *failures)
{
	char *const argv[] = { "killed_borrowers", "role:status", NULL };
	int status;
	pid_t pid;

	for (int i = 0; i < SPAWNS; i++)
		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid || status != 21 << 8)
			++*(int *)failures;
	return NULL;
}

/* Calls that need more or less of an emulator; a failed execve most. */
static int busy(void *argument)
{
	char name[64];

	for (;;) {
		getppid();
		(void)!readlink("/proc/self/exe", name, sizeof(name));
		(void)!access("/nowhere", F_OK);
		execve("/nowhere", environ, environ);
		munmap(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		       65536);
	}
	return argument != NULL;
}

static int sleeps(void *argument)
{
	for (;;)
		pause();
	return argument != NULL;
}

static int spins(void *argument)
{
	for (volatile unsigned i = 0;; i++)
		;
	return argument != NULL;
}

static int stops(void *argument)
{
	for (;;)
		raise(SIGSTOP);
	return argument != NULL;
}

static char stack[STACK] __attribute__((aligned(16)));

static pid_t borrower(int (*run)(void *))
{
	return clone(run, stack + STACK, CLONE_VM | SIGCHLD, NULL);
}

/* The ways to kill a process. */
static int by_kill(pid_t pid, int signal)
{
	return kill(pid, signal);
}

static int by_tkill(pid_t pid, int signal)
{
	return syscall(SYS_tkill, pid, signal);
}

static int by_tgkill(pid_t pid, int signal)
{
	return tgkill(pid, pid, signal);
}

static int by_pidfd(pid_t pid, int signal)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);
	int result = syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);

	close(fd);
	return result;
}

static int by_group(pid_t pid, int signal)
{
	return setpgid(pid, pid) == 0 ? kill(-pid, signal) : -1;
}

/* A process that has nothing of the memory. */
static int by_stranger(pid_t pid, int signal)
{
	int status;
	pid_t stranger = fork();

	if (stranger == 0)
		_exit(kill(pid, signal) != 0);
	return waitpid(stranger, &status, 0) == stranger && status == 0 ? 0 : -1;
}

static int (*const ways[])(pid_t, int) = { by_kill,  by_tkill, by_tgkill,
					   by_pidfd, by_group, by_stranger };

static void kill_at_random(int signal)
{
	static unsigned seed = 1;
	pthread_t threads[SPAWNERS];
	int status, failures[SPAWNERS] = { 0 };

	for (int i = 0; i < SPAWNERS; i++)
		EQ(pthread_create(&threads[i], NULL, spawns, &failures[i]), 0);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = OK(borrower(busy));

		usleep(rand_r(&seed) % 3000);
		OK(ways[i % 6](pid, signal));
		EQ(waitpid(pid, &status, 0), pid);
		EQ(status, signal);
	}
	for (int i = 0; i < SPAWNERS; i++) {
		EQ(pthread_join(threads[i], NULL), 0);
		EQ(failures[i], 0);
	}
}

CHECK(killed_by_sigterm)
{
	kill_at_random(SIGTERM);
}

CHECK(killed_by_sigkill)
{
	kill_at_random(SIGKILL);
}

CHECK(killed_wherever_it_is)
{
	int (*const runs[])(void *) = { sleeps, spins, stops };
	int status;

	for (int i = 0; i < 3; i++)
		for (int way = 0; way < 6; way++) {
			pid_t pid = OK(borrower(runs[i]));

			if (runs[i] == stops) {
				EQ(waitpid(pid, &status, WUNTRACED), pid);
				EQ(WIFSTOPPED(status), 1);
			} else if (way % 2 == 0) {
				usleep(2000);
			}
			OK(ways[way](pid, SIGKILL));
			EQ(waitpid(pid, &status, 0), pid);
			EQ(status, SIGKILL);
		}
}

static int pipe_ends[2];

static int kills_its_parent(void *argument)
{
	struct pollfd waits = { .fd = -1 };

	kill(getppid(), SIGKILL);
	/* Only its memory is left, and that is still good for this. */
	for (int i = 0; i < 20; i++) {
		free(malloc(1 << i));
		poll(&waits, 1, 1);
	}
	(void)!write(pipe_ends[1], "x", 1);
	return argument != NULL;
}

static void *allocates(void *argument)
{
	for (;;)
		free(malloc(100000));
	return argument;
}

CHECK(the_parent_is_killed)
{
	char byte;
	int status;

	OK(pipe(pipe_ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		pthread_t thread;

		EXPECT(pthread_create(&thread, NULL, allocates, NULL) == 0);
		EXPECT(borrower(kills_its_parent) > 0);
		for (;;)
			pause();
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, SIGKILL);
	close(pipe_ends[1]);
	EQ(read(pipe_ends[0], &byte, 1), 1);
	close(pipe_ends[0]);
}

static int kill_each_other(void *other)
{
	for (;;)
		if (*(volatile pid_t *)other > 0)
			kill(*(volatile pid_t *)other, SIGKILL);
	return 0;
}

CHECK(they_kill_one_another)
{
	static char stacks[2][STACK] __attribute__((aligned(16)));
	int status;

	for (int round = 0; round < 5; round++) {
		pid_t pids[2] = { 0, 0 };

		for (int i = 0; i < 2; i++)
			pids[i] = OK(clone(kill_each_other, stacks[i] + STACK, CLONE_VM | SIGCHLD,
					   &pids[1 - i]));
		/* At least one dies of it; the other one may be left. */
		pid_t first = OK(waitpid(-1, &status, 0));
		EQ(status, SIGKILL);
		pid_t rest = first == pids[0] ? pids[1] : pids[0];
		OK(kill(rest, SIGKILL));
		EQ(waitpid(rest, &status, 0), rest);
		EQ(status, SIGKILL);
	}
}

CHECK_MAIN
