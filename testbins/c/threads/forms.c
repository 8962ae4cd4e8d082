// No update is lost by any form of an atomic instruction, whatever threads use other forms on the same number.
// arches: riscv64 mipsel mips mips64el mips64 mipsn32el mipsn32 s390x ppc m68k x86_64 amd64 i386
// libs: -lpthread
// cflags-s390x: -march=z196
#include "../check.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 4000 };

static volatile uint32_t narrow;
static volatile uint64_t wide __attribute__((aligned(16)));

/* Each adds 1. */
#if defined(__riscv)
static void lr_sc(void)
{
	uint32_t value, failed;

	do
		__asm__ volatile("lr.w %0, (%2)\n\taddi %0, %0, 1\n\tsc.w %1, %0, (%2)"
				 : "=&r"(value), "=&r"(failed) : "r"(&narrow) : "memory");
	while (failed);
}

static void amo(void)
{
	__asm__ volatile("amoadd.w.aqrl zero, %1, (%0)" : : "r"(&narrow), "r"(1) : "memory");
}

static void lr_sc_wide(void)
{
	uint64_t value, failed;

	do
		__asm__ volatile("lr.d.aq %0, (%2)\n\taddi %0, %0, 1\n\tsc.d.rl %1, %0, (%2)"
				 : "=&r"(value), "=&r"(failed) : "r"(&wide) : "memory");
	while (failed);
}

static void amo_wide(void)
{
	__asm__ volatile("amoadd.d zero, %1, (%0)" : : "r"(&wide), "r"(1L) : "memory");
}
#define NARROW { lr_sc, amo }
#define WIDE { lr_sc_wide, amo_wide }
#elif defined(__mips__)
static void ll_sc(void)
{
	uint32_t value;

	__asm__ volatile(".set push\n\t.set noreorder\n1:\tll %0, (%1)\n\taddiu %0, %0, 1\n\t"
			 "sc %0, (%1)\n\tbeqz %0, 1b\n\tnop\n\t.set pop"
			 : "=&r"(value) : "r"(&narrow) : "memory");
}

/* What was loaded goes on in a delay slot. */
static void ll_sc_slot(void)
{
	uint32_t value, copy;

	__asm__ volatile(".set push\n\t.set noreorder\n1:\tll %0, (%2)\n\tb 2f\n\taddiu %1, %0, 1\n"
			 "2:\tsc %1, (%2)\n\tbeqz %1, 1b\n\tsync\n\t.set pop"
			 : "=&r"(value), "=&r"(copy) : "r"(&narrow) : "memory");
}
#define NARROW { ll_sc, ll_sc_slot }
#if _MIPS_SIM != _ABIO32
static void lld_scd(void)
{
	uint64_t value;

	__asm__ volatile(".set push\n\t.set noreorder\n1:\tlld %0, (%1)\n\tdaddiu %0, %0, 1\n\t"
			 "scd %0, (%1)\n\tbeqz %0, 1b\n\tnop\n\t.set pop"
			 : "=&r"(value) : "r"(&wide) : "memory");
}
#define WIDE { lld_scd, lld_scd }
#endif
#elif defined(__s390x__)
static void compare_and_swap(void)
{
	uint32_t old = narrow, new;

	__asm__ volatile("0:\tlr %1, %0\n\tahi %1, 1\n\tcs %0, %1, %2\n\tjl 0b"
			 : "+&d"(old), "=&d"(new), "+Q"(narrow) : : "cc", "memory");
}

static void compare_and_swap_far(void)
{
	uint32_t old = narrow, new;

	__asm__ volatile("0:\tlr %1, %0\n\tahi %1, 1\n\tcsy %0, %1, %2\n\tjl 0b"
			 : "+&d"(old), "=&d"(new), "+S"(narrow) : : "cc", "memory");
}

static void compare_and_swap_wide(void)
{
	uint64_t old = wide, new;

	__asm__ volatile("0:\tlgr %1, %0\n\taghi %1, 1\n\tcsg %0, %1, %2\n\tjl 0b"
			 : "+&d"(old), "=&d"(new), "+S"(wide) : : "cc", "memory");
}

/* Two words of 32 bits as one number. */
static void compare_double(void)
{
	register uint64_t old_high __asm__("2"), old_low __asm__("3");
	register uint64_t new_high __asm__("4"), new_low __asm__("5");
	uint64_t now = wide;

	old_high = now >> 32;
	old_low = now & 0xffffffff;
	__asm__ volatile("0:\tlr %2, %0\n\tlr %3, %1\n\talfi %3, 1\n\talcr %2, %5\n\tcds %0, %2, %4\n\tjl 0b"
			 : "+&d"(old_high), "+&d"(old_low), "=&d"(new_high), "=&d"(new_low), "+Q"(wide)
			 : "d"(0) : "cc", "memory");
}
#define NARROW { compare_and_swap, compare_and_swap_far }
#define WIDE { compare_and_swap_wide, compare_double }
#elif defined(__powerpc__)
static void lwarx_stwcx(void)
{
	uint32_t value;

	__asm__ volatile("1:\tlwarx %0, 0, %1\n\taddi %0, %0, 1\n\tstwcx. %0, 0, %1\n\tbne- 1b"
			 : "=&r"(value) : "r"(&narrow) : "cr0", "memory");
}

static void lwarx_indexed(void)
{
	uint32_t value;

	__asm__ volatile("sync\n1:\tlwarx %0, %1, %2\n\taddic %0, %0, 1\n\tstwcx. %0, %1, %2\n\tbne- 1b\n\tisync"
			 : "=&r"(value) : "b"((char *)&narrow - 64), "r"(64) : "cr0", "xer", "memory");
}
#define NARROW { lwarx_stwcx, lwarx_indexed }
#elif defined(__m68k__)
static void cas_long(void)
{
	uint32_t old = narrow, new;

	__asm__ volatile("1:\tmove.l %0, %1\n\taddq.l #1, %1\n\tcas.l %0, %1, %2\n\tjne 1b"
			 : "+&d"(old), "=&d"(new), "+m"(narrow) : : "cc", "memory");
}

/* The lower half, of a sum that does not leave it. */
static void cas_word(void)
{
	volatile uint16_t *low = (volatile uint16_t *)&narrow + 1;
	uint16_t old = *low, new;

	__asm__ volatile("1:\tmove.w %0, %1\n\taddq.w #1, %1\n\tcas.w %0, %1, %2\n\tjne 1b"
			 : "+&d"(old), "=&d"(new), "+m"(*low) : : "cc", "memory");
}
#define NARROW { cas_long, cas_word }
#elif defined(__i386__) || defined(__x86_64__)
static void add(void)
{
	__asm__ volatile("lock addl $1, %0" : "+m"(narrow) : : "cc", "memory");
}

static void increment(void)
{
	__asm__ volatile("lock incl %0" : "+m"(narrow) : : "cc", "memory");
}

static void subtract(void)
{
	__asm__ volatile("lock subl $-1, %0" : "+m"(narrow) : : "cc", "memory");
}

static void exchange_add(void)
{
	uint32_t by = 1;

	__asm__ volatile("lock xaddl %1, %0" : "+m"(narrow), "+r"(by) : : "cc", "memory");
}

static void compare_exchange(void)
{
	uint32_t old = narrow, new;

	__asm__ volatile("1:\tleal 1(%0), %1\n\tlock cmpxchgl %1, %2\n\tjne 1b"
			 : "+&a"(old), "=&r"(new), "+m"(narrow) : : "cc", "memory");
}
#define NARROW { add, increment, subtract, exchange_add, compare_exchange }

static void compare_exchange_8(void)
{
	uint64_t old = wide, new;
	uint8_t done;

	do {
		new = old + 1;
		__asm__ volatile("lock cmpxchg8b %1\n\tsete %2"
				 : "+A"(old), "+m"(wide), "=qm"(done)
				 : "b"((uint32_t)new), "c"((uint32_t)(new >> 32)) : "cc", "memory");
	} while (!done);
}
#ifdef __i386__
#define WIDE { compare_exchange_8, compare_exchange_8 }
#else
static void exchange_add_wide(void)
{
	uint64_t by = 1;

	__asm__ volatile("lock xaddq %1, %0" : "+m"(wide), "+r"(by) : : "cc", "memory");
}

static void compare_exchange_wide(void)
{
	uint64_t old = wide, new;

	__asm__ volatile("1:\tleaq 1(%0), %1\n\tlock cmpxchgq %1, %2\n\tjne 1b"
			 : "+&a"(old), "=&r"(new), "+m"(wide) : : "cc", "memory");
}
#define WIDE { exchange_add_wide, compare_exchange_wide }
#endif
#endif

typedef void (*form)(void);
static const form forms[] = NARROW;
#ifdef WIDE
static const form wide_forms[] = WIDE;
#endif

static void *adds(void *argument)
{
	intptr_t first = (intptr_t)argument;

	for (int i = 0; i < ROUNDS; i++) {
		forms[(first + i / 16) % COUNT(forms)]();
#ifdef WIDE
		wide_forms[(first + i / 16) % COUNT(wide_forms)]();
#endif
	}
	return NULL;
}

CHECK(sums)
{
	pthread_t threads[THREADS];

	narrow = 0;
	/* The sum goes over from the lower half to the upper one. */
	wide = 0xffffff00;
	for (intptr_t i = 0; i < THREADS; i++)
		EQ(pthread_create(&threads[i], NULL, adds, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		EQ(pthread_join(threads[i], NULL), 0);
	EQ(narrow, THREADS * ROUNDS);
#ifdef WIDE
	EQ(wide, 0xffffff00 + (uint64_t)THREADS * ROUNDS);
#endif
}

/* A bit or a lock that is set is set for one. */
static volatile uint32_t bits;
static volatile uint8_t lock __attribute__((aligned(4)));
static volatile uint32_t inside, visits;

static int takes(void)
{
#if defined(__m68k__)
	uint8_t free;

	__asm__ volatile("tas %1\n\tspl %0" : "=d"(free), "+m"(lock) : : "cc", "memory");
	return free;
#elif defined(__s390x__)
	int before;

	__asm__ volatile("ts %1\n\tipm %0\n\tsrl %0, 28" : "=d"(before), "+Q"(lock) : : "cc", "memory");
	return before == 0;
#elif defined(__i386__) || defined(__x86_64__)
	uint8_t before;

	__asm__ volatile("lock btsl $3, %1\n\tsetc %0" : "=qm"(before), "+m"(bits) : : "cc", "memory");
	return !before;
#else
	return !__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE);
#endif
}

static void gives(void)
{
#if defined(__i386__) || defined(__x86_64__)
	__asm__ volatile("lock btrl $3, %0" : "+m"(bits) : : "cc", "memory");
#else
	__atomic_clear(&lock, __ATOMIC_RELEASE);
#endif
}

static void *visits_alone(void *argument)
{
	intptr_t met = 0;

	for (int i = 0; i < ROUNDS / 8; i++) {
		while (!takes())
			;
		met += inside++;
		visits++;
		inside--;
		gives();
	}
	return (void *)(argument ? met : met);
}

CHECK(locks)
{
	pthread_t threads[THREADS];
	void *met;

	for (intptr_t i = 0; i < THREADS; i++)
		EQ(pthread_create(&threads[i], NULL, visits_alone, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		EQ(pthread_join(threads[i], &met), 0);
		EQ((intptr_t)met, 0);
	}
	EQ(visits, THREADS * (ROUNDS / 8));
	EQ(bits, 0);
}

CHECK_MAIN
