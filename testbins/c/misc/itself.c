// Calls that a process makes on itself as on another: process_vm_*, pidfd, ptrace's refusals.
#include "../check.h"

#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

CHECK(process_vm)
{
	char from[16] = "0123456789", to[16] = "";
	struct iovec local[2] = { { to, 4 }, { to + 8, 3 } };
	struct iovec remote[3] = { { from, 2 }, { from + 5, 4 }, { from, 1 } };

	EQ(process_vm_readv(getpid(), local, 2, remote, 3, 0), 7);
	MEMEQ(to, "0156\0\0\0\0" "780", 11);
	local[0] = (struct iovec){ "WXYZ", 4 };
	EQ(process_vm_writev(getpid(), local, 1, remote, 2, 0), 4);
	STREQ(from, "WX234YZ789");
	/* Stops in front of what cannot be read. */
	remote[1].iov_base = check_unmapped();
	local[0] = (struct iovec){ to, 6 };
	EQ(process_vm_readv(getpid(), local, 1, remote, 2, 0), 2);
	ERR(process_vm_readv(getpid(), local, 1, remote + 1, 1, 0), EFAULT);
	ERR(process_vm_readv(getpid(), local, 1, remote, 1, 1), EINVAL);
	ERR(process_vm_readv(0x7ffffff0, local, 1, remote, 1, 0), ESRCH);
	EFAULTS(p, process_vm_readv(getpid(), p, 1, remote, 1, 0));
	EFAULTS(p, process_vm_readv(getpid(), local, 1, p, 1, 0));
}

CHECK(pidfd)
{
	int fd = OK(syscall(__NR_pidfd_open, getpid(), 0)), other;
	char path[64], text[1024];
	struct pollfd p = { fd, POLLIN, 0 };

	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EQ(poll(&p, 1, 0), 0);
	OK(syscall(__NR_pidfd_send_signal, fd, 0, NULL, 0));
	ERR(syscall(__NR_pidfd_send_signal, fd, 0, NULL, 0x100), EINVAL);
	ERR(syscall(__NR_pidfd_send_signal, 0x1000, 0, NULL, 0), EBADF);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	int info = OK(open(path, O_RDONLY)), n;
	n = OK(read(info, text, sizeof(text) - 1));
	text[n] = 0;
	snprintf(path, sizeof(path), "Pid:\t%d\n", getpid());
	TRUE(strstr(text, path) != NULL);
	OK(close(info));
	int zero = OK(open("/dev/zero", O_RDONLY));
	other = OK_OR_NA(syscall(__NR_pidfd_getfd, fd, zero, 0), EPERM);
	TRUE(other != zero);
	EQ(read(other, text, 4), 4);
	EQ(text[0], 0);
	OK(close(other));
	OK(close(zero));
	ERR(syscall(__NR_pidfd_open, 0x7ffffff0, 0), ESRCH);
	ERR(syscall(__NR_pidfd_open, -1, 0), EINVAL);
	ERR(syscall(__NR_pidfd_open, getpid(), 0x10), EINVAL);
	OK(close(fd));
}

CHECK(waiting_without_children)
{
	int status;
	siginfo_t info;

	ERR(wait(&status), ECHILD);
	ERR(waitpid(-1, &status, WNOHANG), ECHILD);
	ERR(waitpid(getpid(), &status, 0), ECHILD);
	ERR(waitpid(-1, &status, 0x10000000), EINVAL);
	ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
	ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
	ERR(waitid(99, 0, &info, WEXITED), EINVAL);
}

CHECK(unshare)
{
	ERR(syscall(__NR_unshare, 0x00000001), EINVAL);
	OK(syscall(__NR_unshare, 0));
	/* CLONE_FILES and CLONE_FS: a single thread shares them with nobody. */
	OK(syscall(__NR_unshare, 0x00000400 | 0x00000200));
	ERR(syscall(__NR_setns, -1, 0), EBADF);
	int fd = OK(open("/proc/self/ns/uts", O_RDONLY));
	ERR(syscall(__NR_setns, fd, 0x00020000), EINVAL);
	OK(close(fd));
}

CHECK(signal_masks)
{
	raw_sigset set = raw_set(1ULL << (SIGUSR1 - 1) | 1ULL << 33 | 1ULL << 63), old, pending;

	OK(syscall(__NR_rt_sigprocmask, SIG_SETMASK, &set, &old, SIGSET_SIZE));
	OK(syscall(__NR_rt_sigprocmask, SIG_SETMASK, NULL, &old, SIGSET_SIZE));
	EQ(set_bits(old), set_bits(set));
	/* KILL and STOP cannot be blocked. */
	set = raw_set(~0ULL);
	OK(syscall(__NR_rt_sigprocmask, SIG_BLOCK, &set, NULL, SIGSET_SIZE));
	OK(syscall(__NR_rt_sigprocmask, SIG_BLOCK, NULL, &old, SIGSET_SIZE));
	EQ(set_bits(old), ~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1)));
	OK(syscall(__NR_kill, getpid(), SIGUSR2));
	OK(syscall(__NR_rt_sigpending, &pending, SIGSET_SIZE));
	EQ(set_bits(pending), 1ULL << (SIGUSR2 - 1));
	siginfo_t info;
	set = raw_set(1ULL << (SIGUSR2 - 1));
	EQ(syscall(__NR_rt_sigtimedwait, &set, &info, NULL, SIGSET_SIZE), SIGUSR2);
	EQ(info.si_signo, SIGUSR2);
	EQ(info.si_code, SI_USER);
	EQ(info.si_pid, getpid());
	long t[2] = { 0, 1000000 };
	ERR(syscall(__NR_rt_sigtimedwait, &set, &info, t, SIGSET_SIZE), EAGAIN);
	ERR(syscall(__NR_rt_sigtimedwait, &set, &info, t, 4), EINVAL);
	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = 0x12345678;
	OK(syscall(__NR_rt_sigqueueinfo, getpid(), SIGUSR2, &info));
	memset(&info, 0, sizeof(info));
	EQ(syscall(__NR_rt_sigtimedwait, &set, &info, NULL, SIGSET_SIZE), SIGUSR2);
	EQ(info.si_code, SI_QUEUE);
	EQ(info.si_value.sival_int, 0x12345678);
	set = raw_set(0);
	OK(syscall(__NR_rt_sigprocmask, SIG_SETMASK, &set, NULL, SIGSET_SIZE));
	ERR(syscall(__NR_rt_sigprocmask, 99, &set, NULL, SIGSET_SIZE), EINVAL);
	ERR(syscall(__NR_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
	EFAULTS(p, syscall(__NR_rt_sigpending, p, SIGSET_SIZE));
}

CHECK(signal_actions_and_stacks)
{
	struct sigaction a = { .sa_handler = SIG_IGN, .sa_flags = SA_RESTART },
			 old;
	static char room[65536];
	stack_t s = { .ss_sp = room, .ss_size = sizeof(room) }, got;

	OK(sigaction(SIGUSR1, &a, &old));
	TRUE(old.sa_handler == SIG_DFL);
	OK(sigaction(SIGUSR1, NULL, &old));
	TRUE(old.sa_handler == SIG_IGN);
	EQ(old.sa_flags & SA_RESTART, SA_RESTART);
	/* An ignored signal does nothing. */
	OK(raise(SIGUSR1));
	ERR(sigaction(SIGKILL, &a, NULL), EINVAL);
	ERR(sigaction(65, &a, NULL), EINVAL);
	ERR(syscall(__NR_rt_sigaction, SIGUSR1, NULL, &old, 4), EINVAL);
	OK(sigaltstack(NULL, &got));
	EQ(got.ss_flags, SS_DISABLE);
	OK(sigaltstack(&s, NULL));
	OK(sigaltstack(NULL, &got));
	EQ((long)got.ss_sp, (long)room);
	EQ(got.ss_size, sizeof(room));
	EQ(got.ss_flags, 0);
	s.ss_size = 100;
	ERR(sigaltstack(&s, NULL), ENOMEM);
	s.ss_flags = 0x1234;
	ERR(sigaltstack(&s, NULL), EINVAL);
	s.ss_flags = SS_DISABLE;
	OK(sigaltstack(&s, NULL));
	EFAULTS(p, sigaltstack(NULL, p ? p : (void *)8));
}

CHECK_MAIN
