// Requests of ptrace(2) as MIPS has them (arch/mips/kernel/ptrace.c, ptrace32.c; uapi/asm/ptrace.h): registers of 64 bits with
// all ABIs, floating point, the thread pointer.
// arches: mipsel mips mips64el mips64 mipsn32el mipsn32
// no-reference: qemu-user has no ptrace
#include "../ptrace/tracer.h"

#include <string.h>

#define GETREGS 12
#define SETREGS 13
#define GETFPREGS 14
#define SETFPREGS 15
#define GET_THREAD_AREA 25
/* Numbers for PTRACE_PEEKUSER. */
#define USER_FP 32
#define USER_CAUSE 65
#define USER_HI 67
#define USER_LO 68
#define USER_FCSR 69
#define USER_FIR 70

/* A register of NT_PRSTATUS. */
#if _MIPS_SIM == _ABIO32
#define WITH_SIGN(value) ((int64_t)(int32_t)(value))
#else
#define WITH_SIGN(value) ((int64_t)(value))
#endif

/* struct pt_regs */
struct whole {
	int64_t regs[32], lo, hi, epc, badvaddr, status, cause;
};

static double parts[2] = { 1.5, -7.25 };

/* Stops with known numbers in registers and takes them back into parts. */
static void holds_numbers(void)
{
	long self = getpid();
	register long number __asm__("$2") = SYS_kill;
	register long pid __asm__("$4") = self;
	register long stop __asm__("$5") = SIGSTOP;

	__asm__ volatile("ldc1 $f24, 0(%[parts])\n\t"
			 "ldc1 $f26, 8(%[parts])\n\t"
			 "li $8, -77\n\t"
			 "mthi $8\n\t"
			 "li $8, 1234\n\t"
			 "mtlo $8\n\t"
			 "syscall\n\t"
			 "sdc1 $f24, 0(%[parts])\n\t"
			 "sdc1 $f26, 8(%[parts])"
			 : "+r"(number)
			 : "r"(pid), "r"(stop), [parts] "r"(parts)
			 : "memory", "$7", "$8", "hi", "lo", "$f24", "$f25", "$f26", "$f27");
	_exit(parts[0] == 2.5 && parts[1] == 1e300 ? 0 : 1);
}

static long word_at(pid_t pid, unsigned long where)
{
	errno = 0;
	return ptrace(PTRACE_PEEKUSER, pid, (void *)where, 0);
}

static uint64_t bits(double number)
{
	uint64_t found;

	memcpy(&found, &number, sizeof(found));
	return found;
}

static pid_t holding(void)
{
	pid_t pid = OK(traced(holds_numbers));

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSTOP));
	return pid;
}

CHECK(whole_registers)
{
	pid_t pid = OK(holding());
	struct whole all, again;
	registers r;
	int n;

	OK(get_registers(pid, &r));
	memset(&all, 0x55, sizeof(all));
	OK(ptrace(GETREGS, pid, 0, &all));
	for (n = 0; n < 32; n++) {
		EQ(all.regs[n], WITH_SIGN(r.gregs[ISA_EF_R0 + n]));
		EQ(word_at(pid, n), (long)all.regs[n]);
	}
	EQ(all.hi, -77);
	EQ(all.lo, 1234);
	EQ(word_at(pid, USER_HI), -77);
	EQ(word_at(pid, USER_LO), 1234);
	EQ(all.epc, WITH_SIGN(PC(r)));
	EQ(word_at(pid, USER_CAUSE), (long)all.cause);
	all.regs[16] = -3;
	all.lo = 0x12345678;
	OK(ptrace(SETREGS, pid, 0, &all));
	OK(ptrace(GETREGS, pid, 0, &again));
	EQ(again.regs[16], -3);
	EQ(again.lo, 0x12345678);
	OK(get_registers(pid, &r));
	EQ((long)r.gregs[ISA_EF_R0 + 16], -3);
	OK(ptrace(PTRACE_POKEUSER, pid, (void *)17, (void *)-9));
	EQ(word_at(pid, 17), -9);
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)USER_CAUSE, 0), EIO);
	ERR(ptrace(PTRACE_POKEUSER, pid, (void *)USER_FIR, 0), EIO);
	ERR(ptrace(GETREGS, pid, 0, 8), EFAULT);
	finish(pid);
}

CHECK(floating_point)
{
	pid_t pid = OK(holding());
	/* FCSR and FIR are the last two words. */
	union {
		uint64_t fp[33];
		uint32_t words[66];
	} all, set;
	struct iovec part = { &set, sizeof(set) };

	OK(ptrace(GETFPREGS, pid, 0, &all));
	EQ(all.fp[24], bits(1.5));
	EQ(all.fp[26], bits(-7.25));
	EQ(all.words[64], (uint32_t)word_at(pid, USER_FCSR));
	EQ(all.words[65], (uint32_t)word_at(pid, USER_FIR));
	TRUE(all.words[65] != 0);
	OK(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRFPREG, &part));
	EQ(part.iov_len, sizeof(set));
	MEMEQ(&all, &set, sizeof(set));
	EQ(word_at(pid, USER_FP + 24), (long)bits(1.5));
#if _MIPS_SIM == _ABIO32
	/* The odd one is the upper half. */
	EQ(word_at(pid, USER_FP + 25), (long)(bits(1.5) >> 32));
	OK(ptrace(PTRACE_POKEUSER, pid, (void *)(USER_FP + 25), (void *)(long)(bits(2.5) >> 32)));
#elif _MIPS_SIM == _ABI64
	OK(ptrace(PTRACE_POKEUSER, pid, (void *)(USER_FP + 24), (void *)bits(2.5)));
#else
	all.fp[24] = bits(2.5);
	OK(ptrace(SETFPREGS, pid, 0, &all));
#endif
	OK(ptrace(GETFPREGS, pid, 0, &all));
	EQ(all.fp[24], bits(2.5));
	EQ(all.fp[26], bits(-7.25));
	all.fp[26] = bits(1e300);
	OK(ptrace(SETFPREGS, pid, 0, &all));
	EQ(next(pid, PTRACE_CONT, 0), 0);
}

CHECK(thread_pointer)
{
	pid_t pid = OK(holding());
	long found = 0;

	OK(ptrace(GET_THREAD_AREA, pid, 0, &found));
	EQ(found, (long)__builtin_thread_pointer());
	ERR(ptrace(GET_THREAD_AREA, pid, 0, 8), EFAULT);
	finish(pid);
}

/* The number of a call is in v0, and whatever request stores there changes it. */
CHECK(changed_call)
{
	pid_t pid = OK(holding());
	struct whole all;

	EQ(next(pid, PTRACE_SYSCALL, 0), STOPPED(SIGTRAP));
	EQ(word_at(pid, 2), SYS_exit_group);
	OK(ptrace(GETREGS, pid, 0, &all));
	all.regs[2] = SYS_getppid;
	OK(ptrace(SETREGS, pid, 0, &all));
	EQ(next(pid, PTRACE_SYSCALL, 0), STOPPED(SIGTRAP));
	EQ(word_at(pid, 2), getpid());
	EQ(word_at(pid, 7), 0);
	finish(pid);
}

CHECK_MAIN
