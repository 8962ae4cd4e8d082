// MIPS has 128 signals (_NSIG of asm/signal.h): those behind 64 have actions, too.
// arches: mips mipsel mips64 mips64el mipsn32 mipsn32el
#include "check.h"

CHECK(actions)
{
	/* struct sigaction: flags, handler, 128 bits of mask. */
	struct {
		unsigned int flags;
		void (*handler)(int);
		raw_sigset mask;
	} set = { SA_RESTART, SIG_IGN, raw_set(0) }, got;

	for (int n = 1; n <= 128; n++)
		EQ(syscall(SYS_rt_sigaction, n, NULL, &got, SIGSET_SIZE), 0);
	OK(syscall(SYS_rt_sigaction, 128, &set, &got, SIGSET_SIZE));
	TRUE(got.handler == SIG_DFL);
	OK(syscall(SYS_rt_sigaction, 128, NULL, &got, SIGSET_SIZE));
	TRUE(got.handler == SIG_IGN);
	EQ(got.flags, SA_RESTART);
	OK(syscall(SYS_rt_sigaction, 65, NULL, &got, SIGSET_SIZE));
	TRUE(got.handler == SIG_DFL);
	ERR(syscall(SYS_rt_sigaction, 129, NULL, &got, SIGSET_SIZE), EINVAL);
	ERR(syscall(SYS_rt_sigaction, 0, NULL, &got, SIGSET_SIZE), EINVAL);
}

CHECK_MAIN
