// read, write and their positional and vectored forms.
#include "../check.h"

#include <sys/uio.h>

static int scratch(const char *text)
{
	int fd = OK(open("rw", O_CREAT | O_RDWR | O_TRUNC, 0600));

	EQ(write(fd, text, strlen(text)), strlen(text));
	EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

CHECK(read_and_write)
{
	int fd = scratch("hello world");
	char text[32] = "";

	EQ(read(fd, text, 5), 5);
	STREQ(text, "hello");
	EQ(read(fd, text, sizeof(text)), 6);
	EQ(read(fd, text, sizeof(text)), 0);
	EQ(read(fd, text, 0), 0);
	EQ(write(fd, "", 0), 0);
	EQ(write(fd, "!", 1), 1);
	EQ(pread(fd, text, sizeof(text), 0), 12);
	OK(close(fd));
}

CHECK(bad_descriptors)
{
	char c = 0;
	struct iovec v = { &c, 1 };

	for (int i = 0; i < 3; i++) {
		int fd = (int[]){ -1, 9999, INT_MAX }[i];

		ERR(read(fd, &c, 1), EBADF);
		ERR(write(fd, &c, 1), EBADF);
		ERR(pread(fd, &c, 1, 0), EBADF);
		ERR(pwrite(fd, &c, 1, 0), EBADF);
		ERR(readv(fd, &v, 1), EBADF);
		ERR(writev(fd, &v, 1), EBADF);
		ERR(preadv(fd, &v, 1, 0), EBADF);
		ERR(pwritev(fd, &v, 1, 0), EBADF);
		ERR(lseek(fd, 0, SEEK_CUR), EBADF);
	}
}

CHECK(bad_buffers)
{
	int fd = scratch("0123456789");

	EFAULTS(p, read(fd, p, 4));
	EQ(lseek(fd, 0, SEEK_CUR), 0);
	EFAULTS(p, write(fd, p, 4));
	EFAULTS(p, pread(fd, p, 4, 2));
	EFAULTS(p, pwrite(fd, p, 4, 2));
	EFAULTS(p, readv(fd, p, 1));
	EFAULTS(p, writev(fd, p, 1));
	/* Nothing is transferred, so a pointer in user space is not looked at. */
	EQ(read(fd, check_unmapped(), 0), 0);
	EQ(write(fd, check_unmapped(), 0), 0);
	OK(close(fd));
}

CHECK(partial_results_at_an_edge)
{
	int fd = scratch("0123456789");
	char *edge = check_edge();
	int pipes[2];

	/* 4 bytes fit; a file transfer stops where the memory does. */
	EQ(read(fd, edge - 4, 10), 4);
	MEMEQ(edge - 4, "0123", 4);
	EQ(lseek(fd, 0, SEEK_SET), 0);
	memcpy(edge - 3, "abc", 3);
	ssize_t n = write(fd, edge - 3, 10);
	/* The page cache copies what it can before it faults. */
	EQ(n, 3);
	OK(pipe(pipes));
	ERR(write(pipes[1], edge, 1), EFAULT);
	OK(close(pipes[0]));
	OK(close(pipes[1]));
	OK(close(fd));
}

CHECK(read_only_memory)
{
	int fd = scratch("0123456789");
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ERR(read(fd, page, 4), EFAULT);
	ERR(pread(fd, page, 4, 0), EFAULT);
	EQ(write(fd, page, 4), 4);
	ERR(read(fd, (void *)"constant text", 4), EFAULT);
	OK(munmap(page, 4096));
	OK(close(fd));
}

CHECK(pread_does_not_move)
{
	int fd = scratch("hello world");
	char text[8] = "";

	EQ(pread(fd, text, 5, 6), 5);
	STREQ(text, "world");
	EQ(lseek(fd, 0, SEEK_CUR), 0);
	EQ(pwrite(fd, "W", 1, 6), 1);
	EQ(lseek(fd, 0, SEEK_CUR), 0);
	EQ(pread(fd, text, 5, 100), 0);
	ERR(pread(fd, text, 5, -1), EINVAL);
	ERR(pwrite(fd, text, 5, -1), EINVAL);
	OK(close(fd));
}

CHECK(offsets_beyond_4_gib)
{
	int fd = OK(open("big", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	const uint64_t place = 0x523456789ULL;
	char c = 0;

	EQ(pwrite64(fd, "x", 1, place), 1);
	EQ(pread64(fd, &c, 1, place), 1);
	EQ(c, 'x');
	EQ(pread64(fd, &c, 1, place & 0xffffffff), 1);
	EQ(c, 0);
	EQ(syscall(__NR_pread64, fd, &c, 1, ARG64_EVEN(place)), 1);
	EQ(c, 'x');
	EQ(syscall(__NR_pwrite64, fd, "y", 1, ARG64_EVEN(place + 1)), 1);
	EQ(lseek64(fd, 0, SEEK_END), (long long)place + 2);
	struct iovec v = { &c, 1 };
	EQ(preadv64(fd, &v, 1, place + 1), 1);
	EQ(c, 'y');
	c = 'z';
	EQ(pwritev64(fd, &v, 1, place + 2), 1);
	EQ(preadv64v2(fd, &v, 1, place + 2, 0), 1);
	EQ(c, 'z');
	OK(close(fd));
}

CHECK(vectors)
{
	int fd = scratch("");
	char a[4] = "", b[4] = "", c[8] = "";
	struct iovec out[4] = {
		{ "abc", 3 }, { NULL, 0 }, { "de", 2 }, { "fghi", 4 } };
	struct iovec in[3] = { { a, 3 }, { b, 3 }, { c, 8 } };

	EQ(writev(fd, out, 4), 9);
	EQ(lseek(fd, 0, SEEK_SET), 0);
	EQ(readv(fd, in, 3), 9);
	STREQ(a, "abc");
	STREQ(b, "def");
	STREQ(c, "ghi");
	EQ(preadv(fd, in, 1, 6), 3);
	STREQ(a, "ghi");
	EQ(pwritev(fd, out, 1, 6), 3);
	EQ(lseek(fd, 0, SEEK_CUR), 9);
	EQ(readv(fd, in, 0), 0);
	EQ(writev(fd, out, 0), 0);
	OK(close(fd));
}

CHECK(vector_errors)
{
	int fd = scratch("0123456789");
	char text[4] = "";
	static struct iovec many[1025];
	struct iovec v[2] = { { text, 4 }, { text, 4 } };

	for (int i = 0; i < COUNT(many); i++)
		many[i] = (struct iovec){ text, 0 };
	EQ(writev(fd, many, 1024), 0);
	ERR(writev(fd, many, 1025), EINVAL);
	ERR(readv(fd, many, -1), EINVAL);
	v[1].iov_len = (size_t)-1;
	ERR(readv(fd, v, 2), EINVAL);
	v[1].iov_len = 4;
	v[0].iov_base = check_unmapped();
	ERR(readv(fd, v, 2), EFAULT);
	v[0].iov_base = text;
	v[1].iov_base = check_unmapped();
	EQ(readv(fd, v, 2), 4);
	OK(close(fd));
}

CHECK(vector_at_an_edge)
{
	int fd = scratch("0123456789");
	char text[4];
	struct iovec *v = (struct iovec *)check_edge() - 1;

	*v = (struct iovec){ text, 4 };
	EQ(readv(fd, v, 1), 4);
	ERR(readv(fd, v, 2), EFAULT);
	OK(close(fd));
}

CHECK(preadv2_flags)
{
	int fd = scratch("hello");
	char text[8] = "";
	struct iovec v = { text, 5 };

	/* Offset -1 means: the current one, and move it. */
	EQ(preadv2(fd, &v, 1, -1, 0), 5);
	EQ(lseek(fd, 0, SEEK_CUR), 5);
	EQ(preadv2(fd, &v, 1, 0, RWF_HIPRI), 5);
	ERR(preadv2(fd, &v, 1, 0, 0x40000000), EOPNOTSUPP);
	EQ(pwritev2(fd, &v, 1, 0, RWF_DSYNC), 5);
	EQ(pwritev2(fd, &v, 1, 0, RWF_SYNC), 5);
	EQ(pwritev2(fd, &v, 1, 0, RWF_APPEND), 5);
	EQ(lseek(fd, 0, SEEK_END), 10);
	ERR(pwritev2(fd, &v, 1, -2, 0), EINVAL);
	long n = preadv2(fd, &v, 1, 0, RWF_NOWAIT);
	TRUE(n == 5 || errno == EAGAIN || errno == EOPNOTSUPP);
	OK(close(fd));
}

CHECK(huge_count)
{
	int fd = scratch("hello");
	static char buffer[16];

	/* The kernel limits a transfer; a count above LONG_MAX is an error. */
	EQ(read(fd, buffer, 0x7ffff000), 5);
	MEMEQ(buffer, "hello", 5);
	if (sizeof(long) == 8) {
		ssize_t n = read(fd, buffer, SIZE_MAX);

		TRUE(n == -1 && (errno == EFAULT || errno == EINVAL));
	}
	OK(close(fd));
}

CHECK(pipes_and_positions)
{
	int p[2];
	char c;

	OK(pipe(p));
	ERR(pread(p[0], &c, 1, 0), ESPIPE);
	ERR(pwrite(p[1], &c, 1, 0), ESPIPE);
	ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	ERR(read(p[1], &c, 1), EBADF);
	ERR(write(p[0], &c, 1), EBADF);
	OK(close(p[1]));
	EQ(read(p[0], &c, 1), 0);
	OK(close(p[0]));
}

CHECK(large_transfer)
{
	static unsigned char out[1 << 20], in[1 << 20];
	int fd = OK(open("large", O_CREAT | O_RDWR | O_TRUNC, 0600));

	for (int i = 0; i < COUNT(out); i++)
		out[i] = i * 7 + (i >> 8);
	EQ(write(fd, out, sizeof(out)), sizeof(out));
	EQ(pread(fd, in, sizeof(in), 0), sizeof(in));
	MEMEQ(in, out, sizeof(out));
	OK(close(fd));
}

CHECK(special_files)
{
	char text[16];
	int fd = OK(open("/dev/null", O_RDWR));

	memset(text, 'a', sizeof(text));
	EQ(read(fd, text, 16), 0);
	EQ(write(fd, text, 16), 16);
	OK(close(fd));
	fd = OK(open("/dev/zero", O_RDWR));
	EQ(read(fd, text, 16), 16);
	EQ(text[15], 0);
	OK(close(fd));
	fd = OK(open("/dev/full", O_RDWR));
	ERR(write(fd, text, 1), ENOSPC);
	OK(close(fd));
}

CHECK_MAIN
