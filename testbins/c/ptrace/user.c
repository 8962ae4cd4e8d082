// PTRACE_PEEKUSER and POKEUSER: single words of a tracee's registers, where the kernel has these requests.
// no-reference: qemu-user has no ptrace
#include "tracer.h"

#ifdef __i386__
#include <asm/ldt.h>
#endif

static void waits(void)
{
	for (;;)
		pause();
}

static long word_at(pid_t pid, unsigned long where)
{
	errno = 0;
	return ptrace(PTRACE_PEEKUSER, pid, (void *)where, 0);
}

#ifdef ISA_USER_SP
CHECK(words)
{
	pid_t pid = OK(traced(waits));
	registers before, after;

	OK(get_registers(pid, &before));
	EQ(word_at(pid, ISA_USER_SP), (long)SP(before));
	EQ(errno, 0);
	EQ(word_at(pid, ISA_USER_PC), (long)PC(before));
	EQ(errno, 0);
	OK(ptrace(PTRACE_POKEUSER, pid, (void *)(long)ISA_USER_SP, (void *)(long)(SP(before) - 64)));
	EQ(word_at(pid, ISA_USER_SP), (long)SP(before) - 64);
	OK(get_registers(pid, &after));
	EQ(SP(after), SP(before) - 64);
	/* And nothing else. */
	SP(after) = SP(before);
	MEMEQ(&before, &after, sizeof(before));
	OK(set_registers(pid, &before));
	EQ(word_at(pid, ISA_USER_SP), (long)SP(before));
	finish(pid);
}

CHECK(no_such_word)
{
	pid_t pid = OK(traced(waits));

	EQ(word_at(pid, ISA_USER_END), -1);
	EQ(errno, EIO);
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)ISA_USER_END, 0), EIO);
#if defined(__x86_64__) || defined(__i386__)
	/* Of debug registers there are no 4 and 5. */
	unsigned long last = offsetof(struct user, u_debugreg) + 7 * sizeof(long);

	OK(ptrace(PTRACE_POKEUSER, pid, (void *)last, 0));
	EQ(word_at(pid, last), 0);
	EQ(errno, 0);
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)(last - 3 * sizeof(long)), 0), EIO);
	EQ(word_at(pid, sizeof(registers)), 0);
	EQ(errno, 0);
#ifdef __x86_64__
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)sizeof(registers), 0), EIO);
#else
	OK(ptrace(PTRACE_POKEUSER, pid, (void *)sizeof(registers), 0));
#endif
#endif
#ifdef __m68k__
	/* Between the general registers and those of floating point (regno 19 and 20). */
	EQ(word_at(pid, 19 * 4), -1);
	EQ(errno, EIO);
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)(20 * 4), 0), EIO);
#endif
	EQ(word_at(pid, -8ul), -1);
	EQ(errno, EIO);
#ifndef __mips__
	EQ(word_at(pid, ISA_USER_SP + 1), -1);
	EQ(errno, EIO);
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)(ISA_USER_SP + 1ul), 0), EIO);
#endif
	/* A word in the tracer's memory: glibc's ptrace() takes it from there. */
	ERR(syscall(SYS_ptrace, PTRACE_PEEKUSER, pid, ISA_USER_SP, 8), EFAULT);
	finish(pid);
}
#ifdef __m68k__
/* PTRACE_GETREGS has one word less than NT_PRSTATUS. */
CHECK(all_registers)
{
	pid_t pid = OK(traced(waits));
	registers r;
	unsigned long all[20];

	OK(get_registers(pid, &r));
	all[19] = 0x5a5a5a5a;
	OK(ptrace(PTRACE_GETREGS, pid, 0, all));
	MEMEQ(all, &r, 19 * sizeof(long));
	EQ(all[19], 0x5a5a5a5a);
	all[3] = 1234;
	OK(ptrace(PTRACE_SETREGS, pid, 0, all));
	OK(get_registers(pid, &r));
	EQ(r.gregs[3], 1234);
	EQ(r.gregs[18], all[18]);
	finish(pid);
}
#endif
#ifdef __i386__
/* Descriptors of set_thread_area(2); a C library has its thread pointer in one. */
CHECK(thread_areas)
{
	pid_t pid = OK(traced(waits));
	struct user_desc own = {}, its, all[3], again;
	struct iovec part = { all, sizeof(all) };
	unsigned short selector;
	int entry, n, found = 0;

	__asm__("mov %%gs, %0" : "=r"(selector));
	entry = selector >> 3;
	own.entry_number = entry;
	OK(syscall(SYS_get_thread_area, &own));
	OK(ptrace(PTRACE_GET_THREAD_AREA, pid, entry, &its));
	MEMEQ(&its, &own, sizeof(own));
	OK(ptrace(PTRACE_GETREGSET, pid, (void *)NT_386_TLS, &part));
	EQ(part.iov_len, sizeof(all));
	for (n = 0; n < 3; n++)
		found += memcmp(&all[n], &own, sizeof(own)) == 0;
	EQ(found, 1);
	its.base_addr += 64;
	OK(ptrace(PTRACE_SET_THREAD_AREA, pid, entry, &its));
	OK(ptrace(PTRACE_GET_THREAD_AREA, pid, entry, &again));
	MEMEQ(&its, &again, sizeof(its));
	OK(ptrace(PTRACE_SETREGSET, pid, (void *)NT_386_TLS, &part));
	OK(ptrace(PTRACE_GET_THREAD_AREA, pid, entry, &again));
	MEMEQ(&own, &again, sizeof(its));
	its.seg_32bit = 0;
	ERR(ptrace(PTRACE_SET_THREAD_AREA, pid, entry, &its), EINVAL);
	ERR(ptrace(PTRACE_GET_THREAD_AREA, pid, 1, &again), EINVAL);
	ERR(ptrace(PTRACE_GET_THREAD_AREA, pid, -1, &again), EIO);
	ERR(ptrace(PTRACE_GET_THREAD_AREA, pid, entry, 8), EFAULT);
	part.iov_len = 15;
	ERR(ptrace(PTRACE_GETREGSET, pid, (void *)NT_386_TLS, &part), EINVAL);
	finish(pid);
}
#endif
#else
CHECK(no_such_request)
{
	pid_t pid = OK(traced(waits));

	EQ(word_at(pid, 0), -1);
	EQ(errno, EIO);
	ERR(ptrace(PTRACE_POKEUSER, pid, 0, 0), EIO);
	finish(pid);
}
#endif

CHECK_MAIN
