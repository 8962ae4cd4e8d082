// poll, ppoll, select, pselect6.
#include "../check.h"

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <time.h>

#if __SIZEOF_LONG__ == 8
#define PPOLL __NR_ppoll
#define PSELECT __NR_pselect6
#else
#define PPOLL __NR_ppoll_time64
#define PSELECT __NR_pselect6_time64
#endif

struct timespec64 {
	int64_t sec, nsec;
};

static int p[2];

static void open_pipe(void)
{
	OK(pipe(p));
}

static void close_pipe(void)
{
	OK(close(p[0]));
	OK(close(p[1]));
}

static int64_t now(void)
{
	struct timespec t;

	OK(clock_gettime(CLOCK_MONOTONIC, &t));
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

CHECK(poll)
{
	open_pipe();
	struct pollfd f[4] = { { p[0], POLLIN, 99 }, { p[1], POLLOUT, 0 },
			       { -1, POLLIN, 99 }, { 9999, POLLIN, 0 } };

	EQ(poll(f, 1, 0), 0);
	EQ(f[0].revents, 0);
	EQ(poll(f, 3, 0), 1);
	EQ(f[1].revents, POLLOUT);
	EQ(f[2].revents, 0);
	EQ(poll(f, 4, 0), 2);
	EQ(f[3].revents, POLLNVAL);
	EQ(write(p[1], "x", 1), 1);
	EQ(poll(f, 3, -1), 2);
	EQ(f[0].revents, POLLIN);
	f[0].events = POLLIN | POLLRDNORM;
	EQ(poll(f, 1, 1000), 1);
	EQ(f[0].revents, POLLIN | POLLRDNORM);
	OK(close(p[1]));
	EQ(poll(f, 1, 0), 1);
	EQ(f[0].revents, POLLIN | POLLRDNORM | POLLHUP);
	OK(close(p[0]));
	open_pipe();
	OK(close(p[0]));
	f[1].fd = p[1];
	EQ(poll(f + 1, 1, 0), 1);
	EQ(f[1].revents, POLLOUT | POLLERR);
	OK(close(p[1]));
}

CHECK(poll_timeout)
{
	int64_t start = now();

	EQ(poll(NULL, 0, 10), 0);
	TRUE(now() - start >= 10000000);
}

CHECK(poll_errors)
{
	struct pollfd *f = (struct pollfd *)check_edge() - 1;

	f->fd = -1;
	EQ(poll(f, 1, 0), 0);
	ERR(poll(f, 2, 0), EFAULT);
	ERR(poll(f, -1, 0), EINVAL);
	EFAULTS(q, poll(q, 1, 0));
}

CHECK(ppoll)
{
	open_pipe();
	struct pollfd f = { p[0], POLLIN, 0 };
	struct timespec64 t = { 0, 5000000 };
	raw_sigset mask = raw_set(1ULL << (SIGUSR1 - 1));
	int64_t start = now();

	EQ(syscall(PPOLL, &f, 1, &t, NULL, SIGSET_SIZE), 0);
	TRUE(now() - start >= 5000000);
	/* Linux tells the time that was left. */
	EQ(t.sec, 0);
	EQ(t.nsec, 0);
	EQ(write(p[1], "x", 1), 1);
	t.sec = 0x100000000LL;
	EQ(syscall(PPOLL, &f, 1, &t, &mask, SIGSET_SIZE), 1);
	EQ(f.revents, POLLIN);
	TRUE(t.sec >= 0xfffffff0LL);
	EQ(syscall(PPOLL, &f, 1, NULL, &mask, SIGSET_SIZE), 1);
	ERR(syscall(PPOLL, &f, 1, NULL, &mask, 4), EINVAL);
	t = (struct timespec64){ -1, 0 };
	ERR(syscall(PPOLL, &f, 1, &t, NULL, SIGSET_SIZE), EINVAL);
	t = (struct timespec64){ 0, 1000000000 };
	ERR(syscall(PPOLL, &f, 1, &t, NULL, SIGSET_SIZE), EINVAL);
	for (int i = 0; i < BAD_POINTERS - 1; i++) {
		ERR(syscall(PPOLL, &f, 1, bad_pointer(i), NULL, SIGSET_SIZE), EFAULT);
		ERR(syscall(PPOLL, &f, 1, NULL, bad_pointer(i), SIGSET_SIZE), EFAULT);
	}
	close_pipe();
}

CHECK(select)
{
	fd_set r, w, e;
	struct timeval tv = { 0, 3000 };
	int high;

	open_pipe();
	high = OK(fcntl(p[1], F_DUPFD, 700));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[0], &r);
	EQ(select(high + 1, &r, &w, &e, &tv), 0);
	TRUE(!FD_ISSET(p[0], &r));
	EQ(tv.tv_sec, 0);
	EQ(tv.tv_usec, 0);
	FD_SET(p[0], &r);
	FD_SET(high, &w);
	EQ(select(high + 1, &r, &w, NULL, NULL), 1);
	TRUE(FD_ISSET(high, &w));
	TRUE(!FD_ISSET(p[0], &r));
	EQ(write(high, "x", 1), 1);
	FD_SET(p[0], &r);
	EQ(select(high + 1, &r, &w, &e, NULL), 2);
	TRUE(FD_ISSET(p[0], &r) && FD_ISSET(high, &w));
	/* Bits at and above the count are not looked at. */
	FD_ZERO(&w);
	FD_SET(900, &w);
	FD_SET(p[0], &r);
	EQ(select(high + 1, &r, &w, NULL, NULL), 1);
	OK(close(high));
	FD_ZERO(&r);
	FD_SET(high, &r);
	ERR(select(high + 1, &r, NULL, NULL, NULL), EBADF);
	ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	close_pipe();
}

CHECK(pselect6)
{
	fd_set r;
	struct timespec64 t = { 0, 2000000 };
	raw_sigset set = raw_set(1ULL << (SIGUSR2 - 1));
	struct {
		const void *set;
		size_t size;
	} mask = { &set, SIGSET_SIZE };

	open_pipe();
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	EQ(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, &t, &mask), 0);
	EQ(t.nsec, 0);
	EQ(write(p[1], "x", 1), 1);
	FD_SET(p[0], &r);
	EQ(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, NULL, &mask), 1);
	EQ(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, NULL, NULL), 1);
	mask.size = 5;
	ERR(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, NULL, &mask), EINVAL);
	mask.set = NULL;
	EQ(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, NULL, &mask), 1);
	t.nsec = -1;
	ERR(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, &t, NULL), EINVAL);
	for (int i = 0; i < BAD_POINTERS - 1; i++) {
		void *bad = bad_pointer(i);

		ERR(syscall(PSELECT, p[0] + 1, bad, NULL, NULL, NULL, NULL),
		    EFAULT);
		ERR(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, bad, NULL),
		    EFAULT);
		ERR(syscall(PSELECT, p[0] + 1, &r, NULL, NULL, NULL, bad),
		    EFAULT);
	}
	close_pipe();
}

#if __SIZEOF_LONG__ == 4
CHECK(time32_calls)
{
	fd_set r;
	int32_t t[2] = { 0, 1000 };

	open_pipe();
	struct pollfd f = { p[0], POLLIN, 0 };
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	EQ(syscall(__NR__newselect, p[0] + 1, &r, NULL, NULL, t), 0);
	EQ(t[1], 0);
	t[1] = 1000;
	FD_SET(p[0], &r);
	EQ(syscall(__NR_pselect6, p[0] + 1, &r, NULL, NULL, t, NULL), 0);
	t[1] = 1000;
	EQ(syscall(__NR_ppoll, &f, 1, t, NULL, SIGSET_SIZE), 0);
	EQ(write(p[1], "x", 1), 1);
	t[0] = 1000;
	EQ(syscall(__NR_ppoll, &f, 1, t, NULL, SIGSET_SIZE), 1);
	TRUE(t[0] == 1000 || t[0] == 999);
	FD_SET(p[0], &r);
	EQ(syscall(__NR__newselect, p[0] + 1, &r, NULL, NULL, t), 1);
	t[1] = -1;
	ERR(syscall(__NR_pselect6, p[0] + 1, &r, NULL, NULL, t, NULL), EINVAL);
	close_pipe();
}
#endif

CHECK_MAIN
