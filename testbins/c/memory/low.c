// The lowest addresses: what vm.mmap_min_addr and CAP_SYS_RAWIO permit.
#include "../check.h"
#include <linux/capability.h>

static long page;

static unsigned long least(void)
{
	unsigned long value = 0;
	FILE *file = fopen("/proc/sys/vm/mmap_min_addr", "r");

	page = sysconf(_SC_PAGESIZE);
	if (!file || fscanf(file, "%lu", &value) != 1)
		check_na("no /proc/sys/vm/mmap_min_addr");
	fclose(file);
	if (value > 0x10000)
		check_na("mmap_min_addr is above 0x10000");
	return value;
}

static void *map_at(unsigned long at, int flags)
{
	return mmap((void *)at, page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

CHECK(fixed)
{
	unsigned long lowest = least();

	/* An arm program begins at 0x10000. */
	for (unsigned long at = 0x8000; at >= 0x1000; at /= 2) {
		volatile int *p = map_at(at, MAP_FIXED);

		if (at < lowest && p == MAP_FAILED) {
			EQ(errno, EPERM);
			continue;
		}
		EQ((long)p, at);
		p[1] = 5;
		EQ(p[1], 5);
		OK(munmap((void *)p, page));
	}
}

/* Address 0 takes a right, and only the present ones count. */
CHECK(rights)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	volatile int *volatile p; /* the compiler would trap what it knows to be null */
	void *moved;

	if (least() == 0)
		check_na("mmap_min_addr is 0");
	OK(syscall(SYS_capget, &header, data));
	p = map_at(0, MAP_FIXED);
	if (p != MAP_FAILED) {
		EQ((long)p, 0);
		p[1] = 6;
		EQ(p[1], 6);
		OK(munmap((void *)0, page));
	} else {
		EQ(errno, EPERM);
	}
	data[0].effective &= ~(1u << CAP_SYS_RAWIO);
	OK(syscall(SYS_capset, &header, data));
	ERR(map_at(0, MAP_FIXED) == MAP_FAILED ? -1 : 0, EPERM);
	ERR(map_at(0, MAP_FIXED_NOREPLACE) == MAP_FAILED ? -1 : 0, EPERM);
	moved = map_at(0, 0);
	OK((long)moved);
	ERR(mremap(moved, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0) == MAP_FAILED ? -1 : 0,
	    EPERM);
}

/* A kernel may be built with a second limit, which no file shows and only hints meet. */
CHECK(hints)
{
	unsigned long lowest = least();
	unsigned long got = (unsigned long)map_at(0x1000, 0);

	TRUE(got == 0x1000 || got >= 0x8000);
	TRUE(got >= lowest);
}

CHECK_MAIN
