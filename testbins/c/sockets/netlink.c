// Netlink, packet and algorithm sockets.
#include "../check.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_alg.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <ifaddrs.h>
#include <netinet/in.h>

static char buffer[65536] __attribute__((aligned(8)));

typedef void visitor(struct nlmsghdr *h);

static void dump(int type, int family, visitor *visit)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} request = { { sizeof(request), type, NLM_F_REQUEST | NLM_F_DUMP, 77,
			0 }, { family } };
	int s = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
	int done = 0;

	EQ(send(s, &request, sizeof(request), 0), sizeof(request));
	while (!done) {
		unsigned n = OK(recv(s, buffer, sizeof(buffer), 0));

		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, n);
		     h = NLMSG_NEXT(h, n)) {
			EQ(h->nlmsg_seq, 77);
			if (h->nlmsg_type == NLMSG_DONE) {
				done = 1;
				break;
			}
			if (h->nlmsg_type == NLMSG_ERROR)
				FAIL("got an error message: %d",
				     ((struct nlmsgerr *)NLMSG_DATA(h))->error);
			visit(h);
		}
	}
	OK(close(s));
}

static int loopback;

static void see_link(struct nlmsghdr *h)
{
	struct ifinfomsg *i = NLMSG_DATA(h);
	int left = IFLA_PAYLOAD(h), named = 0, stats = 0;

	EQ(h->nlmsg_type, RTM_NEWLINK);
	for (struct rtattr *a = IFLA_RTA(i); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME) {
			char name[IFNAMSIZ];

			TRUE(if_indextoname(i->ifi_index, name) != NULL);
			STREQ((char *)RTA_DATA(a), name);
			named++;
			if (strcmp(name, "lo") == 0) {
				loopback = i->ifi_index;
				TRUE(i->ifi_flags & IFF_LOOPBACK);
				EQ(i->ifi_type, 772);
			}
		} else if (a->rta_type == IFLA_STATS64) {
			TRUE(RTA_PAYLOAD(a) >= 23 * 8);
			stats++;
		} else if (a->rta_type == IFLA_MTU) {
			uint32_t mtu;

			memcpy(&mtu, RTA_DATA(a), 4);
			TRUE(mtu >= 68);
		}
	}
	EQ(left, 0);
	EQ(named, 1);
	EQ(stats, 1);
}

CHECK(links)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	dump(RTM_GETLINK, AF_UNSPEC, see_link);
	TRUE(loopback > 0);
	EQ(loopback, if_nametoindex("lo"));
}

static int found_address;

static void see_address(struct nlmsghdr *h)
{
	struct ifaddrmsg *m = NLMSG_DATA(h);
	int left = IFA_PAYLOAD(h);

	EQ(h->nlmsg_type, RTM_NEWADDR);
	EQ(m->ifa_family, AF_INET);
	for (struct rtattr *a = IFA_RTA(m); RTA_OK(a, left);
	     a = RTA_NEXT(a, left))
		if (a->rta_type == IFA_LOCAL) {
			uint32_t address;

			memcpy(&address, RTA_DATA(a), 4);
			if (ntohl(address) == INADDR_LOOPBACK) {
				EQ(m->ifa_prefixlen, 8);
				found_address++;
			}
		}
	EQ(left, 0);
}

CHECK(addresses)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	dump(RTM_GETADDR, AF_INET, see_address);
	EQ(found_address, 1);
}

static int routes;

static void see_route(struct nlmsghdr *h)
{
	struct rtmsg *m = NLMSG_DATA(h);
	int left = RTM_PAYLOAD(h);

	EQ(h->nlmsg_type, RTM_NEWROUTE);
	EQ(m->rtm_family, AF_INET);
	for (struct rtattr *a = RTM_RTA(m); RTA_OK(a, left);
	     a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_OIF)
			EQ(RTA_PAYLOAD(a), 4);
	EQ(left, 0);
	routes++;
}

CHECK(routes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	dump(RTM_GETROUTE, AF_INET, see_route);
	TRUE(routes > 0);
}

CHECK(getifaddrs)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	struct ifaddrs *list, *i;
	int seen = 0;

	OK(getifaddrs(&list));
	for (i = list; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in *a = (void *)i->ifa_addr;

			seen |= ntohl(a->sin_addr.s_addr) == INADDR_LOOPBACK;
		}
	freeifaddrs(list);
	TRUE(seen);
}

CHECK(errors)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} request = { { sizeof(request), RTM_GETLINK, NLM_F_REQUEST, 5, 0 },
		      { .ifi_index = 0x7ffffff } };
	int s = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	struct nlmsghdr *h = (void *)buffer;
	struct nlmsgerr *e = NLMSG_DATA(h);

	EQ(send(s, &request, sizeof(request), 0), sizeof(request));
	TRUE(recv(s, buffer, sizeof(buffer), 0) > 0);
	EQ(h->nlmsg_type, NLMSG_ERROR);
	EQ(h->nlmsg_seq, 5);
	EQ(e->error, -ENODEV);
	EQ(e->msg.nlmsg_type, RTM_GETLINK);
	EQ(e->msg.nlmsg_len, sizeof(request));
	ERR(socket(AF_NETLINK, SOCK_RAW, 300), EPROTONOSUPPORT);
	OK(close(s));
}

CHECK(names)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	int s = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	struct sockaddr_nl a = { .nl_family = AF_NETLINK }, got;
	socklen_t size = sizeof(got);

	OK(bind(s, (void *)&a, sizeof(a)));
	OK(getsockname(s, (void *)&got, &size));
	EQ(size, sizeof(got));
	EQ(got.nl_family, AF_NETLINK);
	TRUE(got.nl_pid != 0);
	EQ(got.nl_groups, 0);
	OK(close(s));
	s = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	a.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR;
	OK(bind(s, (void *)&a, sizeof(a)));
	OK(getsockname(s, (void *)&got, &size));
	EQ(got.nl_groups, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
	int on = 1;
	OK(setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &on, 4));
	OK(setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &on, 4));
	int group = RTNLGRP_NEIGH;
	OK(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4));
	OK(setsockopt(s, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, 4));
	OK(close(s));
}

CHECK(uevents)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no netlink for big-endian guests: messages would be in the host's byte order");
	return;
#endif
	int s = OK_OR_NA(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK,
				NETLINK_KOBJECT_UEVENT), EPROTONOSUPPORT);
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 128 << 10;

	OK_OR_NA(bind(s, (void *)&a, sizeof(a)), EPERM);
	OK(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, 4));
	OK(close(s));
}

CHECK(packet)
{
	int s = OK_OR_NA(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK,
				htons(ETH_P_IP)), EPERM), u;
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = if_nametoindex("lo") }, from;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(from);
	int n;

	OK(bind(s, (void *)&a, sizeof(a)));
	u = OK(socket(AF_INET, SOCK_DGRAM, 0));
	EQ(sendto(u, "sniffed", 7, 0, (void *)&to, sizeof(to)), 7);
	do {
		size = sizeof(from);
		n = OK(recvfrom(s, buffer, sizeof(buffer), 0, (void *)&from,
				&size));
	} while (n != 35 || memcmp(buffer + 28, "sniffed", 7) != 0);
	EQ(from.sll_family, AF_PACKET);
	EQ(from.sll_ifindex, a.sll_ifindex);
	EQ(from.sll_protocol, htons(ETH_P_IP));
	EQ(from.sll_hatype, 772);
	EQ(from.sll_halen, 6);
	EQ(buffer[0], 0x45);
	OK(close(u));
	OK(close(s));
}

CHECK(alg_hash)
{
	int s = OK_OR_NA(socket(AF_ALG, SOCK_SEQPACKET, 0), EAFNOSUPPORT), op;
	struct sockaddr_alg a = { .salg_family = AF_ALG, .salg_type = "hash",
				  .salg_name = "sha1" };
	unsigned char digest[20];

	OK_OR_NA(bind(s, (void *)&a, sizeof(a)), ENOENT);
	op = OK(accept(s, NULL, 0));
	EQ(write(op, "abc", 3), 3);
	EQ(read(op, digest, 20), 20);
	/* FIPS 180-2, appendix A.1 */
	MEMEQ(digest, "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50"
		      "\xc2\x6c\x9c\xd0\xd8\x9d", 20);
	OK(close(op));
	OK(close(s));
}

CHECK_MAIN
