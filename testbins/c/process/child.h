/* Children that judge themselves: a failed EXPECT ends the child with its line's number. */
#ifndef CHILD_H
#define CHILD_H

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* In a child: where it went wrong goes to the parent by a file, since an exit status is short. */
#define EXPECT(condition)                                                  \
	do {                                                               \
		if (!(condition)) {                                        \
			dprintf(1, "child: %s:%d (errno %s): %s\n",        \
				__FILE__, __LINE__,                        \
				strerrorname_np(errno), #condition);       \
			_exit(99);                                         \
		}                                                          \
	} while (0)

/* The wait status of a child that calls `run` and exits with 0. */
static int __attribute__((unused)) child_status(void (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

/* Until `path` (such as /proc/PID/stat) shows a process in `state`; 0 when it does not in 5 s. */
static int __attribute__((unused)) await_state(pid_t pid, char state)
{
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 5000; i++) {
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

		close(fd);
		if (n > 0) {
			line[n] = 0;
			char *paren = strrchr(line, ')');
			if (paren && paren[2] == state)
				return 1;
		}
		usleep(1000);
	}
	return 0;
}

#endif
