/* What the checks of ptrace(2) share: a tracee to begin with, and registers by their role. */
#ifndef TRACER_H
#define TRACER_H

#include "../check.h"
#include "../isa.h"
#include "../process/child.h"
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#define STOPPED(signal) ((signal) << 8 | 0x7f)
#define EVENT(event) (STOPPED(SIGTRAP) | (event) << 16)

static int __attribute__((unused)) get_registers(pid_t pid, registers *r)
{
	struct iovec part = { r, sizeof(*r) };

	return ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &part);
}

static int __attribute__((unused)) set_registers(pid_t pid, registers *r)
{
	struct iovec part = { r, sizeof(*r) };

	return ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &part);
}

/* Has the tracee, which stops before a system call, make call `number` instead. */
static int __attribute__((unused)) set_call(pid_t pid, int number)
{
#if defined(ISA_CALL_IN_REGISTERS)
	registers r;

	if (get_registers(pid, &r) != 0)
		return -1;
	r.ISA_CALL_IN_REGISTERS = number;
	return set_registers(pid, &r);
#elif defined(ISA_CALL_SET)
	struct iovec part = { &number, sizeof(number) };

	return ptrace(PTRACE_SETREGSET, pid, (void *)ISA_CALL_SET, &part);
#else
	return ptrace(23 /* PTRACE_SET_SYSCALL */, pid, 0, number);
#endif
}

/* A child that is traced and has stopped with SIGSTOP before it calls `run`. */
static pid_t __attribute__((unused)) traced(void (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		EXPECT(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		run();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
	    status != STOPPED(SIGSTOP))
		FAIL("no traced child: status 0x%x", status);
	return pid;
}

/* A child that is not traced. */
static pid_t __attribute__((unused)) untraced(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	return pid;
}

/* The next change of state, after a request that lets the tracee go on. */
static int __attribute__((unused)) next(pid_t pid, int request, long signal)
{
	int status = -1;

	if (ptrace(request, pid, 0, signal) != 0)
		FAIL("request 0x%x: %s", request, strerrorname_np(errno));
	if (waitpid(pid, &status, __WALL) != pid)
		FAIL("after request 0x%x: %s", request, strerrorname_np(errno));
	return status;
}

/* Ends a tracee. */
static void __attribute__((unused)) finish(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	do {
		if (waitpid(pid, &status, __WALL) != pid)
			FAIL("no end of a killed tracee");
	} while (!WIFSIGNALED(status) && !WIFEXITED(status));
}

#endif
