// arches: aarch64
// libs: -lpthread
// no-reference: qemu 7.2 has other answers of prctl, and no FEAT_FPAC (tests/test_newer_qemu.py)
// Pointer authentication: codes, wrong codes, keys and who has which (Arm ARM D8.10;
// Documentation/arch/arm64/pointer-authentication.rst).
#include "../check.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#if defined(__aarch64__)
__asm__(".arch armv8.3-a\n\t");

#define NEEDS_PAUTH                                   \
	if ((getauxval(AT_HWCAP) >> 30 & 3) != 3)     \
	NA("%s", "no pointer authentication")

#define SIGN(op)                                                       \
	static uint64_t op(uint64_t v, uint64_t by)                    \
	{                                                              \
		__asm__ volatile(#op " %0, %1" : "+r"(v) : "r"(by));  \
		return v;                                              \
	}
SIGN(pacia) SIGN(pacib) SIGN(pacda) SIGN(pacdb)
SIGN(autia) SIGN(autib) SIGN(autda) SIGN(autdb)

typedef uint64_t sign(uint64_t, uint64_t);
static sign *const signs[] = { pacia, pacib, pacda, pacdb };
static sign *const auths[] = { autia, autib, autda, autdb };

static uint64_t pacga(uint64_t v, uint64_t by)
{
	uint64_t r;
	__asm__ volatile("pacga %0, %1, %2" : "=r"(r) : "r"(v), "r"(by));
	return r;
}

static uint64_t xpacd(uint64_t v)
{
	__asm__("xpacd %0" : "+r"(v));
	return v;
}

/* Codes have 7 bits: of so many pointers some differ, whatever the key. */
#define MANY 64
static int same(sign *f, sign *g)
{
	int n = 0;
	for (uint64_t i = 0; i < MANY; i++)
		n += f(0x400000 + 16 * i, i) == g(0x400000 + 16 * i, i);
	return n;
}

static sigjmp_buf back;
static siginfo_t seen;
static void on_ill(int number, siginfo_t *info, void *context)
{
	(void)context;
	seen = *info;
	siglongjmp(back, number);
}

static int dies(sign *f, uint64_t v, uint64_t by)
{
	struct sigaction old, new = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	int number;
	sigaction(SIGILL, &new, &old);
	if ((number = sigsetjmp(back, 1)) == 0)
		f(v, by);
	sigaction(SIGILL, &old, NULL);
	return number;
}

CHECK(there_and_back)
{
	NEEDS_PAUTH;
	for (int k = 0; k < 4; k++)
		for (uint64_t i = 0; i < 1000; i++) {
			/* Any address of 48 bits, with any tag. */
			uint64_t v = (i * 0x9e3779b97f4a7c15 & 0xffffffffffff) | i << 56;
			uint64_t s = signs[k](v, i);
			EQ(s & ~0x007f000000000000, v);
			EQ(auths[k](s, i), v);
			EQ(xpacd(s), v);
		}
}

CHECK(keys_and_modifiers_differ)
{
	NEEDS_PAUTH;
	for (int k = 0; k < 4; k++) {
		TRUE(same(signs[k], signs[k]) == MANY);
		for (int n = 0; n < k; n++)
			TRUE(same(signs[k], signs[n]) < MANY / 2);
	}
	int n = 0;
	for (uint64_t i = 0; i < MANY; i++)
		n += pacia(0x400000, i) == pacia(0x400000, i + MANY);
	TRUE(n < MANY / 2);
}

CHECK(the_generic_code)
{
	NEEDS_PAUTH;
	int n = 0;
	for (uint64_t i = 0; i < MANY; i++) {
		EQ(pacga(i, 5) & 0xffffffff, 0);
		n += pacga(i, 5) == pacga(i + 1, 5);
	}
	TRUE(n == 0);
}

CHECK(a_wrong_code_is_an_illegal_operand)
{
	NEEDS_PAUTH;
	for (int k = 0; k < 4; k++) {
		uint64_t s = signs[k](0x400000, 1) ^ 1ul << 50;
		EQ(dies(auths[k], s, 1), SIGILL);
		EQ(seen.si_code, ILL_ILLOPN);
		/* The address is that of the instruction. */
		uint32_t insn = *(uint32_t *)seen.si_addr;
		EQ(insn & 0xfffff000, 0xdac11000);
	}
}

static int passed;
__attribute__((noinline)) static void signed_return(void)
{
	passed++;
	__asm__ volatile("paciasp\n\tmov x9, x30\n\tautiasp\n\tcmp x9, x30\n\t" ::: "x9", "cc");
}

CHECK(calls_and_returns)
{
	NEEDS_PAUTH;
	passed = 0;
	uint64_t target = pacia((uint64_t)signed_return, 77), where;
	__asm__ volatile("mov x10, %1\n\tblraa %0, x10"
			 :
			 : "r"(target), "r"(77ul)
			 : "x10", "x30", "x9", "memory", "cc", "x0", "x1", "x8");
	EQ(passed, 1);
	/* A function that returns by RETAB. */
	__asm__ volatile("b 2f\n1:\tpacibsp\n\tmov x10, #5\n\tretab\n2:\tbl 1b\n\tmov %0, x10"
			 : "=r"(where)
			 :
			 : "x10", "x30", "memory");
	EQ(where, 5);
	/* And a jump. */
	__asm__ volatile("adr x9, 1f\n\tpaciza x9\n\tbraaz x9\n\tmov %0, #0\n\tb 2f\n1:\tmov %0, #1\n2:"
			 : "=r"(where)
			 :
			 : "x9");
	EQ(where, 1);
}

CHECK(loads)
{
	NEEDS_PAUTH;
	uint64_t data[4] = { 1, 2, 3, 4 }, v, p = (uint64_t)data;
	__asm__ volatile("pacdza %1\n\tldraa %0, [%1, #16]!" : "=r"(v), "+&r"(p) : : "memory");
	EQ(v, 3);
	EQ(p, (uint64_t)(data + 2));
	__asm__ volatile("pacdzb %1\n\tldrab %0, [%1, #-8]" : "=r"(v), "+&r"(p) : : "memory");
	EQ(v, 2);
}

CHECK(a_childs_keys_are_its_parents)
{
	NEEDS_PAUTH;
	uint64_t s[MANY];
	for (uint64_t i = 0; i < MANY; i++)
		s[i] = pacdb(0x400000 + i, i);
	pid_t pid = fork();
	if (pid == 0) {
		int n = 0;
		for (uint64_t i = 0; i < MANY; i++)
			n += s[i] == pacdb(0x400000 + i, i);
		_exit(n);
	}
	int status;
	OK(waitpid(pid, &status, 0));
	EQ(status, MANY << 8);
}

static void *in_thread(void *p)
{
	*(uint64_t *)p = pacga(1, 2);
	/* They are each thread's own from here on. */
	prctl(PR_PAC_RESET_KEYS, PR_PAC_APGAKEY, 0, 0, 0);
	((uint64_t *)p)[1] = pacga(1, 2);
	return NULL;
}

CHECK(threads)
{
	NEEDS_PAUTH;
	pthread_t t;
	uint64_t s[2], mine = pacga(1, 2);
	pthread_create(&t, NULL, in_thread, s);
	pthread_join(t, NULL);
	EQ(s[0], mine);
	TRUE(s[1] != mine);
	EQ(pacga(1, 2), mine);
}

CHECK(an_execve_makes_new_keys)
{
	NEEDS_PAUTH;
	uint64_t last = 0, now;
	for (int i = 0; i < 3; i++) {
		int fds[2];
		OK(pipe(fds));
		pid_t pid = fork();
		if (pid == 0) {
			dup2(fds[1], 1);
			char *argv[] = { "pauth", "--code", NULL };
			execv("/proc/self/exe", argv);
			_exit(1);
		}
		close(fds[1]);
		ssize_t got = read(fds[0], &now, sizeof now);
		waitpid(pid, NULL, 0);
		close(fds[0]);
		if (got == 0)
			NA("%s", "no execve of a program of this kind");
		EQ(got, sizeof now);
		TRUE(now != last && now != pacga(1, 2));
		last = now;
	}
}

CHECK(other_keys)
{
	NEEDS_PAUTH;
	uint64_t a[MANY], b[MANY], g = pacga(1, 2);
	for (uint64_t i = 0; i < MANY; i++) {
		a[i] = pacdb(0x400000, i);
		b[i] = pacda(0x400000, i);
	}
	OK(prctl(PR_PAC_RESET_KEYS, PR_PAC_APDAKEY | PR_PAC_APGAKEY, 0, 0, 0));
	int n = 0, m = 0;
	for (uint64_t i = 0; i < MANY; i++) {
		n += a[i] == pacdb(0x400000, i);
		m += b[i] == pacda(0x400000, i);
	}
	EQ(n, MANY);
	TRUE(m < MANY / 2);
	TRUE(pacga(1, 2) != g);
	ERR(prctl(PR_PAC_RESET_KEYS, 0x20, 0, 0, 0), EINVAL);
	ERR(prctl(PR_PAC_RESET_KEYS, PR_PAC_APDAKEY, 1, 0, 0), EINVAL);
}

CHECK(keys_that_are_not_used)
{
	NEEDS_PAUTH;
	EQ(prctl(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0), 15);
	OK(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIBKEY | PR_PAC_APDAKEY, PR_PAC_APDAKEY, 0, 0));
	EQ(prctl(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0), 15 & ~PR_PAC_APIBKEY);
	for (uint64_t i = 0; i < MANY; i++) {
		EQ(pacib(0x400000, i), 0x400000);
		EQ(autib(0x400000 | i << 48, 7), 0x400000 | i << 48);
	}
	TRUE(same(pacia, pacib) < MANY / 2);
	OK(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIBKEY, PR_PAC_APIBKEY, 0, 0));
	EQ(autib(pacib(0x400000, 7), 7), 0x400000);
	ERR(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APGAKEY, 0, 0, 0), EINVAL);
	ERR(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, PR_PAC_APIBKEY, 0, 0), EINVAL);
	ERR(prctl(PR_PAC_SET_ENABLED_KEYS, 0, 0, 1, 0), EINVAL);
	ERR(prctl(PR_PAC_GET_ENABLED_KEYS, 1, 0, 0, 0), EINVAL);
}

__attribute__((constructor)) static void code_of_a_new_program(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--code") == 0) {
		uint64_t v = pacga(1, 2);
		_exit(write(1, &v, sizeof v) != sizeof v);
	}
}
#endif
CHECK_MAIN
