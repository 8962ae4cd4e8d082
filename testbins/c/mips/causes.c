// FCSR's causes right behind a conversion: V8 asks them whether a number fits into an integer.
// arches: mipsel mips mips64el mips64 mipsn32 mipsn32el
#include "../check.h"
#include <signal.h>
#include <ucontext.h>

/* Causes are at bit 12, flags at bit 2: inexact first, invalid last. */
enum { I = 1, V = 16 };

#define CAUSES(fcsr) ((fcsr) >> 12 & 0x3f)

/* FCSR behind one instruction, and the result's low word. */
#define BEHIND(instruction, a)                                                                \
	({                                                                                       \
		unsigned old, fcsr;                                                              \
		double result_, a_ = (a);                                                        \
		__asm__ volatile("cfc1 %0, $31\n\tctc1 $0, $31\n\t" instruction                  \
				 "\n\tmfc1 %1, %2\n\tcfc1 %1, $31\n\tctc1 %0, $31"               \
				 : "=&r"(old), "=&r"(fcsr), "=&f"(result_)                       \
				 : "f"(a_));                                                      \
		fcsr;                                                                            \
	})

#define TRUNC "trunc.w.d %2, %3"

CHECK(conversions)
{
	EQ(CAUSES(BEHIND(TRUNC, 7.0)), 0);
	EQ(CAUSES(BEHIND(TRUNC, 7.5)), I);
	EQ(CAUSES(BEHIND(TRUNC, 3e9)), V);
	EQ(CAUSES(BEHIND(TRUNC, -1.0 / 0.0)), V);
	EQ(CAUSES(BEHIND(TRUNC, __builtin_nan(""))), V);
	/* Each time anew. */
	EQ(CAUSES(BEHIND(TRUNC, 7.0)), 0);
}

/* Without a CTC1, as V8 has it: only the last operation's causes, whatever the flags are. */
#define CONVERTED(instruction, a)                                                        \
	({                                                                               \
		unsigned fcsr;                                                           \
		double result_, a_ = (a);                                                \
		__asm__ volatile("add.d %1, %2, %2\n\t" instruction                      \
				 "\n\tmfc1 %0, %1\n\tcfc1 %0, $31"                       \
				 : "=&r"(fcsr), "=&f"(result_)                           \
				 : "f"(a_));                                             \
		fcsr;                                                                    \
	})

CHECK(without_clearing)
{
	for (int i = 0; i < 2; i++) {
		EQ(CAUSES(CONVERTED("trunc.w.d %1, %2", __builtin_nan(""))), V);
		EQ(CAUSES(CONVERTED("trunc.w.d %1, %2", 7.0)), 0);
		EQ(CAUSES(CONVERTED("trunc.w.d %1, %2", 7.25)), I);
		EQ(CAUSES(CONVERTED("cvt.w.d %1, %2", -3e9)), V);
		EQ(CAUSES(CONVERTED("floor.w.d %1, %2", -2147483648.5)), V);
		EQ(CAUSES(CONVERTED("ceil.w.d %1, %2", -2147483648.5)), I);
		EQ(CAUSES(CONVERTED("round.w.d %1, %2", 2147483647.25)), I);
#if __mips >= 64 || __mips == 3 || defined(__mips64)
		EQ(CAUSES(CONVERTED("trunc.l.d %1, %2", 3e9)), 0);
		EQ(CAUSES(CONVERTED("trunc.l.d %1, %2", 1e19)), V);
#endif
	}
	/* From the converted register into itself. */
	EQ(CAUSES(CONVERTED("mov.d %1, %2\n\ttrunc.w.d %1, %1", 1e10)), V);
}

/* Nothing is done between them: what was written is read. */
CHECK(as_written)
{
	unsigned old, fcsr, want = V << 12 | I << 2;

	__asm__ volatile("cfc1 %0, $31\n\tctc1 %2, $31\n\tcfc1 %1, $31\n\tctc1 %0, $31"
			 : "=&r"(old), "=&r"(fcsr) : "r"(want));
	EQ(fcsr & 0x3f07c, want);
}

static void handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	volatile double three = 3, one = 1;

	(void)signal;
	(void)info;
	__asm__ volatile("ctc1 $0, $31");
	one = one / three;
	user->uc_mcontext.pc += 4;
}

/* A handler's own operations leave those that it interrupted. */
CHECK(over_a_signal)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	double result, big = 3e9;
	unsigned fcsr;

	OK(sigaction(SIGTRAP, &action, NULL));
	__asm__ volatile("ctc1 $0, $31\n\ttrunc.w.d %1, %2\n\tteq $0, $0\n\tcfc1 %0, $31"
			 : "=&r"(fcsr), "=&f"(result) : "f"(big) : "memory");
	EQ(CAUSES(fcsr), V);
}

CHECK_MAIN
