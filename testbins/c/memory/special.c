// Mappings of a special kind: growing ones, rearranged files, named memory.
#include "../check.h"
#include "../isa.h"
#include <signal.h>
#include <sys/prctl.h>
#include "probe.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static long page;

CHECK(growsdown)
{
	size_t room = 1024 * 4096;
	char *p, *q;

	page = sysconf(_SC_PAGESIZE);
	/* Find free room, then map only its last page. */
	p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)p);
	OK(munmap(p, room));
	q = mmap(p + room - page, page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	TRUE(q == p + room - page);
	q[-8 * page] = 5;
	EQ(q[-8 * page], 5);
	EQ(q[-4 * page], 0);
	q[-100 * page] = 6;
	EQ(q[-8 * page], 5);
	TRUE(writable(q - 100 * page));
	/* Pages between are there, too. */
	OK(msync(q - 100 * page, 101 * page, MS_ASYNC));
	OK(munmap(q - 100 * page, 101 * page));
	ERR(mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) ==
	    MAP_FAILED ? -1 : 0, EINVAL);
}

CHECK(remap_file_pages)
{
	int fd = OK(open("pages", O_CREAT | O_RDWR, 0600));
	char *p;

	page = sysconf(_SC_PAGESIZE);
	OK(ftruncate(fd, 4 * page));
	p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	OK((long)p);
	OK(close(fd));
	for (int i = 0; i < 4; i++)
		p[i * page] = 1 + i;
	for (int i = 0; i < 4; i++)
		OK_OR_NA(remap_file_pages(p + i * page, page, 0, 3 - i, 0), ENOSYS);
	for (int i = 0; i < 4; i++)
		EQ(p[i * page], 4 - i);
	p[0] = 40;
	OK(remap_file_pages(p, 4 * page, 0, 0, 0));
	EQ(p[3 * page], 40);
	EQ(p[0], 1);
	ERR(remap_file_pages(p, page, PROT_READ, 0, 0), EINVAL);
	OK(munmap(p, 4 * page));
}

static int maps_have(const char *name, void *at)
{
	char line[4096], start[32];
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	snprintf(start, sizeof(start), "%08lx-", (unsigned long)at);
	while (fgets(line, sizeof(line), maps))
		if (!strncmp(line, start, strlen(start)) && strstr(line, name))
			found = 1;
	fclose(maps);
	return found;
}

CHECK(named_memory)
{
	char *p;

	page = sysconf(_SC_PAGESIZE);
	p = mmap(NULL, 3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)p);
	OK_OR_NA(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p + page, page, "qusr test"), EINVAL);
	TRUE(maps_have("[anon:qusr test]", p + page));
	ERR(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, page, "no [brackets]"), EINVAL);
	ERR(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, page, (char *)8), EFAULT);
	ERR(prctl(PR_SET_VMA, 1, p, page, "x"), EINVAL);
	OK(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p + page, page, NULL));
	TRUE(!maps_have("[anon:", p + page));
	OK(munmap(p, 3 * page));
}

static sigjmp_buf back;
static void *fault_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_at = info->si_addr;
	siglongjmp(back, sig);
}

/* Memory that is there no more faults, for the program's own loads and stores. */
CHECK(faults)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	int fd = OK(open("short", O_CREAT | O_RDWR, 0600)), sig;
	volatile char *p;

	page = sysconf(_SC_PAGESIZE);
	OK(sigaction(SIGSEGV, &action, NULL));
	OK(sigaction(SIGBUS, &action, NULL));
	OK(ftruncate(fd, 2 * page));
	p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	OK((long)p);
	p[page] = 1;
	OK(ftruncate(fd, page));
	sig = sigsetjmp(back, 1);
	if (!sig)
		p[page] = 2;
	EQ(sig, SIGBUS);
	TRUE(fault_at == p + page);
	p[0] = 1;
	OK(mprotect((void *)p, page, PROT_READ));
	sig = sigsetjmp(back, 1);
	if (!sig)
		p[0] = 2;
	EQ(sig, SIGSEGV);
	TRUE(fault_at == p);
	EQ(p[0], 1);
	OK(munmap((void *)p, 2 * page));
	sig = sigsetjmp(back, 1);
	if (!sig)
		p[8] = 2;
	EQ(sig, SIGSEGV);
	EQ((uintptr_t)fault_at, ISA_FAULT_ADDRESS(p + 8));
}

CHECK_MAIN
