// lseek, _llseek: whences, 64-bit positions, data and holes.
#include "../check.h"

static int sized(const char *name, uint64_t size)
{
	int fd = OK(open(name, O_CREAT | O_RDWR | O_TRUNC | O_LARGEFILE, 0600));

	OK(ftruncate64(fd, size));
	return fd;
}

CHECK(whences)
{
	int fd = sized("a", 100);

	EQ(lseek(fd, 10, SEEK_SET), 10);
	EQ(lseek(fd, 5, SEEK_CUR), 15);
	EQ(lseek(fd, -5, SEEK_CUR), 10);
	EQ(lseek(fd, -1, SEEK_END), 99);
	EQ(lseek(fd, 1000, SEEK_END), 1100);
	ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	ERR(lseek(fd, -101, SEEK_END), EINVAL);
	ERR(lseek(fd, 0, 99), EINVAL);
	ERR(lseek(fd, 0, -1), EINVAL);
	EQ(lseek(fd, 0, SEEK_CUR), 1100);
	OK(close(fd));
}

CHECK(beyond_4_gib)
{
	const long long size = 0x2fedcba98LL;
	int fd = sized("b", size);

	EQ(lseek64(fd, 0, SEEK_END), size);
	EQ(lseek64(fd, -1, SEEK_CUR), size - 1);
	EQ(lseek64(fd, 0x100000000LL, SEEK_SET), 0x100000000LL);
	EQ(lseek64(fd, 0x80000000LL, SEEK_SET), 0x80000000LL);
	EQ(lseek64(fd, 0xffffffffLL, SEEK_SET), 0xffffffffLL);
	EQ(lseek64(fd, 0, SEEK_CUR), 0xffffffffLL);
	OK(close(fd));
}

#ifdef __NR__llseek
CHECK(llseek)
{
	int fd = sized("c", 0x2fedcba98LL);
	uint64_t place = 0;

	EQ(syscall(__NR__llseek, fd, 0, 0, &place, SEEK_END), 0);
	EQ(place, 0x2fedcba98LL);
	EQ(syscall(__NR__llseek, fd, 1, 2, &place, SEEK_SET), 0);
	EQ(place, 0x100000002LL);
	EQ(syscall(__NR__llseek, fd, -1, -2, &place, SEEK_CUR), 0);
	EQ(place, 0x100000000LL);
	ERR(syscall(__NR__llseek, fd, -1, -1, &place, SEEK_SET), EINVAL);
	ERR(syscall(__NR__llseek, fd, 0, 0, &place, 42), EINVAL);
	ERR(syscall(__NR__llseek, -1, 0, 0, &place, SEEK_SET), EBADF);
	EFAULTS(p, syscall(__NR__llseek, fd, 0, 0, p, SEEK_SET));
	/* The 32-bit call. */
	EQ(syscall(__NR_lseek, fd, 5, SEEK_SET), 5);
	EQ(syscall(__NR_lseek, fd, 0x7fffffff, SEEK_SET), 0x7fffffff);
	ERR(syscall(__NR_lseek, fd, -1, SEEK_SET), EINVAL);
	OK(close(fd));
}
#endif

CHECK(data_and_holes)
{
	int fd = sized("d", 1 << 24);

	EQ(pwrite(fd, "x", 1, 1 << 22), 1);
	off_t data = OK(lseek(fd, 0, SEEK_DATA));
	if (data == 0)
		NA("this file system does not tell of holes");
	EQ(data, 1 << 22);
	EQ(lseek(fd, 0, SEEK_HOLE), 0);
	off_t hole = OK(lseek(fd, 1 << 22, SEEK_HOLE));
	TRUE(hole > 1 << 22 && hole < 1 << 24);
	ERR(lseek(fd, 1 << 23, SEEK_DATA), ENXIO);
	ERR(lseek(fd, 1 << 24, SEEK_HOLE), ENXIO);
	ERR(lseek(fd, 1 << 24, SEEK_DATA), ENXIO);
	OK(close(fd));
}

CHECK(data_beyond_4_gib)
{
	int fd = sized("e", 0x200000000ULL);

	EQ(pwrite64(fd, "x", 1, 0x140000000ULL), 1);
	if (lseek64(fd, 0, SEEK_DATA) == 0)
		NA("this file system does not tell of holes");
	EQ(lseek64(fd, 0x100000000LL, SEEK_DATA), 0x140000000LL);
	OK(close(fd));
}

CHECK_MAIN
