// Every pair of clone's flags, by clone and by clone3: whether there is a child, and what it has in common with its
// parent. Prints a table, which tests/test_clone.py compares with that of this machine.
// build: slow varies
// no-reference: qemu-user knows few of them
// libs: -lpthread
#include "../check.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif

static const struct {
	const char *name;
	unsigned long long bit;
} flags[] = {
	{ "NEWTIME", CLONE_NEWTIME },
	{ "VM", CLONE_VM },
	{ "FS", CLONE_FS },
	{ "FILES", CLONE_FILES },
	{ "SIGHAND", CLONE_SIGHAND },
	{ "PIDFD", CLONE_PIDFD },
	{ "PTRACE", CLONE_PTRACE },
	{ "VFORK", CLONE_VFORK },
	{ "PARENT", CLONE_PARENT },
	{ "THREAD", CLONE_THREAD },
	{ "NEWNS", CLONE_NEWNS },
	{ "SYSVSEM", CLONE_SYSVSEM },
	{ "PARENT_SETTID", CLONE_PARENT_SETTID },
	{ "CHILD_CLEARTID", CLONE_CHILD_CLEARTID },
	{ "DETACHED", CLONE_DETACHED },
	{ "UNTRACED", CLONE_UNTRACED },
	{ "CHILD_SETTID", CLONE_CHILD_SETTID },
	{ "NEWCGROUP", CLONE_NEWCGROUP },
	{ "NEWUTS", CLONE_NEWUTS },
	{ "NEWIPC", CLONE_NEWIPC },
	{ "NEWUSER", CLONE_NEWUSER },
	{ "NEWPID", CLONE_NEWPID },
	{ "NEWNET", CLONE_NEWNET },
	{ "IO", CLONE_IO },
	{ "CLEAR_SIGHAND", CLONE_CLEAR_SIGHAND },
	{ "BIT_60", 1ull << 60 },
};
enum { FLAGS = sizeof flags / sizeof *flags };

/* Each is tried with these as well, or hardly any thread could be made. */
static const unsigned long long bases[] = {
	0,
	CLONE_VM,
	CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
	CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES,
};
enum { BASES = sizeof bases / sizeof *bases };

struct args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

/* What the child tells, in memory that is shared in any case. */
static struct {
	volatile int done, pid_1, same_parent, sees_fd, uid, same[5], child_tid_is_own, ignores;
	volatile int returned, child_was_done;
} *told;

enum { FD = 100 };
static volatile int in_memory;
static int parent_tid, child_tid, pidfd, runner;
static char stack[65536] __attribute__((aligned(16)));
static const char *const namespaces[5] = { "mnt", "uts", "ipc", "net", "cgroup" };
static ino_t own_namespaces[5];

static ino_t namespace(int which)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof path, "/proc/thread-self/ns/%s", namespaces[which]);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

/* It may be a thread with its creator's thread-local variables: the creator does nothing meanwhile. */
static int child(void *argument)
{
	struct sigaction action;

	(void)argument;
	in_memory = 1;
	told->pid_1 = syscall(SYS_getpid) == 1;
	told->same_parent = syscall(SYS_getppid) == runner;
	told->uid = syscall(SYS_getuid);
	told->sees_fd = fcntl(FD, F_GETFD) >= 0;
	told->child_tid_is_own = child_tid == syscall(SYS_gettid);
	if (told->pid_1 == 0) /* whose /proc this is not */
		for (int i = 0; i < 5; i++)
			told->same[i] = namespace(i) == own_namespaces[i];
	sigaction(SIGUSR2, NULL, &action);
	told->ignores = action.sa_handler != SIG_DFL;
	close(FD);
	chdir("/proc");
	signal(SIGUSR1, SIG_IGN);
	/* Long enough for a parent that does not wait to be seen. */
	usleep(1000);
	told->done = 1;
	return 0;
}

static void handler(int signal)
{
	(void)signal;
}

static long by_clone3(unsigned long long bits, int exit_signal)
{
	struct args args = { .flags = bits,
			     .pidfd = (uintptr_t)&pidfd,
			     .parent_tid = (uintptr_t)&parent_tid,
			     .child_tid = (uintptr_t)&child_tid,
			     .exit_signal = exit_signal };
	long result;

	/* Without a stack of its own, which only a child with a copy of the memory can do without. */
	result = syscall(SYS_clone3, &args, sizeof args);
	if (result == 0)
		_exit(child(NULL));
	return result;
}

static void one(unsigned long long bits, int exit_signal, int clone3)
{
	struct sigaction action;
	struct timespec time = { 2, 0 };
	sigset_t set;
	char directory[PATH_MAX];
	long result;
	int status = -1, received = 0, waited = 0, thread = (bits & CLONE_THREAD) != 0;

	dup2(0, FD);
	signal(SIGUSR2, handler);
	sigemptyset(&set);
	if (exit_signal > 0 && exit_signal < 65)
		sigaddset(&set, exit_signal);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 5; i++)
		own_namespaces[i] = namespace(i);
	parent_tid = child_tid = pidfd = -1;
	errno = 0;
	if (clone3)
		result = by_clone3(bits, exit_signal);
	else
		result = clone(child, stack + sizeof stack, (int)bits | exit_signal, NULL,
			       bits & CLONE_PIDFD ? &pidfd : &parent_tid, NULL, &child_tid);
	told->child_was_done = told->done;
	if (result < 0) {
		printf("%s\n", strerrorname_np(errno));
		return;
	}
	while (!told->done)
		usleep(200);
	if (!thread && told->same_parent == 0)
		waited = waitpid(result, &status, __WALL) == result;
	else
		usleep(1000);
	if (exit_signal > 0 && exit_signal < 65 && waited)
		received = sigtimedwait(&set, NULL, &time) == exit_signal;
	sigaction(SIGUSR1, NULL, &action);
	getcwd(directory, sizeof directory);
	printf("made%s%s%s%s%s", bits & CLONE_VFORK && told->child_was_done ? " waited-for" : "",
	       in_memory ? " memory" : "", fcntl(FD, F_GETFD) < 0 ? " files" : "",
	       strcmp(directory, "/proc") == 0 ? " fs" : "",
	       action.sa_handler == SIG_IGN ? " sighand" : "");
	if (parent_tid != -1)
		printf(" parent_tid%s", parent_tid == result ? "" : "?");
	if (told->child_tid_is_own)
		printf(" child_tid");
	if (bits & CLONE_CHILD_CLEARTID && bits & CLONE_VM) {
		for (int i = 0; i < 2000 && child_tid != 0; i++)
			usleep(1000);
		printf(" cleared:%d", child_tid == 0);
	}
	if (pidfd != -1)
		printf(" pidfd:%d", fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	printf(" saw-fd:%d handlers:%d uid:%d", told->sees_fd, told->ignores, told->uid);
	printf("%s%s", told->pid_1 ? " pid-1" : "", told->same_parent ? " sibling" : "");
	for (int i = 0; i < 5 && !told->pid_1; i++)
		if (!told->same[i])
			printf(" new-%s", namespaces[i]);
	if (waited)
		printf(" status:%#x signal:%d", status, received);
	putchar('\n');
}

/* Each in a process of its own, whose children may come to be this one's. */
static void row(unsigned long long bits, int exit_signal, int clone3)
{
	int status;

	printf("%s", clone3 ? "clone3" : "clone");
	for (int i = 0; i < FLAGS; i++)
		if (bits & flags[i].bit)
			printf(" %s", flags[i].name);
	printf(" signal %d: ", exit_signal);
	fflush(stdout);
	memset((void *)told, 0, sizeof *told);
	in_memory = 0;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(20);
		one(bits, exit_signal, clone3);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		printf("died of %#x\n", status);
	while (waitpid(-1, &status, __WALL) > 0)
		;
}

static int takes(int clone3, unsigned long long bits)
{
	if (clone3) /* its child here has no stack of its own */
		return !(bits & CLONE_VM);
	/* The lowest byte is the signal there, and there is no more room. */
	return bits <= 0xffffffffu && !(bits & CLONE_NEWTIME);
}

int main(int argc, char **argv)
{
	static const int signals[] = { 0, SIGUSR1, SIGCHLD, 36, 64, 65, 255 };
	int part = argc > 1 ? atoi(argv[1]) : 0, parts = argc > 2 ? atoi(argv[2]) : 1, count = 0;

	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	runner = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int clone3 = 0; clone3 < 2; clone3++)
		for (int base = 0; base < BASES; base++)
			for (int i = 0; i < FLAGS; i++)
				for (int j = base < 2 ? i : FLAGS - 1; j < FLAGS; j++) {
					unsigned long long bits = bases[base] | flags[i].bit |
								  (i == j || base > 1 ? 0 : flags[j].bit);

					if (takes(clone3, bits) && count++ % parts == part)
						row(bits, bits & CLONE_THREAD ? 0 : SIGCHLD, clone3);
				}
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		for (int clone3 = 0; clone3 < 2; clone3++)
			for (int shares = 0; shares < 3; shares++) {
				unsigned long long bits = shares == 1 ? CLONE_VM : shares == 2 ? CLONE_PARENT : 0;

				if (takes(clone3, bits) && count++ % parts == part)
					row(bits, signals[i], clone3);
			}
	return 0;
}
