// Single steps and breakpoints.
// no-reference: qemu-user has no ptrace
#include "tracer.h"

static volatile int total, handled;

static __attribute__((noinline)) void add(int number)
{
	total += number;
}

static void adds(void)
{
	add(3);
	add(4);
	_exit(total);
}

static uintptr_t pc_of(pid_t pid)
{
	registers r;

	if (get_registers(pid, &r) != 0)
		FAIL("no registers: %s", strerrorname_np(errno));
	return PC(r);
}

static const unsigned long BREAK = ISA_BREAK_CODE, BREAK_BITS = ISA_BREAK_BITS;

static uintptr_t start_of(void (*function)(int))
{
#ifdef __arm__
	return (uintptr_t)function & ~1ul;
#else
	return (uintptr_t)function;
#endif
}

static long insert(pid_t pid, uintptr_t at)
{
	errno = 0;
	long before = ptrace(PTRACE_PEEKTEXT, pid, at, 0);

	if (errno != 0)
		FAIL("code at %#lx: %s", (long)at, strerrorname_np(errno));
	OK(ptrace(PTRACE_POKETEXT, pid, at, (before & ~BREAK_BITS) | BREAK));
	return before;
}

CHECK(breakpoint)
{
	pid_t pid = OK(traced(adds));
	uintptr_t at = start_of(add);
	long before = insert(pid, at);

	for (int i = 0; i < 2; i++) {
		siginfo_t info;
		registers r;

		EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGTRAP));
		OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
#if !defined(__x86_64__) && !defined(__i386__)
		EQ(info.si_code, TRAP_BRKPT);
#ifdef __m68k__ /* trap_c() tells of the pc */
		EQ((uintptr_t)info.si_addr, at + ISA_BEHIND_BREAK);
#else
		EQ((uintptr_t)info.si_addr, at);
#endif
#endif
		OK(get_registers(pid, &r));
		EQ(PC(r), at + ISA_BEHIND_BREAK);
#ifdef ISA_STACK_ARGUMENTS
		EQ(ptrace(PTRACE_PEEKDATA, pid, SP(r) + 4, 0), i ? 4 : 3);
#else
		EQ(ARG0(r), i ? 4 : 3);
#endif
		/* Step over it. */
		OK(ptrace(PTRACE_POKETEXT, pid, at, before));
		PC(r) = at;
		OK(set_registers(pid, &r));
		EQ(next(pid, PTRACE_SINGLESTEP, 0), STOPPED(SIGTRAP));
		TRUE(pc_of(pid) != at);
		insert(pid, at);
	}
	EQ(next(pid, PTRACE_CONT, 0), 7 << 8);
}

/* By steps alone: each is one instruction, so both calls are seen, and the system call. */
CHECK(steps)
{
	pid_t pid = OK(traced(adds));
	uintptr_t at = start_of(add), last = 0;
	int seen = 0, status = 0, stuck = 0;

	for (int i = 0; i < 100000; i++) {
		status = next(pid, PTRACE_SINGLESTEP, 0);
		if (WIFEXITED(status))
			break;
		EQ(status, STOPPED(SIGTRAP));
		uintptr_t now = pc_of(pid);
		seen += now == at;
		stuck += now == last;
		last = now;
	}
	EQ(status, 7 << 8);
	EQ(seen, 2);
	EQ(stuck, 0);
}

CHECK(step_info)
{
	pid_t pid = OK(traced(adds));
	siginfo_t info;

	EQ(next(pid, PTRACE_SINGLESTEP, 0), STOPPED(SIGTRAP));
	EQ(next(pid, PTRACE_SINGLESTEP, 0), STOPPED(SIGTRAP));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGTRAP);
	EQ(info.si_code, TRAP_TRACE);
	EQ((uintptr_t)info.si_addr, pc_of(pid));
	EQ(next(pid, PTRACE_CONT, 0), 7 << 8);
}

static void handler(int signal)
{
	handled = signal;
}

static void raises(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	_exit(handled);
}

/* A step with a signal ends at the handler's first instruction. */
CHECK(into_handler)
{
	pid_t pid = OK(traced(raises));

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_SINGLESTEP, SIGUSR1), STOPPED(SIGTRAP));
	EQ(pc_of(pid), start_of(handler));
	EQ(next(pid, PTRACE_CONT, 0), SIGUSR1 << 8);
}

/* New code where code was executed before. */
CHECK(poked_code)
{
	pid_t pid = OK(traced(adds));
	uintptr_t at = start_of(add);

	insert(pid, at);
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGTRAP));
#if ISA_BEHIND_BREAK
	registers r;
	OK(get_registers(pid, &r));
	PC(r) = at;
	OK(set_registers(pid, &r));
#endif
	OK(ptrace(PTRACE_POKETEXT, pid, at, ISA_RETURN_CODE));
	EQ(next(pid, PTRACE_CONT, 0), 0);
}

CHECK_MAIN
