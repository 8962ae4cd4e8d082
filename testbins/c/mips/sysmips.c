// sysmips(2) (arch/mips/kernel/syscall.c): who makes misaligned accesses, and an atomic swap.
// arches: mipsel mips mips64el mips64 mipsn32el mipsn32
// no-reference: qemu-user has no MIPS_FIXADE, and makes misaligned accesses
#include "../check.h"
#include "../process/child.h"

#include <asm/sysmips.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

static sigjmp_buf back;

static void caught(int number)
{
	siglongjmp(back, number);
}

static int load(const char *from)
{
	int word;

	__asm__ volatile("lw %0, 1(%1)" : "=r"(word) : "r"(from));
	return word;
}

static const char bytes[8] = { 9, 1, 1, 1, 1, 9, 9, 9 };

/* 0 if the kernel makes a misaligned access, else the signal. */
static int misaligned(void)
{
	struct sigaction action = { .sa_handler = caught };
	int number;

	OK(sigaction(SIGBUS, &action, NULL));
	number = sigsetjmp(back, 1);
	if (number == 0)
		EQ(load(bytes), 0x01010101);
	return number;
}

static int sysmips(long what, long first, long second)
{
	return syscall(SYS_sysmips, what, first, second);
}

CHECK(fixes)
{
	EQ(misaligned(), 0);
	OK(sysmips(MIPS_FIXADE, 0, 0));
	EQ(misaligned(), SIGBUS);
	OK(sysmips(MIPS_FIXADE, 3, 0));
	EQ(misaligned(), 0);
	ERR(sysmips(MIPS_FIXADE, 4, 0), EINVAL);
}

/* A flag of the task: children have it, and a program that is executed. */
static void executed(void (*execute)(char **argv))
{
	char *argv[] = { "/proc/self/exe", "executed", NULL };
	pid_t pid = OK(fork());
	int status;

	if (pid == 0) {
		EXPECT(misaligned() == SIGBUS);
		execute(argv);
		_exit(99);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, SIGBUS << 8);
}

static void directly(char **argv)
{
	execv(argv[0], argv);
}

static void from_vfork(char **argv)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(98);
	}
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status));
}

CHECK(is_inherited)
{
	OK(sysmips(MIPS_FIXADE, 0, 0));
	executed(directly);
	executed(from_vfork);
	OK(sysmips(MIPS_FIXADE, 1, 0));
}

/* What was there is the result, also if it looks like an error: a3 tells. */
static long swap(void *word, long value, long *failed)
{
	register long v0 __asm__("$2") = SYS_sysmips;
	register long a0 __asm__("$4") = MIPS_ATOMIC_SET;
	register void *a1 __asm__("$5") = word;
	register long a2 __asm__("$6") = value;
	register long a3 __asm__("$7");

	__asm__ volatile("syscall"
			 : "+r"(v0), "=r"(a3)
			 : "r"(a0), "r"(a1), "r"(a2)
			 : "memory", "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15",
			   "$24", "$25", "hi", "lo");
	*failed = a3;
	return v0;
}

CHECK(swaps)
{
	int32_t words[2] = { -5, 7 };
	long failed;

	EQ(swap(&words[0], 3, &failed), -5);
	EQ(failed, 0);
	EQ(words[0], 3);
	EQ(swap(&words[0], -1, &failed), 3);
	EQ(failed, 0);
	EQ(words[0], -1);
	EQ(words[1], 7);
	EQ(swap((char *)words + 2, 0, &failed), EINVAL);
	EQ(failed, 1);
	EQ(swap(NULL, 0, &failed), EFAULT);
	EQ(failed, 1);
}

static void __attribute__((constructor)) is_executed(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "executed") == 0)
		_exit(misaligned());
}

CHECK_MAIN
