// chmod, chown, umask, utimensat and its older forms, xattrs.
#include "../check.h"

#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

static struct stat64 st;

static void touch(const char *name)
{
	OK(close(creat(name, 0600)));
}

CHECK(chmod)
{
	int fd;

	touch("a");
	OK(chmod("a", 0741));
	OK(stat64("a", &st));
	EQ(st.st_mode & 07777, 0741);
	fd = OK(open("a", O_RDONLY));
	OK(fchmod(fd, 04755));
	OK(fstat64(fd, &st));
	EQ(st.st_mode & 07777, 04755);
	OK(fchmodat(AT_FDCWD, "a", 0600, 0));
	OK(stat64("a", &st));
	EQ(st.st_mode & 07777, 0600);
	ERR(chmod("nothing", 0600), ENOENT);
	ERR(fchmod(-1, 0600), EBADF);
	EFAULTS(p, syscall(__NR_fchmodat, AT_FDCWD, p, 0600));
	OK(close(fd));
}

CHECK(umask)
{
	umask(027);
	EQ(umask(0), 027);
	OK(close(open("um", O_CREAT | O_WRONLY, 0666)));
	OK(stat64("um", &st));
	EQ(st.st_mode & 07777, 0666);
	EQ(umask(0777777), 0);
	EQ(umask(022), 0777);
}

CHECK(chown)
{
	int fd;

	touch("b");
	fd = OK(open("b", O_RDONLY));
	/* -1 leaves an id as it is. */
	OK(chown("b", -1, -1));
	OK(fchown(fd, geteuid(), -1));
	OK(lchown("b", -1, getegid()));
	OK(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));
	ERR(fchownat(AT_FDCWD, "b", -1, -1, 0x4000000), EINVAL);
	ERR(chown("nothing", -1, -1), ENOENT);
	ERR(fchown(-1, -1, -1), EBADF);
	EFAULTS(p, syscall(__NR_fchownat, AT_FDCWD, p, -1, -1, 0));
	if (geteuid() != 0)
		NA("needs root");
	if (chown("b", 70000, 80000) < 0 && errno == EINVAL)
		NA("these ids are not mapped");
	OK(stat64("b", &st));
	EQ(st.st_uid, 70000);
	EQ(st.st_gid, 80000);
	OK(symlink("b", "bl"));
	OK(lchown("bl", 5, 6));
	OK(stat64("b", &st));
	EQ(st.st_uid, 70000);
	OK(lstat64("bl", &st));
	EQ(st.st_uid, 5);
	OK(close(fd));
}

#if defined(__NR_chown32)
CHECK(chown_16_bit)
{
	touch("c16");
	OK(syscall(__NR_chown, "c16", 0xffff, 0xffff));
	OK(syscall(__NR_lchown, "c16", 0xffff, 0xffff));
	int fd = OK(open("c16", O_RDONLY));
	OK(syscall(__NR_fchown, fd, 0xffff, 0xffff));
	OK(stat64("c16", &st));
	EQ(st.st_uid, geteuid());
	if (geteuid() != 0)
		NA("needs root");
	OK(syscall(__NR_chown32, "c16", 1000, 1001));
	OK(syscall(__NR_chown, "c16", 0xffff, 12));
	OK(syscall(__NR_fchown32, fd, -1, -1));
	OK(syscall(__NR_lchown32, "c16", -1, -1));
	OK(stat64("c16", &st));
	EQ(st.st_uid, 1000);
	EQ(st.st_gid, 12);
	OK(close(fd));
}
#endif

#if __SIZEOF_LONG__ == 8
#define UTIMENSAT64 __NR_utimensat
#else
#define UTIMENSAT64 __NR_utimensat_time64
#endif

struct timespec64 {
	int64_t sec, nsec;
};

static void modified(const char *name, int64_t sec, long nsec)
{
	struct statx x;

	OK(statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, STATX_MTIME, &x));
	EQ(x.stx_mtime.tv_sec, sec);
	EQ(x.stx_mtime.tv_nsec, nsec);
}

CHECK(utimensat)
{
	struct timespec64 t[2] = { { 1, 2 }, { 3, 4 } };

	touch("u");
	OK(syscall(UTIMENSAT64, AT_FDCWD, "u", t, 0));
	modified("u", 3, 4);
	t[1].nsec = UTIME_OMIT;
	t[0].nsec = UTIME_NOW;
	OK(syscall(UTIMENSAT64, AT_FDCWD, "u", t, 0));
	modified("u", 3, 4);
	t[1] = (struct timespec64){ -5, 999999999 };
	OK(syscall(UTIMENSAT64, AT_FDCWD, "u", t, 0));
	modified("u", -5, 999999999);
	t[1].nsec = 1000000000;
	ERR(syscall(UTIMENSAT64, AT_FDCWD, "u", t, 0), EINVAL);
	t[1].nsec = -1;
	ERR(syscall(UTIMENSAT64, AT_FDCWD, "u", t, 0), EINVAL);
	t[1].nsec = 0;
	ERR(syscall(UTIMENSAT64, AT_FDCWD, "no", t, 0), ENOENT);
	ERR(syscall(UTIMENSAT64, AT_FDCWD, "u", t, 0x4000000), EINVAL);
	OK(symlink("u", "ul"));
	t[1] = (struct timespec64){ 77, 88 };
	OK(syscall(UTIMENSAT64, AT_FDCWD, "ul", t, AT_SYMLINK_NOFOLLOW));
	modified("ul", 77, 88);
	modified("u", -5, 999999999);
	int fd = OK(open("u", O_RDONLY));
	/* A null path means the descriptor itself. */
	OK(syscall(UTIMENSAT64, fd, NULL, t, 0));
	modified("u", 77, 88);
	OK(futimens(fd, NULL));
	OK(close(fd));
	EFAULTS(p, syscall(UTIMENSAT64, AT_FDCWD, "u",
			   (char *)p + 8 * (p == NULL), 0));
	EFAULTS(p, syscall(UTIMENSAT64, AT_FDCWD, p, t, 0));
}

CHECK(utimensat_after_2038)
{
	struct timespec64 t[2] = { { 0x80000001LL, 0 }, { 0xf0000000LL, 5 } };
	struct statx x;

	touch("y");
	OK(syscall(UTIMENSAT64, AT_FDCWD, "y", t, 0));
	OK(statx(AT_FDCWD, "y", 0, STATX_MTIME | STATX_ATIME, &x));
	if (x.stx_mtime.tv_sec == 0x7fffffff)
		NA("this file system ends in 2038");
	EQ(x.stx_mtime.tv_sec, 0xf0000000LL);
	EQ(x.stx_atime.tv_sec, 0x80000001LL);
}

#if __SIZEOF_LONG__ == 4
CHECK(utimensat_time32)
{
	int32_t t[2][2] = { { 1, 2 }, { -3, 4 } };
	int32_t us[2][2] = { { 5, 6 }, { 7, 8 } };

	touch("u32");
	OK(syscall(__NR_utimensat, AT_FDCWD, "u32", t, 0));
	modified("u32", -3, 4);
	t[1][1] = UTIME_OMIT;
	OK(syscall(__NR_utimensat, AT_FDCWD, "u32", t, 0));
	modified("u32", -3, 4);
	OK(syscall(__NR_futimesat, AT_FDCWD, "u32", us));
	modified("u32", 7, 8000);
	us[1][0] = 9;
	OK(syscall(__NR_utimes, "u32", us));
	modified("u32", 9, 8000);
	us[1][1] = 1000000;
	ERR(syscall(__NR_utimes, "u32", us), EINVAL);
	EFAULTS(p, syscall(__NR_utimensat, AT_FDCWD, "u32",
			   (char *)p + 8 * (p == NULL), 0));
#ifdef __NR_utime
	OK(syscall(__NR_utime, "u32", us));
	modified("u32", 6, 0);
#endif
}
#endif

CHECK(libc_utimes)
{
	struct timeval tv[2] = { { 10, 20 }, { 30, 40 } };
	struct utimbuf u = { 50, 60 };

	touch("lu");
	OK(utimes("lu", tv));
	modified("lu", 30, 40000);
	OK(utime("lu", &u));
	modified("lu", 60, 0);
	OK(lutimes("lu", tv));
	modified("lu", 30, 40000);
}

CHECK(xattr)
{
	char value[16] = "", names[64];
	int fd;

	touch("x");
	if (setxattr("x", "user.one", "first", 5, 0) < 0 &&
	    errno == EOPNOTSUPP)
		NA("no user xattrs on this file system");
	EQ(getxattr("x", "user.one", value, sizeof(value)), 5);
	STREQ(value, "first");
	EQ(getxattr("x", "user.one", NULL, 0), 5);
	ERR(getxattr("x", "user.one", value, 4), ERANGE);
	ERR(getxattr("x", "user.no", value, 4), ENODATA);
	ERR(setxattr("x", "user.one", "a", 1, XATTR_CREATE), EEXIST);
	ERR(setxattr("x", "user.no", "a", 1, XATTR_REPLACE), ENODATA);
	ERR(setxattr("x", "user.one", "a", 1, 99), EINVAL);
	ERR(setxattr("x", "wrong", "a", 1, 0), EOPNOTSUPP);
	ERR(setxattr("x", "", "a", 1, 0), ERANGE);
	fd = OK(open("x", O_RDWR));
	OK(fsetxattr(fd, "user.two", "", 0, XATTR_CREATE));
	EQ(fgetxattr(fd, "user.two", value, sizeof(value)), 0);
	int size = OK(listxattr("x", NULL, 0));
	TRUE(size >= 18);
	EQ(flistxattr(fd, names, sizeof(names)), size);
	TRUE(memmem(names, size, "user.one", 9) != NULL);
	TRUE(memmem(names, size, "user.two", 9) != NULL);
	ERR(listxattr("x", names, 5), ERANGE);
	EQ(lgetxattr("x", "user.one", value, sizeof(value)), 5);
	EQ(llistxattr("x", names, sizeof(names)), size);
	OK(lsetxattr("x", "user.one", "changed", 7, XATTR_REPLACE));
	EQ(getxattr("x", "user.one", value, sizeof(value)), 7);
	OK(removexattr("x", "user.one"));
	ERR(removexattr("x", "user.one"), ENODATA);
	OK(fremovexattr(fd, "user.two"));
	ERR(lremovexattr("x", "user.two"), ENODATA);
	OK(symlink("x", "xl"));
	ERR(lsetxattr("xl", "user.one", "a", 1, 0), EPERM);
	ERR(fgetxattr(-1, "user.one", value, 1), EBADF);
	ERR(getxattr("nothing", "user.one", value, 1), ENOENT);
	OK(fsetxattr(fd, "user.f", "1234", 4, 0));
	EFAULTS(p, getxattr("x", p, value, 4));
	EFAULTS(p, getxattr(p, "user.f", value, 4));
	EFAULTS(p, getxattr("x", "user.f", p, 4));
	EFAULTS(p, setxattr("x", "user.f", p, 4, 0));
	EFAULTS(p, listxattr("x", p, 64));
	OK(close(fd));
}

CHECK_MAIN
