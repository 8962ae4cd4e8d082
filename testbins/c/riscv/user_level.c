// arches: riscv64
// build: varies
// qemu 7.2 tells of the address of a misaligned access and takes any flags of riscv_flush_icache.
// libs: -lm -lpthread
// What of the machine programs see at the user level: counters, CSRs, traps, rounding, new code, reservations.
#include "../traps.h"
#include <fenv.h>
#include <pthread.h>

#define TRAPS(statement, signal, code)                        \
	do {                                                  \
		got_signal = 0;                               \
		if (sigsetjmp(out, 1) == 0) {                 \
			statement;                            \
			FAIL("%s: no trap", #statement);      \
		}                                             \
		EQ(got_signal, signal);                       \
		EQ(got_code, code);                           \
		EQ((uintptr_t)got_addr, got_pc);              \
	} while (0)

CHECK(counters)
{
	unsigned long a, b, from, to;

	__asm__ volatile("rdtime %0" : "=r"(from));
	__asm__ volatile("rdcycle %0" : "=r"(a));
	usleep(20000);
	__asm__ volatile("rdtime %0" : "=r"(to));
	__asm__ volatile("rdcycle %0" : "=r"(b));
	TRUE(b > a);
	/* 10 MHz, as qemu's machine has it; and programs may not count on more. */
	TRUE(to - from >= 150000);
	__asm__ volatile("rdtime zero");
}

/* What is privileged is undefined, be the instruction long or short. */
CHECK(privileged)
{
	unsigned long value;

	catches(SIGILL, jumps_out);
	TRAPS(__asm__ volatile("csrr %0, mstatus" : "=r"(value)), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("csrr %0, mhartid" : "=r"(value)), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("csrr %0, sstatus" : "=r"(value)), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("csrw time, zero"), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("sret"), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("mret"), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("sfence.vma"), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile(".2byte 0"), SIGILL, ILL_ILLOPC);
	TRAPS(__asm__ volatile("c.nop\n\t.4byte 0xffffffff"), SIGILL, ILL_ILLOPC);
	signal(SIGILL, SIG_DFL);
}

CHECK(breakpoints)
{
	catches(SIGTRAP, jumps_out);
	TRAPS(__asm__ volatile("c.ebreak"), SIGTRAP, TRAP_BRKPT);
	TRAPS(__asm__ volatile(".option push\n\t.option norvc\n\tebreak\n\t.option pop"), SIGTRAP, TRAP_BRKPT);
	signal(SIGTRAP, SIG_DFL);
}

/* Plain accesses may be misaligned, atomic ones not; the kernel tells of the instruction. */
CHECK(misaligned)
{
	static uint64_t words[2] = { 0x0807060504030201, 0 };
	char *odd = (char *)words + 1;
	uint64_t value;

	memcpy(&value, odd, 4);
	EQ((uint32_t)value, 0x05040302);
	__asm__ volatile("ld %0, 0(%1)" : "=r"(value) : "r"(odd) : "memory");
	EQ(value, 0x0008070605040302);
	catches(SIGBUS, jumps_out);
	TRAPS(__asm__ volatile("lr.w %0, (%1)" : "=r"(value) : "r"(odd)), SIGBUS, BUS_ADRALN);
	TRAPS(__asm__ volatile("amoadd.d %0, zero, (%1)" : "=r"(value) : "r"(odd)), SIGBUS, BUS_ADRALN);
	signal(SIGBUS, SIG_DFL);
}

CHECK(zero_is_zero)
{
	unsigned long value;

	__asm__ volatile("li zero, 5\n\tmv %0, zero" : "=r"(value));
	EQ(value, 0);
	raise(SIGURG);
	__asm__ volatile("mv %0, zero" : "=r"(value));
	EQ(value, 0);
}

static volatile int handled;

static void changes_rounding(int signal)
{
	(void)signal;
	handled = fegetround();
	fesetround(FE_DOWNWARD);
	feraiseexcept(FE_OVERFLOW);
}

/* The compiler would move a division that it knows. */
static double divide(double a, double b)
{
	double result;

	__asm__ volatile("fdiv.d %0, %1, %2" : "=f"(result) : "f"(a), "f"(b));
	return result;
}

/* fcsr is the program's, and comes back behind a handler. */
CHECK(rounding)
{
	struct sigaction action = { .sa_handler = changes_rounding };

	fesetround(FE_UPWARD);
	double up = divide(1, 3);
	fesetround(FE_TOWARDZERO);
	double down = divide(1, 3);
	TRUE(up > down);
	OK(sigaction(SIGUSR1, &action, NULL));
	feclearexcept(FE_ALL_EXCEPT);
	OK(raise(SIGUSR1));
	EQ(handled, FE_TOWARDZERO);
	EQ(fegetround(), FE_TOWARDZERO);
	EQ(fetestexcept(FE_OVERFLOW), 0);
	divide(10, 3);
	TRUE(fetestexcept(FE_INEXACT));
	fesetround(FE_TONEAREST);
}

/* How gcc compares without exceptions: what it branches by was compared once, not again behind the write of fflags. */
static int quiet_less(double a, double b)
{
	int less, old;

	__asm__ volatile("frflags %1\n\tflt.d %0, %2, %3\n\tfsflags %1\n\tbeqz %0, 1f\n\tli %0, 2\n1:"
			 : "=&r"(less), "=&r"(old) : "f"(a), "f"(b));
	return less;
}

/* The same with other instructions on the result. */
static int quiet_not_less(double a, double b)
{
	int less, old;

	__asm__ volatile("frflags %1\n\tflt.d %0, %2, %3\n\tfsflags %1\n\txori %0, %0, 1\n\tsnez %0, %0"
			 : "=&r"(less), "=&r"(old) : "f"(a), "f"(b));
	return less;
}

/* fflags bit by bit, often enough for loops to be translated anew. */
CHECK(accrued)
{
	unsigned long old, now;

	for (int i = 0; i < 3000; i++) {
		unsigned long want = i & 31, other = i * 7 & 31;

		__asm__ volatile("fsflags %0" : : "r"(want));
		EQ(quiet_less(1, i), i > 1 ? 2 : 0);
		EQ(quiet_less(__builtin_nan(""), i), 0);
		EQ(quiet_not_less(i, __builtin_nan("")), 1);
		EQ(quiet_not_less(1, 2), 0);
		__asm__ volatile("frflags %0" : "=r"(now));
		EQ(now, want);
		__asm__ volatile("csrrw %0, fflags, %1" : "=r"(old) : "r"(other));
		EQ(old, want);
		__asm__ volatile("csrrs %0, fflags, %1" : "=r"(old) : "r"(want));
		EQ(old, other);
		__asm__ volatile("csrrc %0, fcsr, %1" : "=r"(old) : "r"(want & 5));
		EQ(old, want | other);
		divide(1, 3);
		divide(i + 1.0, 0);
		__asm__ volatile("csrrwi %0, fflags, 2" : "=r"(old));
		EQ(old, ((want | other) & ~(want & 5)) | 9);
		__asm__ volatile("csrrci %0, fflags, 2" : "=r"(old));
		EQ(old, 2);
		/* A raised exception in between is taken back, and one that was there comes back. */
		double inexact;
		__asm__ volatile("frflags %0\n\tfdiv.d %2, %3, %4\n\tfrflags %1\n\tfsflags %0"
				 : "=&r"(old), "=&r"(now), "=&f"(inexact) : "f"(1.0), "f"(3.0));
		EQ(old, 0);
		EQ(now, 1);
		__asm__ volatile("frflags %0" : "=r"(now));
		EQ(now, 0);
	}
}

static uint16_t *code;

static void *calls(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)((int (*)(void))code)();
}

static void emit(int value)
{
	code[0] = 0x4501 | (value & 31) << 2; /* c.li a0, value */
	code[1] = 0x8082; /* c.ret */
}

/* FENCE.I is for the thread that wrote the code, the call for all. */
CHECK(new_code)
{
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(code != MAP_FAILED);
	for (int i = 1; i < 16; i++) {
		emit(i);
		__asm__ volatile("fence.i" ::: "memory");
		EQ((long)calls(NULL), i);
	}
	for (int i = 1; i < 16; i++) {
		pthread_t thread;
		void *result;

		emit(i);
		EQ(syscall(__NR_riscv_flush_icache, code, code + 2, 0), 0);
		EQ(pthread_create(&thread, NULL, calls, NULL), 0);
		EQ(pthread_join(thread, &result), 0);
		EQ((long)result, i);
		EQ((long)calls(NULL), i);
	}
	EQ(syscall(__NR_riscv_flush_icache, 0, 0, 1), 0);
	ERR(syscall(__NR_riscv_flush_icache, code, code + 2, 2), EINVAL);
	munmap(code, 4096);
}

/* SC needs a reservation, and takes it. */
CHECK(reservation)
{
	static int word = 5;
	int value, failed;

	__asm__ volatile("lr.w %0, (%2)\n\tsc.w %1, %0, (%2)" : "=&r"(value), "=&r"(failed) : "r"(&word) : "memory");
	EQ(failed, 0);
	__asm__ volatile("sc.w %0, zero, (%1)" : "=r"(failed) : "r"(&word) : "memory");
	TRUE(failed != 0);
	EQ(word, 5);
	EQ(value, 5);
}

CHECK_MAIN
