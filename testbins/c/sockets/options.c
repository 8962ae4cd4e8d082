// getsockopt and setsockopt: SOL_SOCKET, IP, IPv6; timestamps; filters.
#include "../check.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static int get(int s, int level, int option)
{
	int value = 0x5a5a5a5a;
	socklen_t size = sizeof(value);

	if (getsockopt(s, level, option, &value, &size) < 0)
		FAIL("getsockopt(%d, %d): %s", level, option,
		     strerrorname_np(errno));
	return value;
}

static void set(int s, int level, int option, int value)
{
	if (setsockopt(s, level, option, &value, sizeof(value)) < 0)
		FAIL("setsockopt(%d, %d, %d): %s", level, option, value,
		     strerrorname_np(errno));
}

CHECK(integers)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0));
	static const int flags[] = {
		SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_OOBINLINE,
		SO_TIMESTAMP, SO_DONTROUTE, SO_BROADCAST,
	};

	for (int i = 0; i < COUNT(flags); i++) {
		EQ(get(s, SOL_SOCKET, flags[i]), 0);
		set(s, SOL_SOCKET, flags[i], 1);
		EQ(!!get(s, SOL_SOCKET, flags[i]), 1);
		set(s, SOL_SOCKET, flags[i], 0);
		EQ(get(s, SOL_SOCKET, flags[i]), 0);
	}
	EQ(get(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	EQ(get(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
	EQ(get(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	EQ(get(s, SOL_SOCKET, SO_ERROR), 0);
	EQ(get(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
	EQ(get(s, SOL_SOCKET, SO_RCVLOWAT), 1);
	set(s, SOL_SOCKET, SO_SNDBUF, 20000);
	EQ(get(s, SOL_SOCKET, SO_SNDBUF), 40000);
	set(s, SOL_SOCKET, SO_RCVBUF, 30000);
	EQ(get(s, SOL_SOCKET, SO_RCVBUF), 60000);
	set(s, SOL_SOCKET, SO_PRIORITY, 3);
	EQ(get(s, SOL_SOCKET, SO_PRIORITY), 3);
	set(s, SOL_SOCKET, SO_RCVLOWAT, 10);
	EQ(get(s, SOL_SOCKET, SO_RCVLOWAT), 10);
	set(s, SOL_SOCKET, SO_BUSY_POLL, 0);
	TRUE(get(s, SOL_SOCKET, SO_INCOMING_CPU) >= -1);
	OK(listen(s, 1));
	EQ(get(s, SOL_SOCKET, SO_ACCEPTCONN), 1);
	OK(close(s));
}

CHECK(structures)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0));
	struct linger l = { 1, 7 }, got = { 0 };
	struct timeval tv = { 5, 250000 }, back;
	socklen_t size = sizeof(got);

	OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	OK(getsockopt(s, SOL_SOCKET, SO_LINGER, &got, &size));
	EQ(got.l_onoff, 1);
	EQ(got.l_linger, 7);
	EQ(size, sizeof(got));
	static const int both[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	for (int i = 0; i < 2; i++) {
		OK(setsockopt(s, SOL_SOCKET, both[i], &tv, sizeof(tv)));
		memset(&back, 0x55, sizeof(back));
		size = sizeof(back);
		OK(getsockopt(s, SOL_SOCKET, both[i], &back, &size));
		EQ(size, sizeof(back));
		EQ(back.tv_sec, 5);
		TRUE(back.tv_usec >= 248000 && back.tv_usec <= 254000);
	}
	struct timeval wrong = { 0, 1000000 };
	ERR(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof(wrong)), EDOM);
	ERR(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv) - 1), EINVAL);
	/* The forms with 64-bit times: 66 and 67. */
	int64_t t64[2] = { 6, 500000 };
	OK(setsockopt(s, SOL_SOCKET, 66, t64, sizeof(t64)));
	size = sizeof(t64);
	OK(getsockopt(s, SOL_SOCKET, 66, t64, &size));
	EQ(size, 16);
	EQ(t64[0], 6);
	OK(close(s));
}

CHECK(values_of_other_sizes)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0));
	char name[16] = "";
	uint64_t cookie = 0;
	uint32_t memory[9];
	socklen_t size = sizeof(name);
	unsigned long rate = 1000000, got = 0;

	/* A string ... */
	OK_OR_NA(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), EPERM);
	OK(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
	EQ(size, 3);
	STREQ(name, "lo");
	OK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	ERR(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nosuch0", 8), ENODEV);
	/* ... 64 bits ... */
	size = sizeof(cookie);
	OK(getsockopt(s, SOL_SOCKET, SO_COOKIE, &cookie, &size));
	EQ(size, 8);
	TRUE(cookie != 0);
	size = 4;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ /* else the host is given room enough */
	ERR(getsockopt(s, SOL_SOCKET, SO_COOKIE, &cookie, &size), EINVAL);
#endif
	/* ... several numbers ... */
	size = sizeof(memory);
	OK(getsockopt(s, SOL_SOCKET, SO_MEMINFO, memory, &size));
	EQ(size, sizeof(memory));
	TRUE(memory[1] > 0);
	/* ... and a long. */
	OK(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)));
	size = sizeof(got);
	OK(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &got, &size));
	EQ(size, sizeof(long));
	EQ(got, 1000000);
	OK(close(s));
}

CHECK(peer_groups)
{
	int s[2];
	gid_t list[64];
	socklen_t size = sizeof(list);

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	int r = getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, list, &size);
	if (r == 0)
		EQ(size % sizeof(gid_t), 0);
	else
		TRUE(errno == ENODATA || errno == ERANGE);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(receive_timeout)
{
	int s[2];
	struct timeval tv = { 0, 20000 };
	struct timespec a, b;
	char c;

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	OK(clock_gettime(CLOCK_MONOTONIC, &a));
	ERR(read(s[0], &c, 1), EAGAIN);
	OK(clock_gettime(CLOCK_MONOTONIC, &b));
	TRUE((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >=
	     19000000);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(errors)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0)), value = 1;
	socklen_t size = sizeof(value);

	ERR(getsockopt(s, SOL_SOCKET, 9999, &value, &size), ENOPROTOOPT);
	ERR(setsockopt(s, SOL_SOCKET, 9999, &value, size), ENOPROTOOPT);
	ERR(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
	ERR(setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &value, 4), EBADF);
	ERR(getsockopt(s, 9999, 1, &value, &size), EOPNOTSUPP);
	size = -1;
	ERR(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &size), EINVAL);
	size = 2;
	value = 0x55555555;
	OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &size));
	EQ(size, 2);
	size = 100;
	OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &size));
	EQ(size, 4);
	EFAULTS(p, setsockopt(s, SOL_SOCKET, SO_REUSEADDR, p, 4));
	EFAULTS(p, getsockopt(s, SOL_SOCKET, SO_TYPE, p, &size));
	EFAULTS(p, getsockopt(s, SOL_SOCKET, SO_TYPE, &value, p));
	OK(close(s));
}

CHECK(ip)
{
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
	static const struct { int option, value; } numbers[] = {
		{ IP_TTL, 42 }, { IP_TOS, 0x10 }, { IP_RECVTTL, 1 },
		{ IP_PKTINFO, 1 }, { IP_RECVTOS, 1 }, { IP_RECVERR, 1 },
		{ IP_MULTICAST_TTL, 3 }, { IP_MULTICAST_LOOP, 0 },
		{ IP_MTU_DISCOVER, IP_PMTUDISC_DO }, { IP_FREEBIND, 1 },
	};

	for (int i = 0; i < COUNT(numbers); i++) {
		set(s, IPPROTO_IP, numbers[i].option, numbers[i].value);
		EQ(get(s, IPPROTO_IP, numbers[i].option), numbers[i].value);
	}
	struct ip_mreq m = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"),
			     .imr_interface.s_addr = inet_addr("127.0.0.1") };
	OK_OR_NA(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)),
		 ENODEV);
	OK(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
	ERR(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)),
	    EADDRNOTAVAIL);
	struct ip_mreqn n = { .imr_address.s_addr = inet_addr("127.0.0.1"),
			      .imr_ifindex = 0 };
	OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &n, sizeof(n)));
	unsigned char ttl = 9;
	OK(setsockopt(s, IPPROTO_IP, IP_TTL, &ttl, 1));
	EQ(get(s, IPPROTO_IP, IP_TTL), 9);
	OK(close(s));
}

CHECK(ipv6)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	static const struct { int option, value; } numbers[] = {
		{ IPV6_V6ONLY, 1 }, { IPV6_UNICAST_HOPS, 20 },
		{ IPV6_MULTICAST_HOPS, 5 }, { IPV6_MULTICAST_LOOP, 0 },
		{ IPV6_RECVPKTINFO, 1 }, { IPV6_RECVHOPLIMIT, 1 },
		{ IPV6_RECVTCLASS, 1 }, { IPV6_TCLASS, 0x20 },
		{ IPV6_RECVERR, 1 }, { IPV6_DONTFRAG, 1 },
	};

	if (s < 0 && errno == EAFNOSUPPORT)
		NA("no IPv6");
	OK(s);
	for (int i = 0; i < COUNT(numbers); i++) {
		set(s, IPPROTO_IPV6, numbers[i].option, numbers[i].value);
		EQ(get(s, IPPROTO_IPV6, numbers[i].option), numbers[i].value);
	}
	OK(close(s));
}

/* Receives one datagram over loopback with its ancillary data. */
static struct cmsghdr *datagram(int s, int out, struct msghdr *m)
{
	static char text[16], control[512] __attribute__((aligned(8)));
	static struct iovec v = { text, sizeof(text) };

	EQ(send(out, "x", 1, 0), 1);
	*m = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	EQ(recvmsg(s, m, 0), 1);
	return CMSG_FIRSTHDR(m);
}

static void udp_pair(int s[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);

	s[0] = OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(bind(s[0], (void *)&a, size));
	OK(getsockname(s[0], (void *)&a, &size));
	s[1] = OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(connect(s[1], (void *)&a, size));
}

CHECK(timestamps)
{
	int s[2];
	struct msghdr m;
	struct cmsghdr *h;
	/* 29, 35: with the program's own time types; 63, 64: 64-bit ones. */
	static const struct { int option; unsigned size; } kinds[] = {
		{ 29, 2 * sizeof(long) }, { 35, 2 * sizeof(long) },
		{ 63, 16 }, { 64, 16 },
	};

	udp_pair(s);
	for (int i = 0; i < COUNT(kinds); i++) {
		set(s[0], SOL_SOCKET, kinds[i].option, 1);
		h = datagram(s[0], s[1], &m);
		TRUE(h != NULL);
		EQ(h->cmsg_level, SOL_SOCKET);
		EQ(h->cmsg_type, kinds[i].option);
		EQ(h->cmsg_len, CMSG_LEN(kinds[i].size));
		long long seconds = 0;
		if (kinds[i].size == 16) {
			int64_t t;
			memcpy(&t, CMSG_DATA(h), sizeof(t));
			seconds = t;
		} else {
			long t;
			memcpy(&t, CMSG_DATA(h), sizeof(t));
			seconds = t;
		}
		TRUE(llabs(seconds - (long long)time(NULL)) <= 2);
		TRUE(CMSG_NXTHDR(&m, h) == NULL);
		set(s[0], SOL_SOCKET, kinds[i].option, 0);
	}
	struct timeval tv;
	set(s[0], SOL_SOCKET, SO_TIMESTAMP, 1);
	datagram(s[0], s[1], &m);
	set(s[0], SOL_SOCKET, SO_TIMESTAMP, 0);
	if (ioctl(s[0], SIOCGSTAMP_OLD, &tv) == 0)
		TRUE(llabs((long long)tv.tv_sec - (long long)time(NULL)) <= 2);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(software_timestamping)
{
	int s[2], flags = SOF_TIMESTAMPING_RX_SOFTWARE |
			  SOF_TIMESTAMPING_SOFTWARE;
	struct msghdr m;
	struct cmsghdr *h;
	long t[6];

	udp_pair(s);
	/* 37: SO_TIMESTAMPING_OLD */
	set(s[0], SOL_SOCKET, 37, flags);
	usleep(1000);
	h = datagram(s[0], s[1], &m);
	if (!h)
		NA("no timestamp in this packet");
	EQ(h->cmsg_type, 37);
	EQ(h->cmsg_len, CMSG_LEN(sizeof(t)));
	memcpy(t, CMSG_DATA(h), sizeof(t));
	TRUE(llabs(t[0] - (long long)time(NULL)) <= 2);
	EQ(t[2], 0);
	EQ(t[4], 0);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(ip_ancillary_data)
{
	int s[2], seen = 0;
	struct msghdr m;

	udp_pair(s);
	set(s[0], IPPROTO_IP, IP_PKTINFO, 1);
	set(s[0], IPPROTO_IP, IP_RECVTTL, 1);
	set(s[0], IPPROTO_IP, IP_RECVTOS, 1);
	set(s[1], IPPROTO_IP, IP_TTL, 33);
	for (struct cmsghdr *h = datagram(s[0], s[1], &m); h;
	     h = CMSG_NXTHDR(&m, h)) {
		EQ(h->cmsg_level, IPPROTO_IP);
		if (h->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo i;

			EQ(h->cmsg_len, CMSG_LEN(sizeof(i)));
			memcpy(&i, CMSG_DATA(h), sizeof(i));
			EQ(ntohl(i.ipi_addr.s_addr), INADDR_LOOPBACK);
			TRUE(i.ipi_ifindex > 0);
			seen |= 1;
		} else if (h->cmsg_type == IP_TTL) {
			int ttl;

			memcpy(&ttl, CMSG_DATA(h), sizeof(ttl));
			EQ(ttl, 33);
			seen |= 2;
		} else if (h->cmsg_type == IP_TOS) {
			EQ(h->cmsg_len, CMSG_LEN(1));
			seen |= 4;
		}
	}
	EQ(seen, 7);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(error_queue)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr passes sock_extended_err of big-endian guests on in the host's byte order");
	return;
#endif
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0)), bound;
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	char text[8], control[256] __attribute__((aligned(8)));
	struct iovec v = { text, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct sock_extended_err e;

	/* A port on which nobody listens any more. */
	bound = OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(bind(bound, (void *)&a, size));
	OK(getsockname(bound, (void *)&a, &size));
	OK(close(bound));
	set(s, IPPROTO_IP, IP_RECVERR, 1);
	OK(connect(s, (void *)&a, size));
	EQ(send(s, "lost", 4, 0), 4);
	EQ(recvmsg(s, &m, MSG_ERRQUEUE), 4);
	TRUE(m.msg_flags & MSG_ERRQUEUE);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	TRUE(h != NULL);
	EQ(h->cmsg_level, IPPROTO_IP);
	EQ(h->cmsg_type, IP_RECVERR);
	memcpy(&e, CMSG_DATA(h), sizeof(e));
	EQ(e.ee_errno, ECONNREFUSED);
	EQ(e.ee_origin, SO_EE_ORIGIN_ICMP);
	OK(close(s));
}

CHECK(filter)
{
	int s[2];
	char text[8];
	/* Accept what begins with 'k', drop the rest. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'k', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { COUNT(code), code };

	udp_pair(s);
	OK(setsockopt(s[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
		      sizeof(program)));
	EQ(send(s[1], "drop", 4, 0), 4);
	EQ(send(s[1], "keep", 4, 0), 4);
	EQ(recv(s[0], text, 8, 0), 4);
	MEMEQ(text, "keep", 4);
	OK(setsockopt(s[0], SOL_SOCKET, SO_DETACH_FILTER, &program, 4));
	ERR(setsockopt(s[0], SOL_SOCKET, SO_DETACH_FILTER, &program, 4), ENOENT);
	program.len = 0;
	ERR(setsockopt(s[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)), EINVAL);
	program.len = 4;
	program.filter = check_unmapped();
	ERR(setsockopt(s[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)), EFAULT);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK_MAIN
