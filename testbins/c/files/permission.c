// build: native-core
// no-reference: qemu-user 7.2 has no fanotify_init
/*
 * Permission events of fanotify(7): the listener asks for them, the child makes them by what a program does,
 * and nothing else makes any (LTP fanotify03). All on a file system of its own.
 */
#include "../check.h"

#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/wait.h>

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif
#ifndef FAN_MARK_FILESYSTEM
#define FAN_MARK_FILESYSTEM 0x100
#endif

static void copy(const char *from, const char *to)
{
	static char buffer[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
	ssize_t size;

	OK(in);
	OK(out);
	while ((size = read(in, buffer, sizeof buffer)) > 0)
		EQ(write(out, buffer, size), size);
	close(in);
	close(out);
}

/* A file system of this process alone, with a file and a program on it. */
static int prepare(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) || mkdir("m", 0700)
	    || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)
	    || mount("none", "m", "tmpfs", 0, NULL)) {
		NA("no right to mount");
		return 0;
	}
	copy("/proc/self/exe", "m/program");
	copy("/proc/self/status", "m/file");
	return 1;
}

/*
 * Has a child do something while this process answers: `deny` is refused, the rest allowed. The number of events;
 * those that were seen, by mask.
 */
static int watch(int notify, uint64_t deny, int (*act)(void), uint64_t *seen, int *status)
{
	char buffer[4096];
	pid_t child, keeper = getpid();
	int count = 0;

	*seen = 0;
	child = fork();
	if (child == 0)
		_exit(act());
	/* Ends the wait for events when the child has ended. */
	OK(fcntl(notify, F_SETFL, O_RDONLY | O_NONBLOCK));
	for (int quiet = 0; quiet < 2;) {
		ssize_t size = read(notify, buffer, sizeof buffer);
		struct fanotify_event_metadata *event = (void *)buffer;

		if (size < 0) {
			if (errno != EAGAIN)
				break;
			if (waitpid(child, status, WNOHANG) == child)
				quiet = 2;
			usleep(1000);
			continue;
		}
		for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
			struct fanotify_response answer = {
				.fd = event->fd,
				.response = event->mask & deny ? FAN_DENY : FAN_ALLOW,
			};
			EQ(event->pid, child);
			count++;
			*seen |= event->mask;
			EQ(write(notify, &answer, sizeof answer), sizeof answer);
			close(event->fd);
		}
	}
	(void)keeper;
	return count;
}

static int opens_and_reads(void)
{
	char byte;
	int fd = open("m/file", O_RDONLY);

	if (fd < 0)
		return 1;
	return read(fd, &byte, 1) == 1 ? 0 : errno == EPERM ? 2 : 3;
}

static int executes(void)
{
	execl("m/program", "program", "--nothing", NULL);
	return errno == EPERM ? 4 : 5;
}

static int listen_for(uint64_t mask)
{
	int notify = fanotify_init(FAN_CLASS_CONTENT, O_RDONLY);

	if (notify < 0) {
		NA("no permission events");
		return -1;
	}
	if (fanotify_mark(notify, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, AT_FDCWD, "m") < 0) {
		NA("no such permission events");
		close(notify);
		return -1;
	}
	return notify;
}

CHECK(events_are_those_of_the_program)
{
	uint64_t seen;
	int notify, status;

	if (!prepare())
		return;
	/* One open, one read. */
	notify = listen_for(FAN_OPEN_PERM | FAN_ACCESS_PERM);
	if (notify < 0)
		return;
	EQ(watch(notify, 0, opens_and_reads, &seen, &status), 2);
	EQ(seen, FAN_OPEN_PERM | FAN_ACCESS_PERM);
	EQ(status, 0);
	EQ(watch(notify, FAN_ACCESS_PERM, opens_and_reads, &seen, &status), 2);
	EQ(WEXITSTATUS(status), 2);
	EQ(watch(notify, FAN_OPEN_PERM, opens_and_reads, &seen, &status), 1);
	EQ(WEXITSTATUS(status), 1);
	/* A program is opened and read. */
	watch(notify, 0, executes, &seen, &status);
	EQ(seen, FAN_OPEN_PERM | FAN_ACCESS_PERM);
	EQ(status, 0);
	watch(notify, FAN_OPEN_PERM, executes, &seen, &status);
	EQ(WEXITSTATUS(status), 4);
	close(notify);

	notify = listen_for(FAN_OPEN_EXEC_PERM);
	if (notify < 0)
		return;
	EQ(watch(notify, FAN_OPEN_EXEC_PERM, opens_and_reads, &seen, &status), 0);
	EQ(status, 0);
	EQ(watch(notify, 0, executes, &seen, &status), 1);
	EQ(seen, FAN_OPEN_EXEC_PERM);
	EQ(status, 0);
	EQ(watch(notify, FAN_OPEN_EXEC_PERM, executes, &seen, &status), 1);
	EQ(WEXITSTATUS(status), 4);
	close(notify);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--nothing") == 0)
		return 0;
	return check_main(argc, argv);
}
