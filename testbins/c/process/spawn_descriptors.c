// Descriptors beside children in borrowed memory: none of the parent's is closed, and none is left open.
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <dirent.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

extern char **environ;

#ifndef SPAWNS
#define SPAWNS 20
#endif

enum { OPENERS = 2, SPAWNERS = 2, HELD = 24 };
static atomic_int stop, lost, opened;

static void __attribute__((constructor)) role(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "role:status") == 0)
		_exit(21);
	(void)argv;
}

/* Opens and closes files, and looks whether each descriptor is still its file's. */
static void *opens(void *arg)
{
	struct held {
		int fd;
		ino_t inode;
	} held[HELD] = { { 0, 0 } };
	unsigned next = 1;

	while (!stop) {
		struct held *one = &held[next % HELD];
		struct stat info;

		next = next * 1664525 + 1013904223;
		next ^= next >> 16;
		if (one->inode != 0) {
			if (fstat(one->fd, &info) < 0 || info.st_ino != one->inode ||
			    close(one->fd) < 0)
				lost++;
			one->inode = 0;
		}
		one->fd = memfd_create("held", next & 1 ? MFD_CLOEXEC : 0);
		if (one->fd < 0 || fstat(one->fd, &info) < 0)
			lost++;
		one->inode = info.st_ino;
		opened++;
		usleep(50);
	}
	for (int i = 0; i < HELD; i++)
		if (held[i].inode != 0)
			close(held[i].fd);
	return arg;
}

static pid_t spawn(int which)
{
	char *const arguments[] = { "spawn_descriptors", "role:status", NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	switch (which % 4) {
	case 0:
		/* Descriptors that the child opens and leaves open. */
		posix_spawn_file_actions_init(&actions);
		for (int fd = 3; fd < 24; fd++)
			posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDONLY, 0);
		posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environ);
		posix_spawn_file_actions_destroy(&actions);
		return pid;
	case 1:
		posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
		return pid;
	case 2:
		pid = vfork();
		if (pid == 0) {
			open("/dev/null", O_RDONLY);
			execve("/missing", arguments, environ);
			execve("/proc/self/exe", arguments, environ);
			_exit(1);
		}
		return pid;
	default:
		pid = vfork();
		if (pid == 0) {
			open("/dev/null", O_RDONLY);
			_exit(21);
		}
		return pid;
	}
}

static void *spawns(void *arg)
{
	intptr_t count = (intptr_t)arg;

	for (int i = 0; i < count; i++) {
		pid_t pid = spawn(i);
		int status = 0;

		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 21 << 8)
			lost++;
	}
	return NULL;
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

static void run(intptr_t count)
{
	pthread_t openers[OPENERS], spawners[SPAWNERS];
	int before;

	/* What an emulator opens for itself the first time. */
	EQ(pthread_create(&spawners[0], NULL, spawns, (void *)4), 0);
	pthread_join(spawners[0], NULL);
	before = descriptors();
	for (int i = 0; i < OPENERS; i++)
		EQ(pthread_create(&openers[i], NULL, opens, NULL), 0);
	for (int i = 0; i < SPAWNERS; i++)
		EQ(pthread_create(&spawners[i], NULL, spawns, (void *)count), 0);
	for (int i = 0; i < SPAWNERS; i++)
		pthread_join(spawners[i], NULL);
	stop = 1;
	for (int i = 0; i < OPENERS; i++)
		pthread_join(openers[i], NULL);
	stop = 0;
	EQ(lost, 0);
	EQ(opened > 0, 1);
	EQ(descriptors(), before);
}

CHECK(beside_spawns)
{
	run(SPAWNS);
}

CHECK_MAIN
