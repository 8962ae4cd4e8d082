// Clocks: clock_gettime and its relations in all forms, with both widths of time_t.
#include "../check.h"

#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

struct timespec64 {
	int64_t sec, nsec;
};

#if __SIZEOF_LONG__ == 8
#define GETTIME __NR_clock_gettime
#define GETRES __NR_clock_getres
#define SETTIME __NR_clock_settime
#define NANOSLEEP __NR_clock_nanosleep
#else
#define GETTIME __NR_clock_gettime64
#define GETRES __NR_clock_getres_time64
#define SETTIME __NR_clock_settime64
#define NANOSLEEP __NR_clock_nanosleep_time64
#endif

static const int clocks[] = {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
	CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI,
};

static int64_t now(int clock)
{
	struct timespec64 t;

	OK(syscall(GETTIME, clock, &t));
	return t.sec * 1000000000 + t.nsec;
}

CHECK(clock_gettime)
{
	for (int i = 0; i < COUNT(clocks); i++) {
		struct timespec64 a = { -1, -1 }, b;
		struct timespec c;

		OK(syscall(GETTIME, clocks[i], &a));
		TRUE(a.nsec >= 0 && a.nsec < 1000000000);
		OK(clock_gettime(clocks[i], &c));
		OK(syscall(GETTIME, clocks[i], &b));
		/* libc may use the vDSO: it agrees with the kernel. */
		TRUE(a.sec <= c.tv_sec && c.tv_sec <= b.sec);
		TRUE(b.sec - a.sec <= 2);
	}
	EFAULTS(p, syscall(GETTIME, CLOCK_REALTIME, p));
}

CHECK(invalid_clocks)
{
	struct timespec64 t = { 0, 0 };

	ERR(syscall(GETTIME, 99, &t), EINVAL);
	ERR(syscall(GETTIME, -1, &t), EINVAL);
	ERR(syscall(GETRES, 99, &t), EINVAL);
	ERR(syscall(NANOSLEEP, 99, 0, &t, NULL), EINVAL);
	ERR(syscall(SETTIME, CLOCK_MONOTONIC, &t), EINVAL);
}

CHECK(clock_getres)
{
	for (int i = 0; i < COUNT(clocks); i++) {
		struct timespec64 t = { -1, -1 };

		OK(syscall(GETRES, clocks[i], &t));
		EQ(t.sec, 0);
		TRUE(t.nsec > 0 && t.nsec <= 100000000);
		OK(syscall(GETRES, clocks[i], NULL));
	}
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(GETRES, CLOCK_REALTIME, bad_pointer(i)), EFAULT);
}

CHECK(cpu_clock_of_a_process)
{
	clockid_t id;
	struct timespec t;

	EQ(clock_getcpuclockid(0, &id), 0);
	OK(clock_gettime(id, &t));
	EQ(clock_getcpuclockid(getpid(), &id), 0);
	OK(clock_gettime(id, &t));
	TRUE(t.tv_sec < 10);
}

CHECK(clocks_go_on)
{
	int64_t a = now(CLOCK_MONOTONIC), c = now(CLOCK_PROCESS_CPUTIME_ID);
	volatile unsigned x = 0;

	for (int i = 0; i < 1000000; i++)
		x += i;
	TRUE(now(CLOCK_MONOTONIC) > a);
	TRUE(now(CLOCK_PROCESS_CPUTIME_ID) > c);
	TRUE(now(CLOCK_BOOTTIME) >= a);
}

CHECK(gettimeofday)
{
	struct timeval tv;
	struct timezone tz = { -1, -1 };
	int64_t a = now(CLOCK_REALTIME);
	long old[2];

	OK(gettimeofday(&tv, NULL));
	TRUE(llabs(tv.tv_sec - a / 1000000000) <= 1);
	TRUE(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	OK(syscall(__NR_gettimeofday, old, &tz));
	TRUE(tz.tz_minuteswest >= -24 * 60);
	TRUE(llabs(old[0] - (long long)(a / 1000000000)) <= 2);
	OK(syscall(__NR_gettimeofday, NULL, NULL));
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(__NR_gettimeofday, bad_pointer(i), NULL), EFAULT);
	TRUE(llabs(time(NULL) - (long long)(a / 1000000000)) <= 2);
#ifdef __NR_time
	long t = 0, result = OK(syscall(__NR_time, &t));

	EQ(result, t);
	TRUE(llabs(t - (long long)(a / 1000000000)) <= 2);
#endif
}

#if __SIZEOF_LONG__ == 4
CHECK(time32_calls)
{
	int32_t t[2] = { -1, -1 };

	for (int i = 0; i < COUNT(clocks); i++) {
		OK(syscall(__NR_clock_gettime, clocks[i], t));
		TRUE(t[1] >= 0 && t[1] < 1000000000);
		TRUE(llabs(t[0] - now(clocks[i]) / 1000000000) <= 1);
		OK(syscall(__NR_clock_getres, clocks[i], t));
		EQ(t[0], 0);
		TRUE(t[1] > 0);
	}
	t[0] = 0;
	t[1] = 2000000;
	int64_t before = now(CLOCK_MONOTONIC);
	OK(syscall(__NR_clock_nanosleep, CLOCK_MONOTONIC, 0, t, NULL));
	OK(syscall(__NR_nanosleep, t, NULL));
	TRUE(now(CLOCK_MONOTONIC) - before >= 4000000);
	t[1] = 1000000000;
	ERR(syscall(__NR_nanosleep, t, NULL), EINVAL);
	ERR(syscall(__NR_clock_settime, CLOCK_MONOTONIC, t), EINVAL);
	EFAULTS(p, syscall(__NR_clock_gettime, CLOCK_REALTIME, p));
	EFAULTS(p, syscall(__NR_nanosleep, p, NULL));
}
#endif

CHECK(nanosleep)
{
	struct timespec t = { 0, 5000000 }, rest = { 7, 7 };
	int64_t before = now(CLOCK_MONOTONIC);

	OK(nanosleep(&t, &rest));
	TRUE(now(CLOCK_MONOTONIC) - before >= 5000000);
	/* The rest is written only when a signal ended the sleep. */
	EQ(rest.tv_sec, 7);
	t.tv_nsec = 1000000000;
	ERR(nanosleep(&t, NULL), EINVAL);
	t.tv_nsec = -1;
	ERR(nanosleep(&t, NULL), EINVAL);
	t = (struct timespec){ -1, 0 };
	ERR(nanosleep(&t, NULL), EINVAL);
	t = (struct timespec){ 0, 0 };
	OK(nanosleep(&t, NULL));
	EFAULTS(p, syscall(__NR_nanosleep, p, NULL));
}

CHECK(clock_nanosleep)
{
	struct timespec64 t;
	static const int can[] = { CLOCK_REALTIME, CLOCK_MONOTONIC,
				   CLOCK_BOOTTIME };

	for (int i = 0; i < COUNT(can); i++) {
		int64_t until = now(can[i]) + 3000000;

		t = (struct timespec64){ until / 1000000000,
					 until % 1000000000 };
		OK(syscall(NANOSLEEP, can[i], TIMER_ABSTIME, &t, NULL));
		TRUE(now(can[i]) >= until);
		t = (struct timespec64){ 1, 0 };
		OK(syscall(NANOSLEEP, can[i], TIMER_ABSTIME, &t, NULL));
	}
	t.nsec = 1000000000;
	ERR(syscall(NANOSLEEP, CLOCK_REALTIME, 0, &t, NULL), EINVAL);
	t.nsec = 0;
	ERR(syscall(NANOSLEEP, CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL),
	    EOPNOTSUPP);
	ERR(syscall(NANOSLEEP, CLOCK_MONOTONIC_RAW, 0, &t, NULL), EOPNOTSUPP);
	EFAULTS(p, syscall(NANOSLEEP, CLOCK_REALTIME, 0, p, NULL));
}

CHECK(settime_without_effect)
{
	struct timespec64 t = { 0, -1 };

	/* Wrong values are refused before privileges are looked at. */
	ERR(syscall(SETTIME, CLOCK_REALTIME, &t), EINVAL);
	ERR(syscall(SETTIME, 99, &t), EINVAL);
	EFAULTS(p, syscall(SETTIME, CLOCK_REALTIME, p));
	EFAULTS(p, syscall(__NR_settimeofday, (char *)p + 8 * (p == NULL),
			   NULL));
}

CHECK(times)
{
	struct tms t;
	clock_t a = times(&t), b;

	TRUE(a != -1);
	TRUE(t.tms_utime >= 0 && t.tms_stime >= 0);
	EQ(t.tms_cutime, 0);
	b = times(NULL);
	TRUE(b >= a && b - a < 200);
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(__NR_times, bad_pointer(i)), EFAULT);
	TRUE(clock() != -1);
}

CHECK(adjtimex)
{
	struct timex t = { .modes = 0 };
	int state = OK(adjtimex(&t));

	TRUE(state >= TIME_OK && state <= TIME_ERROR);
	TRUE(t.tick >= 9000 && t.tick <= 11000);
	TRUE(llabs(t.time.tv_sec - (long long)time(NULL)) <= 1);
	t = (struct timex){ .modes = 0 };
	EQ(OK(clock_adjtime(CLOCK_REALTIME, &t)), state);
	TRUE(t.tick >= 9000 && t.tick <= 11000);
	ERR(clock_adjtime(99, &t), EINVAL);
	EFAULTS(p, syscall(__NR_adjtimex, p));
#ifdef __NR_clock_adjtime64
	struct {
		uint32_t modes, pad;
		int64_t offset, freq, maxerror, esterror;
		int32_t status, pad2;
		int64_t constant, precision, tolerance, sec, usec, tick;
		int64_t rest[20];
	} x = { 0 };

	EQ(OK(syscall(__NR_clock_adjtime64, CLOCK_REALTIME, &x)), state);
	TRUE(x.tick >= 9000 && x.tick <= 11000);
	TRUE(llabs(x.sec - (long long)time(NULL)) <= 1);
	EFAULTS(p, syscall(__NR_clock_adjtime64, CLOCK_REALTIME, p));
#endif
}

CHECK(local_time)
{
	struct tm tm;
	time_t t = 1000000000;

	gmtime_r(&t, &tm);
	EQ(tm.tm_year, 101);
	EQ(tm.tm_mon, 8);
	EQ(tm.tm_mday, 9);
	EQ(tm.tm_hour, 1);
	EQ(timegm(&tm), 1000000000);
}

CHECK_MAIN
