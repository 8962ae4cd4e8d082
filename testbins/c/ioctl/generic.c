// ioctls of any descriptor, of network interfaces, files, blocks, random.
#include "../check.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/random.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

CHECK(any_descriptor)
{
	int p[2], on = 1, n = -1;

	OK(pipe(p));
	OK(ioctl(p[0], FIONBIO, &on));
	TRUE(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	on = 0;
	OK(ioctl(p[0], FIONBIO, &on));
	TRUE(!(fcntl(p[0], F_GETFL) & O_NONBLOCK));
	OK(ioctl(p[0], FIOCLEX));
	EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	OK(ioctl(p[0], FIONCLEX));
	EQ(fcntl(p[0], F_GETFD), 0);
	EQ(write(p[1], "12345", 5), 5);
	OK(ioctl(p[0], FIONREAD, &n));
	EQ(n, 5);
	EFAULTS(q, ioctl(p[0], FIONREAD, q));
	EFAULTS(q, ioctl(p[0], FIONBIO, q));
	ERR(ioctl(p[0], 0x12345678, &n), ENOTTY);
	ERR(ioctl(-1, FIONREAD, &n), EBADF);
	OK(close(p[0]));
	OK(close(p[1]));
	int file = OK(open("seven", O_CREAT | O_RDWR, 0600));
	EQ(write(file, "seven77", 7), 7);
	EQ(lseek(file, 3, SEEK_SET), 3);
	OK(ioctl(file, FIONREAD, &n));
	EQ(n, 4);
	OK(close(file));
}

CHECK(interfaces)
{
	int s = OK(socket(AF_INET, SOCK_DGRAM, 0)), found = 0;
	struct ifreq list[64], r;
	struct ifconf c = { .ifc_len = 0 };

	OK(ioctl(s, SIOCGIFCONF, &c));
	TRUE(c.ifc_len >= (int)sizeof(struct ifreq));
	EQ(c.ifc_len % sizeof(struct ifreq), 0);
	int needed = c.ifc_len;
	c.ifc_len = sizeof(list);
	c.ifc_req = list;
	OK(ioctl(s, SIOCGIFCONF, &c));
	if (needed <= (int)sizeof(list))
		EQ(c.ifc_len, needed);
	for (unsigned i = 0; i < c.ifc_len / sizeof(struct ifreq); i++) {
		struct sockaddr_in *a = (void *)&list[i].ifr_addr;

		EQ(a->sin_family, AF_INET);
		if (strcmp(list[i].ifr_name, "lo") == 0) {
			EQ(ntohl(a->sin_addr.s_addr), INADDR_LOOPBACK);
			found++;
		}
	}
	TRUE(found >= 1);
	/* Room for one and a half gets one. */
	c.ifc_len = sizeof(struct ifreq) * 3 / 2;
	memset(&list[1], 0x77, sizeof(list[1]));
	OK(ioctl(s, SIOCGIFCONF, &c));
	EQ(c.ifc_len, sizeof(struct ifreq));
	EQ(list[1].ifr_name[0], 0x77);

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, "lo");
	OK(ioctl(s, SIOCGIFINDEX, &r));
	int index = r.ifr_ifindex;
	TRUE(index > 0);
	memset(&r, 0, sizeof(r));
	r.ifr_ifindex = index;
	OK(ioctl(s, SIOCGIFNAME, &r));
	STREQ(r.ifr_name, "lo");
	OK(ioctl(s, SIOCGIFFLAGS, &r));
	TRUE(r.ifr_flags & IFF_LOOPBACK);
	TRUE(r.ifr_flags & IFF_UP);
	OK(ioctl(s, SIOCGIFADDR, &r));
	EQ(ntohl(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr),
	   INADDR_LOOPBACK);
	OK(ioctl(s, SIOCGIFNETMASK, &r));
	EQ(ntohl(((struct sockaddr_in *)&r.ifr_netmask)->sin_addr.s_addr),
	   0xff000000);
	OK(ioctl(s, SIOCGIFMTU, &r));
	TRUE(r.ifr_mtu >= 68);
	OK(ioctl(s, SIOCGIFHWADDR, &r));
	EQ(r.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	OK(ioctl(s, SIOCGIFTXQLEN, &r));
	OK(ioctl(s, SIOCGIFMETRIC, &r));
	struct ifmap zero = { 0 };
	OK(ioctl(s, SIOCGIFMAP, &r));
	EQ(r.ifr_map.irq, zero.irq);
	strcpy(r.ifr_name, "nosuch0");
	ERR(ioctl(s, SIOCGIFINDEX, &r), ENODEV);
	ERR(ioctl(s, SIOCGIFADDR, &r), ENODEV);
	EFAULTS(p, ioctl(s, SIOCGIFCONF, p));
	EFAULTS(p, ioctl(s, SIOCGIFINDEX, p));
	OK(close(s));
}

CHECK(interface_names)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("the C library asks by netlink, which qusr has not for big-endian guests");
	return;
#endif
	char name[IF_NAMESIZE];
	struct if_nameindex *list = if_nameindex();

	TRUE(list != NULL);
	for (int i = 0; list[i].if_index; i++) {
		TRUE(if_indextoname(list[i].if_index, name) != NULL);
		STREQ(name, list[i].if_name);
	}
	if_freenameindex(list);
}

CHECK(socket_queues_and_marks)
{
	int s[2], n = -1;

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EQ(write(s[0], "123", 3), 3);
	OK(ioctl(s[1], FIONREAD, &n));
	EQ(n, 3);
	OK(ioctl(s[0], TIOCOUTQ, &n));
	TRUE(n > 0);
	n = getpid();
	OK(ioctl(s[0], FIOSETOWN, &n));
	n = 0;
	OK(ioctl(s[0], FIOGETOWN, &n));
	EQ(n, getpid());
	OK(ioctl(s[0], SIOCGPGRP, &n));
	EQ(n, getpid());
	n = 1;
	OK(ioctl(s[0], FIOASYNC, &n));
	TRUE(fcntl(s[0], F_GETFL) & O_ASYNC);
	OK(close(s[0]));
	OK(close(s[1]));
}

CHECK(random)
{
	int fd = OK(open("/dev/urandom", O_RDONLY)), bits = -1;
	char a[16], b[16];

	OK(ioctl(fd, RNDGETENTCNT, &bits));
	TRUE(bits >= 0 && bits <= 4096);
	EFAULTS(p, ioctl(fd, RNDGETENTCNT, p));
	EQ(read(fd, a, 16), 16);
	EQ(read(fd, b, 16), 16);
	TRUE(memcmp(a, b, 16) != 0);
	if (geteuid() != 0)
		ERR(ioctl(fd, RNDADDTOENTCNT, &bits), EPERM);
	OK(close(fd));
}

CHECK(file_flags)
{
	int fd = OK(open("flags", O_CREAT | O_RDWR, 0600)), flags = -1, was;
	struct fsxattr x;

	OK_OR_NA(ioctl(fd, FS_IOC_GETFLAGS, &flags), ENOTTY);
	was = flags;
	flags |= FS_NODUMP_FL;
	OK_OR_NA(ioctl(fd, FS_IOC_SETFLAGS, &flags), EOPNOTSUPP);
	flags = 0;
	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	EQ(flags, was | FS_NODUMP_FL);
	OK_OR_NA(ioctl(fd, FS_IOC_FSGETXATTR, &x), ENOTTY);
	TRUE(x.fsx_xflags & FS_XFLAG_NODUMP);
	EFAULTS(p, ioctl(fd, FS_IOC_GETFLAGS, p));
	OK(close(fd));
}

CHECK(extents)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no FIEMAP for big-endian guests: its array grows with what the kernel finds");
	return;
#endif
	int fd = OK(open("extents", O_CREAT | O_RDWR, 0600));
	static char block[65536];
	struct {
		struct fiemap map;
		struct fiemap_extent extent[8];
	} m;

	memset(block, 'x', sizeof(block));
	EQ(write(fd, block, sizeof(block)), sizeof(block));
	memset(&m, 0, sizeof(m));
	m.map.fm_length = ~0ULL;
	m.map.fm_flags = FIEMAP_FLAG_SYNC;
	m.map.fm_extent_count = 8;
	OK_OR_NA(ioctl(fd, FS_IOC_FIEMAP, &m), EOPNOTSUPP);
	TRUE(m.map.fm_mapped_extents >= 1 && m.map.fm_mapped_extents <= 8);
	EQ(m.extent[0].fe_logical, 0);
	int last = m.map.fm_mapped_extents - 1;
	EQ(m.extent[last].fe_logical + m.extent[last].fe_length, 65536);
	TRUE(m.extent[last].fe_flags & FIEMAP_EXTENT_LAST);
	m.map.fm_extent_count = 0;
	m.map.fm_mapped_extents = 0;
	OK(ioctl(fd, FS_IOC_FIEMAP, &m));
	EQ(m.map.fm_mapped_extents, last + 1);
	EFAULTS(p, ioctl(fd, FS_IOC_FIEMAP, p));
	OK(close(fd));
}

CHECK(clones)
{
	int a = OK(open("a", O_CREAT | O_RDWR, 0600));
	int b = OK(open("b", O_CREAT | O_RDWR, 0600)), p[2];
	char text[8] = "";

	EQ(write(a, "cloned", 6), 6);
	if (ioctl(b, FICLONE, a) == 0) {
		EQ(pread(b, text, 8, 0), 6);
		STREQ(text, "cloned");
	} else {
		TRUE(errno == EOPNOTSUPP || errno == EINVAL);
	}
	OK(pipe(p));
	/* Which one depends on whether the mount or the kind is looked at first. */
	TRUE(ioctl(b, FICLONE, p[0]) == -1 && (errno == EINVAL || errno == EXDEV));
	ERR(ioctl(b, FICLONE, -1), EBADF);
	struct file_clone_range r = { a, 0, 4096, 0 };
	if (ioctl(b, FICLONERANGE, &r) < 0)
		TRUE(errno == EOPNOTSUPP || errno == EINVAL);
	EFAULTS(q, ioctl(b, FICLONERANGE, q));
	OK(close(a));
	OK(close(b));
}

CHECK(trim_needs_privilege_or_support)
{
	int fd = OK(open(".", O_RDONLY));
	/* Nothing is long enough to be trimmed. */
	struct fstrim_range r = { 0, 4096, 1ULL << 60 };

	if (ioctl(fd, FITRIM, &r) < 0)
		TRUE(errno == EPERM || errno == EOPNOTSUPP || errno == ENOTTY ||
		     errno == EINVAL);
	else
		EQ(r.len, 0);
	OK(close(fd));
}

CHECK(loop_device)
{
	int control = open("/dev/loop-control", O_RDWR), number, loop, file;
	char path[32];
	struct loop_info64 info = { 0 };
	struct loop_info old;
	uint64_t bytes = 0;
	unsigned long sectors = 0;
	int size = 0, ro = -1;
	unsigned int block = 0;

	if (control < 0)
		NA("no /dev/loop-control: %s", strerror(errno));
	file = OK(open("image", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	OK(ftruncate64(file, 0x140000000LL));
	number = OK_OR_NA(ioctl(control, LOOP_CTL_GET_FREE), EPERM);
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	loop = open(path, O_RDWR);
	if (loop < 0)
		NA("%s: %s", path, strerror(errno));
	ERR(ioctl(loop, LOOP_GET_STATUS64, &info), ENXIO);
	if (ioctl(loop, LOOP_SET_FD, file) < 0)
		NA("LOOP_SET_FD: %s", strerror(errno));
	strcpy((char *)info.lo_file_name, "check image");
	info.lo_offset = 0x100000000ULL;
	int set = ioctl(loop, LOOP_SET_STATUS64, &info);
	memset(&info, 0x55, sizeof(info));
	int got = ioctl(loop, LOOP_GET_STATUS64, &info);
	int got_old = ioctl(loop, LOOP_GET_STATUS, &old);
	int old_error = errno;
	int a = ioctl(loop, BLKGETSIZE64, &bytes);
	int b = ioctl(loop, BLKGETSIZE, &sectors);
	int c = ioctl(loop, BLKSSZGET, &size);
	int d = ioctl(loop, BLKBSZGET, &block);
	int e = ioctl(loop, BLKROGET, &ro);
	int f = ioctl(loop, BLKFLSBUF, 0);
	/* Given back before anything is judged. */
	OK(ioctl(loop, LOOP_CLR_FD, 0));
	OK(set);
	OK(got);
	STREQ((char *)info.lo_file_name, "check image");
	EQ(info.lo_offset, 0x100000000ULL);
	EQ(info.lo_number, number);
	/* The old structure has an int for the offset. */
	EQ(got_old, -1);
	EQ(old_error, EOVERFLOW);
	OK(a);
	EQ(bytes, 0x40000000);
	OK(b);
	EQ(sectors, 0x40000000 / 512);
	OK(c);
	TRUE(size == 512 || size == 4096);
	OK(d);
	TRUE(block >= 512);
	OK(e);
	EQ(ro, 0);
	OK(f);
	OK(close(loop));
	OK(close(file));
	OK(close(control));
}

CHECK(block_ioctls_of_a_file)
{
	int fd = OK(open("plain", O_CREAT | O_RDWR, 0600)), size;
	uint64_t bytes;

	OK(ioctl(fd, FIGETBSZ, &size));
	TRUE(size >= 512);
	ERR(ioctl(fd, BLKGETSIZE64, &bytes), ENOTTY);
	ERR(ioctl(fd, BLKSSZGET, &size), ENOTTY);
	OK(close(fd));
}

CHECK_MAIN
