// AF_INET and AF_INET6 over loopback: TCP, UDP, addresses, errors.
#include "../check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <time.h>

static struct sockaddr_in local4(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_in6 local6(int port)
{
	return (struct sockaddr_in6){ .sin6_family = AF_INET6,
				      .sin6_port = htons(port),
				      .sin6_addr = IN6ADDR_LOOPBACK_INIT };
}

/* A connected pair of TCP sockets. */
static void connected(int s[2])
{
	struct sockaddr_in a = local4(0), peer;
	socklen_t size = sizeof(a);
	int l = OK(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));

	OK(bind(l, (void *)&a, sizeof(a)));
	OK(listen(l, 1));
	OK(getsockname(l, (void *)&a, &size));
	EQ(size, sizeof(a));
	TRUE(a.sin_port != 0);
	s[0] = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(connect(s[0], (void *)&a, sizeof(a)));
	size = sizeof(peer);
	s[1] = OK(accept(l, (void *)&peer, &size));
	EQ(size, sizeof(peer));
	EQ(peer.sin_family, AF_INET);
	EQ(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
	OK(close(l));
}

CHECK(tcp)
{
	int s[2], n;
	char text[16] = "";
	struct sockaddr_in a, b;
	socklen_t size = sizeof(a);

	connected(s);
	EQ(write(s[0], "hello", 5), 5);
	EQ(recv(s[1], text, 16, MSG_PEEK), 5);
	OK(ioctl(s[1], FIONREAD, &n));
	EQ(n, 5);
	EQ(read(s[1], text, 16), 5);
	STREQ(text, "hello");
	OK(getsockname(s[0], (void *)&a, &size));
	OK(getpeername(s[1], (void *)&b, &size));
	EQ(a.sin_port, b.sin_port);
	ERR(recv(s[1], text, 16, MSG_DONTWAIT), EAGAIN);
	EQ(send(s[0], "!", 1, MSG_OOB), 1);
	struct pollfd p = { s[1], POLLPRI, 0 };
	EQ(poll(&p, 1, 1000), 1);
	EQ(p.revents, POLLPRI);
	EQ(recv(s[1], text, 1, MSG_OOB), 1);
	EQ(text[0], '!');
	OK(shutdown(s[0], SHUT_WR));
	EQ(read(s[1], text, 16), 0);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(tcp_info_and_options)
{
	int s[2], value = 1;
	socklen_t size;
	struct tcp_info info;
	char name[16] = "";

	connected(s);
	size = sizeof(info);
	OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &size));
	EQ(info.tcpi_state, TCP_ESTABLISHED);
	TRUE(info.tcpi_snd_mss > 0);
	memset(&info, 0x55, sizeof(info));
	size = 1;
	OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &size));
	EQ(size, 1);
	EQ(((char *)&info)[1], 0x55);
	static const int flags[] = { TCP_NODELAY, TCP_QUICKACK };
	for (int i = 0; i < COUNT(flags); i++) {
		value = 1;
		OK(setsockopt(s[0], IPPROTO_TCP, flags[i], &value, 4));
		value = 0;
		size = 4;
		OK(getsockopt(s[0], IPPROTO_TCP, flags[i], &value, &size));
		EQ(value, 1);
	}
	static const struct { int option, value; } numbers[] = {
		{ TCP_KEEPIDLE, 100 }, { TCP_KEEPINTVL, 20 }, { TCP_KEEPCNT, 5 },
		{ TCP_SYNCNT, 3 }, { TCP_LINGER2, 10 }, { TCP_DEFER_ACCEPT, 0 },
		{ TCP_USER_TIMEOUT, 30000 }, { TCP_CORK, 1 },
	};
	for (int i = 0; i < COUNT(numbers); i++) {
		value = numbers[i].value;
		OK(setsockopt(s[0], IPPROTO_TCP, numbers[i].option, &value, 4));
		value = -1;
		size = 4;
		OK(getsockopt(s[0], IPPROTO_TCP, numbers[i].option, &value,
			      &size));
		EQ(value, numbers[i].value);
	}
	size = 4;
	OK(getsockopt(s[0], IPPROTO_TCP, TCP_MAXSEG, &value, &size));
	TRUE(value > 500);
	size = sizeof(name);
	OK(getsockopt(s[0], IPPROTO_TCP, TCP_CONGESTION, name, &size));
	TRUE(name[0] >= 'a' && name[0] <= 'z');
	ERR(setsockopt(s[0], IPPROTO_TCP, 9999, &value, 4), ENOPROTOOPT);
	ERR(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &value, 2), EINVAL);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(udp)
{
	int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), b;
	struct sockaddr_in at = local4(0), from, my;
	socklen_t size = sizeof(at);
	char text[16] = "";

	OK(bind(a, (void *)&at, sizeof(at)));
	OK(getsockname(a, (void *)&at, &size));
	b = OK(socket(AF_INET, SOCK_DGRAM, 0));
	EQ(sendto(b, "datagram", 8, 0, (void *)&at, sizeof(at)), 8);
	size = sizeof(my);
	OK(getsockname(b, (void *)&my, &size));
	size = sizeof(from);
	EQ(recvfrom(a, text, 4, MSG_TRUNC, (void *)&from, &size), 8);
	EQ(size, sizeof(from));
	EQ(from.sin_port, my.sin_port);
	MEMEQ(text, "data\0", 5);
	OK(connect(b, (void *)&at, sizeof(at)));
	EQ(send(b, "again", 5, 0), 5);
	/* Neither an address ... */
	EQ(recvfrom(a, text, 16, 0, NULL, NULL), 5);
	EQ(send(b, "short", 5, 0), 5);
	/* ... nor all of it. */
	size = 4;
	memset(&from, 0x55, sizeof(from));
	EQ(recvfrom(a, text, 16, 0, (void *)&from, &size), 5);
	EQ(size, sizeof(from));
	EQ(from.sin_port, my.sin_port);
	EQ(from.sin_addr.s_addr, 0x55555555);
	EQ(send(b, "bad", 3, 0), 3);
	ERR(recvfrom(a, text, 16, 0, (void *)&from, check_unmapped()), EFAULT);
	/* Unconnect. */
	from.sin_family = AF_UNSPEC;
	OK(connect(b, (void *)&from, sizeof(from)));
	ERR(send(b, "x", 1, 0), EDESTADDRREQ);
	OK(close(a));
	ERR(sendto(b, text, 16, 0, (void *)&at, 5), EINVAL);
	EFAULTS(p, syscall(__NR_sendto, b, "x", 1, 0,
			   (char *)p + 8 * (p == NULL), 16));
	OK(close(b));
}

CHECK(tcp6)
{
	int l = socket(AF_INET6, SOCK_STREAM, 0), c, s;
	struct sockaddr_in6 a = local6(0), peer;
	socklen_t size = sizeof(a);
	char text[8];

	if (l < 0 && errno == EAFNOSUPPORT)
		NA("no IPv6");
	OK(l);
	OK_OR_NA(bind(l, (void *)&a, sizeof(a)), EADDRNOTAVAIL);
	OK(listen(l, 1));
	OK(getsockname(l, (void *)&a, &size));
	EQ(size, sizeof(a));
	c = OK(socket(AF_INET6, SOCK_STREAM, 0));
	OK(connect(c, (void *)&a, sizeof(a)));
	size = sizeof(peer);
	s = OK(accept(l, (void *)&peer, &size));
	EQ(peer.sin6_family, AF_INET6);
	TRUE(IN6_IS_ADDR_LOOPBACK(&peer.sin6_addr));
	EQ(peer.sin6_scope_id, 0);
	EQ(write(s, "six", 3), 3);
	EQ(read(c, text, 8), 3);
	OK(close(l));
	OK(close(c));
	OK(close(s));
}

CHECK(errors)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in a = local4(0);
	socklen_t size = sizeof(a);

	ERR(socket(AF_INET, 99, 0), EINVAL);
	ERR(socket(AF_INET, SOCK_STREAM, 9999), EINVAL);
	ERR(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
	ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	OK(bind(s, (void *)&a, size));
	ERR(bind(s, (void *)&a, size), EINVAL);
	OK(getsockname(s, (void *)&a, &size));
	/* Bound but not listening. */
	int c = OK(socket(AF_INET, SOCK_STREAM, 0));
	ERR(connect(c, (void *)&a, size), ECONNREFUSED);
	ERR(getpeername(c, (void *)&a, &size), ENOTCONN);
	ERR(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	a.sin_addr.s_addr = htonl(0x08080808);
	ERR(bind(c, (void *)&a, size), EADDRNOTAVAIL);
	a.sin_family = 200;
	ERR(bind(c, (void *)&a, size), EAFNOSUPPORT);
	ERR(accept(s, NULL, NULL), EINVAL);
	ERR(listen(-1, 1), EBADF);
	ERR(listen(0x1000, 1), EBADF);
	EFAULTS(p, bind(c, p, 16));
	EFAULTS(p, connect(c, p, 16));
	EFAULTS(p, getsockname(s, p, &size));
	EFAULTS(p, getsockname(s, (void *)&a, p));
	size = -1;
	ERR(getsockname(s, (void *)&a, &size), EINVAL);
	OK(close(c));
	OK(close(s));
}

CHECK(nonblocking_connect)
{
	int l = OK(socket(AF_INET, SOCK_STREAM, 0)), c, error = -1;
	struct sockaddr_in a = local4(0);
	socklen_t size = sizeof(a);

	OK(bind(l, (void *)&a, size));
	OK(listen(l, 1));
	OK(getsockname(l, (void *)&a, &size));
	c = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	if (connect(c, (void *)&a, size) < 0)
		EQ(errno, EINPROGRESS);
	struct pollfd p = { c, POLLOUT, 0 };
	EQ(poll(&p, 1, 1000), 1);
	size = sizeof(error);
	OK(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &size));
	EQ(error, 0);
	size = sizeof(a);
	/* The call after the wait says how it ended; then it is connected. */
	connect(c, (void *)&a, size);
	ERR(connect(c, (void *)&a, size), EISCONN);
	OK(close(c));
	OK(close(l));
}

CHECK(sendmmsg_and_recvmmsg)
{
	int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), b;
	struct sockaddr_in at = local4(0), from[4];
	socklen_t size = sizeof(at);
	char out[3][8] = { "one", "two", "three" }, in[4][8];
	struct iovec ov[3], iv[4];
	struct mmsghdr m[4] = { 0 };
	struct timespec t = { 0, 20000000 };

	OK(bind(a, (void *)&at, size));
	OK(getsockname(a, (void *)&at, &size));
	b = OK(socket(AF_INET, SOCK_DGRAM, 0));
	for (int i = 0; i < 3; i++) {
		ov[i] = (struct iovec){ out[i], strlen(out[i]) };
		m[i].msg_hdr.msg_iov = &ov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &at;
		m[i].msg_hdr.msg_namelen = size;
	}
	EQ(sendmmsg(b, m, 3, 0), 3);
	EQ(m[0].msg_len, 3);
	EQ(m[2].msg_len, 5);
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 4; i++) {
		iv[i] = (struct iovec){ in[i], 8 };
		m[i].msg_hdr.msg_iov = &iv[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &from[i];
		m[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	EQ(recvmmsg(a, m, 2, 0, &t), 2);
	EQ(m[1].msg_len, 3);
	MEMEQ(in[1], "two", 3);
	EQ(m[1].msg_hdr.msg_namelen, sizeof(from[1]));
	EQ(from[1].sin_family, AF_INET);
	EQ(recvmmsg(a, m, 4, MSG_WAITFORONE, NULL), 1);
	EQ(m[0].msg_len, 5);
	MEMEQ(in[0], "three", 5);
	ERR(recvmmsg(a, m, 4, MSG_DONTWAIT, NULL), EAGAIN);
	t.tv_nsec = -1;
	ERR(recvmmsg(a, m, 4, MSG_DONTWAIT, &t), EINVAL);
	EFAULTS(p, sendmmsg(b, p, 1, 0));
#if __SIZEOF_LONG__ == 4
	int64_t t64[2] = { 0x100000000LL, 0 };
	int32_t t32[2] = { 100, 0 };

	EQ(send(a, "x", 1, 0) == -1, 1);
	EQ(sendto(b, "12", 2, 0, (void *)&at, sizeof(at)), 2);
	EQ(syscall(__NR_recvmmsg_time64, a, m, 1, 0, t64), 1);
	TRUE(t64[0] >= 0xfffffff0LL);
	EQ(sendto(b, "12", 2, 0, (void *)&at, sizeof(at)), 2);
	EQ(syscall(__NR_recvmmsg, a, m, 1, 0, t32), 1);
	TRUE(t32[0] == 99 || t32[0] == 100);
#endif
	OK(close(a));
	OK(close(b));
}

CHECK_MAIN
