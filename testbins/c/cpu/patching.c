// Code that changes while it runs, or that changes itself, by the rules of the architecture.
// arches: aarch64
// libs: -lpthread
#include "../check.h"
#include <pthread.h>
#include <sched.h>

/* Arm ARM B2.2.5: B, BL, NOP, BRK, SVC, HVC, SMC and ISB may be replaced by one another while other
 * processors execute them, as Linux does (arch/arm64/kernel/patching.c). */
enum { NOP = 0xd503201f, B_OVER = 0x14000002, RET = 0xd65f03c0, ROUNDS = 300 };

static uint32_t *code;

static void new_code(void)
{
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)code);
}

static void patch(uint32_t *at, uint32_t insn)
{
	__atomic_store_n(at, insn, __ATOMIC_RELAXED);
	__builtin___clear_cache((char *)at, (char *)(at + 1));
}

#define CALL(p) ((long (*)(void))(p))()
#define ISB() __asm__ volatile("isb" : : : "memory")

/* Even: nothing changes now, and half of it is how often something did. */
static unsigned version;
static long torn, stale, verified[2];
static int over;

static void *calls_it(void *unused)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		unsigned before = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
		ISB();
		long got = CALL(code);
		torn += got != 0 && got != 1;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (before % 2 == 0 && before == __atomic_load_n(&version, __ATOMIC_RELAXED)) {
			__atomic_fetch_add(&stale, got != (before / 2) % 2, __ATOMIC_RELAXED);
			__atomic_fetch_add(&verified[got & 1], 1, __ATOMIC_RELAXED);
		}
	}
	return unused;
}

CHECK(branch_and_nop)
{
	pthread_t threads[2];

	new_code();
	code[0] = 0xd2800000; /* mov x0, #0 */
	code[1] = B_OVER;
	code[2] = 0xd2800020; /* mov x0, #1 */
	code[3] = RET;
	__builtin___clear_cache((char *)code, (char *)(code + 4));
	for (int i = 0; i < 2; i++)
		EQ(pthread_create(&threads[i], NULL, calls_it, NULL), 0);
	for (unsigned n = 1; n <= ROUNDS; n++) {
		long seen = __atomic_load_n(&verified[n % 2], __ATOMIC_RELAXED);

		__atomic_store_n(&version, 2 * n - 1, __ATOMIC_SEQ_CST);
		patch(&code[1], n % 2 ? NOP : B_OVER);
		__atomic_store_n(&version, 2 * n, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&verified[n % 2], __ATOMIC_RELAXED) == seen &&
		       !__atomic_load_n(&stale, __ATOMIC_RELAXED))
			sched_yield();
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		EQ(pthread_join(threads[i], NULL), 0);
	EQ(torn, 0);
	EQ(stale, 0);
}

static void *calls_once(void *unused)
{
	CALL(code);
	return unused;
}

/* Another thread leaves an endless loop when its branch becomes a NOP. */
CHECK(loop_that_is_patched_open)
{
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		new_code();
		code[0] = 0x91000400; /* add x0, x0, #1 */
		code[1] = i % 2 ? 0x17ffffff : 0x14000000; /* b .-4; b . */
		code[2] = RET;
		__builtin___clear_cache((char *)code, (char *)(code + 3));
		EQ(pthread_create(&thread, NULL, calls_once, NULL), 0);
		usleep(i % 3 * 1000);
		patch(&code[1], NOP);
		EQ(pthread_join(thread, NULL), 0);
	}
}

/* A function that replaces the instruction behind its own ISB. */
CHECK(changes_what_comes_next)
{
	static const uint32_t rewriter[] = {
		0xb9000001, /* str w1, [x0] */
		0xd50b7b20, /* dc cvau, x0 */
		0xd5033b9f, /* dsb ish */
		0xd50b7520, /* ic ivau, x0 */
		0xd5033b9f, /* dsb ish */
		0xd5033fdf, /* isb */
		0xd2800000, /* mov x0, #0: replaced */
		RET,
	};
	long (*run)(uint32_t *, uint32_t);

	new_code();
	memcpy(code, rewriter, sizeof rewriter);
	__builtin___clear_cache((char *)code, (char *)code + sizeof rewriter);
	run = (long (*)(uint32_t *, uint32_t))(void *)code;
	for (uint32_t i = 0; i < 1000; i++)
		EQ(run(code + 6, 0xd2800000 | i << 5), i);
}

/* A small compiler: an expression in postfix form becomes a function, again and again at the same place. */
static uint32_t *put;

static void emit(uint32_t insn)
{
	*put++ = insn;
}

static uint64_t seed = 88172645463325252;

static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % n;
}

/* x0 = the argument, x1.. = a stack of values, x9 counts down a loop around it all. */
static uint64_t compile_and_interpret(uint64_t argument, unsigned loops)
{
	struct { int op; uint32_t value; } program[40];
	uint64_t stack[8], result = argument;
	int length = 0, depth = 0;

	while (length < 38) {
		int op = depth < 2 ? 0 : depth == 7 ? 1 + (int)random_below(3) : (int)random_below(4);
		program[length].op = op;
		program[length++].value = random_below(65536);
		depth += op ? -1 : 1;
	}
	put = code;
	emit(0xd2800009 | loops << 5); /* mov x9, #loops */
	uint32_t *top = put;
	depth = 0;
	for (int i = 0; i < length; i++) {
		uint32_t a = (uint32_t)depth - 1, b = (uint32_t)depth;
		switch (program[i].op) {
		case 0: /* movz; eor with the argument */
			depth++;
			emit(0xd2800000 | program[i].value << 5 | (uint32_t)depth);
			emit(0xca000000 | (uint32_t)depth << 5 | (uint32_t)depth);
			continue;
		case 1: emit(0x8b000000 | b << 16 | a << 5 | a); break; /* add */
		case 2: emit(0x9b007c00 | b << 16 | a << 5 | a); break; /* mul */
		case 3: emit(0xcb400800 | b << 16 | a << 5 | a); break; /* sub a, a, b, lsr #2 */
		}
		depth--;
	}
	emit(0xaa0103e0); /* mov x0, x1 */
	emit(0xd1000529); /* sub x9, x9, #1 */
	emit(0xb5000009 | ((uint32_t)(top - put) & 0x7ffff) << 5); /* cbnz x9, top */
	emit(RET);
	__builtin___clear_cache((char *)code, (char *)put);

	for (unsigned n = 0; n < loops; n++) {
		depth = 0;
		for (int i = 0; i < length; i++) {
			if (!program[i].op) {
				stack[depth++] = program[i].value ^ result;
				continue;
			}
			uint64_t *a = &stack[depth - 2], b = stack[depth - 1];
			*a = program[i].op == 1 ? *a + b : program[i].op == 2 ? *a * b : *a - (b >> 2);
			depth--;
		}
		result = stack[0];
	}
	return result;
}

CHECK(compiler)
{
	new_code();
	for (int i = 0; i < 2000; i++) {
		uint64_t argument = (uint64_t)i * 0x9e3779b97f4a7c15, want;
		want = compile_and_interpret(argument, 1 + random_below(20));
		EQ((long long)((uint64_t (*)(uint64_t))(void *)code)(argument), (long long)want);
	}
}

CHECK_MAIN
