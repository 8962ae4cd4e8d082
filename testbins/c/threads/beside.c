// What seldom happens to a process (a file that shows all of its memory, other programs, ends), in any of its threads, while others
// run, sleep, wait, are made and end. Each case is a process of its own.
// libs: -lpthread
// no-reference: qemu-user does not bring its locks through the fork of a process with threads
#include "../check.h"
#include "../process/child.h"
#include <pthread.h>
#include <spawn.h>
#include <time.h>

#define ROUNDS 2

static char self[PATH_MAX];
static volatile int stop;
/* Another thread may execute a program: then none is made (fs_struct's in_exec; kernel/fork.c, copy_fs). */
static int is_ending;

/* ---- the company ---- */

static pthread_t company[5];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *runs(void *argument)
{
	static volatile long count;

	while (!stop)
		count++;
	return argument;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Nobody has a handler, so nobody wakes it, and it sleeps as long as it wants to. */
static void *sleeps(void *argument)
{
	while (!stop) {
		const struct timespec time = { .tv_nsec = 3000000 };
		double begin = now();

		EXPECT(nanosleep(&time, NULL) == 0);
		EXPECT(now() - begin >= 0.003);
	}
	return argument;
}

static void *waits(void *argument)
{
	pthread_mutex_lock(&mutex);
	while (!stop)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	return argument;
}

static void *ends(void *argument)
{
	return argument;
}

static void *makes(void *argument)
{
	while (!stop) {
		pthread_t threads[3];
		void *result;
		int count = 0;

		for (int i = 0; i < COUNT(threads); i++) {
			int error = pthread_create(&threads[i], NULL, ends, &threads[i]);

			if (error == EAGAIN && is_ending)
				break;
			EXPECT(error == 0);
			count++;
		}
		for (int i = 0; i < count; i++) {
			EXPECT(pthread_join(threads[i], &result) == 0);
			EXPECT(result == &threads[i]);
		}
	}
	return argument;
}

static void begin(void)
{
	void *(*const bodies[])(void *) = { runs, sleeps, waits, makes, makes };

	for (int i = 0; i < COUNT(company); i++)
		EXPECT(pthread_create(&company[i], NULL, bodies[i], &company[i]) == 0);
	usleep(1000 * (rand() % 4));
}

static void end(void)
{
	void *result;

	usleep(5000);
	pthread_mutex_lock(&mutex);
	stop = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < COUNT(company); i++) {
		EXPECT(pthread_join(company[i], &result) == 0);
		EXPECT(result == &company[i]);
	}
}

/* ---- what seldom happens ---- */

static void look(void)
{
	char text[4096];
	int fd = open("/proc/thread-self/smaps_rollup", O_RDONLY);

	EXPECT(fd >= 0);
	EXPECT(read(fd, text, sizeof text) > 0);
	EXPECT(close(fd) == 0);
}

/* A process that ends with `status`; it looks first, or makes a thread that does. */
static void *looks(void *argument)
{
	look();
	return argument;
}

static void is_exit(pid_t pid, int wanted)
{
	int status;

	EXPECT(pid > 0);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status));
	EXPECT(WEXITSTATUS(status) == wanted);
}

static void forks(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		EXPECT(pthread_create(&thread, NULL, looks, NULL) == 0);
		EXPECT(pthread_join(thread, NULL) == 0);
		_exit(7);
	}
	is_exit(pid, 7);
}

static void spawns(void)
{
	char *const argv[] = { "argv0", "--role", "exits", NULL };
	pid_t pid;

	EXPECT(posix_spawn(&pid, self, NULL, NULL, argv, argv + 3) == 0);
	is_exit(pid, 3);
}

static void vforks(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		/* Not what a child of vfork should do, but what it may. */
		(void)!open("/proc/thread-self/smaps_rollup", O_RDONLY);
		_exit(9);
	}
	is_exit(pid, 9);
}

static void forks_and_executes(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(self, "argv0", "--role", "looks", NULL);
		_exit(98);
	}
	is_exit(pid, 4);
}

/* ---- who does it ---- */

static void (*what)(void);

static void *other(void *argument)
{
	what();
	return argument;
}

static void by_first(void)
{
	begin();
	what();
	end();
}

static void by_second(void)
{
	pthread_t thread;

	begin();
	EXPECT(pthread_create(&thread, NULL, other, NULL) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
	end();
}

static void by_many(void)
{
	pthread_t threads[4];

	begin();
	for (int i = 0; i < COUNT(threads); i++)
		EXPECT(pthread_create(&threads[i], NULL, other, NULL) == 0);
	what();
	for (int i = 0; i < COUNT(threads); i++)
		EXPECT(pthread_join(threads[i], NULL) == 0);
	end();
}

static void all(void (*act)(void))
{
	void (*const who[])(void) = { by_first, by_second, by_many };

	what = act;
	for (int round = 0; round < ROUNDS; round++) {
		srand(round);
		for (int i = 0; i < COUNT(who); i++)
			EQ(child_status(who[i]), 0);
	}
}

CHECK(looks) { all(look); }
CHECK(forks) { all(forks); }
CHECK(spawns) { all(spawns); }
CHECK(vforks) { all(vforks); }
CHECK(forks_and_executes) { all(forks_and_executes); }

/* ---- ends ---- */

static int looks_before;

static void *exits(void *argument)
{
	if (looks_before)
		look();
	_exit(5);
	return argument;
}

static void *executes(void *argument)
{
	if (looks_before)
		look();
	execl(self, "argv0", "--role", "exits", NULL);
	return argument;
}

static void *dies(void *argument)
{
	if (looks_before)
		look();
	raise(SIGTERM);
	return argument;
}

static void *(*last)(void *);

static void end_by_second(void)
{
	pthread_t thread;

	begin();
	EXPECT(pthread_create(&thread, NULL, last, NULL) == 0);
	for (;;)
		pause();
}

static void end_by_first(void)
{
	begin();
	last(NULL);
}

/* The first thread has ended when it comes. */
static void end_without_first(void)
{
	pthread_t thread;

	begin();
	EXPECT(pthread_create(&thread, NULL, last, NULL) == 0);
	pthread_exit(NULL);
}

static void *waits_and_ends(void *argument)
{
	usleep(2000);
	return last(argument);
}

static void end_by_two(void)
{
	pthread_t thread;
	int error;

	begin();
	EXPECT(pthread_create(&thread, NULL, last, NULL) == 0);
	error = pthread_create(&thread, NULL, waits_and_ends, NULL);
	EXPECT(error == 0 || error == EAGAIN);
	last(NULL);
}

static void all_ends(void *(*act)(void *), int wanted)
{
	void (*const who[])(void) = { end_by_first, end_by_second, end_without_first, end_by_two };

	last = act;
	is_ending = 1;
	for (int round = 0; round < ROUNDS; round++) {
		srand(round);
		looks_before = round % 2;
		for (int i = 0; i < COUNT(who); i++)
			EQ(child_status(who[i]), wanted);
	}
	is_ending = 0;
}

/* The first thread's exit(2) and another thread's execve(2) meet, while the others are on their way out. */
CHECK(executes_as_first_exits)
{
	last = executes;
	looks_before = 0;
	is_ending = 1;
	for (int round = 0; round < 12; round++) {
		srand(round);
		EQ(child_status(end_without_first), 3 << 8);
	}
	is_ending = 0;
}

CHECK(exits) { all_ends(exits, 5 << 8); }
CHECK(executes) { all_ends(executes, 3 << 8); }
CHECK(dies) { all_ends(dies, SIGTERM); }

/* Each thread ends by itself, the first one first or last. */
static void first_ends_first(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, looks_before ? looks : ends, NULL) == 0);
	pthread_exit(NULL);
}

static void first_ends_last(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, looks_before ? looks : ends, NULL) == 0);
	usleep(1000);
	EXPECT(pthread_join(thread, NULL) == 0);
	pthread_exit(NULL);
}

CHECK(each_by_itself)
{
	for (looks_before = 0; looks_before < 2; looks_before++) {
		EQ(child_status(first_ends_first), 0);
		EQ(child_status(first_ends_last), 0);
	}
}

/* ---- signals ---- */

static volatile int heard;

static void hear(int signal)
{
	__atomic_add_fetch(&heard, 1, __ATOMIC_SEQ_CST);
	(void)signal;
}

static void *hears(void *argument)
{
	int before = __atomic_load_n(&heard, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&heard, __ATOMIC_SEQ_CST) == before && !stop)
		sched_yield();
	return argument;
}

/* Each comes, though it is sent to a thread that has just been made. */
static void signals_to_newborn(void)
{
	const struct sigaction action = { .sa_handler = hear, .sa_flags = SA_RESTART };

	EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
	for (int i = 0; i < 30; i++) {
		pthread_t thread;

		EXPECT(pthread_create(&thread, NULL, hears, NULL) == 0);
		EXPECT(pthread_kill(thread, SIGUSR1) == 0);
		if (looks_before && i == 15)
			look();
		/* It may have begun to count behind the signal. */
		stop = 1;
		EXPECT(pthread_join(thread, NULL) == 0);
		stop = 0;
		EXPECT(__atomic_load_n(&heard, __ATOMIC_SEQ_CST) == i + 1);
	}
}

static volatile int looked;

static void *looks_once(void *argument)
{
	look();
	looked = 1;
	return argument;
}

/* The process's own: whichever thread gets it, none is lost, before, while and after another one looks. */
static void signals_to_process(void)
{
	const struct sigaction action = { .sa_handler = hear, .sa_flags = SA_RESTART };
	pthread_t thread;

	EXPECT(sigaction(SIGINT, &action, NULL) == 0);
	EXPECT(sigaction(SIGPIPE, &action, NULL) == 0);
	EXPECT(pthread_create(&thread, NULL, looks_once, NULL) == 0);
	for (int i = 0; i < 200 || !looked; i++) {
		double limit = now() + 20;

		EXPECT(kill(getpid(), i % 2 ? SIGINT : SIGPIPE) == 0);
		while (__atomic_load_n(&heard, __ATOMIC_SEQ_CST) <= i)
			EXPECT(now() < limit);
	}
	EXPECT(pthread_join(thread, NULL) == 0);
}

CHECK(signals)
{
	for (looks_before = 0; looks_before < 2; looks_before++)
		EQ(child_status(signals_to_newborn), 0);
	EQ(child_status(signals_to_process), 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0)
		self[n] = 0;
	if (argc == 3 && strcmp(argv[1], "--role") == 0) {
		if (strcmp(argv[2], "looks") == 0)
			return look(), 4;
		return 3;
	}
	return check_main(argc, argv);
}
