/*
 * What a program sees of SVE: lengths, registers over calls, signals, threads, fork and execve, faults, and loops that a compiler
 * made. Prints what it finds; ends with 1 where a check fails. Arguments: "child" tells of the length it began with.
 */
#define _GNU_SOURCE
#include <arm_sve.h>
#include <asm/sigcontext.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { INHERIT = 1 << 17, ON_EXEC = 1 << 18 };

static int failed;

#define IS(what, want) do { \
	long got_ = (long)(what), want_ = (long)(want); \
	if (got_ != want_) { \
		printf("FAIL %s:%d: %s: %ld, not %ld\n", __func__, __LINE__, #what, got_, want_); \
		failed = 1; \
	} } while (0)

static unsigned long bytes(void)
{
	unsigned long n;
	__asm__ volatile("rdvl %0, #1" : "=r"(n));
	return n;
}

/* Upper halves go with a write of V, and with a system call. */
__attribute__((noinline)) static void upper_halves(void)
{
	uint8_t all[256];
	memset(all, 0, sizeof all);
	__asm__ volatile("mov z3.b, #5\n\tmov v3.8b, v3.8b\n\tstr z3, [%0]" : : "r"(all) : "v3", "memory");
	IS(all[7], 5);
	for (unsigned n = 8; n < bytes(); n++)
		IS(all[n], 0);
	__asm__ volatile("mov z3.b, #5\n\tptrue p2.b\n\tmov x8, #172\n\tsvc #0\n\tstr z3, [%0]\n\tcntp x8, p2, p2.b\n\tstr x8, [%1]"
			 : : "r"(all), "r"(&(long){ 0 }) : "x0", "x8", "v3", "memory");
	IS(all[15], 5);
	for (unsigned n = 16; n < bytes(); n++)
		IS(all[n], 0);
}

/* gcc makes WHILELO loops of these. */
__attribute__((noinline, optimize("O3"))) static void axpy(float *y, const float *x, float a, long n)
{
	for (long i = 0; i < n; i++)
		y[i] += a * x[i];
}

__attribute__((noinline, optimize("O3"))) static long select_sum(const int *a, long n)
{
	long sum = 0;
	for (long i = 0; i < n; i++)
		if (a[i] > 3)
			sum += a[i] * 2;
	return sum;
}

__attribute__((noinline)) static void loops(void)
{
	float x[133], y[133];
	int a[133];
	for (long n = 0; n < 133; n += 7) {
		long want = 0;
		for (int i = 0; i < 133; i++) {
			x[i] = (float)i;
			y[i] = 1;
			a[i] = i % 9 - 2;
			if (i < n && a[i] > 3)
				want += a[i] * 2;
		}
		axpy(y, x, 2, n);
		for (int i = 0; i < 133; i++)
			IS(y[i], i < n ? 2 * i + 1 : 1);
		IS(select_sum(a, n), want);
	}
}

/* A string's end by first-fault loads, at a page's end. */
__attribute__((noinline)) static size_t length_of(const char *s)
{
	svbool_t all = svptrue_b8();
	for (size_t i = 0;; i += svcntb()) {
		svsetffr();
		svuint8_t v = svldff1_u8(all, (const uint8_t *)s + i);
		svbool_t there = svrdffr_z(all);
		svbool_t end = svcmpeq_n_u8(there, v, 0);
		if (svptest_any(there, end))
			return i + svcntp_b8(all, svbrkb_b_z(there, end));
		if (!svptest_last(all, there))
			i -= svcntb() - svcntp_b8(all, there);
	}
}

__attribute__((noinline)) static void first_faults(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page + 4096, 4096, PROT_NONE);
	for (int n = 0; n < 300; n += 13) {
		char *s = page + 4095 - n;
		memset(s, 'a', (size_t)n);
		s[n] = 0;
		IS(length_of(s), n);
	}
}

static sigjmp_buf back;
static void *fault_at;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	fault_at = info->si_addr;
	siglongjmp(back, 1);
}

__attribute__((noinline)) static void faults(void)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &action, NULL);
	mprotect(page + 4096, 4096, PROT_NONE);
	if (sigsetjmp(back, 1) == 0)
		svst1_u8(svptrue_b8(), page + 4096 - 3, svdup_n_u8(7));
	IS((uint8_t *)fault_at - page, 4096);
	fault_at = NULL;
	/* What is not active is not accessed. */
	svst1_u8(svwhilelt_b8_u64(0, 3), page + 4096 - 3, svdup_n_u8(9));
	IS(page[4095], 9);
	svuint64_t at = svindex_u64((uint64_t)page + 4080, 16);
	if (sigsetjmp(back, 1) == 0)
		svst1_u8(svptrue_b8(), page, svreinterpret_u8_u64(svld1_gather_u64base_u64(svptrue_b64(), at)));
	IS((uint8_t *)fault_at - page, 4096);
}

/* Signals leave registers as they were, and show them. */
static volatile unsigned shown;
static char stack[1 << 16] __attribute__((aligned(16)));

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	/* The frame is within what AT_MINSIGSTKSZ says that it takes. */
	IS((char *)info >= stack + sizeof stack - getauxval(51), 1);
	uint8_t *at = (uint8_t *)((ucontext_t *)context)->uc_mcontext.__reserved;
	for (;;) {
		struct _aarch64_ctx *head = (void *)at;
		if (head->magic == 0)
			break;
		if (head->magic == EXTRA_MAGIC) {
			at = *(uint8_t **)(at + 8);
			continue;
		}
		if (head->magic == SVE_MAGIC) {
			struct sve_context *sve = (void *)at;
			unsigned vq = sve->vl / 16;
			if (head->size >= SVE_SIG_CONTEXT_SIZE(vq)) {
				uint8_t *z5 = at + SVE_SIG_ZREG_OFFSET(vq, 5);
				shown = z5[sve->vl - 1];
				z5[sve->vl - 1] = 77;
			}
			break;
		}
		at += head->size;
	}
	/* Others than those of the program. */
	__asm__ volatile("mov z5.b, #1\n\tmov z6.b, #1\n\tpfalse p3.b" : : : "v5", "v6", "p3");
}

__attribute__((noinline)) static void signals(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t apart = { .ss_sp = stack, .ss_size = sizeof stack };
	sigaltstack(&apart, NULL);
	sigaction(SIGALRM, &action, NULL);
	uint8_t z5[256], z6[256];
	unsigned long active;
	struct { long interval[2], value[2]; } timer = { { 0, 0 }, { 0, 2000 } };
	shown = 0;
	/* Busy until the handler was there: a system call would end what it looks at. */
	__asm__ volatile("mov x0, #0\n\tmov x1, %3\n\tmov x2, #0\n\tmov x8, #103\n\tsvc #0\n\t"
			 "mov z5.b, #42\n\tmov z6.b, #43\n\tptrue p3.b\n"
			 "1:\tldr w9, [%4]\n\tcbz w9, 1b\n\t"
			 "str z5, [%1]\n\tstr z6, [%2]\n\tcntp %0, p3, p3.b"
			 : "=&r"(active)
			 : "r"(z5), "r"(z6), "r"(&timer), "r"(&shown)
			 : "x0", "x1", "x2", "x8", "x9", "v5", "v6", "p3", "memory");
	IS(shown, 42);
	IS(z5[0], 42);
	IS(z5[bytes() - 1], bytes() == 16 ? 42 : 77);
	IS(z6[bytes() - 1], 43);
	IS(active, bytes());
}

static void *in_thread(void *argument)
{
	*(unsigned long *)argument = bytes();
	loops();
	return NULL;
}

__attribute__((noinline)) static void lengths(unsigned long first, const char *self)
{
	IS(prctl(PR_SVE_GET_VL), first);
	IS(bytes(), first);
	IS(prctl(PR_SVE_SET_VL, 8), -1);
	IS(prctl(PR_SVE_SET_VL, 16 | 1 << 20), -1);
	IS(prctl(PR_SVE_SET_VL, 16), 16);
	IS(bytes(), 16);
	unsigned long other = 0;
	pthread_t thread;
	pthread_create(&thread, NULL, in_thread, &other);
	pthread_join(thread, NULL);
	IS(other, 16);
	int status;
	if (fork() == 0)
		_exit(bytes() == 16 ? 0 : 1);
	wait(&status);
	IS(status, 0);
	long most = prctl(PR_SVE_SET_VL, 8192);
	IS(bytes(), most);
	IS(prctl(PR_SVE_SET_VL, (unsigned long)first), first);
	/* Not for what is executed, unless it is said. */
	static const struct { int flags, set, want; } cases[] = {
		{ 0, 16, 0 }, { ON_EXEC, 16, 16 }, { INHERIT, 16, 16 }, { ON_EXEC | INHERIT, 16, 16 },
	};
	for (unsigned n = 0; n < 4; n++) {
		fflush(stdout);
		if (fork() == 0) {
			prctl(PR_SVE_SET_VL, cases[n].set | cases[n].flags);
			execl(self, self, "child", NULL);
			_exit(99);
		}
		wait(&status);
		IS(WEXITSTATUS(status), cases[n].want ? cases[n].want / 16 : (long)first / 16);
	}
}

int main(int count, char **words)
{
	if (count > 1 && strcmp(words[1], "child") == 0)
		return (int)(bytes() / 16);
	unsigned long first = bytes();
	IS(getauxval(AT_HWCAP) >> 22 & 1, 1);
	lengths(first, words[0]);
	/* Each length that there is. */
	long most = prctl(PR_SVE_SET_VL, 8192);
	for (long n = 16; n <= most; n += 16) {
		if ((prctl(PR_SVE_SET_VL, n) & 0xffff) != n)
			continue;
		printf("%ld\n", n);
		upper_halves();
		loops();
		first_faults();
		faults();
		signals();
	}
	printf(failed ? "failed\n" : "ok\n");
	return failed;
}
