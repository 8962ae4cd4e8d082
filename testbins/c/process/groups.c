// no-reference: qemu-user gives no EACCES, and the children of failed checks keep it waiting
/*
 * setpgid(2) of children that have executed a program or have not (kernel/sys.c; LTP setpgid03), and
 * what set_robust_list's sister says of processes that are none of ours.
 */
#include "../check.h"

#include <signal.h>
#include <sys/wait.h>

#define RUNS 20

/* A child that waits, or executes this program, which waits. */
static pid_t start(int executes, int *stop)
{
	int ready[2], end[2];
	char byte = 0;
	pid_t child;

	OK(pipe(ready));
	OK(pipe(end));
	child = fork();
	if (child == 0) {
		dup2(ready[1], 10);
		dup2(end[0], 11);
		close(end[1]);
		close(ready[0]);
		close(ready[1]);
		if (executes)
			execl("/proc/self/exe", "self", "--wait", NULL);
		write(10, &byte, 1);
		read(11, &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	close(end[0]);
	EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*stop = end[1];
	return child;
}

static void finish(pid_t child, int stop)
{
	/* Others may have inherited the other end. */
	OK(kill(child, SIGKILL));
	close(stop);
	EQ(waitpid(child, NULL, 0), child);
}

CHECK(a_child_before_and_after_its_exec)
{
	for (int i = 0; i < RUNS; i++) {
		int stop, other_stop;
		pid_t child = start(0, &stop), other = start(1, &other_stop);

		OK(setpgid(child, child));
		EQ(getpgid(child), child);
		OK(setpgid(child, 0));
		OK(setpgid(child, getpgrp()));
		ERR(setpgid(other, other), EACCES);
		ERR(setpgid(other, getpgrp()), EACCES);
		/* Other errors come first. */
		ERR(setpgid(other, -1), EINVAL);
		finish(child, stop);
		finish(other, other_stop);
		ERR(setpgid(other, other), ESRCH);
	}
}

CHECK(a_child_in_another_session)
{
	int end[2], ready[2];
	char byte = 0;
	pid_t child;

	OK(pipe(end));
	OK(pipe(ready));
	child = fork();
	if (child == 0) {
		setsid();
		dup2(ready[1], 10);
		dup2(end[0], 11);
		close(end[1]);
		execl("/proc/self/exe", "self", "--wait", NULL);
		_exit(1);
	}
	EQ(read(ready[0], &byte, 1), 1);
	ERR(setpgid(child, child), EPERM);
	close(end[0]);
	finish(child, end[1]);
}

CHECK(ones_own_group)
{
	pid_t child = fork();
	int status;

	/* One that was executed itself may change its own, and its parent's not. */
	if (child == 0)
		_exit(setpgid(0, 0) != 0 || getpgrp() != getpid() || setpgid(getppid(), 0) == 0
		      || errno != ESRCH);
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
}

CHECK(robust_lists_of_others)
{
	void *head;
	size_t size;

	OK(syscall(SYS_get_robust_list, 0, &head, &size));
	ERR(syscall(SYS_get_robust_list, 0, &head, NULL), EFAULT);
	ERR(syscall(SYS_get_robust_list, 0, NULL, &size), EFAULT);
	ERR(syscall(SYS_get_robust_list, -1, &head, &size), ESRCH);
	ERR(syscall(SYS_get_robust_list, 0x7ffffff0, &head, &size), ESRCH);
	if (geteuid() == 0) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			if (setuid(65534))
				_exit(2);
			_exit(syscall(SYS_get_robust_list, getppid(), &head, &size) != -1 || errno != EPERM);
		}
		EQ(waitpid(child, &status, 0), child);
		EQ(status, 0);
	} else {
		ERR(syscall(SYS_get_robust_list, 1, &head, &size), EPERM);
	}
}

int main(int argc, char **argv)
{
	char byte = 0;

	if (argc > 1 && strcmp(argv[1], "--wait") == 0) {
		write(10, &byte, 1);
		read(11, &byte, 1);
		return 0;
	}
	return check_main(argc, argv);
}
