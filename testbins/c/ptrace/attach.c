// PTRACE_ATTACH and PTRACE_SEIZE of processes and threads that run, and letting go of them.
// no-reference: qemu-user has no ptrace
// libs: -lpthread
#include "tracer.h"
#include <poll.h>
#include <pthread.h>
#include <time.h>

static volatile long word, handled;

static void waits(void)
{
	for (;;)
		pause();
}

static void computes(void)
{
	while (!word)
		;
	_exit(word);
}

static void handler(int signal)
{
	handled = signal;
}

static void handles(void)
{
	signal(SIGUSR1, handler);
	while (!handled)
		pause();
	_exit(handled);
}

static int wait_for(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, __WALL) != pid)
		FAIL("waiting for a tracee: %s", strerrorname_np(errno));
	return status;
}

static int tracer_of(pid_t pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	return atoi(strstr(text, "\nTracerPid:") + 11);
}

CHECK(attach_sleeping)
{
	pid_t pid = OK(untraced(waits));
	siginfo_t info;
	registers r;

	TRUE(await_state(pid, 'S'));
	OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	EQ(wait_for(pid), STOPPED(SIGSTOP));
	EQ(tracer_of(pid), getpid());
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGSTOP);
	OK(get_registers(pid, &r));
	TRUE(SP(r) != 0);
	OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	EQ(tracer_of(pid), 0);
	TRUE(await_state(pid, 'S'));
	OK(kill(pid, SIGTERM));
	EQ(wait_for(pid), SIGTERM);
}

CHECK(attach_running)
{
	pid_t pid = OK(untraced(computes));

	usleep(20000);
	OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	EQ(wait_for(pid), STOPPED(SIGSTOP));
	OK(ptrace(PTRACE_POKEDATA, pid, &word, 9));
	OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	EQ(wait_for(pid), 9 << 8);
}

CHECK(detach_with_signal)
{
	pid_t pid = OK(untraced(handles));

	TRUE(await_state(pid, 'S'));
	OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	EQ(wait_for(pid), STOPPED(SIGSTOP));
	OK(ptrace(PTRACE_DETACH, pid, 0, SIGUSR1));
	EQ(wait_for(pid), SIGUSR1 << 8);
}

CHECK(again_and_again)
{
	pid_t pid = OK(untraced(waits));

	for (int i = 0; i < 20; i++) {
		OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
		EQ(wait_for(pid), STOPPED(SIGSTOP));
		OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	}
	finish(pid);
}

CHECK(seize)
{
	pid_t pid = OK(untraced(waits));
	siginfo_t info;
	int status;
	registers r;

	TRUE(await_state(pid, 'S'));
	OK(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
	/* That does not stop it. */
	usleep(20000);
	EQ(waitpid(pid, &status, WNOHANG), 0);
	ERR(get_registers(pid, &r), ESRCH);
	OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	EQ(wait_for(pid), EVENT(PTRACE_EVENT_STOP));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGTRAP);
	EQ(info.si_code, SIGTRAP | PTRACE_EVENT_STOP << 8);
	OK(get_registers(pid, &r));
	TRUE(SP(r) != 0);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	OK(kill(pid, SIGUSR1));
	EQ(wait_for(pid), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, SIGUSR1), SIGUSR1);
}

CHECK(seize_running)
{
	pid_t pid = OK(untraced(computes));

	OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	EQ(wait_for(pid), EVENT(PTRACE_EVENT_STOP));
	OK(ptrace(PTRACE_POKEDATA, pid, &word, 8));
	EQ(next(pid, PTRACE_CONT, 0), 8 << 8);
}

CHECK(listen)
{
	pid_t pid = OK(untraced(waits));
	const int group = STOPPED(SIGSTOP) | PTRACE_EVENT_STOP << 16;
	int status;

	TRUE(await_state(pid, 'S'));
	OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	OK(kill(pid, SIGSTOP));
	EQ(wait_for(pid), STOPPED(SIGSTOP));
	EQ(next(pid, PTRACE_CONT, SIGSTOP), group);
	OK(ptrace(PTRACE_LISTEN, pid, 0, 0));
	ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
	EQ(waitpid(pid, &status, WNOHANG), 0);
	OK(kill(pid, SIGCONT));
	EQ(wait_for(pid), EVENT(PTRACE_EVENT_STOP));
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGCONT));
	OK(ptrace(PTRACE_CONT, pid, 0, SIGCONT));
	finish(pid);
}

CHECK(interrupt_in_group_stop)
{
	pid_t pid = OK(untraced(waits));
	const int group = STOPPED(SIGSTOP) | PTRACE_EVENT_STOP << 16;

	OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	OK(kill(pid, SIGSTOP));
	EQ(wait_for(pid), STOPPED(SIGSTOP));
	EQ(next(pid, PTRACE_CONT, SIGSTOP), group);
	OK(ptrace(PTRACE_LISTEN, pid, 0, 0));
	OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	EQ(wait_for(pid), group);
	finish(pid);
}

static void sleeps(void)
{
	struct timespec time = { 0, 300000000 };

	_exit(nanosleep(&time, NULL) == 0 ? 6 : 7);
}

/* The call that a stop interrupts is made again. */
CHECK(sleep_goes_on)
{
	pid_t pid = OK(untraced(sleeps));

	TRUE(await_state(pid, 'S'));
	OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	for (int i = 0; i < 3; i++) {
		OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
		EQ(wait_for(pid), EVENT(PTRACE_EVENT_STOP));
		OK(ptrace(PTRACE_CONT, pid, 0, 0));
	}
	EQ(wait_for(pid), 6 << 8);
}

static int ready[2];

static void *works(void *argument)
{
	(void)argument;
	pid_t tid = gettid();
	write(ready[1], &tid, sizeof(tid));
	while (!word)
		;
	return NULL;
}

static void many(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, works, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	_exit(word);
}

CHECK(attach_threads)
{
	pid_t tids[4];
	int ended = 0, status;
	pid_t got;

	OK(pipe(ready));
	tids[0] = OK(untraced(many));
	for (int i = 1; i < 4; i++)
		EQ(read(ready[0], &tids[i], sizeof(pid_t)), sizeof(pid_t));
	for (int i = 0; i < 4; i++)
		OK(ptrace(PTRACE_ATTACH, tids[i], 0, 0));
	for (int i = 3; i >= 0; i--)
		EQ(wait_for(tids[i]), STOPPED(SIGSTOP));
	OK(ptrace(PTRACE_POKEDATA, tids[2], &word, 3));
	for (int i = 0; i < 4; i++)
		OK(ptrace(PTRACE_CONT, tids[i], 0, 0));
	while ((got = waitpid(-1, &status, __WALL)) > 0) {
		EQ(WIFEXITED(status), 1);
		if (got == tids[0])
			EQ(status, 3 << 8);
		ended++;
	}
	EQ(ended, 4);
}

/* When the tracer is gone, the tracee goes on by itself. */
CHECK(tracer_dies)
{
	pid_t pid = OK(untraced(handles)), tracer = fork();

	TRUE(await_state(pid, 'S'));
	if (tracer == 0) {
		int status;

		EXPECT(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0);
		EXPECT(waitpid(pid, &status, __WALL) == pid);
		EXPECT(ptrace(PTRACE_CONT, pid, 0, 0) == 0);
		_exit(0);
	}
	EQ(wait_for(tracer), 0);
	EQ(tracer_of(pid), 0);
	OK(kill(pid, SIGUSR1));
	EQ(wait_for(pid), SIGUSR1 << 8);
}

CHECK(exit_kill)
{
	pid_t pid = OK(untraced(waits)), tracer = fork();

	if (tracer == 0) {
		EXPECT(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL) == 0);
		_exit(0);
	}
	EQ(wait_for(tracer), 0);
	EQ(wait_for(pid), SIGKILL);
}

/* A stop of somebody else's child is for its tracer; its end is for both. */
CHECK(not_a_child)
{
	int tell[2], status;

	OK(pipe(tell));
	pid_t parent = fork();
	if (parent == 0) {
		pid_t child = fork();

		if (child == 0)
			waits();
		write(tell[1], &child, sizeof(child));
		if (waitpid(child, &status, 0) != child || status != SIGTERM)
			_exit(1);
		_exit(2);
	}
	pid_t child;
	EQ(read(tell[0], &child, sizeof(child)), sizeof(child));
	ERR(waitpid(child, &status, WNOHANG), ECHILD);
	OK(ptrace(PTRACE_ATTACH, child, 0, 0));
	EQ(wait_for(child), STOPPED(SIGSTOP));
	EQ(next(child, PTRACE_CONT, SIGTERM), SIGTERM);
	ERR(waitpid(child, &status, WNOHANG), ECHILD);
	EQ(wait_for(parent), 2 << 8);
}

CHECK_MAIN
