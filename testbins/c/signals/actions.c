// sigaction's flags, masks, alternate stacks, suspending and waiting, queued values.
// libs: -lpthread
#include "../check.h"
#include "../isa.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile int count, order[64], values[64], codes[64], pids[64], depth, deepest;
static volatile int seen_blocked_usr2, seen_blocked_usr1;
static void *volatile seen_sp;

static void catches(int signal, void (*handler)(int, siginfo_t *, void *), int flags, int masked)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	if (masked)
		sigaddset(&action.sa_mask, masked);
	OK(sigaction(signal, &action, NULL));
}

static void notes(int signal, siginfo_t *info, void *context)
{
	sigset_t set;
	char here;

	(void)context;
	if (count < COUNT(order)) {
		order[count] = signal;
		values[count] = info->si_value.sival_int;
		codes[count] = info->si_code;
		pids[count] = info->si_pid;
	}
	count++;
	sigprocmask(SIG_BLOCK, NULL, &set);
	seen_blocked_usr1 = sigismember(&set, SIGUSR1);
	seen_blocked_usr2 = sigismember(&set, SIGUSR2);
	seen_sp = &here;
}

static void nests(int signal, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (count++ < 3)
		raise(signal);
	depth--;
}

static void restores(void)
{
	sigset_t none;

	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	count = depth = deepest = 0;
}

CHECK(mask_in_handler)
{
	restores();
	catches(SIGUSR1, notes, 0, SIGUSR2);
	raise(SIGUSR1);
	EQ(count, 1);
	EQ(seen_blocked_usr1, 1);
	EQ(seen_blocked_usr2, 1);
	catches(SIGUSR1, notes, SA_NODEFER, 0);
	raise(SIGUSR1);
	EQ(seen_blocked_usr1, 0);
	EQ(seen_blocked_usr2, 0);
	EQ(codes[0], SI_TKILL);
	EQ(pids[0], getpid());
	sigset_t set;
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	EQ(sigismember(&set, SIGUSR1), 0);
}

CHECK(nesting)
{
	restores();
	catches(SIGUSR1, nests, SA_NODEFER, 0);
	raise(SIGUSR1);
	EQ(count, 4);
	EQ(deepest, 4);
	restores();
	catches(SIGUSR1, nests, 0, 0);
	raise(SIGUSR1);
	EQ(count, 4);
	EQ(deepest, 1);
}

CHECK(resethand)
{
	struct sigaction action;

	restores();
	catches(SIGUSR1, notes, SA_RESETHAND, 0);
	raise(SIGUSR1);
	EQ(count, 1);
	OK(sigaction(SIGUSR1, NULL, &action));
	TRUE(action.sa_handler == SIG_DFL);
	EQ(action.sa_flags & SA_RESETHAND, SA_RESETHAND);
	int status;
	pid_t pid = OK(fork());
	if (pid == 0) {
		catches(SIGUSR1, notes, SA_RESETHAND, 0);
		raise(SIGUSR1);
		raise(SIGUSR1);
		_exit(1);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGUSR1);
}

CHECK(errors)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	ERR(sigaction(0, &action, NULL), EINVAL);
	ERR(sigaction(8 * SIGSET_SIZE + 1, &action, NULL), EINVAL);
	ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
	ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
	OK(sigaction(SIGKILL, NULL, &action));
	ERR(syscall(__NR_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
	ERR(syscall(__NR_rt_sigprocmask, 9, &action, NULL, SIGSET_SIZE), EINVAL);
	ERR(syscall(__NR_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4), EINVAL);
	ERR(kill(getpid(), 8 * SIGSET_SIZE + 1), EINVAL);
	ERR(kill(0x7ffffff0, 0), ESRCH);
	ERR(syscall(__NR_tgkill, getpid(), 0x7ffffff0, 0), ESRCH);
	ERR(syscall(__NR_tgkill, 0, 1, 0), EINVAL);
	EFAULTS(p, p ? syscall(__NR_rt_sigaction, SIGUSR1, p, NULL, SIGSET_SIZE) : (errno = EFAULT, -1));
	EFAULTS(p, p ? syscall(__NR_rt_sigaction, SIGUSR1, NULL, p, SIGSET_SIZE) : (errno = EFAULT, -1));
	EFAULTS(p, p ? syscall(__NR_rt_sigprocmask, SIG_BLOCK, p, NULL, SIGSET_SIZE) : (errno = EFAULT, -1));
}

/* The two that the C library keeps for itself work like the others. */
struct kernel_action {
#ifdef ISA_ACTION_FLAGS_FIRST
	unsigned int flags;
	void (*handler)(int);
#else
	void (*handler)(int);
	unsigned long flags;
#endif
#ifndef ISA_NO_RESTORER
	void (*restorer)(void);
#endif
	raw_sigset mask;
};

CHECK(all_can_be_ignored)
{
	restores();
	for (int s = 1; s <= 64; s++) {
		struct kernel_action action = { .handler = SIG_IGN }, old;
		if (s == SIGKILL || s == SIGSTOP)
			continue;
		OK(syscall(__NR_rt_sigaction, s, &action, &old, SIGSET_SIZE));
		OK(syscall(__NR_tgkill, getpid(), syscall(__NR_gettid), s));
		OK(syscall(__NR_rt_sigaction, s, &old, &action, SIGSET_SIZE));
		TRUE(action.handler == SIG_IGN);
	}
}

static char alternate[65536] __attribute__((aligned(16)));

CHECK(altstack)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, now;

	restores();
	OK(sigaltstack(&stack, NULL));
	OK(sigaltstack(NULL, &now));
	TRUE(now.ss_sp == alternate && now.ss_size == sizeof(alternate) && now.ss_flags == 0);
	catches(SIGUSR1, notes, SA_ONSTACK, 0);
	raise(SIGUSR1);
	TRUE((char *)seen_sp > alternate && (char *)seen_sp < alternate + sizeof(alternate));
	catches(SIGUSR1, notes, 0, 0);
	raise(SIGUSR1);
	TRUE(!((char *)seen_sp > alternate && (char *)seen_sp < alternate + sizeof(alternate)));
	stack.ss_size = 1000;
	ERR(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_flags = 8;
	ERR(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = SS_DISABLE;
	OK(sigaltstack(&stack, NULL));
	OK(sigaltstack(NULL, &now));
	EQ(now.ss_flags, SS_DISABLE);
	catches(SIGUSR1, notes, SA_ONSTACK, 0);
	raise(SIGUSR1);
	TRUE(!((char *)seen_sp > alternate && (char *)seen_sp < alternate + sizeof(alternate)));
}

static volatile int inner_flags, inner_error;

static void asks_altstack(int signal, siginfo_t *info, void *context)
{
	stack_t now, other = { .ss_sp = alternate, .ss_size = sizeof(alternate) };

	(void)signal, (void)info, (void)context;
	sigaltstack(NULL, &now);
	inner_flags = now.ss_flags;
	if (now.ss_flags != SS_DISABLE)
		inner_error = sigaltstack(&other, NULL) == -1 ? errno : 0;
	count++;
}

CHECK(altstack_in_use)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, now;

	restores();
	OK(sigaltstack(&stack, NULL));
	catches(SIGUSR1, asks_altstack, SA_ONSTACK, 0);
	raise(SIGUSR1);
	EQ(inner_flags, SS_ONSTACK);
	EQ(inner_error, EPERM);
	/* SS_AUTODISARM: gone while the handler runs, back after it. */
	stack.ss_flags = (int)(1u << 31);
	OK(sigaltstack(&stack, NULL));
	raise(SIGUSR1);
	EQ(inner_flags, SS_DISABLE);
	OK(sigaltstack(NULL, &now));
	EQ(now.ss_flags, (int)(1u << 31));
	EQ(count, 2);
	stack.ss_flags = SS_DISABLE;
	OK(sigaltstack(&stack, NULL));
}

static void block(int signal, ...)
{
	sigset_t set;
	va_list args;

	sigemptyset(&set);
	va_start(args, signal);
	for (; signal; signal = va_arg(args, int))
		sigaddset(&set, signal);
	va_end(args);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
}

CHECK(real_time_order)
{
	union sigval value;

	restores();
	for (int s = SIGRTMIN; s < SIGRTMIN + 3; s++)
		catches(s, notes, 0, 0);
	/* Each handler blocks only its own signal, so block the others in it too. */
	block(SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2, SIGUSR1, 0);
	catches(SIGUSR1, notes, 0, 0);
	for (int i = 0; i < 3; i++) {
		value.sival_int = i;
		OK(sigqueue(getpid(), SIGRTMIN + 1, value));
	}
	OK(raise(SIGUSR1));
	OK(raise(SIGUSR1));
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	OK(sigprocmask(SIG_UNBLOCK, &set, &old));
	EQ(count, 3);
	for (int i = 0; i < 3; i++) {
		EQ(order[i], SIGRTMIN + 1);
		EQ(values[i], i);
		EQ(codes[i], SI_QUEUE);
	}
	/* A standard signal is pending only once. */
	sigemptyset(&set);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
	EQ(count, 4);
	EQ(order[3], SIGUSR1);
}

CHECK(lowest_first)
{
	restores();
	for (int s = SIGRTMIN; s < SIGRTMIN + 4; s++)
		catches(s, notes, 0, 0);
	block(SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2, SIGRTMIN + 3, 0);
	sigset_t waited, pending;
	sigemptyset(&waited);
	for (int s = SIGRTMIN + 3; s >= SIGRTMIN; s--) {
		sigaddset(&waited, s);
		OK(raise(s));
	}
	OK(sigpending(&pending));
	for (int s = SIGRTMIN; s < SIGRTMIN + 4; s++)
		EQ(sigismember(&pending, s), 1);
	for (int s = SIGRTMIN; s < SIGRTMIN + 4; s++)
		EQ(sigtimedwait(&waited, NULL, &(struct timespec){ 0 }), s);
	ERR(sigtimedwait(&waited, NULL, &(struct timespec){ 0, 1000000 }), EAGAIN);
	ERR(sigtimedwait(&waited, NULL, &(struct timespec){ 0, -1 }), EINVAL);
	EQ(count, 0);
}

CHECK(timedwait_interrupted)
{
	sigset_t waited;
	pid_t parent = getpid();

	restores();
	block(SIGUSR2, 0);
	catches(SIGUSR1, notes, SA_RESTART, 0);
	sigemptyset(&waited);
	sigaddset(&waited, SIGUSR2);
	pid_t pid = OK(fork());
	if (pid == 0) {
		usleep(30000);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	ERR(sigwaitinfo(&waited, NULL), EINTR);
	EQ(count, 1);
	EQ(waitpid(pid, NULL, 0), pid);
	block(SIGUSR2, SIGCHLD, 0);
	sigaddset(&waited, SIGCHLD);
	pid = OK(fork());
	if (pid == 0)
		_exit(5);
	siginfo_t info;
	EQ(sigwaitinfo(&waited, &info), SIGCHLD);
	EQ(info.si_pid, pid);
	EQ(info.si_status, 5);
	EQ(info.si_code, CLD_EXITED);
	EQ(waitpid(pid, NULL, 0), pid);
}

CHECK(suspend)
{
	sigset_t none, only_usr2;
	pid_t parent = getpid();

	restores();
	block(SIGUSR1, SIGUSR2, 0);
	catches(SIGUSR1, notes, 0, 0);
	catches(SIGUSR2, notes, 0, 0);
	sigemptyset(&none);
	raise(SIGUSR1);
	ERR(sigsuspend(&none), EINTR);
	EQ(count, 1);
	EQ(order[0], SIGUSR1);
	/* In the handler the mask of the call was in force. */
	EQ(seen_blocked_usr2, 0);
	OK(sigprocmask(SIG_BLOCK, NULL, &none));
	EQ(sigismember(&none, SIGUSR1), 1);
	EQ(sigismember(&none, SIGUSR2), 1);
	/* What the call keeps blocked does not end it. */
	sigfillset(&only_usr2);
	sigdelset(&only_usr2, SIGUSR2);
	raise(SIGUSR1);
	pid_t pid = OK(fork());
	if (pid == 0) {
		usleep(30000);
		kill(parent, SIGUSR2);
		_exit(0);
	}
	ERR(sigsuspend(&only_usr2), EINTR);
	EQ(count, 2);
	EQ(order[1], SIGUSR2);
	sigemptyset(&none);
	OK(sigprocmask(SIG_SETMASK, &none, NULL));
	EQ(count, 3);
	EQ(waitpid(pid, NULL, 0), pid);
	/* Both that became deliverable are delivered before the call returns. */
	count = 0;
	block(SIGUSR1, SIGUSR2, 0);
	raise(SIGUSR1), raise(SIGUSR2);
	sigemptyset(&none);
	ERR(sigsuspend(&none), EINTR);
	EQ(count, 2);
}

CHECK(poll_with_mask)
{
	sigset_t none;

	restores();
	block(SIGUSR1, SIGUSR2, 0);
	catches(SIGUSR1, notes, SA_RESTART, 0);
	catches(SIGUSR2, notes, SA_RESTART, 0);
	sigemptyset(&none);
	raise(SIGUSR1);
	ERR(ppoll(NULL, 0, NULL, &none), EINTR);
	EQ(count, 1);
	EQ(seen_blocked_usr2, 0);
	OK(sigprocmask(SIG_BLOCK, NULL, &none));
	EQ(sigismember(&none, SIGUSR1), 1);
	sigemptyset(&none);
	raise(SIGUSR1), raise(SIGUSR2);
	ERR(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
	EQ(count, 3);
}

CHECK(signalfd)
{
	struct signalfd_siginfo info;
	union sigval value = { .sival_int = 1234 };
	sigset_t set;

	restores();
	block(SIGRTMIN + 5, SIGUSR1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	sigaddset(&set, SIGUSR1);
	int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	ERR(read(fd, &info, sizeof(info)), EAGAIN);
	OK(sigqueue(getpid(), SIGRTMIN + 5, value));
	OK(raise(SIGUSR1));
	EQ(read(fd, &info, sizeof(info)), (int)sizeof(info));
	EQ(info.ssi_signo, SIGUSR1);
	EQ(read(fd, &info, sizeof(info)), (int)sizeof(info));
	EQ(info.ssi_signo, SIGRTMIN + 5);
	EQ(info.ssi_int, 1234);
	EQ(info.ssi_pid, getpid());
	close(fd);
}

static pthread_t main_thread;

static void *sends(void *argument)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_kill(main_thread, SIGUSR1);
	/* For the process: only the main thread has it unblocked. */
	kill(getpid(), SIGUSR2);
	return argument;
}

static volatile long handled_by;

static void who(int signal)
{
	(void)signal;
	handled_by = syscall(__NR_gettid);
	count++;
}

CHECK(threads_have_masks)
{
	pthread_t thread;
	sigset_t set;

	restores();
	main_thread = pthread_self();
	signal(SIGUSR1, who);
	signal(SIGUSR2, who);
	EQ(pthread_create(&thread, NULL, sends, NULL), 0);
	EQ(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 1000 && count < 2; i++)
		usleep(1000);
	EQ(count, 2);
	EQ(handled_by, getpid());
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	EQ(sigismember(&set, SIGUSR2), 0);
}

CHECK(pipe_signal)
{
	int ends[2], status;

	restores();
	OK(pipe(ends));
	close(ends[0]);
	signal(SIGPIPE, who);
	ERR(write(ends[1], "x", 1), EPIPE);
	EQ(count, 1);
	signal(SIGPIPE, SIG_IGN);
	ERR(write(ends[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = OK(fork());
	if (pid == 0) {
		write(ends[1], "x", 1);
		_exit(1);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGPIPE);
	close(ends[1]);
}

/* A handler that goes on in another context, and back. */
static ucontext_t main_context, other_context;
static volatile int switched;

static void switches(int signal)
{
	(void)signal;
	switched++;
	swapcontext(&other_context, &main_context);
	switched++;
}

static char context_stack[65536] __attribute__((aligned(16)));

static void in_other(void)
{
	raise(SIGUSR1);
	switched += 10;
}

CHECK(swapcontext_in_handler)
{
	restores();
	signal(SIGUSR1, switches);
	OK(getcontext(&other_context));
	other_context.uc_stack.ss_sp = context_stack;
	other_context.uc_stack.ss_size = sizeof(context_stack);
	other_context.uc_link = &main_context;
	makecontext(&other_context, in_other, 0);
	OK(swapcontext(&main_context, &other_context));
	EQ(switched, 1);
	OK(swapcontext(&main_context, &other_context));
	EQ(switched, 12);
}

static sigjmp_buf jump;

static void jumps(int signal)
{
	count++;
	siglongjmp(jump, signal);
}

CHECK(longjmp_from_handler)
{
	restores();
	signal(SIGUSR1, jumps);
	for (volatile int i = 0; i < 100; i++)
		if (sigsetjmp(jump, 1) == 0)
			raise(SIGUSR1);
	EQ(count, 100);
	sigset_t set;
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	EQ(sigismember(&set, SIGUSR1), 0);
}

CHECK(fpe_sent_while_blocked)
{
	/* Invalid operations do not signal, sent ones wait; so also on a machine that
	 * lives by host signals of that number. */
	volatile double zero = 0, signalling = __builtin_nans("");
	sigset_t fpe, old;

	count = 0;
	catches(SIGFPE, notes, 0, 0);
	sigemptyset(&fpe);
	sigaddset(&fpe, SIGFPE);
	OK(sigprocmask(SIG_BLOCK, &fpe, &old));
	OK(raise(SIGFPE));
	for (int i = 0; i < 10; i++) {
		volatile double nan = i & 1 ? zero / zero : signalling + i;
		EQ(nan != nan, 1);
	}
	EQ(count, 0);
	OK(sigpending(&fpe));
	EQ(sigismember(&fpe, SIGFPE), 1);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	EQ(count, 1);
	EQ(order[0], SIGFPE);
	EQ(codes[0], SI_TKILL);
	OK(raise(SIGFPE));
	EQ(count, 2);
	signal(SIGFPE, SIG_IGN);
	OK(raise(SIGFPE));
	volatile double nan = zero / zero;
	EQ(nan != nan, 1);
	signal(SIGFPE, SIG_DFL);
	pid_t child = fork();
	if (child == 0) {
		nan = zero / zero;
		raise(SIGFPE);
		_exit(0);
	}
	int status;
	EQ(waitpid(child, &status, 0), child);
	EQ(WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGFPE);
}

CHECK_MAIN
