// Clocks read in the vDSO: as the kernel has it, no system call is made for them.
// arches: aarch64 arm riscv64 mipsel mips mips64el mips64 mipsn32el mipsn32
// build: dynamic native-core
// no-reference: qemu-user has had a vDSO since version 8.2 only
#include "../traps.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

CHECK(mapping)
{
	unsigned long start, end, at = getauxval(AT_SYSINFO_EHDR);
	char line[512], flags[5], name[64];
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	TRUE(at != 0);
	MEMEQ((void *)at, "\177ELF", 4);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %63s", &start, &end, flags, name) == 4 &&
		    start <= at && at < end) {
			STREQ(name, "[vdso]");
			STREQ(flags, "r-xp");
			EQ(start, at);
			found++;
		}
	EQ(found, 1);
	fclose(maps);
}

/* The vDSO writes itself, so a bad pointer is a fault. */
static void faults(int how, void *bad)
{
	catches(SIGSEGV, jumps_out);
	got_signal = 0;
	if (!sigsetjmp(out, 1)) {
		if (how == 0)
			clock_gettime(CLOCK_MONOTONIC, bad);
		else
			clock_getres(CLOCK_MONOTONIC, bad);
	}
	EQ(got_signal, SIGSEGV);
	EQ((uintptr_t)got_addr, (uintptr_t)bad);
	signal(SIGSEGV, SIG_DFL);
}

CHECK(bad_pointers)
{
#if __SIZEOF_LONG__ == 8
	faults(0, check_unmapped());
	EQ(got_code, SEGV_MAPERR);
	faults(0, check_edge());
	EQ(got_code, SEGV_ACCERR);
#ifndef __mips__ /* where glibc makes a call for it */
	faults(1, check_edge());
#endif
#else
	NA("the C library has the time on its own stack first");
#endif
}

/* A filter does not see what is no call. */
CHECK(seccomp)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clock_gettime, 1, 0),
#ifdef __NR_clock_gettime64
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clock_gettime64, 0, 1),
#else
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffff, 0, 1),
#endif
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(code), code };
	struct timespec t;
	int status;
	pid_t child = OK(fork());

	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
			_exit(9);
		/* This one is a call. */
		if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != -1 || errno != ENOTTY)
			_exit(1);
		_exit(clock_gettime(CLOCK_MONOTONIC, &t) == 0 ? 0 : 2);
	}
	EQ(waitpid(child, &status, 0), child);
	TRUE(WIFEXITED(status));
	EQ(WEXITSTATUS(status), 0);
}

static void *reads(void *last)
{
	struct timespec t;
	int64_t before = 0;

	for (int i = 0; i < 1000; i++) {
		OK(clock_gettime(CLOCK_MONOTONIC, &t));
		int64_t now = t.tv_sec * 1000000000LL + t.tv_nsec;

		if (now < before)
			return (void *)1;
		before = now;
	}
	*(int64_t *)last = before;
	return NULL;
}

CHECK(threads)
{
	pthread_t threads[4];
	int64_t last[4];
	void *result;

	for (int i = 0; i < COUNT(threads); i++)
		EQ(pthread_create(&threads[i], NULL, reads, &last[i]), 0);
	for (int i = 0; i < COUNT(threads); i++) {
		EQ(pthread_join(threads[i], &result), 0);
		TRUE(result == NULL);
	}
}

/* Those that take a call, and how fine they are. */
CHECK(other_clocks)
{
	struct timespec t;

	ERR(clock_gettime(99, &t), EINVAL);
	ERR(clock_gettime(10, &t), EINVAL);
	OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
	TRUE(t.tv_sec < 1000);
	OK(clock_getres(CLOCK_MONOTONIC, &t));
	EQ(t.tv_sec, 0);
	OK(clock_getres(CLOCK_MONOTONIC, NULL));
	OK(clock_getres(CLOCK_MONOTONIC_COARSE, &t));
	TRUE(t.tv_nsec >= 1000000);
	ERR(clock_getres(99, &t), EINVAL);
}

CHECK_MAIN
