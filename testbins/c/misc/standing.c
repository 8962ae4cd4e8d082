// Threads that stand where tests/test_threads_shown.py looks for them, until standard input ends: one in
// a loop, one at a lock, one in poll(2) (which signals end, whatever their flags), the first one in read(2).
// libs: -lpthread
// cflags: -O1
#include <poll.h>
#include <pthread.h>

#include "../check.h"

pthread_mutex_t lock_that_is_held = PTHREAD_MUTEX_INITIALIZER;
static volatile int over, spins, rounds;

__attribute__((noinline)) void spin_here(void)
{
	while (!over)
		rounds++;
}

static void *spinner(void *unused)
{
	spins = 1;
	spin_here();
	return unused;
}

static void *poller(void *fd)
{
	struct pollfd wanted = { .fd = *(int *)fd, .events = POLLIN };

	EQ(poll(&wanted, 1, -1), 1);
	return NULL;
}

static void *waiter(void *unused)
{
	pthread_mutex_lock(&lock_that_is_held);
	pthread_mutex_unlock(&lock_that_is_held);
	return unused;
}

CHECK(standing)
{
	pthread_t threads[3];
	int ends[2];
	char byte;

	OK(pipe(ends));
	pthread_mutex_lock(&lock_that_is_held);
	EQ(0, pthread_create(&threads[0], NULL, spinner, NULL));
	EQ(0, pthread_create(&threads[1], NULL, waiter, NULL));
	EQ(0, pthread_create(&threads[2], NULL, poller, &ends[0]));
	while (!spins)
		usleep(1000);
	while (read(0, &byte, 1) > 0)
		;
	over = 1;
	EQ(write(ends[1], "", 1), 1);
	pthread_mutex_unlock(&lock_that_is_held);
	for (int i = 0; i < 3; i++)
		EQ(0, pthread_join(threads[i], NULL));
}

CHECK_MAIN
