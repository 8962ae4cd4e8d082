// A signal between two instructions repeats none and leaves none out, however long the last system call is ago.
#include "../check.h"
#include <sys/time.h>

enum { SIGNALS = 400 };
static volatile sig_atomic_t taken;

static void handler(int number)
{
	(void)number;
	taken++;
}

/* Short blocks that lead to one another, each of which would change the result if it were executed twice. */
static uint32_t __attribute__((noinline)) step(uint32_t value, uint32_t by)
{
	volatile uint32_t frame[4] = { value, by, value ^ by, 7 };

	if (value & 1)
		frame[0] += frame[2];
	else
		frame[0] ^= frame[3] << 5;
	for (unsigned i = 0; i < 3; i++)
		frame[i & 1] = frame[i] * 5 + frame[i + 1];
	return frame[0] * 1664525 + frame[1];
}

static uint32_t __attribute__((noinline)) work(uint32_t value)
{
	for (uint32_t i = 0; i < 2000; i++)
		value = step(value, i);
	return value;
}

CHECK(results_hold)
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval often = { { 0, 1500 }, { 0, 1500 } }, never = { { 0, 0 }, { 0, 0 } };
	uint32_t expected = work(1), wrong = 0;

	OK(sigaction(SIGALRM, &action, NULL));
	OK(setitimer(ITIMER_REAL, &often, NULL));
	while (taken < SIGNALS) {
		getppid();
		wrong += work(1) != expected;
	}
	OK(setitimer(ITIMER_REAL, &never, NULL));
	EQ(wrong, 0);
}

CHECK_MAIN
