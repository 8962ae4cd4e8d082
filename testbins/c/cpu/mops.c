// arches: aarch64
// no-reference: qemu 7.2 has no FEAT_MOPS (tests/test_newer_qemu.py)
// Memory copy and memory set instructions (Arm ARM C6, CPYP, CPYFP, SETP; FEAT_MOPS).
#include "../check.h"

#include <sys/auxv.h>
#include <time.h>

#if defined(__aarch64__)
#define NEEDS_MOPS                             \
	if (!(getauxval(AT_HWCAP2) >> 43 & 1)) \
	NA("%s", "no FEAT_MOPS")

/* Encodings, since assemblers are older: [x0]!, [x1]!, x2!. */
#define THREE(name, p, m, e)                                                               \
	static void name(void *to, const void *from, size_t n)                             \
	{                                                                                  \
		register uint64_t x0 __asm__("x0") = (uint64_t)to;                         \
		register uint64_t x1 __asm__("x1") = (uint64_t)from;                       \
		register uint64_t x2 __asm__("x2") = n;                                    \
		__asm__ volatile(".inst " #p "\n\t.inst " #m "\n\t.inst " #e               \
				 : "+r"(x0), "+r"(x1), "+r"(x2)                            \
				 :                                                         \
				 : "memory", "cc");                                        \
		(void)x1;                                                                  \
		left = x2;                                                                 \
		moved = x0 - (uint64_t)to;                                                 \
	}
static uint64_t left, moved;
THREE(copy_forward, 0x19010440, 0x19410440, 0x19810440)
THREE(copy, 0x1d010440, 0x1d410440, 0x1d810440)
/* setp [x0]!, x2!, x1 */
THREE(set, 0x19c10440, 0x19c14440, 0x19c18440)

enum { SIZE = 3000 };
static uint8_t a[SIZE], b[SIZE];

static void fill(uint8_t *p)
{
	for (int i = 0; i < SIZE; i++)
		p[i] = i * 7 + (i >> 8);
}

static int differs(size_t at, size_t n, const uint8_t *from, int value)
{
	for (size_t i = 0; i < SIZE; i++) {
		int inside = i >= at && i < at + n;
		int want = !inside ? b[i] : from ? from[i - at] : value;
		if (a[i] != want)
			return 1;
	}
	return 0;
}

CHECK(forward_copies_of_all_sizes)
{
	NEEDS_MOPS;
	uint8_t from[SIZE];
	fill(from);
	for (size_t n = 0; n < 700; n++) {
		memset(a, 0xaa, SIZE);
		memset(b, 0xaa, SIZE);
		copy_forward(a + 100 + n % 17, from + n % 13, n);
		EQ(left, 0);
		EQ(moved, n);
		TRUE(!differs(100 + n % 17, n, from + n % 13, 0));
	}
}

CHECK(copies_that_overlap)
{
	NEEDS_MOPS;
	uint8_t from[SIZE];
	fill(from);
	for (size_t n = 0; n < 400; n++)
		for (int by = -130; by <= 130; by += 13) {
			fill(a);
			fill(b);
			copy(a + 500 + by, a + 500, n);
			EQ(left, 0);
			TRUE(!differs(500 + by, n, from + 500, 0));
		}
}

CHECK(sets_of_all_sizes)
{
	NEEDS_MOPS;
	for (size_t n = 0; n < 700; n++) {
		fill(a);
		fill(b);
		set(a + 100 + n % 17, (void *)(0xdead00 + n % 256), n);
		EQ(left, 0);
		EQ(moved, n);
		TRUE(!differs(100 + n % 17, n, NULL, n % 256));
	}
}

static sigjmp_buf back;
static siginfo_t seen;
static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	seen = *info;
	siglongjmp(back, number);
}

static uint8_t *pages;
static void on_fault_mend(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	seen = *info;
	mprotect(pages + 4096, 4096, PROT_READ | PROT_WRITE);
}

CHECK(a_fault_in_the_middle)
{
	NEEDS_MOPS;
	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(pages + 4096, 4096, PROT_NONE);
	struct sigaction die = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &die, NULL);
	if (sigsetjmp(back, 1) == 0) {
		copy(pages + 2000, a, SIZE);
		FAIL("%s", "no fault");
	}
	TRUE((uint8_t *)seen.si_addr >= pages + 4096 && (uint8_t *)seen.si_addr < pages + 5000);
	if (sigsetjmp(back, 1) == 0) {
		set(pages + 4090, NULL, 100);
		FAIL("%s", "no fault");
	}
	/* The instruction goes on where it was. */
	struct sigaction mend = { .sa_sigaction = on_fault_mend, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &mend, NULL);
	fill(a);
	copy(pages + 2000, a, SIZE);
	TRUE(memcmp(pages + 2000, a, SIZE) == 0);
	mprotect(pages + 4096, 4096, PROT_NONE);
	copy_forward(a, pages + 2000, SIZE);
	TRUE(memcmp(pages + 2000, a, SIZE) == 0);
	mprotect(pages + 4096, 4096, PROT_NONE);
	set(pages + 1, (void *)5, 8000);
	int n = 0;
	for (int i = 1; i <= 8000; i++)
		n += pages[i] == 5;
	EQ(n, 8000);
}

static volatile int alarms;
static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

CHECK(signals_come_between)
{
	NEEDS_MOPS;
	size_t n = 64 << 20;
	uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	signal(SIGVTALRM, on_alarm);
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM };
	OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer));
	struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } }, never = { { 0, 0 }, { 0, 0 } };
	OK(timer_settime(timer, 0, &often, NULL));
	for (int i = 0; i < 200 && alarms < 3; i++) {
		set(p, (void *)(uintptr_t)(i + 1), n);
		TRUE(p[0] == (uint8_t)(i + 1) && memcmp(p, p + 1, n - 1) == 0);
	}
	OK(timer_settime(timer, 0, &never, NULL));
	TRUE(alarms > 0);
}

CHECK(what_is_undefined)
{
	NEEDS_MOPS;
	struct sigaction die = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGILL, &die, NULL);
	/* cpyfp [x0]!, [x0]!, x2! */
	if (sigsetjmp(back, 1) == 0) {
		__asm__ volatile(".inst 0x19000440" ::: "x0", "x2", "memory", "cc");
		FAIL("%s", "no signal");
	}
	EQ(seen.si_code, ILL_ILLOPC);
}
#endif
CHECK_MAIN
