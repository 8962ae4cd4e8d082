// Thousands of programs are started beside eight threads that write: no update is lost, and a large
// reservation costs nothing.
// build: slow native-core
// no-reference: hours
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>

extern char **environ;

/* A thousand where a start takes Unicorn 30 ms: ten thousand took more than ten minutes with m68k. */
#if defined(__aarch64__) || defined(__arm__) || defined(__riscv) || defined(__mips__)
enum { SPAWNS = 10000 };
#else
enum { SPAWNS = 1000 };
#endif
enum { WRITERS = 8, PAGES = 64 };
static atomic_int stop, lost;

static void __attribute__((constructor)) role(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "role:status") == 0)
		_exit(21);
	(void)argv;
}

static void *writes(void *arg)
{
	volatile long *words = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long n = 1; !stop; n++) {
		for (int i = 0; i < PAGES; i++) {
			volatile long *word = &words[i * 512];

			if (*word != n - 1)
				lost++;
			*word = n;
		}
		if (n % 64 == 0)
			usleep(1000);
	}
	return arg;
}

CHECK(ten_thousand_spawns_lose_nothing)
{
	char *const argv[] = { "spawn_stress", "role:status", NULL };
	pthread_t threads[WRITERS];
	int status;
	pid_t pid;

	for (int i = 0; i < WRITERS; i++)
		EQ(pthread_create(&threads[i], NULL, writes, NULL), 0);
	for (int i = 0; i < SPAWNS; i++) {
		EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
		EQ(waitpid(pid, &status, 0), pid);
		EQ(status, 21 << 8);
	}
	stop = 1;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	EQ(lost, 0);
}

CHECK_MAIN
