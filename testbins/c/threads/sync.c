// Threads and what they wait with: create, join, mutex, condition, barrier, rwlock, semaphore, TLS.
// libs: -lpthread
#include "../check.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 6, ROUNDS = 400 };

#define ZERO(call) EQ(call, 0)

static pthread_t threads[64];

static void run_all(void *(*body)(void *), int count)
{
	for (intptr_t i = 0; i < count; i++)
		ZERO(pthread_create(&threads[i], NULL, body, (void *)i));
	for (int i = 0; i < count; i++)
		ZERO(pthread_join(threads[i], NULL));
}

static void *doubles(void *argument)
{
	return (void *)((intptr_t)argument * 2);
}

CHECK(create_join_storm)
{
	void *result;

	for (intptr_t i = 0; i < 200; i++) {
		ZERO(pthread_create(&threads[0], NULL, doubles, (void *)i));
		ZERO(pthread_join(threads[0], &result));
		EQ((intptr_t)result, i * 2);
	}
	for (int round = 0; round < 4; round++) {
		for (intptr_t i = 0; i < 32; i++)
			ZERO(pthread_create(&threads[i], NULL, doubles, (void *)i));
		for (intptr_t i = 31; i >= 0; i--) {
			ZERO(pthread_join(threads[i], &result));
			EQ((intptr_t)result, i * 2);
		}
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *counts(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		long before = counter;
		if (i % 64 == 0)
			sched_yield();
		counter = before + 1;
		pthread_mutex_unlock(&mutex);
	}
	return argument;
}

CHECK(mutex)
{
	counter = 0;
	run_all(counts, THREADS);
	EQ(counter, THREADS * ROUNDS);
	EQ(pthread_mutex_trylock(&mutex), 0);
	EQ(pthread_mutex_trylock(&mutex), EBUSY);
	struct timespec soon;
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	soon.tv_sec += soon.tv_nsec / 1000000000, soon.tv_nsec %= 1000000000;
	EQ(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &soon);
	EQ(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
	ZERO(pthread_mutex_unlock(&mutex));
	pthread_mutexattr_t attributes;
	pthread_mutex_t checking;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	ZERO(pthread_mutex_init(&checking, &attributes));
	ZERO(pthread_mutex_lock(&checking));
	EQ(pthread_mutex_lock(&checking), EDEADLK);
	ZERO(pthread_mutex_unlock(&checking));
	EQ(pthread_mutex_unlock(&checking), EPERM);
}

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static int turn, generation, arrived;

static void *takes_turns(void *argument)
{
	int me = (int)(intptr_t)argument;

	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % THREADS != me)
			pthread_cond_wait(&condition, &mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *waits_for_generation(void *argument)
{
	for (int i = 1; i <= 50; i++) {
		pthread_mutex_lock(&mutex);
		arrived++;
		pthread_cond_signal(&answered);
		while (generation < i)
			pthread_cond_wait(&condition, &mutex);
		pthread_mutex_unlock(&mutex);
	}
	return argument;
}

CHECK(condition)
{
	struct timespec soon;

	turn = 0;
	run_all(takes_turns, THREADS);
	EQ(turn, THREADS * 100);
	for (intptr_t i = 0; i < THREADS; i++)
		ZERO(pthread_create(&threads[i], NULL, waits_for_generation, NULL));
	for (int i = 1; i <= 50; i++) {
		pthread_mutex_lock(&mutex);
		while (arrived < i * THREADS)
			pthread_cond_wait(&answered, &mutex);
		generation = i;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	for (int i = 0; i < THREADS; i++)
		ZERO(pthread_join(threads[i], NULL));
	clock_gettime(CLOCK_REALTIME, &soon);
	pthread_mutex_lock(&mutex);
	EQ(pthread_cond_timedwait(&condition, &mutex, &soon), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static int in_round[50], serial;

static void *meets(void *argument)
{
	intptr_t bad = 0;

	(void)argument;
	for (int i = 0; i < 50; i++) {
		__atomic_add_fetch(&in_round[i], 1, __ATOMIC_SEQ_CST);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
		bad += __atomic_load_n(&in_round[i], __ATOMIC_SEQ_CST) != THREADS;
	}
	return (void *)bad;
}

CHECK(barrier)
{
	ZERO(pthread_barrier_init(&barrier, NULL, THREADS));
	for (intptr_t i = 0; i < THREADS; i++)
		ZERO(pthread_create(&threads[i], NULL, meets, NULL));
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		ZERO(pthread_join(threads[i], &bad));
		EQ((intptr_t)bad, 0);
	}
	EQ(serial, 50);
	ZERO(pthread_barrier_destroy(&barrier));
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2], torn;

static void *reads_or_writes(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		if ((intptr_t)argument % 3 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0]++;
			if (i % 32 == 0)
				sched_yield();
			pair[1]++;
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			if (pair[0] != pair[1])
				__atomic_add_fetch(&torn, 1, __ATOMIC_SEQ_CST);
			pthread_rwlock_unlock(&rwlock);
		}
	return NULL;
}

CHECK(rwlock)
{
	run_all(reads_or_writes, THREADS);
	EQ(torn, 0);
	EQ(pair[0], THREADS / 3 * ROUNDS);
}

static sem_t filled, empty;
static int ring[4];
static long sum;

static void *produces(void *argument)
{
	(void)argument;
	for (int i = 1; i <= ROUNDS; i++) {
		sem_wait(&empty);
		ring[i % 4] = i;
		sem_post(&filled);
	}
	return NULL;
}

CHECK(semaphores)
{
	ZERO(sem_init(&filled, 0, 0));
	ZERO(sem_init(&empty, 0, 4));
	ZERO(pthread_create(&threads[0], NULL, produces, NULL));
	for (int i = 1; i <= ROUNDS; i++) {
		ZERO(sem_wait(&filled));
		sum += ring[i % 4];
		ZERO(sem_post(&empty));
	}
	ZERO(pthread_join(threads[0], NULL));
	EQ(sum, ROUNDS * (ROUNDS + 1) / 2);
	ERR(sem_trywait(&filled), EAGAIN);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec--;
	ERR(sem_timedwait(&filled, &now), ETIMEDOUT);
	/* Between processes. */
	sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ZERO(sem_init(&shared[0], 1, 0));
	ZERO(sem_init(&shared[1], 1, 0));
	pid_t pid = OK(fork());
	if (pid == 0) {
		for (int i = 0; i < 100; i++)
			sem_wait(&shared[0]), sem_post(&shared[1]);
		_exit(0);
	}
	for (int i = 0; i < 100; i++)
		sem_post(&shared[0]), ZERO(sem_wait(&shared[1]));
	EQ(waitpid(pid, NULL, 0), pid);
}

static __thread int mine = 7;
static __thread char zeros[5000];
static pthread_key_t key;
static int destroyed;

static void destroys(void *value)
{
	__atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST);
}

static void *uses_tls(void *argument)
{
	intptr_t bad = mine != 7 || zeros[4999] != 0;

	pthread_setspecific(key, (void *)1);
	for (int i = 0; i < 1000; i++) {
		mine += (int)(intptr_t)argument;
		if (i % 100 == 0)
			sched_yield();
	}
	zeros[4999] = 1;
	bad += mine != 7 + 1000 * (int)(intptr_t)argument;
	return (void *)bad;
}

CHECK(tls)
{
	ZERO(pthread_key_create(&key, destroys));
	for (intptr_t i = 0; i < THREADS; i++)
		ZERO(pthread_create(&threads[i], NULL, uses_tls, (void *)i));
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		ZERO(pthread_join(threads[i], &bad));
		EQ((intptr_t)bad, 0);
	}
	EQ(destroyed, THREADS);
	EQ(mine, 7);
}

static void *once_body(void *argument)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	extern void once_run(void);

	pthread_once(&once, once_run);
	return argument;
}

static int once_count;

void once_run(void)
{
	usleep(1000);
	once_count++;
}

CHECK(once)
{
	run_all(once_body, THREADS);
	EQ(once_count, 1);
}

static sem_t detached_done;

static void *detached(void *argument)
{
	pthread_detach(pthread_self());
	sem_post(&detached_done);
	return argument;
}

static int tasks(void)
{
	DIR *directory = opendir("/proc/self/task");
	int count = -2;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* A thread that was joined is still listed for a moment. */
static void await_the_only_task(void)
{
	for (int i = 0; i < 2000 && tasks() > 1; i++)
		usleep(1000);
	EQ(tasks(), 1);
}

CHECK(detached)
{
	pthread_attr_t attributes;

	ZERO(sem_init(&detached_done, 0, 0));
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 50; i++)
		ZERO(pthread_create(&threads[0], &attributes, doubles, NULL));
	for (int i = 0; i < 50; i++)
		ZERO(pthread_create(&threads[0], NULL, detached, NULL));
	for (int i = 0; i < 50; i++)
		ZERO(sem_wait(&detached_done));
	await_the_only_task();
}

static pthread_t main_thread;

static void *joins_main(void *argument)
{
	(void)argument;
	void *result = NULL;
	if (pthread_join(main_thread, &result) != 0 || result != (void *)44)
		_exit(2);
	_exit(3);
}

CHECK(main_thread_exits_first)
{
	int status;
	pid_t pid = OK(fork());

	if (pid == 0) {
		main_thread = pthread_self();
		pthread_create(&threads[0], NULL, joins_main, NULL);
		pthread_exit((void *)44);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 3);
	/* The last thread's end is the process's, with status 0. */
	pid = OK(fork());
	if (pid == 0) {
		pthread_create(&threads[0], NULL, doubles, NULL);
		pthread_exit(NULL);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
}

static void *named(void *argument)
{
	char name[16], path[64], text[32] = "";

	(void)argument;
	prctl(PR_SET_NAME, "a-thread-with-a-long-name");
	prctl(PR_GET_NAME, name);
	snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", syscall(__NR_gettid));
	int fd = open(path, O_RDONLY);
	read(fd, text, sizeof(text));
	close(fd);
	return (void *)(intptr_t)(strcmp(name, "a-thread-with-a") != 0 ||
				  strcmp(text, "a-thread-with-a\n") != 0);
}

CHECK(names)
{
	char before[16], after[16], name[16];
	void *bad;

	prctl(PR_GET_NAME, before);
	ZERO(pthread_create(&threads[0], NULL, named, NULL));
	ZERO(pthread_join(threads[0], &bad));
	EQ((intptr_t)bad, 0);
	prctl(PR_GET_NAME, after);
	STREQ(after, before);
	ZERO(pthread_setname_np(pthread_self(), "other"));
	ZERO(pthread_getname_np(pthread_self(), name, sizeof(name)));
	STREQ(name, "other");
}

static void *inherits_name(void *argument)
{
	return (void *)(intptr_t)prctl(PR_GET_NAME, argument);
}

CHECK(name_is_inherited)
{
	char name[16];

	prctl(PR_SET_NAME, "parent");
	ZERO(pthread_create(&threads[0], NULL, inherits_name, name));
	ZERO(pthread_join(threads[0], NULL));
	STREQ(name, "parent");
}

static void *many(void *argument)
{
	pthread_mutex_lock(&mutex);
	counter++;
	pthread_mutex_unlock(&mutex);
	return argument;
}

CHECK(many_at_once)
{
	counter = 0;
	await_the_only_task();
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 64; i++)
		ZERO(pthread_create(&threads[i], NULL, many, NULL));
	EQ(tasks(), 65);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < 64; i++)
		ZERO(pthread_join(threads[i], NULL));
	EQ(counter, 64);
}

CHECK_MAIN
