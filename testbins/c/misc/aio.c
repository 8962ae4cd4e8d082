// The kernel's asynchronous input and output: io_setup and its family.
#include "../check.h"

#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <time.h>

CHECK(write_and_read)
{
	aio_context_t context = 0;
	int fd = OK(open("aio", O_CREAT | O_RDWR, 0600)), e = OK(eventfd(0, 0));
	char in[16] = "";
	struct iocb a = { .aio_data = 0x123456789abcdef0ULL,
			  .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd,
			  .aio_buf = (uintptr_t)"asynchronous",
			  .aio_nbytes = 12, .aio_offset = 0 };
	struct iocb b = { .aio_data = 2, .aio_lio_opcode = IOCB_CMD_PREAD,
			  .aio_fildes = fd, .aio_buf = (uintptr_t)in,
			  .aio_nbytes = 5, .aio_offset = 7,
			  .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = e };
	struct iocb *list[2] = { &a, &b };
	struct io_event events[4];
	long t[2] = { 1, 0 };
	uint64_t count;

	OK_OR_NA(syscall(__NR_io_setup, 8, &context), ENOSYS);
	TRUE(context != 0);
	EQ(syscall(__NR_io_submit, context, 1, list), 1);
	EQ(syscall(__NR_io_getevents, context, 1, 4, events, t), 1);
	EQ(events[0].data, 0x123456789abcdef0ULL);
	EQ(events[0].obj, (uintptr_t)&a);
	EQ(events[0].res, 12);
	EQ(syscall(__NR_io_submit, context, 1, list + 1), 1);
	EQ(read(e, &count, 8), 8);
	EQ(count, 1);
	EQ(syscall(__NR_io_getevents, context, 1, 4, events, NULL), 1);
	EQ(events[0].data, 2);
	EQ(events[0].res, 5);
	STREQ(in, "onous");
	t[0] = 0;
	EQ(syscall(__NR_io_getevents, context, 0, 4, events, t), 0);
	OK(syscall(__NR_io_destroy, context));
	ERR(syscall(__NR_io_destroy, context), EINVAL);
	OK(close(fd));
	OK(close(e));
}

CHECK(errors)
{
	aio_context_t context = 0;
	struct iocb a = { .aio_lio_opcode = 999 }, *list = &a;

	OK_OR_NA(syscall(__NR_io_setup, 1, &context), ENOSYS);
	ERR(syscall(__NR_io_setup, 1, &context), EINVAL);
	ERR(syscall(__NR_io_submit, context, 1, &list), EINVAL);
	a.aio_fildes = -1;
	ERR(syscall(__NR_io_submit, context, 1, &list), EBADF);
	ERR(syscall(__NR_io_submit, context, -1L, &list), EINVAL);
	EQ(syscall(__NR_io_submit, context, 0, &list), 0);
	ERR(syscall(__NR_io_submit, 0, 1, &list), EINVAL);
	EFAULTS(p, syscall(__NR_io_submit, context, 1, p));
	EFAULTS(p, syscall(__NR_io_setup, 1, p));
	OK(syscall(__NR_io_destroy, context));
}

CHECK_MAIN
