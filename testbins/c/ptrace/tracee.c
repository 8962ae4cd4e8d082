// What the guest's strace and gdb are tried on (tests/programs/test_tracers.py), line by line.
// cflags: -O0 -g
// libs: -lpthread
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct point {
	int x;
	double y;
	const char *name;
};

static volatile int handled, watched;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	handled = number == SIGUSR1 ? info->si_value.sival_int : -1;
}

static int add(int a, int b)
{
	int sum = a + b;

	return sum;
}

static void *thread(void *argument)
{
	struct point *point = argument;

	point->x = add(point->x, 1);
	return point;
}

/* Until a tracer changes `watched`, for so many tenths of a second at most. */
static int wait_for_tracer(int tenths)
{
	for (int i = 0; i < tenths && !watched; i++) {
		struct timespec time = { 0, 100000000 };

		nanosleep(&time, NULL);
	}
	syscall(SYS_chdir, "/");
	return 5;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	struct point point = { 3, 2.5, "name" };
	pthread_t other;
	int status = 0, total = 0;

	if (argc > 2 && strcmp(argv[1], "wait") == 0)
		return wait_for_tracer(atoi(argv[2]));
	for (int i = 0; i < 4; i++)
		total = add(total, i);
	watched = total;
	sigaction(SIGUSR1, &action, NULL);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 7 });
	syscall(SYS_chdir, "/nowhere");
	pid_t pid = fork();
	if (pid == 0) {
		syscall(SYS_chdir, "/");
		syscall(SYS_exit_group, 4);
	}
	waitpid(pid, &status, 0);
	pthread_create(&other, NULL, thread, &point);
	pthread_join(other, NULL);
	if (total != 6 || handled != 7 || status != 4 << 8 || point.x != 4)
		printf("FAIL tracee: %d %d %d %d\n", total, handled, status, point.x);
	else
		printf("ok tracee\n");
	return total != 6;
}
