// execve and execveat: what the new program finds, and what is gone.
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

extern char **environ;
static char self[PATH_MAX];

/* Runs this program as `role` in a child; its wait status. `before` is called ahead of it. */
static int run_role(const char *role, void (*before)(void))
{
	char *arguments[] = { "argv0", "--role", (char *)role, "", "two words", "\xff\x01", NULL };
	char *environment[] = { "EMPTY=", "NOEQUALS", "DUP=1", "DUP=2", NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (before)
			before();
		execve(self, arguments, environment);
		_exit(98);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static void role_arguments(int argc, char **argv)
{
	char path[PATH_MAX], text[256];

	EXPECT(argc == 6 && !argv[6]);
	EXPECT(strcmp(argv[0], "argv0") == 0 && strcmp(argv[3], "") == 0);
	EXPECT(strcmp(argv[4], "two words") == 0 && strcmp(argv[5], "\xff\x01") == 0);
	EXPECT(strcmp(environ[0], "EMPTY=") == 0 && strcmp(environ[1], "NOEQUALS") == 0);
	EXPECT(strcmp(environ[2], "DUP=1") == 0 && strcmp(environ[3], "DUP=2") == 0 && !environ[4]);
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	EXPECT(n > 0);
	path[n] = 0;
	/* Another name for the same file will do. */
	struct stat a, b;
	EXPECT(stat(path, &a) == 0 && stat((char *)getauxval(AT_EXECFN), &b) == 0);
	EXPECT(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	int fd = open("/proc/self/cmdline", O_RDONLY);
	n = read(fd, text, sizeof(text));
	EXPECT(n == 6 + 7 + 10 + 1 + 10 + 3);
	EXPECT(memcmp(text, "argv0\0--role\0arguments\0\0two words\0\xff\x01", n) == 0);
	close(fd);
	fd = open("/proc/self/comm", O_RDONLY);
	n = read(fd, text, sizeof(text));
	EXPECT(n > 1 && text[n - 1] == '\n');
	text[n - 1] = 0;
	char *base = strrchr((char *)getauxval(AT_EXECFN), '/') + 1;
	EXPECT(strncmp(text, base, 15) == 0 && strlen(text) <= 15);
	char name[16];
	EXPECT(prctl(PR_GET_NAME, name) == 0 && strcmp(name, text) == 0);
	fd = open("/proc/self/environ", O_RDONLY);
	n = read(fd, text, sizeof(text));
	EXPECT(n == 7 + 9 + 6 + 6 && memcmp(text, "EMPTY=\0NOEQUALS\0DUP=1\0DUP=2", n) == 0);
}

CHECK(arguments)
{
	EQ(run_role("arguments", NULL), 0);
}

static void opens(void)
{
	int kept_fd = open("/dev/null", O_RDONLY);

	EXPECT(dup2(kept_fd, 50) == 50 && dup3(kept_fd, 51, O_CLOEXEC) == 51);
	EXPECT(dup3(kept_fd, 52, O_CLOEXEC) == 52 && fcntl(52, F_SETFD, 0) == 0);
	EXPECT(dup2(kept_fd, 53) == 53 && fcntl(53, F_SETFD, FD_CLOEXEC) == 0);
	EXPECT(close_range(54, 60, CLOSE_RANGE_CLOEXEC) == 0);
}

static void role_descriptors(int argc, char **argv)
{
	(void)argc, (void)argv;
	EXPECT(fcntl(50, F_GETFD) == 0 && fcntl(52, F_GETFD) == 0);
	EXPECT(fcntl(51, F_GETFD) == -1 && errno == EBADF);
	EXPECT(fcntl(53, F_GETFD) == -1 && errno == EBADF);
	close(50), close(52);
}

CHECK(close_on_exec)
{
	EQ(run_role("descriptors", opens), 0);
}

static void handler(int signal)
{
	(void)signal;
}

static char alternate[65536] __attribute__((aligned(16)));

static void sets_signals(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	sigset_t set;
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };

	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGSEGV, handler);
	signal(SIGBUS, SIG_IGN);
	EXPECT(sigaltstack(&stack, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGRTMIN + 3);
	EXPECT(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	raise(SIGTERM);
	union sigval sent = { .sival_int = 77 };
	for (int i = 0; i < 3; i++, sent.sival_int++)
		sigqueue(getpid(), SIGRTMIN + 3, sent);
	EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	struct itimerspec soon = { .it_value.tv_nsec = 200 * 1000 * 1000 };
	EXPECT(timer_settime(timer, 0, &soon, NULL) == 0);
	struct itimerval real = { .it_value.tv_sec = 100 };
	EXPECT(setitimer(ITIMER_REAL, &real, NULL) == 0);
	umask(027);
	EXPECT(nice(3) != -1);
}

static void role_signals(int argc, char **argv)
{
	struct sigaction action;
	stack_t stack;
	sigset_t set, pending;
	siginfo_t info;

	(void)argc, (void)argv;
	EXPECT(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
	EXPECT(action.sa_flags == 0 || action.sa_flags == 0x04000000);
	EXPECT(sigaction(SIGSEGV, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
	EXPECT(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	EXPECT(sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	EXPECT(sigaction(SIGBUS, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	EXPECT(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == SS_DISABLE);
	EXPECT(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	EXPECT(sigismember(&set, SIGTERM) && sigismember(&set, SIGRTMIN + 3));
	EXPECT(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGSEGV));
	EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGTERM));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	for (int i = 0; i < 3; i++) {
		EXPECT(sigtimedwait(&set, &info, &(struct timespec){ 0 }) == SIGRTMIN + 3);
		EXPECT(info.si_value.sival_int == 77 + i && info.si_code == SI_QUEUE);
	}
	/* setitimer's survives, timer_create's does not (timer_create(2), execve(2)). */
	struct itimerval real;
	EXPECT(getitimer(ITIMER_REAL, &real) == 0 && real.it_value.tv_sec > 90);
	usleep(300000);
	EXPECT(umask(0) == 027);
	EXPECT(nice(0) >= 3);
}

CHECK(signals)
{
	EQ(run_role("signals", sets_signals), 0);
}

static void *spins(void *argument)
{
	volatile unsigned *counter = argument;

	for (;;)
		++*counter;
}

static void *blocks(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static pid_t before_exec;

static void *executes(void *argument)
{
	char text[16];

	(void)argument;
	usleep(20000);
	snprintf(text, sizeof(text), "%d", before_exec);
	execl(self, "argv0", "--role", "threads", text, NULL);
	_exit(97);
}

static void start_threads(void)
{
	static unsigned counters[2];
	pthread_t thread;

	before_exec = getpid();
	EXPECT(pthread_create(&thread, NULL, spins, &counters[0]) == 0);
	EXPECT(pthread_create(&thread, NULL, spins, &counters[1]) == 0);
	EXPECT(pthread_create(&thread, NULL, blocks, NULL) == 0);
}

static void main_executes(void)
{
	start_threads();
	executes(NULL);
}

static void other_executes(void)
{
	pthread_t thread;

	start_threads();
	pthread_create(&thread, NULL, executes, NULL);
	blocks(NULL);
}

static void other_executes_main_spins(void)
{
	unsigned counter;
	pthread_t thread;

	start_threads();
	pthread_create(&thread, NULL, executes, NULL);
	spins(&counter);
}

static void other_executes_main_left(void)
{
	pthread_t thread;

	start_threads();
	pthread_create(&thread, NULL, executes, NULL);
	pthread_exit(NULL);
}

static void *creates(void *argument)
{
	int n = argument != NULL;

	EXPECT(n == 1);
	return (void *)5;
}

static void role_threads(int argc, char **argv)
{
	int entries = 0;
	pthread_t thread;
	void *result;

	EXPECT(argc == 4);
	EXPECT(getpid() == atoi(argv[3]) && syscall(__NR_gettid) == getpid());
	for (int i = 0; i < 1000; i++) {
		DIR *tasks = opendir("/proc/self/task");
		for (entries = -2; readdir(tasks);)
			entries++;
		closedir(tasks);
		if (entries == 1)
			break;
		usleep(1000);
	}
	EXPECT(entries == 1);
	EXPECT(pthread_create(&thread, NULL, creates, argv) == 0);
	EXPECT(pthread_join(thread, &result) == 0 && result == (void *)5);
}

CHECK(threads_are_gone)
{
	EQ(child_status(main_executes), 0);
	EQ(child_status(other_executes), 0);
	EQ(child_status(other_executes_main_spins), 0);
	EQ(child_status(other_executes_main_left), 0);
}

CHECK(failed_exec_keeps_threads)
{
	static unsigned counter;
	pthread_t thread;

	EQ(pthread_create(&thread, NULL, spins, &counter), 0);
	ERR(execl("/no/such/program", "x", NULL), ENOENT);
	unsigned before = counter;
	for (int i = 0; i < 5000 && counter == before; i++)
		usleep(1000);
	TRUE(counter != before);
	pthread_cancel(thread);
}

CHECK(empty_path)
{
	char *arguments[] = { "argv0", "--role", "fexec", NULL };
	char *environment[] = { NULL };
	int status, fd = OK(open(self, O_PATH | O_CLOEXEC));
	pid_t pid = OK(fork());

	if (pid == 0) {
		syscall(__NR_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
		_exit(96);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	ERR(syscall(__NR_execveat, fd, "", arguments, environment, 0), ENOENT);
	ERR(syscall(__NR_execveat, 99, "", arguments, environment, AT_EMPTY_PATH), EBADF);
	ERR(syscall(__NR_execveat, AT_FDCWD, "", arguments, environment, AT_EMPTY_PATH), EACCES);
	pid = OK(fork());
	if (pid == 0) {
		fexecve(open(self, O_RDONLY), arguments, environment);
		_exit(96);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	close(fd);
}

static void role_fexec(int argc, char **argv)
{
	(void)argc, (void)argv;
	EXPECT(strncmp((char *)getauxval(AT_EXECFN), "/dev/fd/", 8) == 0);
}

CHECK(memory_file)
{
	char *arguments[] = { "argv0", "--role", "memfd", NULL };
	char *environment[] = { NULL };
	char data[65536];
	int status, from = OK(open(self, O_RDONLY));
	int fd = OK(memfd_create("program", MFD_CLOEXEC));
	ssize_t n;

	while ((n = OK(read(from, data, sizeof(data)))) > 0)
		EQ(write(fd, data, n), n);
	pid_t pid = OK(fork());
	if (pid == 0) {
		fexecve(fd, arguments, environment);
		_exit(96);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	close(from), close(fd);
}

static void role_memfd(int argc, char **argv)
{
	char path[128] = "";

	(void)argc, (void)argv;
	EXPECT(readlink("/proc/self/exe", path, sizeof(path)) > 0);
	EXPECT(strcmp(path, "/memfd:program (deleted)") == 0);
}

static void role_again(int argc, char **argv)
{
	char text[16];
	int left = argc > 3 ? atoi(argv[3]) : 0;

	/* The program replaces itself 20 times in one process; run_role's argument is "". */
	if (left == 1)
		return;
	left = left == 0 ? 20 : left - 1;
	snprintf(text, sizeof(text), "%d", left);
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(p != MAP_FAILED);
	memset(p, 1, 1 << 20);
	execl(self, "argv0", "--role", "again", text, NULL);
	_exit(95);
}

CHECK(again)
{
	EQ(run_role("again", NULL), 0);
}

static void removes_itself(void)
{
	char *arguments[] = { "copy", "--role", "removed", NULL };
	char *environment[] = { NULL };
	char data[65536];
	int from = open(self, O_RDONLY), to = open("copy", O_WRONLY | O_CREAT, 0700);
	ssize_t n;

	while ((n = read(from, data, sizeof(data))) > 0)
		EXPECT(write(to, data, n) == n);
	close(to);
	execve("copy", arguments, environment);
}

static void role_removed(int argc, char **argv)
{
	char path[PATH_MAX] = "";

	(void)argc, (void)argv;
	EXPECT(unlink("copy") == 0);
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
	EXPECT(n > 10 && strcmp(path + n - 10, " (deleted)") == 0);
}

CHECK(removed)
{
	EQ(child_status(removes_itself), 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0)
		self[n] = 0;
	if (argc > 2 && strcmp(argv[1], "--role") == 0) {
		static const struct {
			const char *name;
			void (*run)(int, char **);
		} roles[] = {
			{ "arguments", role_arguments }, { "descriptors", role_descriptors },
			{ "signals", role_signals },	 { "threads", role_threads },
			{ "fexec", role_fexec },	 { "memfd", role_memfd },
			{ "again", role_again },	 { "removed", role_removed },
		};
		for (int i = 0; i < COUNT(roles); i++)
			if (strcmp(roles[i].name, argv[2]) == 0)
				return roles[i].run(argc, argv), 0;
		return 94;
	}
	return check_main(argc, argv);
}
