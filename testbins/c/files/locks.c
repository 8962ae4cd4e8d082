// Record locks in all forms: F_SETLK, F_SETLK64, F_OFD_SETLK, flock.
#include "../check.h"

#include <sys/file.h>

static int one, two;

static void open_both(void)
{
	one = OK(open("lock", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	two = OK(open("lock", O_RDWR | O_LARGEFILE));
}

static void close_both(void)
{
	OK(close(one));
	OK(close(two));
}

static struct flock64 lock64(int type, long long start, long long length)
{
	return (struct flock64){ .l_type = type, .l_whence = SEEK_SET,
				 .l_start = start, .l_len = length };
}

#if __SIZEOF_LONG__ == 8
#define FCNTL __NR_fcntl
#define SETLK64 F_SETLK
#define GETLK64 F_GETLK
#elif defined(__mips__)
#define FCNTL __NR_fcntl64
#define SETLK64 34
#define GETLK64 33
#else
#define FCNTL __NR_fcntl64
#define SETLK64 13
#define GETLK64 12
#endif

CHECK(ofd_locks_conflict_between_descriptions)
{
	struct flock64 l = lock64(F_WRLCK, 100, 50);

	open_both();
	OK(syscall(FCNTL, one, F_OFD_SETLK, &l));
	l = lock64(F_RDLCK, 120, 1);
	ERR(syscall(FCNTL, two, F_OFD_SETLK, &l), EAGAIN);
	l = lock64(F_RDLCK, 0, 0);
	OK(syscall(FCNTL, two, F_OFD_GETLK, &l));
	EQ(l.l_type, F_WRLCK);
	EQ(l.l_start, 100);
	EQ(l.l_len, 50);
	EQ(l.l_pid, -1);
	l = lock64(F_UNLCK, 100, 25);
	OK(syscall(FCNTL, one, F_OFD_SETLK, &l));
	l = lock64(F_WRLCK, 100, 25);
	OK(syscall(FCNTL, two, F_OFD_SETLKW, &l));
	l = lock64(F_WRLCK, 0, 1);
	OK(syscall(FCNTL, one, F_OFD_GETLK, &l));
	EQ(l.l_type, F_UNLCK);
	close_both();
}

CHECK(ofd_locks_beyond_4_gib)
{
	struct flock64 l = lock64(F_WRLCK, 0x123456789LL, 0x100000000LL);

	open_both();
	OK(syscall(FCNTL, one, F_OFD_SETLK, &l));
	l = lock64(F_WRLCK, 0x200000000LL, 1);
	ERR(syscall(FCNTL, two, F_OFD_SETLK, &l), EAGAIN);
	l = lock64(F_WRLCK, 0x23456789, 1);
	OK(syscall(FCNTL, two, F_OFD_SETLK, &l));
	l = lock64(F_RDLCK, 0x110000000LL, 0);
	OK(syscall(FCNTL, two, F_OFD_GETLK, &l));
	EQ(l.l_start, 0x123456789LL);
	EQ(l.l_len, 0x100000000LL);
	close_both();
}

CHECK(ofd_locks_want_pid_0)
{
	struct flock64 l = lock64(F_WRLCK, 0, 0);

	open_both();
	l.l_pid = 1;
	ERR(syscall(FCNTL, one, F_OFD_SETLK, &l), EINVAL);
	close_both();
}

CHECK(process_locks)
{
	struct flock64 l = lock64(F_WRLCK, 10, 20);

	open_both();
	OK(syscall(FCNTL, one, SETLK64, &l));
	/* Process locks of the same process do not conflict ... */
	OK(syscall(FCNTL, two, SETLK64, &l));
	l = lock64(F_WRLCK, 0, 0);
	OK(syscall(FCNTL, two, GETLK64, &l));
	EQ(l.l_type, F_UNLCK);
	/* ... but they do with those of an open file description. */
	l = lock64(F_RDLCK, 0, 0);
	OK(syscall(FCNTL, two, F_OFD_GETLK, &l));
	EQ(l.l_type, F_WRLCK);
	EQ(l.l_start, 10);
	EQ(l.l_len, 20);
	EQ(l.l_pid, getpid());
	close_both();
}

CHECK(whences)
{
	struct flock64 l = lock64(F_WRLCK, -5, 3);

	open_both();
	OK(ftruncate(one, 1000));
	EQ(lseek(one, 100, SEEK_SET), 100);
	l.l_whence = SEEK_CUR;
	OK(syscall(FCNTL, one, F_OFD_SETLK, &l));
	l = lock64(F_WRLCK, -1, 0);
	l.l_whence = SEEK_END;
	OK(syscall(FCNTL, one, F_OFD_SETLK, &l));
	l = lock64(F_WRLCK, 0, 500);
	OK(syscall(FCNTL, two, F_OFD_GETLK, &l));
	EQ(l.l_start, 95);
	EQ(l.l_len, 3);
	l = lock64(F_WRLCK, 900, 0);
	OK(syscall(FCNTL, two, F_OFD_GETLK, &l));
	EQ(l.l_start, 999);
	EQ(l.l_len, 0);
	/* A negative length goes backwards from the start. */
	l = lock64(F_WRLCK, 50, -10);
	OK(syscall(FCNTL, one, F_OFD_SETLK, &l));
	l = lock64(F_WRLCK, 0, 60);
	OK(syscall(FCNTL, two, F_OFD_GETLK, &l));
	EQ(l.l_start, 40);
	EQ(l.l_len, 10);
	close_both();
}

CHECK(errors)
{
	struct flock64 l = lock64(77, 0, 0);
	int ro;

	open_both();
	ERR(syscall(FCNTL, one, F_OFD_SETLK, &l), EINVAL);
	l = lock64(F_WRLCK, -1, 1);
	ERR(syscall(FCNTL, one, F_OFD_SETLK, &l), EINVAL);
	l = lock64(F_WRLCK, 0, 1);
	l.l_whence = 9;
	ERR(syscall(FCNTL, one, F_OFD_SETLK, &l), EINVAL);
	l = lock64(F_WRLCK, 0, 1);
	ERR(syscall(FCNTL, -1, F_OFD_SETLK, &l), EBADF);
	ro = OK(open("lock", O_RDONLY));
	ERR(syscall(FCNTL, ro, F_OFD_SETLK, &l), EBADF);
	OK(close(ro));
	EFAULTS(p, syscall(FCNTL, one, F_OFD_SETLK, p));
	EFAULTS(p, syscall(FCNTL, one, SETLK64, p));
	EFAULTS(p, syscall(FCNTL, one, GETLK64, p));
	close_both();
}

#if __SIZEOF_LONG__ == 4
CHECK(locks_with_32_bit_offsets)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = 5, .l_len = 6 };
	struct flock64 far = lock64(F_WRLCK, 0x100000000LL, 1);

	open_both();
	/* F_SETLK and F_GETLK with struct flock. */
#ifdef __mips__
	const int getlk = 14;
#else
	const int getlk = 5;
#endif
	OK(syscall(__NR_fcntl, one, 6, &l));
	l = (struct flock){ .l_type = F_RDLCK };
	OK(syscall(__NR_fcntl64, two, getlk, &l));
	EQ(l.l_type, F_UNLCK);
	OK(syscall(FCNTL, two, F_OFD_GETLK,
		   &(struct flock64){ .l_type = F_RDLCK }));
	l = (struct flock){ .l_type = F_UNLCK };
	OK(syscall(__NR_fcntl64, one, 6, &l));
	/* A conflict that struct flock cannot describe. */
	OK(syscall(FCNTL, one, F_OFD_SETLK, &far));
	l = (struct flock){ .l_type = F_RDLCK };
	ERR(syscall(__NR_fcntl64, two, getlk, &l), EOVERFLOW);
	EFAULTS(p, syscall(__NR_fcntl64, one, 6, p));
	EFAULTS(p, syscall(__NR_fcntl64, one, getlk, p));
	close_both();
}
#endif

CHECK(flock)
{
	open_both();
	OK(flock(one, LOCK_SH));
	OK(flock(two, LOCK_SH | LOCK_NB));
	ERR(flock(two, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(one, LOCK_UN));
	OK(flock(two, LOCK_EX | LOCK_NB));
	ERR(flock(one, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	ERR(flock(-1, LOCK_SH), EBADF);
	ERR(flock(one, 0x40), EINVAL);
	close_both();
}

CHECK(lockf)
{
	open_both();
	OK(lockf64(one, F_TLOCK, 10));
	OK(lockf64(one, F_TEST, 10));
	OK(lockf64(one, F_ULOCK, 0));
	close_both();
}

CHECK_MAIN
