// PTRACE_EVENT_*: fork, vfork, clone, exec, exit; who is attached by them, and with what options.
// no-reference: qemu-user has no ptrace
// libs: -lpthread
#include "tracer.h"
#include <pthread.h>

static const long ALL = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

static void forks(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(5);
	if (waitpid(pid, &status, 0) != pid)
		_exit(9);
	_exit(status >> 8);
}

static void set_options(pid_t pid, long options)
{
	if (ptrace(PTRACE_SETOPTIONS, pid, 0, options) != 0)
		FAIL("options 0x%lx: %s", options, strerrorname_np(errno));
}

/* The message of the tracee's present event. */
static unsigned long message(pid_t pid)
{
	unsigned long value = 0;

	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &value) != 0)
		FAIL("no message: %s", strerrorname_np(errno));
	return value;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, __WALL) != pid)
		FAIL("waiting for a tracee: %s", strerrorname_np(errno));
	return status;
}

CHECK(nothing_wanted)
{
	pid_t pid = OK(traced(forks));

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGCHLD));
	EQ(next(pid, PTRACE_CONT, SIGCHLD), 5 << 8);
}

CHECK(forked)
{
	pid_t pid = OK(traced(forks));
	siginfo_t info;
	registers r;

	set_options(pid, PTRACE_O_TRACEFORK);
	EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_FORK));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGTRAP);
	EQ(info.si_code, SIGTRAP | PTRACE_EVENT_FORK << 8);
	pid_t child = message(pid);
	TRUE(child > 0 && child != pid);
	EQ(wait_for(child), STOPPED(SIGSTOP));
	OK(get_registers(child, &r));
	EQ(RESULT(r), 0);
	EQ(next(child, PTRACE_CONT, 0), 5 << 8);
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGCHLD));
	EQ(next(pid, PTRACE_CONT, 0), 5 << 8);
}

/* An event comes within its call: what ends it is traced if that is wanted then. */
CHECK(event_then_call)
{
	pid_t pid = OK(traced(forks));
	registers r;

	set_options(pid, PTRACE_O_TRACEFORK | PTRACE_O_TRACESYSGOOD);
	EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_FORK));
	pid_t child = message(pid);
	EQ(wait_for(child), STOPPED(SIGSTOP));
	OK(ptrace(PTRACE_CONT, child, 0, 0));
	EQ(wait_for(child), 5 << 8);
	int status = next(pid, PTRACE_SYSCALL, 0);
	EQ(status, STOPPED(SIGTRAP | 0x80));
	OK(get_registers(pid, &r));
	EQ((pid_t)RESULT(r), child);
	finish(pid);
}

static void forks_twice(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			_exit(6);
		waitpid(pid, &status, 0);
		_exit((status >> 8) + 1);
	}
	waitpid(pid, &status, 0);
	_exit((status >> 8) + 1);
}

/* Children inherit the options; any order of ends and stops will do. */
CHECK(inherited)
{
	pid_t pid = OK(traced(forks_twice)), got;
	int status, ends = 0, events = 0, children = 0, last = -1;

	set_options(pid, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	while ((got = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFEXITED(status)) {
			ends++;
			if (got == pid)
				last = WEXITSTATUS(status);
			continue;
		}
		if (status == EVENT(PTRACE_EVENT_FORK))
			events++;
		else if (status == STOPPED(SIGSTOP))
			children++;
		else
			EQ(status, STOPPED(SIGCHLD));
		OK(ptrace(PTRACE_CONT, got, 0, 0));
	}
	EQ(errno, ECHILD);
	EQ(ends, 3);
	EQ(events, 2);
	EQ(children, 2);
	EQ(last, 8);
}

static volatile int shared;

static void vforks(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 3;
		_exit(0);
	}
	_exit(shared);
}

CHECK(vforked)
{
	pid_t pid = OK(traced(vforks));

	set_options(pid, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
	EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_VFORK));
	pid_t child = message(pid);
	EQ(wait_for(child), STOPPED(SIGSTOP));
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	/* The parent waits for the child. */
	int status;
	usleep(50000);
	EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	EQ(next(child, PTRACE_CONT, 0), 0);
	status = wait_for(pid);
	if (status == STOPPED(SIGCHLD)) {
		EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_VFORK_DONE));
		EQ(message(pid), child);
		EQ(next(pid, PTRACE_CONT, 0), 3 << 8);
		return;
	}
	EQ(status, EVENT(PTRACE_EVENT_VFORK_DONE));
	EQ(message(pid), child);
	status = next(pid, PTRACE_CONT, 0);
	if (status == STOPPED(SIGCHLD))
		status = next(pid, PTRACE_CONT, 0);
	EQ(status, 3 << 8);
}

/* A fork when only vforks are of interest, and the other way round. */
CHECK(the_other_one)
{
	pid_t pid = OK(traced(forks));

	set_options(pid, PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE);
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGCHLD));
	EQ(next(pid, PTRACE_CONT, 0), 5 << 8);
	pid = OK(traced(vforks));
	set_options(pid, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE);
	int status = next(pid, PTRACE_CONT, 0);
	if (status == STOPPED(SIGCHLD))
		status = next(pid, PTRACE_CONT, 0);
	EQ(status, 3 << 8);
}

static void *thread(void *argument)
{
	shared = 4;
	return argument;
}

static void starts_thread(void)
{
	pthread_t it;

	if (pthread_create(&it, NULL, thread, NULL) != 0)
		_exit(99);
	pthread_join(it, NULL);
	_exit(shared);
}

CHECK(threads)
{
	pid_t pid = OK(traced(starts_thread)), tid = 0, got;
	int status, first = 0, ended = 0;
	registers mine, its;

	set_options(pid, PTRACE_O_TRACECLONE);
	EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_CLONE));
	tid = message(pid);
	EQ(wait_for(tid), STOPPED(SIGSTOP));
	OK(get_registers(tid, &its));
	OK(get_registers(pid, &mine));
	TRUE(SP(its) != SP(mine));
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	OK(access(path, F_OK));
	OK(ptrace(PTRACE_CONT, tid, 0, 0));
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	while ((got = waitpid(-1, &status, __WALL)) > 0) {
		TRUE(got == pid || got == tid);
		TRUE(WIFEXITED(status));
		if (got == pid)
			first = WEXITSTATUS(status);
		ended++;
	}
	EQ(ended, 2);
	EQ(first, 4);
}

static void execs(void)
{
	char *argv[] = { "it", "nothing_to_do", NULL };

	execv("/proc/self/exe", argv);
	_exit(98);
}

CHECK(exec_by_signal)
{
	pid_t pid = OK(traced(execs));
	siginfo_t info;
	registers r;

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGTRAP));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_code, SI_USER);
	OK(get_registers(pid, &r));
	/* The new stack begins with argc. */
	EQ((int)ptrace(PTRACE_PEEKDATA, pid, SP(r), 0), 2);
	EQ(next(pid, PTRACE_CONT, 0), 0);
}

CHECK(exec_by_event)
{
	pid_t pid = OK(traced(execs));
	registers r;

	set_options(pid, PTRACE_O_TRACEEXEC);
	EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_EXEC));
	EQ(message(pid), pid);
	OK(get_registers(pid, &r));
	EQ((int)ptrace(PTRACE_PEEKDATA, pid, SP(r), 0), 2);
	EQ(next(pid, PTRACE_CONT, 0), 0);
}

CHECK(exec_and_calls)
{
	pid_t pid = OK(traced(execs));
	int status;

	set_options(pid, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC);
	for (int i = 0; i < 100; i++) {
		status = next(pid, PTRACE_SYSCALL, 0);
		if (status != STOPPED(SIGTRAP | 0x80))
			break;
	}
	EQ(status, EVENT(PTRACE_EVENT_EXEC));
	/* The end of the execve comes after the event. */
	EQ(next(pid, PTRACE_SYSCALL, 0), STOPPED(SIGTRAP | 0x80));
	registers r;
	OK(get_registers(pid, &r));
	EQ(RESULT(r), 0);
	finish(pid);
}

static void exits(void)
{
	_exit(11);
}

static void is_killed(void)
{
	raise(SIGTERM);
}

CHECK(exit_event)
{
	pid_t pid = OK(traced(exits));

	set_options(pid, PTRACE_O_TRACEEXIT);
	EQ(next(pid, PTRACE_CONT, 0), EVENT(PTRACE_EVENT_EXIT));
	EQ(message(pid), 11 << 8);
	registers r;
	OK(get_registers(pid, &r));
	EQ(next(pid, PTRACE_CONT, 0), 11 << 8);
	pid = OK(traced(is_killed));
	set_options(pid, PTRACE_O_TRACEEXIT);
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGTERM));
	EQ(next(pid, PTRACE_CONT, SIGTERM), EVENT(PTRACE_EVENT_EXIT));
	EQ(message(pid) & 0x7f, SIGTERM);
	EQ(next(pid, PTRACE_CONT, 0), SIGTERM);
}

CHECK(all_at_once)
{
	pid_t pid = OK(traced(forks)), got;
	int status, last = -1, exits = 0;

	set_options(pid, ALL);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	while ((got = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFEXITED(status)) {
			if (got == pid)
				last = WEXITSTATUS(status);
			continue;
		}
		exits += status == EVENT(PTRACE_EVENT_EXIT);
		OK(ptrace(PTRACE_CONT, got, 0, 0));
	}
	EQ(last, 5);
	EQ(exits, 2);
}

CHECK_MAIN
