/*
 * A storm of signals of which each is accounted for.
 *
 * Ten signal numbers from six senders: real-time signals queued to the main
 * thread by three threads, and to the process by a thread and by a child
 * process, whose values must arrive complete and in order; and SIGUSR1,
 * SIGBUS, SIGFPE and another, of which the next is sent when the last was
 * handled. The main thread meanwhile computes, faults, makes system calls that
 * block, and changes its mask; handlers nest, partly on an alternate stack,
 * and partly let their own signal in again.
 */
#include "../check.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { REAL_TIME = 6, PLAIN = 4, SENDERS = 5, MOST_NESTED = 24 };

/*
 * A signal that is pending is not queued again, whichever of the two the kernel
 * was about to deliver: SIGSEGV is either sent or caused.
 */
static const int *plain;
static const int with_faults[PLAIN] = { SIGUSR1, SIGQUIT, SIGBUS, SIGFPE };
static const int all_sent[PLAIN] = { SIGUSR1, SIGSEGV, SIGBUS, SIGFPE };
static pid_t storm_pid, storm_tid;
static long storm_count;
/* By sender and signal: the last that arrived. The child process sees it, too. */
static volatile long (*arrived)[REAL_TIME];
static atomic_long plain_sent[PLAIN], plain_handled[PLAIN];
static atomic_int senders_done;
static volatile long out_of_order, faults, faults_wanted, most_nested;
static volatile int nested;
static volatile long own, own_wanted;
static char *page;
static long page_size;

static int real_time(int index)
{
	return SIGRTMIN + 1 + index;
}

/* Other signals come while a handler runs; its own as well if it says so. */
static void let_in(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void on_queued(int signal, siginfo_t *info, void *context)
{
	int index = signal - SIGRTMIN - 1;
	int value = info->si_value.sival_int;
	int sender = value & 7;

	(void)context;
	if (arrived[sender][index] + 1 != value >> 3)
		out_of_order++;
	arrived[sender][index] = value >> 3;
	if (++nested > most_nested)
		most_nested = nested;
	if (nested < MOST_NESTED && (value >> 3) % 7 == 0)
		let_in(signal);
	nested--;
}

static void on_plain(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (signal == SIGSEGV && info->si_code > 0) {
		/* Not sent: an access of the page. */
		faults++;
		mprotect(page, page_size, PROT_READ | PROT_WRITE);
		return;
	}
	for (int i = 0; i < PLAIN; i++)
		if (plain[i] == signal)
			plain_handled[i]++;
}

static void on_own(int signal)
{
	(void)signal;
	own++;
}

static int queue(int sender, int index, long number)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = real_time(index);
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = (int)(number << 3 | sender);
	if (sender < 3)
		return syscall(SYS_rt_tgsigqueueinfo, storm_pid, storm_tid,
			       info.si_signo, &info);
	return syscall(SYS_rt_sigqueueinfo, storm_pid, info.si_signo, &info);
}

/* `storm_count` of each real-time signal; not too many are queued at a time. */
static void send_queued(int sender)
{
	/*
	 * What all processes of a user have queued counts against each one's RLIMIT_SIGPENDING, timers too, so a
	 * storm that is heavier than this takes them from programs beside it.
	 */
	enum { AHEAD = 6 };

	for (long n = 1; n <= storm_count; n++)
		for (int index = 0; index < REAL_TIME; index++) {
			while (n - arrived[sender][index] > AHEAD)
				sched_yield();
			while (queue(sender, index, n) != 0 && errno == EAGAIN)
				sched_yield();
		}
}

static void *queue_thread(void *argument)
{
	send_queued((int)(intptr_t)argument);
	senders_done++;
	return NULL;
}

static void *plain_thread(void *argument)
{
	(void)argument;
	for (long n = 0; n < storm_count; n++) {
		int i = n % PLAIN;
		time_t end = time(NULL) + 60;

		plain_sent[i]++;
		syscall(SYS_tgkill, storm_pid, storm_tid, plain[i]);
		while (plain_handled[i] != plain_sent[i]) {
			if (time(NULL) > end)
				goto lost;
			sched_yield();
		}
	}
lost:
	senders_done++;
	return NULL;
}

static void storm_actions(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_queued;
	for (int index = 0; index < REAL_TIME; index++) {
		action.sa_flags = SA_SIGINFO | (index & 1 ? SA_ONSTACK : 0) |
				  (index & 2 ? SA_RESTART : 0);
		sigemptyset(&action.sa_mask);
		/* So that not more than one of each can be nested by itself. */
		for (int other = 0; other < index; other++)
			sigaddset(&action.sa_mask, real_time(other));
		if (index == 4)
			sigaddset(&action.sa_mask, SIGSEGV);
		if (index == 5)
			sigfillset(&action.sa_mask);
		OK(sigaction(real_time(index), &action, NULL));
	}
	action.sa_handler = on_own;
	action.sa_flags = 0;
	OK(sigaction(SIGUSR2, &action, NULL));
	action.sa_sigaction = on_plain;
	action.sa_flags = SA_SIGINFO;
	OK(sigaction(SIGSEGV, &action, NULL));
	for (int i = 0; i < PLAIN; i++) {
		action.sa_flags = SA_SIGINFO | (i & 1 ? SA_ONSTACK : SA_RESTART);
		sigemptyset(&action.sa_mask);
		if (i == 2)
			sigfillset(&action.sa_mask);
		OK(sigaction(plain[i], &action, NULL));
	}
}

/* One of the things that the main thread does meanwhile. */
static void storm_step(long step, int *ends)
{
	static volatile double sum;
	static const struct timespec none;
	struct pollfd nothing = { .fd = ends[0], .events = POLLIN };
	sigset_t all, before;
	char byte = 'x';

	sigfillset(&all);
	switch (step % 8) {
	case 0:
		for (int i = 0; i < 200; i++)
			sum = sum * 1.0000001 + 1e-9;
		break;
	case 1:
		if (plain != with_faults)
			break;
		faults_wanted++;
		mprotect(page, page_size, PROT_NONE);
		*(volatile char *)page = 1;
		break;
	case 2:
		EQ(write(ends[1], &byte, 1), 1);
		while (read(ends[0], &byte, 1) != 1)
			;
		break;
	case 3:
		sigprocmask(SIG_BLOCK, &all, &before);
		for (int i = 0; i < 200; i++)
			sum = sum * 1.0000001 + 1e-9;
		sigprocmask(SIG_SETMASK, &before, NULL);
		break;
	case 4:
		sigprocmask(SIG_BLOCK, &all, &before);
		ppoll(&nothing, 1, &none, &before);
		sigprocmask(SIG_SETMASK, &before, NULL);
		break;
	case 5:
		sched_yield();
		break;
	case 6:
		sigprocmask(SIG_BLOCK, &all, &before);
		own_wanted++;
		raise(SIGUSR2);
		sigsuspend(&before);
		sigprocmask(SIG_SETMASK, &before, NULL);
		break;
	case 7:
		poll(&nothing, 1, 0);
		break;
	}
}

static void storm(const int *signals, long count)
{
	static char stack[1 << 20];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	pthread_t threads[SENDERS];
	sigset_t all, before;
	int ends[2], status;
	long lost = 0;

	plain = signals;
	storm_count = count;
	arrived = mmap(NULL, SENDERS * sizeof(*arrived), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TRUE(arrived != MAP_FAILED);
	memset(plain_sent, 0, sizeof(plain_sent));
	memset(plain_handled, 0, sizeof(plain_handled));
	senders_done = 0;
	out_of_order = faults = faults_wanted = own = own_wanted = 0;
	storm_pid = getpid();
	storm_tid = syscall(SYS_gettid);
	page_size = sysconf(_SC_PAGESIZE);
	page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(page != MAP_FAILED);
	OK(sigaltstack(&alternate, NULL));
	OK(pipe(ends));
	storm_actions();
	sigfillset(&all);
	OK(sigprocmask(SIG_BLOCK, &all, &before));
	pid_t child = OK(fork());
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		send_queued(4);
		_exit(0);
	}
	for (int i = 0; i < SENDERS; i++)
		EQ(pthread_create(&threads[i], NULL,
				  i < 4 ? queue_thread : plain_thread,
				  (void *)(intptr_t)i), 0);
	OK(sigprocmask(SIG_SETMASK, &before, NULL));
	for (long step = 0; senders_done < SENDERS; step++)
		storm_step(step, ends);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	while (waitpid(child, &status, 0) != child)
		;
	EQ(status, 0);
	/* All are sent, and what is pending comes at the next system call. */
	sched_yield();
	for (int sender = 0; sender < SENDERS; sender++)
		for (int index = 0; index < REAL_TIME; index++)
			lost += count - arrived[sender][index];
	EQ(lost, 0);
	EQ(out_of_order, 0);
	EQ(faults, faults_wanted);
	EQ(own, own_wanted);
	for (int i = 0; i < PLAIN; i++)
		EQ(plain_handled[i], plain_sent[i]);
	EQ(plain_sent[0] + plain_sent[1] + plain_sent[2] + plain_sent[3], count);
	EQ(nested, 0);
}
