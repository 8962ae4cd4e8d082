// open, openat, openat2: every flag, what F_GETFL says of it, and the errors.
#include "../check.h"
#include "../isa.h"

#include <linux/openat2.h>

/* User space's __O_LARGEFILE is 0 where every open has it; the kernel keeps the bit. */
#define KERNEL_O_LARGEFILE ISA_O_LARGEFILE

static int raw_open(const char *path, int flags, int mode)
{
	return syscall(__NR_openat, AT_FDCWD, path, flags, mode);
}

static int getfl(int fd)
{
	return OK(fcntl(fd, F_GETFL)) & ~KERNEL_O_LARGEFILE;
}

CHECK(creat_and_excl)
{
	int fd = OK(raw_open("a", O_CREAT | O_EXCL | O_RDWR, 0640));
	struct stat st;

	OK(fstat(fd, &st));
	EQ(st.st_mode & ~022, S_IFREG | 0640);
	OK(close(fd));
	ERR(raw_open("a", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
	OK(close(creat("a", 0600)));
}

CHECK(access_modes)
{
	int fd;

	OK(close(creat("a", 0600)));
	fd = OK(raw_open("a", O_RDONLY, 0));
	ERR(write(fd, "x", 1), EBADF);
	OK(close(fd));
	fd = OK(raw_open("a", O_WRONLY, 0));
	char c;
	ERR(read(fd, &c, 1), EBADF);
	EQ(write(fd, "x", 1), 1);
	OK(close(fd));
	fd = OK(raw_open("a", O_RDWR, 0));
	EQ(read(fd, &c, 1), 1);
	EQ(write(fd, "y", 1), 1);
	OK(close(fd));
}

CHECK(getfl_status_flags)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_NONBLOCK, O_DSYNC,
		O_SYNC, O_ASYNC, O_NOATIME | O_RDWR,
		O_WRONLY | O_APPEND | O_NONBLOCK | O_SYNC,
	};

	OK(close(creat("a", 0600)));
	for (int i = 0; i < COUNT(flags); i++) {
		int fd = OK(raw_open("a", flags[i], 0));
		int want = flags[i];

		/* open() ignores FASYNC on a regular file but stores it. */
		EQ(getfl(fd), want);
		OK(close(fd));
	}
}

CHECK(getfl_forgets_creation_flags)
{
	int fd = OK(raw_open("forget", O_RDWR | O_CREAT | O_EXCL | O_TRUNC |
				       O_NOCTTY | O_CLOEXEC, 0600));

	EQ(getfl(fd), O_RDWR);
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	OK(close(fd));
}

CHECK(getfl_largefile)
{
	int fd = OK(raw_open("a", O_CREAT | O_RDWR | KERNEL_O_LARGEFILE, 0600));

	TRUE(fcntl(fd, F_GETFL) & KERNEL_O_LARGEFILE);
	OK(close(fd));
	fd = OK(raw_open("a", O_RDWR, 0600));
	/* Forced by 64-bit kernels for 64-bit programs only, and by those of n32. */
	EQ(!!(fcntl(fd, F_GETFL) & KERNEL_O_LARGEFILE), WIDE_OFFSETS);
	OK(close(fd));
}

CHECK(trunc)
{
	int fd = OK(raw_open("trunc", O_CREAT | O_RDWR, 0600));
	struct stat st;

	EQ(write(fd, "hello", 5), 5);
	OK(close(fd));
	fd = OK(raw_open("trunc", O_WRONLY | O_TRUNC, 0));
	OK(fstat(fd, &st));
	EQ(st.st_size, 0);
	OK(close(fd));
}

CHECK(append_writes_at_the_end)
{
	int fd = OK(raw_open("app", O_CREAT | O_RDWR | O_APPEND, 0600));
	char text[8] = "";

	EQ(write(fd, "abc", 3), 3);
	EQ(lseek(fd, 0, SEEK_SET), 0);
	EQ(write(fd, "def", 3), 3);
	/* pwrite(2) BUGS: with O_APPEND the offset does not matter. */
	EQ(pwrite(fd, "g", 1, 0), 1);
	EQ(pread(fd, text, sizeof(text), 0), 7);
	STREQ(text, "abcdefg");
	OK(close(fd));
}

CHECK(directory)
{
	int fd;

	OK(mkdir("d", 0700));
	OK(close(creat("file", 0600)));
	fd = OK(raw_open("d", O_RDONLY | O_DIRECTORY, 0));
	EQ(getfl(fd), O_DIRECTORY);
	char c;
	ERR(read(fd, &c, 1), EISDIR);
	OK(close(fd));
	ERR(raw_open("file", O_RDONLY | O_DIRECTORY, 0), ENOTDIR);
	ERR(raw_open("d", O_WRONLY, 0), EISDIR);
	ERR(raw_open("d", O_RDWR, 0), EISDIR);
	ERR(raw_open("d", O_CREAT, 0600), EISDIR);
	ERR(raw_open("file/x", O_RDONLY, 0), ENOTDIR);
	ERR(raw_open("file/", O_RDONLY, 0), ENOTDIR);
}

CHECK(nofollow)
{
	OK(symlink("target", "link"));
	OK(close(creat("target", 0600)));
	ERR(raw_open("link", O_RDONLY | O_NOFOLLOW, 0), ELOOP);
	int fd = OK(raw_open("target", O_RDONLY | O_NOFOLLOW, 0));
	EQ(getfl(fd), O_NOFOLLOW);
	OK(close(fd));
	fd = OK(raw_open("link", O_PATH | O_NOFOLLOW, 0));
	struct stat st;
	OK(fstat(fd, &st));
	TRUE(S_ISLNK(st.st_mode));
	char text[16] = "";
	EQ(readlinkat(fd, "", text, sizeof(text)), 6);
	STREQ(text, "target");
	OK(close(fd));
}

CHECK(direct)
{
	int fd = raw_open("direct", O_CREAT | O_RDWR | O_DIRECT, 0600);
	static char buffer[8192] __attribute__((aligned(4096)));

	if (fd < 0 && errno == EINVAL)
		NA("this file system has no O_DIRECT");
	EQ(getfl(fd), O_RDWR | O_DIRECT);
	memset(buffer, 'd', sizeof(buffer));
	EQ(write(fd, buffer, 4096), 4096);
	EQ(pread(fd, buffer + 4096, 4096, 0), 4096);
	OK(fcntl(fd, F_SETFL, 0));
	EQ(getfl(fd), O_RDWR);
	OK(fcntl(fd, F_SETFL, O_DIRECT | O_APPEND));
	EQ(getfl(fd), O_RDWR | O_DIRECT | O_APPEND);
	OK(close(fd));
}

CHECK(tmpfile)
{
	int fd = raw_open(".", O_TMPFILE | O_RDWR, 0600);
	char link[64];
	struct stat st;

	if (fd < 0 && errno == EOPNOTSUPP)
		NA("this file system has no O_TMPFILE");
	OK(fd);
	EQ(getfl(fd), O_RDWR | O_TMPFILE);
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(write(fd, "tmp", 3), 3);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, link, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	OK(stat("named", &st));
	EQ(st.st_size, 3);
	OK(close(fd));
	ERR(raw_open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

CHECK(path_descriptor)
{
	int fd;
	char c;
	struct stat st;

	OK(close(creat("p", 0600)));
	fd = OK(raw_open("p", O_PATH | O_RDWR | O_CLOEXEC, 0));
	EQ(getfl(fd), O_PATH);
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	OK(fstat(fd, &st));
	ERR(read(fd, &c, 1), EBADF);
	ERR(write(fd, &c, 1), EBADF);
	ERR(fchmod(fd, 0600), EBADF);
	ERR(ftruncate(fd, 0), EBADF);
	ERR(fcntl(fd, F_SETFL, O_APPEND), EBADF);
	OK(close(fd));
	fd = OK(raw_open(".", O_PATH | O_DIRECTORY, 0));
	EQ(getfl(fd), O_PATH | O_DIRECTORY);
	OK(close(OK(openat(fd, "p", O_RDONLY))));
	OK(fchdir(fd));
	OK(close(fd));
}

CHECK(setfl)
{
	int fd = OK(raw_open("setfl", O_CREAT | O_RDWR, 0600));

	OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	EQ(getfl(fd), O_RDWR | O_APPEND | O_NONBLOCK);
	OK(fcntl(fd, F_SETFL, O_NOATIME));
	EQ(getfl(fd), O_RDWR | O_NOATIME);
	/* The access mode and the creation flags cannot be changed. */
	OK(fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC | O_CREAT | O_EXCL));
	EQ(getfl(fd), O_RDWR);
	OK(close(fd));
}

CHECK(openat_directory)
{
	int d, fd;

	OK(mkdir("at", 0700));
	d = OK(open("at", O_RDONLY | O_DIRECTORY));
	fd = OK(openat(d, "x", O_CREAT | O_RDWR, 0600));
	OK(close(fd));
	OK(access("at/x", F_OK));
	ERR(openat(-1, "x", O_RDONLY), EBADF);
	ERR(openat(12345, "x", O_RDONLY), EBADF);
	fd = OK(open("at/x", O_RDONLY));
	ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
	OK(close(fd));
	/* An absolute path does not look at the descriptor. */
	OK(close(OK(openat(-1, "/", O_RDONLY))));
	OK(close(d));
}

CHECK(errors)
{
	char longname[5000];

	ERR(raw_open("missing", O_RDONLY, 0), ENOENT);
	ERR(raw_open("", O_RDONLY, 0), ENOENT);
	ERR(raw_open("missing/x", O_CREAT | O_RDWR, 0), ENOENT);
	memset(longname, 'n', sizeof(longname));
	longname[256] = 0;
	ERR(raw_open(longname, O_RDONLY, 0), ENAMETOOLONG);
	longname[256] = 'n';
	longname[4999] = 0;
	ERR(raw_open(longname, O_RDONLY, 0), ENAMETOOLONG);
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	ERR(raw_open("loop1", O_RDONLY, 0), ELOOP);
	EFAULTS(p, raw_open(p, O_RDONLY, 0));
}

CHECK(path_that_ends_at_the_edge)
{
	char *edge = check_edge();

	OK(close(creat("edge", 0600)));
	memcpy(edge - 5, "edge", 5);
	OK(close(OK(raw_open(edge - 5, O_RDONLY, 0))));
	/* Without its final NUL the string runs into the unreadable page. */
	memcpy(edge - 4, "edge", 4);
	ERR(raw_open(edge - 4, O_RDONLY, 0), EFAULT);
}

CHECK(lowest_descriptor)
{
	int a = OK(open("/dev/null", O_RDONLY));
	int b = OK(open("/dev/null", O_RDONLY));
	int c = OK(open("/dev/null", O_RDONLY));

	OK(close(a));
	OK(close(b));
	EQ(open("/dev/null", O_RDONLY), a);
	EQ(open("/dev/null", O_RDONLY), b);
	OK(close(a));
	OK(close(b));
	OK(close(c));
	ERR(close(c), EBADF);
	ERR(close(-1), EBADF);
	ERR(close(INT_MAX), EBADF);
}

CHECK(large_file)
{
#if !WIDE_OFFSETS
	int fd = OK(raw_open("large", O_CREAT | O_RDWR | KERNEL_O_LARGEFILE, 0600));

	OK(syscall(__NR_pwrite64, fd, "x", 1, ARG64_EVEN(0x180000000ULL)));
	OK(close(fd));
	ERR(raw_open("large", O_RDONLY, 0), EOVERFLOW);
	OK(close(OK(raw_open("large", O_RDONLY | __O_LARGEFILE, 0))));
	/* Without O_LARGEFILE a file does not grow beyond 2^31 - 1 bytes. */
	fd = OK(raw_open("small", O_CREAT | O_RDWR, 0600));
	ERR(syscall(__NR_pwrite64, fd, "x", 1, ARG64_EVEN(0x7fffffffULL)),
	    EFBIG);
	OK(close(fd));
#else
	NA("only for 32-bit programs");
#endif
}

#ifdef __NR_open
CHECK(old_open_and_creat)
{
	int fd = OK(syscall(__NR_open, "old", O_CREAT | O_RDWR, 0600));

	EQ(getfl(fd), O_RDWR);
	OK(close(fd));
	fd = OK(syscall(__NR_creat, "old2", 0600));
	EQ(getfl(fd), O_WRONLY);
	OK(close(fd));
	EFAULTS(p, syscall(__NR_creat, p, 0600));
}
#endif

static int openat2_(int fd, const char *path, uint64_t flags, uint64_t mode,
		    uint64_t resolve)
{
	struct open_how how = { flags, mode, resolve };

	return syscall(__NR_openat2, fd, path, &how, sizeof(how));
}

CHECK(openat2)
{
	int d, fd = OK(openat2_(AT_FDCWD, "two", O_CREAT | O_RDWR, 0600, 0));

	EQ(getfl(fd), O_RDWR);
	OK(close(fd));
	OK(mkdir("in", 0700));
	OK(close(creat("in/f", 0600)));
	OK(symlink("f", "in/l"));
	OK(symlink("/proc/self/fd/0", "magic"));
	d = OK(open("in", O_PATH));
	OK(close(OK(openat2_(d, "f", O_RDONLY, 0, RESOLVE_BENEATH))));
	ERR(openat2_(d, "../two", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	ERR(openat2_(d, "../two", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
	OK(close(OK(openat2_(d, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT))));
	ERR(openat2_(d, "l", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	OK(close(OK(openat2_(d, "l", O_RDONLY, 0, 0))));
	ERR(openat2_(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0,
		     RESOLVE_NO_MAGICLINKS), ELOOP);
	/* Unlike open, it refuses what it does not know. */
	ERR(openat2_(AT_FDCWD, "two", 1ULL << 40, 0, 0), EINVAL);
	ERR(openat2_(AT_FDCWD, "two", O_RDONLY, 0600, 0), EINVAL);
	ERR(openat2_(AT_FDCWD, "two", O_RDONLY, 0, 1ULL << 40), EINVAL);
	ERR(openat2_(AT_FDCWD, "two", O_PATH | O_RDWR, 0, 0), EINVAL);
	OK(close(d));
}

CHECK(openat2_size)
{
	struct {
		struct open_how how;
		uint64_t more;
	} big = { { O_CREAT | O_RDWR, 0600, 0 }, 0 };
	int fd = OK(syscall(__NR_openat2, AT_FDCWD, "sz", &big, sizeof(big)));

	OK(close(fd));
	big.more = 1;
	ERR(syscall(__NR_openat2, AT_FDCWD, "sz", &big, sizeof(big)), E2BIG);
	ERR(syscall(__NR_openat2, AT_FDCWD, "sz", &big, 23), EINVAL);
	ERR(syscall(__NR_openat2, AT_FDCWD, "sz", &big, 0), EINVAL);
	ERR(syscall(__NR_openat2, AT_FDCWD, "sz", &big, 1 << 20), E2BIG);
	EFAULTS(p, syscall(__NR_openat2, AT_FDCWD, "sz", p, 24));
}

CHECK_MAIN
