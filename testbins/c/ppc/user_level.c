// What the machine and the kernel show a PowerPC program: registers in both kinds of frames, contexts, exceptions of
// floating point, instructions that the kernel carries out, unwinding.
// arches: ppc
// libs: -lm
// no-reference: qemu 7.2 has no mffsl, which this C library uses
#include "../check.h"
#include "../isa.h"

#include <asm/cputable.h>
#include <fenv.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unwind.h>

static void catches(int signal, void *handler, int flags)
{
	struct sigaction action = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		action.sa_sigaction = handler;
	else
		action.sa_handler = handler;
	OK(sigaction(signal, &action, NULL));
}

CHECK(cache_lines)
{
	/* DCBZ clears as much as the vector says. */
	static unsigned char area[128] __attribute__((aligned(128)));
	unsigned long size = getauxval(AT_DCACHEBSIZE), cleared = 0;

	EQ(getauxval(AT_ICACHEBSIZE), size);
	memset(area, 0xff, sizeof(area));
	__asm__ volatile("dcbz 0, %0" : : "r"(area) : "memory");
	for (int i = 0; i < COUNT(area); i++)
		cleared += area[i] == 0;
	EQ(cleared, size);
	EQ(area[0], 0);
}

CHECK(carried_out_by_the_kernel)
{
	unsigned version = 0, counts, picked;

	__asm__ volatile("mfspr %0, 287" : "=r"(version));
	TRUE(version != 0);
	/* popcntb and isel: this compiler's assembler has them for other processors only. */
	register unsigned value __asm__("r9") = 0xff017f00, result __asm__("r10");
	__asm__ volatile(".long 0x7d2a00f4" : "=r"(result) : "r"(value)); /* popcntb 10, 9 */
	counts = result;
	EQ(counts, 0x08010700);
	register unsigned one __asm__("r11") = 1, two __asm__("r12") = 2;
	__asm__ volatile("cmpw %1, %2\n\t.long 0x7d4b601e" /* isel 10, 11, 12, lt */
			 : "=r"(result) : "r"(one), "r"(two) : "cr0");
	picked = result;
	EQ(picked, 1);
}

static volatile int number, code;
static void *volatile address;

static void skips(int signal, siginfo_t *info, void *context)
{
	number = signal;
	code = info->si_code;
	address = info->si_addr;
	ISA_SET_PC(ISA_MCONTEXT(context), ISA_FAULT_PC(ISA_MCONTEXT(context)) + 4);
}

CHECK(misaligned_reservations)
{
	static unsigned long words[4];
	void *odd = (char *)words + 2;
	unsigned long loaded = 7;

	catches(SIGBUS, skips, SA_SIGINFO);
	__asm__ volatile("lwarx %0, 0, %1" : "+r"(loaded) : "r"(odd) : "memory");
	EQ(number, SIGBUS);
	EQ(code, BUS_ADRALN);
	TRUE(address == odd);
	EQ(loaded, 7);
}

CHECK(privileged)
{
	catches(SIGILL, skips, SA_SIGINFO);
	__asm__ volatile("mfmsr 9" : : : "r9");
	EQ(number, SIGILL);
	EQ(code, ILL_PRVOPC);
}

/* PR_SET_FPEXC is what feenableexcept(3) calls. */
CHECK(floating_point_exceptions)
{
	volatile double zero = 0, one = 1, huge = 1e308, x;
	int mode = -1;

	OK(prctl(PR_GET_FPEXC, &mode));
	EQ(mode, PR_FP_EXC_DISABLED);
	ERR(prctl(PR_SET_FPEXC, 4), EINVAL);
	ERR(prctl(PR_SET_FPEXC, PR_FP_EXC_SW_ENABLE | PR_FP_EXC_DIV), EINVAL);
	ERR(prctl(PR_GET_FPEXC, (void *)8), EFAULT);
	catches(SIGFPE, skips, SA_SIGINFO);
	TRUE(feenableexcept(FE_DIVBYZERO) != -1);
	OK(prctl(PR_GET_FPEXC, &mode));
	EQ(mode, PR_FP_EXC_PRECISE);
	x = one / zero;
	EQ(number, SIGFPE);
	EQ(code, FPE_FLTDIV);
	fedisableexcept(FE_ALL_EXCEPT);
	feclearexcept(FE_ALL_EXCEPT);
	number = 0;
	x = one / zero;
	EQ(number, 0);
	TRUE(x > huge);
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_OVERFLOW);
	x = huge * huge;
	EQ(code, FPE_FLTOVF);
	fedisableexcept(FE_ALL_EXCEPT);
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_INVALID);
	x = zero / zero;
	EQ(code, FPE_FLTINV);
	fedisableexcept(FE_ALL_EXCEPT);
	OK(prctl(PR_SET_FPEXC, PR_FP_EXC_DISABLED));
	OK(prctl(PR_GET_FPEXC, &mode));
	EQ(mode, PR_FP_EXC_DISABLED);
}

/* The handler without siginfo gets a struct sigcontext, which points to the registers. */
struct old_context {
	unsigned long unused[4];
	int signal;
	unsigned long handler, mask;
	unsigned long *registers;
};

static volatile unsigned long seen[2];

static void edits(int signal, struct old_context *context)
{
	number = signal;
	EQ(context->signal, signal);
	EQ(context->handler, (unsigned long)edits);
	seen[0] = context->mask;
	seen[1] = context->unused[3];
	if (context->registers[20] == 2020)
		context->registers[20] = 4040;
	context->registers[PT_XER] |= 0x40000000; /* OV */
	context->mask |= 1 << (SIGUSR2 - 1);
	context->unused[3] |= 1 << (45 - 33);
}

CHECK(old_frame)
{
	register unsigned long r20 __asm__("r20") = 2020;
	unsigned long xer;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, 40);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
	catches(SIGUSR1, edits, 0);
	long self = getpid();
	register long r0 __asm__("r0") = SYS_kill;
	register long r3 __asm__("r3") = self;
	register long r4 __asm__("r4") = SIGUSR1;
	__asm__ volatile("li 9, 0\n\tmtxer 9\n\tsc\n\tmfxer %0"
			 : "=r"(xer), "+r"(r20), "+r"(r0), "+r"(r3), "+r"(r4)
			 : : "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cr0", "ctr", "xer", "memory");
	EQ(number, SIGUSR1);
	EQ(r20, 4040);
	EQ(xer & 0x40000000, 0x40000000);
	EQ(seen[0], 1 << (SIGHUP - 1));
	EQ(seen[1], 1 << (40 - 33));
	OK(sigprocmask(SIG_SETMASK, NULL, &set));
	TRUE(sigismember(&set, SIGUSR2) && sigismember(&set, 45));
	TRUE(sigismember(&set, SIGHUP) && sigismember(&set, 40));
}

static void turns(int signal, siginfo_t *info, void *context)
{
	vrregset_t *v = &ISA_MCONTEXT(context)->vrregs;

	(void)info;
	number = signal;
	seen[0] = ISA_MCONTEXT(context)->gregs[PT_MSR] & 1 << 25;
	seen[1] = v->vrregs[5][3];
	v->vrregs[5][0] = 99;
	/* The handler's own. */
	__asm__ volatile(".machine push\n\t.machine altivec\n\tvspltisw 5, 3\n\tvspltisw 6, 3\n\t.machine pop");
}

CHECK(vectors_in_frames)
{
	static unsigned got[8] __attribute__((aligned(16)));

	if (!(getauxval(AT_HWCAP) & PPC_FEATURE_HAS_ALTIVEC))
		NA("no AltiVec");
	catches(SIGUSR1, turns, SA_SIGINFO);
	long self = getpid();
	register long r0 __asm__("r0") = SYS_kill;
	register long r3 __asm__("r3") = self;
	register long r4 __asm__("r4") = SIGUSR1;
	__asm__ volatile(".machine push\n\t.machine altivec\n\tvspltisw 5, 7\n\tvspltisw 6, 8\n\tsc\n\t"
			 "stvx 5, 0, %3\n\tstvx 6, 0, %4\n\t.machine pop"
			 : "+r"(r0), "+r"(r3), "+r"(r4)
			 : "r"(got), "r"(got + 4)
			 : "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cr0", "ctr", "memory");
	EQ(number, SIGUSR1);
	EQ(seen[0], 1 << 25);
	EQ(seen[1], 7);
	EQ(got[0], 99);
	EQ(got[1], 7);
	EQ(got[4], 8);
	EQ(got[7], 8);
}

/* swapcontext(2), which the C library has in getcontext(3) and its like. */
CHECK(contexts)
{
	static ucontext_t here;
	static volatile int rounds;
	sigset_t set;

	ERR(syscall(SYS_swapcontext, &here, NULL, 100), EINVAL);
	ERR(syscall(SYS_swapcontext, (void *)8, NULL, sizeof(ucontext_t)), EFAULT);
	ERR(syscall(SYS_swapcontext, NULL, (void *)8, sizeof(ucontext_t)), EFAULT);
	EQ(syscall(SYS_swapcontext, NULL, NULL, sizeof(ucontext_t)), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, 50);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
	rounds = 0;
	OK(getcontext(&here));
	TRUE(here.uc_mcontext.uc_regs != NULL);
	TRUE(sigismember(&here.uc_sigmask, SIGUSR2) && sigismember(&here.uc_sigmask, 50));
	sigemptyset(&set);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
	if (rounds++ == 0) {
		setcontext(&here);
		FAIL("setcontext has returned");
	}
	EQ(rounds, 2);
	OK(sigprocmask(SIG_SETMASK, NULL, &set));
	EQ(sigismember(&set, SIGUSR2), 0);
}

static volatile int frames, found;

static _Unwind_Reason_Code counts(struct _Unwind_Context *context, void *wanted)
{
	unsigned long pc = _Unwind_GetIP(context);

	frames++;
	if (pc >= (unsigned long)wanted && pc < (unsigned long)wanted + 400)
		found = 1;
	return _URC_NO_REASON;
}

static void raises(void *handler, int flags);

static void walks(int signal)
{
	number = signal;
	_Unwind_Backtrace(counts, (void *)raises);
}

static __attribute__((noinline)) void raises(void *handler, int flags)
{
	catches(SIGUSR1, handler, flags);
	frames = found = 0;
	OK(raise(SIGUSR1));
}

CHECK(unwinding)
{
	raises(walks, 0);
	TRUE(frames > 3);
	EQ(found, 1);
	raises(walks, SA_SIGINFO);
	TRUE(frames > 3);
	EQ(found, 1);
}

CHECK_MAIN
