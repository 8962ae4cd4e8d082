// Litmus tests of Arm's and RISC-V's memory models: outcomes that they forbid never happen.
// libs: -lpthread
// no-reference: qemu-user takes long, and it is not the one to be judged
// arches: aarch64 arm riscv64
// cflags-aarch64: -march=armv8.1-a+rcpc
// cflags-arm: -march=armv8-a+simd -mthumb
/*
 * Each test is a few threads of two or three accesses each (names and verdicts as in Alglave, Maranget, Tautschnig,
 * "Herding Cats", and Arm ARM B2.3; in RISC-V, a DMB is the FENCE that compilers put there). A round is one run of all threads on locations of its own. Before each round
 * the threads meet, for at most a moment: that way the accesses really overlap on two processors.
 *
 *     litmus [-n ROUNDS] [-v] [TEST...]
 *
 * `weak_*` are tests without barriers whose outcome is allowed; they run by name only, and exit with 0 if
 * they showed it. They tell that the other tests could fail.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "litmus_access.h"

#ifndef ROUNDS
#define ROUNDS 200000
#endif

enum { BATCH = 2000, MAX_THREADS = 4, PATIENCE = 60 };

/* Two locations of a round, and what was read, each in a cache line of its own. */
struct round {
	long x __attribute__((aligned(64)));
	long y __attribute__((aligned(64)));
	long r[4] __attribute__((aligned(64)));
};

static struct round rounds[BATCH];
static struct {
	long at __attribute__((aligned(64)));
} progress[MAX_THREADS];

typedef void thread_part(struct round *r);

struct litmus {
	const char *name;
	int threads;
	int (*forbidden)(const struct round *r);
	thread_part *part[MAX_THREADS];
};

/* MP: a message, then a flag. */
static int mp(const struct round *r) { return r->r[0] == 1 && r->r[1] == 0; }
static void mp_w_dmb(struct round *r) { STR(&r->x, 1); DMB("ish"); STR(&r->y, 1); }
static void mp_w_dmbst(struct round *r) { STR(&r->x, 1); DMB("ishst"); STR(&r->y, 1); }
static void mp_w_stlr(struct round *r) { STR(&r->x, 1); STLR(&r->y, 1); }
static void mp_r_dmb(struct round *r) { r->r[0] = LDR(&r->y); DMB("ish"); r->r[1] = LDR(&r->x); }
static void mp_r_dmbld(struct round *r) { r->r[0] = LDR(&r->y); DMB("ishld"); r->r[1] = LDR(&r->x); }
static void mp_r_ldar(struct round *r) { r->r[0] = LDAR(&r->y); r->r[1] = LDR(&r->x); }
static void mp_w_stlxr(struct round *r) { STR(&r->x, 1); STORE_EXCLUSIVE(&r->y, 1); }
static void mp_r_ldaxr(struct round *r) { r->r[0] = LOAD_EXCLUSIVE(&r->y); r->r[1] = LDR(&r->x); }
static void mp_r_addr(struct round *r) { long v = LDR(&r->y); r->r[0] = v; r->r[1] = LDR_DEP(&r->x, v); }

/* SB: each stores and then looks at the other's. */
static int sb(const struct round *r) { return r->r[0] == 0 && r->r[1] == 0; }
static void sb_0(struct round *r) { STR(&r->x, 1); r->r[0] = LDR(&r->y); }
static void sb_1(struct round *r) { STR(&r->y, 1); r->r[1] = LDR(&r->x); }
static void sb_0_dmb(struct round *r) { STR(&r->x, 1); DMB("ish"); r->r[0] = LDR(&r->y); }
static void sb_1_dmb(struct round *r) { STR(&r->y, 1); DMB("ish"); r->r[1] = LDR(&r->x); }
static void sb_0_dsb(struct round *r) { STR(&r->x, 1); DSB(); r->r[0] = LDR(&r->y); }
static void sb_1_dsb(struct round *r) { STR(&r->y, 1); DSB(); r->r[1] = LDR(&r->x); }
static void sb_0_stlr(struct round *r) { STLR(&r->x, 1); r->r[0] = LDAR(&r->y); }
static void sb_1_stlr(struct round *r) { STLR(&r->y, 1); r->r[1] = LDAR(&r->x); }
static void sb_0_stlxr(struct round *r) { EXCHANGE_ORDERED(&r->x, 1); r->r[0] = LDAR(&r->y); }
static void sb_1_stlxr(struct round *r) { EXCHANGE_ORDERED(&r->y, 1); r->r[1] = LDAR(&r->x); }
/* What a compiler makes of a sequentially consistent exchange where there are no ordered accesses. */
static void sb_0_stxr(struct round *r) { EXCHANGE_RELAXED(&r->x, 1); DMB("ish"); r->r[0] = LDR(&r->y); }
static void sb_1_stxr(struct round *r) { EXCHANGE_RELAXED(&r->y, 1); DMB("ish"); r->r[1] = LDR(&r->x); }

/* LB: each looks at the other's and then stores. */
static int lb(const struct round *r) { return r->r[0] == 1 && r->r[1] == 1; }
static void lb_0_dmb(struct round *r) { r->r[0] = LDR(&r->x); DMB("ish"); STR(&r->y, 1); }
static void lb_1_dmb(struct round *r) { r->r[1] = LDR(&r->y); DMB("ish"); STR(&r->x, 1); }
static void lb_0_stlr(struct round *r) { r->r[0] = LDR(&r->x); STLR(&r->y, 1); }
static void lb_1_ldar(struct round *r) { r->r[1] = LDAR(&r->y); STR(&r->x, 1); }
/* The stored value depends on the loaded one. */
static void lb_0_data(struct round *r) { long v = LDR(&r->x); r->r[0] = v; STR(&r->y, (v & 2) + 1); }
static void lb_1_data(struct round *r) { long v = LDR(&r->y); r->r[1] = v; STR(&r->x, (v & 2) + 1); }

/* S: a message overwritten after its flag was seen. */
static int s(const struct round *r) { return r->r[0] == 1 && r->x == 2; }
static void s_0(struct round *r) { STR(&r->x, 2); DMB("ish"); STR(&r->y, 1); }
static void s_1(struct round *r) { r->r[0] = LDR(&r->y); DMB("ish"); STR(&r->x, 1); }

/* R: a store that loses against another, and a load behind it. */
static int r_(const struct round *r) { return r->y == 2 && r->r[0] == 0; }
static void r_0(struct round *r) { STR(&r->x, 1); DMB("ish"); STR(&r->y, 1); }
static void r_1(struct round *r) { STR(&r->y, 2); DMB("ish"); r->r[0] = LDR(&r->x); }

/* 2+2W: each writes both, in opposite order. */
static int w2(const struct round *r) { return r->x == 1 && r->y == 1; }
static void w2_0(struct round *r) { STR(&r->x, 1); DMB("ish"); STR(&r->y, 2); }
static void w2_1(struct round *r) { STR(&r->y, 1); DMB("ish"); STR(&r->x, 2); }

/* CoRR: two loads of one location do not go back in time. */
static int corr(const struct round *r) { return r->r[0] == 1 && r->r[1] == 0; }
static void co_w(struct round *r) { STR(&r->x, 1); }
static void co_r(struct round *r) { r->r[0] = LDR(&r->x); r->r[1] = LDR(&r->x); }

/* WRC: a message passed on by a third thread. */
static int wrc(const struct round *r) { return r->r[0] == 1 && r->r[1] == 1 && r->r[2] == 0; }
static void wrc_1(struct round *r) { long v = LDR(&r->x); DMB("ish"); STR(&r->y, v); r->r[0] = v; }
static void wrc_2(struct round *r) { r->r[1] = LDAR(&r->y); r->r[2] = LDR(&r->x); }

/* IRIW: two readers do not see two independent stores in different orders. */
static int iriw(const struct round *r)
{
	return r->r[0] == 1 && r->r[1] == 0 && r->r[2] == 1 && r->r[3] == 0;
}
static void iriw_0(struct round *r) { STLR(&r->x, 1); }
static void iriw_1(struct round *r) { STLR(&r->y, 1); }
static void iriw_2(struct round *r) { r->r[0] = LDAR(&r->x); r->r[1] = LDAR(&r->y); }
static void iriw_3(struct round *r) { r->r[2] = LDAR(&r->y); r->r[3] = LDAR(&r->x); }
static void iriw_2_dmb(struct round *r) { r->r[0] = LDR(&r->x); DMB("ish"); r->r[1] = LDR(&r->y); }
static void iriw_3_dmb(struct round *r) { r->r[2] = LDR(&r->y); DMB("ish"); r->r[3] = LDR(&r->x); }

#ifdef __aarch64__
static void mp_r_ldapr(struct round *r) { r->r[0] = LDAPR(&r->y); r->r[1] = LDR(&r->x); }
static void sb_0_swpal(struct round *r) { SWPAL(&r->x, 1); r->r[0] = LDAR(&r->y); }
static void sb_1_swpal(struct round *r) { SWPAL(&r->y, 1); r->r[1] = LDAR(&r->x); }
#elif defined(__riscv)
static void mp_w_tso(struct round *r) { STR(&r->x, 1); __asm__ volatile("fence.tso" : : : "memory"); STR(&r->y, 1); }
static void mp_r_tso(struct round *r) { r->r[0] = LDR(&r->y); __asm__ volatile("fence.tso" : : : "memory"); r->r[1] = LDR(&r->x); }
static void mp_w_amo(struct round *r) { STR(&r->x, 1); AMOSWAP(".rl", &r->y, 1); }
/* Both accesses are atomic: SB is forbidden for what is sequentially consistent by its own bits (aq and rl). */
static void sb_0_amo(struct round *r) { AMOSWAP(".aqrl", &r->x, 1); r->r[0] = LOAD("lr.d.aqrl", &r->y); }
static void sb_1_amo(struct round *r) { AMOSWAP(".aqrl", &r->y, 1); r->r[1] = LOAD("lr.d.aqrl", &r->x); }
static void sb_0_fence(struct round *r) { STR(&r->x, 1); FENCE("w, r"); r->r[0] = LDR(&r->y); }
static void sb_1_fence(struct round *r) { STR(&r->y, 1); FENCE("w, r"); r->r[1] = LDR(&r->x); }
#else
static void mp_w_cp15(struct round *r) { STR(&r->x, 1); CP15DMB(); STR(&r->y, 1); }
static void mp_r_cp15(struct round *r) { r->r[0] = LDR(&r->y); CP15DMB(); r->r[1] = LDR(&r->x); }
static void sb_0_cp15(struct round *r) { STR(&r->x, 1); CP15DMB(); r->r[0] = LDR(&r->y); }
static void sb_1_cp15(struct round *r) { STR(&r->y, 1); CP15DMB(); r->r[1] = LDR(&r->x); }
static void sb_0_kuser(struct round *r) { STR(&r->x, 1); KUSER_DMB(); r->r[0] = LDR(&r->y); }
static void sb_1_kuser(struct round *r) { STR(&r->y, 1); KUSER_DMB(); r->r[1] = LDR(&r->x); }
#endif

static const struct litmus tests[] = {
	{ "MP+dmbs", 2, mp, { mp_w_dmb, mp_r_dmb } },
	{ "MP+dmb.st+dmb.ld", 2, mp, { mp_w_dmbst, mp_r_dmbld } },
	{ "MP+stlr+ldar", 2, mp, { mp_w_stlr, mp_r_ldar } },
	{ "MP+stlxr+ldaxr", 2, mp, { mp_w_stlxr, mp_r_ldaxr } },
	{ "MP+dmb+addr", 2, mp, { mp_w_dmb, mp_r_addr } },
	{ "SB+dmbs", 2, sb, { sb_0_dmb, sb_1_dmb } },
	{ "SB+dsbs", 2, sb, { sb_0_dsb, sb_1_dsb } },
	{ "SB+stlr-ldar", 2, sb, { sb_0_stlr, sb_1_stlr } },
	{ "SB+stlxr-ldar", 2, sb, { sb_0_stlxr, sb_1_stlxr } },
	{ "SB+stxr-dmbs", 2, sb, { sb_0_stxr, sb_1_stxr } },
	{ "LB+dmbs", 2, lb, { lb_0_dmb, lb_1_dmb } },
	{ "LB+stlr+ldar", 2, lb, { lb_0_stlr, lb_1_ldar } },
	{ "LB+datas", 2, lb, { lb_0_data, lb_1_data } },
	{ "S+dmbs", 2, s, { s_0, s_1 } },
	{ "R+dmbs", 2, r_, { r_0, r_1 } },
	{ "2+2W+dmbs", 2, w2, { w2_0, w2_1 } },
	{ "CoRR", 2, corr, { co_w, co_r } },
	{ "WRC+dmb+ldar", 3, wrc, { co_w, wrc_1, wrc_2 } },
	{ "IRIW+stlr+ldar", 4, iriw, { iriw_0, iriw_1, iriw_2, iriw_3 } },
	{ "IRIW+dmbs", 4, iriw, { iriw_0, iriw_1, iriw_2_dmb, iriw_3_dmb } },
#ifdef __aarch64__
	{ "MP+stlr+ldapr", 2, mp, { mp_w_stlr, mp_r_ldapr } },
	{ "SB+swpal-ldar", 2, sb, { sb_0_swpal, sb_1_swpal } },
#elif defined(__riscv)
	{ "MP+fence.tsos", 2, mp, { mp_w_tso, mp_r_tso } },
	{ "MP+amoswap.rl+lr.aq", 2, mp, { mp_w_amo, mp_r_ldaxr } },
	{ "SB+amoswap.aqrls", 2, sb, { sb_0_amo, sb_1_amo } },
	{ "SB+fence.w.rs", 2, sb, { sb_0_fence, sb_1_fence } },
#else
	{ "MP+cp15dmbs", 2, mp, { mp_w_cp15, mp_r_cp15 } },
	{ "SB+cp15dmbs", 2, sb, { sb_0_cp15, sb_1_cp15 } },
	{ "SB+kuser_dmbs", 2, sb, { sb_0_kuser, sb_1_kuser } },
#endif
	{ "weak_SB", 2, sb, { sb_0, sb_1 } },
};

static const struct litmus *test;
static pthread_barrier_t ready, done;
static int over;

/* Left alone, a short test may well run on a single processor. */
static void pin(int me)
{
	cpu_set_t all, one;
	int left;

	if (sched_getaffinity(0, sizeof all, &all))
		return;
	left = me % CPU_COUNT(&all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && left-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
}

static void *runs(void *argument)
{
	int me = (int)(long)argument;
	thread_part *part = test->part[me];

	pin(me);
	for (;;) {
		pthread_barrier_wait(&ready);
		if (over)
			return NULL;
		for (int i = 0; i < BATCH; i++) {
			__atomic_store_n(&progress[me].at, i, __ATOMIC_RELAXED);
			for (int other = 0; other < test->threads; other++)
				for (int n = 0; n < PATIENCE; n++)
					if (__atomic_load_n(&progress[other].at, __ATOMIC_RELAXED) >= i)
						break;
			part(&rounds[i]);
		}
		pthread_barrier_wait(&done);
	}
}

static int run(const struct litmus *t, long wanted, int verbose)
{
	pthread_t threads[MAX_THREADS];
	long seen = 0, outcomes[16] = { 0 };

	test = t;
	over = 0;
	pthread_barrier_init(&ready, NULL, (unsigned)t->threads + 1);
	pthread_barrier_init(&done, NULL, (unsigned)t->threads + 1);
	for (long i = 0; i < t->threads; i++)
		if (pthread_create(&threads[i], NULL, runs, (void *)i))
			abort();
	for (long n = 0; n < wanted; n += BATCH) {
		memset(rounds, 0, sizeof rounds);
		for (int i = 0; i < MAX_THREADS; i++)
			progress[i].at = -1;
		pthread_barrier_wait(&ready);
		pthread_barrier_wait(&done);
		for (int i = 0; i < BATCH; i++) {
			const long *r = rounds[i].r;
			seen += t->forbidden(&rounds[i]);
			outcomes[r[0] << 3 | r[1] << 2 | r[2] << 1 | r[3]]++;
		}
	}
	over = 1;
	pthread_barrier_wait(&ready);
	for (int i = 0; i < t->threads; i++)
		pthread_join(threads[i], NULL);
	if (verbose) {
		fprintf(stderr, "%-18s %ld", t->name, seen);
		for (int i = 0; i < 16; i++)
			if (outcomes[i])
				fprintf(stderr, "  %d%d%d%d: %ld", i >> 3, i >> 2 & 1, i >> 1 & 1, i & 1,
					outcomes[i]);
		fputc('\n', stderr);
	}
	return seen != 0;
}

int main(int argc, char **argv)
{
	long wanted = ROUNDS;
	int verbose = 0, bad = 0, at = 1;

	for (; at < argc && argv[at][0] == '-'; at++)
		if (!strcmp(argv[at], "-v"))
			verbose = 1;
		else if (!strcmp(argv[at], "-n") && at + 1 < argc)
			wanted = atol(argv[++at]);
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
		const struct litmus *t = &tests[i];
		int chosen = at == argc, weak = !strncmp(t->name, "weak_", 5);
		for (int n = at; n < argc; n++)
			chosen |= !strcmp(argv[n], t->name);
		if (!chosen || (weak && at == argc))
			continue;
#ifdef __aarch64__
		/* LSE and RCpc by HWCAP_ATOMICS and HWCAP_LRCPC. */
		if ((strstr(t->name, "swp") && !(getauxval(AT_HWCAP) & 1 << 8)) ||
		    (strstr(t->name, "ldapr") && !(getauxval(AT_HWCAP) & 1 << 15))) {
			printf("ok %s\n", t->name);
			continue;
		}
#endif
		if (run(t, wanted, verbose) != weak) {
			printf("FAIL %s: %s\n", t->name, weak ? "not seen" : "a forbidden outcome");
			bad = 1;
		} else {
			printf("ok %s\n", t->name);
		}
	}
	return bad;
}
