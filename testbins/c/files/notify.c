// inotify and fanotify.
#include "../check.h"

#include <poll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static char buffer[4096] __attribute__((aligned(8)));

CHECK(inotify_events)
{
	int fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), wd, n, at = 0;
	struct {
		uint32_t mask;
		const char *name;
	} want[] = {
		{ IN_CREATE, "f" }, { IN_MODIFY, "f" }, { IN_CLOSE_WRITE, "f" },
		{ IN_MOVED_FROM, "f" }, { IN_MOVED_TO, "renamed" },
		{ IN_CREATE | IN_ISDIR, "dir" }, { IN_DELETE, "renamed" },
	};
	uint32_t cookie = 0;

	OK(mkdir("watched", 0700));
	wd = OK(inotify_add_watch(fd, "watched",
				  IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE |
				  IN_MOVE | IN_DELETE));
	EQ(wd, 1);
	ERR(read(fd, buffer, sizeof(buffer)), EAGAIN);
	int f = OK(creat("watched/f", 0600));
	EQ(write(f, "x", 1), 1);
	OK(close(f));
	OK(rename("watched/f", "watched/renamed"));
	OK(mkdir("watched/dir", 0700));
	OK(unlink("watched/renamed"));
	int size;
	OK(ioctl(fd, FIONREAD, &size));
	n = OK(read(fd, buffer, sizeof(buffer)));
	EQ(n, size);
	for (int i = 0; i < COUNT(want); i++) {
		struct inotify_event *e = (void *)(buffer + at);

		TRUE(at < n);
		EQ(e->wd, wd);
		EQ(e->mask, want[i].mask);
		STREQ(e->name, want[i].name);
		if (e->mask == IN_MOVED_FROM)
			cookie = e->cookie;
		if (e->mask == IN_MOVED_TO)
			EQ(e->cookie, cookie);
		at += sizeof(*e) + e->len;
	}
	EQ(at, n);
	OK(inotify_rm_watch(fd, wd));
	n = OK(read(fd, buffer, sizeof(buffer)));
	EQ(((struct inotify_event *)buffer)->mask, IN_IGNORED);
	OK(close(fd));
}

CHECK(inotify_errors)
{
	int fd = OK(inotify_init());

	ERR(inotify_init1(0x40000000), EINVAL);
	ERR(inotify_add_watch(fd, "nothing", IN_CREATE), ENOENT);
	ERR(inotify_add_watch(fd, ".", 0), EINVAL);
	ERR(inotify_add_watch(-1, ".", IN_CREATE), EBADF);
	ERR(inotify_rm_watch(fd, 77), EINVAL);
	ERR(inotify_rm_watch(0, 1), EINVAL);
	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_ONLYDIR));
	OK(close(creat("event", 0600)));
	/* A buffer too small for the next event. */
	ERR(read(fd, buffer, 4), EINVAL);
	EFAULTS(p, inotify_add_watch(fd, p, IN_CREATE));
	OK(close(fd));
}

CHECK(inotify_init1_flags)
{
	int fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));

	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	struct pollfd p = { fd, POLLIN, 0 };
	EQ(poll(&p, 1, 0), 0);
	OK(close(fd));
}

CHECK(fanotify)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK,
			       O_RDONLY | O_LARGEFILE);

	if (fd < 0 && errno == EPERM)
		NA("%s", strerror(errno));
	OK(fd);
	OK(close(creat("fan", 0600)));
	OK(syscall(__NR_fanotify_mark, fd, FAN_MARK_ADD,
		   ARG64(FAN_OPEN | FAN_CLOSE_WRITE), AT_FDCWD, "fan"));
	int f = OK(open("fan", O_WRONLY));
	OK(close(f));
	int n = OK(read(fd, buffer, sizeof(buffer)));
	struct fanotify_event_metadata *e = (void *)buffer;
	uint64_t seen = 0;
	while (FAN_EVENT_OK(e, n)) {
		struct stat a, b;

		EQ(e->vers, FANOTIFY_METADATA_VERSION);
		EQ(e->pid, getpid());
		TRUE(e->fd >= 0);
		OK(fstat(e->fd, &a));
		OK(stat("fan", &b));
		EQ(a.st_ino, b.st_ino);
		OK(close(e->fd));
		seen |= e->mask;
		e = FAN_EVENT_NEXT(e, n);
	}
	EQ(seen, FAN_OPEN | FAN_CLOSE_WRITE);
	OK(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "fan"));
	ERR(fanotify_mark(fd, 0, FAN_OPEN, AT_FDCWD, "fan"), EINVAL);
	ERR(fanotify_mark(fd, FAN_MARK_ADD, 0x4000000000000ULL, AT_FDCWD,
			  "fan"), EINVAL);
	OK(close(fd));
}

CHECK_MAIN
