// splice, tee, vmsplice.
#include "../check.h"

#include <sys/uio.h>

static int in, out, one[2], two[2];

static void open_all(const char *text)
{
	in = OK(open("in", O_CREAT | O_TRUNC | O_RDWR, 0600));
	out = OK(open("out", O_CREAT | O_TRUNC | O_RDWR, 0600));
	EQ(write(in, text, strlen(text)), strlen(text));
	EQ(lseek(in, 0, SEEK_SET), 0);
	OK(pipe(one));
	OK(pipe(two));
}

static void close_all(void)
{
	int all[] = { in, out, one[0], one[1], two[0], two[1] };

	for (int i = 0; i < COUNT(all); i++)
		OK(close(all[i]));
}

CHECK(splice)
{
	char text[16] = "";
	int64_t at = 2;

	open_all("0123456789");
	EQ(splice(in, NULL, one[1], NULL, 4, 0), 4);
	EQ(syscall(__NR_splice, in, &at, one[1], NULL, 3L, SPLICE_F_MORE), 3);
	EQ(at, 5);
	EQ(lseek(in, 0, SEEK_CUR), 4);
	at = 1;
	EQ(syscall(__NR_splice, one[0], NULL, out, &at, 100L, 0), 7);
	EQ(at, 8);
	EQ(pread(out, text, 16, 0), 8);
	MEMEQ(text, "\0" "0123234", 8);
	at = 0x123456789LL;
	EQ(write(one[1], "far", 3), 3);
	OK(fcntl(out, F_SETFL, O_LARGEFILE));
	close_all();
}

CHECK(splice_beyond_4_gib)
{
	char text[4] = "";
	int64_t at = 0x123456789LL;
	int far, p[2];

	OK(pipe(p));
	far = OK(open("far", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	EQ(write(p[1], "far", 3), 3);
	EQ(syscall(__NR_splice, p[0], NULL, far, &at, 3L, 0), 3);
	EQ(at, 0x12345678cLL);
	EQ(pread64(far, text, 3, 0x123456789LL), 3);
	STREQ(text, "far");
	OK(close(far));
	OK(close(p[0]));
	OK(close(p[1]));
}

CHECK(splice_errors)
{
	int64_t at = 0;

	open_all("0123456789");
	ERR(splice(in, NULL, out, NULL, 4, 0), EINVAL);
	ERR(splice(-1, NULL, one[1], NULL, 4, 0), EBADF);
	ERR(splice(in, NULL, one[1], NULL, 4, 0x100), EINVAL);
	ERR(syscall(__NR_splice, in, NULL, one[1], &at, 4L, 0), ESPIPE);
	ERR(splice(one[0], NULL, two[1], NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
	EQ(splice(in, NULL, one[1], NULL, 0, 0), 0);
	EFAULTS(p, syscall(__NR_splice, in, (char *)p + 8 * (p == NULL), one[1],
			   NULL, 4L, 0));
	close_all();
}

CHECK(tee)
{
	char text[16] = "";

	open_all("");
	EQ(write(one[1], "copied", 6), 6);
	EQ(tee(one[0], two[1], 100, 0), 6);
	EQ(read(one[0], text, 16), 6);
	STREQ(text, "copied");
	memset(text, 0, 16);
	EQ(read(two[0], text, 16), 6);
	STREQ(text, "copied");
	ERR(tee(one[0], two[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
	ERR(tee(in, two[1], 1, 0), EINVAL);
	close_all();
}

CHECK(vmsplice)
{
	char text[32] = "";
	struct iovec v[2] = { { "abc", 3 }, { "defg", 4 } };
	struct iovec r[2] = { { text, 5 }, { text + 10, 5 } };

	open_all("");
	EQ(vmsplice(one[1], v, 2, 0), 7);
	EQ(vmsplice(one[0], r, 2, 0), 7);
	MEMEQ(text, "abcde", 5);
	MEMEQ(text + 10, "fg", 2);
	ERR(vmsplice(in, v, 1, 0), EBADF);
	ERR(vmsplice(-1, v, 1, 0), EBADF);
	ERR(vmsplice(one[1], v, 1025, 0), EINVAL);
	v[0].iov_base = check_unmapped();
	ERR(vmsplice(one[1], v, 1, 0), EFAULT);
	EFAULTS(p, vmsplice(one[1], p, 1, 0));
	close_all();
}

CHECK_MAIN
