// epoll: payloads, triggers, timeouts, errors; eventfd; signalfd; pipes.
#include "../check.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <poll.h>

CHECK(payloads)
{
	int e = OK(epoll_create1(EPOLL_CLOEXEC)), a = OK(eventfd(1, 0)), b;
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u64 = 0x8123456789abcdefULL };
	struct epoll_event got[4];

	EQ(fcntl(e, F_GETFD), FD_CLOEXEC);
	b = OK(eventfd(2, 0));
	OK(epoll_ctl(e, EPOLL_CTL_ADD, a, &event));
	event.data.u64 = 0x1122334455667788ULL;
	OK(epoll_ctl(e, EPOLL_CTL_ADD, b, &event));
	memset(got, 0x77, sizeof(got));
	EQ(epoll_wait(e, got, 4, 0), 2);
	for (int i = 0; i < 2; i++) {
		EQ(got[i].events, EPOLLIN);
		TRUE(got[i].data.u64 == 0x8123456789abcdefULL ||
		     got[i].data.u64 == 0x1122334455667788ULL);
	}
	TRUE(got[0].data.u64 != got[1].data.u64);
	EQ(epoll_wait(e, got, 1, 0), 1);
	event = (struct epoll_event){ .events = EPOLLOUT, .data.u64 = ~0ULL };
	OK(epoll_ctl(e, EPOLL_CTL_MOD, a, &event));
	OK(epoll_ctl(e, EPOLL_CTL_DEL, b, NULL));
	EQ(epoll_wait(e, got, 4, 0), 1);
	EQ(got[0].events, EPOLLOUT);
	EQ(got[0].data.u64, ~0ULL);
	OK(close(a));
	EQ(epoll_wait(e, got, 4, 0), 0);
	OK(close(b));
	OK(close(e));
}

CHECK(triggers)
{
	int e = OK(epoll_create1(0)), a = OK(eventfd(1, 0));
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	uint64_t one = 1;

	OK(epoll_ctl(e, EPOLL_CTL_ADD, a, &event));
	EQ(epoll_wait(e, &got, 1, 0), 1);
	EQ(epoll_wait(e, &got, 1, 0), 0);
	EQ(write(a, &one, 8), 8);
	EQ(epoll_wait(e, &got, 1, 0), 1);
	event.events = EPOLLIN | EPOLLONESHOT;
	OK(epoll_ctl(e, EPOLL_CTL_MOD, a, &event));
	EQ(epoll_wait(e, &got, 1, 0), 1);
	EQ(epoll_wait(e, &got, 1, 5), 0);
	OK(close(a));
	OK(close(e));
}

CHECK(many)
{
	enum { MANY = 100 };
	int e = OK(epoll_create(1)), fds[MANY];
	struct epoll_event got[MANY + 10];
	char seen[MANY] = "";

	for (int i = 0; i < MANY; i++) {
		struct epoll_event event = { EPOLLIN, { .u32 = i } };

		fds[i] = OK(eventfd(i % 2, EFD_NONBLOCK));
		OK(epoll_ctl(e, EPOLL_CTL_ADD, fds[i], &event));
	}
	EQ(epoll_pwait(e, got, MANY + 10, 1000, NULL), MANY / 2);
	for (int i = 0; i < MANY / 2; i++)
		seen[got[i].data.u32]++;
	for (int i = 0; i < MANY; i++) {
		EQ(seen[i], i % 2);
		OK(close(fds[i]));
	}
	OK(close(e));
}

CHECK(epoll_errors)
{
	int e = OK(epoll_create1(0)), a = OK(eventfd(0, 0));
	int file = OK(open("file", O_CREAT | O_RDWR, 0600));
	struct epoll_event event = { .events = EPOLLIN }, got;

	ERR(epoll_create(0), EINVAL);
	ERR(epoll_create1(1), EINVAL);
	ERR(epoll_ctl(e, EPOLL_CTL_ADD, file, &event), EPERM);
	ERR(epoll_ctl(e, EPOLL_CTL_ADD, -1, &event), EBADF);
	ERR(epoll_ctl(-1, EPOLL_CTL_ADD, a, &event), EBADF);
	ERR(epoll_ctl(a, EPOLL_CTL_ADD, e, &event), EINVAL);
	ERR(epoll_ctl(e, EPOLL_CTL_ADD, e, &event), EINVAL);
	ERR(epoll_ctl(e, 77, a, &event), EINVAL);
	ERR(epoll_ctl(e, EPOLL_CTL_MOD, a, &event), ENOENT);
	ERR(epoll_ctl(e, EPOLL_CTL_DEL, a, NULL), ENOENT);
	OK(epoll_ctl(e, EPOLL_CTL_ADD, a, &event));
	ERR(epoll_ctl(e, EPOLL_CTL_ADD, a, &event), EEXIST);
	ERR(epoll_wait(e, &got, 0, 0), EINVAL);
	ERR(epoll_wait(e, &got, -1, 0), EINVAL);
	ERR(epoll_wait(a, &got, 1, 0), EINVAL);
	ERR(epoll_wait(-1, &got, 1, 0), EBADF);
	EFAULTS(p, epoll_ctl(e, EPOLL_CTL_MOD, a, p));
	uint64_t one = 1;
	EQ(write(a, &one, 8), 8);
	EFAULTS(p, epoll_wait(e, p, 1, 0));
	OK(close(a));
	OK(close(e));
	OK(close(file));
}

CHECK(epoll_pwait2)
{
	int e = OK(epoll_create1(0));
	struct epoll_event got;
	int64_t t[2] = { 0, 3000000 };

	EQ(OK(syscall(__NR_epoll_pwait2, e, &got, 1, t, NULL, SIGSET_SIZE)), 0);
	t[1] = 1000000000;
	ERR(syscall(__NR_epoll_pwait2, e, &got, 1, t, NULL, SIGSET_SIZE), EINVAL);
	raw_sigset mask = raw_set(1);
	t[1] = 0;
	EQ(syscall(__NR_epoll_pwait2, e, &got, 1, t, &mask, SIGSET_SIZE), 0);
	ERR(syscall(__NR_epoll_pwait2, e, &got, 1, t, &mask, 4), EINVAL);
	ERR(syscall(__NR_epoll_pwait, e, &got, 1, 0, &mask, 4), EINVAL);
	OK(close(e));
}

CHECK(eventfd)
{
	int fd = OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
	uint64_t v = 0;

	EQ(read(fd, &v, 8), 8);
	EQ(v, 3);
	ERR(read(fd, &v, 8), EAGAIN);
	v = 0xfffffffffffffffeULL;
	EQ(write(fd, &v, 8), 8);
	v = 1;
	ERR(write(fd, &v, 8), EAGAIN);
	v = ~0ULL;
	ERR(write(fd, &v, 8), EINVAL);
	EQ(read(fd, &v, 8), 8);
	EQ(v, 0xfffffffffffffffeULL);
	ERR(write(fd, &v, 4), EINVAL);
	ERR(read(fd, &v, 7), EINVAL);
	OK(close(fd));
	fd = OK(eventfd(2, EFD_SEMAPHORE));
	EQ(read(fd, &v, 8), 8);
	EQ(v, 1);
	EQ(read(fd, &v, 8), 8);
	EQ(v, 1);
	OK(close(fd));
	ERR(eventfd(0, 0x10), EINVAL);
#ifdef __NR_eventfd
	fd = OK(syscall(__NR_eventfd, 7));
	EQ(read(fd, &v, 8), 8);
	EQ(v, 7);
	OK(close(fd));
#endif
}

CHECK(signalfd)
{
	sigset_t set;
	char buffer[256];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ERR(read(fd, buffer, sizeof(buffer)), EAGAIN);
	sigaddset(&set, SIGUSR2);
	EQ(signalfd(fd, &set, 0), fd);
	ERR(read(fd, buffer, 10), EINVAL);
	ERR(signalfd(0, &set, 0), EINVAL);
	ERR(signalfd(99999, &set, 0), EBADF);
	ERR(signalfd(-1, &set, 0x10), EINVAL);
	ERR(syscall(__NR_signalfd4, -1, &set, 4, 0), EINVAL);
	EFAULTS(p, syscall(__NR_signalfd4, -1, p, SIGSET_SIZE, 0));
	OK(close(fd));
}

CHECK(signalfd_read)
{
	sigset_t set;
	struct signalfd_siginfo info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	int fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
	OK(kill(getpid(), SIGUSR1));
	EQ(read(fd, &info, sizeof(info)), sizeof(info));
	EQ(info.ssi_signo, SIGUSR1);
	EQ(info.ssi_pid, getpid());
	EQ(info.ssi_uid, getuid());
	EQ(info.ssi_code, SI_USER);
	OK(close(fd));
}

CHECK(pipes)
{
	int p[2] = { -1, -1 }, n;
	char text[16];

	OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	EQ(fcntl(p[0], F_GETFL), O_RDONLY | O_NONBLOCK);
	EQ(fcntl(p[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	ERR(read(p[0], text, 16), EAGAIN);
	EQ(write(p[1], "abcdef", 6), 6);
	OK(ioctl(p[0], FIONREAD, &n));
	EQ(n, 6);
	EQ(read(p[0], text, 2), 2);
	EQ(read(p[0], text, 16), 4);
	static char big[1 << 20];
	EQ(write(p[1], big, sizeof(big)), 65536);
	ERR(write(p[1], big, 1), EAGAIN);
	OK(close(p[0]));
	OK(close(p[1]));
	ERR(pipe2(p, 0x40000000), EINVAL);
	EFAULTS(q, syscall(__NR_pipe2, q, 0));
	ERR(syscall(__NR_pipe2, check_edge() - 4, 0), EFAULT);
#ifdef __NR_pipe
	OK(syscall(__NR_pipe, p));
	EQ(write(p[1], "x", 1), 1);
	EQ(read(p[0], text, 1), 1);
	OK(close(p[0]));
	OK(close(p[1]));
#endif
}

CHECK(packet_pipes)
{
	int p[2];
	char text[16];

	OK(pipe2(p, O_DIRECT));
	EQ(fcntl(p[1], F_GETFL), O_WRONLY | O_DIRECT);
	EQ(write(p[1], "one", 3), 3);
	EQ(write(p[1], "second", 6), 6);
	EQ(read(p[0], text, 16), 3);
	EQ(read(p[0], text, 2), 2);
	OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	ERR(read(p[0], text, 16), EAGAIN);
	OK(close(p[0]));
	OK(close(p[1]));
}

CHECK_MAIN
