// modify_ldt(2): descriptors of a process's own, in segment registers, across threads, signals, forks and execve.
// arches: x86_64 i386
// libs: -lpthread
// no-reference: qemu-user has modify_ldt with 32 bits only, and its threads have the old segments
#include "check.h"

#include <asm/ldt.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ 0
#define WRITE_OLD 1
#define READ_DEFAULT 2
#define WRITE 0x11
#define SELECTOR(n) ((n) << 3 | 7)

/* The call gives an int: with 64 bits errors are positive numbers to a C library. */
static int modify(int func, void *ptr, unsigned long size)
{
	int result = syscall(SYS_modify_ldt, func, ptr, size);

#ifdef __i386__
	if (result == -1)
		result = -errno;
#endif
	return result;
}

/* Segments begin where 32 bits reach. */
static int *words;
__attribute__((constructor)) static void make_words(void)
{
	words = mmap((void *)0x10000000, 0x10000, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	for (int n = 0; n < 0x4000; n++)
		words[n] = n;
}

static struct user_desc data(unsigned entry, int *at)
{
	return (struct user_desc){
		.entry_number = entry, .base_addr = (uintptr_t)at, .limit = 0xfffff,
		.seg_32bit = 1, .limit_in_pages = 1, .useable = 1,
	};
}

static int set(struct user_desc desc)
{
	return modify(WRITE, &desc, sizeof(desc));
}

static int clear(unsigned entry)
{
	return set((struct user_desc){
		.entry_number = entry, .read_exec_only = 1, .seg_not_present = 1 });
}

/* %fs is free with 32 bits, %gs with 64. */
#ifdef __i386__
#define SEG "%%fs"
#else
#define SEG "%%gs"
#endif
static void load(unsigned selector)
{
	__asm__ volatile("mov %0, " SEG : : "r"(selector));
}

static unsigned loaded(void)
{
	unsigned selector;

	__asm__ volatile("mov " SEG ", %0" : "=r"(selector));
	return selector & 0xffff;
}

static int at(long offset)
{
	int found;

	__asm__ volatile("movl " SEG ":(%1), %0" : "=r"(found) : "r"(offset) : "memory");
	return found;
}

CHECK(descriptors)
{
	unsigned long long table[4], all[8192];

	EQ(modify(READ, table, sizeof(table)), 0);
	EQ(set(data(2, words + 100)), 0);
	memset(table, 0xff, sizeof(table));
	EQ(modify(READ, table, sizeof(table)), sizeof(table));
	EQ(table[0], 0);
	EQ(table[1], 0);
	/* Base 0x10000190, 4 GiB, of a user's level, accessed. */
	EQ(table[2], 0x10dff3000190ffff);
	EQ(table[3], 0);
	EQ(modify(READ, table, 17), 17);
	EQ(modify(READ, all, sizeof(all) + 8), sizeof(all));
	EQ(all[2], table[2]);
	EQ(all[8191], 0);
	/* As before Linux 2.2: the bit for the system's use is left out. */
	struct user_desc desc = data(3, words);

	EQ(modify(WRITE_OLD, &desc, sizeof(desc)), 0);
	EQ(modify(READ, table, sizeof(table)), sizeof(table));
	EQ(table[3], 0x10cff3000000ffff);
	desc.base_addr = desc.limit = 0;
	EQ(modify(WRITE_OLD, &desc, sizeof(desc)), 0);
	EQ(modify(READ, table, sizeof(table)), sizeof(table));
	EQ(table[3], 0);
	/* All zeros are a byte at 0, with 16 bits. */
	EQ(set((struct user_desc){ .entry_number = 3 }), 0);
	EQ(modify(READ, table, sizeof(table)), sizeof(table));
	EQ(table[3], 0x0000f30000000000);
	EQ(clear(3), 0);
	EQ(modify(READ, table, sizeof(table)), sizeof(table));
	EQ(table[3], 0);
	memset(table, 0xff, sizeof(table));
	EQ(modify(READ_DEFAULT, table, sizeof(table)), sizeof(table));
	EQ(table[2], 0);
	int size = modify(READ_DEFAULT, all, sizeof(all));

	/* Of a kernel with 32 bits, or with 64. */
	TRUE(size == 128 || (sizeof(long) == 4 && size == 40));
}

CHECK(errors)
{
	struct user_desc desc = data(8192, words);

	EQ(modify(WRITE, &desc, sizeof(desc)), -EINVAL);
	desc.entry_number = 5;
	EQ(modify(WRITE, &desc, sizeof(desc) - 1), -EINVAL);
	EQ(modify(WRITE, (void *)8, sizeof(desc)), -EFAULT);
	EQ(modify(READ, (void *)8, 8), -EFAULT);
	EQ(modify(3, &desc, sizeof(desc)), -ENOSYS);
	/* Code that any level may call. */
	desc.contents = 3;
	EQ(modify(WRITE, &desc, sizeof(desc)), -EINVAL);
	EQ(modify(WRITE_OLD, &desc, sizeof(desc)), -EINVAL);
	desc.seg_not_present = 1;
	EQ(modify(WRITE, &desc, sizeof(desc)), 0);
	EQ(modify(WRITE_OLD, &desc, sizeof(desc)), -EINVAL);
	EQ(clear(5), 0);
}

static sigjmp_buf back;
static volatile int caught;
static void catch(int number)
{
	caught = number;
	siglongjmp(back, 1);
}

static int loads(unsigned selector)
{
	caught = 0;
	if (sigsetjmp(back, 1) == 0)
		load(selector);
	return caught == 0;
}

CHECK(segments)
{
	OK(signal(SIGSEGV, catch) == SIG_ERR ? -1 : 0);
	EQ(set(data(7, words + 100)), 0);
	TRUE(loads(SELECTOR(7)));
	EQ(loaded(), SELECTOR(7));
	EQ(at(0), 100);
	EQ(at(8), 102);
	/* A change is seen through what is loaded, behind the call. */
	EQ(set(data(7, words + 200)), 0);
	load(SELECTOR(7));
	EQ(at(4), 201);
	TRUE(!loads(SELECTOR(8)));
	TRUE(!loads(SELECTOR(8191)));
	struct user_desc absent = data(9, words);

	absent.seg_not_present = 1;
	EQ(set(absent), 0);
	caught = 0;
	if (sigsetjmp(back, 1) == 0) {
		signal(SIGBUS, catch);
		load(SELECTOR(9));
	}
	TRUE(caught == SIGSEGV || caught == SIGBUS);
	load(0);
	EQ(clear(7), 0);
	TRUE(!loads(SELECTOR(7)));
	EQ(loaded(), 0);
}

static volatile int in_handler;
static void look(int number)
{
	in_handler = number;
	/* Into other registers than the program's. */
	load(SELECTOR(11));
	in_handler = at(0);
}

CHECK(signals)
{
	EQ(set(data(10, words + 10)), 0);
	EQ(set(data(11, words + 11)), 0);
	OK(signal(SIGUSR1, look) == SIG_ERR ? -1 : 0);
	load(SELECTOR(10));
	OK(raise(SIGUSR1));
	EQ(in_handler, 11);
#ifdef __i386__
	/* The frame has the selectors of data. */
	EQ(loaded(), SELECTOR(10));
	EQ(at(0), 10);
#endif
	load(0);
}

static void *other(void *ready)
{
	int found;

	load(SELECTOR(20));
	found = at(0);
	pthread_barrier_wait(ready);
	pthread_barrier_wait(ready);
	load(SELECTOR(20));
	return (void *)(long)(found * 1000 + at(0));
}

CHECK(threads)
{
	pthread_barrier_t ready;
	pthread_t thread;
	void *result;

	EQ(set(data(20, words + 1)), 0);
	pthread_barrier_init(&ready, NULL, 2);
	EQ(pthread_create(&thread, NULL, other, &ready), 0);
	pthread_barrier_wait(&ready);
	EQ(set(data(20, words + 2)), 0);
	pthread_barrier_wait(&ready);
	EQ(pthread_join(thread, &result), 0);
	EQ((long)result, 1002);
}

/* A thread that makes no calls: what it loads behind another one's call is the new descriptor. */
static volatile int order, answer;
static void *loops(void *unused)
{
	int last = 0;

	while (last != -1) {
		int now = order;

		if (now == last || now == -1) {
			last = now == -1 ? -1 : last;
			continue;
		}
		load(SELECTOR(21));
		answer = at(0);
		__asm__ volatile("" ::: "memory");
		last = now;
		order = 0;
		last = 0;
	}
	return unused;
}

CHECK(at_once)
{
	pthread_t thread;
	int wrong = 0;

	EQ(set(data(21, words)), 0);
	EQ(pthread_create(&thread, NULL, loops, NULL), 0);
	for (int n = 1; n <= 200; n++) {
		struct user_desc desc = data(21, words + n);

		wrong += modify(WRITE, &desc, sizeof(desc)) != 0;
		order = n;
		while (order)
			;
		wrong += answer != n;
	}
	order = -1;
	EQ(pthread_join(thread, NULL), 0);
	EQ(wrong, 0);
}

CHECK(children)
{
	int status;

	EQ(set(data(30, words + 30)), 0);
	load(SELECTOR(30));
	pid_t pid = OK(fork());

	if (pid == 0) {
		int good = loaded() == SELECTOR(30) && at(0) == 30;

		/* The child's own from now on. */
		good &= set(data(30, words + 31)) == 0;
		load(SELECTOR(30));
		_exit(good && at(0) == 31 ? 0 : 1);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	load(SELECTOR(30));
	EQ(at(0), 30);
	load(0);
	/* execve leaves none: the program finds none at its start (`descriptors`). */
	OK(pid = fork());
	if (pid == 0) {
		execl("/proc/self/exe", "ldt", "-again", NULL);
		_exit(99);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
}

#ifdef __i386__
/* Code in a segment of its own: f(n) = n + 1, and getpid(2), with 32 bits. */
static const unsigned char code[] = {
	0x8d, 0x41, 0x01,		/* lea 1(%ecx), %eax */
	0xcb,				/* lret */
	0xb8, 20, 0, 0, 0,		/* mov $SYS_getpid, %eax */
	0xcd, 0x80,			/* int $0x80 */
	0xcb,
};

static long far(unsigned selector, unsigned offset, long argument)
{
	struct {
		unsigned offset;
		unsigned short selector;
	} __attribute__((packed)) to = { offset, selector };
	long result;

	__asm__ volatile("lcall *%1" : "=a"(result) : "m"(to), "c"(argument) : "memory");
	return result;
}

CHECK(code_segments)
{
	char *page = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct user_desc desc = {
		.entry_number = 40, .limit = 0xfffff, .seg_32bit = 1, .contents = 2,
		.limit_in_pages = 1,
	};

	memcpy(page, code, sizeof(code));
	EQ(set(desc), 0);
	EQ(far(SELECTOR(40), (uintptr_t)page, 41), 42);
	EQ(far(SELECTOR(40), (uintptr_t)page + 4, 0), getpid());
}
#endif

int main(int argc, char **argv)
{
	unsigned long long table[4];

	if (argc > 1 && strcmp(argv[1], "-again") == 0)
		return modify(READ, table, sizeof(table));
	return check_main(argc, argv);
}
