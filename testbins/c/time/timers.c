// timerfd, POSIX timers that send no signal, interval timers.
// libs: -lrt
#include "../check.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

struct spec64 {
	int64_t interval_sec, interval_nsec, sec, nsec;
};

#if __SIZEOF_LONG__ == 8
#define FD_SETTIME __NR_timerfd_settime
#define FD_GETTIME __NR_timerfd_gettime
#define SETTIME __NR_timer_settime
#define GETTIME __NR_timer_gettime
#else
#define FD_SETTIME __NR_timerfd_settime64
#define FD_GETTIME __NR_timerfd_gettime64
#define SETTIME __NR_timer_settime64
#define GETTIME __NR_timer_gettime64
#endif

CHECK(timerfd)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct spec64 t = { 0, 2000000, 0, 1000000 }, old;
	uint64_t count;

	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ERR(read(fd, &count, 8), EAGAIN);
	OK(syscall(FD_SETTIME, fd, 0, &t, &old));
	EQ(old.sec, 0);
	EQ(old.nsec, 0);
	struct pollfd p = { fd, POLLIN, 0 };
	EQ(poll(&p, 1, 1000), 1);
	usleep(10000);
	EQ(read(fd, &count, 8), 8);
	TRUE(count >= 3 && count < 1000);
	OK(syscall(FD_GETTIME, fd, &t));
	EQ(t.interval_nsec, 2000000);
	TRUE(t.sec == 0 && t.nsec <= 2000000);
	ERR(read(fd, &count, 4), EINVAL);
	OK(close(fd));
}

CHECK(timerfd_far_future)
{
	int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
	struct spec64 t = { 0, 0, 0x123456789LL, 5 };

	OK(syscall(FD_SETTIME, fd, 0, &t, NULL));
	OK(syscall(FD_GETTIME, fd, &t));
	TRUE(t.sec >= 0x123456780LL && t.sec <= 0x123456789LL);
	EQ(t.interval_sec, 0);
	OK(close(fd));
}

CHECK(timerfd_absolute)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
	struct spec64 t = { 0, 0, 0, 1 };
	uint64_t count = 0;

	OK(syscall(FD_SETTIME, fd, TFD_TIMER_ABSTIME, &t, NULL));
	EQ(read(fd, &count, 8), 8);
	EQ(count, 1);
	OK(close(fd));
}

CHECK(timerfd_errors)
{
	int fd = OK(timerfd_create(CLOCK_BOOTTIME, 0));
	struct spec64 t = { 0, 0, 0, 1000000000 };
	struct itimerspec small;

	ERR(timerfd_create(99, 0), EINVAL);
	ERR(timerfd_create(CLOCK_MONOTONIC, 0x10), EINVAL);
	ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	ERR(syscall(FD_SETTIME, fd, 0, &t, NULL), EINVAL);
	t.nsec = 0;
	ERR(syscall(FD_SETTIME, fd, 0x100, &t, NULL), EINVAL);
	ERR(syscall(FD_SETTIME, 0, 0, &t, NULL), EINVAL);
	ERR(syscall(FD_SETTIME, -1, 0, &t, NULL), EBADF);
	ERR(timerfd_gettime(-1, &small), EBADF);
	EFAULTS(p, syscall(FD_SETTIME, fd, 0, p, NULL));
	EFAULTS(p, syscall(FD_GETTIME, fd, p));
	OK(close(fd));
}

#if __SIZEOF_LONG__ == 4
CHECK(timerfd_time32)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
	int32_t t[4] = { 0, 5000000, 100, 7 }, old[4];

	OK(syscall(__NR_timerfd_settime, fd, 0, t, NULL));
	OK(syscall(__NR_timerfd_gettime, fd, old));
	EQ(old[1], 5000000);
	TRUE(old[2] == 99 || old[2] == 100);
	memset(t, 0, sizeof(t));
	OK(syscall(__NR_timerfd_settime, fd, 0, t, old));
	TRUE(old[2] == 99 || old[2] == 100);
	EFAULTS(p, syscall(__NR_timerfd_settime, fd, 0, p, NULL));
	EFAULTS(p, syscall(__NR_timerfd_gettime, fd, p));
	OK(close(fd));
}
#endif

CHECK(posix_timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct spec64 t = { 1, 5, 0x100000002LL, 7 }, old;
	int id = -1;

	OK(syscall(__NR_timer_create, CLOCK_MONOTONIC, &event, &id));
	TRUE(id >= 0);
	OK(syscall(GETTIME, id, &old));
	EQ(old.sec, 0);
	OK(syscall(SETTIME, id, 0, &t, NULL));
	OK(syscall(GETTIME, id, &old));
	EQ(old.interval_sec, 1);
	EQ(old.interval_nsec, 5);
	TRUE(old.sec >= 0x100000000LL && old.sec <= 0x100000002LL);
	t = (struct spec64){ 0, 1000000, 0, 1000000 };
	OK(syscall(SETTIME, id, 0, &t, &old));
	EQ(old.interval_nsec, 5);
	EQ(syscall(__NR_timer_getoverrun, id), 0);
	t.nsec = -1;
	ERR(syscall(SETTIME, id, 0, &t, NULL), EINVAL);
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(SETTIME, id, 0, bad_pointer(i), NULL), EFAULT);
	ERR(syscall(SETTIME, id, 0, NULL, NULL), EINVAL);
	EFAULTS(p, syscall(GETTIME, id, p));
	OK(syscall(__NR_timer_delete, id));
	ERR(syscall(__NR_timer_delete, id), EINVAL);
	ERR(syscall(GETTIME, id, &t), EINVAL);
	ERR(syscall(__NR_timer_getoverrun, id), EINVAL);
}

CHECK(posix_timer_errors)
{
	struct sigevent event = { .sigev_notify = 77 };
	int id;

	ERR(syscall(__NR_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
	event.sigev_notify = SIGEV_NONE;
	ERR(syscall(__NR_timer_create, 99, &event, &id), EINVAL);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = 1000;
	ERR(syscall(__NR_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
	event.sigev_notify = SIGEV_NONE;
	EFAULTS(p, syscall(__NR_timer_create, CLOCK_MONOTONIC, &event, p));
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(__NR_timer_create, CLOCK_MONOTONIC, bad_pointer(i),
			    &id), EFAULT);
}

#if __SIZEOF_LONG__ == 4
CHECK(posix_timer_time32)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int32_t t[4] = { 3, 4, 1000, 6 }, old[4];
	int id;

	OK(syscall(__NR_timer_create, CLOCK_REALTIME, &event, &id));
	OK(syscall(__NR_timer_settime, id, 0, t, NULL));
	OK(syscall(__NR_timer_gettime, id, old));
	EQ(old[0], 3);
	EQ(old[1], 4);
	TRUE(old[2] == 999 || old[2] == 1000);
	OK(syscall(__NR_timer_delete, id));
}
#endif

CHECK(interval_timer)
{
	static const int kinds[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

	for (int i = 0; i < COUNT(kinds); i++) {
		struct itimerval t = { { 0, 0 }, { 1000, 0 } }, old;

		OK(getitimer(kinds[i], &old));
		EQ(old.it_value.tv_sec, 0);
		OK(setitimer(kinds[i], &t, &old));
		EQ(old.it_value.tv_sec, 0);
		OK(getitimer(kinds[i], &old));
		TRUE(old.it_value.tv_sec >= 999 && old.it_value.tv_sec <= 1001);
		EQ(old.it_interval.tv_sec, 0);
		t.it_value.tv_usec = 1000000;
		ERR(setitimer(kinds[i], &t, NULL), EINVAL);
		t = (struct itimerval){ 0 };
		OK(setitimer(kinds[i], &t, &old));
		TRUE(old.it_value.tv_sec >= 999);
	}
	struct itimerval t;
	ERR(getitimer(9, &t), EINVAL);
	ERR(setitimer(9, &t, NULL), EINVAL);
	EFAULTS(p, syscall(__NR_getitimer, ITIMER_REAL, p));
}

CHECK(alarm)
{
	EQ(alarm(1000), 0);
	unsigned left = alarm(0);
	TRUE(left == 999 || left == 1000);
	EQ(alarm(0), 0);
}

CHECK_MAIN
