// Calls of every kind of argument, for tests/test_strace.py: between close(-77) and
// close(-78) the same calls, by the same names, on every ISA.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void files(void)
{
	char buf[64];
	struct iovec out[2] = { { "ab", 2 }, { "cd\n", 3 } };
	struct iovec in[2] = { { buf, 3 }, { buf + 3, 40 } };
	int fd;

	syscall(SYS_mkdirat, AT_FDCWD, "traced", 0751);
	fd = syscall(SYS_openat, AT_FDCWD, "traced/file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		     0640);
	syscall(SYS_writev, fd, out, 2);
	syscall(SYS_write, fd, "\1\2\"quoted\\\" \0011 and a line longer than the limit\n", 50);
	syscall(SYS_dup3, fd, 100, O_CLOEXEC);
	syscall(SYS_close, 100);
	syscall(SYS_close, fd);
	fd = syscall(SYS_openat, AT_FDCWD, "traced/file", O_RDONLY);
	syscall(SYS_read, fd, buf, 10);
	syscall(SYS_read, fd, buf, 64);
	syscall(SYS_read, fd, buf, 64);
	syscall(SYS_close, fd);
	fd = syscall(SYS_openat, AT_FDCWD, "traced/file", O_RDONLY | O_NONBLOCK);
	syscall(SYS_readv, fd, in, 2);
	syscall(SYS_close, fd);
	syscall(SYS_openat, AT_FDCWD, "traced/none", O_WRONLY | O_APPEND | O_TRUNC);
	syscall(SYS_faccessat, AT_FDCWD, "traced/file", R_OK | W_OK);
	syscall(SYS_fchmodat, AT_FDCWD, "traced/file", 04755);
	syscall(SYS_symlinkat, "file", AT_FDCWD, "traced/link");
	syscall(SYS_readlinkat, AT_FDCWD, "traced/link", buf, 64);
	syscall(SYS_unlinkat, AT_FDCWD, "traced/link", 0);
	syscall(SYS_unlinkat, AT_FDCWD, "traced/file", 0);
	syscall(SYS_unlinkat, AT_FDCWD, "traced", AT_REMOVEDIR);
	syscall(SYS_openat, -100, NULL, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

static void sockets(void)
{
	int sv[2];
	char buf[32];
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(4242),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/traced/none" };

	syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv);
	syscall(SYS_sendto, sv[0], "hello", 5, MSG_NOSIGNAL, NULL, 0);
	syscall(SYS_recvfrom, sv[1], buf, 32, MSG_DONTWAIT, NULL, NULL);
	syscall(SYS_recvfrom, sv[1], buf, 32, MSG_DONTWAIT | MSG_PEEK, NULL, NULL);
	syscall(SYS_connect, sv[0], &un, sizeof(un));
	syscall(SYS_connect, -1, &in, sizeof(in));
	syscall(SYS_shutdown, sv[0], SHUT_RDWR);
	syscall(SYS_close, sv[0]);
	syscall(SYS_close, sv[1]);
}

static void rest(void)
{
	sigset_t set, old;
	struct rlimit64 limit;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd, word = 5, status;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, _NSIG / 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, _NSIG / 8);
	syscall(SYS_kill, -1, 99);
	syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &limit);
	limit.rlim_cur = limit.rlim_max = 1 << 20;
	syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL);
	syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &limit);
	fd = syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, -1, &event);
	syscall(SYS_close, fd);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	syscall(SYS_futex, &word, FUTEX_WAIT, 4, NULL, NULL, 0);
	syscall(SYS_munmap, NULL, 0);
	syscall(SYS_mprotect, NULL, 0, PROT_NONE);
	syscall(SYS_mprotect, NULL, 0, PROT_READ | PROT_EXEC);
	syscall(SYS_setpgid, 0, -5);
	syscall(SYS_umask, 022);
	child = fork();
	if (child == 0)
		_exit(3);
	syscall(SYS_close, -79);
	syscall(SYS_wait4, child, &status, 0, NULL);
	syscall(SYS_wait4, -1, &status, WNOHANG, NULL);
	syscall(SYS_close, -80);
}

int main(void)
{
	char folder[] = "/tmp/traced.XXXXXX";

	if (!mkdtemp(folder) || chdir(folder))
		return 1;
	syscall(SYS_close, -77);
	files();
	sockets();
	rest();
	syscall(SYS_close, -78);
	if (rmdir(folder))
		return 1;
	puts("ok");
	return 0;
}
