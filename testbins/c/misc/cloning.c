// clone and clone3 with all that strace shows of their arguments, for tests/test_strace.py.
#define _GNU_SOURCE
#include "../isa.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

/* struct clone_args of linux/sched.h, which does not go together with sched.h everywhere. */
struct arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

static void ends(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		while (waitpid(pid, NULL, __WALL) == -1)
			;
}

/* Most architectures have the thread pointer before the child's tid, others behind it. */
static void old(unsigned long flags, int *parent, int *child)
{
#ifndef ISA_CLONE_TLS_FIRST
	ends(syscall(SYS_clone, CLONE_ARGS(flags, 0), parent, child, 0));
#else
	ends(syscall(SYS_clone, flags, 0, parent, 0, child));
#endif
}

static void new(struct arguments arguments, size_t size)
{
	ends(syscall(SYS_clone3, &arguments, size));
}

static int returns(void *argument)
{
	return argument != NULL;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static int tid, none[1] = { 0 };
	uint64_t at = (uintptr_t)&tid;

	signal(SIGWINCH, SIG_IGN);
	old(SIGCHLD, NULL, NULL);
	old(CLONE_PARENT_SETTID | SIGCHLD, &tid, NULL);
	old(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGWINCH, NULL, &tid);
	old(CLONE_PIDFD | SIGCHLD, &tid, NULL);
	old(CLONE_THREAD, NULL, NULL);
	old(CLONE_THREAD | CLONE_PARENT_SETTID, &tid, NULL);
	old(0, NULL, NULL);
	new((struct arguments){ .exit_signal = SIGCHLD }, 88);
	new((struct arguments){ .flags = CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND, .parent_tid = at,
				.exit_signal = SIGCHLD }, 88);
	new((struct arguments){ .flags = CLONE_PIDFD | CLONE_CHILD_SETTID, .pidfd = at,
				.child_tid = at }, 64);
	new((struct arguments){ .flags = CLONE_THREAD, .set_tid = (uintptr_t)none,
				.set_tid_size = 1 }, 88);
	new((struct arguments){ .exit_signal = SIGCHLD }, 8);
	ends(syscall(SYS_clone3, NULL, 88));
	ends(clone(returns, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
	return 0;
}
