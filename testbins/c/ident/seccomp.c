// seccomp: filters that name this machine's calls, strict mode, what is inherited.
#include "../check.h"
#include "../isa.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ARCH ISA_AUDIT

#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_NR(nr, result)                                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),                        \
		BPF_STMT(BPF_RET | BPF_K, result)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Every check is made in a child: a filter stays. */
static int in_child(int (*body)(void))
{
	int status;

	fflush(stdout);
	pid_t pid = OK(fork());
	if (pid == 0)
		_exit(body());
	OK(waitpid(pid, &status, 0));
	return status;
}

#define PASSES(body) EQ(in_child(body), 0)

static long install(struct sock_filter *program, unsigned count, unsigned flags)
{
	struct sock_fprog filter = {count, program};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -2;
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

#define INSTALL(...)                                                           \
	({                                                                     \
		struct sock_filter program[] = {__VA_ARGS__};                  \
		install(program, sizeof program / sizeof *program, 0);         \
	})

static int errno_body(void)
{
	if (prctl(PR_GET_SECCOMP) != 0)
		return 1;
	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_ERRNO | 77),
		    IF_NR(__NR_getsid, SECCOMP_RET_ERRNO | 0), ALLOW))
		return 2;
	errno = 0;
	if (syscall(__NR_getppid) != -1 || errno != 77)
		return 3;
	if (syscall(__NR_getsid, 0) != 0)
		return 4;
	if (getpid() <= 0 || prctl(PR_GET_SECCOMP) != 2)
		return 5;
	return 0;
}

CHECK(a_call_fails)
{
	PASSES(errno_body);
}

static int argument_body(void)
{
	/* The low word of the second argument; the machine's name. */
	unsigned low = offsetof(struct seccomp_data, args[1]);
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		low += 4;
	if (INSTALL(LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		    LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_lseek, 1, 0),
		    ALLOW, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low),
		    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1000, 0, 1),
		    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV), ALLOW))
		return 1;
	int fd = open("file", O_CREAT | O_RDWR, 0600);
	if (syscall(__NR_lseek, fd, 1000, SEEK_SET) != 1000)
		return 2;
	if (syscall(__NR_lseek, fd, 1001, SEEK_SET) != -1 || errno != EXDEV)
		return 3;
	return 0;
}

CHECK(arguments_and_architecture)
{
	PASSES(argument_body);
}

static siginfo_t seen;

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	seen = *info;
}

static int trap_body(void)
{
	struct sigaction action = {.sa_sigaction = on_sigsys,
				   .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &action, NULL);
	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_TRAP | 99), ALLOW))
		return 1;
	syscall(__NR_getppid);
	if (seen.si_signo != SIGSYS || seen.si_code != 1 /* SYS_SECCOMP */)
		return 2;
	if (seen.si_errno != 99 || seen.si_syscall != __NR_getppid)
		return 3;
	if (seen.si_arch != ARCH || !seen.si_call_addr)
		return 4;
	return 0;
}

CHECK(a_signal_instead)
{
	PASSES(trap_body);
}

static int trap_blocked_body(void)
{
	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_TRAP), ALLOW))
		return 1;
	syscall(__NR_getppid);
	return 2;
}

static int kill_body(void)
{
	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_KILL_PROCESS), ALLOW))
		return 1;
	syscall(__NR_getppid);
	return 2;
}

static int strict_body(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	if (write(-1, "", 0) == 0)
		syscall(__NR_exit, 2);
	syscall(__NR_exit, 7);
	return 3;
}

static int strict_violation_body(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	syscall(__NR_getppid);
	return 2;
}

CHECK(death)
{
	int status = in_child(kill_body);
	TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = in_child(trap_blocked_body);
	TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#ifndef __m68k__ /* where errno is, only a call says that is not allowed any more */
	status = in_child(strict_body);
	TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
#endif
	status = in_child(strict_violation_body);
	TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int refusals_body(void)
{
	struct sock_filter no_return[] = {LOAD(nr)};
	struct sock_filter outside[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW};
	struct sock_filter fine[] = {ALLOW};

	if (install(no_return, 1, 0) != -1 || errno != EINVAL)
		return 1;
	if (install(outside, 2, 0) != -1 || errno != EINVAL)
		return 2;
	if (install(fine, 0, 0) != -1 || errno != EINVAL)
		return 3;
	if (install(fine, 1, 1 << 30) != -1 || errno != EINVAL)
		return 4;
	unsigned action = SECCOMP_RET_TRAP;
	if (syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return 5;
	action = 0x12340000;
	if (syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != -1 ||
	    errno != EOPNOTSUPP)
		return 6;
	if (install(fine, 1, 0))
		return 7;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != -1 || errno != EINVAL)
		return 8;
	return 0;
}

CHECK(refusals)
{
	PASSES(refusals_body);
}

/* The newest of several filters does not overrule the strictest. */
static int several_body(void)
{
	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_ERRNO | 5), ALLOW))
		return 1;
	if (INSTALL(ALLOW))
		return 2;
	return syscall(__NR_getppid) == -1 && errno == 5 ? 0 : 3;
}

static void *thread_body(void *result)
{
	*(int *)result = syscall(__NR_getppid) == -1 && errno == 9;
	return NULL;
}

static int inherited_body(void)
{
	int in_thread = 0, status;
	pthread_t thread;

	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_ERRNO | 9), ALLOW))
		return 1;
	if (pthread_create(&thread, NULL, thread_body, &in_thread))
		return 2;
	pthread_join(thread, NULL);
	if (!in_thread)
		return 3;
	pid_t pid = fork();
	if (pid == 0)
		_exit(syscall(__NR_getppid) == -1 && errno == 9 ? 0 : 4);
	waitpid(pid, &status, 0);
	return status ? 5 : 0;
}

static pthread_barrier_t barrier;

static void *waiting_body(void *result)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return thread_body(result);
}

static int synchronised_body(void)
{
	struct sock_filter program[] = {
		LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_ERRNO | 9), ALLOW};
	int in_thread = 0;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, waiting_body, &in_thread))
		return 1;
	pthread_barrier_wait(&barrier);
	if (install(program, sizeof program / sizeof *program,
		    SECCOMP_FILTER_FLAG_TSYNC))
		return 2;
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return in_thread ? 0 : 3;
}

CHECK(several_and_inherited)
{
	PASSES(several_body);
	PASSES(inherited_body);
	PASSES(synchronised_body);
}

static int exec_body(void)
{
	if (INSTALL(LOAD(nr), IF_NR(__NR_getppid, SECCOMP_RET_ERRNO | 9), ALLOW))
		return 1;
	execl("/proc/self/exe", "seccomp", "after-exec", NULL);
	return 2;
}

static void __attribute__((constructor)) after_exec(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "after-exec"))
		_exit(syscall(__NR_getppid) == -1 && errno == 9 ? 0 : 3);
}

CHECK(after_execve)
{
	PASSES(exec_body);
}

CHECK_MAIN
