// Ancillary data of IP sockets in both directions, multicast groups, UDP segments.
#include "../check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

static char text[4096], control[512] __attribute__((aligned(8)));
static struct iovec v = { text, sizeof(text) };

static struct msghdr message(void)
{
	v = (struct iovec){ text, sizeof(text) };
	return (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control) };
}

static void on(int s, int level, int option)
{
	int one = 1;

	OK(setsockopt(s, level, option, &one, sizeof(one)));
}

static const void *find(struct msghdr *m, int level, int type, unsigned size)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
		if (h->cmsg_level == level && h->cmsg_type == type) {
			EQ(h->cmsg_len, CMSG_LEN(size));
			return CMSG_DATA(h);
		}
	FAIL("no message of level %d, type %d", level, type);
}

CHECK(sending_with_ip_options)
{
	int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), ttl = 17, got;
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	struct msghdr m = message();
	struct in_pktinfo info = { .ipi_ifindex = if_nametoindex("lo") };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	OK(bind(a, (void *)&at, size));
	OK(getsockname(a, (void *)&at, &size));
	on(a, IPPROTO_IP, IP_RECVTTL);
	on(a, IPPROTO_IP, IP_PKTINFO);
	memset(control, 0, sizeof(control));
	h->cmsg_level = IPPROTO_IP;
	h->cmsg_type = IP_TTL;
	h->cmsg_len = CMSG_LEN(sizeof(ttl));
	memcpy(CMSG_DATA(h), &ttl, sizeof(ttl));
	h = CMSG_NXTHDR(&m, h);
	h->cmsg_level = IPPROTO_IP;
	h->cmsg_type = IP_PKTINFO;
	h->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(h), &info, sizeof(info));
	m.msg_controllen = CMSG_SPACE(sizeof(ttl)) + CMSG_SPACE(sizeof(info));
	m.msg_name = &at;
	m.msg_namelen = size;
	v.iov_len = 3;
	EQ(sendmsg(a, &m, 0), 3);
	m = message();
	EQ(recvmsg(a, &m, 0), 3);
	memcpy(&got, find(&m, IPPROTO_IP, IP_TTL, sizeof(int)), sizeof(got));
	EQ(got, 17);
	memcpy(&info, find(&m, IPPROTO_IP, IP_PKTINFO, sizeof(info)),
	       sizeof(info));
	EQ(info.ipi_ifindex, if_nametoindex("lo"));
	OK(close(a));
}

CHECK(ipv6)
{
	int a = socket(AF_INET6, SOCK_DGRAM, 0), hops = 9, got;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t size = sizeof(at);
	struct msghdr m = message();
	struct in6_pktinfo info;
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	if (a < 0 && errno == EAFNOSUPPORT)
		NA("no IPv6");
	OK(a);
	OK_OR_NA(bind(a, (void *)&at, size), EADDRNOTAVAIL);
	OK(getsockname(a, (void *)&at, &size));
	on(a, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
	on(a, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	memset(control, 0, sizeof(control));
	h->cmsg_level = IPPROTO_IPV6;
	h->cmsg_type = IPV6_HOPLIMIT;
	h->cmsg_len = CMSG_LEN(sizeof(hops));
	memcpy(CMSG_DATA(h), &hops, sizeof(hops));
	m.msg_controllen = CMSG_SPACE(sizeof(hops));
	m.msg_name = &at;
	m.msg_namelen = size;
	v.iov_len = 2;
	EQ(sendmsg(a, &m, 0), 2);
	m = message();
	EQ(recvmsg(a, &m, 0), 2);
	memcpy(&got, find(&m, IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int)),
	       sizeof(got));
	EQ(got, 9);
	memcpy(&info, find(&m, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)),
	       sizeof(info));
	TRUE(IN6_IS_ADDR_LOOPBACK(&info.ipi6_addr));
	EQ(info.ipi6_ifindex, if_nametoindex("lo"));
	OK(close(a));
}

CHECK(multicast_groups)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr passes group_req of big-endian guests on in the host's byte order");
	return;
#endif
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in group = { .sin_family = AF_INET,
				     .sin_addr.s_addr = inet_addr("239.9.8.7") };
	struct sockaddr_in source = { .sin_family = AF_INET,
				      .sin_addr.s_addr = inet_addr("127.0.0.9") };
	/* The address in it is aligned to a pointer: 4 bytes or 8 behind. */
	struct group_req r = { .gr_interface = if_nametoindex("lo") };
	struct group_source_req sr = { .gsr_interface = r.gr_interface };

	memcpy(&r.gr_group, &group, sizeof(group));
	OK(setsockopt(s, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof(r)));
	ERR(setsockopt(s, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof(r)),
	    EADDRINUSE);
	OK(setsockopt(s, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, sizeof(r)));
	ERR(setsockopt(s, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, sizeof(r)),
	    EADDRNOTAVAIL);
	memcpy(&sr.gsr_group, &group, sizeof(group));
	memcpy(&sr.gsr_source, &source, sizeof(source));
	OK(setsockopt(s, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &sr, sizeof(sr)));
	OK(setsockopt(s, IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, &sr, sizeof(sr)));
	ERR(setsockopt(s, IPPROTO_IP, MCAST_JOIN_GROUP, &r, 10), EINVAL);
	OK(close(s));
}

CHECK(ipv6_multicast)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	struct ipv6_mreq m = { .ipv6mr_interface = if_nametoindex("lo") };

	if (s < 0 && errno == EAFNOSUPPORT)
		NA("no IPv6");
	OK(s);
	inet_pton(AF_INET6, "ff02::1234", &m.ipv6mr_multiaddr);
	OK_OR_NA(setsockopt(s, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)),
		 ENODEV);
	OK(setsockopt(s, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)));
	OK(close(s));
}

CHECK(udp_segments)
{
	int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), size = 100;
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);

	OK(bind(a, (void *)&at, length));
	OK(getsockname(a, (void *)&at, &length));
	OK_OR_NA(setsockopt(a, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)),
		 ENOPROTOOPT);
	EQ(sendto(a, text, 250, 0, (void *)&at, length), 250);
	EQ(recv(a, text, sizeof(text), 0), 100);
	EQ(recv(a, text, sizeof(text), 0), 100);
	EQ(recv(a, text, sizeof(text), 0), 50);
	OK(close(a));
}

CHECK(truncated_control)
{
	int a = OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	struct msghdr m;

	OK(bind(a, (void *)&at, size));
	OK(getsockname(a, (void *)&at, &size));
	on(a, IPPROTO_IP, IP_PKTINFO);
	/* Not even room for a header. */
	EQ(sendto(a, "1", 1, 0, (void *)&at, size), 1);
	m = message();
	m.msg_controllen = 4;
	memset(control, 0x55, sizeof(control));
	EQ(recvmsg(a, &m, 0), 1);
	EQ(m.msg_flags, MSG_CTRUNC);
	EQ(m.msg_controllen, 0);
	EQ(control[0], 0x55);
	/* A part of the data. */
	EQ(sendto(a, "1", 1, 0, (void *)&at, size), 1);
	m = message();
	m.msg_controllen = CMSG_LEN(5);
	memset(control, 0x55, sizeof(control));
	EQ(recvmsg(a, &m, 0), 1);
	EQ(m.msg_flags, MSG_CTRUNC);
	EQ(m.msg_controllen, CMSG_LEN(5));
	EQ(((struct cmsghdr *)control)->cmsg_len, CMSG_LEN(5));
	EQ(control[CMSG_LEN(5)], 0x55);
	/* No control buffer at all. */
	EQ(sendto(a, "1", 1, 0, (void *)&at, size), 1);
	m = message();
	m.msg_control = NULL;
	m.msg_controllen = 0;
	EQ(recvmsg(a, &m, 0), 1);
	EQ(m.msg_flags, MSG_CTRUNC);
	OK(close(a));
}

CHECK(sending_wrong_control)
{
	int s[2];
	struct msghdr m = message();
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	memset(control, 0, sizeof(control));
	h->cmsg_len = CMSG_LEN(4);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = 9999;
	m.msg_controllen = CMSG_SPACE(4);
	v.iov_len = 1;
	ERR(sendmsg(s[0], &m, 0), EINVAL);
	/* Of another level: not looked at. */
	h->cmsg_level = 9999;
	EQ(sendmsg(s[0], &m, 0), 1);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = m.msg_controllen + 1;
	ERR(sendmsg(s[0], &m, 0), EINVAL);
#if __SIZEOF_LONG__ == 8
	m.msg_controllen = INT_MAX;
	ERR(sendmsg(s[0], &m, 0), ENOBUFS);
#endif
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK_MAIN
