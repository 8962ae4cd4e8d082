// The limits of a program's own memory: what they forbid, who inherits them.
#include "../check.h"
#include "child.h"
#include <sys/resource.h>

enum { MIB = 1 << 20 };

static char self[PATH_MAX];
static const int OF_MEMORY[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK };

static int lower(int resource, rlim_t soft)
{
	struct rlimit limit;

	EXPECT(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = soft;
	return setrlimit(resource, &limit);
}

static int can_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	munmap(p, size);
	return 1;
}

static void sets_and_reads(void)
{
	struct rlimit64 limit, before;
	struct rlimit small;

	for (int i = 0; i < 3; i++) {
		EXPECT(prlimit64(0, OF_MEMORY[i], NULL, &before) == 0);
		limit = before;
		limit.rlim_cur = 600 * MIB + i;
		EXPECT(prlimit64(getpid(), OF_MEMORY[i], &limit, &limit) == 0);
		EXPECT(limit.rlim_cur == before.rlim_cur && limit.rlim_max == before.rlim_max);
		EXPECT(getrlimit(OF_MEMORY[i], &small) == 0);
		EXPECT(small.rlim_cur == (rlim_t)600 * MIB + i);
		/* A thread's id will do, also where it is not the process's. */
		EXPECT(prlimit64(syscall(__NR_gettid), OF_MEMORY[i], NULL, &limit) == 0);
		EXPECT(limit.rlim_cur == (rlim64_t)600 * MIB + i);
		EXPECT(limit.rlim_max == before.rlim_max);
		limit.rlim_max = limit.rlim_cur - 1;
		EXPECT(prlimit64(0, OF_MEMORY[i], &limit, NULL) == -1 && errno == EINVAL);
		/* What cannot be stored was set all the same. */
		limit = before;
		limit.rlim_cur = 700 * MIB;
		EXPECT(syscall(__NR_prlimit64, 0, OF_MEMORY[i], &limit, 8) == -1);
		EXPECT(errno == EFAULT);
		EXPECT(getrlimit(OF_MEMORY[i], &small) == 0 && small.rlim_cur == 700 * MIB);
	}
}

CHECK(are_kept)
{
	EQ(child_status(sets_and_reads), 0);
}

static void raises_hard(void)
{
	struct rlimit limit = { 100 * MIB, 200 * MIB };

	/* Without CAP_SYS_RESOURCE there is no way back. */
	EXPECT(geteuid() != 0 || setuid(12345) == 0);
	for (int i = 0; i < 3; i++) {
		limit.rlim_max = 200 * MIB;
		EXPECT(setrlimit(OF_MEMORY[i], &limit) == 0);
		limit.rlim_max++;
		EXPECT(setrlimit(OF_MEMORY[i], &limit) == -1 && errno == EPERM);
	}
}

CHECK(hard_ones_bind)
{
	EQ(child_status(raises_hard), 0);
}

static void maps_too_much(void)
{
	EXPECT(can_map(1024 * MIB));
	EXPECT(lower(RLIMIT_AS, 512 * MIB) == 0);
	EXPECT(can_map(16 * MIB));
	EXPECT(!can_map(1024 * MIB) && errno == ENOMEM);
	EXPECT(lower(RLIMIT_AS, RLIM_INFINITY) == 0);
	EXPECT(can_map(1024 * MIB));
	EXPECT(lower(RLIMIT_DATA, 256 * MIB) == 0);
	EXPECT(sbrk(16 * MIB) != (void *)-1);
	EXPECT(sbrk(512 * MIB) == (void *)-1 && errno == ENOMEM);
}

CHECK(are_obeyed)
{
	EQ(child_status(maps_too_much), 0);
}

static void role_limited(void)
{
	struct rlimit limit;

	EXPECT(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == 512 * MIB);
	EXPECT(!can_map(1024 * MIB) && errno == ENOMEM);
	EXPECT(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == 32 * MIB);
}

static void executes(void)
{
	EXPECT(lower(RLIMIT_AS, 512 * MIB) == 0);
	EXPECT(lower(RLIMIT_STACK, 32 * MIB) == 0);
	/* A child has them too. */
	EXPECT(child_status(role_limited) == 0);
	execl(self, "self", "limited", NULL);
	_exit(98);
}

CHECK(outlive_fork_and_execve)
{
	EQ(child_status(executes), 0);
}

static int __attribute__((noinline)) deep(int levels)
{
	volatile char frame[MIB];

	frame[0] = levels;
	return levels == 0 ? frame[0] : deep(levels - 1) + (frame[0] != (char)levels);
}

static void role_deep(void)
{
	EXPECT(deep(24) == 0);
}

static void executes_deep(void)
{
	EXPECT(lower(RLIMIT_STACK, 32 * MIB) == 0);
	execl(self, "self", "deep", NULL);
	_exit(98);
}

CHECK(give_a_program_its_stack)
{
	EQ(child_status(executes_deep), 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0)
		self[n] = 0;
	if (argc == 2 && strcmp(argv[0], "self") == 0) {
		if (strcmp(argv[1], "limited") == 0)
			role_limited();
		else
			role_deep();
		return 0;
	}
	return check_main(argc, argv);
}
