// Stops before and after system calls: what a tracer sees there and may change.
// no-reference: qemu-user has no ptrace
#include "tracer.h"
#include <linux/ptrace.h>
#include <time.h>

#define SYSGOOD STOPPED(SIGTRAP | 0x80)

static volatile int handled;

static void handler(int signal)
{
	handled = signal;
}

/* To the stop before the next call `number`. */
static void run_to(pid_t pid, long number)
{
	struct __ptrace_syscall_info info;

	for (int i = 0; i < 100; i++) {
		int status = next(pid, PTRACE_SYSCALL, 0);

		if (status != SYSGOOD)
			FAIL("status 0x%x want a call", status);
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
			FAIL("PTRACE_GET_SYSCALL_INFO: %s", strerrorname_np(errno));
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    (long)info.entry.nr == number)
			return;
	}
	FAIL("call %ld did not come", number);
}

static pid_t traced_calls(void (*run)(void))
{
	pid_t pid = traced(run);

	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	return pid;
}

static void closes(void)
{
	syscall(SYS_getppid);
	long result = syscall(SYS_close, 777);
	int error = errno;

	if (result == -1 && error == EBADF)
		_exit(1);
	if (result == 66)
		_exit(2);
	_exit(3);
}

CHECK(pairs)
{
	pid_t pid = OK(traced(closes));
	struct __ptrace_syscall_info info;
	unsigned long message;

	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, 0));
	EQ(next(pid, PTRACE_SYSCALL, 0), STOPPED(SIGTRAP));
	siginfo_t about;
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &about));
	EQ(about.si_signo, SIGTRAP);
	EQ(about.si_code, SIGTRAP);
	EQ(about.si_pid, pid);
	/* Without PTRACE_O_TRACESYSGOOD the kernel does not know what it is. */
	EQ(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 24);
	EQ(info.op, PTRACE_SYSCALL_INFO_NONE);
	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	run_to(pid, SYS_close);
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &about));
	EQ(about.si_code, SIGTRAP | 0x80);
	EQ(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 80);
	EQ(info.entry.args[0], 777);
	registers r;
	OK(get_registers(pid, &r));
	EQ(info.instruction_pointer, PC(r));
	EQ(info.stack_pointer, (unsigned long)SP(r));
	OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
	EQ(message, PTRACE_EVENTMSG_SYSCALL_ENTRY);
	EQ(next(pid, PTRACE_SYSCALL, 0), SYSGOOD);
	EQ(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 33);
	EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	EQ(info.exit.rval, -EBADF);
	EQ(info.exit.is_error, 1);
	OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
	EQ(message, PTRACE_EVENTMSG_SYSCALL_EXIT);
	OK(get_registers(pid, &r));
	EQ(CALL_ERRNO(r), EBADF);
	EQ(next(pid, PTRACE_CONT, 0), 1 << 8);
}

CHECK(change_argument)
{
	pid_t pid = traced_calls(closes);
	registers r;

	run_to(pid, SYS_close);
	OK(get_registers(pid, &r));
	EQ(CALL_ARG0(r), 777);
	/* 2 is open. */
	CALL_ARG0(r) = 2;
	OK(set_registers(pid, &r));
	EQ(next(pid, PTRACE_SYSCALL, 0), SYSGOOD);
	OK(get_registers(pid, &r));
	EQ(RESULT(r), 0);
	EQ(next(pid, PTRACE_CONT, 0), 3 << 8);
}

CHECK(change_result)
{
	pid_t pid = traced_calls(closes);
	registers r;

	run_to(pid, SYS_close);
	EQ(next(pid, PTRACE_SYSCALL, 0), SYSGOOD);
	OK(get_registers(pid, &r));
	SET_RESULT(r, 66);
	OK(set_registers(pid, &r));
	EQ(next(pid, PTRACE_CONT, 0), 2 << 8);
}

CHECK(no_call)
{
	pid_t pid = traced_calls(closes);
	registers r;

	run_to(pid, SYS_close);
	OK(set_call(pid, -1));
	EQ(next(pid, PTRACE_SYSCALL, 0), SYSGOOD);
	OK(get_registers(pid, &r));
	SET_RESULT(r, 66);
	OK(set_registers(pid, &r));
	EQ(next(pid, PTRACE_CONT, 0), 2 << 8);
}

CHECK(other_call)
{
	pid_t pid = traced_calls(closes);
	registers r;

	run_to(pid, SYS_close);
	OK(set_call(pid, SYS_getppid));
	EQ(next(pid, PTRACE_SYSCALL, 0), SYSGOOD);
	OK(get_registers(pid, &r));
	EQ(RESULT(r), getpid());
	EQ(next(pid, PTRACE_CONT, 0), 3 << 8);
}

/* Each call stops once and is not made. */
CHECK(emulated)
{
#ifdef ISA_RESULT_IS_NUMBER
	NA("the register of the result has the number before a call");
	return;
#endif
	pid_t pid = traced_calls(closes);
	registers r;

	run_to(pid, SYS_getppid);
	EQ(next(pid, PTRACE_SYSCALL, 0), SYSGOOD);
	EQ(next(pid, 31 /* PTRACE_SYSEMU */, 0), SYSGOOD);
	OK(get_registers(pid, &r));
	EQ(ARG0(r), 777);
	SET_RESULT(r, 66);
	OK(set_registers(pid, &r));
	EQ(next(pid, PTRACE_CONT, 0), 2 << 8);
}

static void gone(void)
{
	syscall(SYS_exit_group, 12);
}

CHECK(no_exit_stop)
{
	pid_t pid = traced_calls(gone);

	run_to(pid, SYS_exit_group);
	EQ(next(pid, PTRACE_SYSCALL, 0), 12 << 8);
}

/* A signal of PTRACE_SYSCALL at a call's stop is sent, and so it is told of again. */
CHECK(signal_at_call)
{
	pid_t pid = traced_calls(closes);

	run_to(pid, SYS_close);
	int status = next(pid, PTRACE_SYSCALL, SIGUSR1);
	EQ(status, SYSGOOD);
	EQ(next(pid, PTRACE_SYSCALL, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, 0), 1 << 8);
}

static void sleeps(void)
{
	struct timespec time = { 30, 0 };

	signal(SIGUSR1, handler);
	syscall(SYS_nanosleep, &time, NULL);
	_exit(errno == EINTR && handled == SIGUSR1 ? 4 : 5);
}

CHECK(interrupted)
{
	pid_t pid = traced_calls(sleeps);
	struct __ptrace_syscall_info info;

	run_to(pid, SYS_nanosleep);
	OK(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	TRUE(await_state(pid, 'S'));
	OK(kill(pid, SIGUSR1));
	int status;
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, SYSGOOD);
	OK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info));
	EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	EQ(info.exit.rval, -516 /* ERESTART_RESTARTBLOCK */);
	EQ(next(pid, PTRACE_SYSCALL, 0), STOPPED(SIGUSR1));
	/* To the handler's rt_sigreturn, or whatever comes first. */
	EQ(next(pid, PTRACE_SYSCALL, SIGUSR1), SYSGOOD);
	EQ(next(pid, PTRACE_CONT, 0), 4 << 8);
}

static int pipe_ends[2];

static void reads(void)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };
	char byte = 0;

	sigaction(SIGUSR1, &action, NULL);
	if (read(pipe_ends[0], &byte, 1) != 1)
		_exit(6);
	_exit(handled == SIGUSR1 ? byte : byte + 1);
}

/* A call that a handled or suppressed signal interrupts is made again. */
CHECK(made_again)
{
	for (int keep = 0; keep < 2; keep++) {
		OK(pipe(pipe_ends));
		pid_t pid = OK(traced(reads));
		OK(ptrace(PTRACE_CONT, pid, 0, 0));
		TRUE(await_state(pid, 'S'));
		OK(kill(pid, SIGUSR1));
		int status;
		EQ(waitpid(pid, &status, 0), pid);
		EQ(status, STOPPED(SIGUSR1));
		OK(ptrace(PTRACE_CONT, pid, 0, keep ? SIGUSR1 : 0));
		TRUE(await_state(pid, 'S'));
		EQ(write(pipe_ends[1], "\7", 1), 1);
		EQ(waitpid(pid, &status, 0), pid);
		EQ(status, (keep ? 7 : 8) << 8);
		close(pipe_ends[0]);
		close(pipe_ends[1]);
	}
}

CHECK_MAIN
