// Signals that come while a process executes another program: none is lost, whatever was done about it before.
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <pthread.h>

#define ROUNDS 60
/* With threads each takes longer, under an emulator. */
#define THREAD_ROUNDS 20

static char self[PATH_MAX];
static int ready[2];

static void become(const char *role)
{
	execl(self, "argv0", "--role", role, NULL);
	_exit(98);
}

/* A child that runs `body`, which tells when it is about to execute; some microseconds later. */
static pid_t about_to_execute(void (*body)(void), int delay)
{
	char byte;
	pid_t child;

	OK(pipe(ready));
	child = OK(fork());
	if (child == 0) {
		body();
		_exit(97);
	}
	OK(close(ready[1]));
	EQ(OK(read(ready[0], &byte, 1)), 1);
	OK(close(ready[0]));
	usleep(delay);
	return child;
}

static void tell(void)
{
	write(ready[1], "", 1);
	close(ready[0]);
	close(ready[1]);
}

static void role_sleeps(void)
{
	/* Of SIGALRM, if the signal does not come. */
	alarm(20);
	for (;;)
		pause();
}

/* ---- deadly ones ---- */

static void plain(void)
{
	tell();
	become("sleeps");
}

static volatile int handled;

static void on_signal(int signal)
{
	handled = signal;
	/* Before the execve: so dies the program after it. */
	_exit(96);
}

static void with_handler(void)
{
	signal(SIGTERM, on_signal);
	tell();
	become("sleeps");
}

static void *sleeps(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static void beside_a_thread(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, sleeps, NULL) == 0);
	tell();
	become("sleeps");
}

static void *executes(void *argument)
{
	tell();
	become("sleeps");
	return argument;
}

static void from_a_thread(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, executes, NULL) == 0);
	for (;;)
		pause();
}

static void dies_of(int rounds, void (*body)(void), int signal, int other)
{
	for (int i = 0; i < rounds; i++) {
		pid_t child = about_to_execute(body, rounds == ROUNDS ? i * 97 % 5000 : i * 1300);
		int status;

		OK(kill(child, signal));
		EQ(OK(waitpid(child, &status, 0)), child);
		if (status != other)
			EQ(status, signal);
	}
}

CHECK(death)
{
	dies_of(ROUNDS, plain, SIGTERM, SIGTERM);
	dies_of(ROUNDS, plain, SIGINT, SIGINT);
}

CHECK(death_by_fault)
{
	dies_of(ROUNDS, plain, SIGBUS, SIGBUS | 0x80);
}

CHECK(handled_before)
{
	dies_of(ROUNDS, with_handler, SIGTERM, 96 << 8);
}

CHECK(death_beside_a_thread)
{
	dies_of(THREAD_ROUNDS, beside_a_thread, SIGTERM, SIGTERM);
	dies_of(THREAD_ROUNDS, from_a_thread, SIGTERM, SIGTERM);
}

CHECK(kill_beside_a_thread)
{
	dies_of(THREAD_ROUNDS, beside_a_thread, SIGKILL, SIGKILL);
	dies_of(THREAD_ROUNDS, from_a_thread, SIGKILL, SIGKILL);
}

/* ---- blocked ones ---- */

static void block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGRTMIN + 1);
	EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static void blocks(void)
{
	block();
	tell();
	become("takes");
}

static void role_takes(void)
{
	struct timespec patience = { 20, 0 };
	siginfo_t info;
	sigset_t set, blocked;

	EXPECT(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0);
	EXPECT(sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGSEGV));
	EXPECT(sigismember(&blocked, SIGRTMIN + 1) && !sigismember(&blocked, SIGUSR2));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	EXPECT(sigtimedwait(&set, &info, &patience) == SIGUSR1 && info.si_code == SI_USER);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	EXPECT(sigtimedwait(&set, &info, &patience) == SIGSEGV);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	for (int i = 0; i < 4; i++) {
		EXPECT(sigtimedwait(&set, &info, &patience) == SIGRTMIN + 1);
		EXPECT(info.si_value.sival_int == i && info.si_pid == getppid());
	}
}

static void takes_all(void (*body)(void))
{
	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = about_to_execute(body, i * 97 % 5000);
		int status;

		OK(kill(child, SIGUSR1));
		for (int value = 0; value < 4; value++)
			OK(sigqueue(child, SIGRTMIN + 1, (union sigval){ .sival_int = value }));
		OK(kill(child, SIGSEGV));
		EQ(OK(waitpid(child, &status, 0)), child);
		EQ(status, 0);
	}
}

CHECK(blocked)
{
	takes_all(blocks);
}

static void role_masked(void)
{
	sigset_t blocked;

	EXPECT(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0);
	EXPECT(sigismember(&blocked, SIGUSR1) && !sigismember(&blocked, SIGUSR2));
}

static void *blocks_and_executes(void *argument)
{
	block();
	become("masked");
	return argument;
}

static void thread_blocks(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, blocks_and_executes, NULL) == 0);
	for (;;)
		pause();
}

/* The mask is that of the thread that executes, not that of the first one, whose place it takes. */
CHECK(mask_of_a_thread)
{
	EQ(child_status(thread_blocks), 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0)
		self[n] = 0;
	if (argc == 3 && strcmp(argv[1], "--role") == 0) {
		static const struct {
			const char *name;
			void (*run)(void);
		} roles[] = {
			{ "takes", role_takes }, { "masked", role_masked }, { "sleeps", role_sleeps },
		};
		for (int i = 0; i < COUNT(roles); i++)
			if (strcmp(roles[i].name, argv[2]) == 0)
				return roles[i].run(), 0;
		return 94;
	}
	return check_main(argc, argv);
}
