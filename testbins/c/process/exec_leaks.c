// What an execve must take away, keep, and not take from others: memory, locks, attributes, descriptors
// of another process; and when it must not happen.
// no-reference: qemu-user has no robust futexes (set_robust_list: ENOSYS), so nobody wakes who waits
// libs: -lpthread
#include "../check.h"
#include "child.h"
#include <pthread.h>
#include <sys/personality.h>
#include <sys/shm.h>

static char self[PATH_MAX];

/* In a child: this program as `role`, with two numbers. */
static void become(const char *role, long first, long second)
{
	char a[24], b[24];

	snprintf(a, sizeof(a), "%ld", first);
	snprintf(b, sizeof(b), "%ld", second);
	execl(self, "argv0", "--role", role, a, b, NULL);
	_exit(98);
}

static long number_of(const char *label)
{
	char line[256];
	long value = -1;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, label, strlen(label)) == 0)
			value = atol(line + strlen(label));
	if (file)
		fclose(file);
	return value;
}

/* ---- memory ---- */

#define PLACE 0x30000000L

static void fills_memory(void)
{
	int shm = shmget(IPC_PRIVATE, 8192, 0600);
	char *p = mmap((void *)PLACE, 16 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	EXPECT(p == (void *)PLACE);
	memset(p, 1, 16 << 20);
	EXPECT(shm >= 0 && shmat(shm, NULL, 0) != (void *)-1);
	memset(sbrk(1 << 20), 2, 1 << 20);
	EXPECT(mlockall(MCL_FUTURE) == 0 && mlock(p, 8192) == 0);
	EXPECT(number_of("VmLck:") >= 8);
	become("memory", PLACE, shm);
}

static void role_memory(long place, long shm)
{
	struct shmid_ds status;
	unsigned char there;

	EXPECT(mincore((void *)place, 1, &there) == -1 && errno == ENOMEM);
	EXPECT(mincore((void *)(place + (16 << 20) - 4096), 1, &there) == -1 && errno == ENOMEM);
	EXPECT(shmctl(shm, IPC_STAT, &status) == 0 && status.shm_nattch == 0);
	EXPECT(shmctl(shm, IPC_RMID, NULL) == 0);
	EXPECT(number_of("VmLck:") == 0);
	/* MCL_FUTURE was the old program's. */
	EXPECT(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED);
	EXPECT(number_of("VmLck:") == 0);
	for (char *p = sbrk(4096), *end = p + 4096; p < end; p++)
		EXPECT(*p == 0);
}

CHECK(memory)
{
	EQ(child_status(fills_memory), 0);
}

/* ---- robust mutexes ---- */

static struct shared {
	pthread_mutex_t mutex;
	volatile int locked;
} *shared;

static void locks(void)
{
	EXPECT(pthread_mutex_lock(&shared->mutex) == 0);
	shared->locked = 1;
	become("sleeps", 0, 0);
}

static void *locks_and_waits(void *argument)
{
	EXPECT(pthread_mutex_lock(&shared->mutex) == 0);
	shared->locked = 1;
	for (;;)
		pause();
	return argument;
}

static void thread_locks(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, locks_and_waits, NULL) == 0);
	while (!shared->locked)
		usleep(1000);
	become("sleeps", 0, 0);
}

static void role_sleeps(long a, long b)
{
	(void)a, (void)b;
	for (;;)
		pause();
}

static void give_up_by(void (*run)(void))
{
	pthread_mutexattr_t attributes;
	int status;
	pid_t child;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TRUE(shared != MAP_FAILED);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	EQ(pthread_mutex_init(&shared->mutex, &attributes), 0);
	child = OK(fork());
	if (child == 0) {
		run();
		_exit(97);
	}
	while (!shared->locked)
		usleep(1000);
	/* The owner executes another program, and lives. */
	EQ(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
	EQ(kill(child, 0), 0);
	EQ(waitpid(child, &status, WNOHANG), 0);
	OK(kill(child, SIGKILL));
	EQ(OK(waitpid(child, &status, 0)), child);
	EQ(status, SIGKILL);
}

CHECK(robust_mutexes)
{
	give_up_by(locks);
	give_up_by(thread_locks);
}

/* ---- attributes ---- */

static void sets_attributes(void)
{
	EXPECT(prctl(PR_SET_DUMPABLE, 0) == 0);
	EXPECT(prctl(PR_SET_KEEPCAPS, 1) == 0);
	EXPECT(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	EXPECT(prctl(PR_SET_NAME, "old name") == 0);
	EXPECT(personality(0xffffffff) >= 0);
	EXPECT(personality(ADDR_NO_RANDOMIZE) >= 0);
	EXPECT(chdir("/proc") == 0);
	become("attributes", getpid(), getppid());
}

static void role_attributes(long pid, long parent)
{
	int value = 0;
	char name[16];

	EXPECT(getpid() == pid && getppid() == parent);
	EXPECT(prctl(PR_GET_DUMPABLE) == 1);
	EXPECT(prctl(PR_GET_KEEPCAPS) == 0);
	EXPECT(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == SIGUSR2);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
	EXPECT(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "old name") != 0);
	EXPECT(personality(0xffffffff) & ADDR_NO_RANDOMIZE);
	EXPECT(strcmp(getcwd((char[PATH_MAX]){ 0 }, PATH_MAX), "/proc") == 0);
}

CHECK(attributes)
{
	EQ(child_status(sets_attributes), 0);
}

/* ---- record locks, and descriptors that are shared ---- */

static void locks_record(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = open("locked", O_RDWR | O_CREAT, 0600);

	EXPECT(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
	become("locked", fd, getpid());
}

static void role_locked(long fd, long pid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		EXPECT(fcntl(fd, F_GETLK, &lock) == 0);
		EXPECT(lock.l_type == F_WRLCK && lock.l_pid == pid);
		_exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

CHECK(record_locks_stay)
{
	EQ(child_status(locks_record), 0);
}

static int private_fd;

static int executes(void *argument)
{
	(void)argument;
	become("closed", private_fd, 0);
	return 96;
}

static void role_closed(long fd, long unused)
{
	(void)unused;
	EXPECT(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

/* CLONE_FILES ends with the execve: what it closes stays open here (fs/exec.c, unshare_files). */
CHECK(shared_descriptors)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t child;

	private_fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
	child = OK(clone(executes, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL));
	EQ(OK(waitpid(child, &status, 0)), child);
	EQ(status, 0);
	EQ(OK(fcntl(private_fd, F_GETFD)), FD_CLOEXEC);
	OK(close(private_fd));
}

/* ---- a program that somebody writes ---- */

static void copy_self(const char *to)
{
	static char data[65536];
	int in = OK(open(self, O_RDONLY)), out = OK(open(to, O_WRONLY | O_CREAT, 0700));
	ssize_t n;

	while ((n = OK(read(in, data, sizeof(data)))) > 0)
		EQ(OK(write(out, data, n)), n);
	OK(close(in));
	OK(close(out));
}

static void role_fine(long a, long b)
{
	(void)a, (void)b;
}

CHECK(text_file_busy)
{
	char *arguments[] = { "busy", "--role", "fine", "0", "0", NULL }, *none[] = { NULL };
	int fd, ends[2], told[2], status;
	pid_t child;
	char byte;

	copy_self("busy");
	fd = OK(open("busy", O_WRONLY));
	ERR(execve("busy", arguments, none), ETXTBSY);
	OK(close(fd));
	fd = OK(open("busy", O_RDWR));
	ERR(execve("busy", arguments, none), ETXTBSY);
	ERR(syscall(SYS_execveat, fd, "", arguments, none, AT_EMPTY_PATH), ETXTBSY);
	OK(close(fd));
	/* Another process has it open. */
	OK(pipe(ends));
	OK(pipe(told));
	child = OK(fork());
	if (child == 0) {
		close(ends[1]);
		fd = open("busy", O_WRONLY | O_APPEND);
		write(told[1], "", 1);
		read(ends[0], &byte, 1);
		_exit(0);
	}
	OK(close(ends[0]));
	EQ(OK(read(told[0], &byte, 1)), 1);
	ERR(execve("busy", arguments, none), ETXTBSY);
	OK(close(ends[1]));
	EQ(OK(waitpid(child, &status, 0)), child);
	child = OK(fork());
	if (child == 0) {
		execve("busy", arguments, none);
		_exit(1);
	}
	EQ(OK(waitpid(child, &status, 0)), child);
	EQ(status, 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0)
		self[n] = 0;
	if (argc == 5 && strcmp(argv[1], "--role") == 0) {
		static const struct {
			const char *name;
			void (*run)(long, long);
		} roles[] = {
			{ "memory", role_memory }, { "sleeps", role_sleeps },
			{ "attributes", role_attributes }, { "locked", role_locked },
			{ "closed", role_closed }, { "fine", role_fine },
		};
		for (int i = 0; i < COUNT(roles); i++)
			if (strcmp(roles[i].name, argv[2]) == 0)
				return roles[i].run(atol(argv[3]), atol(argv[4])), 0;
		return 94;
	}
	return check_main(argc, argv);
}
