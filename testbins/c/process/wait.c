// wait4, waitid: every option, what they fill in; pidfds; SIGCHLD.
// no-reference: a check that qemu-user fails (SA_NOCLDSTOP) leaves its stopped child behind
#include "../check.h"
#include "child.h"
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>

static pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	return pid;
}

static void sleeps(void)
{
	for (;;)
		pause();
}

static void exits_7(void)
{
	_exit(7);
}

CHECK(nobody)
{
	int status;

	ERR(wait(&status), ECHILD);
	ERR(waitpid(getpid(), &status, 0), ECHILD);
	ERR(wait4(-1, &status, 0x100, NULL), EINVAL);
	ERR(waitid(P_ALL, 0, NULL, 0), EINVAL);
	ERR(waitid(77, 0, NULL, WEXITED), EINVAL);
	ERR(waitid(P_PID, 0, NULL, WEXITED), EINVAL);
	ERR(waitid(P_PIDFD, 99, NULL, WEXITED), EBADF);
	ERR(waitpid(INT_MIN, &status, 0), ESRCH);
}

CHECK(nohang)
{
	siginfo_t info;
	int status = 0x1234;
	pid_t pid = OK(start(sleeps));

	EQ(waitpid(pid, &status, WNOHANG), 0);
	EQ(status, 0x1234);
	memset(&info, 0x55, sizeof(info));
	OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
	EQ(info.si_signo, 0);
	EQ(info.si_pid, 0);
	OK(kill(pid, SIGTERM));
	OK(waitid(P_PID, pid, &info, WEXITED));
	EQ(info.si_signo, SIGCHLD);
	EQ(info.si_code, CLD_KILLED);
	EQ(info.si_status, SIGTERM);
	EQ(info.si_pid, pid);
	EQ(info.si_uid, getuid());
}

CHECK(nowait)
{
	siginfo_t info;
	int status;
	pid_t pid = OK(start(exits_7));

	for (int i = 0; i < 2; i++) {
		memset(&info, 0, sizeof(info));
		OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
		EQ(info.si_code, CLD_EXITED);
		EQ(info.si_status, 7);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 7);
	ERR(waitpid(pid, &status, 0), ECHILD);
}

CHECK(stopped_continued)
{
	siginfo_t info;
	int status;
	pid_t pid = OK(start(sleeps));

	/* In a group of its own, since SIGTSTP does nothing to an orphaned group (POSIX 2.4.3). */
	OK(setpgid(pid, pid));
	OK(kill(pid, SIGSTOP));
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	TRUE(WIFSTOPPED(status));
	EQ(WSTOPSIG(status), SIGSTOP);
	EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	OK(kill(pid, SIGCONT));
	EQ(waitpid(pid, &status, WCONTINUED), pid);
	TRUE(WIFCONTINUED(status));
	OK(kill(pid, SIGTSTP));
	OK(waitid(P_PID, pid, &info, WSTOPPED));
	EQ(info.si_code, CLD_STOPPED);
	EQ(info.si_status, SIGTSTP);
	OK(kill(pid, SIGCONT));
	OK(waitid(P_PID, pid, &info, WCONTINUED));
	EQ(info.si_code, CLD_CONTINUED);
	EQ(info.si_status, SIGCONT);
	OK(kill(pid, SIGKILL));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGKILL);
}

CHECK(groups)
{
	int status;
	pid_t a = OK(start(sleeps)), b = OK(start(sleeps));

	OK(setpgid(a, a));
	OK(setpgid(b, a));
	EQ(getpgid(b), a);
	OK(kill(-a, SIGUSR1));
	pid_t first = OK(waitpid(-a, &status, 0));
	EQ(WTERMSIG(status), SIGUSR1);
	siginfo_t info;
	OK(waitid(P_PGID, a, &info, WEXITED));
	EQ(info.si_pid, first == a ? b : a);
	ERR(waitpid(-a, &status, 0), ECHILD);
}

CHECK(usage)
{
	struct rusage usage;
	int status;
	pid_t pid = OK(start(exits_7));

	memset(&usage, 0xff, sizeof(usage));
	EQ(wait4(pid, &status, 0, &usage), pid);
	TRUE(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 100);
	TRUE(usage.ru_maxrss > 0);
	pid = OK(start(exits_7));
	siginfo_t info;
	memset(&usage, 0xff, sizeof(usage));
	OK(syscall(__NR_waitid, P_PID, pid, &info, WEXITED, &usage));
	TRUE(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 100);
	EFAULTS(p, p ? wait4(start(exits_7), p, 0, NULL) : (errno = EFAULT, -1));
	while (wait(NULL) > 0)
		;
}

CHECK(pidfd)
{
	siginfo_t info;
	pid_t pid = OK(start(sleeps));
	int fd = OK(syscall(__NR_pidfd_open, pid, 0));
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	EQ(poll(&polled, 1, 0), 0);
	OK(syscall(__NR_pidfd_send_signal, fd, 0, NULL, 0));
	OK(syscall(__NR_pidfd_send_signal, fd, SIGUSR2, NULL, 0));
	EQ(poll(&polled, 1, 5000), 1);
	OK(waitid(P_PIDFD, fd, &info, WEXITED));
	EQ(info.si_status, SIGUSR2);
	ERR(syscall(__NR_pidfd_send_signal, fd, SIGUSR2, NULL, 0), ESRCH);
	close(fd);
	ERR(syscall(__NR_pidfd_open, pid, 0), ESRCH);
	ERR(syscall(__NR_pidfd_open, getpid(), 1), EINVAL);
	fd = OK(syscall(__NR_pidfd_open, getppid() > 0 ? start(sleeps) : 0, O_NONBLOCK));
	ERR(waitid(P_PIDFD, fd, &info, WEXITED), EAGAIN);
	OK(syscall(__NR_pidfd_send_signal, fd, SIGKILL, NULL, 0));
	EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000), 1);
	OK(waitid(P_PIDFD, fd, &info, WEXITED));
	close(fd);
}

CHECK(pidfd_getfd)
{
	int ends[2];
	char c = 0;

	OK(pipe(ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		write(ends[1], "x", 1);
		sleeps();
	}
	int fd = OK(syscall(__NR_pidfd_open, pid, 0));
	int got = OK_OR_NA(syscall(__NR_pidfd_getfd, fd, ends[0], 0), EPERM);
	EQ(read(got, &c, 1), 1);
	EQ(c, 'x');
	OK(kill(pid, SIGKILL));
	EQ(waitpid(pid, NULL, 0), pid);
	close(got), close(fd), close(ends[0]), close(ends[1]);
}

static volatile sig_atomic_t chld_count, chld_code, chld_status, chld_pid;

static void on_chld(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	chld_count++;
	chld_code = info->si_code;
	chld_status = info->si_status;
	chld_pid = info->si_pid;
}

CHECK(sigchld)
{
	struct sigaction action = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART };
	int status;
	pid_t pid;

	OK(sigaction(SIGCHLD, &action, NULL));
	pid = OK(start(exits_7));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(chld_count, 1);
	EQ(chld_code, CLD_EXITED);
	EQ(chld_status, 7);
	EQ(chld_pid, pid);
	chld_count = 0;
	pid = OK(start(sleeps));
	OK(kill(pid, SIGSTOP));
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	EQ(chld_count, 1);
	EQ(chld_code, CLD_STOPPED);
	OK(kill(pid, SIGCONT));
	EQ(waitpid(pid, &status, WCONTINUED), pid);
	/* The signal of a continued child may come after wait has told of it. */
	for (int i = 0; i < 1000 && chld_code != CLD_CONTINUED; i++)
		usleep(1000);
	EQ(chld_code, CLD_CONTINUED);
	/* SA_NOCLDSTOP: only the end is told. */
	action.sa_flags |= SA_NOCLDSTOP;
	OK(sigaction(SIGCHLD, &action, NULL));
	chld_count = 0;
	OK(kill(pid, SIGSTOP));
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	EQ(chld_count, 0);
	OK(kill(pid, SIGKILL));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(chld_count, 1);
	EQ(chld_code, CLD_KILLED);
	EQ(chld_status, SIGKILL);
	signal(SIGCHLD, SIG_DFL);
}

CHECK(no_zombies)
{
	struct sigaction action = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_NOCLDWAIT };
	int status;
	sigset_t set, old;

	/* The handler still runs with SA_NOCLDWAIT on Linux; wait blocks until all are gone. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	OK(sigaction(SIGCHLD, &action, NULL));
	OK(sigprocmask(SIG_BLOCK, &set, &old));
	OK(start(exits_7));
	ERR(waitpid(-1, &status, 0), ECHILD);
	signal(SIGCHLD, SIG_IGN);
	OK(start(exits_7));
	ERR(waitpid(-1, &status, 0), ECHILD);
	signal(SIGCHLD, SIG_DFL);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

CHECK(interrupted_wait)
{
	struct sigaction action = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO };
	int status;
	pid_t parent = getpid();

	OK(sigaction(SIGUSR1, &action, NULL));
	pid_t pid = OK(fork());
	if (pid == 0) {
		EXPECT(await_state(parent, 'S'));
		kill(parent, SIGUSR1);
		sleeps();
	}
	ERR(waitpid(pid, &status, 0), EINTR);
	OK(kill(pid, SIGKILL));
	EQ(waitpid(pid, &status, 0), pid);
	/* SA_RESTART: the wait goes on. */
	action.sa_flags |= SA_RESTART;
	OK(sigaction(SIGUSR1, &action, NULL));
	chld_count = 0;
	pid = OK(fork());
	if (pid == 0) {
		EXPECT(await_state(parent, 'S'));
		kill(parent, SIGUSR1);
		usleep(20000);
		_exit(3);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 3);
	EQ(chld_count, 1);
	signal(SIGUSR1, SIG_DFL);
}

CHECK_MAIN
