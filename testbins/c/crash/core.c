// dies: SIGSEGV
// build: varies dynamic
// libs: -lpthread
// Four threads: one that crashes in crash_here with known values in registers and memory, one
// that computes, two that sleep in the kernel. tests/test_core_dump.py looks at the core of it.
// With an argument, a number, it raises that signal in raise_here instead; with 0 it waits there
// for one, after it has said so.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

char core_text[64] = "text of the data segment";
char *core_heap, *core_hidden, *core_shared, *core_no_access, *core_untouched;
static atomic_int ready;
static volatile uint64_t counter;

static __attribute__((noinline)) void crash_here(void)
{
#if defined(__aarch64__)
	__asm__ volatile("movz x19, #0x1919, lsl #48\n\t"
			 "mov x20, #0x10\n\t"
			 "movz x21, #0x2121\n\t"
			 "fmov d8, #1.5\n\t"
			 "fmov v9.4s, #-2.0\n\t"
			 "str x19, [x20]" ::: "x19", "x20", "x21", "v8", "v9", "memory");
#elif defined(__arm__)
	__asm__ volatile("movw r4, #0x4444\n\t"
			 "mov r5, #0x10\n\t"
			 "movw r6, #0x6666\n\t"
			 "vmov.f64 d8, #1.5\n\t"
			 "vmov.f64 d9, #-2.0\n\t"
			 "str r4, [r5]" ::: "r4", "r5", "r6", "d8", "d9", "memory");
#else
	*(volatile int *)0x10 = 1;
#endif
}

static __attribute__((noinline)) void raise_here(int number)
{
	if (number) {
		raise(number);
	} else {
		puts("ready");
		fflush(stdout);
		pause();
	}
	__asm__ volatile(""); /* no tail call */
}

static __attribute__((noinline)) void compute_here(void)
{
	ready++;
	for (;;)
		counter++;
}

static __attribute__((noinline)) void sleep_here(long which)
{
	int word = 0;

	ready++;
	for (;;)
		syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, NULL, which);
}

static void *sleeper(void *argument)
{
	sleep_here((long)argument);
	return NULL;
}

static void *computer(void *argument)
{
	(void)argument;
	compute_here();
	return NULL;
}

static void *crasher(void *argument)
{
	prctl(PR_SET_NAME, "the/crasher");
	while (ready < 3)
		usleep(1000);
	usleep(20000);
	if (argument)
		raise_here(*(int *)argument);
	else
		crash_here();
	return NULL;
}

static char *anonymous(const char *text, int share)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, share | MAP_ANONYMOUS, -1, 0);

	if (text)
		strcpy(p + 4096, text);
	return p + 4096;
}

int main(int argc, char **argv)
{
	int number = argc > 1 ? atoi(argv[1]) : 0;
	pthread_t threads[4];

	core_heap = strcpy(malloc(64), "text of the heap");
	core_hidden = anonymous("text that is not to be dumped", MAP_PRIVATE);
	madvise(core_hidden - 4096, 3 * 4096, MADV_DONTDUMP);
	core_shared = anonymous("text of shared memory", MAP_SHARED);
	core_no_access = anonymous("text behind PROT_NONE", MAP_PRIVATE);
	mprotect(core_no_access - 4096, 3 * 4096, PROT_NONE);
	core_untouched = anonymous(NULL, MAP_PRIVATE);
	mprotect(core_untouched - 4096, 3 * 4096, PROT_READ); /* a mapping of its own */
	pthread_create(&threads[0], NULL, sleeper, (void *)1);
	pthread_create(&threads[1], NULL, sleeper, (void *)2);
	pthread_create(&threads[2], NULL, computer, NULL);
	pthread_create(&threads[3], NULL, crasher, argc > 1 ? &number : NULL);
	pthread_join(threads[3], NULL);
	return 0;
}
