// Children in borrowed memory, of each kind and end. A line of its standard input `KIND COUNT` asks for so many; a test looks at the
// program's memory in between. Without one it makes three of each.
#include "../check.h"
#include "child.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static char stack[256 << 10] __attribute__((aligned(16)));

static void __attribute__((constructor)) role(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "role:status") == 0)
		_exit(21);
	(void)argv;
}

static int ends(pid_t pid, int wanted)
{
	int status = 0;

	return pid > 0 && waitpid(pid, &status, __WALL) == pid && status == wanted;
}

static int spawns(void)
{
	char *const arguments[] = { "spawns", "role:status", NULL };
	pid_t pid;

	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) == 0 &&
	       ends(pid, 21 << 8);
}

static int misses(void)
{
	char *const arguments[] = { "missing", NULL };
	pid_t pid;

	return posix_spawn(&pid, "/missing", NULL, NULL, arguments, environ) == ENOENT;
}

static int exits(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(3);
	return ends(pid, 3 << 8);
}

static int is_killed(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		syscall(SYS_kill, getpid(), SIGKILL);
		_exit(1);
	}
	return ends(pid, SIGKILL);
}

static int nests(void)
{
	volatile int good = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		good = spawns() + exits();
		_exit(0);
	}
	return ends(pid, 0) && good == 2;
}

/* What Python does for qusr, before and after which it goes on without. */
static int looks(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		char *const arguments[] = { "spawns", "role:status", NULL };

		close(open("/proc/self/status", O_RDONLY));
		execve("/missing", arguments, environ);
		execve("/proc/self/exe", arguments, environ);
		_exit(1);
	}
	return ends(pid, 21 << 8);
}

static int apart(void *arg)
{
	usleep(1000);
	return *(int *)arg;
}

static int shares(void)
{
	static int status = 7;

	return ends(clone(apart, stack + sizeof(stack), CLONE_VM | SIGCHLD, &status), 7 << 8);
}

static const struct kind {
	const char *name;
	int (*run)(void);
} kinds[] = {
	{ "spawn", spawns }, { "miss", misses }, { "exit", exits },   { "kill", is_killed },
	{ "nest", nests },   { "look", looks },	 { "share", shares },
};

static int many(const struct kind *kind, int count)
{
	int good = 0;

	for (int i = 0; i < count; i++)
		good += kind->run();
	printf("%s %s\n", good == count ? "ok" : "FAIL", kind->name);
	return good == count;
}

int main(void)
{
	int count, all = 1, lines = 0;
	char name[8];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; scanf("%7s %d", name, &count) == 2; lines++)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (strcmp(kinds[i].name, name) == 0)
				all &= many(&kinds[i], count);
	if (lines == 0)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			all &= many(&kinds[i], 3);
	return !all;
}
