// Vector registers and flags through what interrupts a program: signals, system calls, threads, forks, single steps.
// arches: x86_64
// libs: -lpthread
// build: varies
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define ROUNDS 3000

static volatile long signals;
static int wide;

/* Spoils what it finds. */
__attribute__((target("avx"))) static void spoil_wide(void)
{
	__asm__ volatile("vzeroall" ::: "xmm0", "xmm7");
}

static void interrupt(int number)
{
	(void)number;
	signals++;
	__asm__ volatile("pxor %%xmm7, %%xmm7" ::: "xmm7");
	if (wide)
		spoil_wide();
	getppid();
}

/* Whether 32 bytes of pattern come through a loop and a system call. */
__attribute__((target("avx"))) static int keeps_wide(const uint64_t *pattern)
{
	uint64_t after[4];
	long result;

	__asm__ volatile("vmovdqu (%2), %%ymm7\n"
			 "mov $300, %%ecx\n"
			 "1: dec %%ecx\n"
			 "jnz 1b\n"
			 "mov $110, %%eax\n"
			 "syscall\n"
			 "vmovdqu %%ymm7, (%1)\n"
			 : "=a"(result)
			 : "r"(after), "r"(pattern)
			 : "rcx", "r11", "xmm7", "memory");
	return result == getppid() && memcmp(after, pattern, 32) == 0;
}

static int keeps_narrow(const uint64_t *pattern)
{
	uint64_t after[2];
	long result;

	__asm__ volatile("movdqu (%2), %%xmm7\n"
			 "mov $300, %%ecx\n"
			 "1: dec %%ecx\n"
			 "jnz 1b\n"
			 "mov $110, %%eax\n"
			 "syscall\n"
			 "movdqu %%xmm7, (%1)\n"
			 : "=a"(result)
			 : "r"(after), "r"(pattern)
			 : "rcx", "r11", "xmm7", "memory");
	return result == getppid() && memcmp(after, pattern, 16) == 0;
}

static int keeps(long seed)
{
	uint64_t pattern[4] = { seed, ~seed, seed << 32 | 1, 0x0123456789abcdef };

	return wide ? keeps_wide(pattern) : keeps_narrow(pattern);
}

static void *works(void *seed)
{
	for (long round = 0; round < ROUNDS; round++)
		if (!keeps((long)seed + round))
			return "lost";
	return NULL;
}

static void storm(suseconds_t micros)
{
	struct itimerval often = { { 0, micros }, { 0, micros } };
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART };

	wide = __builtin_cpu_supports("avx") != 0;
	OK(sigaction(SIGALRM, &action, NULL));
	OK(setitimer(ITIMER_REAL, &often, NULL));
}

CHECK(in_a_storm)
{
	storm(200);
	EQ((long)works((void *)1), 0);
	TRUE(signals > 0);
	storm(0);
}

CHECK(in_threads)
{
	pthread_t threads[3];
	void *lost;

	storm(500);
	for (long n = 0; n < 3; n++)
		EQ(pthread_create(&threads[n], NULL, works, (void *)(n << 20)), 0);
	for (int n = 0; n < 3; n++) {
		EQ(pthread_join(threads[n], &lost), 0);
		EQ((long)lost, 0);
	}
	storm(0);
}

CHECK(in_forks)
{
	int status;

	storm(0);
	for (int n = 0; n < 20; n++) {
		pid_t child = fork();

		if (child == 0)
			_exit(keeps(n) ? 5 : 6);
		OK(waitpid(child, &status, 0));
		TRUE(WIFEXITED(status));
		EQ(WEXITSTATUS(status), 5);
	}
}

static volatile uint64_t changed;

static void changes(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)number, (void)info;
	/* mov rax, [rax] has 3 bytes. */
	u->uc_mcontext.gregs[REG_RIP] += 3;
	u->uc_mcontext.gregs[REG_RAX] = 42;
	u->uc_mcontext.fpregs->_xmm[7].element[0] = 7;
	changed = u->uc_mcontext.gregs[REG_CR2];
}

/* What a handler changes in its frame is what the program goes on with. */
CHECK(frames_are_the_state)
{
	struct sigaction action = { .sa_sigaction = changes, .sa_flags = SA_SIGINFO };
	uint64_t rax, low;

	OK(sigaction(SIGSEGV, &action, NULL));
	__asm__ volatile("pxor %%xmm7, %%xmm7\n"
			 "mov $0x40, %%eax\n"
			 ".byte 0x48, 0x8b, 0x00\n"
			 "movq %%xmm7, %1\n"
			 : "=&a"(rax), "=r"(low)::"xmm7", "memory");
	EQ(rax, 42);
	EQ(low, 7);
	EQ(changed, 0x40);
	OK(signal(SIGSEGV, SIG_DFL) == SIG_ERR ? -1 : 0);
}

static volatile int steps;

static void counts(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	steps++;
}

/* The program's own trap flag. */
CHECK(own_steps)
{
	struct sigaction action = { .sa_sigaction = counts, .sa_flags = SA_SIGINFO };

	OK(sigaction(SIGTRAP, &action, NULL));
	__asm__ volatile("sub $128, %%rsp\n"
			 "pushf\n"
			 "orl $0x100, (%%rsp)\n"
			 "popf\n"
			 "nop\n"
			 "nop\n"
			 "pushf\n"
			 "andl $0xfffffeff, (%%rsp)\n"
			 "popf\n"
			 "add $128, %%rsp\n" ::: "memory", "cc");
	EQ(steps, 5);
}

CHECK_MAIN
