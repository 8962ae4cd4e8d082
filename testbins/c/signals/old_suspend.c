// sigsuspend(2) as it was before rt_sigsuspend(2), which 32-bit kernels of old ISAs still have: the mask by value, in the first
// or the third argument, or (MIPS) a pointer to it.
#include "../check.h"

#include <signal.h>
#include <sys/syscall.h>

static volatile int got;

static void handler(int number)
{
	got = number;
}

#if defined(SYS_sigsuspend) && !defined(__aarch64__)
#if defined(__mips__)
#define SUSPEND(mask) ((unsigned long[4]){ (mask), 0, 0, 0 })
#elif defined(__powerpc__)
#define SUSPEND(mask) (unsigned long)(mask)
#else
#define SUSPEND(mask) 0, 0, (unsigned long)(mask)
#endif

static void block(int how, int first, int second)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, first);
	sigaddset(&set, second);
	OK(sigprocmask(how, &set, NULL));
}

CHECK(suspends)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t now;

	OK(sigaction(SIGUSR1, &action, NULL));
	OK(sigaction(SIGUSR2, &action, NULL));
	block(SIG_BLOCK, SIGUSR1, SIGUSR2);
	OK(raise(SIGUSR1));
	OK(raise(SIGUSR2));
	/* All but SIGUSR2. */
	got = 0;
	ERR(syscall(SYS_sigsuspend, SUSPEND(~(1ul << (SIGUSR2 - 1)))), EINTR);
	EQ(got, SIGUSR2);
	got = 0;
	ERR(syscall(SYS_sigsuspend, SUSPEND(1ul << (SIGUSR2 - 1))), EINTR);
	EQ(got, SIGUSR1);
	/* The mask is as before. */
	OK(sigprocmask(SIG_BLOCK, NULL, &now));
	TRUE(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
#ifdef __mips__
	ERR(syscall(SYS_sigsuspend, 8), EFAULT);
#endif
}
#else
CHECK(no_such_call)
{
	handler(0);
}
#endif

CHECK_MAIN
