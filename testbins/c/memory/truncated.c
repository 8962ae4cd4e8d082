// Pages of a mapped file that lie beyond its end, because it was cut off after they had been used:
// SIGBUS with BUS_ADRERR, whose handler can give the file its length back.
// libs: -lpthread
#include "../check.h"
#include "../isa.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { PAGE = 4096, PAGES = 4 };

static int file;
static volatile int faults, last_code;
static void *volatile last_address;

static void mend(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	faults++;
	last_code = info->si_code;
	last_address = info->si_addr;
	ftruncate(file, PAGES * PAGE);
}

static void catch_with(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	faults = 0;
	OK(sigaction(SIGBUS, &action, NULL));
}

static unsigned char *mapped(int flags)
{
	unsigned char *p;

	file = OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	OK(ftruncate(file, PAGES * PAGE));
	p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, file, 0);
	TRUE(p != MAP_FAILED);
	return p;
}

/* Reads and writes that stay what they are whatever the compiler knows. */
static __attribute__((noinline)) unsigned get(const unsigned char *p)
{
	return *(const volatile unsigned char *)p;
}

static __attribute__((noinline)) void put(unsigned char *p, unsigned value)
{
	*(volatile unsigned char *)p = value;
}

CHECK(a_read_is_mended)
{
	unsigned char *p = mapped(MAP_SHARED);

	catch_with(mend);
	for (int i = 0; i < 100; i++) {
		put(p + 2 * PAGE + 7, 42);
		EQ(get(p + 2 * PAGE + 7), 42);
		EQ(get(p + 7), 0);
		OK(ftruncate(file, PAGE + 1));
		EQ(get(p + PAGE + 9), 0);
		EQ(faults, i);
		EQ(get(p + 2 * PAGE + 7), 0);
		EQ(faults, i + 1);
		EQ(last_code, BUS_ADRERR);
		EQ((uintptr_t)last_address, ISA_FAULT_ADDRESS(p + 2 * PAGE + 7));
	}
}

CHECK(a_write_is_mended)
{
	unsigned char *p = mapped(MAP_SHARED), byte;

	catch_with(mend);
	for (int i = 0; i < 100; i++) {
		put(p + 3 * PAGE, 1);
		OK(ftruncate(file, PAGE));
		put(p + 3 * PAGE, 77);
		EQ(faults, i + 1);
		EQ(last_code, BUS_ADRERR);
		TRUE(last_address == p + 3 * PAGE);
		EQ(OK(pread(file, &byte, 1, 3 * PAGE)), 1);
		EQ(byte, 77);
	}
}

CHECK(private_mappings_too)
{
	unsigned char *p = mapped(MAP_PRIVATE);

	catch_with(mend);
	EQ(get(p + PAGE), 0);
	OK(truncate("file", 0));
	EQ(get(p + PAGE), 0);
	EQ(faults, 1);
	/* A copy of its own goes with the file's page as well (truncate_pagecache). */
	put(p + 2 * PAGE, 5);
	OK(close(OK(open("file", O_WRONLY | O_TRUNC))));
	EQ(get(p + 2 * PAGE), 0);
	EQ(faults, 2);
}

/* Accesses that are wider than a byte, or that cross into the missing page. */
CHECK(wide_accesses)
{
	unsigned char *p = mapped(MAP_SHARED);
	static unsigned char copy[64];
	uint64_t word;

	catch_with(mend);
	for (int i = 0; i < 20; i++) {
		memset(p, 3, PAGES * PAGE);
		memcpy(copy, p + PAGE + 64, 64);
		OK(ftruncate(file, PAGE));
		memcpy(copy, p + PAGE + 64, 64);
		__asm__ volatile("" ::: "memory");
		EQ(faults, 2 * i + 1);
		EQ(copy[0], 0);
		memset(p, 3, PAGES * PAGE);
		memcpy(&word, p + PAGE - 3, 8);
		OK(ftruncate(file, PAGE));
		memcpy(&word, p + PAGE - 3, 8);
		__asm__ volatile("" : "+m"(word)::"memory");
		EQ(faults, 2 * i + 2);
		EQ(word, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0x030303 :
								     0x030303ull << 40);
	}
}

CHECK(atomic_accesses)
{
	unsigned char *p = mapped(MAP_SHARED);
	int *word = (int *)(p + 2 * PAGE);

	catch_with(mend);
	for (int i = 0; i < 20; i++) {
		EQ(__atomic_fetch_add(word, 5, __ATOMIC_SEQ_CST), 0);
		OK(ftruncate(file, PAGE));
		EQ(__atomic_fetch_add(word, 5, __ATOMIC_SEQ_CST), 0);
		EQ(faults, i + 1);
		EQ(*(volatile int *)word, 5);
		OK(ftruncate(file, PAGE));
		OK(ftruncate(file, PAGES * PAGE));
	}
}

/* Accesses of all kinds, some beginning on the page before. */
enum { BYTE, STORE, CROSSING, CROSSING_STORE, ATOMIC, BLOCK, KINDS };

static __attribute__((noinline)) void touch(int kind, unsigned char *page)
{
	unsigned char copy[64];
	uint64_t word;

	switch (kind) {
	case BYTE:
		get(page);
		break;
	case STORE:
		put(page, 1);
		break;
	case CROSSING:
		memcpy(&word, page - 3, 8);
		__asm__ volatile("" ::"r"(word));
		break;
	case CROSSING_STORE:
		word = 0;
		__asm__ volatile("" : "+r"(word));
		memcpy(page - 3, &word, 8);
		break;
	case ATOMIC:
		__atomic_fetch_add((int *)page, 1, __ATOMIC_SEQ_CST);
		break;
	case BLOCK:
		memcpy(copy, page, 64);
		__asm__ volatile("" ::"r"(copy) : "memory");
		break;
	}
	__asm__ volatile("" ::: "memory");
}

/* Another process cuts the file off while this one computes on it, without a call in between. */
CHECK(another_process_truncates)
{
	unsigned char *p = mapped(MAP_SHARED);
	volatile unsigned long count = 0;
	pid_t child;
	int status;

	catch_with(mend);
	for (int kind = 0; kind < KINDS; kind++) {
		faults = 0;
		touch(kind, p + 2 * PAGE);
		child = OK(fork());
		if (child == 0) {
			usleep(30000);
			ftruncate(file, PAGE);
			_exit(0);
		}
		while (faults == 0) {
			touch(kind, p + 2 * PAGE);
			count++;
		}
		EQ(faults, 1);
		EQ(last_code, BUS_ADRERR);
		/* A block is several accesses, and so is a crossing one on some CPUs. */
		if (kind == BYTE || kind == STORE || kind == ATOMIC)
			TRUE(last_address == p + 2 * PAGE);
		touch(kind, p + 2 * PAGE);
		EQ(faults, 1);
		EQ(OK(waitpid(child, &status, 0)), child);
		EQ(status, 0);
	}
	TRUE(count > 0);
}

static unsigned char *guarded;

static void unguard(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	faults++;
	last_code = info->si_code;
	last_address = info->si_addr;
	mprotect(guarded, PAGE, PROT_READ | PROT_WRITE);
}

static void *guard(void *argument)
{
	usleep(30000);
	mprotect(argument, PAGE, PROT_NONE);
	return NULL;
}

/* Likewise a thread that takes the page's rights away. */
CHECK(another_thread_protects)
{
	struct sigaction action = { .sa_sigaction = unguard, .sa_flags = SA_SIGINFO };
	unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	TRUE(p != MAP_FAILED);
	guarded = p + PAGE;
	OK(sigaction(SIGSEGV, &action, NULL));
	for (int i = 0; i < 3 * KINDS; i++) {
		faults = 0;
		EQ(pthread_create(&thread, NULL, guard, guarded), 0);
		while (faults == 0)
			touch(i % KINDS, guarded);
		EQ(faults, 1);
		EQ(last_code, SEGV_ACCERR);
		EQ(pthread_join(thread, NULL), 0);
	}
}

static sigjmp_buf out;

static void jump_out(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	faults++;
	last_code = info->si_code;
	last_address = info->si_addr;
	siglongjmp(out, 1);
}

CHECK(registers_are_those_of_the_instruction)
{
	unsigned char *p = mapped(MAP_SHARED);
	volatile unsigned before = 0, after = 0;

	catch_with(jump_out);
	for (int i = 0; i < 20; i++) {
		OK(ftruncate(file, PAGES * PAGE));
		get(p + 3 * PAGE);
		OK(ftruncate(file, 0));
		if (!sigsetjmp(out, 1)) {
			before++;
			get(p + 3 * PAGE + i);
			after++;
		}
		EQ((uintptr_t)last_address, ISA_FAULT_ADDRESS(p + 3 * PAGE + i));
	}
	EQ(before, 20);
	EQ(after, 0);
	EQ(faults, 20);
}

CHECK_MAIN
