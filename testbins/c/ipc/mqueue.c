// POSIX message queues.
// libs: -lrt
#include "../check.h"

#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

static char name[64];

static mqd_t open_queue(int flags)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 32 };

	snprintf(name, sizeof(name), "/check-%d", getpid());
	mq_unlink(name);
	return OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));
}

CHECK(send_and_receive)
{
	mqd_t q = open_queue(0);
	char text[64] = "";
	unsigned priority = 0;

	OK(mq_send(q, "low", 4, 1));
	OK(mq_send(q, "high", 5, 31));
	OK(mq_send(q, "", 0, 5));
	EQ(mq_receive(q, text, 64, &priority), 5);
	STREQ(text, "high");
	EQ(priority, 31);
	EQ(mq_receive(q, text, 64, &priority), 0);
	EQ(mq_receive(q, text, 64, NULL), 4);
	ERR(mq_receive(q, text, 31, NULL), EMSGSIZE);
	ERR(mq_send(q, text, 33, 0), EMSGSIZE);
	ERR(mq_send(q, text, 1, 32768), EINVAL);
	OK(mq_close(q));
	OK(mq_unlink(name));
	ERR(mq_unlink(name), ENOENT);
	ERR(mq_open(name, O_RDWR), ENOENT);
}

CHECK(attributes)
{
	mqd_t q = open_queue(O_NONBLOCK);
	struct mq_attr a, old;
	char text[32];

	memset(&a, 0x55, sizeof(a));
	OK(mq_getattr(q, &a));
	EQ(a.mq_flags, O_NONBLOCK);
	EQ(a.mq_maxmsg, 4);
	EQ(a.mq_msgsize, 32);
	EQ(a.mq_curmsgs, 0);
	ERR(mq_receive(q, text, 32, NULL), EAGAIN);
	for (int i = 0; i < 4; i++)
		OK(mq_send(q, "x", 1, 0));
	ERR(mq_send(q, "x", 1, 0), EAGAIN);
	a.mq_flags = 0;
	OK(mq_setattr(q, &a, &old));
	EQ(old.mq_flags, O_NONBLOCK);
	EQ(old.mq_curmsgs, 4);
	OK(mq_getattr(q, &a));
	EQ(a.mq_flags, 0);
	a.mq_flags = 0x1234567;
	ERR(mq_setattr(q, &a, NULL), EINVAL);
	struct pollfd p = { q, POLLIN | POLLOUT, 0 };
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN);
	OK(mq_close(q));
	ERR(mq_getattr(q, &a), EBADF);
	OK(mq_unlink(name));
}

CHECK(timeouts)
{
	mqd_t q = open_queue(0);
	struct timespec t;
	char text[32];

	OK(clock_gettime(CLOCK_REALTIME, &t));
	ERR(mq_timedreceive(q, text, 32, NULL, &t), ETIMEDOUT);
	t.tv_nsec = 1000000000;
	ERR(mq_timedreceive(q, text, 32, NULL, &t), EINVAL);
#if __SIZEOF_LONG__ == 4
	int64_t t64[2] = { 1, 0 };
	int32_t t32[2] = { 1, 0 };

	ERR(syscall(__NR_mq_timedreceive_time64, q, text, 32, NULL, t64),
	    ETIMEDOUT);
	ERR(syscall(__NR_mq_timedreceive, q, text, 32, NULL, t32), ETIMEDOUT);
	t64[0] = 0x100000000LL;
	OK(syscall(__NR_mq_timedsend_time64, q, "y", 1, 0, t64));
	OK(syscall(__NR_mq_timedsend, q, "y", 1, 0, t32));
	EQ(syscall(__NR_mq_timedreceive_time64, q, text, 32, NULL, t64), 1);
#endif
	OK(mq_close(q));
	OK(mq_unlink(name));
}

CHECK(notification_is_one)
{
	mqd_t q = open_queue(0);
	struct sigevent e = { .sigev_notify = SIGEV_NONE };

	OK(mq_notify(q, &e));
	ERR(mq_notify(q, &e), EBUSY);
	OK(mq_notify(q, NULL));
	e.sigev_notify = 99;
	ERR(mq_notify(q, &e), EINVAL);
	OK(mq_close(q));
	OK(mq_unlink(name));
}

CHECK(errors)
{
	mqd_t q = open_queue(0);
	struct mq_attr a = { .mq_maxmsg = 0, .mq_msgsize = 32 };
	char text[32];

	ERR(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	ERR(mq_open("/check-bad", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	ERR(mq_send(-1, "x", 1, 0), EBADF);
	ERR(mq_receive(0x1000, text, 32, NULL), EBADF);
	EFAULTS(p, syscall(__NR_mq_open, p, O_RDONLY, 0, NULL));
	EFAULTS(p, mq_send(q, p, 4, 0));
	OK(mq_close(q));
	OK(mq_unlink(name));
}

CHECK_MAIN
