// SIGSEGV, SIGBUS and SIGFPE that are sent to a process: pending for all of its threads while those block them.
// libs: -lpthread
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static const int all[] = { SIGSEGV, SIGBUS, SIGFPE };
static sigset_t set;
static char **own_argv;

/* --- a second thread that does as it is told --- */

enum { NOTHING, PENDING, UNBLOCK, BLOCK, WAIT, PAUSE, SPIN, END };

static volatile int order, started;
static volatile int result, handled_by, handled, handled_code, handled_value, handled_pid;
static siginfo_t waited;
static int ends[2];

static int pending(int signal)
{
	sigset_t now;

	sigpending(&now);
	return sigismember(&now, signal);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	handled_by = gettid();
	handled_code = info->si_code;
	handled_pid = info->si_pid;
	handled_value = info->si_value.sival_int;
	handled++;
	(void)signal;
}

static volatile int wanted;

static void *second(void *unused)
{
	char byte;

	for (;;) {
		while (order == NOTHING)
			sched_yield();
		switch (order) {
		case PENDING:
			result = pending(wanted);
			break;
		case UNBLOCK:
			pthread_sigmask(SIG_UNBLOCK, &set, NULL);
			break;
		case BLOCK:
			pthread_sigmask(SIG_BLOCK, &set, NULL);
			break;
		case WAIT:
			started = 1;
			result = sigwaitinfo(&set, &waited);
			break;
		case PAUSE:
			started = 1;
			result = read(ends[0], &byte, 1) == -1 && errno == EINTR;
			break;
		case SPIN:
			started = 1;
			while (!handled)
				;
			break;
		case END:
			return unused;
		}
		order = NOTHING;
	}
}

static pthread_t thread;
static volatile pid_t second_tid;

static void *begin(void *unused)
{
	second_tid = gettid();
	return second(unused);
}

static void tell(int what)
{
	started = 0;
	order = what;
}

static void done(void)
{
	while (order != NOTHING)
		sched_yield();
}

static void ask(int what)
{
	tell(what);
	done();
}

static int second_has(int signal)
{
	wanted = signal;
	ask(PENDING);
	return result;
}

static void begin_second(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigemptyset(&set);
	for (int i = 0; i < COUNT(all); i++) {
		OK(sigaction(all[i], &action, NULL));
		sigaddset(&set, all[i]);
	}
	EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	handled = 0;
	second_tid = 0;
	EQ(pthread_create(&thread, NULL, begin, NULL), 0);
	while (!second_tid)
		sched_yield();
}

static void end_second(void)
{
	order = END;
	EQ(pthread_join(thread, NULL), 0);
	order = NOTHING;
}

/* --- --- */

CHECK(pending_in_each_thread)
{
	begin_second();
	for (int i = 0; i < COUNT(all); i++) {
		OK(kill(getpid(), all[i]));
		OK(kill(getpid(), all[i]));
		EQ(pending(all[i]), 1);
		EQ(second_has(all[i]), 1);
		EQ(handled, 0);
		ask(UNBLOCK);
		EQ(handled, 1);
		EQ(handled_by, second_tid);
		EQ(handled_code, SI_USER);
		EQ(handled_pid, getpid());
		EQ(pending(all[i]), 0);
		EQ(second_has(all[i]), 0);
		ask(BLOCK);
		/* And the other way round. */
		OK(kill(getpid(), all[i]));
		EQ(second_has(all[i]), 1);
		EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
		EQ(handled, 2);
		EQ(handled_by, getpid());
		EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
		EQ(second_has(all[i]), 0);
		handled = 0;
	}
	end_second();
}

CHECK(of_one_thread)
{
	begin_second();
	OK(syscall(SYS_tgkill, getpid(), getpid(), SIGBUS));
	EQ(pending(SIGBUS), 1);
	EQ(second_has(SIGBUS), 0);
	EQ(pthread_kill(thread, SIGFPE), 0);
	EQ(pending(SIGFPE), 0);
	EQ(second_has(SIGFPE), 1);
	EQ(pthread_sigqueue(thread, SIGSEGV, (union sigval){ .sival_int = 7 }), 0);
	EQ(pending(SIGSEGV), 0);
	EQ(second_has(SIGSEGV), 1);
	ask(UNBLOCK);
	EQ(handled, 2);
	EQ(handled_by, second_tid);
	EQ(pending(SIGBUS), 1);
	/* With one for the thread, another may wait for the process. */
	ask(BLOCK);
	OK(kill(getpid(), SIGBUS));
	EQ(second_has(SIGBUS), 1);
	ask(UNBLOCK);
	EQ(handled, 3);
	EQ(pending(SIGBUS), 1);
	EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	EQ(handled, 4);
	EQ(handled_code, SI_TKILL);
	end_second();
}

CHECK(another_waits_for_it)
{
	begin_second();
	/* Before, and (mostly) during the wait. */
	for (int round = 0; round < 50; round++) {
		for (int early = 0; early < 2; early++) {
			if (!early) {
				tell(WAIT);
				while (!started)
					sched_yield();
				if (round & 1)
					usleep(1000);
			}
			OK(sigqueue(getpid(), all[round % 3], (union sigval){ .sival_int = round }));
			if (early)
				tell(WAIT);
			done();
			EQ(result, all[round % 3]);
			EQ(waited.si_code, SI_QUEUE);
			EQ(waited.si_value.sival_int, round);
			EQ(waited.si_pid, getpid());
		}
	}
	EQ(handled, 0);
	end_second();
}

/* The first thread blocks it, and is the one that the kernel prefers. */
CHECK(another_lets_it_through)
{
	struct timespec moment = { .tv_nsec = 1000000 };

	begin_second();
	OK(pipe(ends));
	ask(UNBLOCK);
	for (int i = 0; i < COUNT(all); i++) {
		handled = 0;
		tell(SPIN);
		while (!started)
			sched_yield();
		OK(kill(getpid(), all[i]));
		done();
		EQ(handled_by, second_tid);
		handled = 0;
		tell(PAUSE);
		while (!started)
			sched_yield();
		/* In the call or before it, where it must be handled all the same. */
		nanosleep(&moment, NULL);
		OK(kill(getpid(), all[i]));
		while (!handled)
			sched_yield();
		EQ(handled_by, second_tid);
		OK(write(ends[1], "x", 1));
		done();
		char byte;
		if (result)
			EQ(read(ends[0], &byte, 1), 1);
	}
	end_second();
}

/* It was for a thread that blocks it before it could take it, or that ends. */
CHECK(left_to_another)
{
	begin_second();
	OK(kill(getpid(), SIGBUS));
	end_second();
	EQ(pending(SIGBUS), 1);
	EQ(handled, 0);
	EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	EQ(handled, 1);
	EQ(handled_by, getpid());
}

CHECK(ignored_is_discarded)
{
	begin_second();
	OK(kill(getpid(), SIGFPE));
	EQ(second_has(SIGFPE), 1);
	TRUE(signal(SIGFPE, SIG_IGN) != SIG_ERR);
	EQ(second_has(SIGFPE), 0);
	EQ(pending(SIGFPE), 0);
	end_second();
}

CHECK(not_inherited_but_kept)
{
	int status;

	begin_second();
	end_second();
	OK(kill(getpid(), SIGSEGV));
	OK(syscall(SYS_tgkill, getpid(), getpid(), SIGFPE));
	fflush(stdout);
	pid_t child = OK(fork());
	if (child == 0) {
		if (pending(SIGSEGV) || pending(SIGFPE))
			_exit(1);
		kill(getpid(), SIGSEGV);
		syscall(SYS_tgkill, getpid(), getpid(), SIGFPE);
		execv("/proc/self/exe", (char *[]){ own_argv[0], "--executed", NULL });
		_exit(2);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
	EQ(pending(SIGSEGV), 1);
	EQ(pending(SIGFPE), 1);
	EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	EQ(handled, 2);
}

int main(int argc, char **argv)
{
	own_argv = argv;
	if (argc > 1 && strcmp(argv[1], "--executed") == 0)
		return pending(SIGSEGV) && pending(SIGFPE) && !pending(SIGBUS) ? 0 : 3;
	return check_main(argc, argv);
}
