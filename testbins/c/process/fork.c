// fork, vfork, clone, clone3, posix_spawn: what the child gets and what the parent is told.
// no-reference: qemu-user refuses kill(pid, 33); the child that the check cannot end stays
#include "../check.h"
#include "../isa.h"
#include "child.h"
#include <linux/sched.h>
#include <spawn.h>
#include <sys/times.h>

static volatile int value = 1;

static void changes_memory(void)
{
	EXPECT(value == 1);
	value = 2;
}

CHECK(fork_copies_memory)
{
	EQ(child_status(changes_memory), 0);
	EQ(value, 1);
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = OK(fork());
	if (pid == 0) {
		shared[0] = getppid();
		shared[1] = getpid();
		_exit(0);
	}
	EQ(waitpid(pid, NULL, 0), pid);
	EQ(shared[0], getpid());
	EQ(shared[1], pid);
	munmap(shared, 4096);
}

CHECK(fork_shares_offsets)
{
	int fd = OK(open("offsets", O_RDWR | O_CREAT, 0600));
	pid_t pid = OK(fork());
	if (pid == 0)
		_exit(write(fd, "abc", 3) != 3);
	EQ(waitpid(pid, NULL, 0), pid);
	EQ(lseek(fd, 0, SEEK_CUR), 3);
	close(fd);
}

static void pending_is_empty(void)
{
	sigset_t set;

	EXPECT(sigpending(&set) == 0 && !sigismember(&set, SIGUSR1));
	EXPECT(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	EXPECT(sigismember(&set, SIGUSR1));
	struct tms times_;
	times(&times_);
	EXPECT(times_.tms_cutime == 0);
	EXPECT(alarm(0) == 0);
}

CHECK(child_inherits_mask_not_pending)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, &old));
	OK(raise(SIGUSR1));
	alarm(100);
	EQ(child_status(pending_is_empty), 0);
	TRUE(alarm(0) > 90);
	EQ(sigtimedwait(&set, NULL, &(struct timespec){ 0 }), SIGUSR1);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

CHECK(exit_status)
{
	for (int code = 0; code < 256; code += 51) {
		pid_t pid = OK(fork());
		int status;
		if (pid == 0)
			_exit(code + 256);
		EQ(waitpid(pid, &status, 0), pid);
		TRUE(WIFEXITED(status));
		EQ(WEXITSTATUS(status), code);
	}
}

/* Started with the signal ignored, as what make(1) starts does with 32 and 33 (the C library's
   posix_spawn), and the C library will not change it. */
static int is_ignored(int signal)
{
	/* The handler comes first in the kernel's struct, or behind the flags. */
	unsigned long action[8];
#ifdef ISA_ACTION_FLAGS_FIRST
	const int handler = 1;
#else
	const int handler = 0;
#endif

	OK(syscall(SYS_rt_sigaction, signal, NULL, action, SIGSET_SIZE));
	return action[handler] == (unsigned long)SIG_IGN;
}

CHECK(killed_by)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGPIPE, 32, 33, 34, 64 };

	for (int i = 0; i < COUNT(signals); i++) {
		if (is_ignored(signals[i]))
			continue;
		pid_t pid = OK(fork());
		int status;
		if (pid == 0)
			for (;;)
				pause();
		OK(kill(pid, signals[i]));
		EQ(waitpid(pid, &status, 0), pid);
		TRUE(WIFSIGNALED(status));
		EQ(WTERMSIG(status), signals[i]);
	}
}

CHECK(vfork_waits_and_shares)
{
	volatile int seen = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		usleep(50000);
		seen = 7;
		value = 3;
		_exit(4);
	}
	OK(pid);
	/* Without the wait and the shared memory these would still be as before. */
	EQ(seen, 7);
	EQ(value, 3);
	value = 1;
	int status;
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 4);
}

CHECK(vfork_child_killed)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGKILL);
}

CHECK(clone_tids)
{
	int *tids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD;
#ifdef ISA_CLONE_TLS_FIRST
	pid_t pid = OK(syscall(__NR_clone, flags, 0, &tids[0], 0, &tids[1]));
#else
	pid_t pid = OK(syscall(__NR_clone, CLONE_ARGS(flags, 0), &tids[0], &tids[1], 0));
#endif
	if (pid == 0)
		syscall(__NR_exit, tids[1] != syscall(__NR_gettid));
	int status;
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	EQ(tids[0], pid);
	EQ(tids[1], pid);
	munmap(tids, 4096);
}

CHECK(clone_exit_signal)
{
	int status;
	/* No exit signal: only __WCLONE or __WALL find the child (wait(2)). */
	pid_t pid = OK(syscall(__NR_clone, 0L, 0L, 0L, 0L, 0L));

	if (pid == 0)
		syscall(__NR_exit, 5);
	TRUE(await_state(pid, 'Z'));
	ERR(waitpid(pid, &status, 0), ECHILD);
	EQ(waitpid(pid, &status, __WCLONE), pid);
	EQ(WEXITSTATUS(status), 5);
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	OK(sigprocmask(SIG_BLOCK, &set, &old));
	pid = OK(syscall(__NR_clone, CLONE_ARGS(SIGUSR2, 0), 0L, 0L, 0L));
	if (pid == 0)
		syscall(__NR_exit, 6);
	siginfo_t info;
	EQ(sigwaitinfo(&set, &info), SIGUSR2);
	EQ(info.si_pid, pid);
	EQ(waitpid(pid, &status, __WALL), pid);
	EQ(WEXITSTATUS(status), 6);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

static void ignore(int signal)
{
	(void)signal;
}

CHECK(clone3_pidfd_clear_sighand)
{
	int pidfd = -1, tid = 0;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)&pidfd,
		.parent_tid = (uintptr_t)&tid,
		.exit_signal = SIGCHLD,
	};
	struct sigaction action;

	signal(SIGUSR1, ignore);
	signal(SIGUSR2, SIG_IGN);
	pid_t pid = OK(syscall(__NR_clone3, &args, sizeof(args)));
	if (pid == 0) {
		EXPECT(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
		EXPECT(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
		_exit(9);
	}
	EQ(tid, pid);
	TRUE(pidfd > 2);
	EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	siginfo_t info = { 0 };
	OK(waitid(P_PIDFD, pidfd, &info, WEXITED));
	EQ(info.si_status, 9);
	EQ(info.si_pid, pid);
	close(pidfd);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

CHECK(clone3_errors)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	args.exit_signal = 0x100;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	args.exit_signal = SIGCHLD;
	args.stack = 4096;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	args.stack = 0;
	args.flags = CLONE_SIGHAND;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	args.flags = CLONE_THREAD | CLONE_VM;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	args.flags = CLONE_FS | CLONE_NEWNS;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	args.flags = 1ull << 60;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	args.flags = 0;
	args.set_tid_size = 1;
	ERR(syscall(__NR_clone3, &args, sizeof(args)), EINVAL);
	ERR(syscall(__NR_clone3, &args, 10), EINVAL);
	ERR(syscall(__NR_clone3, &args, 100000), E2BIG);
}

static int on_own_stack(void *argument)
{
	char here;

	value = 5;
	return &here > (char *)argument && &here < (char *)argument + 65536 ? 11 : 12;
}

CHECK(clone_with_stack)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = OK(clone(on_own_stack, stack + 65536, SIGCHLD, stack));

	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 11);
	EQ(value, 1);
	pid = OK(clone(on_own_stack, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, stack));
	EQ(value, 5);
	value = 1;
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 11);
	munmap(stack, 65536);
}

CHECK(spawn)
{
	char *arguments[] = { "/bin/sh", "-c", "read line; echo got $line $X; exit 3", NULL };
	char *environment[] = { "X=42", NULL };
	posix_spawn_file_actions_t actions;
	int in[2], out[2], status;
	char text[64] = "";
	pid_t pid;

	OK(pipe2(in, O_CLOEXEC));
	OK(pipe2(out, O_CLOEXEC));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	EQ(posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environment), 0);
	EQ(write(in[1], "word\n", 5), 5);
	close(in[0]), close(in[1]), close(out[1]);
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 3);
	OK(read(out[0], text, sizeof(text)));
	STREQ(text, "got word 42\n");
	close(out[0]);
	posix_spawn_file_actions_destroy(&actions);
	/* The child's failure comes back through the shared memory. */
	EQ(posix_spawn(&pid, "/no/such/program", NULL, NULL, arguments, environment), ENOENT);
	EQ(posix_spawn(&pid, "/etc", NULL, NULL, arguments, environment), EACCES);
	ERR(waitpid(-1, &status, 0), ECHILD);
}

CHECK(spawn_attributes)
{
	char *arguments[] = { "/bin/sh", "-c", "kill -USR1 $$; exit 3", NULL };
	char *environment[] = { NULL };
	posix_spawnattr_t attributes;
	sigset_t set;
	int status;
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP |
				 POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	sigaddset(&set, SIGUSR1);
	posix_spawnattr_setsigdefault(&attributes, &set);
	EQ(posix_spawn(&pid, "/bin/sh", NULL, &attributes, arguments, environment), 0);
	EQ(getpgid(pid), pid);
	EQ(waitpid(pid, &status, 0), pid);
	TRUE(WIFSIGNALED(status));
	EQ(WTERMSIG(status), SIGUSR1);
	EQ(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environment), 0);
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 3);
	signal(SIGUSR1, SIG_DFL);
	posix_spawnattr_destroy(&attributes);
}

CHECK(popen_system)
{
	char text[32] = "";
	FILE *file = popen("echo piped", "r");

	TRUE(file && fgets(text, sizeof(text), file));
	STREQ(text, "piped\n");
	EQ(pclose(file), 0);
	EQ(WEXITSTATUS(system("exit 12")), 12);
	EQ(WTERMSIG(system("kill -9 $$")), 9);
	TRUE(system(NULL) != 0);
}

CHECK(nested)
{
	/* Each of 20 generations waits for the next. */
	int depth = 0, status;
	pid_t first = getpid();

	for (;;) {
		pid_t pid = fork();
		if (pid < 0)
			_exit(200);
		if (pid != 0) {
			if (waitpid(pid, &status, 0) != pid)
				_exit(201);
			break;
		}
		if (++depth == 20)
			_exit(20);
	}
	if (getpid() != first)
		_exit(WEXITSTATUS(status));
	EQ(WEXITSTATUS(status), 20);
}

CHECK_MAIN
