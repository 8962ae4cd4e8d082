// Children that live in their parent's memory until they execute a program or end: vfork, posix_spawn,
// clone(CLONE_VM). All that either side writes or maps is the other's too, beside threads that write.
// libs: -lpthread
// cflags-x86_64: -static
#include "../check.h"
#include "child.h"
#include <dirent.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/un.h>

extern char **environ;

enum { STACK = 1 << 16 };

/* A child with its own stack in this memory. */
static pid_t lives_here(int (*run)(void *), int flags, void *arg)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int tid = 0;

	return clone(run, stack + STACK, CLONE_VM | flags, arg, &tid, NULL, &tid);
}

static int status_of(pid_t pid)
{
	int status = -1;

	EQ(waitpid(pid, &status, __WALL), pid);
	return status;
}

static volatile int written, turn;

CHECK(vfork_shares)
{
	volatile int *heap = malloc(sizeof *heap);
	volatile int local = 0;
	pid_t pid;

	*heap = 0;
	pid = vfork();
	if (pid == 0) {
		written = 42;
		*heap = 43;
		local = 44;
		_exit(7);
	}
	/* The parent waited. */
	EQ(written, 42);
	EQ(*heap, 43);
	EQ(local, 44);
	EQ(status_of(pid), 7 << 8);
}

static void *sleeps(void *arg)
{
	pause();
	return arg;
}

CHECK(vfork_shares_beside_a_thread)
{
	pthread_t thread;

	EQ(pthread_create(&thread, NULL, sleeps, NULL), 0);
	test_vfork_shares();
}

static int answers(void *arg)
{
	(void)arg;
	for (int i = 1; i < 200; i += 2) {
		while (turn != i)
			sched_yield();
		written += 3;
		turn = i + 1;
	}
	return 5;
}

CHECK(both_sides_see_writes)
{
	pid_t pid;

	written = turn = 0;
	pid = OK(lives_here(answers, SIGCHLD, NULL));
	for (int i = 0; i < 200; i += 2) {
		while (turn != i)
			sched_yield();
		written += 4;
		turn = i + 1;
	}
	EQ(status_of(pid), 5 << 8);
	EQ(written, 100 * 7);
}

static char *mapped, *grown;

static int maps(void *arg)
{
	(void)arg;
	mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(mapped + 5000, "mapped by the child");
	grown = sbrk(1 << 20);
	strcpy(grown + 5000, "brk of the child");
	return 0;
}

CHECK(mappings_and_brk_are_shared)
{
	char *before = sbrk(0);

	EQ(status_of(OK(lives_here(maps, SIGCHLD, NULL))), 0);
	EQ(strcmp(mapped + 5000, "mapped by the child"), 0);
	TRUE(grown == before);
	TRUE((char *)sbrk(0) == before + (1 << 20));
	EQ(strcmp(grown + 5000, "brk of the child"), 0);
}

static int unmaps(void *arg)
{
	munmap(arg, 4096);
	return 0;
}

CHECK(what_a_child_unmaps_is_gone)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in_core;

	*page = 1;
	EQ(status_of(OK(lives_here(unmaps, SIGCHLD | CLONE_VFORK, page))), 0);
	ERR(mincore(page, 4096, &in_core), ENOMEM);
}

static int is_apart(void *arg)
{
	int *fd = arg;

	signal(SIGUSR1, SIG_IGN);
	close(*fd);
	umask(0);
	return chdir("sub");
}

/* Memory is shared and nothing else, unless it is asked for. */
CHECK(only_memory_is_shared)
{
	struct sigaction action;
	char here[PATH_MAX], after[PATH_MAX];
	int fd = OK(open("/dev/null", O_RDONLY));
	mode_t mask = umask(022);

	OK(mkdir("sub", 0755));
	TRUE(getcwd(here, sizeof here) != NULL);
	EQ(status_of(OK(lives_here(is_apart, SIGCHLD, &fd))), 0);
	OK(sigaction(SIGUSR1, NULL, &action));
	TRUE(action.sa_handler == SIG_DFL);
	OK(fcntl(fd, F_GETFD));
	TRUE(getcwd(after, sizeof after) && strcmp(here, after) == 0);
	EQ(umask(mask), 022);
	EQ(status_of(OK(lives_here(is_apart, SIGCHLD | CLONE_FILES | CLONE_FS | CLONE_SIGHAND, &fd))), 0);
	OK(sigaction(SIGUSR1, NULL, &action));
	TRUE(action.sa_handler == SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	ERR(fcntl(fd, F_GETFD), EBADF);
	TRUE(getcwd(after, sizeof after) && strcmp(after + strlen(here), "/sub") == 0);
	EQ(umask(mask), 0);
}

static volatile int caught_by;

static void catches(int number)
{
	(void)number;
	caught_by = getpid();
}

static int handles(void *arg)
{
	(void)arg;
	caught_by = 0;
	raise(SIGUSR2);
	return caught_by != getpid();
}

static int waits_for_a_signal(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

CHECK(signals_are_the_childs)
{
	pid_t pid;

	signal(SIGUSR2, catches);
	EQ(status_of(OK(lives_here(handles, SIGCHLD, NULL))), 0);
	for (int number = 0; number < 3; number++) {
		static const int deadly[] = { SIGTERM, SIGKILL, SIGSEGV };

		pid = OK(lives_here(waits_for_a_signal, SIGCHLD, NULL));
		await_state(pid, 'S');
		OK(kill(pid, deadly[number]));
		EQ(status_of(pid) & 0x7f, deadly[number]);
	}
	signal(SIGUSR2, SIG_DFL);
}

static int crashes(void *arg)
{
	*(volatile int *)arg = 1;
	return 0;
}

CHECK(a_crash_is_the_childs)
{
	EQ(status_of(OK(lives_here(crashes, SIGCHLD | CLONE_VFORK, (void *)16))) & 0x7f, SIGSEGV);
	test_vfork_shares();
}

static int forks(void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		written = 1;
		_exit(3);
	}
	(void)arg;
	return waitpid(pid, &status, 0) != pid || status != 3 << 8 || written != 2;
}

static int vforks(void *arg)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		written = 9;
		_exit(4);
	}
	(void)arg;
	return waitpid(pid, &status, 0) != pid || status != 4 << 8 || written != 9;
}

CHECK(children_of_children)
{
	written = 2;
	EQ(status_of(OK(lives_here(forks, SIGCHLD, NULL))), 0);
	EQ(status_of(OK(lives_here(vforks, SIGCHLD, NULL))), 0);
}

static void *increments(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static int has_threads(void *arg)
{
	/* A raw clone: the C library's own lists are those of the parent's threads. */
	static char stack[STACK] __attribute__((aligned(16)));
	static int tid;
	int count = 1;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
		    CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;

	(void)arg;
	if (clone((int (*)(void *))increments, stack + STACK, flags, &count, &tid, NULL, &tid) < 0)
		return 1;
	while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return count != 2;
}

CHECK(threads_of_a_child)
{
	EQ(status_of(OK(lives_here(has_threads, SIGCHLD, NULL))), 0);
}

static int leaves_tid(void *arg)
{
	(void)arg;
	return 0;
}

/* Who ends takes none of its threads along in the midst of anything, nor what it has for its own children. */
CHECK(many_end_beside_others)
{
	written = 2;
	for (int i = 0; i < 60; i++) {
		EQ(status_of(OK(lives_here(vforks, SIGCHLD, NULL))), 0);
		EQ(status_of(OK(lives_here(has_threads, SIGCHLD, NULL))), 0);
	}
}

CHECK(thread_ids_are_stored_and_cleared)
{
	static int parent, child;
	char *stack = malloc(STACK);
	int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	pid_t pid;

	child = 77;
	pid = OK(clone(leaves_tid, stack + STACK, flags | SIGCHLD, NULL, &parent, NULL, &child));
	EQ(parent, pid);
	EQ(child, 0);
	EQ(status_of(pid), 0);
}

/* The program itself, as a child executes it. */
static int runs(const char *role)
{
	char *const argv[] = { "borrowed", (char *)role, NULL };

	return execv("/proc/self/exe", argv);
}

static void __attribute__((constructor)) role(int argc, char **argv)
{
	if (argc < 2 || strncmp(argv[1], "role:", 5) != 0)
		return;
	if (strcmp(argv[1], "role:status") == 0)
		_exit(21);
	if (strcmp(argv[1], "role:limits") == 0) {
		struct rlimit limit;
		sigset_t mask;

		sigprocmask(SIG_SETMASK, NULL, &mask);
		if (getrlimit(RLIMIT_DATA, &limit) || limit.rlim_cur != 123 << 20)
			_exit(1);
		if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur != 3 << 20)
			_exit(2);
		if (!sigismember(&mask, SIGUSR1) || !sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGHUP))
			_exit(3);
		if (signal(SIGPIPE, SIG_DFL) != SIG_IGN || signal(SIGUSR2, SIG_DFL) != SIG_DFL)
			_exit(4);
		if (fcntl(40, F_GETFD) != 0 || fcntl(41, F_GETFD) != -1)
			_exit(5);
		_exit(environ[0] && strcmp(environ[0], "odd") == 0 && strcmp(environ[1], "A=1") == 0 &&
				      strcmp(environ[2], "A=2") == 0 && !environ[3] && argv[2] &&
				      !*argv[2] && !argv[3] ?
			      22 :
			      6);
	}
	_exit(99);
}

CHECK(spawn)
{
	char *const argv[] = { "borrowed", "role:status", NULL };
	pid_t pid;

	EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
	EQ(status_of(pid), 21 << 8);
	EQ(posix_spawn(&pid, "/no/such/file", NULL, NULL, argv, environ), ENOENT);
	EQ(posix_spawn(&pid, "/", NULL, NULL, argv, environ), EACCES);
	EQ(posix_spawn(&pid, "/dev/null/x", NULL, NULL, argv, environ), ENOTDIR);
}

/* What execve(2) keeps, and what it resets. */
CHECK(an_execve_keeps)
{
	char *const argv[] = { "borrowed", "role:limits", "", NULL };
	char *const envp[] = { "odd", "A=1", "A=2", NULL };
	struct rlimit data = { 123 << 20, 124 << 20 }, stack = { 3 << 20, 4 << 20 };
	sigset_t blocked;
	pid_t pid = vfork();

	if (pid == 0) {
		setrlimit(RLIMIT_DATA, &data);
		setrlimit(RLIMIT_STACK, &stack);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGUSR1);
		sigaddset(&blocked, SIGSEGV);
		sigprocmask(SIG_SETMASK, &blocked, NULL);
		signal(SIGPIPE, SIG_IGN);
		signal(SIGUSR2, catches);
		dup2(1, 40);
		fcntl(dup2(1, 41), F_SETFD, FD_CLOEXEC);
		execve("/proc/self/exe", argv, envp);
		_exit(98);
	}
	EQ(status_of(pid), 22 << 8);
	/* The limits were the child's. */
	OK(getrlimit(RLIMIT_DATA, &data));
	TRUE(data.rlim_cur != 123 << 20);
}

static int executes(void *arg)
{
	(void)arg;
	return runs("role:status");
}

CHECK(a_child_that_is_not_waited_for_executes)
{
	EQ(status_of(OK(lives_here(executes, SIGCHLD, NULL))), 21 << 8);
}

static int outlives(void *arg)
{
	/* Its parent executes another program meanwhile. */
	while (getppid() == *(pid_t *)arg)
		usleep(1000);
	return write(50, written == 31 ? "y" : "n", 1) != 1;
}

static pid_t original;

CHECK(a_child_keeps_the_memory_that_its_parent_leaves)
{
	int pair[2];
	char byte = 0;
	pid_t pid;

	OK(pipe(pair));
	pid = OK(fork());
	if (pid == 0) {
		written = 31;
		original = getpid();
		dup2(pair[1], 50);
		EXPECT(lives_here(outlives, SIGCHLD, &original) > 0);
		runs("role:status");
		_exit(2);
	}
	close(pair[1]);
	EQ(status_of(pid), 21 << 8);
	EQ(read(pair[0], &byte, 1), 1);
	EQ(byte, 'y');
	close(pair[0]);
}

CHECK(spawn_without_rights)
{
	char *const argv[] = { "x", NULL };
	pid_t pid = OK(fork());

	if (pid == 0) {
		EXPECT(prctl(PR_SET_DUMPABLE, 0) == 0);
		EXPECT(posix_spawn(&pid, "/no/such/file", NULL, NULL, argv, environ) == ENOENT);
		if (geteuid() == 0 || unshare(CLONE_NEWUSER) == 0) {
			EXPECT(mkdir("jail", 0755) == 0 && chroot("jail") == 0 && chdir("/") == 0);
			EXPECT(posix_spawn(&pid, "/no/such/file", NULL, NULL, argv, environ) == ENOENT);
		}
		_exit(0);
	}
	EQ(status_of(pid), 0);
}

enum { WRITERS = 3, SPAWNS = 3, PAGES = 16 };
static atomic_int stop, lost;

static void *writes(void *arg)
{
	volatile long *words = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long n = 1; !stop; n++)
		for (int i = 0; i < PAGES; i++) {
			volatile long *word = &words[i * 512];

			if (*word != n - 1)
				lost++;
			*word = n;
		}
	return arg;
}

CHECK(no_update_of_a_thread_is_lost)
{
	char *const argv[] = { "borrowed", "role:status", NULL };
	pthread_t threads[WRITERS];
	pid_t pid;

	for (int i = 0; i < WRITERS; i++)
		EQ(pthread_create(&threads[i], NULL, writes, NULL), 0);
	for (int i = 0; i < SPAWNS; i++) {
		EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
		EQ(status_of(pid), 21 << 8);
	}
	stop = 1;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	EQ(lost, 0);
}

static int waits_to_be_killed(void *arg)
{
	for (;;)
		pause();
	return arg != NULL;
}

static int entries(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0;

	for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

/* The number of entries when it has not changed for a while. */
static int settled(const char *path)
{
	int count = entries(path);

	for (int same = 0; same < 20; same++) {
		int now;

		usleep(10000);
		now = entries(path);
		if (now != count)
			same = 0;
		count = now;
	}
	return count;
}

CHECK(no_other_threads_are_listed)
{
	/* Some checks above leave threads, and one that was joined is still listed for a moment. */
	int before = settled("/proc/self/task"), among;
	pid_t pids[3];

	for (int i = 0; i < 3; i++)
		pids[i] = OK(lives_here(waits_to_be_killed, SIGCHLD, NULL));
	among = settled("/proc/self/task");
	for (int i = 0; i < 3; i++) {
		OK(kill(pids[i], SIGTERM));
		EQ(status_of(pids[i]), SIGTERM);
	}
	EQ(among, before);
	EQ(settled("/proc/self/task"), before);
}

static int answers_at_last(void *arg)
{
	while (turn != 1)
		usleep(1000);
	written = 77;
	return arg != NULL;
}

static void unshares_beside_children(void)
{
	pid_t pids[2];
	int status;

	turn = written = 0;
	for (int i = 0; i < 2; i++)
		pids[i] = lives_here(i == 0 ? answers_at_last : waits_to_be_killed, SIGCHLD, NULL);
	EXPECT(pids[0] > 0 && pids[1] > 0);
	EXPECT(unshare(CLONE_NEWUSER) == 0);
	turn = 1;
	EXPECT(waitpid(pids[0], &status, 0) == pids[0] && status == 0 && written == 77);
	EXPECT(kill(pids[1], SIGKILL) == 0);
	EXPECT(waitpid(pids[1], &status, 0) == pids[1] && status == SIGKILL);
	/* And all goes on. */
	EXPECT(waitpid(lives_here(maps, SIGCHLD, NULL), &status, 0) > 0 && status == 0);
}

static void unshares(void)
{
	EXPECT(unshare(CLONE_NEWUSER) == 0);
}

CHECK(a_new_user_namespace_beside_children)
{
	if (child_status(unshares) != 0) {
		NA("no user namespaces here");
		return;
	}
	EQ(child_status(unshares_beside_children), 0);
}

static void copies_itself(const char *to)
{
	static char buffer[65536];
	int from = open("/proc/self/exe", O_RDONLY), fd = creat(to, 0755);

	for (ssize_t size; (size = read(from, buffer, sizeof buffer)) > 0;)
		EXPECT(write(fd, buffer, size) == size);
	close(from);
	close(fd);
}

/* Where the emulator cannot be started anew: its files are out of reach. */
static void chroot_and_exec(int shares)
{
	char *const argv[] = { "borrowed", "role:status", NULL };
	volatile int failed = 0;
	char here[PATH_MAX];
	int status;

	if (geteuid() != 0 || getauxval(AT_BASE) != 0) {
		NA("only root may chroot, and only a static program starts there");
		return;
	}
	mkdir("root", 0755);
	copies_itself("root/program");
	EQ(getcwd(here, sizeof here) != NULL, 1);
	for (int i = 0; i < 3; i++) {
		pid_t pid = shares ? vfork() : fork();

		if (pid == 0) {
			if (chroot("root") != 0 || chdir("/") != 0) {
				failed = errno;
				_exit(1);
			}
			execve("/nothing", argv, environ);
			failed = errno == ENOENT ? 0 : errno;
			execve("/program", argv, environ);
			failed = errno;
			_exit(2);
		}
		EQ(waitpid(pid, &status, 0), pid);
		if (failed == EPERM) {
			NA("not a root that may chroot");
			return;
		}
		EQ(failed, 0);
		EQ(status, 21 << 8);
		/* It runs no more. */
		OK(close(OK(open("root/program", O_WRONLY))));
	}
}

CHECK(chroot_and_exec_in_a_vfork)
{
	chroot_and_exec(1);
}

CHECK(chroot_and_exec_in_a_fork)
{
	chroot_and_exec(0);
}

CHECK_MAIN
