// What the kernel keeps of a process, as its files of /proc have it: calls, limits, filters, memory policy.
// libs: -lpthread
#include "../check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static char text[1 << 16];
static char **own_argv;

static void slurp(const char *path)
{
	int fd = OK(open(path, O_RDONLY)), n, size = 0;

	while ((n = OK(read(fd, text + size, sizeof(text) - 1 - size))) > 0)
		size += n;
	text[size] = 0;
	OK(close(fd));
}

static long number(const char *name)
{
	char *at = strstr(text, name);

	return at ? strtol(at + strlen(name), NULL, 0) : -1;
}

/* --- filters --- */

static int install(void)
{
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, all };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void *other_thread(void *ready)
{
	char path[64];
	long *result = ready;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)result[0]);
	slurp(path);
	result[1] = number("\nSeccomp:");
	result[2] = number("\nSeccomp_filters:");
	slurp("/proc/thread-self/status");
	result[3] = number("\nSeccomp_filters:");
	return NULL;
}

CHECK(filters)
{
	int status;

	slurp("/proc/self/status");
	long before = number("\nSeccomp_filters:");

	EQ(number("\nNoNewPrivs:"), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	fflush(stdout);
	pid_t child = OK(fork());
	if (child == 0) {
		OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		slurp("/proc/self/status");
		EQ(number("\nNoNewPrivs:"), 1);
		EQ(number("\nSeccomp_filters:"), before);
		OK(install());
		OK(install());
		slurp("/proc/self/status");
		EQ(number("\nSeccomp:"), 2);
		EQ(number("\nSeccomp_filters:"), before + 2);
		/* Another thread has those that there were when it was made, and sees ours. */
		pthread_t thread;
		long result[4] = { gettid() };
		OK(install());
		EQ(pthread_create(&thread, NULL, other_thread, result), 0);
		EQ(pthread_join(thread, NULL), 0);
		EQ(result[1], 2);
		EQ(result[2], before + 3);
		EQ(result[3], before + 3);
		_exit(0);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
	slurp("/proc/self/status");
	EQ(number("\nSeccomp_filters:"), before);
}

/* --- limits --- */

static void limit_line(const char *name, unsigned long long soft, unsigned long long hard)
{
	char want[80], *at = strstr(text, name);

	TRUE(at != NULL);
	snprintf(want, sizeof(want), "%-25s %-20llu %-20llu bytes", name, soft, hard);
	EQ(strncmp(at, want, strlen(want)), 0);
}

CHECK(limits)
{
	static const struct { int limit; const char *name; } all[] = {
		{ RLIMIT_DATA, "Max data size" }, { RLIMIT_AS, "Max address space" },
		{ RLIMIT_STACK, "Max stack size" }, { RLIMIT_FSIZE, "Max file size" },
	};
	int status;

	fflush(stdout);
	pid_t child = OK(fork());
	if (child == 0) {
		for (int i = 0; i < COUNT(all); i++) {
			struct rlimit limit = { 700 << 20, 800 << 20 };

			OK(setrlimit(all[i].limit, &limit));
			slurp("/proc/self/limits");
			limit_line(all[i].name, 700 << 20, 800 << 20);
		}
		_exit(0);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
}

/* --- calls --- */

static int pipes[2];
static volatile pid_t reader;
static char byte;

static void *reads(void *unused)
{
	(void)unused;
	reader = gettid();
	/* Its number, arguments, sp and pc are this call's. */
	syscall(SYS_read, pipes[0], &byte, 1);
	return NULL;
}

CHECK(calls)
{
	pthread_t thread;
	char path[64];
	unsigned long long word[9];
	int nr, local;

	OK(pipe(pipes));
	EQ(pthread_create(&thread, NULL, reads, NULL), 0);
	while (!reader)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", reader);
	/* It sleeps in there sooner or later. */
	do
		slurp(path);
	while (sscanf(text, "%d 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx", &nr, word,
		      word + 1, word + 2, word + 3, word + 4, word + 5, word + 6, word + 7) != 9 ||
	       nr != SYS_read);
	EQ(word[0], pipes[0]);
	EQ(word[1], (uintptr_t)&byte);
	EQ(word[2], 1);
	/* A stack of its own, not this one; code that is there. */
	TRUE(word[6] != (uintptr_t)&local);
	snprintf(path, sizeof(path), "%lx", (unsigned long)word[6]);
	unsigned long start, end;
	char prot[5];
	int stack = 0, code = 0;
	slurp("/proc/self/maps");
	for (char *l = text; *l; l = strchr(l, '\n') + 1) {
		EQ(sscanf(l, "%lx-%lx %4s", &start, &end, prot), 3);
		stack |= start <= word[6] && word[6] < end && prot[1] == 'w';
		code |= start <= word[7] && word[7] < end && prot[2] == 'x';
	}
	EQ(stack, 1);
	EQ(code, 1);
	EQ(write(pipes[1], "x", 1), 1);
	EQ(pthread_join(thread, NULL), 0);
}

/* --- memory policy --- */

CHECK(numa_maps)
{
	long page = sysconf(_SC_PAGESIZE);
	char want[32], file[PATH_MAX + 32];
	int fd;

	if (access("/proc/self/numa_maps", F_OK) != 0)
		check_na("the kernel has no NUMA");
	fd = OK(open("a file", O_CREAT | O_RDWR, 0600));
	OK(ftruncate(fd, 4 * page));
	char *at = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	TRUE(at != MAP_FAILED);
	memset(at, 1, 3 * page);
	slurp("/proc/self/numa_maps");
	snprintf(want, sizeof(want), "%08lx ", (unsigned long)at);
	char *line = strstr(text, want);
	TRUE(line != NULL);
	*strchr(line, '\n') = 0;
	snprintf(file, sizeof(file), "file=%s/a\\040file ", check_directory);
	TRUE(strstr(line, file) != NULL);
	TRUE(strstr(line, " anon=3 ") != NULL);
	OK(munmap(at, 4 * page));
	/* A line for each of the mappings. */
	slurp("/proc/self/maps");
	char *maps = strdup(text);
	slurp("/proc/self/numa_maps");
	int lines = 0;
	for (char *l = maps; *l; l = strchr(l, '\n') + 1) {
		unsigned long start = strtoul(l, NULL, 16);
		int kernels = 0;

		for (const char **n = (const char *[]){ "[vsyscall]", NULL }; *n; n++) {
			char *name = strstr(l, *n);

			kernels |= name && name < strchr(l, '\n');
		}
		if (kernels)
			continue;
		snprintf(want, sizeof(want), "%08lx ", start);
		TRUE(strstr(text, want) != NULL);
		lines++;
	}
	for (char *l = text; *l; l = strchr(l, '\n') + 1)
		lines--;
	EQ(lines, 0);
	TRUE(strstr(text, " stack ") != NULL);
	free(maps);
}

/* --- the machine --- */

CHECK(machine)
{
	struct utsname names;

	OK(uname(&names));
	if (access("/proc/sys/kernel/arch", F_OK) != 0)
		check_na("a kernel before 6.1");
	slurp("/proc/sys/kernel/arch");
	text[strcspn(text, "\n")] = 0;
	STREQ(text, names.machine);
	slurp("/proc/version");
	char want[200];
	snprintf(want, sizeof(want), "Linux version %s ", names.release);
	EQ(strncmp(text, want, strlen(want)), 0);
}

#if defined(__aarch64__) || defined(__x86_64__)
CHECK(personality_of_32_bits)
{
#ifdef __aarch64__
	const char *want = "armv8l", *usual = "aarch64";
#else
	const char *want = "i686", *usual = "x86_64";
#endif
	struct utsname names;
	int before = OK(personality(0xffffffff));

	OK(personality(PER_LINUX32));
	OK(uname(&names));
	STREQ(names.machine, want);
	OK(personality(before));
	OK(uname(&names));
	STREQ(names.machine, usual);
}
#endif

/* --- names --- */

/* The program that is executed by a link is called as the link (begin_new_exec), in comm and AT_EXECFN. */
static int as_executed(void)
{
	char name[17] = "";

	prctl(PR_GET_NAME, name);
	return strcmp(name, "exe") == 0 &&
	       strcmp((char *)getauxval(AT_EXECFN), "/proc/self/exe") == 0 ? 0 : 1;
}

CHECK(executed_by_the_link)
{
	int status;

	fflush(stdout);
	pid_t child = OK(fork());
	if (child == 0) {
		execl("/proc/self/exe", own_argv[0], "--executed", (char *)NULL);
		_exit(99);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
}

/* The same by map_files, which only some may open. */
CHECK(executed_by_a_mapping)
{
	char exe[PATH_MAX] = "", line[PATH_MAX + 100], path[100] = "";
	int status;

	OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	FILE *maps = fopen("/proc/self/maps", "r");
	while (!path[0] && fgets(line, sizeof(line), maps)) {
		unsigned long start, end;

		line[strcspn(line, "\n")] = 0;
		EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
		if (strstr(line, exe))
			snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", start, end);
	}
	fclose(maps);
	TRUE(path[0]);
	if (geteuid() != 0)
		check_na("root only");
	fflush(stdout);
	pid_t child = OK(fork());
	if (child == 0) {
		execl(path, own_argv[0], "--by-mapping", (char *)NULL);
		_exit(99);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
}

int main(int argc, char **argv)
{
	own_argv = argv;
	if (argc > 1 && strcmp(argv[1], "--executed") == 0)
		return as_executed();
	if (argc > 1 && strcmp(argv[1], "--by-mapping") == 0) {
		char name[17] = "";

		prctl(PR_GET_NAME, name);
		/* "400000-47e000" */
		return strchr(name, '-') ? 0 : 1;
	}
	return check_main(argc, argv);
}
