// /proc/self tells of this program, by every path that leads there.
#include "../check.h"
#include "../isa.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <dirent.h>

static int argc;
static char **argv;
extern char **environ;

static char text[1 << 16];

static int slurp_fd(int fd)
{
	int n, size = 0;

	while ((n = OK(read(fd, text + size, sizeof(text) - 1 - size))) > 0)
		size += n;
	text[size] = 0;
	OK(close(fd));
	return size;
}

static int slurp(const char *path)
{
	return slurp_fd(OK(open(path, O_RDONLY)));
}

/* Directories that all are this process's. */
static const char *directories(int which)
{
	static char path[64];

	switch (which) {
	case 0:
		return "/proc/self";
	case 1:
		return "/proc/thread-self";
	case 2:
		snprintf(path, sizeof(path), "/proc/%d", getpid());
		return path;
	case 3:
		snprintf(path, sizeof(path), "/proc/self/task/%d", getpid());
		return path;
	case 4:
		snprintf(path, sizeof(path), "/proc/../proc/./%d", getpid());
		return path;
	case 5:
		unlink("to-proc");
		OK(symlink("/proc/self", "to-proc"));
		return "to-proc";
	default:
		return NULL;
	}
}

/* Opens /proc/self/NAME by each way; the nth is -1 after the last. */
static int open_by(int way, const char *name)
{
	char path[128];

	if (directories(way)) {
		snprintf(path, sizeof(path), "%s/%s", directories(way), name);
		return OK(open(path, O_RDONLY));
	}
	way -= 6;
	if (way < 2) {
		int d = OK(open(way ? "/proc" : "/proc/self",
				O_RDONLY | O_DIRECTORY));
		snprintf(path, sizeof(path), way ? "self/%s" : "%s", name);
		int fd = OK(openat(d, path, O_RDONLY));
		OK(close(d));
		return fd;
	}
	if (way == 2) {
		char back[PATH_MAX];

		TRUE(getcwd(back, sizeof(back)) != NULL);
		OK(chdir("/proc/self"));
		int fd = OK(open(name, O_RDONLY));
		OK(chdir(back));
		return fd;
	}
	if (way == 3) {
		char link[128];

		snprintf(path, sizeof(path), "/proc/self/%s", name);
		snprintf(link, sizeof(link), "link-%s", name);
		unlink(link);
		OK(symlink(path, link));
		return OK(open(link, O_RDONLY));
	}
	return -1;
}

CHECK(exe)
{
	char link[PATH_MAX] = "", other[PATH_MAX] = "", path[128];
	struct stat a, b;
	Elf32_Ehdr elf;
	int fd;

	int n = OK(readlink("/proc/self/exe", link, sizeof(link) - 1));
	TRUE(link[0] == '/');
	OK(stat(link, &a));
	OK(stat("/proc/self/exe", &b));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_dev, b.st_dev);
	OK(lstat("/proc/self/exe", &b));
	TRUE(S_ISLNK(b.st_mode));
	/* The file is this program: of this machine, with this data in it. */
	fd = OK(open("/proc/self/exe", O_RDONLY));
	EQ(read(fd, &elf, sizeof(elf)), sizeof(elf));
	MEMEQ(elf.e_ident, ELFMAG, 4);
	EQ(elf.e_ident[EI_CLASS],
	   sizeof(long) == 8 ? ELFCLASS64 : ELFCLASS32);
	EQ(elf.e_machine, ISA_MACHINE);
	OK(close(fd));
	const char *base = strrchr(argv[0], '/');
	base = base ? base + 1 : argv[0];
	STREQ(strrchr(link, '/') + 1, base);
	for (int i = 0; directories(i); i++) {
		memset(other, 0, sizeof(other));
		snprintf(path, sizeof(path), "%s/exe", directories(i));
		EQ(readlink(path, other, sizeof(other)), n);
		STREQ(other, link);
		OK(stat(path, &b));
		EQ(b.st_ino, a.st_ino);
	}
	int d = OK(open("/proc/self", O_PATH));
	memset(other, 0, sizeof(other));
	EQ(readlinkat(d, "exe", other, sizeof(other)), n);
	STREQ(other, link);
	OK(close(d));
	EQ(readlink("/proc/self/exe", other, 3), 3);
	MEMEQ(other, link, 3);
	EFAULTS(p, readlink("/proc/self/exe", p, 100));
	ERR(open("/proc/self/exe", O_RDONLY | O_NOFOLLOW), ELOOP);
}

CHECK(cmdline)
{
	for (int way = 0, fd; (fd = open_by(way, "cmdline")) >= 0; way++) {
		int size = slurp_fd(fd), at = 0;

		for (int i = 0; i < argc; i++) {
			TRUE(at < size);
			STREQ(text + at, argv[i]);
			at += strlen(text + at) + 1;
		}
		EQ(at, size);
	}
}

CHECK(environment)
{
	for (int way = 0, fd; (fd = open_by(way, "environ")) >= 0; way++) {
		int size = slurp_fd(fd), at = 0;

		for (int i = 0; environ[i]; i++) {
			TRUE(at < size);
			STREQ(text + at, environ[i]);
			at += strlen(text + at) + 1;
		}
		EQ(at, size);
	}
}

CHECK(auxv)
{
	for (int way = 0, fd; (fd = open_by(way, "auxv")) >= 0; way++) {
		int size = slurp_fd(fd);
		unsigned long *v = (unsigned long *)text;
		int n = 0, hwcap = 0;

		EQ(size % (2 * sizeof(long)), 0);
		for (; v[2 * n] != AT_NULL; n++) {
			TRUE((n + 1) * 2 * (int)sizeof(long) <= size);
#if defined(__x86_64__) || defined(__i386__)
			/* There libc puts its own value in this place. */
			if (v[2 * n] != AT_HWCAP)
#endif
			EQ(getauxval(v[2 * n]), v[2 * n + 1]);
			hwcap |= v[2 * n] == AT_HWCAP;
		}
		TRUE(n > 10);
		EQ(hwcap, 1);
	}
}

CHECK(name_of_the_program)
{
	char want[17] = "";
	const char *base = strrchr(argv[0], '/');

	snprintf(want, 16, "%s", base ? base + 1 : argv[0]);
	strcat(want, "\n");
	for (int way = 0, fd; (fd = open_by(way, "comm")) >= 0; way++) {
		slurp_fd(fd);
		STREQ(text, want);
	}
	OK(prctl(PR_SET_NAME, "changed"));
	slurp("/proc/self/comm");
	STREQ(text, "changed\n");
	int fd = OK(open("/proc/self/comm", O_WRONLY));
	EQ(write(fd, "by file", 7), 7);
	OK(close(fd));
	char name[16];
	OK(prctl(PR_GET_NAME, name));
	STREQ(name, "by file");
	slurp("/proc/self/stat");
	TRUE(strstr(text, " (by file) ") != NULL);
	slurp("/proc/self/status");
	TRUE(strstr(text, "Name:\tby file\n") != NULL);
	want[strlen(want) - 1] = 0;
	OK(prctl(PR_SET_NAME, want));
}

CHECK(stat_fields)
{
	for (int way = 0, fd; (fd = open_by(way, "stat")) >= 0; way++) {
		unsigned long field[60] = { 0 };
		char state, *at;
		int local, n = 3, pid;

		slurp_fd(fd);
		EQ(sscanf(text, "%d (", &pid), 1);
		EQ(pid, getpid());
		at = strrchr(text, ')');
		TRUE(at != NULL);
		state = at[2];
		EQ(state, 'R');
		for (at += 3; *at && n < 60; ) {
			char *end;

			field[++n] = strtoul(at, &end, 10);
			if (end == at)
				break;
			at = end;
		}
		EQ(field[4], getppid());
		EQ(field[5], getpgrp());
		EQ(field[6], getsid(0));
		EQ(field[20], 1);
		/* 26, 27: the code; 28: the start of the stack. */
		unsigned long code = (uintptr_t)slurp & ~1UL;
		if (field[26] > 1) {
			TRUE(field[26] <= code && code < field[27]);
			TRUE(field[28] > (uintptr_t)&local);
			TRUE(field[28] - (uintptr_t)&local < 8 << 20);
		}
	}
}

static void status_line(const char *name, const char *format, long want)
{
	char *at = strstr(text, name);
	long got;

	if (!at || sscanf(at + strlen(name), format, &got) != 1)
		FAIL("no number after \"%s\"", name);
	EQ(got, want);
}

CHECK(status)
{
	for (int way = 0, fd; (fd = open_by(way, "status")) >= 0; way++) {
		slurp_fd(fd);
		status_line("\nTgid:", "%ld", getpid());
		status_line("\nPid:", "%ld", getpid());
		status_line("\nPPid:", "%ld", getppid());
		status_line("\nUid:", "%ld", getuid());
		status_line("\nGid:", "%ld", getgid());
		status_line("\nThreads:", "%ld", 1);
		TRUE(strstr(text, "\nSigIgn:") != NULL);
	}
}

CHECK(maps_of_the_program)
{
	for (int way = 0, fd; (fd = open_by(way, "maps")) >= 0; way++) {
		int local, code = 0, stack = 0;
		unsigned long start, end;
		char prot[8];

		slurp_fd(fd);
		for (char *l = text; *l; l = strchr(l, '\n') + 1) {
			EQ(sscanf(l, "%lx-%lx %4s", &start, &end, prot), 3);
			code |= start <= (uintptr_t)slurp &&
				(uintptr_t)slurp < end && prot[2] == 'x';
			stack |= start <= (uintptr_t)&local &&
				 (uintptr_t)&local < end && prot[1] == 'w';
		}
		TRUE(code);
		TRUE(stack);
	}
}

CHECK(descriptors)
{
	char path[64], link[PATH_MAX] = "", want[PATH_MAX + 8];
	int fd = OK(open("opened", O_CREAT | O_RDWR, 0600)), seen = 0;
	struct dirent *e;
	struct stat a, b;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(readlink(path, link, sizeof(link) - 1));
	snprintf(want, sizeof(want), "%s/opened", check_directory);
	STREQ(link, want);
	OK(stat(path, &a));
	OK(fstat(fd, &b));
	EQ(a.st_ino, b.st_ino);
	EQ(write(fd, "through fd", 10), 10);
	EQ(slurp(path), 10);
	STREQ(text, "through fd");
	d = opendir("/proc/self/fd");
	TRUE(d != NULL);
	while ((e = readdir(d))) {
		char *end;
		long n = strtol(e->d_name, &end, 10);

		if (e->d_name[0] == '.')
			continue;
		EQ(*end, 0);
		/* Nothing but the program's own is open to it. */
		OK(fcntl(n, F_GETFD));
		seen |= n == fd;
	}
	closedir(d);
	TRUE(seen);
	OK(close(fd));
	ERR(readlink(path, link, sizeof(link)), ENOENT);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", 0);
	slurp(path);
	TRUE(strstr(text, "flags:") != NULL);
}

CHECK(few_low_descriptors)
{
	/* Files of an emulator are out of the way: the first free ones are low. */
	int a = OK(dup(0)), b = OK(dup(0));

	TRUE(a < 20);
	EQ(b, a + 1);
	OK(close(a));
	OK(close(b));
}

CHECK(tasks)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	TRUE(d != NULL);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			EQ(atoi(e->d_name), getpid());
			n++;
		}
	closedir(d);
	EQ(n, 1);
}

CHECK(links)
{
	char link[PATH_MAX] = "", want[64];

	OK(readlink("/proc/self", link, sizeof(link) - 1));
	EQ(atoi(link), getpid());
	memset(link, 0, sizeof(link));
	OK(readlink("/proc/thread-self", link, sizeof(link) - 1));
	snprintf(want, sizeof(want), "%d/task/%d", getpid(), getpid());
	STREQ(link, want);
	memset(link, 0, sizeof(link));
	OK(readlink("/proc/self/cwd", link, sizeof(link) - 1));
	STREQ(link, check_directory);
	memset(link, 0, sizeof(link));
	OK(readlink("/proc/self/root", link, sizeof(link) - 1));
	STREQ(link, "/");
	struct stat st;
	OK(stat("/proc/self/cmdline", &st));
	TRUE(S_ISREG(st.st_mode));
	EQ(st.st_size, 0);
	ERR(open("/proc/self/nothing", O_RDONLY), ENOENT);
	ERR(open("/proc/self/maps", O_RDONLY | O_DIRECTORY), ENOTDIR);
}

CHECK(reading_in_parts)
{
	char whole[4096], parts[4096];
	int fd = OK(open("/proc/self/cmdline", O_RDONLY)), n, size = 0;

	n = OK(read(fd, whole, sizeof(whole)));
	EQ(lseek(fd, 0, SEEK_SET), 0);
	while (OK(read(fd, parts + size, 1)) == 1)
		size++;
	EQ(size, n);
	MEMEQ(parts, whole, n);
	EQ(pread(fd, parts, 5, 1), n - 1 < 5 ? n - 1 : 5);
	EQ(parts[0], whole[1]);
	ERR(write(fd, "x", 1), EBADF);
	OK(close(fd));
}

CHECK(memory_file)
{
	static int value = 0x12345678;
	int got = 0, fd = OK(open("/proc/self/mem", O_RDWR | O_LARGEFILE));

	EQ(pread64(fd, &got, 4, (uintptr_t)&value), 4);
	EQ(got, 0x12345678);
	got = 42;
	EQ(pwrite64(fd, &got, 4, (uintptr_t)&value), 4);
	EQ(*(volatile int *)&value, 42);
	OK(close(fd));
}

CHECK(cpuinfo)
{
	slurp("/proc/cpuinfo");
#if defined(__aarch64__) || defined(__arm__)
	char *features = strstr(text, "Features");

	TRUE(features != NULL);
	TRUE(strstr(text, "CPU architecture") != NULL);
	TRUE(strstr(text, "CPU implementer") != NULL);
	*strchr(features, '\n') = 0;
#if defined(__aarch64__)
	static const struct { unsigned long bit; const char *name; } caps[] = {
		{ 1, " fp" }, { 2, " asimd" }, { 8, " aes" }, { 1 << 7, " crc32" },
		{ 1 << 8, " atomics" },
	};
#else
	static const struct { unsigned long bit; const char *name; } caps[] = {
		{ 1 << 1, " half" }, { 1 << 6, " vfp" }, { 1 << 12, " neon" },
		{ 1 << 17, " idiva" },
	};
#endif
	for (int i = 0; i < COUNT(caps); i++)
		EQ(strstr(features, caps[i].name) != NULL,
		   !!(getauxval(AT_HWCAP) & caps[i].bit));
#else
#ifdef __m68k__ /* There is but one. */
	TRUE(strstr(text, "CPU:") != NULL);
#else
	TRUE(strstr(text, "processor") != NULL);
#endif
#endif
}

int main(int count, char **values)
{
	argc = count;
	argv = values;
	return check_main(count, values);
}
