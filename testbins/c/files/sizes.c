// no-reference: qemu-user 7.2 knows none of these calls
/*
 * Calls with structs that may grow: what another size than the known one gives
 * (copy_struct_from_user and copy_struct_to_user of linux/uaccess.h), and cachestat(2).
 */
#include "../check.h"

#define NR_cachestat 451
#define NR_setxattrat 463
#define NR_getxattrat 464
#define NR_file_getattr 468
#define NR_file_setattr 469

struct attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
	unsigned char more[4096];
};

struct xattr {
	uint64_t value;
	uint32_t size, flags;
	unsigned char more[4096];
};

static int missing(int number)
{
	return syscall(number, -1, NULL, NULL, 0, 0, 0) < 0 && errno == ENOSYS;
}

CHECK(file_getattr_sizes)
{
	struct attr attr;

	if (missing(NR_file_getattr)) {
		NA("no file_getattr before Linux 6.17");
		return;
	}
	OK(close(creat("f", 0600)));
	ERR(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 0, 0), EINVAL);
	ERR(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 23, 0), EINVAL);
	ERR(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 4097, 0), E2BIG);
	/* The flags come first. */
	ERR(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 4097, 1), EINVAL);
	ERR(syscall(NR_file_getattr, AT_FDCWD, "missing", &attr, 23, 0), EINVAL);
	ERR(syscall(NR_file_getattr, AT_FDCWD, "missing", &attr, 24, 0), ENOENT);
	ERR(syscall(NR_file_getattr, AT_FDCWD, "missing", &attr, 40, 0), ENOENT);
	memset(&attr, 0x55, sizeof attr);
	if (syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 24, 0) < 0) {
		NA("a file system without file attributes");
		return;
	}
	EQ(attr.more[0], 0x55);
	memset(&attr, 0x55, sizeof attr);
	OK(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 40, 0));
	EQ(attr.more[0], 0);
	EQ(attr.more[15], 0);
	EQ(attr.more[16], 0x55);
}

CHECK(file_setattr_sizes)
{
	struct attr attr;

	if (missing(NR_file_setattr)) {
		NA("no file_setattr before Linux 6.17");
		return;
	}
	memset(&attr, 0, sizeof attr);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 0, 0), EINVAL);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 23, 0), EINVAL);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 4097, 0), E2BIG);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 24, 0), ENOENT);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 32, 0), ENOENT);
	attr.more[7] = 1;
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 32, 0), E2BIG);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 31, 0), ENOENT);
	ERR(syscall(NR_file_setattr, AT_FDCWD, "missing", &attr, 24, 1), EINVAL);
}

CHECK(xattr_args_sizes)
{
	char value[16] = "value";
	struct xattr args = { .value = (uintptr_t)value, .size = 5 };

	if (missing(NR_setxattrat)) {
		NA("no setxattrat before Linux 6.13");
		return;
	}
	OK(close(creat("f", 0600)));
	ERR(syscall(NR_setxattrat, AT_FDCWD, "f", 0, "user.a", &args, 0), EINVAL);
	ERR(syscall(NR_setxattrat, AT_FDCWD, "f", 0, "user.a", &args, 15), EINVAL);
	ERR(syscall(NR_setxattrat, AT_FDCWD, "f", 0, "user.a", &args, 4097), E2BIG);
	if (syscall(NR_setxattrat, AT_FDCWD, "f", 0, "user.a", &args, 16) < 0) {
		NA("a file system without extended attributes");
		return;
	}
	args.size = sizeof value;
	memset(value, 0, sizeof value);
	EQ(syscall(NR_getxattrat, AT_FDCWD, "f", 0, "user.a", &args, 24), 5);
	EQ(memcmp(value, "value", 6), 0);
	args.more[7] = 1;
	ERR(syscall(NR_getxattrat, AT_FDCWD, "f", 0, "user.a", &args, 24), E2BIG);
	EQ(syscall(NR_getxattrat, AT_FDCWD, "f", 0, "user.a", &args, 23), 5);
}

CHECK(cachestat)
{
	uint64_t range[2] = { 0, 0 }, stat[6];
	static char page[4096];
	int fd, end[2];

	fd = open("f", O_RDWR | O_CREAT, 0600);
	OK(fd);
	if (syscall(NR_cachestat, fd, range, stat, 0) < 0 && errno == ENOSYS) {
		NA("no cachestat before Linux 6.5");
		return;
	}
	for (int i = 0; i < 5; i++)
		EQ(write(fd, page, sizeof page), 4096);
	memset(stat, 0x55, sizeof stat);
	OK(syscall(NR_cachestat, fd, range, stat, 0));
	EQ(stat[0], 5);
	EQ(stat[3], 0);
	EQ(stat[4], 0);
	EQ(stat[5], 0x5555555555555555);
	range[0] = 4096;
	range[1] = 4097;
	OK(syscall(NR_cachestat, fd, range, stat, 0));
	EQ(stat[0], 2);
	ERR(syscall(NR_cachestat, fd, range, stat, 1), EINVAL);
	ERR(syscall(NR_cachestat, -1, range, stat, 1), EBADF);
	ERR(syscall(NR_cachestat, fd, NULL, stat, 1), EFAULT);
	ERR(syscall(NR_cachestat, fd, range, NULL, 0), EFAULT);
	OK(pipe(end));
	(void)end;
	close(fd);
}

CHECK_MAIN
