// Cancellation, setuid in all threads, signals to threads, and the C library's own signals.
// libs: -lpthread
#include "../check.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

#define ZERO(call) EQ(call, 0)

static volatile int cleaned;
static sem_t ready;

static void cleans(void *argument)
{
	cleaned += (int)(intptr_t)argument;
}

static void *blocks(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char c;

	pthread_cleanup_push(cleans, (void *)1);
	pthread_cleanup_push(cleans, (void *)10);
	sem_post(&ready);
	read(fd, &c, 1);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *sleeps(void *argument)
{
	sem_post(&ready);
	for (;;)
		sleep(100);
	return argument;
}

static void *computes(void *argument)
{
	volatile unsigned *x = argument;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	sem_post(&ready);
	for (;;)
		++*x;
	return NULL;
}

static void *tests(void *argument)
{
	volatile unsigned *x = argument;

	sem_post(&ready);
	for (;;) {
		++*x;
		pthread_testcancel();
	}
	return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void unlocks(void *argument)
{
	pthread_mutex_unlock(argument);
}

static void *waits(void *argument)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlocks, &mutex);
	sem_post(&ready);
	for (;;)
		pthread_cond_wait(&condition, &mutex);
	pthread_cleanup_pop(0);
	return argument;
}

static void cancelled(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	void *result;

	for (int i = 0; i < 20; i++) {
		ZERO(pthread_create(&thread, NULL, body, argument));
		ZERO(sem_wait(&ready));
		if (i % 2)
			usleep(1000);
		ZERO(pthread_cancel(thread));
		ZERO(pthread_join(thread, &result));
		TRUE(result == PTHREAD_CANCELED);
	}
}

CHECK(cancel)
{
	int ends[2];
	static unsigned counter;

	ZERO(sem_init(&ready, 0, 0));
	OK(pipe(ends));
	cancelled(blocks, (void *)(intptr_t)ends[0]);
	EQ(cleaned, 20 * 11);
	cancelled(sleeps, NULL);
	cancelled(computes, &counter);
	cancelled(tests, &counter);
	cancelled(waits, NULL);
	ZERO(pthread_mutex_trylock(&mutex));
	ZERO(pthread_mutex_unlock(&mutex));
	close(ends[0]), close(ends[1]);
}

static void *refuses(void *argument)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	sem_post(&ready);
	usleep(20000);
	return argument;
}

CHECK(cancel_disabled)
{
	pthread_t thread;
	void *result;

	ZERO(pthread_create(&thread, NULL, refuses, (void *)3));
	ZERO(sem_wait(&ready));
	ZERO(pthread_cancel(thread));
	ZERO(pthread_join(thread, &result));
	EQ((intptr_t)result, 3);
}

static volatile int stop;
static volatile int own_uid[3];

static void *watches_uid(void *argument)
{
	uid_t *uid = argument;

	sem_post(&ready);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		usleep(1000);
	*uid = getuid();
	return NULL;
}

static void changes_user(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, watches_uid, (void *)&own_uid[i]) != 0)
			_exit(1);
	for (int i = 0; i < 3; i++)
		sem_wait(&ready);
	if (setgid(12345) != 0 || setuid(12346) != 0)
		_exit(2);
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		if (own_uid[i] != 12346)
			_exit(3);
	}
}

CHECK(setuid_in_all_threads)
{
	int status;

	if (getuid() != 0)
		NA("not root");
	pid_t pid = OK(fork());
	if (pid == 0) {
		changes_user();
		_exit(0);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
}

static volatile int handled[4];
static __thread int index_of_thread;

static void handler(int signal)
{
	(void)signal;
	handled[index_of_thread]++;
}

static void *is_signalled(void *argument)
{
	index_of_thread = (int)(intptr_t)argument;
	sem_post(&ready);
	while (handled[index_of_thread] < 50)
		if (index_of_thread % 2)
			usleep(500);
	return NULL;
}

CHECK(kill_each)
{
	pthread_t threads[4];

	signal(SIGRTMIN + 1, handler);
	for (intptr_t i = 0; i < 4; i++)
		ZERO(pthread_create(&threads[i], NULL, is_signalled, (void *)i));
	for (int i = 0; i < 4; i++)
		ZERO(sem_wait(&ready));
	for (int round = 0; round < 50; round++)
		for (int i = 0; i < 4; i++)
			while (pthread_kill(threads[i], SIGRTMIN + 1) == EAGAIN)
				usleep(100);
	for (int i = 0; i < 4; i++) {
		ZERO(pthread_join(threads[i], NULL));
		EQ(handled[i], 50);
	}
}

static void *raises(void *argument)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	sigpending(&pending);
	return (void *)(intptr_t)(sigismember(&pending, SIGUSR1) && argument == NULL);
}

CHECK(pending_of_a_thread)
{
	pthread_t thread;
	sigset_t pending;
	void *result;

	/* Sent to the thread alone, it ends with it. */
	ZERO(pthread_create(&thread, NULL, raises, NULL));
	ZERO(pthread_join(thread, &result));
	EQ((intptr_t)result, 1);
	OK(sigpending(&pending));
	EQ(sigismember(&pending, SIGUSR1), 0);
}

static volatile int stop_forking;

static void *is_busy(void *argument)
{
	unsigned i = 0;

	while (!stop_forking) {
		void *p = malloc(100 + i++ % 5000);
		free(p);
		if (i % 64 == 0) {
			int fd = open("/proc/self/maps", O_RDONLY);
			char c;
			read(fd, &c, 1);
			close(fd);
		}
		if (i % 128 == 0)
			free(realpath("/usr/bin/..", NULL));
	}
	return argument;
}

#ifdef SLOW
enum { FORKS = 10000 };
#else
enum { FORKS = 40 };
#endif

CHECK(fork_from_busy_threads)
{
	pthread_t threads[3];
	int status;

	for (int i = 0; i < 3; i++)
		ZERO(pthread_create(&threads[i], NULL, is_busy, NULL));
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = OK(fork());
		if (pid == 0) {
			char c;
			alarm(20);
			/* What the other threads may have held is free here. */
			int fd = open("/proc/self/maps", O_RDONLY);
			if (read(fd, &c, 1) != 1 || !malloc(10000))
				_exit(1);
			if (i % 8 == 0) {
				pthread_t thread;
				stop_forking = 1;
				if (pthread_create(&thread, NULL, is_busy, NULL) ||
				    pthread_join(thread, NULL))
					_exit(2);
			}
			if (i % 8 == 1)
				execl("/proc/self/exe", "cancel", "nothing", NULL);
			_exit(0);
		}
		EQ(waitpid(pid, &status, 0), pid);
		EQ(status, 0);
	}
	stop_forking = 1;
	for (int i = 0; i < 3; i++)
		ZERO(pthread_join(threads[i], NULL));
}

CHECK_MAIN
