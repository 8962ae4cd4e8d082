// No update is lost: exclusives, LSE, compare-and-swap, a lock-free stack and queue.
// libs: -lpthread
// cflags-aarch64: -mno-outline-atomics
#include "../check.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/auxv.h>

enum { THREADS = 4, ROUNDS = 20000 };

#define ZERO(call) EQ(call, 0)

static pthread_t threads[THREADS];

static intptr_t run_all(void *(*body)(void *))
{
	intptr_t sum = 0;
	void *result;

	for (intptr_t i = 0; i < THREADS; i++)
		ZERO(pthread_create(&threads[i], NULL, body, (void *)i));
	for (int i = 0; i < THREADS; i++) {
		ZERO(pthread_join(threads[i], &result));
		sum += (intptr_t)result;
	}
	return sum;
}

static _Atomic uint8_t count8;
static _Atomic uint16_t count16;
static _Atomic uint32_t count32, flips;
static _Atomic uint64_t count64;

static void *adds(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		count8++;
		atomic_fetch_add_explicit(&count16, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&count32, 1, memory_order_acquire);
		atomic_fetch_add_explicit(&count64, 0x100000001, memory_order_release);
		atomic_fetch_xor(&flips, 1u << (intptr_t)argument);
	}
	return NULL;
}

CHECK(add)
{
	run_all(adds);
	EQ(count8, (uint8_t)(THREADS * ROUNDS));
	EQ(count16, (uint16_t)(THREADS * ROUNDS));
	EQ(count32, THREADS * ROUNDS);
	EQ(count64, 0x100000001ull * THREADS * ROUNDS);
	EQ(flips, 0);
}

static void *cas_loop(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t old = atomic_load(&count64);
		while (!atomic_compare_exchange_weak(&count64, &old, old * 3 % 1000003 + 1))
			;
	}
	return argument ? NULL : NULL;
}

CHECK(compare_and_swap)
{
	uint64_t expected = 1;

	count64 = 1;
	run_all(cas_loop);
	for (int i = 0; i < THREADS * ROUNDS; i++)
		expected = expected * 3 % 1000003 + 1;
	EQ(count64, expected);
}

static volatile long plain;

#if defined(__aarch64__)
static void add_exclusive(volatile long *p)
{
	long value;
	int failed;

	do
		__asm__ volatile("ldxr %0, [%2]\n\tadd %0, %0, #1\n\tstxr %w1, %0, [%2]"
				 : "=&r"(value), "=&r"(failed) : "r"(p) : "memory");
	while (failed);
}

static void add_lse(volatile long *p)
{
	__asm__ volatile(".arch_extension lse\n\tstadd %0, [%1]" : : "r"(1L), "r"(p) : "memory");
}

static void add_cas(volatile long *p)
{
	long old = *p, found;

	for (;; old = found) {
		found = old;
		__asm__ volatile(".arch_extension lse\n\tcasal %0, %1, [%2]"
				 : "+r"(found) : "r"(old + 1), "r"(p) : "memory");
		if (found == old)
			break;
	}
}

static long wide[2] __attribute__((aligned(16)));

static void add_pair(void)
{
	long a, b;
	int failed;

	do
		__asm__ volatile("ldaxp %0, %1, [%3]\n\tadd %0, %0, #1\n\tsub %1, %1, #1\n\t"
				 "stlxp %w2, %0, %1, [%3]"
				 : "=&r"(a), "=&r"(b), "=&r"(failed) : "r"(wide) : "memory");
	while (failed);
}
#elif defined(__arm__)
static void add_exclusive(volatile long *p)
{
	long value;
	int failed;

	do
		__asm__ volatile("ldrex %0, [%2]\n\tadd %0, %0, #1\n\tstrex %1, %0, [%2]"
				 : "=&r"(value), "=&r"(failed) : "r"(p) : "memory");
	while (failed);
}

static void add_lse(volatile long *p)
{
	__atomic_add_fetch(p, 1, __ATOMIC_RELAXED);
}

static void add_cas(volatile long *p)
{
	long old = *p;

	while (!__atomic_compare_exchange_n(p, &old, old + 1, 1, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
}

static long wide[2] __attribute__((aligned(16)));

static void add_pair(void)
{
	long long value;
	int failed;

	do
		__asm__ volatile("ldrexd %0, %H0, [%2]\n\tadd %Q0, %Q0, #1\n\tsub %R0, %R0, #1\n\t"
				 "strexd %1, %0, %H0, [%2]"
				 : "=&r"(value), "=&r"(failed) : "r"(wide) : "memory");
	while (failed);
}
#else
static void add_exclusive(volatile long *p)
{
	__atomic_add_fetch(p, 1, __ATOMIC_RELAXED);
}
#define add_lse add_exclusive
#define add_cas add_exclusive
static long wide[2] __attribute__((aligned(16)));
static void add_pair(void)
{
	add_exclusive(&wide[0]);
	__atomic_sub_fetch(&wide[1], 1, __ATOMIC_RELAXED);
}
#endif

static void *exclusives(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		add_exclusive(&plain), add_pair();
	return argument ? NULL : NULL;
}

CHECK(exclusives)
{
	plain = 0;
	run_all(exclusives);
	EQ(plain, THREADS * ROUNDS);
	EQ(wide[0], THREADS * ROUNDS);
	EQ(wide[1], -THREADS * ROUNDS);
}

static void *lse(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		add_lse(&plain), add_cas(&plain);
	return argument ? NULL : NULL;
}

CHECK(lse)
{
	int each = 2;
#ifdef __aarch64__
	if (!(getauxval(AT_HWCAP) & (1 << 8)))
		return;
#endif
	plain = 0;
	run_all(lse);
	EQ(plain, each * THREADS * ROUNDS);
}

#ifdef __aarch64__
static struct {
	uint32_t narrow[2];
	uint64_t wide[2] __attribute__((aligned(16)));
} pairs;

/* Both halves change by one instruction or neither does: the second is always three times the first. */
static intptr_t add_casp(void)
{
	register uint64_t a __asm__("x4") = 0, b __asm__("x5") = 0;
	register uint64_t new_a __asm__("x6"), new_b __asm__("x7");
	register uint64_t *p __asm__("x8") = pairs.wide;
	intptr_t torn = 0;

	for (;;) {
		uint64_t want_a = a, want_b = b;
		new_a = a + 1;
		new_b = b + 3;
		__asm__ volatile(".arch_extension lse\n\tcaspal x4, x5, x6, x7, [x8]"
				 : "+r"(a), "+r"(b) : "r"(new_a), "r"(new_b), "r"(p) : "memory");
		torn += b != 3 * a;
		if (a == want_a && b == want_b)
			return torn;
	}
}

static intptr_t add_casp32(void)
{
	register uint32_t a __asm__("w4") = 0, b __asm__("w5") = 0;
	register uint32_t new_a __asm__("w6"), new_b __asm__("w7");
	register uint32_t *p __asm__("x8") = pairs.narrow;
	intptr_t torn = 0;

	for (;;) {
		uint32_t want_a = a, want_b = b;
		new_a = a + 1;
		new_b = b + 3;
		__asm__ volatile(".arch_extension lse\n\tcaspal w4, w5, w6, w7, [x8]"
				 : "+r"(a), "+r"(b) : "r"(new_a), "r"(new_b), "r"(p) : "memory");
		torn += b != 3 * a;
		if (a == want_a && b == want_b)
			return torn;
	}
}

static void *casp(void *argument)
{
	intptr_t torn = (intptr_t)argument * 0;

	for (int i = 0; i < ROUNDS; i++)
		torn += add_casp() + add_casp32();
	return (void *)torn;
}

CHECK(casp)
{
	if (!(getauxval(AT_HWCAP) & (1 << 8)))
		return;
	EQ(run_all(casp), 0);
	EQ(pairs.wide[0], THREADS * ROUNDS);
	EQ(pairs.wide[1], 3 * THREADS * ROUNDS);
	EQ(pairs.narrow[0], THREADS * ROUNDS);
	EQ(pairs.narrow[1], 3 * THREADS * ROUNDS);
}

/* Exclusives on bytes and halfwords leave their neighbours alone; each thread has its own in one word. */
static union {
	uint8_t bytes[8];
	uint16_t halves[4];
	uint64_t word;
} small, other;

static void *small_exclusives(void *argument)
{
	uint8_t *byte = &small.bytes[(intptr_t)argument % 2];
	uint16_t *half = &other.halves[(intptr_t)argument % 2];
	int value, failed;

	for (int i = 0; i < ROUNDS; i++) {
		do
			__asm__ volatile("ldaxrb %w0, [%2]\n\tadd %w0, %w0, #1\n\tstlxrb %w1, %w0, [%2]"
					 : "=&r"(value), "=&r"(failed) : "r"(byte) : "memory");
		while (failed);
		do
			__asm__ volatile("ldxrh %w0, [%2]\n\tadd %w0, %w0, #1\n\tstxrh %w1, %w0, [%2]"
					 : "=&r"(value), "=&r"(failed) : "r"(half) : "memory");
		while (failed);
	}
	return NULL;
}

CHECK(small_exclusives)
{
	uint64_t byte = (uint8_t)(THREADS / 2 * ROUNDS), half = (uint16_t)(THREADS / 2 * ROUNDS);

	run_all(small_exclusives);
	EQ(small.word, byte | byte << 8);
	EQ(other.word, half | half << 16);
}
#endif

/* Exclusives and compare-and-swap on the same word do not undo each other. */
static void *mixed(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		if ((intptr_t)argument & 1)
			add_exclusive(&plain);
		else
			__atomic_add_fetch(&plain, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

CHECK(mixed)
{
	plain = 0;
	run_all(mixed);
	EQ(plain, THREADS * ROUNDS);
}

static atomic_flag spin = ATOMIC_FLAG_INIT;

static void *spins(void *argument)
{
	for (int i = 0; i < ROUNDS / 20; i++) {
		while (atomic_flag_test_and_set_explicit(&spin, memory_order_acquire))
			;
		plain = plain + 1;
		atomic_flag_clear_explicit(&spin, memory_order_release);
	}
	return argument ? NULL : NULL;
}

CHECK(spinlock)
{
	plain = 0;
	run_all(spins);
	EQ(plain, THREADS * (ROUNDS / 20));
}

/* A bounded queue for many producers and consumers: each cell has a sequence number. */
enum { CELLS = 64, PER_THREAD = 5000 };

static struct {
	_Atomic unsigned sequence;
	unsigned value;
} cells[CELLS];
static _Atomic unsigned head, tail;

static int put(unsigned value)
{
	unsigned at = atomic_load(&tail);

	for (;;) {
		int ahead = (int)(atomic_load(&cells[at % CELLS].sequence) - at);
		if (ahead < 0)
			return 0;
		if (ahead > 0)
			at = atomic_load(&tail);
		else if (atomic_compare_exchange_weak(&tail, &at, at + 1))
			break;
	}
	cells[at % CELLS].value = value;
	atomic_store(&cells[at % CELLS].sequence, at + 1);
	return 1;
}

static int take(unsigned *value)
{
	unsigned at = atomic_load(&head);

	for (;;) {
		int ahead = (int)(atomic_load(&cells[at % CELLS].sequence) - (at + 1));
		if (ahead < 0)
			return 0;
		if (ahead > 0)
			at = atomic_load(&head);
		else if (atomic_compare_exchange_weak(&head, &at, at + 1))
			break;
	}
	*value = cells[at % CELLS].value;
	atomic_store(&cells[at % CELLS].sequence, at + CELLS);
	return 1;
}

static _Atomic unsigned seen[THREADS / 2 * PER_THREAD];

static void *queue_user(void *argument)
{
	unsigned me = (unsigned)(uintptr_t)argument, value;

	for (int i = 0; i < PER_THREAD; i++)
		if (me % 2 == 0) {
			while (!put(me / 2 * PER_THREAD + i))
				sched_yield();
		} else {
			while (!take(&value))
				sched_yield();
			seen[value]++;
		}
	return NULL;
}

CHECK(queue)
{
	for (unsigned i = 0; i < CELLS; i++)
		cells[i].sequence = i;
	run_all(queue_user);
	for (int i = 0; i < COUNT(seen); i++)
		EQ(seen[i], 1);
}

/* Message passing: what is written before a release is seen after the acquire. */
static long message;
static _Atomic int flag;

static void *passes(void *argument)
{
	intptr_t bad = 0;

	for (int i = 0; i < 2000; i++)
		if (argument == (void *)0) {
			message = i;
			atomic_store_explicit(&flag, 1, memory_order_release);
			while (atomic_load_explicit(&flag, memory_order_acquire) != 0)
				sched_yield();
		} else if (argument == (void *)1) {
			while (atomic_load_explicit(&flag, memory_order_acquire) != 1)
				sched_yield();
			bad += message != i;
			atomic_store_explicit(&flag, 0, memory_order_release);
		}
	return (void *)bad;
}

CHECK(message_passing)
{
	EQ(run_all(passes), 0);
}

CHECK_MAIN
