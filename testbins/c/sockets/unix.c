// AF_UNIX: kinds, names, ancillary data, message flags.
#include "../check.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	return a;
}

static void close_two(int s[2])
{
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(socketpair)
{
	int s[2], value;
	socklen_t size = sizeof(value);
	char text[16];

	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s));
	EQ(fcntl(s[0], F_GETFL), O_RDWR | O_NONBLOCK);
	EQ(fcntl(s[1], F_GETFD), FD_CLOEXEC);
	ERR(read(s[0], text, 16), EAGAIN);
	EQ(write(s[1], "hello", 5), 5);
	EQ(recv(s[0], text, 2, MSG_PEEK), 2);
	EQ(read(s[0], text, 16), 5);
	OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &size));
	EQ(value, SOCK_STREAM);
	OK(shutdown(s[0], SHUT_WR));
	EQ(read(s[1], text, 16), 0);
	ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	ERR(shutdown(s[0], 7), EINVAL);
	ERR(shutdown(0x1000, SHUT_RD), EBADF);
	close_two(s);
	ERR(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
	ERR(socketpair(999, SOCK_STREAM, 0, s), EAFNOSUPPORT);
	ERR(socketpair(AF_UNIX, 99, 0, s), EINVAL);
	EFAULTS(p, syscall(__NR_socketpair, AF_UNIX, SOCK_STREAM, 0, p));
}

CHECK(datagrams_keep_their_bounds)
{
	int s[2];
	char text[16] = "";

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	EQ(send(s[0], "first", 5, 0), 5);
	EQ(send(s[0], "", 0, 0), 0);
	EQ(send(s[0], "third!", 6, 0), 6);
	EQ(recv(s[1], text, 3, 0), 3);
	EQ(recv(s[1], text, 16, 0), 0);
	EQ(recv(s[1], text, 3, MSG_PEEK | MSG_TRUNC), 6);
	EQ(recv(s[1], text, 3, MSG_TRUNC), 6);
	ERR(recv(s[1], text, 3, MSG_DONTWAIT), EAGAIN);
	close_two(s);
}

CHECK(seqpacket)
{
	int s[2];
	char text[16] = "";
	struct iovec v = { text, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	EQ(send(s[0], "message", 7, 0), 7);
	EQ(send(s[0], "two", 3, 0), 3);
	EQ(recvmsg(s[1], &m, 0), 3);
	EQ(m.msg_flags, MSG_TRUNC);
	EQ(recvmsg(s[1], &m, 0), 3);
	EQ(m.msg_flags, 0);
	MEMEQ(text, "two", 3);
	close_two(s);
}

CHECK(path_names)
{
	int l = OK(socket(AF_UNIX, SOCK_STREAM, 0)), c, s;
	struct sockaddr_un a = address("listen"), got;
	socklen_t size = sizeof(a);
	struct ucred who;

	ERR(bind(l, (void *)&a, 1), EINVAL);
	OK(bind(l, (void *)&a, sizeof(a)));
	OK(access("listen", F_OK));
	OK(listen(l, 5));
	memset(&got, 0x55, sizeof(got));
	OK(getsockname(l, (void *)&got, &size));
	EQ(size, offsetof(struct sockaddr_un, sun_path) + 7);
	EQ(got.sun_family, AF_UNIX);
	STREQ(got.sun_path, "listen");
	c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	ERR(bind(c, (void *)&a, sizeof(a)), EADDRINUSE);
	OK(connect(c, (void *)&a, sizeof(a)));
	size = sizeof(got);
	s = OK(accept4(l, (void *)&got, &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
	EQ(size, 2);
	EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	EQ(fcntl(s, F_GETFL), O_RDWR | O_NONBLOCK);
	size = sizeof(who);
	OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &size));
	EQ(who.pid, getpid());
	EQ(who.uid, geteuid());
	/* A name that does not fit is cut; its whole size is told. */
	size = 4;
	memset(&got, 0x55, sizeof(got));
	OK(getpeername(c, (void *)&got, &size));
	EQ(size, offsetof(struct sockaddr_un, sun_path) + 7);
	MEMEQ(got.sun_path, "liUU", 4);
	OK(fcntl(l, F_SETFL, O_NONBLOCK));
	ERR(accept4(l, NULL, NULL, 0x10), EINVAL);
	ERR(accept4(l, NULL, NULL, 0), EAGAIN);
	ERR(accept(c, NULL, NULL), EINVAL);
	OK(close(s));
	OK(close(c));
	OK(close(l));
	c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	ERR(connect(c, (void *)&a, sizeof(a)), ECONNREFUSED);
	a = address("nothing");
	ERR(connect(c, (void *)&a, sizeof(a)), ENOENT);
	ERR(getpeername(c, (void *)&got, &size), ENOTCONN);
	OK(close(c));
}

CHECK(abstract_names)
{
	int l = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), c;
	struct sockaddr_un a = { .sun_family = AF_UNIX }, got;
	socklen_t length, size = sizeof(got);
	char text[8];

	snprintf(a.sun_path + 1, 60, "check-%d", getpid());
	length = offsetof(struct sockaddr_un, sun_path) + 1 +
		 strlen(a.sun_path + 1);
	OK(bind(l, (void *)&a, length));
	OK(getsockname(l, (void *)&got, &size));
	EQ(size, length);
	MEMEQ(&got, &a, length);
	c = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	/* Binding no name takes a free abstract one. */
	OK(bind(c, (void *)&a, 2));
	size = sizeof(got);
	OK(getsockname(c, (void *)&got, &size));
	EQ(size, 8);
	EQ(got.sun_path[0], 0);
	EQ(sendto(c, "hi", 2, 0, (void *)&a, length), 2);
	struct sockaddr_un from;
	size = sizeof(from);
	EQ(recvfrom(l, text, 8, 0, (void *)&from, &size), 2);
	EQ(size, 8);
	MEMEQ(&from, &got, 8);
	/* Trailing NULs belong to an abstract name. */
	ERR(sendto(c, "hi", 2, 0, (void *)&a, length + 1), ECONNREFUSED);
	OK(close(l));
	OK(close(c));
}

CHECK(passing_descriptors)
{
	int s[2], fds[3] = { -1, -1, -1 }, got[3];
	char text[4], c = 'c';
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} u;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = &u, .msg_controllen = sizeof(u) };

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (int i = 0; i < 3; i++) {
		char name[8] = { 'f', '0' + i };

		fds[i] = OK(open(name, O_CREAT | O_RDWR, 0600));
		EQ(write(fds[i], name, 2), 2);
	}
	memset(&u, 0, sizeof(u));
	u.header.cmsg_level = SOL_SOCKET;
	u.header.cmsg_type = SCM_RIGHTS;
	u.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&u.header), fds, sizeof(fds));
	EQ(sendmsg(s[0], &m, 0), 1);
	memset(&u, 0x55, sizeof(u));
	m.msg_controllen = sizeof(u);
	EQ(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC), 1);
	EQ(m.msg_controllen, CMSG_SPACE(sizeof(fds)));
	EQ(m.msg_flags & ~MSG_CMSG_CLOEXEC, 0);
	EQ(u.header.cmsg_level, SOL_SOCKET);
	EQ(u.header.cmsg_type, SCM_RIGHTS);
	EQ(u.header.cmsg_len, CMSG_LEN(sizeof(fds)));
	memcpy(got, CMSG_DATA(&u.header), sizeof(got));
	for (int i = 0; i < 3; i++) {
		TRUE(got[i] != fds[i]);
		EQ(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		EQ(pread(got[i], text, 4, 0), 2);
		EQ(text[1], '0' + i);
		OK(close(got[i]));
	}
	/* Too little room: what fits arrives, the rest is closed. */
	u.header.cmsg_level = SOL_SOCKET;
	u.header.cmsg_type = SCM_RIGHTS;
	u.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&u.header), fds, sizeof(fds));
	EQ(sendmsg(s[0], &m, 0), 1);
	m.msg_controllen = CMSG_LEN(sizeof(int));
	EQ(recvmsg(s[1], &m, 0), 1);
	EQ(m.msg_flags, MSG_CTRUNC);
	EQ(u.header.cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(got, CMSG_DATA(&u.header), sizeof(int));
	EQ(pread(got[0], text, 4, 0), 2);
	OK(close(got[0]));
	/* A descriptor that is none. */
	fds[1] = 9999;
	m.msg_controllen = sizeof(u);
	u.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&u.header), fds, sizeof(fds));
	ERR(sendmsg(s[0], &m, 0), EBADF);
	u.header.cmsg_len = 3;
	ERR(sendmsg(s[0], &m, 0), EINVAL);
	close_two(s);
	OK(close(fds[0]));
	OK(close(fds[2]));
}

CHECK(credentials)
{
	int s[2], on = 1;
	char c = 'c';
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred)) + 64];
	} u;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = &u, .msg_controllen = sizeof(u) };
	struct ucred who = { getpid(), getuid(), getgid() }, got;

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	EQ(send(s[0], "x", 1, 0), 1);
	EQ(recvmsg(s[1], &m, 0), 1);
	EQ(m.msg_controllen, CMSG_SPACE(sizeof(who)));
	EQ(u.header.cmsg_type, SCM_CREDENTIALS);
	EQ(u.header.cmsg_len, CMSG_LEN(sizeof(who)));
	memcpy(&got, CMSG_DATA(&u.header), sizeof(got));
	MEMEQ(&got, &who, sizeof(who));
	m.msg_controllen = CMSG_SPACE(sizeof(who));
	EQ(sendmsg(s[0], &m, 0), 1);
	m.msg_controllen = sizeof(u);
	memset(&u, 0, sizeof(u));
	EQ(recvmsg(s[1], &m, 0), 1);
	memcpy(&got, CMSG_DATA(&u.header), sizeof(got));
	EQ(got.pid, getpid());
	close_two(s);
}

CHECK(two_kinds_of_ancillary_data)
{
	int s[2], on = 1, fd, rights = 0, creds = 0;
	char c = 'c';
	union {
		struct cmsghdr header;
		char room[256];
	} u;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = &u };

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	memset(&u, 0, sizeof(u));
	u.header.cmsg_level = SOL_SOCKET;
	u.header.cmsg_type = SCM_RIGHTS;
	u.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&u.header), &s[0], sizeof(int));
	m.msg_controllen = CMSG_SPACE(sizeof(int));
	EQ(sendmsg(s[0], &m, 0), 1);
	m.msg_controllen = sizeof(u);
	EQ(recvmsg(s[1], &m, 0), 1);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		EQ(h->cmsg_level, SOL_SOCKET);
		if (h->cmsg_type == SCM_RIGHTS) {
			EQ(h->cmsg_len, CMSG_LEN(sizeof(int)));
			memcpy(&fd, CMSG_DATA(h), sizeof(fd));
			OK(close(fd));
			rights++;
		} else if (h->cmsg_type == SCM_CREDENTIALS) {
			EQ(h->cmsg_len, CMSG_LEN(sizeof(struct ucred)));
			creds++;
		} else {
			FAIL("got a message of type %d", h->cmsg_type);
		}
	}
	EQ(rights, 1);
	EQ(creds, 1);
	EQ(m.msg_controllen, CMSG_SPACE(sizeof(int)) +
				     CMSG_SPACE(sizeof(struct ucred)));
	close_two(s);
}

CHECK(many_vectors)
{
	static char out[1024], in[1024];
	struct iovec o[1024], i[1025];
	struct msghdr m = { .msg_iov = o, .msg_iovlen = 1024 };
	int s[2];

	for (int k = 0; k < 1024; k++) {
		out[k] = k * 3;
		o[k] = (struct iovec){ out + k, 1 };
		i[k] = (struct iovec){ in + 1023 - k, 1 };
	}
	i[1024] = i[0];
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EQ(sendmsg(s[0], &m, 0), 1024);
	m.msg_iov = i;
	EQ(recvmsg(s[1], &m, MSG_WAITALL), 1024);
	for (int k = 0; k < 1024; k++)
		EQ(in[1023 - k], out[k]);
	m.msg_iovlen = 1025;
	ERR(sendmsg(s[0], &m, 0), EMSGSIZE);
	close_two(s);
}

CHECK(message_errors)
{
	int s[2];
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	ERR(sendmsg(-1, &m, 0), EBADF);
	int file = OK(open("plain", O_CREAT | O_RDWR, 0600));
	ERR(sendmsg(file, &m, 0), ENOTSOCK);
	ERR(recv(file, &c, 1, 0), ENOTSOCK);
	OK(close(file));
	EFAULTS(p, sendmsg(s[0], p, 0));
	EFAULTS(p, recvmsg(s[1], p, MSG_DONTWAIT));
	EFAULTS(p, sendto(s[0], p, 1, 0, NULL, 0));
	EQ(send(s[0], "x", 1, 0), 1);
	m.msg_iov = check_unmapped();
	ERR(recvmsg(s[1], &m, 0), EFAULT);
	v.iov_base = check_unmapped();
	m.msg_iov = &v;
	ERR(recvmsg(s[1], &m, 0), EFAULT);
	v.iov_base = &c;
	m.msg_control = check_unmapped();
	m.msg_controllen = 100;
	ERR(sendmsg(s[0], &m, 0), EFAULT);
	close_two(s);
}

CHECK_MAIN
