// Threads and processes that all make calls at the same time, for tests/test_strace.py.
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 300

static void *chat(void *unused)
{
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_close, -(100 + i));
	return unused;
}

int main(void)
{
	pthread_t threads[3];
	pid_t children[2];

	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			chat(NULL);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, chat, NULL))
			abort();
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		waitpid(children[i], NULL, 0);
	return 0;
}
