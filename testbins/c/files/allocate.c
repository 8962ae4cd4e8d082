// truncate, fallocate, copy_file_range, sendfile, readahead, fadvise, sync.
#include "../check.h"

#include <linux/falloc.h>
#include <sys/sendfile.h>
#include <sys/vfs.h>

static int file(const char *name, const char *text)
{
	int fd = OK(open(name, O_CREAT | O_TRUNC | O_RDWR | O_LARGEFILE, 0600));

	EQ(write(fd, text, strlen(text)), strlen(text));
	EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static long long size_of(int fd)
{
	struct stat64 st;

	OK(fstat64(fd, &st));
	return st.st_size;
}

CHECK(truncate)
{
	int fd = file("t", "0123456789"), ro;
	char text[16] = "################";

	OK(ftruncate(fd, 4));
	EQ(size_of(fd), 4);
	OK(truncate("t", 8));
	EQ(pread(fd, text, 16, 0), 8);
	MEMEQ(text, "0123\0\0\0\0#", 9);
	OK(ftruncate64(fd, 0x312345678LL));
	EQ(size_of(fd), 0x312345678LL);
	OK(truncate64("t", 0x100000000LL));
	EQ(size_of(fd), 0x100000000LL);
	ERR(ftruncate(fd, -1), EINVAL);
	ERR(truncate("t", -1), EINVAL);
	ERR(truncate("nothing", 0), ENOENT);
	ERR(truncate(".", 0), EISDIR);
	ERR(ftruncate(-1, 0), EBADF);
	ro = OK(open("t", O_RDONLY | O_LARGEFILE));
	ERR(ftruncate(ro, 0), EINVAL);
	OK(close(ro));
	EFAULTS(p, truncate(p, 1));
	OK(close(fd));
}

#ifdef __NR_truncate64
CHECK(truncate_calls)
{
	int fd = file("t32", "abc");

	OK(syscall(__NR_truncate64, "t32", ARG64_EVEN(0x1fedcba98ULL)));
	EQ(size_of(fd), 0x1fedcba98LL);
	OK(syscall(__NR_ftruncate64, fd, ARG64_EVEN(0x2fedcba98ULL)));
	EQ(size_of(fd), 0x2fedcba98LL);
	OK(syscall(__NR_truncate, "t32", 12));
	EQ(size_of(fd), 12);
	OK(syscall(__NR_ftruncate, fd, 13));
	EQ(size_of(fd), 13);
	ERR(syscall(__NR_ftruncate, fd, -1), EINVAL);
	OK(close(fd));
}
#endif

CHECK(fallocate)
{
	int fd = file("f", "0123456789");
	struct stat64 st;

	OK_OR_NA(fallocate(fd, 0, 0, 100000), EOPNOTSUPP);
	EQ(size_of(fd), 100000);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 100000, 100000));
	EQ(size_of(fd), 100000);
	OK(fstat64(fd, &st));
	TRUE(st.st_blocks * 512 >= 200000);
	ERR(fallocate(fd, 0, 0, 0), EINVAL);
	ERR(fallocate(fd, 0, -1, 10), EINVAL);
	ERR(fallocate(fd, 0x4000, 0, 10), EOPNOTSUPP);
	ERR(fallocate(-1, 0, 0, 10), EBADF);
	ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
	OK(fallocate64(fd, 0, 0x140000000LL, 4096));
	EQ(size_of(fd), 0x140001000LL);
	OK(close(fd));
}

CHECK(fallocate_modes)
{
	int fd = file("m", "");
	static char block[4096], back[4096];
	int p[2];

	for (int i = 0; i < 4; i++) {
		memset(block, 'a' + i, sizeof(block));
		EQ(write(fd, block, sizeof(block)), sizeof(block));
	}
	OK_OR_NA(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096,
			   4096), EOPNOTSUPP);
	EQ(pread(fd, back, 1, 4096), 1);
	EQ(back[0], 0);
	EQ(pread(fd, back, 1, 8192), 1);
	EQ(back[0], 'c');
	OK_OR_NA(fallocate(fd, FALLOC_FL_ZERO_RANGE, 8192, 10), EOPNOTSUPP);
	EQ(pread(fd, back, 16, 8192), 16);
	EQ(back[9], 0);
	EQ(back[10], 'c');
	OK_OR_NA(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096),
		 EOPNOTSUPP);
	EQ(size_of(fd), 3 * 4096);
	OK_OR_NA(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096), EOPNOTSUPP);
	EQ(size_of(fd), 4 * 4096);
	ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 1, 4096), EINVAL);
	OK(pipe(p));
	ERR(fallocate(p[1], 0, 0, 1), ESPIPE);
	OK(close(p[0]));
	OK(close(p[1]));
	OK(close(fd));
}

CHECK(copy_file_range)
{
	int in = file("in", "0123456789"), out = file("out", "");
	char text[32] = "";
	int64_t from = 2, to = 1;

	EQ(copy_file_range(in, NULL, out, NULL, 4, 0), 4);
	EQ(lseek(in, 0, SEEK_CUR), 4);
	EQ(syscall(__NR_copy_file_range, in, &from, out, &to, 3, 0), 3);
	EQ(from, 5);
	EQ(to, 4);
	EQ(lseek(in, 0, SEEK_CUR), 4);
	EQ(pread(out, text, 32, 0), 4);
	STREQ(text, "0234");
	EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 6);
	EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 0);
	to = 0x123456789LL;
	from = 0;
	EQ(syscall(__NR_copy_file_range, in, &from, out, &to, 10, 0), 10);
	EQ(size_of(out), 0x123456789LL + 10);
	ERR(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
	ERR(copy_file_range(-1, NULL, out, NULL, 1, 0), EBADF);
	EFAULTS(p, syscall(__NR_copy_file_range, in,
			   (char *)p + 8 * (p == NULL), out, NULL, 1, 0));
	OK(close(in));
	OK(close(out));
}

CHECK(sendfile)
{
	int in = file("sin", "0123456789"), out = file("sout", "");
	char text[32] = "";
	int64_t at = 3;
	long old = 5;

	EQ(sendfile(out, in, NULL, 2), 2);
	EQ(lseek(in, 0, SEEK_CUR), 2);
#if __SIZEOF_LONG__ == 8
	EQ(syscall(__NR_sendfile, out, in, &at, 4), 4);
#else
	EQ(syscall(__NR_sendfile64, out, in, &at, 4), 4);
#endif
	EQ(at, 7);
	EQ(syscall(__NR_sendfile, out, in, &old, 100), 5);
	EQ(old, 10);
	EQ(pread(out, text, 32, 0), 11);
	STREQ(text, "01345656789");
	EQ(lseek(in, 0, SEEK_CUR), 2);
	ERR(sendfile(out, -1, NULL, 1), EBADF);
	ERR(sendfile(-1, in, NULL, 1), EBADF);
	old = -1;
	ERR(syscall(__NR_sendfile, out, in, &old, 1), EINVAL);
	EFAULTS(p, syscall(__NR_sendfile, out, in, (char *)p + 8 * (p == NULL),
			   1));
	OK(close(in));
	in = OK(open("sin2", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	EQ(pwrite64(in, "far", 3, 0x187654321LL), 3);
	at = 0x187654321LL;
#if __SIZEOF_LONG__ == 8
	EQ(syscall(__NR_sendfile, out, in, &at, 10), 3);
#else
	EQ(syscall(__NR_sendfile64, out, in, &at, 10), 3);
#endif
	EQ(at, 0x187654324LL);
	OK(close(in));
	OK(close(out));
}

CHECK(advice)
{
	int fd = file("adv", "0123456789"), p[2];

	EQ(posix_fadvise64(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
	EQ(posix_fadvise64(fd, 0x100000000LL, 0x100000000LL,
			   POSIX_FADV_DONTNEED), 0);
	EQ(posix_fadvise64(fd, 0, 0, 77), EINVAL);
	EQ(posix_fadvise64(-1, 0, 0, 0), EBADF);
	OK(pipe(p));
	EQ(posix_fadvise64(p[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	OK(readahead(fd, 0, 100));
	OK(readahead(fd, 0x100000000LL, 100));
	ERR(readahead(-1, 0, 1), EBADF);
	OK(close(p[0]));
	OK(close(p[1]));
	OK(close(fd));
}

CHECK(sync)
{
	int fd = file("sy", "0123456789"), p[2];

	OK(fsync(fd));
	OK(fdatasync(fd));
	ERR(fsync(-1), EBADF);
	ERR(fdatasync(-1), EBADF);
	OK(pipe(p));
	ERR(fsync(p[0]), EINVAL);
	OK(sync_file_range(fd, 0, 10, SYNC_FILE_RANGE_WRITE));
	OK(sync_file_range(fd, 0x100000000LL, 0x100000000LL,
			   SYNC_FILE_RANGE_WAIT_BEFORE));
	ERR(sync_file_range(fd, -1, 10, 0), EINVAL);
	ERR(sync_file_range(fd, 0, 10, 0x100), EINVAL);
	ERR(sync_file_range(p[0], 0, 1, 0), ESPIPE);
	ERR(syncfs(-1), EBADF);
	OK(close(p[0]));
	OK(close(p[1]));
	OK(close(fd));
}

CHECK(statfs)
{
	struct statfs a;
	struct statfs64 b;
	int fd = OK(open(".", O_RDONLY));

	OK(statfs64(".", &b));
	TRUE(b.f_bsize > 0);
	TRUE(b.f_blocks > 0);
	TRUE(b.f_bfree <= b.f_blocks);
	TRUE(b.f_namelen >= 14);
	OK(fstatfs64(fd, &b));
	OK(statfs("/proc", &a));
	EQ((unsigned)a.f_type, 0x9fa0);
	EQ(a.f_namelen, 255);
	ERR(statfs("nothing", &a), ENOENT);
	ERR(fstatfs(-1, &a), EBADF);
#ifdef __NR_statfs64
	struct statfs64 c;

	OK(syscall(__NR_statfs64, ".", sizeof(c), &c));
	EQ(c.f_blocks, b.f_blocks);
	EQ(c.f_bsize, b.f_bsize);
	EQ(c.f_type, b.f_type);
	ERR(syscall(__NR_statfs64, ".", sizeof(c) - 8, &c), EINVAL);
	OK(syscall(__NR_fstatfs64, fd, sizeof(c), &c));
	EFAULTS(p, syscall(__NR_statfs64, ".", sizeof(c), p));
	EFAULTS(p, syscall(__NR_fstatfs64, fd, sizeof(c), p));
#else
	EFAULTS(p, syscall(__NR_statfs, ".", p));
	EFAULTS(p, syscall(__NR_fstatfs, fd, p));
	EFAULTS(p, syscall(__NR_statfs, p, &a));
#endif
	OK(close(fd));
}

CHECK_MAIN
