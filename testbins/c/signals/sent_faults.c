// SIGSEGV, SIGBUS and SIGFPE that are sent, also with the siginfo_t of a fault.
#include "../check.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

static const int signals[] = { SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
static volatile int handled, order[8], codes[8];
static volatile uintptr_t address;
static sigjmp_buf back;

static void note(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (handled < COUNT(order)) {
		order[handled] = signal;
		codes[handled] = info->si_code;
		address = (uintptr_t)info->si_addr;
	}
	handled++;
}

static void leave(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	siglongjmp(back, 1);
}

static void act(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO;
	OK(sigaction(signal, &action, NULL));
}

static sigset_t set_of(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return set;
}

CHECK(blocked_then_unblocked)
{
	sigset_t all, before, pending;

	sigfillset(&all);
	for (int i = 0; i < COUNT(signals); i++) {
		act(signals[i], note);
		handled = 0;
		OK(sigprocmask(SIG_SETMASK, &all, &before));
		OK(kill(getpid(), signals[i]));
		OK(kill(getpid(), signals[i]));
		OK(sigpending(&pending));
		EQ(sigismember(&pending, signals[i]), 1);
		EQ(handled, 0);
		OK(sigprocmask(SIG_SETMASK, &before, NULL));
		EQ(handled, 1);
		EQ(order[0], signals[i]);
	}
}

CHECK(all_unblocked_together)
{
	sigset_t all, before;
	int seen = 0;

	sigfillset(&all);
	for (int round = 0; round < 100; round++) {
		handled = 0;
		OK(sigprocmask(SIG_SETMASK, &all, &before));
		for (int i = 0; i < COUNT(signals); i++) {
			act(signals[i], note);
			OK(raise(signals[i]));
		}
		OK(sigprocmask(SIG_SETMASK, &before, NULL));
		EQ(handled, COUNT(signals));
		seen = 0;
		for (int i = 0; i < COUNT(signals); i++)
			for (int k = 0; k < handled; k++)
				seen += order[k] == signals[i];
		EQ(seen, COUNT(signals));
	}
}

static void raise_more(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	if (handled < 3) {
		raise(SIGFPE);
		raise(SIGSEGV);
	}
}

CHECK(raised_in_a_handler)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = raise_more;
	action.sa_flags = SA_SIGINFO;
	sigfillset(&action.sa_mask);
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(sigaction(SIGFPE, &action, NULL));
	OK(sigaction(SIGSEGV, &action, NULL));
	handled = 0;
	OK(raise(SIGUSR1));
	/* USR1 raises two, the first of which raises both; one of each is pending. */
	EQ(handled, 4);
}

/* As crash reporters do that hand a fault on. */
CHECK(sent_as_a_fault)
{
	siginfo_t info;

	for (int i = 0; i < COUNT(signals); i++) {
		act(signals[i], note);
		handled = 0;
		memset(&info, 0, sizeof(info));
		info.si_signo = signals[i];
		info.si_code = SEGV_ACCERR;
		info.si_addr = (void *)0x1234;
		OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
			   signals[i], &info));
		EQ(handled, 1);
		EQ(codes[0], SEGV_ACCERR);
		EQ(address, 0x1234);
		OK(syscall(SYS_rt_sigqueueinfo, getpid(), signals[i], &info));
		EQ(handled, 2);
	}
	/* And a fault is still one. */
	act(SIGSEGV, leave);
	handled = 0;
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)check_unmapped() = 1;
	EQ(handled, 1);
	EQ(codes[0], SEGV_MAPERR);
}

static volatile siginfo_t told;

static void keep(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	told = *info;
}

/* Which fields a siginfo_t has follows from its signal and code. */
CHECK(sent_with_other_fields)
{
	siginfo_t info;

	act(SIGCHLD, keep);
	act(SIGPOLL, keep);
	memset(&info, 0, sizeof(info));
	info.si_code = CLD_KILLED;
	info.si_pid = 11;
	info.si_uid = 22;
	info.si_status = SIGUSR1;
	info.si_utime = 0x1234;
	info.si_stime = 0x5678;
	OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGCHLD, &info));
	EQ(told.si_signo, SIGCHLD);
	EQ(told.si_code, CLD_KILLED);
	EQ(told.si_pid, 11);
	EQ(told.si_uid, 22);
	EQ(told.si_status, SIGUSR1);
	EQ(told.si_utime, 0x1234);
	EQ(told.si_stime, 0x5678);
	memset(&info, 0, sizeof(info));
	info.si_code = POLL_IN;
	info.si_band = 0x4321;
	info.si_fd = 33;
	OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGPOLL, &info));
	EQ(told.si_code, POLL_IN);
	EQ(told.si_band, 0x4321);
	EQ(told.si_fd, 33);
	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_pid = 11;
	info.si_uid = 22;
	info.si_value.sival_int = 44;
	OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGPOLL, &info));
	EQ(told.si_pid, 11);
	EQ(told.si_value.sival_int, 44);
}

CHECK(sigtimedwait_takes_them)
{
	static const struct timespec none;
	siginfo_t info;
	sigset_t all, before, set;

	sigfillset(&all);
	OK(sigprocmask(SIG_SETMASK, &all, &before));
	for (int i = 0; i < COUNT(signals); i++) {
		act(signals[i], note);
		handled = 0;
		set = set_of(signals[i]);
		ERR(sigtimedwait(&set, &info, &none), EAGAIN);
		OK(raise(signals[i]));
		EQ(sigtimedwait(&set, &info, &none), signals[i]);
		/* What SI_TKILL is to sigtimedwait(3) of glibc. */
		EQ(info.si_code, SI_USER);
		memset(&info, 0, sizeof(info));
		info.si_signo = signals[i];
		info.si_code = SEGV_ACCERR;
		OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
			   signals[i], &info));
		EQ(sigtimedwait(&set, &info, &none), signals[i]);
		EQ(info.si_code, SEGV_ACCERR);
		EQ(handled, 0);
	}
	OK(sigprocmask(SIG_SETMASK, &before, NULL));
}

/* Blocked by the thread, let in by the mask of the call. */
CHECK(calls_with_a_mask)
{
	static const struct timespec long_time = { .tv_sec = 20 };
	sigset_t all, before, now, wait;
	struct epoll_event event;
	int epoll = OK(epoll_create1(0));

	sigfillset(&all);
	OK(sigprocmask(SIG_SETMASK, &all, &before));
	for (int i = 0; i < COUNT(signals); i++) {
		act(signals[i], note);
		handled = 0;
		sigfillset(&wait);
		sigdelset(&wait, signals[i]);
		OK(raise(signals[i]));
		ERR(sigsuspend(&wait), EINTR);
		EQ(handled, 1);
		OK(raise(signals[i]));
		ERR(ppoll(NULL, 0, &long_time, &wait), EINTR);
		EQ(handled, 2);
		OK(raise(signals[i]));
		ERR(pselect(0, NULL, NULL, NULL, &long_time, &wait), EINTR);
		EQ(handled, 3);
		OK(raise(signals[i]));
		ERR(epoll_pwait(epoll, &event, 1, 20000, &wait), EINTR);
		EQ(handled, 4);
		/* The mask is the thread's again. */
		OK(sigprocmask(SIG_SETMASK, NULL, &now));
		EQ(sigismember(&now, signals[i]), 1);
		OK(raise(signals[i]));
		EQ(handled, 4);
		ERR(sigsuspend(&wait), EINTR);
		EQ(handled, 5);
	}
	OK(sigprocmask(SIG_SETMASK, &before, NULL));
	OK(close(epoll));
}

CHECK_MAIN
