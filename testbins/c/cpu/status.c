// arches: aarch64
// FPSR's sticky flags of what a thread computed before it first looks at them: every case is a process of its own. They are
// seen by MRS, in a signal frame, and by ptrace. Arm ARM, J1.3 shared/functions/float: FPUnpack() raises IDC for operands
// that are flushed; FPRound() finds what is tiny before rounding, raises UFC if it is inexact as well, and UFC alone
// when it flushes. The expectations are worked out by hand from there.
#include "../check.h"

#include <asm/sigcontext.h>
#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { IOC = 1, DZC = 2, OFC = 4, UFC = 8, IXC = 16, IDC = 128 };
enum { UP = 1 << 22, FZ = 1 << 24 };

struct v {
	uint64_t lo, hi;
};

struct operation {
	const char *name;
	void (*run)(struct v *d, const struct v *n, const struct v *m, const struct v *a);
};

/* v0 = text(v1, v2, v3) */
#define OPERATION(name, text)                                                                    \
	static void name(struct v *d, const struct v *n, const struct v *m, const struct v *a)   \
	{                                                                                        \
		__asm__ volatile("ldr q1, %1\n\tldr q2, %2\n\tldr q3, %3\n\t" text               \
				 "\n\tstr q0, %0"                                                \
				 : "=m"(*d)                                                      \
				 : "m"(*n), "m"(*m), "m"(*a)                                     \
				 : "v0", "v1", "v2", "v3", "x0", "x1", "cc");                    \
	}

#define INTO(insn) insn "\n\tfmov d0, x0"
OPERATION(mul, "fmul d0, d1, d2")
OPERATION(mul_onto, "fmul d1, d1, d2\n\tfmov d0, d1")
OPERATION(mul_s, "fmul s0, s1, s2")
OPERATION(mul_2d, "fmul v0.2d, v1.2d, v2.2d")
OPERATION(mul_4s, "fmul v0.4s, v1.4s, v2.4s")
OPERATION(square, "fmul d0, d1, d1")
OPERATION(madd, "fmadd d0, d1, d2, d3")
OPERATION(madd_onto, "fmadd d3, d1, d2, d3\n\tfmov d0, d3")
OPERATION(mla_2d, "fmla v3.2d, v1.2d, v2.2d\n\tmov v0.16b, v3.16b")
OPERATION(mla_4s, "fmla v3.4s, v1.4s, v2.4s\n\tmov v0.16b, v3.16b")
OPERATION(div_, "fdiv d0, d1, d2")
OPERATION(div_2d, "fdiv v0.2d, v1.2d, v2.2d")
OPERATION(add, "fadd d0, d1, d2")
OPERATION(sub, "fsub d0, d1, d2")
OPERATION(root, "fsqrt d0, d1")
OPERATION(narrow, "fcvt s0, d1")
OPERATION(narrow_2, "fcvtn v0.2s, v1.2d")
OPERATION(widen, "fcvt d0, s1")
OPERATION(widen_2, "fcvtl v0.2d, v1.2s")
OPERATION(compare, INTO("fcmp d1, d2\n\tcset x0, gt"))
OPERATION(equal_2d, "fcmeq v0.2d, v1.2d, v2.2d")
OPERATION(to_int, INTO("fcvtzs x0, d1"))
OPERATION(to_int_2d, "fcvtzs v0.2d, v1.2d")
OPERATION(to_int_4s, "fcvtps v0.4s, v1.4s")
OPERATION(up, "frintp d0, d1")
OPERATION(up_x, "frintx d0, d1")
OPERATION(up_2d, "frintp v0.2d, v1.2d")
OPERATION(max, "fmax d0, d1, d2")
OPERATION(max_2d, "fmax v0.2d, v1.2d, v2.2d")
OPERATION(from_int, "fmov x0, d1\n\tscvtf d0, x0")
OPERATION(from_int_2d, "scvtf v0.2d, v1.2d")
OPERATION(from_int_4s, "ucvtf v0.4s, v1.4s")
/* An inexact one first, or behind. */
OPERATION(third_mul, "fmov d4, #1.0\n\tfmov d5, #3.0\n\tfdiv d4, d4, d5\n\tfmul d0, d1, d2")
OPERATION(mul_third_mul, "fmul d0, d1, d2\n\tfmov d4, #1.0\n\tfmov d5, #3.0\n\tfdiv d4, d4, d5\n\tfmul d0, d1, d2")
/* Long enough to count as a hot loop; the last round's is what matters: x0 goes down to 0. */
OPERATION(loop_mul, "mov x0, #20000\n\tfmov d4, #1.0\n1:\tfmul d4, d4, d4\n\tsubs x0, x0, #1\n\tb.ne 1b\n\tfmul d0, d1, d2")
OPERATION(loop_add, "mov x0, #20000\n\tmovi d0, #0\n1:\tfadd d0, d0, d1\n\tfadd v4.2d, v5.2d, v6.2d\n\tsubs x0, x0, #1\n\tb.ne 1b")

#define ONE 0x3ff0000000000000
#define LEAST 0x0010000000000000 /* the smallest normal number */
/* 2^-511 (1 + 2^-52) and 2^-511 (1 - 2^-52): their product is 2^-1022 (1 - 2^-104). */
#define ABOVE 0x2000000000000001
#define BELOW 0x1ffffffffffffffe
#define TINY 0x1a70000000000000 /* 2^-600 */
#define NANQ 0x7ff8000000000001
#define MINUS (1ULL << 63)
/* The same of singles: 2^-63 (1 +- 2^-23) */
#define ABOVE_S 0x20000001
#define BELOW_S 0x1ffffffe
#define LEAST_S 0x00800000
#define TWICE(x) ((uint64_t)(x) << 32 | (x))

#define CASES(X)                                                                              \
	/* op, fpcr, n, m, a, result, flags */                                                \
	X(mul, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                          \
	X(mul, 0, ABOVE | MINUS, BELOW, 0, LEAST | MINUS, UFC | IXC)                          \
	X(mul_onto, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                     \
	X(mul, UP, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                         \
	X(mul, UP, ABOVE | MINUS, BELOW, 0, 0x800fffffffffffff, UFC | IXC)                    \
	X(mul, 0, 0x2000000000000000, 0x2000000000000000, 0, LEAST, 0)                        \
	X(mul, 0, LEAST + 1, ONE, 0, LEAST + 1, 0)                                            \
	X(mul, 0, 1, ONE, 0, 1, 0)                                                            \
	X(mul, 0, TINY, TINY, 0, 0, UFC | IXC)                                                \
	X(mul, 0, ONE, ONE, 0, ONE, 0)                                                        \
	X(mul, 0, 0, ABOVE, 0, 0, 0)                                                          \
	X(mul, 0, 0x3ff0000000000001, 0x3ff0000000000001, 0, 0x3ff0000000000002, IXC)         \
	X(mul, 0, 0x7fe0000000000000, 0x7fe0000000000000, 0, 0x7ff0000000000000, OFC | IXC)   \
	X(square, 0, BELOW, 0, 0, 0x000ffffffffffffe, UFC | IXC)                              \
	X(mul_s, 0, ABOVE_S, BELOW_S, 0, LEAST_S, UFC | IXC)                                  \
	X(mul_2d, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                       \
	X(mul_4s, 0, TWICE(ABOVE_S), TWICE(BELOW_S), 0, TWICE(LEAST_S), UFC | IXC)            \
	X(madd, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                         \
	X(madd, 0, ABOVE, BELOW, 1, LEAST + 1, IXC)                                           \
	X(madd_onto, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                    \
	X(mla_2d, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                       \
	X(mla_4s, 0, TWICE(ABOVE_S), TWICE(BELOW_S), 0, TWICE(LEAST_S), UFC | IXC)            \
	X(narrow, 0, 0x380fffffffffffff, 0, 0, LEAST_S, UFC | IXC)                            \
	X(narrow, 0, 0x3810000000000000, 0, 0, LEAST_S, 0)                                    \
	X(narrow_2, 0, 0x380fffffffffffff, 0, 0, LEAST_S, UFC | IXC)                          \
	X(sub, 0, LEAST + 1, LEAST, 0, 1, 0)                                                  \
	X(div_, 0, LEAST - 1, 0x3fefffffffffffff, 0, LEAST - 1, UFC | IXC)                    \
	X(third_mul, 0, LEAST + 1, ONE, 0, LEAST + 1, IXC)                                    \
	X(third_mul, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                    \
	X(loop_mul, 0, ABOVE, BELOW, 0, LEAST, UFC | IXC)                                     \
	X(loop_add, 0, 1, 0, 0, 20000, 0)                                                     \
	X(from_int, 0, 0x7fffffffffffffff, 0, 0, 0x43e0000000000000, IXC)                     \
	X(from_int_2d, 0, 0x7fffffffffffffff, 0, 0, 0x43e0000000000000, IXC)                  \
	X(from_int_4s, 0, 0xffffffff, 0, 0, 0x4f800000, IXC)                                  \
	X(up, 0, 0x3ff8000000000000, 0, 0, 0x4000000000000000, 0)                             \
	X(up_x, 0, 0x3ff8000000000000, 0, 0, 0x4000000000000000, IXC)                         \
	X(to_int, 0, 0x3ff8000000000000, 0, 0, 1, IXC)                                        \
	X(to_int, 0, NANQ, 0, 0, 0, IOC)                                                      \
	X(compare, 0, NANQ, ONE, 0, 0, 0)                                                     \
	X(div_, 0, ONE, 0, 0, 0x7ff0000000000000, DZC)                                        \
	/* Flush-to-zero. */                                                                  \
	X(mul, FZ, 1, ONE, 0, 0, IDC)                                                         \
	X(mul, FZ, TINY, TINY, 0, 0, UFC)                                                     \
	X(mul, FZ, ABOVE, BELOW, 0, 0, UFC)                                                   \
	X(mul, FZ, 1 | MINUS, NANQ, 0, NANQ, IDC)                                             \
	X(mul, FZ, 1, 0x7ff0000000000000, 0, 0x7ff8000000000000, IDC | IOC)                   \
	X(mul_2d, FZ, TINY, TINY, 0, 0, UFC)                                                  \
	X(mul_4s, FZ, TWICE(ABOVE_S), TWICE(BELOW_S), 0, 0, UFC)                              \
	X(third_mul, FZ, TINY, TINY, 0, 0, UFC | IXC)                                         \
	X(mul_third_mul, FZ, TINY, TINY, 0, 0, UFC | IXC)                                     \
	X(madd, FZ, TINY, TINY, 1, 0, UFC | IDC)                                              \
	X(sub, FZ, LEAST + 1, LEAST, 0, 0, UFC)                                               \
	X(add, FZ, 1, 1, 0, 0, IDC)                                                           \
	X(div_, FZ, 1, 0, 0, 0x7ff8000000000000, IDC | IOC)                                   \
	X(div_, FZ, ONE, 1, 0, 0x7ff0000000000000, IDC | DZC)                                 \
	X(div_, FZ, LEAST, 0x4000000000000000, 0, 0, UFC)                                     \
	X(root, FZ, 1 | MINUS, 0, 0, MINUS, IDC)                                              \
	X(root, FZ, ONE | MINUS, 0, 0, 0x7ff8000000000000, IOC)                               \
	X(narrow, FZ, TINY, 0, 0, 0, UFC)                                                     \
	X(narrow, FZ, 1, 0, 0, 0, IDC)                                                        \
	X(narrow_2, FZ, 0x380fffffffffffff, 0, 0, 0, UFC)                                     \
	X(widen, FZ, 1, 0, 0, 0, IDC)                                                         \
	X(widen_2, FZ, 1, 0, 0, 0, IDC)                                                       \
	X(compare, FZ, 1, 0, 0, 0, IDC)                                                       \
	X(compare, FZ, 1, NANQ, 0, 0, IDC)                                                    \
	X(compare, FZ, ONE, 0, 0, 1, 0)                                                       \
	X(equal_2d, FZ, 1, 2, 0, ~0ULL, IDC)                                                  \
	X(equal_2d, FZ, NANQ, 2, 0, 0, IDC)                                                   \
	X(to_int, FZ, 1, 0, 0, 0, IDC)                                                        \
	X(to_int_2d, FZ, 1, 0, 0, 0, IDC)                                                     \
	X(to_int_4s, FZ, 1, 0, 0, 0, IDC)                                                     \
	X(up, FZ, 1, 0, 0, 0, IDC)                                                            \
	X(up_x, FZ, 1, 0, 0, 0, IDC)                                                          \
	X(up_2d, FZ, 1, 0, 0, 0, IDC)                                                         \
	X(max, FZ, 1, 1 | MINUS, 0, 0, IDC)                                                   \
	X(max_2d, FZ, 1, ONE | MINUS, 0, 0, IDC)                                              \
	X(max, FZ, 1, NANQ, 0, NANQ, IDC)                                                     \
	X(div_2d, FZ, ONE, ONE, 0, ONE, IOC)                                                  \
	X(loop_mul, FZ, TINY, TINY, 0, 0, UFC)                                                \
	X(loop_add, FZ, 1, 0, 0, 0, IDC)

/* How the flags are looked at. */
enum { MRS, FRAME, TRACER, WAYS };

static uint64_t in_frame;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	struct _aarch64_ctx *head = (void *)u->uc_mcontext.__reserved;
	(void)sig, (void)info;
	while (head->magic && head->magic != FPSIMD_MAGIC)
		head = (void *)((char *)head + head->size);
	in_frame = head->magic ? ((struct fpsimd_context *)head)->fpsr : ~0ULL;
}

struct outcome {
	uint64_t result, flags;
};

/* In a process that has not looked at FPSR yet, and whose parent has not. */
static void child(int way, int to, struct operation o, uint64_t fpcr, struct v n, struct v m, struct v a)
{
	struct outcome out;
	struct v d;
	__asm__ volatile("msr fpcr, %0" ::"r"(fpcr));
	o.run(&d, &n, &m, &a);
	out.result = d.lo;
	if (way == MRS) {
		__asm__ volatile("mrs %0, fpsr" : "=r"(out.flags));
	} else if (way == FRAME) {
		struct sigaction act = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
		sigaction(SIGUSR1, &act, NULL);
		raise(SIGUSR1);
		out.flags = in_frame;
	} else {
		out.flags = 0;
		if (!ptrace(PTRACE_TRACEME, 0, 0, 0))
			raise(SIGSTOP);
	}
	write(to, &out, sizeof out);
	_exit(0);
}

static struct outcome run(int way, struct operation o, uint64_t fpcr, struct v n, struct v m, struct v a)
{
	struct outcome out = { 0 };
	int pipes[2], status;
	uint64_t seen = 0;
	pipe(pipes);
	pid_t pid = fork();
	if (!pid)
		child(way, pipes[1], o, fpcr, n, m, a);
	if (way == TRACER && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		struct {
			__uint128_t v[32];
			uint32_t fpsr, fpcr, reserved[2];
		} regs = { 0 };
		struct iovec part = { &regs, sizeof regs };
		seen = ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &part) ? ~0ULL : regs.fpsr;
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
	close(pipes[1]);
	if (read(pipes[0], &out, sizeof out) != sizeof out)
		out.flags = ~0ULL;
	if (way == TRACER)
		out.flags = seen;
	close(pipes[0]);
	waitpid(pid, &status, 0);
	return out;
}

static void all(int way)
{
	int bad = 0;
	/* Where n, m and a have two halves, the upper one is 0: 0/0 is one of the cases. */
#define ONE_CASE(op, fpcr, n, m, a, result_, flags_)                                             \
	{                                                                                        \
		struct operation o = { #op, op };                                                \
		struct outcome out = run(way, o, fpcr, (struct v){ n, 0 }, (struct v){ m, 0 },   \
					 (struct v){ a, 0 });                                    \
		if (out.result != (uint64_t)(result_) || out.flags != (flags_)) {                \
			bad++;                                                                   \
			printf("%s %s, %s, %s, %s, %s: %#lx, flags %#lx\n", #op, #fpcr, #n, #m, \
			       #a, #result_, (unsigned long)out.result, (unsigned long)out.flags); \
		}                                                                                \
	}
	CASES(ONE_CASE)
	EQ(bad, 0);
}

CHECK(by_mrs)
{
	all(MRS);
}

CHECK(in_a_signal_frame)
{
	all(FRAME);
}

CHECK(by_a_tracer)
{
	all(TRACER);
}

CHECK_MAIN
