// A process goes on as before when it has given up its rights and its files: it forks, makes threads,
// asks for its limits, gets signals, and fails to execute what is not there.
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <grp.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/utsname.h>

static volatile int caught;

static void catches(int number)
{
	caught = number;
}

static void *adds(void *sum)
{
	++*(int *)sum;
	return sum;
}

static void exits_with_7(void)
{
	_exit(7);
}

static void is_traced(void)
{
	EXPECT(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	_exit(8);
}

/* Whatever needs a decision of the kernel and no file. */
static void lives_on(int has_descriptors)
{
	char *const none[] = { "none", NULL };
	struct utsname names;
	struct rlimit limit;
	pthread_t thread;
	int sum = 1, pair[2], status = child_status(exits_with_7);
	pid_t child;

	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	EXPECT(pthread_create(&thread, NULL, adds, &sum) == 0);
	EXPECT(pthread_join(thread, NULL) == 0 && sum == 2);
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(uname(&names) == 0 && names.sysname[0]);
	EXPECT(signal(SIGUSR1, catches) != SIG_ERR && raise(SIGUSR1) == 0 && caught == SIGUSR1);
	EXPECT(execv("/none", none) == -1 && errno == ENOENT);
	if (has_descriptors)
		EXPECT(pipe(pair) == 0 && write(pair[1], "x", 1) == 1);
	/* What an emulator may have left to a part of it that begins only now. */
	EXPECT(posix_spawn(&child, "/none", NULL, NULL, none, none) == ENOENT);
	status = child_status(is_traced);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 8);
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
}

/* Root, here or in a user namespace. */
static int becomes_root(void)
{
	return geteuid() == 0 || unshare(CLONE_NEWUSER) == 0;
}

static void enters_an_empty_root(void)
{
	char folder[] = "emptyXXXXXX";

	if (!becomes_root())
		_exit(50);
	EXPECT(mkdtemp(folder) && chroot(folder) == 0 && chdir("/") == 0);
	EXPECT(access("/proc", F_OK) == -1 && errno == ENOENT);
	lives_on(1);
}

static void gives_up_its_rights(void)
{
	if (geteuid() != 0)
		_exit(50);
	EXPECT(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
	EXPECT(setuid(0) == -1 && errno == EPERM);
	lives_on(1);
}

static void hides_all_files(void)
{
	char folder[] = "emptyXXXXXX";

	if (!becomes_root() || unshare(CLONE_NEWNS) != 0)
		_exit(50);
	EXPECT(mkdtemp(folder));
	EXPECT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	EXPECT(mount("none", folder, "tmpfs", 0, NULL) == 0);
	EXPECT(chdir(folder) == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0);
	EXPECT(chroot(".") == 0 && chdir("/") == 0);
	lives_on(1);
}

static void has_no_descriptors_left(void)
{
	struct rlimit few = { 3, 3 };

	EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	EXPECT(open("/", O_RDONLY) == -1 && errno == EMFILE);
	lives_on(0);
}

static void ends_by_sigterm(void (*run)(void))
{
	int status = child_status(run);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 50)
		NA("needs root, or a user namespace");
	TRUE(WIFSIGNALED(status));
	EQ(WTERMSIG(status), SIGTERM);
}

CHECK(chroot)
{
	ends_by_sigterm(enters_an_empty_root);
}

CHECK(setuid)
{
	ends_by_sigterm(gives_up_its_rights);
}

CHECK(descriptor_limit)
{
	ends_by_sigterm(has_no_descriptors_left);
}

CHECK(mount_namespace)
{
	ends_by_sigterm(hides_all_files);
}

CHECK_MAIN
