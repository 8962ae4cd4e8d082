// Interval and POSIX timers, what a signal does to blocking calls, storms, stop and continue.
// libs: -lpthread -lrt
// build: varies
#include "../check.h"
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

/* How many signals a storm has, and how many storms there are. */
#ifdef SLOW
enum { STORM = 5000, STORMS = 20 };
#else
enum { STORM = 5000, STORMS = 1 };
#endif

static volatile int count, last_value, last_code, last_overrun, last_tid, wrong;

static void notes(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	count++;
	last_value = info->si_value.sival_int;
	last_code = info->si_code;
	last_tid = (int)syscall(__NR_gettid);
}

static void catches(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = notes, .sa_flags = flags | SA_SIGINFO };

	OK(sigaction(signal, &action, NULL));
	count = 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

CHECK(interval_timer)
{
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } }, old;

	catches(SIGALRM, 0);
	OK(setitimer(ITIMER_REAL, &timer, NULL));
	while (count < 5)
		;
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, &old));
	EQ(old.it_interval.tv_usec, 5000);
	EQ(last_code, SI_KERNEL);
	ERR(setitimer(9, &timer, NULL), EINVAL);
	catches(SIGVTALRM, 0);
	OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
	while (count < 2)
		;
	OK(setitimer(ITIMER_VIRTUAL, &(struct itimerval){ 0 }, NULL));
	catches(SIGPROF, 0);
	OK(setitimer(ITIMER_PROF, &timer, NULL));
	while (count < 2)
		;
	OK(setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL));
}

CHECK(posix_timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2 };
	struct itimerspec when = { { 0, 2000000 }, { 0, 2000000 } }, left;
	timer_t timer;

	catches(SIGRTMIN + 2, 0);
	event.sigev_value.sival_int = 4711;
	OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	OK(timer_settime(timer, 0, &when, NULL));
	while (count < 3)
		pause();
	EQ(last_value, 4711);
	EQ(last_code, SI_TIMER);
	OK(timer_gettime(timer, &left));
	EQ(left.it_interval.tv_nsec, 2000000);
	/* Overruns while it is blocked. */
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	OK(sigprocmask(SIG_BLOCK, &set, &old));
	usleep(30000);
	siginfo_t info;
	EQ(sigtimedwait(&set, &info, &(struct timespec){ 1, 0 }), SIGRTMIN + 2);
	TRUE(info.si_overrun > 2);
	OK(timer_delete(timer));
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	ERR(timer_settime(timer, 0, &when, NULL), EINVAL);
}

static void *has_timer(void *argument)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3 };
	/* Again and again: the first one may come before pause(). */
	struct itimerspec when = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;
	int tid = (int)syscall(__NR_gettid);

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
	event.sigev_notify_thread_id = tid;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &when, NULL))
		return (void *)1;
	while (count == 0)
		pause();
	timer_delete(timer);
	return (void *)(intptr_t)(last_tid != tid) + (argument != NULL);
}

CHECK(timer_of_thread)
{
	pthread_t thread;
	void *bad;

	catches(SIGRTMIN + 3, 0);
	EQ(pthread_create(&thread, NULL, has_timer, NULL), 0);
	EQ(pthread_join(thread, &bad), 0);
	EQ((intptr_t)bad, 0);
}

static sem_t expired;

static void expires(union sigval value)
{
	last_value = value.sival_int;
	sem_post(&expired);
}

CHECK(timer_thread)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = expires };
	struct itimerspec when = { { 0, 0 }, { 0, 1000000 } };
	timer_t timer;

	OK(sem_init(&expired, 0, 0));
	event.sigev_value.sival_int = 815;
	OK(timer_create(CLOCK_REALTIME, &event, &timer));
	OK(timer_settime(timer, 0, &when, NULL));
	OK(sem_wait(&expired));
	EQ(last_value, 815);
	OK(timer_delete(timer));
}

/* A signal 20 ms from now, and a second one that ends what should have been restarted. */
static void soon(int milliseconds)
{
	struct itimerval timer = { { 0, 0 }, { 0, milliseconds * 1000 } };

	OK(setitimer(ITIMER_REAL, &timer, NULL));
}

CHECK(calls_that_always_fail)
{
	struct timespec long_time = { 5, 0 }, left = { 0, 0 };
	struct epoll_event event;
	struct pollfd none = { .fd = -1 };
	/* (m68k aligns no more than to two.) */
	int word __attribute__((aligned(4))) = 0, fd = OK(epoll_create1(0));
	sigset_t set;

	catches(SIGALRM, SA_RESTART);
	soon(20);
	ERR(nanosleep(&long_time, &left), EINTR);
	TRUE(left.tv_sec == 4 && left.tv_nsec > 500000000);
	soon(20);
	EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &left), EINTR);
	TRUE(left.tv_sec == 4);
	soon(20);
	ERR(poll(&none, 1, 5000), EINTR);
	soon(20);
	ERR(ppoll(&none, 1, &long_time, NULL), EINTR);
	soon(20);
	ERR(select(0, NULL, NULL, NULL, &(struct timeval){ 5, 0 }), EINTR);
	soon(20);
	ERR(epoll_wait(fd, &event, 1, 5000), EINTR);
	soon(20);
	ERR(syscall(__NR_futex, &word, FUTEX_WAIT, 0, &long_time, NULL, 0), EINTR);
	soon(20);
	sigemptyset(&set);
	ERR(sigtimedwait(&set, NULL, &long_time), EINTR);
	soon(20);
	ERR(pause(), EINTR);
	soon(20);
	TRUE(sleep(5) >= 4);
	int id = OK(semget(IPC_PRIVATE, 1, 0600));
	struct sembuf down = { .sem_op = -1 };
	soon(20);
	long result = semop(id, &down, 1);
	int error = errno;
	soon(20);
	long result2 = semtimedop(id, &down, 1, &long_time);
	int error2 = errno;
	OK(semctl(id, 0, IPC_RMID));
	EQ(result, -1);
	EQ(error, EINTR);
	EQ(result2, -1);
	EQ(error2, EINTR);
	/* With a receive timeout on it, recv is one of these. */
	int pair[2];
	char c;
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	struct timeval limit = { 5, 0 };
	OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	soon(20);
	ERR(recv(pair[0], &c, 1, 0), EINTR);
	close(fd), close(pair[0]), close(pair[1]);
	EQ(count, 13);
}

static int ends[2], pair[2];
static pthread_t main_thread;

/* Interrupts the main thread, and later lets its call succeed. */
static void *interrupts(void *argument)
{
	usleep(20000);
	pthread_kill(main_thread, SIGUSR1);
	usleep(20000);
	((void (*)(void))argument)();
	return NULL;
}

static void writes_pipe(void) { write(ends[1], "x", 1); }
static void writes_pair(void) { write(pair[1], "y", 1); }
static int listening;
static struct sockaddr_un_ { sa_family_t family; char path[64]; } address = { AF_UNIX, "" };
static void connects(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	connect(fd, (void *)&address, sizeof(address));
}
static int futex_word __attribute__((aligned(4)));
static void wakes_futex(void)
{
	futex_word = 1;
	syscall(__NR_futex, &futex_word, FUTEX_WAKE, 1, NULL, NULL, 0);
}
static int lock_fd;
static void unlocks(void) { flock(lock_fd, LOCK_UN); }
static pid_t sleeper;
static void kills(void) { kill(sleeper, SIGKILL); }

/* `call` gives `result` when handlers restart it, and EINTR when they do not. */
#define RESTARTS(call, result, helper)                                             \
	do {                                                                       \
		pthread_t thread_;                                                 \
		main_thread = pthread_self();                                      \
		catches(SIGUSR1, SA_RESTART);                                      \
		EQ(pthread_create(&thread_, NULL, interrupts, (void *)helper), 0); \
		EQ(call, result);                                                  \
		EQ(count, 1);                                                      \
		EQ(pthread_join(thread_, NULL), 0);                                \
	} while (0)
#define FAILS(call, helper)                                                        \
	do {                                                                       \
		pthread_t thread_;                                                 \
		main_thread = pthread_self();                                      \
		catches(SIGUSR1, 0);                                               \
		EQ(pthread_create(&thread_, NULL, interrupts, (void *)helper), 0); \
		ERR(call, EINTR);                                                  \
		EQ(count, 1);                                                      \
		EQ(pthread_join(thread_, NULL), 0);                                \
	} while (0)

CHECK(restarted_calls)
{
	char c;
	int status;

	OK(pipe(ends));
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	RESTARTS(read(ends[0], &c, 1), 1, writes_pipe);
	FAILS(read(ends[0], &c, 1), writes_pipe);
	EQ(read(ends[0], &c, 1), 1);
	RESTARTS(recv(pair[0], &c, 1, 0), 1, writes_pair);
	FAILS(recv(pair[0], &c, 1, 0), writes_pair);
	EQ(read(pair[0], &c, 1), 1);
	snprintf(address.path, sizeof(address.path), "socket");
	listening = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(listening, (void *)&address, sizeof(address)));
	OK(listen(listening, 5));
	RESTARTS(accept(listening, NULL, NULL) >= 0, 1, connects);
	FAILS(accept(listening, NULL, NULL), connects);
	RESTARTS(syscall(__NR_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0), 0, wakes_futex);
	futex_word = 0;
	FAILS(syscall(__NR_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0), wakes_futex);
	lock_fd = OK(open("lock", O_CREAT | O_RDWR, 0600));
	OK(flock(lock_fd, LOCK_EX));
	int other = OK(open("lock", O_RDWR));
	RESTARTS(flock(other, LOCK_EX), 0, unlocks);
	OK(flock(other, LOCK_UN));
	OK(flock(lock_fd, LOCK_EX));
	FAILS(flock(other, LOCK_EX), unlocks);
	sleeper = OK(fork());
	if (sleeper == 0)
		for (;;)
			pause();
	RESTARTS(waitpid(sleeper, &status, 0), sleeper, kills);
	sleeper = OK(fork());
	if (sleeper == 0)
		for (;;)
			pause();
	FAILS(waitpid(sleeper, &status, 0), kills);
	EQ(waitpid(sleeper, &status, 0), sleeper);
}

CHECK(relative_timeouts_go_on)
{
	/* A stop and a continue do not end these, and do not start their time anew. */
	double from = now();
	pid_t pid = OK(fork());
	if (pid == 0) {
		double start = now();
		if (poll(NULL, 0, 300) != 0)
			_exit(1);
		if (nanosleep(&(struct timespec){ 0, 100000000 }, NULL) != 0)
			_exit(2);
		_exit(now() - start < 0.39 ? 3 : 0);
	}
	int status;
	for (int i = 0; i < 3; i++) {
		usleep(50000);
		OK(kill(pid, SIGSTOP));
		EQ(waitpid(pid, &status, WUNTRACED), pid);
		TRUE(WIFSTOPPED(status));
		OK(kill(pid, SIGCONT));
		EQ(waitpid(pid, &status, WCONTINUED), pid);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	TRUE(now() - from < 5);
}

static volatile int next_value[4];

static void accounts(int signal, siginfo_t *info, void *context)
{
	int which = signal - SIGRTMIN;

	(void)context;
	if (info->si_value.sival_int != next_value[which])
		wrong++;
	next_value[which] = info->si_value.sival_int + 1;
	count++;
}

/* Another process sends; each real-time signal arrives once and in order. */
static void one_storm(void (*until)(void))
{
	struct sigaction action = { .sa_sigaction = accounts, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t parent = getpid();
	int status;

	count = wrong = 0;
	sigfillset(&action.sa_mask);
	for (int i = 0; i < 4; i++) {
		next_value[i] = 0;
		OK(sigaction(SIGRTMIN + i, &action, NULL));
	}
	pid_t pid = OK(fork());
	if (pid == 0) {
		for (int i = 0; i < STORM; i++) {
			union sigval value = { .sival_int = i / 4 };
			while (sigqueue(parent, SIGRTMIN + i % 4, value) != 0)
				if (errno == EAGAIN)
					usleep(100);
				else
					_exit(1);
		}
		_exit(0);
	}
	until();
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	EQ(count, STORM);
	EQ(wrong, 0);
}

static void storm(void (*until)(void))
{
	for (int i = 0; i < STORMS; i++)
		one_storm(until);
}

static void computes(void)
{
	volatile unsigned x = 1;

	while (count < STORM)
		for (int i = 0; i < 100; i++)
			x = x * 1664525 + 1013904223;
}

static void calls(void)
{
	char c = 0;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);

	while (count < STORM) {
		EQ(read(zero, &c, 1), 1);
		EQ(write(null, &c, 1), 1);
		getppid();
	}
	close(zero), close(null);
}

static void blocks(void)
{
	sigset_t none;

	sigemptyset(&none);
	while (count < STORM)
		poll(NULL, 0, 10);
}

CHECK(storm_while_computing)
{
	storm(computes);
}

CHECK(storm_while_calling)
{
	storm(calls);
}

CHECK(storm_while_blocking)
{
	storm(blocks);
}

CHECK(bounded_delay)
{
	/* An endless loop without calls is left soon. */
	double sent;
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } };

	catches(SIGALRM, 0);
	sent = now() + 0.02;
	OK(setitimer(ITIMER_REAL, &timer, NULL));
	while (count == 0)
		;
	TRUE(now() - sent < 1);
}

CHECK_MAIN
