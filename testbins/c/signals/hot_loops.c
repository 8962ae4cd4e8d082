// A signal ends a loop of whatever shape: no jumps but forward ones, only returns, one instruction.
// arches: aarch64
// libs: -lpthread
#include "../check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

enum { REPEATS = 2, TICKS = 8, SECONDS = 20, DEPTH = 60 };

static sigjmp_buf out;
static volatile int ticks;

static void leave(int sig)
{
	if (++ticks % TICKS == 0)
		siglongjmp(out, sig);
}

/* The program must not hang where no signal comes through. */
static void *watch(void *name)
{
	for (int i = 0, seen = -1; i < SECONDS; i++, sleep(1))
		if (seen != ticks)
			seen = ticks, i = 0;
	printf("FAIL %s: no signal in %d s\n", (const char *)name, SECONDS);
	fflush(stdout);
	_exit(1);
}

static double cpu_seconds(void)
{
	struct timespec t;

	OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Some times 20 ms each. What is delivered late makes them longer; what else the machine does, not. */
static void interrupt_it(const char *name, void (*loop)(void))
{
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
	double start = cpu_seconds();
	struct sigaction act = { .sa_handler = leave };
	static pthread_t thread;

	if (!thread)
		EQ(pthread_create(&thread, NULL, watch, (void *)name), 0);
	OK(sigaction(SIGALRM, &act, NULL));
	for (volatile int i = 0; i < REPEATS; i++)
		if (!sigsetjmp(out, 1)) {
			OK(setitimer(ITIMER_REAL, &soon, NULL));
			loop();
			check_fail(__FILE__, __LINE__, "the loop ended");
		}
	OK(setitimer(ITIMER_REAL, &never, NULL));
	if (cpu_seconds() - start > 2)
		check_fail(__FILE__, __LINE__, "signals came late: %d ms for %d times 20",
			   (int)(1000 * (cpu_seconds() - start)), REPEATS * TICKS);
}

#define LOOP(name, code)                                                       \
	void loop_##name(void);                                                \
	__asm__(".text\n.balign 4\nloop_" #name ":\n" code "\n");              \
	CHECK(name) { interrupt_it(#name, loop_##name); }

LOOP(one_branch, "b .")
LOOP(conditional, "cmp x0, x0\n1: b.eq 1b\nret")
LOOP(counting, "1: add x0, x0, #1\nb 1b")
LOOP(spinning, "mov x0, sp\nstr xzr, [x0, #-16]!\n1: ldr x1, [x0]\ncbz x1, 1b\nret")
LOOP(waiting, "1: wfe\nb 1b")
LOOP(yielding, "1: yield\nb 1b")
LOOP(exclusive, "sub x0, sp, #16\n1: ldxr x1, [x0]\nstxr w2, x1, [x0]\nb 1b")
LOOP(register_jump, "adr x1, 1f\n1: br x1")
LOOP(two_register_jumps, "adr x1, 1f\nadr x2, 2f\n1: br x2\nnop\n2: br x1")
LOOP(returns, "adr x30, 1f\n1: ret")
LOOP(calls_forward, "1: bl 2f\nb 1b\n2: ret")
LOOP(calls_backward, "b 1f\n2: ret\n1: bl 2b\nb 1b")
LOOP(calls_by_register, "adr x1, 2f\n1: blr x1\nb 1b\n2: ret")
LOOP(endless_recursion, "1: bl 1b")
LOOP(system_register, "1: mrs x0, tpidr_el0\nmsr fpsr, xzr\nb 1b")
LOOP(floating_point, "fmov d0, #1.0\n1: fadd d0, d0, d0\nfmul d1, d0, d0\nb 1b")
LOOP(long_body, "1: .rept 20000\nadd x0, x0, x1\n.endr\nb 1b")

/* A tree of calls that goes forward only: each function calls the next one twice, in 2^60 steps. */
static void tree(void)
{
	static uint32_t *code;

	if (!code) {
		code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		OK((long)code);
		for (int i = 0; i < DEPTH; i++) {
			uint32_t *f = code + 5 * i;
			f[0] = 0xf81f0ffe; /* str x30, [sp, #-16]! */
			f[1] = 0x94000004; /* bl: the next function */
			f[2] = 0x94000003;
			f[3] = 0xf84107fe; /* ldr x30, [sp], #16 */
			f[4] = 0xd65f03c0; /* ret */
		}
		code[5 * DEPTH] = 0xd65f03c0;
		__builtin___clear_cache((char *)code, (char *)code + 8192);
	}
	((void (*)(void))code)();
}

CHECK(forward_calls)
{
	interrupt_it("forward_calls", tree);
}

CHECK_MAIN
