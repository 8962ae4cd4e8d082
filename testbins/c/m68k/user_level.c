// What Linux makes of exceptions (arch/m68k/kernel/traps.c), both forms of frames, and the calls that only m68k has.
// arches: m68k
#include "../check.h"

#include <asm/cachectl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static volatile int signal_number, code, calls;
static volatile uintptr_t address, pc;

static void handler(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	calls++;
	signal_number = number;
	code = info->si_code;
	address = (uintptr_t)info->si_addr;
	pc = u->uc_mcontext.gregs[16];
	/* An instruction that is to be made again is stepped over: those here have two bytes. */
	if (number == SIGILL && (code == ILL_ILLOPC || code == ILL_PRVOPC))
		u->uc_mcontext.gregs[16] += 2;
}

static void catch(int number)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	OK(sigaction(number, &action, NULL));
}

/* Runs code with a label on the trapping instruction and one behind it. */
#define TRAP(before, trapping)                                                       \
	({                                                                           \
		static uintptr_t at_, behind_;                                       \
		__asm__ volatile("move.l #1f, %0\n\tmove.l #2f, %1\n\t" before "\n"  \
				 "1:\t" trapping "\n2:"                              \
				 : "=m"(at_), "=m"(behind_)                          \
				 :                                                   \
				 : "d0", "d1", "d2", "cc", "memory");                \
		at = at_;                                                            \
		behind = behind_;                                                    \
	})
#define IS(number, why, where, next)           \
	do {                                   \
		EQ(signal_number, number);     \
		EQ(code, why);                 \
		EQ(address, (uintptr_t)where); \
		EQ(pc, (uintptr_t)next);       \
	} while (0)

static uintptr_t at, behind;

CHECK(arithmetic_traps)
{
	catch(SIGFPE);
	TRAP("moveq #7, %%d0; clr.l %%d1", "divu.w %%d1, %%d0");
	IS(SIGFPE, FPE_INTDIV, at, behind);
	TRAP("moveq #7, %%d0", "divs.l #0, %%d0");
	IS(SIGFPE, FPE_INTDIV, at, behind);
	TRAP("moveq #-1, %%d0", "chk.w #1, %%d0");
	IS(SIGFPE, FPE_INTOVF, at, behind);
	TRAP("move.w #2, %%ccr", "trapv");
	IS(SIGFPE, FPE_INTOVF, at, behind);
	/* (TRAPcc is executed as Scc by Unicorn and qemu.) */
	int before = calls;
	TRAP("move.w #0, %%ccr", "trapv");
	EQ(calls, before);
}

CHECK(illegal_instructions)
{
	catch(SIGILL);
	TRAP("", "illegal");
	IS(SIGILL, ILL_ILLOPC, at, at);
	TRAP("", ".short 0xa123");
	IS(SIGILL, ILL_ILLOPC, at, at);
	TRAP("", "rte");
	IS(SIGILL, ILL_PRVOPC, at, at);
	/* What a program asks for is told of by what is behind it. */
	TRAP("", "trap #1");
	IS(SIGILL, ILL_ILLTRP, behind, behind);
	TRAP("", "trap #14");
	IS(SIGILL, ILL_ILLTRP, behind, behind);
	catch(SIGTRAP);
	TRAP("", "trap #15");
	IS(SIGTRAP, TRAP_BRKPT, behind, behind);
}

CHECK(control_register_by_a_number)
{
	unsigned before, now;

	__asm__ volatile("fmove.l %%fpcr, %0\n\tfmove.l #0x20, %%fpcr\n\tfmove.l %%fpcr, %1\n\tfmove.l %0, %%fpcr"
			 : "=&d"(before), "=&d"(now));
	EQ(now, 0x20);
}

static void changes_everything(int number)
{
	(void)number;
	calls++;
	__asm__ volatile("moveq #1, %%d0; moveq #2, %%d1; move.l #3, %%a0; move.l #4, %%a1\n\t"
			 "fmove.l #77, %%fp0; fmove.l #78, %%fp1; move.w #31, %%ccr"
			 ::: "d0", "d1", "a0", "a1", "fp0", "fp1", "cc");
}

CHECK(frame_without_siginfo)
{
	struct sigaction action = { .sa_handler = changes_everything };
	unsigned d0, d1, a0, a1, status;
	double fp0, fp1;
	long pid = getpid();

	OK(sigaction(SIGUSR1, &action, NULL));
	calls = 0;
	/* kill(2) of this very process: the signal comes before the call is back. */
	__asm__ volatile("fmove.l #5, %%fp0; fmove.l #6, %%fp1; move.l #0x1234, %%a1\n\t"
			 "moveq #37, %%d0; move.l %7, %%d1; moveq #10, %%d2; move.l #0x5678, %%a0\n\t"
			 "trap #0\n\t"
			 "move.l %%d0, %0; move.l %%d1, %1; move.l %%a0, %2; move.l %%a1, %3\n\t"
			 "fmove.d %%fp0, %4; fmove.d %%fp1, %5; clr.l %6"
			 : "=m"(d0), "=m"(d1), "=m"(a0), "=m"(a1), "=m"(fp0), "=m"(fp1), "=m"(status)
			 : "m"(pid)
			 : "d0", "d1", "d2", "a0", "a1", "fp0", "fp1", "cc", "memory");
	EQ(calls, 1);
	EQ(d0, 0);
	EQ(d1, pid);
	EQ(a0, 0x5678);
	EQ(a1, 0x1234);
	EQ(fp0, 5);
	EQ(fp1, 6);
}

static void edits(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)number, (void)info;
	EQ(u->uc_mcontext.version, 2);
	EQ(u->uc_mcontext.gregs[3], 33);
	/* d3, and fp2 of 96 bits: 1.5 becomes 3 by its exponent. */
	u->uc_mcontext.gregs[3] = 44;
	EQ(u->uc_mcontext.fpregs.f_fpregs[2][0], 0x3fff0000);
	EQ(u->uc_mcontext.fpregs.f_fpregs[2][1], (int)0xc0000000);
	u->uc_mcontext.fpregs.f_fpregs[2][0] = 0x40000000;
}

CHECK(registers_in_a_frame)
{
	struct sigaction action = { .sa_sigaction = edits, .sa_flags = SA_SIGINFO };
	double given = 1.5, taken;
	int number;
	long pid = getpid();

	OK(sigaction(SIGUSR1, &action, NULL));
	__asm__ volatile("fmove.d %2, %%fp2; moveq #33, %%d3\n\t"
			 "moveq #37, %%d0; move.l %3, %%d1; moveq #10, %%d2; trap #0\n\t"
			 "fmove.d %%fp2, %0; move.l %%d3, %1"
			 : "=m"(taken), "=m"(number)
			 : "m"(given), "m"(pid)
			 : "d0", "d1", "d2", "d3", "fp2", "cc", "memory");
	EQ(number, 44);
	EQ(taken, 3);
}

static int word __attribute__((aligned(4)));

static int compare_exchange(int *at, int old, int new)
{
	register int d0 __asm__("d0") = __NR_atomic_cmpxchg_32;
	register int d1 __asm__("d1") = new;
	register int d2 __asm__("d2") = old;
	register int *a0 __asm__("a0") = at;

	__asm__ volatile("trap #0" : "+d"(d0) : "d"(d1), "d"(d2), "a"(a0) : "memory", "cc");
	return d0;
}

CHECK(own_calls)
{
	word = 5;
	EQ(compare_exchange(&word, 4, 9), 5);
	EQ(word, 5);
	EQ(compare_exchange(&word, 5, -7), 5);
	EQ(word, -7);
	EQ(compare_exchange(&word, -7, 1), -7);
	EQ(word, 1);
	OK(syscall(__NR_atomic_barrier));
	EQ(syscall(__NR_getpagesize), 4096);
	char *before = (char *)syscall(__NR_get_thread_area);
	OK(syscall(__NR_set_thread_area, before));
	TRUE((char *)syscall(__NR_get_thread_area) == before);
	OK(syscall(__NR_cacheflush, &word, FLUSH_SCOPE_LINE, FLUSH_CACHE_BOTH, 4));
	OK(syscall(__NR_cacheflush, &word, FLUSH_SCOPE_PAGE, FLUSH_CACHE_INSN, 4));
	ERR(syscall(__NR_cacheflush, &word, 0, FLUSH_CACHE_BOTH, 4), EINVAL);
	ERR(syscall(__NR_cacheflush, &word, FLUSH_SCOPE_ALL + 1, FLUSH_CACHE_BOTH, 4), EINVAL);
	ERR(syscall(__NR_cacheflush, &word, FLUSH_SCOPE_LINE, 4, 4), EINVAL);
	ERR(syscall(__NR_cacheflush, check_unmapped(), FLUSH_SCOPE_LINE, FLUSH_CACHE_BOTH, 4), EINVAL);
}

static sigjmp_buf back;

static void jump(int number, siginfo_t *info, void *context)
{
	(void)context;
	signal_number = number;
	code = info->si_code;
	address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

/* The si_code of the SIGSEGV that the call raises. */
static int fault_of(int *at)
{
	signal_number = code = 0;
	if (sigsetjmp(back, 1) == 0)
		compare_exchange(at, 0, 1);
	EQ(signal_number, SIGSEGV);
	EQ(address, (uintptr_t)at);
	return code;
}

/* A word that cannot be written is a fault of the program's own (sys_m68k.c, `bad_access`). */
CHECK(compare_faults)
{
	struct sigaction action = { .sa_sigaction = jump, .sa_flags = SA_SIGINFO };
	char *page = check_unmapped();
	struct {
		short before;
		int word;
	} __attribute__((packed)) pair = { 1, 5 };

	OK(sigaction(SIGSEGV, &action, NULL));
	EQ(fault_of((int *)page), SEGV_MAPERR);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(page != MAP_FAILED);
	EQ(fault_of((int *)page), SEGV_ACCERR);
	/* Words are aligned to two. */
	int *odd = (int *)(void *)((char *)&pair + 2);
	EQ(compare_exchange(odd, 5, 6), 5);
	EQ(pair.word, 6);
	EQ(compare_exchange(odd, 5, 7), 6);
	EQ(pair.word, 6);
	EQ(pair.before, 1);
}

CHECK_MAIN
