// clone(2) with CLONE_PIDFD: what parent and child see, its errors, and beside threads that are in
// system calls all the time: whatever locks those hold, the child goes on.
#include "../check.h"
#include "child.h"
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int pidfd;

static long clone_with_pidfd(int *at)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uintptr_t)at, .exit_signal = SIGCHLD,
	};

	return syscall(__NR_clone3, &args, sizeof(args));
}

/* copy_process: the descriptor is made when memory and descriptors have been copied. */
CHECK(the_child_has_nothing_of_it)
{
	int status, next = OK(dup(0));

	close(next);
	pidfd = -7;
	pid_t pid = OK(clone_with_pidfd(&pidfd));
	if (pid == 0) {
		EXPECT(pidfd == -7);
		EXPECT(fcntl(next, F_GETFD) == -1 && errno == EBADF);
		_exit(3);
	}
	EQ(pidfd, next);
	EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 3 << 8);
	EQ(close(pidfd), 0);
}

CHECK(no_child_without_descriptor)
{
	struct rlimit old, low;

	ERR(clone_with_pidfd((void *)16), EFAULT);
	int next = OK(dup(0));
	close(next);
	OK(getrlimit(RLIMIT_NOFILE, &old));
	low = old;
	low.rlim_cur = next;
	OK(setrlimit(RLIMIT_NOFILE, &low));
	ERR(clone_with_pidfd(&pidfd), EMFILE);
	ERR(waitpid(-1, NULL, 0), ECHILD);
	/* One is enough. */
	low.rlim_cur = next + 1;
	OK(setrlimit(RLIMIT_NOFILE, &low));
	pid_t pid = OK(clone_with_pidfd(&pidfd));
	if (pid == 0)
		_exit(0);
	EQ(pidfd, next);
	OK(setrlimit(RLIMIT_NOFILE, &old));
	EQ(waitpid(pid, NULL, 0), pid);
	close(pidfd);
}

/* Such a child is never a zombie; its descriptor stays and says so. */
CHECK(children_that_nobody_waits_for)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 20; i++) {
		pidfd = -1;
		pid_t pid = OK(clone_with_pidfd(&pidfd));
		if (pid == 0)
			_exit(0);
		struct pollfd ready = { .fd = pidfd, .events = POLLIN };
		EQ(poll(&ready, 1, -1), 1);
		EQ(close(pidfd), 0);
	}
	signal(SIGCHLD, SIG_DFL);
}

static volatile int stop;

static void *calls(void *argument)
{
	struct stat found;
	char path[600];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[(long)argument * 20 + 20] = 0;
	while (!stop) {
		stat(path, &found);
		lstat("/d/e/../../only", &found);
	}
	return NULL;
}

CHECK(beside_busy_threads)
{
	enum { THREADS = 12, FORKS = 60 };
	pthread_t threads[THREADS];
	struct stat found;
	int status;

	for (long i = 0; i < THREADS; i++)
		EQ(pthread_create(&threads[i], NULL, calls, (void *)i), 0);
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = OK(clone_with_pidfd(&pidfd));
		if (pid == 0) {
			for (int k = 0; k < 5; k++)
				stat("/d/e/../../only", &found);
			_exit(7);
		}
		EQ(waitpid(pid, &status, 0), pid);
		EQ(status, 7 << 8);
		close(pidfd);
	}
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		EQ(pthread_join(threads[i], NULL), 0);
}

CHECK_MAIN
