// dup, dup2, dup3, fcntl on descriptors, close_range, memfd seals, leases.
#include "../check.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/socket.h>

CHECK(dup)
{
	int a = OK(open("/dev/null", O_RDONLY | O_CLOEXEC)), b;

	b = OK(dup(a));
	EQ(fcntl(b, F_GETFD), 0);
	EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	OK(close(b));
	EQ(dup2(a, 50), 50);
	EQ(fcntl(50, F_GETFD), 0);
	EQ(dup2(a, a), a);
	ERR(dup2(-1, 50), EBADF);
	ERR(dup2(99, 99), EBADF);
	EQ(dup3(a, 51, O_CLOEXEC), 51);
	EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	ERR(dup3(a, a, 0), EINVAL);
	ERR(dup3(a, 52, O_NONBLOCK), EINVAL);
	ERR(dup3(a, -1, 0), EBADF);
	ERR(dup(-1), EBADF);
	OK(close(50));
	OK(close(51));
	OK(close(a));
}

CHECK(fcntl_dupfd)
{
	int a = OK(open("/dev/null", O_RDONLY));

	EQ(fcntl(a, F_DUPFD, 60), 60);
	EQ(fcntl(a, F_DUPFD, 60), 61);
	EQ(fcntl(60, F_GETFD), 0);
	EQ(fcntl(a, F_DUPFD_CLOEXEC, 60), 62);
	EQ(fcntl(62, F_GETFD), FD_CLOEXEC);
	OK(fcntl(62, F_SETFD, 0));
	EQ(fcntl(62, F_GETFD), 0);
	ERR(fcntl(a, F_DUPFD, -1), EINVAL);
	ERR(fcntl(a, F_DUPFD, INT_MAX), EINVAL);
	ERR(fcntl(-1, F_GETFD), EBADF);
	ERR(fcntl(a, 9999), EINVAL);
	OK(close(60));
	OK(close(61));
	OK(close(62));
	OK(close(a));
}

CHECK(shared_position)
{
	int a = OK(open("pos", O_CREAT | O_RDWR, 0600)), b = OK(dup(a));

	EQ(write(a, "12345", 5), 5);
	EQ(lseek(b, 0, SEEK_CUR), 5);
	OK(fcntl(b, F_SETFL, O_APPEND));
	TRUE(fcntl(a, F_GETFL) & O_APPEND);
	OK(close(a));
	OK(close(b));
}

CHECK(close_range)
{
	int a = OK(open("/dev/null", O_RDONLY));

	for (int i = 100; i < 110; i++)
		EQ(dup2(a, i), i);
	OK(syscall(__NR_close_range, 102, 105, 0));
	OK(fcntl(101, F_GETFD));
	ERR(fcntl(102, F_GETFD), EBADF);
	ERR(fcntl(105, F_GETFD), EBADF);
	OK(fcntl(106, F_GETFD));
	OK(syscall(__NR_close_range, 100, ~0U, CLOSE_RANGE_CLOEXEC));
	EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
	OK(syscall(__NR_close_range, 100, ~0U, 0));
	ERR(fcntl(109, F_GETFD), EBADF);
	OK(fcntl(a, F_GETFD));
	ERR(syscall(__NR_close_range, 5, 4, 0), EINVAL);
	ERR(syscall(__NR_close_range, 100, 101, 0x100), EINVAL);
	OK(close(a));
}

CHECK(pipe_size)
{
	int p[2], size;

	OK(pipe(p));
	TRUE(OK(fcntl(p[0], F_GETPIPE_SZ)) >= 4096);
	size = OK(fcntl(p[0], F_SETPIPE_SZ, 8192));
	EQ(size, 8192);
	EQ(fcntl(p[1], F_GETPIPE_SZ), 8192);
	EQ(fcntl(p[1], F_SETPIPE_SZ, 0), 4096);
	OK(close(p[0]));
	ERR(fcntl(0x1000, F_GETPIPE_SZ), EBADF);
	OK(close(p[1]));
	int f = OK(open("notpipe", O_CREAT | O_RDWR, 0600));
	ERR(fcntl(f, F_GETPIPE_SZ), EBADF);
	OK(close(f));
}

CHECK(owner)
{
	int s[2];
	struct f_owner_ex owner = { F_OWNER_PID, 0 };

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EQ(fcntl(s[0], F_GETOWN), 0);
	OK(fcntl(s[0], F_SETOWN, getpid()));
	EQ(fcntl(s[0], F_GETOWN), getpid());
	OK(fcntl(s[0], F_GETOWN_EX, &owner));
	EQ(owner.type, F_OWNER_PID);
	EQ(owner.pid, getpid());
	/* A process group comes back as a negative number. */
	OK(fcntl(s[0], F_SETOWN, -getpgrp()));
	EQ(fcntl(s[0], F_GETOWN), -getpgrp());
	OK(fcntl(s[0], F_GETOWN_EX, &owner));
	EQ(owner.type, F_OWNER_PGRP);
	owner = (struct f_owner_ex){ F_OWNER_TID, syscall(__NR_gettid) };
	OK(fcntl(s[0], F_SETOWN_EX, &owner));
	EQ(fcntl(s[0], F_GETOWN), syscall(__NR_gettid));
	owner.type = 77;
	ERR(fcntl(s[0], F_SETOWN_EX, &owner), EINVAL);
	EFAULTS(p, fcntl(s[0], F_SETOWN_EX, p));
	EFAULTS(p, fcntl(s[0], F_GETOWN_EX, p));
	OK(fcntl(s[0], F_SETSIG, SIGUSR1));
	EQ(fcntl(s[0], F_GETSIG), SIGUSR1);
	ERR(fcntl(s[0], F_SETSIG, 100), EINVAL);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(memfd_and_seals)
{
	int fd = OK(syscall(__NR_memfd_create, "sealed",
			    MFD_ALLOW_SEALING | MFD_CLOEXEC));
	char link[64], text[64] = "", path[64];

	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EQ(fcntl(fd, F_GET_SEALS), 0);
	EQ(write(fd, "0123456789", 10), 10);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	ERR(ftruncate(fd, 5), EPERM);
	OK(ftruncate(fd, 20));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE));
	ERR(ftruncate(fd, 40), EPERM);
	ERR(pwrite(fd, "x", 1, 0), EPERM);
	TRUE(mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	     MAP_FAILED);
	EQ(errno, EPERM);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
					   F_SEAL_WRITE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(readlink(path, link, sizeof(link)));
	snprintf(text, sizeof(text), "/memfd:sealed (deleted)");
	MEMEQ(link, text, strlen(text));
	OK(close(fd));
	fd = OK(memfd_create("plain", 0));
	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	OK(close(fd));
	ERR(memfd_create("x", 0x10000000), EINVAL);
	char longname[300];
	memset(longname, 'x', 299);
	longname[299] = 0;
	ERR(memfd_create(longname, 0), EINVAL);
	EFAULTS(p, syscall(__NR_memfd_create, p, 0));
}

CHECK(lease)
{
	int fd;

	OK(close(creat("lease", 0600)));
	fd = OK(open("lease", O_RDONLY));
	EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	OK_OR_NA(fcntl(fd, F_SETLEASE, F_RDLCK), EINVAL);
	EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	ERR(fcntl(fd, F_SETLEASE, 42), EINVAL);
	OK(close(fd));
}

CHECK(rw_hint)
{
	int fd = OK(open("hint", O_CREAT | O_RDWR, 0600));
	uint64_t hint = RWH_WRITE_LIFE_LONG, back = 99;

	OK(fcntl(fd, F_SET_RW_HINT, &hint));
	OK(fcntl(fd, F_GET_RW_HINT, &back));
	EQ(back, RWH_WRITE_LIFE_LONG);
	hint = 1000;
	ERR(fcntl(fd, F_SET_RW_HINT, &hint), EINVAL);
	EFAULTS(p, fcntl(fd, F_SET_RW_HINT, p));
	EFAULTS(p, fcntl(fd, F_GET_RW_HINT, p));
	OK(close(fd));
}

CHECK(dnotify)
{
	int fd = OK(open(".", O_RDONLY));

	OK_OR_NA(fcntl(fd, F_NOTIFY, 0), EINVAL);
	OK(close(fd));
}

CHECK(kcmp)
{
	int a = OK(open("/dev/null", O_RDONLY)), b = OK(dup(a));
	int c = OK(open("/dev/zero", O_RDONLY));

	/* 0 is KCMP_FILE. */
	EQ(syscall(__NR_kcmp, getpid(), getpid(), 0, a, b), 0);
	TRUE(syscall(__NR_kcmp, getpid(), getpid(), 0, a, c) > 0);
	ERR(syscall(__NR_kcmp, getpid(), getpid(), 0, a, 4000), EBADF);
	ERR(syscall(__NR_kcmp, getpid(), getpid(), 100, a, b), EINVAL);
	OK(close(a));
	OK(close(b));
	OK(close(c));
}

CHECK_MAIN
