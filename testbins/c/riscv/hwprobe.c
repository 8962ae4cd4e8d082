// arches: riscv64
// no-reference: qemu 7.2 has not got the call
// riscv_hwprobe(2): values, unknown keys, sets of CPUs; what it says agrees with AT_HWCAP.
#include "../check.h"
#include <sys/auxv.h>

#ifndef __NR_riscv_hwprobe
#define __NR_riscv_hwprobe 258
#endif

struct pair {
	int64_t key;
	uint64_t value;
};

/* Documentation/arch/riscv/hwprobe.rst */
enum { BASE = 3, EXTENSIONS = 4, IMA = 1, FD = 1, C = 2, V = 4, WHICH_CPUS = 1 };

static long probe(struct pair *pairs, size_t count, size_t size, void *cpus, unsigned flags)
{
	return syscall(__NR_riscv_hwprobe, pairs, count, size, cpus, flags);
}

static int has(char letter)
{
	return getauxval(AT_HWCAP) >> (letter - 'a') & 1;
}

CHECK(values)
{
	struct pair pairs[] = { { BASE, 7 }, { EXTENSIONS, 7 }, { 1000, 7 }, { -5, 7 } };

	EQ(probe(pairs, COUNT(pairs), 0, NULL, 0), 0);
	EQ(pairs[0].key, BASE);
	EQ(pairs[0].value & IMA, has('i') && has('m') && has('a'));
	EQ(pairs[1].key, EXTENSIONS);
	EQ(!!(pairs[1].value & FD), has('f') && has('d'));
	EQ(!!(pairs[1].value & C), has('c'));
	EQ(!!(pairs[1].value & V), has('v'));
	for (int i = 2; i < 4; i++) {
		EQ(pairs[i].key, -1);
		EQ(pairs[i].value, 0);
	}
}

CHECK(cpus)
{
	unsigned long set[16] = { 1 }, none[16] = { 0 };
	struct pair pair = { BASE, 0 };

	EQ(probe(&pair, 1, sizeof(set), set, 0), 0);
	EQ(pair.value, IMA);
	ERR(probe(&pair, 1, sizeof(none), none, 0), EINVAL);
	ERR(probe(&pair, 1, 0, NULL, 2), EINVAL);
	ERR(probe(NULL, 1, 0, NULL, 0), EFAULT);
	EQ(probe(NULL, 0, 0, NULL, 0), 0);
	ERR(probe(&pair, 1, 8, (void *)8, 0), EFAULT);
}

CHECK(which_cpus)
{
	unsigned long set[16] = { 1 };
	struct pair pairs[] = { { BASE, IMA }, { EXTENSIONS, 0 } };

	ERR(probe(pairs, 2, 0, NULL, WHICH_CPUS), EINVAL);
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	EQ(set[0], 1);
	pairs[1].value = 1ull << 63;
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	EQ(set[0], 0);
	/* An empty set stands for all that there are. */
	pairs[1].value = 0;
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	TRUE(set[0] & 1);
	pairs[0].key = 1000;
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	EQ(set[0], 0);
	EQ(pairs[0].key, -1);
}

CHECK_MAIN
