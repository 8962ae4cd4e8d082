// /proc/PID/map_files: one link for each mapping of a file, named by the program's own addresses.
#include "../check.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long page;

/* A file of two pages, mapped. */
static char *mapped(const char *name, int prot, int flags)
{
	int fd = OK(open(name, O_CREAT | O_RDWR, 0600));

	OK(ftruncate(fd, 2 * page));
	char *at = mmap(NULL, 2 * page, prot, flags, fd, 0);
	TRUE(at != MAP_FAILED);
	OK(close(fd));
	return at;
}

static const char *link_name(const char *of, char *at, long size)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%lx-%lx", of, (unsigned long)at,
		 (unsigned long)(at + size));
	return path;
}

static void leads_to(const char *path, const char *want)
{
	char link[PATH_MAX] = "", whole[PATH_MAX + 16];

	OK(readlink(path, link, sizeof(link) - 1));
	snprintf(whole, sizeof(whole), "%s/%s", check_directory, want);
	STREQ(link, whole);
}

CHECK(each_mapping_has_its_link)
{
	char *at = mapped("one", PROT_READ, MAP_PRIVATE);
	const char *path = link_name("/proc/self/map_files", at, 2 * page);
	char of_thread[64];
	struct stat st;

	leads_to(path, "one");
	/* A thread's folder in task has none (tid_base_stuff of fs/proc/base.c), /proc/TID does. */
	snprintf(of_thread, sizeof(of_thread), "/proc/%d/map_files", gettid());
	leads_to(link_name(of_thread, at, 2 * page), "one");
	snprintf(of_thread, sizeof(of_thread), "/proc/self/task/%d/map_files", gettid());
	ERR(access(of_thread, F_OK), ENOENT);
	path = link_name("/proc/self/map_files", at, 2 * page);
	OK(lstat(path, &st));
	TRUE(S_ISLNK(st.st_mode));
	/* As the file was opened. */
	EQ(st.st_mode & 0777, 0600);
	EQ(st.st_size, 64);
	OK(munmap(at, 2 * page));
	ERR(lstat(path, &st), ENOENT);
	ERR(readlink(path, of_thread, sizeof(of_thread)), ENOENT);
}

CHECK(a_link_is_of_a_whole_mapping)
{
	char *at = mapped("two", PROT_READ | PROT_WRITE, MAP_SHARED), buffer[8], path[128];

	ERR(readlink(link_name("/proc/self/map_files", at, page), buffer, 8), ENOENT);
	ERR(readlink(link_name("/proc/self/map_files", at + page, page), buffer, 8), ENOENT);
	/* Code and data of the same file, side by side, are two. */
	OK(mprotect(at, page, PROT_READ | PROT_EXEC));
	OK(mprotect(at + page, page, PROT_READ));
	leads_to(link_name("/proc/self/map_files", at, page), "two");
	leads_to(link_name("/proc/self/map_files", at + page, page), "two");
	ERR(readlink(link_name("/proc/self/map_files", at, 2 * page), buffer, 8), ENOENT);
	/* dname_to_vma_addr: hexadecimal digits, none of them a leading zero. */
	snprintf(path, sizeof(path), "/proc/self/map_files/0%lx-%lx", (unsigned long)at,
		 (unsigned long)at + page);
	ERR(readlink(path, buffer, 8), ENOENT);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx-", (unsigned long)at,
		 (unsigned long)at + page);
	ERR(readlink(path, buffer, 8), ENOENT);
	/* Upper case is hexadecimal, too. */
	snprintf(path, sizeof(path), "/proc/self/map_files/%lX-%lX", (unsigned long)at,
		 (unsigned long)at + page);
	leads_to(path, "two");
	OK(munmap(at, 2 * page));
	/* What has no file has no link. */
	at = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ERR(readlink(link_name("/proc/self/map_files", at, page), buffer, 8), ENOENT);
	OK(munmap(at, page));
	/* Shared memory without a name is a file to the kernel. */
	at = mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(path, 0, sizeof(path));
	OK(readlink(link_name("/proc/self/map_files", at, page), path + 64, 32));
	STREQ(path + 64, "/dev/zero (deleted)");
	OK(munmap(at, page));
}

CHECK(by_descriptors)
{
	char *at = mapped("three", PROT_READ, MAP_SHARED), link[PATH_MAX] = "";
	int d = OK(open("/proc/self/map_files", O_RDONLY | O_DIRECTORY));
	const char *name = link_name("", at, 2 * page) + 1;
	struct stat st;

	OK(readlinkat(d, name, link, sizeof(link) - 1));
	TRUE(strstr(link, "/three") != NULL);
	OK(fstatat(d, name, &st, AT_SYMLINK_NOFOLLOW));
	TRUE(S_ISLNK(st.st_mode));
	OK(fchdir(d));
	memset(link, 0, sizeof(link));
	OK(readlink(name, link, sizeof(link) - 1));
	OK(chdir(check_directory));
	TRUE(strstr(link, "/three") != NULL);
	OK(close(d));
	OK(munmap(at, 2 * page));
}

/* Opening needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (proc_map_files_get_link), reading links not. */
CHECK(rights)
{
	char *at = mapped("four", PROT_READ, MAP_PRIVATE);
	const char *path = link_name("/proc/self/map_files", at, 2 * page);
	struct stat st, own;
	int status;

	OK(stat("four", &own));
	if (geteuid() != 0) {
		ERR(open(path, O_RDONLY), EPERM);
		ERR(stat(path, &st), EPERM);
		leads_to(path, "four");
		check_na("only root sees the rest");
	}
	OK(stat(path, &st));
	EQ(st.st_ino, own.st_ino);
	/* A file without a name is reached, too. */
	OK(unlink("four"));
	int fd = OK(open(path, O_RDWR));
	OK(fstat(fd, &st));
	EQ(st.st_ino, own.st_ino);
	EQ(st.st_nlink, 0);
	EQ(pwrite(fd, "seen", 4, 0), 4);
	MEMEQ(at, "seen", 4);
	OK(close(fd));
	pid_t child = OK(fork());
	if (child == 0) {
		/* No longer root; /proc/self stays its own while it may be dumped. */
		if (setresgid(1, 1, 1) || setresuid(1, 1, 1))
			_exit(1);
		syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0);
		if (open(path, O_RDONLY) >= 0 || errno != EPERM)
			_exit(2);
		if (stat(path, &st) == 0 || errno != EPERM)
			_exit(3);
		if (lstat(path, &st) != 0)
			_exit(4);
		_exit(0);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
	OK(munmap(at, 2 * page));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of what /proc/self/maps says has an inode. */
static int names_in_maps(char **names)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	static char line[PATH_MAX + 100];
	int n = 0;

	TRUE(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end, inode;

		EQ(sscanf(line, "%lx-%lx %*s %*x %*s %lu", &start, &end, &inode), 3);
		if (inode == 0)
			continue;
		snprintf(line, sizeof(line), "%lx-%lx", start, end);
		names[n++] = strdup(line);
	}
	fclose(maps);
	qsort(names, n, sizeof(*names), compare);
	return n;
}

static struct dirent *next(DIR *d)
{
	struct dirent *e;

	do
		e = readdir(d);
	while (e && e->d_name[0] == '.');
	return e;
}

CHECK(the_list)
{
	char *at = mapped("five", PROT_READ | PROT_EXEC, MAP_PRIVATE), *want[64], *got[64];
	int n = 0, m, dots = 0;
	struct dirent *e;

	m = names_in_maps(want);
	DIR *d = opendir("/proc/self/map_files");
	TRUE(d != NULL);
	while ((e = readdir(d)) && n < 64) {
		struct stat st;

		if (e->d_name[0] == '.') {
			dots++;
			EQ(e->d_type, DT_DIR);
			continue;
		}
		EQ(e->d_type, DT_LNK);
		OK(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
		EQ(st.st_ino, e->d_ino);
		got[n++] = strdup(e->d_name);
	}
	EQ(dots, 2);
	/* Reading goes on where it was, and from the start again. */
	rewinddir(d);
	STREQ(readdir(d)->d_name, ".");
	STREQ(readdir(d)->d_name, "..");
	e = next(d);
	TRUE(e != NULL);
	STREQ(e->d_name, got[0]);
	long place = telldir(d);
	e = next(d);
	TRUE(e != NULL);
	STREQ(e->d_name, got[1]);
	seekdir(d, place);
	e = next(d);
	TRUE(e != NULL);
	STREQ(e->d_name, got[1]);
	closedir(d);
	qsort(got, n, sizeof(*got), compare);
	EQ(n, m);
	for (int i = 0; i < n; i++)
		STREQ(got[i], want[i]);
	OK(munmap(at, 2 * page));
}

CHECK(a_small_buffer)
{
	int fd = OK(open("/proc/self/map_files", O_RDONLY | O_DIRECTORY)), parts = 0, whole = 0;
	char buffer[4096];
	long size;

	while ((size = OK(syscall(SYS_getdents64, fd, buffer, 64))) > 0)
		parts += size;
	EQ(lseek(fd, 0, SEEK_SET), 0);
	while ((size = OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)))) > 0)
		whole += size;
	EQ(parts, whole);
	TRUE(whole > 48);
	EQ(lseek(fd, 0, SEEK_SET), 0);
	ERR(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
	ERR(syscall(SYS_getdents64, fd, (void *)8, 4096), EFAULT);
	OK(close(fd));
}

int main(int argc, char **argv)
{
	page = sysconf(_SC_PAGESIZE);
	return check_main(argc, argv);
}
