// Children with a copy of the memory that fork(2) cannot make (another exit signal, namespaces, shared descriptors), beside
// threads that are in the midst of system calls: no child finds a lock held by a thread that it does not have.
// no-reference: qemu-user has no such children
// libs: -lpthread
#include "../check.h"
#include "../isa.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

enum { THREADS = 3, CLONES = 30 };
static volatile int stop;

static void *calls(void *argument)
{
	char name[200];

	while (!stop) {
		snprintf(name, sizeof name, "/proc/self/fd/%d/../../nowhere", rand() % 10);
		close(open(name, O_RDONLY));
		(void)!readlink("/proc/self/exe", name, sizeof name);
		munmap(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8192);
	}
	return argument;
}

static int child(void)
{
	char name[200];

	for (int i = 0; i < 5; i++) {
		close(open("/proc/self/stat", O_RDONLY));
		if (access("/nowhere", F_OK) == 0 ||
		    readlink("/proc/self/exe", name, sizeof name) <= 0)
			return 1;
	}
	return 0;
}

CHECK(no_lock_is_inherited)
{
	const long flags[] = { 0, SIGUSR1, CLONE_FILES | SIGCHLD, CLONE_FS | SIGCHLD, CLONE_IO };
	pthread_t threads[THREADS];
	int status;

	alarm(100);
	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < THREADS; i++)
		EQ(pthread_create(&threads[i], NULL, calls, NULL), 0);
	for (int i = 0; i < CLONES; i++) {
		/* Without a stack of its own the child goes on here, whatever the C library thinks. */
		long pid = syscall(SYS_clone, CLONE_ARGS(flags[i % 5], 0), NULL, NULL, NULL);

		if (pid == 0)
			_exit(child());
		OK(pid);
		EQ(waitpid(pid, &status, __WALL), pid);
		EQ(status, 0);
	}
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		EQ(pthread_join(threads[i], NULL), 0);
}

CHECK_MAIN
