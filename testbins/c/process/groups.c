// Process groups, sessions, orphans, subreapers, PDEATHSIG, exit_group with threads.
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <pthread.h>
#include <poll.h>

static void new_session(void)
{
	EXPECT(setsid() == getpid());
	EXPECT(getsid(0) == getpid() && getpgrp() == getpid());
	EXPECT(setsid() == -1 && errno == EPERM);
	EXPECT(setpgid(0, 0) == -1 && errno == EPERM);
	EXPECT(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
}

CHECK(session)
{
	EQ(child_status(new_session), 0);
	ERR(setpgid(-1, 0), EINVAL);
	ERR(setpgid(0, -1), EINVAL);
	ERR(setpgid(1, 1), ESRCH);
	ERR(getpgid(0x7fffffff), ESRCH);
	ERR(getsid(0x7fffffff), ESRCH);
	ERR(setpgid(0, 0x7ffffff0), EPERM);
}

static void executes(void)
{
	execl("/bin/sh", "sh", "-c", "read x", NULL);
}

CHECK(setpgid_after_exec)
{
	int ends[2];
	char program[64] = "";

	OK(pipe(ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		dup2(ends[0], 0);
		close(ends[1]);
		executes();
		_exit(1);
	}
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	for (int i = 0; i < 5000 && strcmp(program, "sh\n") != 0; i++) {
		int fd = OK(open(path, O_RDONLY));
		program[OK(read(fd, program, sizeof(program) - 1))] = 0;
		close(fd);
		usleep(1000);
	}
	STREQ(program, "sh\n");
	ERR(setpgid(pid, pid), EACCES);
	close(ends[0]), close(ends[1]);
	EQ(waitpid(pid, NULL, 0), pid);
}

static void orphan_pid(int fd, pid_t parent)
{
	char c;

	/* The parent ends; somebody else becomes ours. */
	for (int i = 0; i < 5000 && getppid() == parent; i++)
		usleep(1000);
	c = getppid() != parent;
	write(fd, &c, 1);
	_exit(0);
}

CHECK(orphans)
{
	int ends[2];
	char c = 0;

	OK(pipe(ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		pid_t parent = getpid();
		if (fork() == 0)
			orphan_pid(ends[1], parent);
		_exit(0);
	}
	EQ(waitpid(pid, NULL, 0), pid);
	EQ(read(ends[0], &c, 1), 1);
	EQ(c, 1);
	close(ends[0]), close(ends[1]);
}

CHECK(subreaper)
{
	int ends[2], status, on = 0;

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(prctl(PR_GET_CHILD_SUBREAPER, &on));
	EQ(on, 1);
	OK(pipe(ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		pid_t parent = getpid(), grandchild = fork();
		if (grandchild == 0) {
			while (getppid() == parent)
				usleep(1000);
			_exit(33);
		}
		write(ends[1], &grandchild, sizeof(grandchild));
		_exit(0);
	}
	pid_t grandchild;
	EQ(read(ends[0], &grandchild, sizeof(grandchild)), (int)sizeof(grandchild));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(waitpid(grandchild, &status, 0), grandchild);
	EQ(WEXITSTATUS(status), 33);
	OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
	close(ends[0]), close(ends[1]);
}

CHECK(parent_death_signal)
{
	int ends[2];
	char c;

	OK(pipe(ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		int ready[2];
		pipe(ready);
		if (fork() == 0) {
			int got = 0;
			EXPECT(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
			EXPECT(prctl(PR_GET_PDEATHSIG, &got) == 0 && got == SIGUSR1);
			sigset_t set;
			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, NULL);
			write(ready[1], "r", 1);
			struct timespec limit = { 5, 0 };
			c = sigtimedwait(&set, NULL, &limit) == SIGUSR1;
			write(ends[1], &c, 1);
			_exit(0);
		}
		read(ready[0], &c, 1);
		_exit(0);
	}
	EQ(waitpid(pid, NULL, 0), pid);
	EQ(read(ends[0], &c, 1), 1);
	EQ(c, 1);
	close(ends[0]), close(ends[1]);
}

static void *spins(void *argument)
{
	volatile unsigned *counter = argument;

	for (;;)
		++*counter;
	return NULL;
}

static void *blocks(void *argument)
{
	poll(NULL, 0, -1);
	return argument;
}

static void *ends_process(void *argument)
{
	usleep(20000);
	exit((int)(intptr_t)argument);
}

static void with_threads(void *(*last)(void *), void *argument)
{
	static unsigned counters[2];
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, spins, &counters[0]) == 0);
	EXPECT(pthread_create(&thread, NULL, spins, &counters[1]) == 0);
	EXPECT(pthread_create(&thread, NULL, blocks, NULL) == 0);
	EXPECT(pthread_create(&thread, NULL, last, argument) == 0);
	usleep(10000);
}

static void main_exits(void)
{
	with_threads(blocks, NULL);
	_exit(21);
}

static void other_exits(void)
{
	with_threads(ends_process, (void *)22);
	blocks(NULL);
}

static void other_exits_while_main_spins(void)
{
	unsigned counter = 0;

	with_threads(ends_process, (void *)23);
	spins(&counter);
}

static void *crashes(void *argument)
{
	usleep(20000);
	*(volatile int *)8 = 1;
	return argument;
}

static void other_crashes(void)
{
	with_threads(crashes, NULL);
	blocks(NULL);
}

static void main_thread_leaves(void)
{
	with_threads(ends_process, (void *)24);
	pthread_exit(NULL);
}

CHECK(exit_with_threads)
{
	EQ(child_status(main_exits), 21 << 8);
	EQ(child_status(other_exits), 22 << 8);
	EQ(child_status(other_exits_while_main_spins), 23 << 8);
	EQ(child_status(main_thread_leaves), 24 << 8);
	EQ(child_status(other_crashes) & 0x7f, SIGSEGV);
}

CHECK(killed_with_threads)
{
	int status;
	pid_t pid = OK(fork());

	if (pid == 0) {
		with_threads(blocks, NULL);
		blocks(NULL);
	}
	usleep(100000);
	OK(kill(pid, SIGTERM));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGTERM);
}

CHECK_MAIN
