// The ways that lead to a program's own files in /proc: descriptors, links, openat2.
#include "../check.h"

#include <linux/openat2.h>
#include <sys/uio.h>

static char text[8192], want[8192];
static char exe[PATH_MAX];
static struct stat own;

/* All of a file that was opened by whatever way. */
static int drain(int fd)
{
	int size = 0, n;

	while ((n = OK(read(fd, text + size, sizeof(text) - 1 - size))) > 0)
		size += n;
	text[size] = 0;
	OK(close(fd));
	return size;
}

static void expect_cmdline(int fd)
{
	int size = drain(fd);

	EQ(size, (int)strlen(program_invocation_name) + 1);
	STREQ(text, program_invocation_name);
}

static void know_self(void)
{
	OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	OK(stat(exe, &own));
}

static void expect_own(int fd)
{
	struct stat st;

	OK(fstat(fd, &st));
	EQ(st.st_ino, own.st_ino);
	EQ(st.st_dev, own.st_dev);
	OK(close(fd));
}

CHECK(by_directory_descriptors)
{
	int proc = OK(open("/proc", O_RDONLY | O_DIRECTORY));
	int self = OK(openat(proc, "self", O_PATH | O_DIRECTORY));

	expect_cmdline(OK(openat(self, "cmdline", O_RDONLY)));
	expect_cmdline(OK(openat(self, "task/../cmdline", O_RDONLY)));
	expect_cmdline(OK(openat(proc, "thread-self/cmdline", O_RDONLY)));
	OK(fchdir(self));
	expect_cmdline(OK(open("cmdline", O_RDONLY)));
	know_self();
	expect_own(OK(open("exe", O_RDONLY)));
	OK(chdir(check_directory));
	OK(close(self));
	OK(close(proc));
}

CHECK(by_symbolic_links)
{
	char target[PATH_MAX] = "";
	struct stat st;

	know_self();
	OK(symlink("/proc/self/cmdline", "c"));
	OK(symlink("/proc/self", "s"));
	OK(symlink("s/exe", "e"));
	expect_cmdline(OK(open("c", O_RDONLY)));
	expect_cmdline(OK(open("s/cmdline", O_RDONLY)));
	expect_own(OK(open("e", O_RDONLY)));
	OK(stat("e", &st));
	EQ(st.st_ino, own.st_ino);
	OK(lstat("e", &st));
	TRUE(S_ISLNK(st.st_mode));
	EQ(readlink("e", target, sizeof(target)), 5);
	STREQ(target, "s/exe");
	memset(target, 0, sizeof(target));
	OK(readlink("s/exe", target, sizeof(target) - 1));
	STREQ(target, exe);
}

CHECK(by_openat2)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	int fd = OK(syscall(__NR_openat2, AT_FDCWD, "/proc/self/cmdline", &how, sizeof(how)));

	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	expect_cmdline(fd);
	how.resolve = RESOLVE_NO_MAGICLINKS;
	ERR(syscall(__NR_openat2, AT_FDCWD, "/proc/self/exe", &how, sizeof(how)), ELOOP);
	how.resolve = 0;
	know_self();
	expect_own(OK(syscall(__NR_openat2, AT_FDCWD, "/proc/self/exe", &how, sizeof(how))));
}

CHECK(how_it_was_opened)
{
	int fd = OK(open("/proc/self/cmdline", O_RDONLY));

	EQ(fcntl(fd, F_GETFD), 0);
	EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	ERR(write(fd, "x", 1), EBADF);
	EQ(pread(fd, text, 2, 1), 2);
	EQ(text[0], program_invocation_name[1]);
	EQ(lseek(fd, 1, SEEK_SET), 1);
	struct iovec io = { text, 1 };
	EQ(readv(fd, &io, 1), 1);
	EQ(text[0], program_invocation_name[1]);
	OK(close(fd));
	fd = OK(open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	OK(close(fd));
}

CHECK(of_the_executable)
{
	struct statx sx;
	int fd;

	know_self();
	fd = OK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	expect_own(fd);
	expect_own(OK(open("/proc/self/exe", O_PATH)));
	OK(syscall(__NR_statx, AT_FDCWD, "/proc/self/exe", 0, 0x7ff, &sx));
	EQ(sx.stx_ino, own.st_ino);
	EQ(sx.stx_size, own.st_size);
	OK(syscall(__NR_statx, AT_FDCWD, "/proc/self/exe", AT_SYMLINK_NOFOLLOW, 0x7ff, &sx));
	TRUE(S_ISLNK(sx.stx_mode));
	fd = OK(open("/proc/self/exe", O_PATH | O_NOFOLLOW));
	memset(text, 0, sizeof(text));
	OK(readlinkat(fd, "", text, sizeof(text) - 1));
	STREQ(text, exe);
	OK(close(fd));
	ERR(open("/proc/self/exe", O_WRONLY), ETXTBSY);
}

CHECK(names_can_be_set)
{
	int fd = OK(open("/proc/self/comm", O_RDWR));

	EQ(write(fd, "other", 5), 5);
	EQ(pread(fd, want, 16, 0), 6);
	MEMEQ(want, "other\n", 6);
	OK(close(fd));
	fd = OK(open("/proc/self/oom_score_adj", O_WRONLY));
	EQ(write(fd, "500", 3), 3);
	OK(close(fd));
	fd = OK(open("/proc/self/oom_score_adj", O_RDONLY));
	drain(fd);
	STREQ(text, "500\n");
}

CHECK_MAIN
