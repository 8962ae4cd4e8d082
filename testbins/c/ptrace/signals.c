// Signals of a tracee: the tracer sees them first, and decides.
// no-reference: qemu-user has no ptrace
#include "tracer.h"
#include <poll.h>

static volatile int handled, value, code;
static volatile uintptr_t address;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	handled = signal;
	value = info->si_value.sival_int;
	code = info->si_code;
	address = (uintptr_t)info->si_addr;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | flags };

	sigaction(signal, &action, NULL);
}

static void raises(void)
{
	handle(SIGUSR1, 0);
	handle(SIGUSR2, 0);
	raise(SIGUSR1);
	_exit(handled);
}

CHECK(delivered)
{
	pid_t pid = OK(traced(raises));
	siginfo_t info;

	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGSTOP);
	EQ(info.si_code, SI_TKILL);
	EQ(info.si_pid, pid);
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, SIGUSR1), SIGUSR1 << 8);
}

CHECK(suppressed)
{
	pid_t pid = OK(traced(raises));

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, 0), 0);
}

CHECK(replaced)
{
	pid_t pid = OK(traced(raises));

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, SIGUSR2), SIGUSR2 << 8);
}

CHECK(default_kills)
{
	pid_t pid = OK(traced(raises));

	EQ(next(pid, PTRACE_CONT, SIGTERM), SIGTERM);
	pid = OK(traced(raises));
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, SIGHUP), SIGHUP);
}

static void tells_value(void)
{
	handle(SIGUSR1, 0);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 17 });
	_exit(value);
}

CHECK(siginfo)
{
	pid_t pid = OK(traced(tells_value));
	siginfo_t info;

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGUSR1);
	EQ(info.si_code, SI_QUEUE);
	EQ(info.si_pid, pid);
	EQ(info.si_value.sival_int, 17);
	info.si_value.sival_int = 33;
	OK(ptrace(PTRACE_SETSIGINFO, pid, 0, &info));
	memset(&info, 0, sizeof(info));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_value.sival_int, 33);
	EQ(next(pid, PTRACE_CONT, SIGUSR1), 33 << 8);
}

static void ignores(void)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGWINCH);
	_exit(3);
}

CHECK(ignored)
{
	pid_t pid = OK(traced(ignores));

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, SIGUSR1), STOPPED(SIGWINCH));
	EQ(next(pid, PTRACE_CONT, SIGWINCH), 3 << 8);
}

static void suspends(void)
{
	sigset_t all, none;

	handle(SIGUSR1, 0);
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	int result = sigsuspend(&none);
	_exit(result == -1 && errno == EINTR ? handled + 100 : 1);
}

static void polls(void)
{
	sigset_t all, none;

	handle(SIGUSR1, SA_RESTART);
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	int result = ppoll(NULL, 0, NULL, &none);
	_exit(result == -1 && errno == EINTR ? handled + 100 : 1);
}

/* The mask of the call lets the signal through: once suppressed, the call goes on. */
static void with_mask(void (*run)(void))
{
	pid_t pid = OK(traced(run));
	int status;

	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	TRUE(await_state(pid, 'S'));
	usleep(100000);
	OK(kill(pid, SIGUSR2));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, STOPPED(SIGUSR2));
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	TRUE(await_state(pid, 'S'));
	OK(kill(pid, SIGUSR1));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, STOPPED(SIGUSR1));
	EQ(next(pid, PTRACE_CONT, SIGUSR1), (SIGUSR1 + 100) << 8);
}

CHECK(sigsuspend)
{
	with_mask(suspends);
}

CHECK(ppoll)
{
	with_mask(polls);
}

static char *page;

static void faults(void)
{
	*page = 5;
	_exit(*page);
}

CHECK(fault)
{
	siginfo_t info;

	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(page != MAP_FAILED);
	pid_t pid = OK(traced(faults));
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSEGV));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_code, SEGV_ACCERR);
	EQ(info.si_addr == page, 1);
	/* Suppressed, it comes again. */
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSEGV));
	EQ(next(pid, PTRACE_CONT, SIGSEGV) & 0x7f, SIGSEGV);
}

static void leaves(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	_exit(info->si_addr == page && info->si_code == SEGV_ACCERR ? 8 : 9);
}

static void handles_fault(void)
{
	struct sigaction action = { .sa_sigaction = leaves,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	*page = 5;
}

CHECK(handled_fault)
{
	pid_t pid = OK(traced(handles_fault));
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSEGV));
	EQ(next(pid, PTRACE_CONT, SIGSEGV), 8 << 8);
}

static void stops(void)
{
	raise(SIGSTOP);
	_exit(4);
}

CHECK(group_stop)
{
	pid_t pid = OK(traced(stops));
	siginfo_t info;

	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSTOP));
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	EQ(info.si_signo, SIGSTOP);
	/* Let through, it stops the process; a tracer hears of that, too. */
	EQ(next(pid, PTRACE_CONT, SIGSTOP), STOPPED(SIGSTOP));
	ERR(ptrace(PTRACE_GETSIGINFO, pid, 0, &info), EINVAL);
	registers r;
	OK(get_registers(pid, &r));
	TRUE(SP(r) != 0);
	EQ(next(pid, PTRACE_CONT, 0), 4 << 8);
}

static volatile int children;

static void on_child(int signal)
{
	(void)signal;
	children++;
}

CHECK(tracer_hears)
{
	struct sigaction action = { .sa_handler = on_child }, old;

	sigaction(SIGCHLD, &action, &old);
	children = 0;
	pid_t pid = OK(traced(raises));
	TRUE(children > 0);
	children = 0;
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	TRUE(children > 0);
	finish(pid);
	sigaction(SIGCHLD, &old, NULL);
}

static void never(void)
{
	for (;;)
		pause();
}

CHECK(killed_in_stop)
{
	pid_t pid = OK(traced(never));
	int status;

	OK(kill(pid, SIGKILL));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, SIGKILL);
	ERR(waitpid(pid, &status, 0), ECHILD);
}

CHECK(waits)
{
	pid_t pid = OK(traced(never));
	siginfo_t info;
	int status = 0x1234;

	EQ(waitpid(pid, &status, WNOHANG), 0);
	EQ(status, 0x1234);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	EQ(waitpid(-1, &status, WNOHANG), 0);
	OK(kill(pid, SIGUSR1));
	memset(&info, 0x55, sizeof(info));
	OK(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	EQ(info.si_signo, SIGCHLD);
	EQ(info.si_code, CLD_TRAPPED);
	EQ(info.si_pid, pid);
	EQ(info.si_status, SIGUSR1);
	/* It is still there to be waited for. */
	EQ(waitpid(-1, &status, WNOHANG), pid);
	EQ(status, STOPPED(SIGUSR1));
	memset(&info, 0x55, sizeof(info));
	OK(waitid(P_ALL, 0, &info, WSTOPPED | WEXITED | WNOHANG));
	EQ(info.si_pid, 0);
	/* Another child's end comes in between. */
	pid_t other = fork();
	if (other == 0)
		_exit(21);
	EQ(waitpid(-1, &status, 0), other);
	EQ(status, 21 << 8);
	finish(pid);
	ERR(waitpid(-1, &status, 0), ECHILD);
}

CHECK_MAIN
