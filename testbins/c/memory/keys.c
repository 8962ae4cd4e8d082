// Memory protection keys and shadow stacks, which no processor here has; pages that are moved between nodes.
// build: varies
#include "../check.h"

#include <sys/wait.h>

#ifndef __NR_map_shadow_stack
#ifdef __NR_Linux
#define __NR_map_shadow_stack (__NR_Linux + 453)
#else
#define __NR_map_shadow_stack 453
#endif
#endif

#define MPOL_MF_MOVE 2

/* Where the kernel has keys at all (CONFIG_ARCH_HAS_PKEYS). */
#if defined(__aarch64__) || defined(__x86_64__) || defined(__i386__)
CHECK(no_keys)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int key = syscall(__NR_pkey_alloc, 0, 0);

	if (key != -1)
		NA("the processor has them");
	if (errno == ENOSYS)
		NA("the kernel was built without");
	ERR(syscall(__NR_pkey_alloc, 0, 0), ENOSPC);
	ERR(syscall(__NR_pkey_alloc, 0, 3), ENOSPC);
	ERR(syscall(__NR_pkey_alloc, 0, 64), EINVAL);
	ERR(syscall(__NR_pkey_alloc, 1, 0), EINVAL);
	ERR(syscall(__NR_pkey_free, 1), EINVAL);
	ERR(syscall(__NR_pkey_free, -1), EINVAL);
	ERR(syscall(__NR_pkey_mprotect, p, page, PROT_READ | PROT_WRITE, 1), EINVAL);
	OK(syscall(__NR_pkey_mprotect, p, page, PROT_READ | PROT_WRITE, -1));
	*p = 1;
	OK(syscall(__NR_pkey_mprotect, p, page, PROT_READ, -1));
	ERR(syscall(__NR_read, -1, p, 1), EBADF);
	ERR(syscall(__NR_getcwd, p, page), EFAULT);
	ERR(syscall(__NR_pkey_mprotect, p + 1, page, PROT_READ, -1), EINVAL);
}
#endif

CHECK(no_shadow_stacks)
{
	OK_OR_NA(-(syscall(__NR_map_shadow_stack, NULL, 4096, 0) == -1 && errno == ENOSYS), ENOSYS);
	ERR(syscall(__NR_map_shadow_stack, NULL, 4096, 0), EOPNOTSUPP);
}

CHECK(where_pages_are)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[4] = { p, p + page, p + 2 * page, check_unmapped() };
	int status[4] = { 99, 99, 99, 99 }, nodes[4] = { 0, 0, 0, 0 };

	p[0] = p[2 * page] = 1;
	OK_OR_NA(syscall(__NR_move_pages, 0, 4, pages, NULL, status, 0), ENOSYS);
	EQ(status[0], 0);
	EQ(status[1], -ENOENT);
	EQ(status[2], 0);
	EQ(status[3], -EFAULT);
	/* To where they are. */
	status[0] = status[2] = 99;
	OK(syscall(__NR_move_pages, getpid(), 3, pages, nodes, status, MPOL_MF_MOVE));
	EQ(status[0], 0);
	EQ(status[2], 0);
	EQ(p[0], 1);
	OK(syscall(__NR_move_pages, 0, 0, NULL, NULL, NULL, 0));
	ERR(syscall(__NR_move_pages, 0, 1, pages, NULL, status, 1), EINVAL);
	ERR(syscall(__NR_move_pages, 0x3fffffff, 1, pages, NULL, status, 0), ESRCH);
	ERR(syscall(__NR_move_pages, 0, 1, check_unmapped(), NULL, status, 0), EFAULT);
	ERR(syscall(__NR_move_pages, 0, 1, pages, NULL, check_unmapped(), 0), EFAULT);
	nodes[0] = 1000;
	ERR(syscall(__NR_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
}

CHECK_MAIN
