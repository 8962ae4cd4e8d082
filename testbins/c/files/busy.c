// build: native-core
/*
 * ETXTBSY: a program that runs is not written to, by whomever (fs/open.c, get_write_access; LTP creat07).
 * The program is this one, executed from a copy of its file.
 */
#include "../check.h"

#include <signal.h>
#include <sys/wait.h>

static char *self;

/* Copies this program, and starts the copy, which tells when it runs. */
static pid_t start(const char *name, int *stop)
{
	char buffer[65536];
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT | O_EXCL, 0755);
	int ready[2], end[2];
	ssize_t size;
	pid_t child;

	OK(from);
	OK(to);
	while ((size = read(from, buffer, sizeof buffer)) > 0)
		EQ(write(to, buffer, size), size);
	close(from);
	close(to);
	OK(pipe(ready));
	OK(pipe(end));
	child = fork();
	if (child == 0) {
		dup2(ready[1], 10);
		dup2(end[0], 11);
		close(end[1]);
		execl(name, name, "--wait", NULL);
		_exit(127);
	}
	close(ready[1]);
	close(end[0]);
	EQ(read(ready[0], buffer, 1), 1);
	close(ready[0]);
	*stop = end[1];
	return child;
}

static void finish(pid_t child, int stop)
{
	int status;
	close(stop);
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
}

CHECK(a_program_that_runs_is_busy)
{
	int stop;
	struct stat before, after;
	pid_t child = start("program", &stop);

	OK(stat("program", &before));
	ERR(open("program", O_WRONLY), ETXTBSY);
	ERR(open("program", O_RDWR), ETXTBSY);
	ERR(open("program", O_WRONLY | O_TRUNC), ETXTBSY);
	ERR(open("program", O_RDWR | O_CREAT, 0600), ETXTBSY);
	ERR(creat("program", 0755), ETXTBSY);
	ERR(truncate("program", 10), ETXTBSY);
	OK(symlink("program", "link"));
	ERR(creat("link", 0755), ETXTBSY);
	OK(stat("program", &after));
	EQ(after.st_size, before.st_size);
	/* Reading, and all that concerns the name, is free. */
	OK(close(open("program", O_RDONLY)));
	OK(rename("program", "renamed"));
	ERR(open("renamed", O_WRONLY), ETXTBSY);
	OK(chmod("renamed", 0700));
	OK(unlink("renamed"));
	finish(child, stop);
}

CHECK(afterwards_it_is_not)
{
	int stop;
	pid_t child = start("once", &stop);
	finish(child, stop);
	OK(close(open("once", O_WRONLY)));
	OK(close(creat("once", 0755)));
}

CHECK(a_killed_one_neither)
{
	int stop, status;
	pid_t child = start("victim", &stop);
	ERR(open("victim", O_WRONLY), ETXTBSY);
	OK(kill(child, SIGKILL));
	EQ(waitpid(child, &status, 0), child);
	OK(close(open("victim", O_WRONLY)));
	close(stop);
}

CHECK(whoever_is_left_by_fork_holds_it)
{
	int stop;
	pid_t child = start("parent", &stop), other;
	int way[2], end[2];
	char byte;

	finish(child, stop);
	/* A process that executes another program does not hold the one that it was forked from. */
	OK(pipe(way));
	OK(pipe(end));
	other = fork();
	if (other == 0) {
		dup2(way[1], 10);
		dup2(end[0], 11);
		close(end[1]);
		execl("parent", "parent", "--fork", NULL);
		_exit(127);
	}
	close(way[1]);
	close(end[0]);
	EQ(read(way[0], &byte, 1), 1);
	EQ(waitpid(other, NULL, 0), other);
	/* The grandchild still runs it. */
	ERR(open("parent", O_WRONLY), ETXTBSY);
	close(end[1]);
	EQ(read(way[0], &byte, 1), 0);
	for (int i = 0; i < 1000 && (way[1] = open("parent", O_WRONLY)) < 0 && errno == ETXTBSY; i++)
		usleep(10000);
	OK(way[1]);
	close(way[1]);
	close(way[0]);
}

CHECK(ones_own_program)
{
	ERR(open("/proc/self/exe", O_WRONLY), ETXTBSY);
	ERR(open(self, O_RDWR), ETXTBSY);
	ERR(truncate(self, 1), ETXTBSY);
}

CHECK(locks_of_programs_are_not_taken_for_it)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("script", O_RDWR | O_CREAT, 0755);
	pid_t child;
	int status;

	OK(fd);
	OK(fcntl(fd, F_SETLK, &lock));
	child = fork();
	if (child == 0) {
		int other = open("script", O_WRONLY | O_TRUNC);
		_exit(other < 0);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
	close(fd);
}

CHECK(paths_that_are_none)
{
	ERR(creat(NULL, 0700), EFAULT);
	ERR(creat((char *)-1, 0700), EFAULT);
	ERR(open((char *)8, O_WRONLY | O_TRUNC), EFAULT);
	ERR(truncate(NULL, 0), EFAULT);
	ERR(truncate((char *)-4096, 0), EFAULT);
	ERR(truncate("", 0), ENOENT);
}

int main(int argc, char **argv)
{
	static char path[PATH_MAX];
	char byte = 0;

	if (argc > 1 && strncmp(argv[1], "--", 2) == 0) {
		if (strcmp(argv[1], "--fork") == 0 && fork())
			_exit(0);
		write(10, &byte, 1);
		read(11, &byte, 1);
		_exit(0);
	}
	EQ(readlink("/proc/self/exe", path, sizeof path - 1) > 0, 1);
	self = path;
	return check_main(argc, argv);
}
