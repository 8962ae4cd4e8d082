// The generic timer's virtual counter, which Linux lets programs read: its frequency, and that it is the clock's.
// arches: aarch64 arm
// cflags-arm: -march=armv7ve+fp
/* CNTVCT and CNTFRQ: Arm ARM D13.8, G8.7; arch_counter_set_user_access of drivers/clocksource/arm_arch_timer.c. qemu-arm 7.2
   has neither for programs in AArch32. */
#include "../check.h"
#include <time.h>

#ifdef __aarch64__
static uint64_t ticks(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

static uint64_t frequency(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(v));
	return v;
}
#else
static uint64_t ticks(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrrc p15, 1, %Q0, %R0, c14" : "=r"(v) : : "memory");
	return v;
}

static uint64_t frequency(void)
{
	uint32_t v;

	__asm__ volatile("mrc p15, 0, %0, c14, c0, 0" : "=r"(v));
	return v;
}
#endif

static uint64_t nanoseconds(void)
{
	struct timespec t;

	OK(clock_gettime(CLOCK_MONOTONIC, &t));
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

CHECK(never_back)
{
	uint64_t last = ticks(), first = last;

	for (int i = 0; i < 10000; i++) {
		uint64_t now = ticks();
		if (now < last)
			check_fail(__FILE__, __LINE__, "the counter went back");
		last = now;
	}
	EQ(last > first, 1);
}

/* The ticks between two looks are not more than the time around them, and not less than the time within. */
CHECK(as_fast_as_it_says)
{
	struct timespec short_time = { 0, 50000000 };
	uint64_t f = frequency(), outer, first, inner, last;

	outer = nanoseconds();
	first = ticks();
	inner = nanoseconds();
	OK(nanosleep(&short_time, NULL));
	inner = nanoseconds() - inner;
	last = ticks();
	outer = nanoseconds() - outer;
	EQ(f >= 1000000 && f <= 1000000000, 1);
	/* A clock that is being adjusted may differ by 500 ppm; 2 ticks for where they begin. */
	uint64_t took = (last - first) * 1000000000 / f, tick = 2000000000 / f;
	EQ(took <= outer + outer / 1000 + tick, 1);
	EQ(took + tick + inner / 1000 >= inner, 1);
}

CHECK_MAIN
