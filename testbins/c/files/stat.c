// stat, lstat, fstat, fstatat, statx: fields, kinds of files, errors.
#include "../check.h"

#include <sys/sysmacros.h>
#include <time.h>

CHECK(regular_file)
{
	int fd = OK(open("a", O_CREAT | O_RDWR, 0600));
	struct stat a, b, c;

	EQ(write(fd, "0123456789", 10), 10);
	OK(fchmod(fd, 0604));
	OK(stat("a", &a));
	EQ(a.st_mode, S_IFREG | 0604);
	EQ(a.st_size, 10);
	EQ(a.st_nlink, 1);
	EQ(a.st_uid, geteuid());
	TRUE(a.st_ino != 0);
	TRUE(a.st_blksize >= 512);
	OK(fstat(fd, &b));
	OK(lstat("a", &c));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_ino, c.st_ino);
	EQ(a.st_dev, b.st_dev);
	EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	TRUE(llabs((long long)a.st_mtime - time(NULL)) < 100);
	OK(close(fd));
}

CHECK(kinds)
{
	struct stat st;
	int p[2];

	OK(stat("/dev/null", &st));
	TRUE(S_ISCHR(st.st_mode));
	EQ(major(st.st_rdev), 1);
	EQ(minor(st.st_rdev), 3);
	OK(stat("/", &st));
	TRUE(S_ISDIR(st.st_mode));
	OK(symlink("target", "s"));
	OK(lstat("s", &st));
	TRUE(S_ISLNK(st.st_mode));
	EQ(st.st_size, 6);
	ERR(stat("s", &st), ENOENT);
	OK(mkfifo("fifo", 0600));
	OK(stat("fifo", &st));
	TRUE(S_ISFIFO(st.st_mode));
	OK(pipe(p));
	OK(fstat(p[0], &st));
	TRUE(S_ISFIFO(st.st_mode));
	OK(close(p[0]));
	OK(close(p[1]));
}

CHECK(mknod)
{
	struct stat st;

	OK(syscall(__NR_mknodat, AT_FDCWD, "reg", S_IFREG | 0600, 0));
	OK(stat("reg", &st));
	TRUE(S_ISREG(st.st_mode));
	OK(mknod("f2", S_IFIFO | 0600, 0));
	OK(mknod("sock", S_IFSOCK | 0600, 0));
	OK(stat("sock", &st));
	TRUE(S_ISSOCK(st.st_mode));
	ERR(mknod("f2", S_IFIFO | 0600, 0), EEXIST);
	EFAULTS(p, syscall(__NR_mknodat, AT_FDCWD, p, S_IFREG | 0600, 0));
	if (mknod("dev", S_IFCHR | 0600, makedev(259, 70000)) < 0) {
		EQ(errno, EPERM);
		NA("needs CAP_MKNOD");
	}
	OK(stat("dev", &st));
	EQ(major(st.st_rdev), 259);
	EQ(minor(st.st_rdev), 70000);
}

CHECK(sizes_beyond_4_gib)
{
	int fd = OK(open("big", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	struct stat64 st;

	OK(ftruncate64(fd, 0x3123456789LL));
	OK(fstat64(fd, &st));
	EQ(st.st_size, 0x3123456789LL);
	OK(stat64("big", &st));
	EQ(st.st_size, 0x3123456789LL);
	OK(fstatat64(AT_FDCWD, "big", &st, 0));
	EQ(st.st_size, 0x3123456789LL);
#if __SIZEOF_LONG__ == 4
	struct stat small;

	ERR(stat("big", &small), EOVERFLOW);
	ERR(fstat(fd, &small), EOVERFLOW);
#endif
	OK(close(fd));
}

CHECK(fstatat_flags)
{
	struct stat st;
	int d;

	OK(mkdir("dir", 0700));
	OK(close(creat("dir/f", 0600)));
	OK(symlink("f", "dir/l"));
	d = OK(open("dir", O_RDONLY));
	OK(fstatat(d, "l", &st, 0));
	TRUE(S_ISREG(st.st_mode));
	OK(fstatat(d, "l", &st, AT_SYMLINK_NOFOLLOW));
	TRUE(S_ISLNK(st.st_mode));
	OK(fstatat(d, "", &st, AT_EMPTY_PATH));
	TRUE(S_ISDIR(st.st_mode));
	ERR(fstatat(d, "", &st, 0), ENOENT);
	ERR(fstatat(d, "f", &st, 0x40000000), EINVAL);
	ERR(fstatat(-1, "f", &st, 0), EBADF);
	OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	TRUE(S_ISDIR(st.st_mode));
	OK(close(d));
}

CHECK(errors)
{
	struct stat st;

	ERR(stat("missing", &st), ENOENT);
	ERR(stat("", &st), ENOENT);
	ERR(fstat(-1, &st), EBADF);
	ERR(fstat(12345, &st), EBADF);
	OK(close(creat("file", 0600)));
	ERR(stat("file/x", &st), ENOTDIR);
#if defined(__NR_newfstatat)
#define FSTATAT __NR_newfstatat
#define FSTAT __NR_fstat
#else
#define FSTATAT __NR_fstatat64
#define FSTAT __NR_fstat64
#endif
	EFAULTS(p, syscall(FSTATAT, AT_FDCWD, "file", p, 0));
	EFAULTS(p, syscall(FSTATAT, AT_FDCWD, (char *)p + (p == NULL), &st, 0));
	EFAULTS(p, syscall(FSTAT, 1, p));
}

CHECK(result_at_an_edge)
{
#if defined(__mips64)
	/* arch/mips/include/uapi/asm/stat.h; the C library's is another one. */
	struct {
		unsigned int st_dev, pad[3];
		unsigned long long st_ino;
		unsigned int st_mode, st_nlink, st_uid, st_gid, st_rdev, more[3];
		unsigned long long st_size;
		unsigned int times[6], st_blksize, end;
		unsigned long long st_blocks;
	} *st;
	size_t size = sizeof(*st);
#else
	struct stat64 *st;
#ifdef __mips__
	/* The C library's is longer than the kernel's. */
	size_t size = offsetof(struct stat64, st_blocks) + sizeof(st->st_blocks);
#else
	size_t size = sizeof(*st);
#endif
#endif
	st = (void *)((char *)check_edge() - size);

	OK(close(creat("edge", 0600)));
	OK(syscall(FSTATAT, AT_FDCWD, "edge", st, 0));
	TRUE(S_ISREG(st->st_mode));
	ERR(syscall(FSTATAT, AT_FDCWD, "edge", (char *)st + 8, 0), EFAULT);
}

#if __SIZEOF_LONG__ == 4 && !defined(N32)
CHECK(stat64_calls)
{
	struct stat64 a, b;

	OK(close(creat("c64", 0600)));
	OK(symlink("c64", "l64"));
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	OK(syscall(__NR_stat64, "c64", &a));
	OK(syscall(__NR_lstat64, "c64", &b));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_dev, b.st_dev);
	EQ(a.st_mode, S_IFREG | 0600);
	EQ(b.st_size, 0);
	EQ(a.st_mtime, b.st_mtime);
	OK(syscall(__NR_lstat64, "l64", &a));
	EQ(a.st_size, 3);
	TRUE(S_ISLNK(a.st_mode));
	OK(syscall(__NR_stat64, "l64", &a));
	EQ(a.st_ino, b.st_ino);
	EFAULTS(p, syscall(__NR_stat64, "c64", p));
	EFAULTS(p, syscall(__NR_lstat64, p, &a));
}

#if !defined(__mips__) && !defined(__powerpc__) /* have other forms, which tests/test_struct_layouts.py compares */
/* struct stat of the first stat(2): asm/stat.h, 16-bit ids and 32-bit times. */
struct old_stat {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	unsigned short st_dev, pad1;
#else
	unsigned long st_dev;
#endif
	unsigned long st_ino;
	unsigned short st_mode, st_nlink, st_uid, st_gid;
	unsigned long st_rdev, st_size, st_blksize, st_blocks;
	unsigned long st_atime_, st_atime_nsec, st_mtime_, st_mtime_nsec;
	unsigned long st_ctime_, st_ctime_nsec, unused4, unused5;
};

CHECK(old_stat_calls)
{
	struct old_stat st;
	struct stat64 now;
	int fd = OK(open("old", O_CREAT | O_RDWR, 0600));

	EQ(write(fd, "abc", 3), 3);
	OK(fstat64(fd, &now));
	if (now.st_ino >> 32)
		NA("an inode number that needs 64 bits");
	memset(&st, 0x55, sizeof(st));
	OK(syscall(__NR_stat, "old", &st));
	EQ(st.st_ino, now.st_ino);
	EQ(st.st_mode, S_IFREG | 0600);
	EQ(st.st_size, 3);
	EQ(st.st_nlink, 1);
	EQ(st.st_mtime_, now.st_mtim.tv_sec);
	EQ(st.st_mtime_nsec, now.st_mtim.tv_nsec);
	OK(syscall(__NR_fstat, fd, &st));
	EQ(st.st_size, 3);
	OK(syscall(__NR_lstat, "old", &st));
	EQ(st.st_size, 3);
	EFAULTS(p, syscall(__NR_fstat, fd, p));
	OK(close(fd));
	fd = OK(open("oldbig", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	OK(ftruncate64(fd, 0x100000000LL));
	ERR(syscall(__NR_fstat, fd, &st), EOVERFLOW);
	OK(close(fd));
}
#endif
#endif

CHECK(statx)
{
	struct statx x;
	struct stat64 st;
	int fd = OK(open("x", O_CREAT | O_RDWR | O_LARGEFILE, 0600));

	OK(ftruncate64(fd, 0x500000001LL));
	OK(fstat64(fd, &st));
	memset(&x, 0x77, sizeof(x));
	OK(syscall(__NR_statx, AT_FDCWD, "x", AT_STATX_SYNC_AS_STAT,
		   STATX_BASIC_STATS | STATX_BTIME, &x));
	EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	EQ(x.stx_size, 0x500000001LL);
	EQ(x.stx_ino, st.st_ino);
	EQ(x.stx_mode, st.st_mode);
	EQ(x.stx_nlink, 1);
	EQ(x.stx_uid, st.st_uid);
	EQ(x.stx_dev_major, major(st.st_dev));
	EQ(x.stx_dev_minor, minor(st.st_dev));
	EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	OK(syscall(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	EQ(x.stx_size, 0x500000001LL);
	ERR(statx(AT_FDCWD, "x", 0x40000000, STATX_SIZE, &x), EINVAL);
	ERR(statx(AT_FDCWD, "x", 0, STATX__RESERVED, &x), EINVAL);
	ERR(statx(AT_FDCWD, "nothing", 0, STATX_SIZE, &x), ENOENT);
	ERR(statx(-1, "x", 0, STATX_SIZE, &x), EBADF);
	EFAULTS(p, syscall(__NR_statx, AT_FDCWD, "x", 0, STATX_SIZE, p));
	OK(close(fd));
}

CHECK(hard_links_are_counted)
{
	struct stat st;

	OK(close(creat("h1", 0600)));
	OK(link("h1", "h2"));
	OK(link("h1", "h3"));
	OK(stat("h2", &st));
	EQ(st.st_nlink, 3);
	OK(unlink("h1"));
	OK(stat("h2", &st));
	EQ(st.st_nlink, 2);
}

CHECK_MAIN
