// Arm's older and wider atomics in two and more threads: SWP beside LDREX, halves and bytes, pairs, kuser helpers.
// arches: arm armel
// cflags-arm: -marm
// cflags-armel: -marm -march=armv7-a -mfloat-abi=soft
// libs: -lpthread
/*
 * A SWP that is no atomic operation with respect to exclusives loses what they add. Sums that come out right by
 * chance cannot be: each thread does 200,000 updates while the others do.
 */
#include "../check.h"
#include <pthread.h>
#include <sched.h>

enum { ROUNDS = 200000 };

#define ZERO(call) EQ(call, 0)

static volatile int running;

static void together(void *(*a)(void *), void *(*b)(void *))
{
	pthread_t one, two;

	running = 1;
	ZERO(pthread_create(&one, NULL, a, NULL));
	ZERO(pthread_create(&two, NULL, b, NULL));
	ZERO(pthread_join(one, NULL));
	running = 0;
	ZERO(pthread_join(two, NULL));
}

/* Adds to *p by exclusives of a width ("", "b", "h"). */
#define ADD(suffix, p, n) do {                                                                       \
	int value_, failed_;                                                                         \
	do                                                                                           \
		__asm__ volatile("ldrex" suffix " %0, [%2]\n\tadd %0, %0, %3\n\tstrex" suffix        \
				 " %1, %0, [%2]"                                                     \
				 : "=&r"(value_), "=&r"(failed_) : "r"(p), "r"(n) : "memory");      \
	while (failed_);                                                                             \
} while (0)

/* SWP by its number: assemblers refuse it for Armv8. */
static uint32_t swp(volatile void *p, uint32_t v)
{
	register uint32_t new __asm__("r1") = v, old __asm__("r3");
	register volatile void *at __asm__("r2") = p;

	__asm__ volatile(".inst 0xe1023091 @ swp r3, r1, [r2]" : "=&r"(old) : "r"(new), "r"(at) : "memory");
	return old;
}

static uint32_t swpb(volatile void *p, uint32_t v)
{
	register uint32_t new __asm__("r1") = v, old __asm__("r3");
	register volatile void *at __asm__("r2") = p;

	__asm__ volatile(".inst 0xe1423091 @ swpb r3, r1, [r2]" : "=&r"(old) : "r"(new), "r"(at) : "memory");
	return old;
}

static volatile uint32_t word;
static uint64_t taken;

static void *adds(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		ADD("", &word, 3);
	return argument;
}

static void *takes(void *argument)
{
	while (running)
		taken += swp(&word, 0);
	return argument;
}

CHECK(swp_beside_ldrex)
{
	word = 0, taken = 0;
	together(adds, takes);
	EQ(taken + word, 3ull * ROUNDS);
}

static volatile union {
	uint32_t word;
	uint8_t bytes[4];
	uint16_t halves[2];
} mixed;

static void *adds_bytes(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		ADD("b", &mixed.bytes[1], 1);
	return argument;
}

static void *takes_bytes(void *argument)
{
	while (running)
		taken += swpb(&mixed.bytes[1], 0);
	return argument;
}

CHECK(swpb_beside_ldrexb)
{
	mixed.word = 0x55005555, taken = 0;
	mixed.bytes[1] = 0;
	together(adds_bytes, takes_bytes);
	/* Modulo 256, as a byte that nobody took may have overflowed. */
	EQ((uint8_t)(taken + mixed.bytes[1]), (uint8_t)ROUNDS);
	EQ(mixed.word & 0xffff00ff, 0x55000055);
}

/* SWPB of one byte beside exclusives of the word that has it: neither undoes the other. */
static void *adds_above(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		ADD("", &mixed.word, 0x100);
	return argument;
}

static unsigned wrong;

static void *swaps_lowest(void *argument)
{
	uint32_t last = 0;

	for (uint32_t i = 1; running; i++) {
		wrong += swpb(&mixed.bytes[0], i) != last;
		last = i & 0xff;
	}
	return argument;
}

CHECK(swpb_beside_ldrex_of_its_word)
{
	mixed.word = 0, wrong = 0;
	together(adds_above, swaps_lowest);
	EQ(wrong, 0);
	EQ(mixed.word >> 8, ROUNDS);
}

/* Neighbours: each thread has its own half, or byte, of one word. */
static void *adds_low_half(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		ADD("h", &mixed.halves[0], 1);
	return argument;
}

static void *adds_high_half(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		ADD("h", &mixed.halves[1], 3);
	return argument;
}

CHECK(neighbours)
{
	mixed.word = 0;
	together(adds_low_half, adds_high_half);
	EQ(mixed.halves[0], (uint16_t)ROUNDS);
	EQ(mixed.halves[1], (uint16_t)(3 * ROUNDS));
}

/* A spinlock of Armv4 and one of Armv6 on the same word. */
static volatile uint32_t lock, guarded[2];

static void guards(void)
{
	wrong += guarded[0] != guarded[1];
	guarded[0]++;
	guarded[1]++;
	__asm__ volatile("mcr p15, 0, %0, c7, c10, 5" : : "r"(0) : "memory");
	lock = 0;
}

static void *locks_by_swp(void *argument)
{
	for (int i = 0; i < ROUNDS / 8; i++) {
		while (swp(&lock, 1))
			sched_yield();
		__asm__ volatile("mcr p15, 0, %0, c7, c10, 5" : : "r"(0) : "memory");
		guards();
	}
	return argument;
}

static void *locks_by_ldrex(void *argument)
{
	for (int i = 0; i < ROUNDS / 8; i++) {
		uint32_t old, failed;
		for (;; sched_yield()) {
			__asm__ volatile("ldrex %0, [%2]\n\tmov %1, #1\n\tcmp %0, #0\n\t"
					 "strexeq %1, %3, [%2]"
					 : "=&r"(old), "=&r"(failed) : "r"(&lock), "r"(1) : "memory", "cc");
			if (!failed)
				break;
		}
		__asm__ volatile("mcr p15, 0, %0, c7, c10, 5" : : "r"(0) : "memory");
		guards();
	}
	return argument;
}

CHECK(one_lock)
{
	wrong = 0, guarded[0] = guarded[1] = 0;
	together(locks_by_swp, locks_by_ldrex);
	EQ(wrong, 0);
	EQ(guarded[0], ROUNDS / 8 * 2);
	EQ(guarded[1], ROUNDS / 8 * 2);
}

/* LDREXD and STREXD change both words or none; LDRD and STRD of aligned doublewords are single accesses, too
   (Arm ARM E2.2.1, with LPAE: compilers use them for 64-bit atomics from Armv7ve on). */
static volatile uint64_t wide __attribute__((aligned(8)));

static uint64_t ldrexd(void)
{
	uint64_t v;

	__asm__ volatile("ldrexd %Q0, %R0, [%1]" : "=r"(v) : "r"(&wide) : "memory");
	return v;
}

static uint64_t ldrd(void)
{
	uint64_t v;

	__asm__ volatile("ldrd %Q0, %R0, [%1]" : "=r"(v) : "r"(&wide) : "memory");
	return v;
}

static void *adds_to_both(void *argument)
{
	uint64_t value;
	int failed;

	for (int i = 0; i < ROUNDS; i++)
		do
			__asm__ volatile("ldrexd %Q0, %R0, [%2]\n\tadd %Q0, %Q0, #1\n\tsub %R0, %R0, #1\n\t"
					 "strexd %1, %Q0, %R0, [%2]"
					 : "=&r"(value), "=&r"(failed) : "r"(&wide) : "memory");
		while (failed);
	return argument;
}

static void *reads_pairs(void *argument)
{
	while (running) {
		uint64_t a = ldrexd(), b = ldrd();
		wrong += (uint32_t)a + (uint32_t)(a >> 32) != 0;
		wrong += (uint32_t)b + (uint32_t)(b >> 32) != 0;
	}
	return argument;
}

CHECK(ldrexd)
{
	wide = 0, wrong = 0;
	together(adds_to_both, reads_pairs);
	EQ(wrong, 0);
	wide = 0;
	together(adds_to_both, adds_to_both);
	EQ((uint32_t)wide, 2 * ROUNDS);
	EQ((uint32_t)(wide >> 32), (uint32_t)-(2 * ROUNDS));
}

static void *writes_pairs(void *argument)
{
	for (uint32_t i = 0; i < ROUNDS * 4; i++) {
		uint64_t v = (uint64_t)-i << 32 | i;
		__asm__ volatile("strd %Q0, %R0, [%1]" : : "r"(v), "r"(&wide) : "memory");
	}
	return argument;
}

CHECK(strd)
{
	wide = 0, wrong = 0;
	together(writes_pairs, reads_pairs);
	EQ(wrong, 0);
}

/* The kernel's helpers are how a program for any Arm does it; they agree with exclusives and SWP. */
#define KUSER_CMPXCHG ((int (*)(int, int, volatile int *))0xffff0fc0)
#define KUSER_CMPXCHG64 ((int (*)(const int64_t *, const int64_t *, volatile int64_t *))0xffff0f60)

static void *adds_by_helper(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		int old;
		do
			old = (int)word;
		while (KUSER_CMPXCHG(old, old + 5, (volatile int *)&word));
	}
	return argument;
}

static void *adds_by_helper64(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		int64_t old, new;
		do {
			old = (int64_t)ldrexd();
			new = (int64_t)((uint64_t)((uint32_t)(old >> 32) - 1) << 32 | ((uint32_t)old + 1));
		} while (KUSER_CMPXCHG64(&old, &new, (volatile int64_t *)&wide));
	}
	return argument;
}

CHECK(kuser_helpers)
{
	word = 0;
	together(adds_by_helper, adds);
	EQ(word, 8 * ROUNDS);
	word = 0, taken = 0;
	together(adds_by_helper, takes);
	EQ(taken + word, 5ull * ROUNDS);
	wide = 0;
	together(adds_by_helper64, adds_to_both);
	EQ((uint32_t)wide, 2 * ROUNDS);
	EQ((uint32_t)(wide >> 32), (uint32_t)-(2 * ROUNDS));
}

CHECK_MAIN
