// arches: s390x
// build: varies
// libs: -lm -lpthread
// cflags: -march=z13
// qemu 7.2 does not tell of a failed access by its page, and leaves the PSW of a compare-and-trap on the instruction.
// What of the machine programs see at the user level: traps and where the PSW is after them, frames, EXECUTE.
#include "../traps.h"
#include <fenv.h>
#include <pthread.h>
#include <sys/time.h>

/* `size`: of the instruction, behind which the PSW stands (arch/s390/kernel/traps.c, get_trap_ip). */
#define TRAPS(statement, size, signal, code)                          \
	do {                                                          \
		got_signal = 0;                                       \
		if (sigsetjmp(out, 1) == 0) {                         \
			statement;                                    \
			FAIL("%s: no trap", #statement);              \
		}                                                     \
		EQ(got_signal, signal);                               \
		EQ(got_code, code);                                   \
		EQ((uintptr_t)got_addr + (size), got_pc);             \
	} while (0)

CHECK(what_is_wrong_with_an_instruction)
{
	long zero = 0, at[2] __attribute__((aligned(16))) = { 0 };

	catches(SIGILL, jumps_out);
	TRAPS(__asm__ volatile(".2byte 0"), 2, SIGILL, ILL_ILLOPC);
	/* A breakpoint is one for a tracer only. */
	TRAPS(__asm__ volatile(".2byte 1"), 2, SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile(".insn s,0x82000000,0(%0)" : : "a"(at)), 4, SIGILL, ILL_PRVOPC); /* LPSW */
	/* An odd register of a pair, an operand of COMPARE AND SWAP that is not aligned. */
	TRAPS(__asm__ volatile(".insn rr,0x1d00,%%r1,%%r4" : : : "1"), 2, SIGILL, ILL_ILLOPN);
	TRAPS(__asm__ volatile("cs %%r0,%%r1,1(%0)" : : "a"(at) : "0", "1", "memory"), 4, SIGILL,
	      ILL_ILLOPN);
	catches(SIGFPE, jumps_out);
	TRAPS(__asm__ volatile("lghi %%r0,0\n\tlghi %%r1,5\n\tdlgr %%r0,%0" : : "d"(zero) : "0", "1"), 4,
	      SIGFPE, FPE_INTDIV);
	TRAPS(__asm__ volatile("lghi %%r1,5\n\tdsgr %%r0,%0" : : "d"(zero) : "0", "1"), 4, SIGFPE,
	      FPE_INTDIV);
	/* Compare and trap. */
	TRAPS(__asm__ volatile("cgrte %0,%0" : : "d"(zero)), 4, SIGFPE, 0);
}

CHECK(floating_point_exceptions)
{
	volatile double one = 1, zero = 0, huge = 1e308;
	double r;

	catches(SIGFPE, jumps_out);
	feenableexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_INVALID);
	r = one;
	TRAPS(__asm__ volatile("ddbr %0,%1" : "+f"(r) : "f"(zero)), 4, SIGFPE, FPE_FLTDIV);
	r = zero;
	TRAPS(__asm__ volatile("ddbr %0,%1" : "+f"(r) : "f"(zero)), 4, SIGFPE, FPE_FLTINV);
	r = huge;
	TRAPS(__asm__ volatile("mdbr %0,%1" : "+f"(r) : "f"(huge)), 4, SIGFPE, FPE_FLTOVF);
	fedisableexcept(FE_ALL_EXCEPT);
}

static volatile unsigned long seen_mask, seen_r9, seen_a4, seen_fpc;
static volatile double seen_f8;

/* Goes on behind the load that failed, with other registers and another condition code. */
static void edits(int signal, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	(void)signal, (void)info;
	seen_mask = m->psw.mask;
	seen_r9 = m->gregs[9];
	seen_a4 = m->aregs[4];
	seen_f8 = m->fpregs.fprs[8].d;
	seen_fpc = m->fpregs.fpc;
	m->psw.addr += 6; /* LG */
	m->psw.mask = (m->psw.mask & ~(3UL << 44)) | 2UL << 44;
	m->gregs[9] = 0x1122334455667788;
	m->aregs[4] = 0x55;
	m->fpregs.fprs[8].d = 2.5;
	m->fpregs.fpc = 1; /* towards zero */
}

CHECK(a_handler_edits_the_frame)
{
	unsigned long value = 77, access, condition, fpc;
	register unsigned long r9 __asm__("9") = 0xabcdef;
	register double f8 __asm__("f8") = 1.25;

	catches(SIGSEGV, edits);
	__asm__ volatile("lghi %%r0,0x44\n\tsar %%a4,%%r0\n\t"
			 "lghi %%r0,3\n\tsfpc %%r0\n\t" /* towards minus infinity */
			 "lghi %%r1,0x10\n\t"
			 "cghi %%r1,0x20\n\t" /* condition code 1: low */
			 "lg %0,0(%%r1)\n\t"
			 "ipm %1\n\tear %2,%%a4\n\tefpc %3\n\tlghi %%r0,0\n\tsfpc %%r0"
			 : "+d"(value), "=d"(condition), "=d"(access), "=d"(fpc), "+d"(r9), "+f"(f8)
			 : : "0", "1", "cc", "memory");
	EQ(value, 77);
	EQ(seen_mask >> 44 & 3, 1);
	EQ(seen_mask & 0x180000000, 0x180000000);
	EQ(seen_r9, 0xabcdef);
	EQ(seen_a4, 0x44);
	TRUE(seen_f8 == 1.25);
	EQ(seen_fpc & 7, 3);
	EQ(condition >> 28 & 3, 2);
	EQ(access & 0xffffffff, 0x55);
	EQ(fpc & 7, 1);
	EQ(r9, 0x1122334455667788);
	TRUE(f8 == 2.5);
	signal(SIGSEGV, SIG_DFL);
}

/* A rounding mode that a frame brings back is in force. */
CHECK(rounding_after_a_handler)
{
	volatile double one = 1, three = 3, up, down;

	catches(SIGUSR1, edits);
	fesetround(FE_UPWARD);
	up = one / three;
	signal(SIGUSR1, SIG_IGN);
	OK(raise(SIGUSR1));
	EQ(one / three == up, 1);
	fesetround(FE_DOWNWARD);
	down = one / three;
	fesetround(FE_TONEAREST);
	TRUE(down < up);
	signal(SIGUSR1, SIG_DFL);
}

static void spoils_vectors(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	__asm__ volatile("vone %%v5\n\tvone %%v20\n\tvone %%v31" : : : "f5", "v20", "v31");
}

CHECK(vectors_survive_a_handler)
{
	unsigned char in[48], back[48];

	for (int i = 0; i < 48; i++)
		in[i] = i * 5 + 1;
	catches(SIGUSR1, spoils_vectors);
	__asm__ volatile("vl %%v5,0(%0)\n\tvl %%v20,16(%0)\n\tvl %%v31,32(%0)\n\t"
			 "lgr %%r2,%2\n\tlghi %%r3,10\n\tsvc 37\n\t" /* kill(pid, SIGUSR1) */
			 "vst %%v5,0(%1)\n\tvst %%v20,16(%1)\n\tvst %%v31,32(%1)"
			 : : "a"(in), "a"(back), "d"((long)getpid())
			 : "2", "3", "memory", "f5", "v20", "v31");
	MEMEQ(back, in, 48);
	signal(SIGUSR1, SIG_DFL);
}

/* The target of EXECUTE, its second byte or'ed with a register's last. */
CHECK(execute)
{
	char from[16] = "0123456789abcde", to[16];
	long result;

	memset(to, '-', sizeof(to));
	__asm__ volatile("lghi %%r1,4\n\texrl %%r1,1f\n\tj 2f\n1:\tmvc 0(1,%0),0(%1)\n2:"
			 : : "a"(to), "a"(from) : "1", "memory");
	MEMEQ(to, "01234-----------", 16);
	/* A system call. */
	__asm__ volatile("lghi %%r1,0\n\texrl %%r1,1f\n\tj 2f\n1:\tsvc 20\n2:\tlgr %0,%%r2"
			 : "=d"(result) : : "1", "2", "memory");
	EQ(result, getpid());
}

/* Targets of EXECUTE are in blocks of their own, before which a signal may come. */
static volatile long ticks;

static void counts(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	ticks++;
}

CHECK(signals_among_executes)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	char from[256], to[256];
	long rounds = 0;

	catches(SIGALRM, counts);
	for (int i = 0; i < 256; i++)
		from[i] = i;
	OK(setitimer(ITIMER_REAL, &often, NULL));
	while (ticks < 40) {
		memset(to, 0, sizeof(to));
		for (int i = 0; i < 100; i++)
			__asm__ volatile("exrl %2,1f\n\tj 2f\n1:\tmvc 0(1,%0),0(%1)\n2:"
					 : : "a"(to), "a"(from), "a"(rounds & 255) : "memory");
		MEMEQ(to, from, (rounds & 255) + 1);
		if (to[255] != (char)((rounds & 255) == 255 ? 255 : 0))
			FAIL("round %ld", rounds);
		rounds++;
	}
	OK(setitimer(ITIMER_REAL, &never, NULL));
	signal(SIGALRM, SIG_DFL);
}

enum { THREADS = 4, ROUNDS = 3000 };
static struct {
	unsigned long pair[2] __attribute__((aligned(16)));
	unsigned long cs64, laa64;
	unsigned int cs32, laa32, cds[2] __attribute__((aligned(8)));
	int asi;
} words;

static void *interlocked(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		__asm__ volatile("l %%r0,%0\n0:\tlr %%r1,%%r0\n\tahi %%r1,1\n\tcs %%r0,%%r1,%0\n\tjl 0b"
				 : "+Q"(words.cs32) : : "0", "1", "cc", "memory");
		__asm__ volatile("lg %%r0,%0\n0:\tlgr %%r1,%%r0\n\taghi %%r1,1\n\tcsg %%r0,%%r1,%0\n\tjl 0b"
				 : "+S"(words.cs64) : : "0", "1", "cc", "memory");
		__asm__ volatile("lm %%r2,%%r3,%0\n0:\tlr %%r4,%%r2\n\tlr %%r5,%%r3\n\tahi %%r4,1\n\tahi %%r5,2\n\t"
				 "cds %%r2,%%r4,%0\n\tjl 0b"
				 : "+Q"(words.cds) : : "2", "3", "4", "5", "cc", "memory");
		__asm__ volatile("lmg %%r2,%%r3,%0\n0:\tlgr %%r4,%%r2\n\tlgr %%r5,%%r3\n\taghi %%r4,1\n\taghi %%r5,2\n\t"
				 "cdsg %%r2,%%r4,%0\n\tjl 0b"
				 : "+S"(words.pair) : : "2", "3", "4", "5", "cc", "memory");
		__asm__ volatile("lhi %%r0,1\n\tlaa %%r1,%%r0,%0" : "+S"(words.laa32) : : "0", "1", "cc", "memory");
		__asm__ volatile("lghi %%r0,1\n\tlaag %%r1,%%r0,%0" : "+S"(words.laa64) : : "0", "1", "cc", "memory");
		__asm__ volatile("asi %0,1" : "+S"(words.asi) : : "cc", "memory");
	}
	return unused;
}

CHECK(no_update_is_lost)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		EQ(pthread_create(&threads[i], NULL, interlocked, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		EQ(pthread_join(threads[i], NULL), 0);
	EQ(words.cs32, THREADS * ROUNDS);
	EQ(words.cs64, THREADS * ROUNDS);
	EQ(words.cds[0], THREADS * ROUNDS);
	EQ(words.cds[1], 2 * THREADS * ROUNDS);
	EQ(words.pair[0], THREADS * ROUNDS);
	EQ(words.pair[1], 2 * THREADS * ROUNDS);
	EQ(words.laa32, THREADS * ROUNDS);
	EQ(words.laa64, THREADS * ROUNDS);
	EQ(words.asi, THREADS * ROUNDS);
}

CHECK_MAIN
