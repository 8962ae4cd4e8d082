// SIGSEGV, SIGBUS and SIGFPE that are sent to a thread in a system call: a handler ends read(2) with EINTR or not as
// its SA_RESTART says (signal(7)), and a signal that is blocked or ignored ends nothing, not even poll(2).
// libs: -lpthread
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "../check.h"

static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE };
static volatile int tid, handled, result, error, over;
static int ends[2], blocks;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

static void *reader(void *unused)
{
	char byte;

	tid = gettid();
	result = read(ends[0], &byte, 1);
	error = errno;
	over = 1;
	return unused;
}

static void *poller(void *unused)
{
	struct pollfd wanted = { .fd = ends[0], .events = POLLIN };
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; blocks && i < 3; i++)
		sigaddset(&set, numbers[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	tid = gettid();
	result = poll(&wanted, 1, -1);
	error = errno;
	over = 1;
	return unused;
}

/* Waits until the thread sleeps, which it does in its call. */
static void until_asleep(void)
{
	char path[64], line[256], state = 0;

	while (!tid)
		usleep(1000);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	while (state != 'S' && !over) {
		FILE *file = fopen(path, "r");

		if (file && fgets(line, sizeof(line), file))
			state = strrchr(line, ')')[2];
		if (file)
			fclose(file);
		usleep(1000);
	}
}

static pthread_t start(void *(*body)(void *), int signal, void (*how)(int), int flags)
{
	struct sigaction action = { .sa_handler = how, .sa_flags = flags };
	pthread_t thread;

	tid = handled = over = 0;
	OK(sigaction(signal, &action, NULL));
	EQ(pthread_create(&thread, NULL, body, NULL), 0);
	until_asleep();
	return thread;
}

static void end(pthread_t thread, int wanted)
{
	EQ(write(ends[1], "x", 1), 1);
	EQ(pthread_join(thread, NULL), 0);
	EQ(result, wanted);
}

CHECK(without_restart)
{
	OK(pipe(ends));
	for (int i = 0; i < 3; i++) {
		pthread_t thread = start(reader, numbers[i], handler, 0);

		/* It may not have been in the call the first time. */
		for (int tries = 0; !over && tries < 500; tries++) {
			pthread_kill(thread, numbers[i]);
			usleep(10000);
		}
		TRUE(over);
		TRUE(handled > 0);
		EQ(result, -1);
		EQ(error, EINTR);
		if (!over)
			EQ(write(ends[1], "x", 1), 1);
		EQ(pthread_join(thread, NULL), 0);
	}
}

CHECK(with_restart)
{
	OK(pipe(ends));
	for (int i = 0; i < 3; i++) {
		pthread_t thread = start(reader, numbers[i], handler, SA_RESTART);

		pthread_kill(thread, numbers[i]);
		while (!handled)
			usleep(1000);
		end(thread, 1);
	}
}

CHECK(poll_knows_no_restart)
{
	OK(pipe(ends));
	for (int i = 0; i < 3; i++) {
		pthread_t thread = start(poller, numbers[i], handler, SA_RESTART);

		for (int tries = 0; !over && tries < 500; tries++) {
			pthread_kill(thread, numbers[i]);
			usleep(10000);
		}
		EQ(result, -1);
		EQ(error, EINTR);
		if (!over)
			EQ(write(ends[1], "x", 1), 1);
		EQ(pthread_join(thread, NULL), 0);
	}
}

CHECK(blocked_or_ignored)
{
	for (int i = 0; i < 6; i++) {
		pthread_t thread;

		OK(pipe(ends));
		blocks = i < 3;
		thread = start(poller, numbers[i % 3], blocks ? handler : SIG_IGN, 0);
		for (int times = 0; times < 5; times++) {
			pthread_kill(thread, numbers[i % 3]);
			usleep(1000);
			until_asleep();
		}
		end(thread, 1);
		EQ(handled, 0);
	}
}

CHECK_MAIN
