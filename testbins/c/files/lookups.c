// build: native-core
// no-reference: it does nothing by itself
/*
 * Looks up the paths that it reads: tests/lookups.py tells it what to do, and compares its answers in a sysroot
 * with those in a chroot.
 *
 *     lookups [ROOT]       chroot(2) to ROOT first
 *
 * A line of the input is a command and one or two paths; a line of the output is the errno, or 0 and what was found:
 * type and permissions, size, and time of the last change, by which the files are told apart.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static void say(int result, const struct stat *found, const char *text)
{
	if (result < 0)
		printf("%d\n", errno);
	else if (found)
		printf("0 %o %ld %ld\n", found->st_mode,
		       S_ISREG(found->st_mode) ? (long)found->st_size : 0L, (long)found->st_mtime);
	else
		printf("0 %s\n", text);
	fflush(stdout);
}

static void opened(int fd)
{
	char text[32] = "";
	struct stat found;
	if (fd < 0) {
		say(-1, NULL, NULL);
		return;
	}
	if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode)) {
		ssize_t size = read(fd, text, sizeof text - 1);
		text[size > 0 ? size : 0] = 0;
		text[strcspn(text, "\n")] = 0;
		say(0, NULL, text);
	} else {
		say(0, &found, NULL);
	}
	close(fd);
}

static void entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;
	char text[16];
	if (folder == NULL) {
		say(-1, NULL, NULL);
		return;
	}
	while (readdir(folder))
		count++;
	closedir(folder);
	snprintf(text, sizeof text, "%u", count);
	say(0, NULL, text);
}

int main(int argc, char **argv)
{
	static char line[9000], command[16], one[4500], two[4500], text[4500];
	struct stat found;
	struct statfs system;
	int result;

	if (argc > 1 && (chroot(argv[1]) || chdir("/"))) {
		perror(argv[1]);
		return 1;
	}
	while (fgets(line, sizeof line, stdin)) {
		two[0] = 0;
		if (sscanf(line, "%15s %4499s %4499s", command, one, two) < 2)
			return 2;
		if (strcmp(command, "stat") == 0) {
			result = stat(one, &found);
			say(result, &found, NULL);
		} else if (strcmp(command, "lstat") == 0) {
			result = lstat(one, &found);
			say(result, &found, NULL);
		} else if (strcmp(command, "open") == 0) {
			opened(open(one, O_RDONLY));
		} else if (strcmp(command, "nofollow") == 0) {
			opened(open(one, O_RDONLY | O_NOFOLLOW));
		} else if (strcmp(command, "directory") == 0) {
			opened(open(one, O_RDONLY | O_DIRECTORY));
		} else if (strcmp(command, "append") == 0) {
			opened(open(one, O_WRONLY | O_APPEND));
		} else if (strcmp(command, "readlink") == 0) {
			ssize_t size = readlink(one, text, sizeof text - 1);
			text[size > 0 ? size : 0] = 0;
			say((int)size, NULL, text);
		} else if (strcmp(command, "access") == 0) {
			say(access(one, R_OK), NULL, "");
		} else if (strcmp(command, "statfs") == 0) {
			say(statfs(one, &system), NULL, "");
		} else if (strcmp(command, "readdir") == 0) {
			entries(one);
		} else if (strcmp(command, "chdir") == 0) {
			say(chdir(one), NULL, "");
		} else if (strcmp(command, "mkdir") == 0) {
			say(mkdir(one, 0700), NULL, "");
		} else if (strcmp(command, "rmdir") == 0) {
			say(rmdir(one), NULL, "");
		} else if (strcmp(command, "unlink") == 0) {
			say(unlink(one), NULL, "");
		} else if (strcmp(command, "create") == 0) {
			opened(open(one, O_WRONLY | O_CREAT, 0600));
		} else if (strcmp(command, "getcwd") == 0) {
			say(getcwd(text, sizeof text) ? 0 : -1, NULL, text);
		} else if (strcmp(command, "fd") == 0) {
			int fd = open(one, O_PATH);
			char name[40];

			snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
			ssize_t size = fd < 0 ? -1 : readlink(name, text, sizeof text - 1);
			text[size > 0 ? size : 0] = 0;
			say((int)size, NULL, text);
			close(fd);
		} else if (strcmp(command, "at") == 0) {
			int folder = open(one, O_PATH | O_DIRECTORY);
			result = folder < 0 ? -1 : fstatat(folder, two, &found, 0);
			say(result, &found, NULL);
			close(folder);
		} else if (strcmp(command, "openat") == 0) {
			int folder = open(one, O_PATH | O_DIRECTORY);
			result = folder < 0 ? -1 : openat(folder, two, O_RDONLY);
			close(folder);
			opened(result);
		} else {
			return 3;
		}
	}
	return 0;
}
