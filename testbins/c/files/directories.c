// mkdir, rmdir, getdents64, getdents, telldir and seekdir, getcwd, chdir.
#define _FILE_OFFSET_BITS 64
#include "../check.h"

#include <dirent.h>

enum { ENTRIES = 400 };

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static void fill(const char *name)
{
	char path[64];

	if (mkdir(name, 0700) < 0)
		return;
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(path, sizeof(path), "%s/entry-%d", name, i);
		OK(syscall(__NR_mknodat, AT_FDCWD, path, S_IFREG | 0600, 0));
	}
}

CHECK(mkdir_and_rmdir)
{
	struct stat st;

	umask(022);
	OK(mkdir("m", 0777));
	OK(stat("m", &st));
	EQ(st.st_mode, S_IFDIR | 0755);
	ERR(mkdir("m", 0700), EEXIST);
	ERR(mkdir("no/m", 0700), ENOENT);
	OK(mkdirat(AT_FDCWD, "m/n", 01770));
	OK(stat("m/n", &st));
	EQ(st.st_mode & 01777, 01750);
	ERR(rmdir("m"), ENOTEMPTY);
	OK(rmdir("m/n"));
	OK(unlinkat(AT_FDCWD, "m", AT_REMOVEDIR));
	ERR(rmdir("m"), ENOENT);
	OK(close(creat("f", 0600)));
	ERR(rmdir("f"), ENOTDIR);
	ERR(mkdir("f/x", 0700), ENOTDIR);
	ERR(rmdir("."), EINVAL);
	ERR(unlinkat(AT_FDCWD, "f", 0x1000000), EINVAL);
	EFAULTS(p, syscall(__NR_mkdirat, AT_FDCWD, p, 0700));
	EFAULTS(p, syscall(__NR_unlinkat, AT_FDCWD, p, AT_REMOVEDIR));
}

CHECK(unlink_errors)
{
	OK(mkdir("ud", 0700));
	ERR(unlink("ud"), EISDIR);
	ERR(unlink("nothing"), ENOENT);
	OK(close(creat("u", 0600)));
	OK(unlink("u"));
	ERR(unlink("u"), ENOENT);
	ERR(unlinkat(-1, "u", 0), EBADF);
	OK(remove("ud"));
}

CHECK(getdents64_sees_each_entry_once)
{
	static char seen[ENTRIES];
	char buffer[1000] __attribute__((aligned(8)));
	int fd, n, dots = 0;

	fill("many");
	fd = OK(open("many", O_RDONLY | O_DIRECTORY));
	while ((n = OK(syscall(__NR_getdents64, fd, buffer, sizeof(buffer)))) > 0)
		for (int at = 0; at < n;) {
			struct dirent64_raw *d = (void *)(buffer + at);
			int number;

			EQ(d->reclen % 8, 0);
			TRUE(d->ino != 0);
			if (d->name[0] == '.') {
				EQ(d->type, DT_DIR);
				dots++;
			} else {
				EQ(sscanf(d->name, "entry-%d", &number), 1);
				TRUE(d->type == DT_REG || d->type == DT_UNKNOWN);
				TRUE(!seen[number]++);
			}
			at += d->reclen;
		}
	EQ(dots, 2);
	for (int i = 0; i < ENTRIES; i++)
		EQ(seen[i], 1);
	EQ(syscall(__NR_getdents64, fd, buffer, sizeof(buffer)), 0);
	OK(close(fd));
}

CHECK(getdents64_errors)
{
	char buffer[64];
	int fd = OK(open(".", O_RDONLY | O_DIRECTORY)), file;

	ERR(syscall(__NR_getdents64, fd, buffer, 1), EINVAL);
	ERR(syscall(__NR_getdents64, fd, buffer, 0), EINVAL);
	ERR(syscall(__NR_getdents64, -1, buffer, 64), EBADF);
	EFAULTS(p, syscall(__NR_getdents64, fd, p, 1024));
	file = OK(open("file", O_CREAT | O_RDWR, 0600));
	ERR(syscall(__NR_getdents64, file, buffer, 64), ENOTDIR);
	OK(close(file));
	OK(close(fd));
}

#ifdef __NR_getdents
struct dirent_raw {
	unsigned long ino, off;
	unsigned short reclen;
	char name[];
};

CHECK(old_getdents)
{
	static char seen[ENTRIES];
	char buffer[700] __attribute__((aligned(8)));
	int fd, n, dots = 0;

	fill("many");
	fd = OK(open("many", O_RDONLY | O_DIRECTORY));
	while ((n = OK(syscall(__NR_getdents, fd, buffer, sizeof(buffer)))) > 0)
		for (int at = 0; at < n;) {
			struct dirent_raw *d = (void *)(buffer + at);
			int number;
			char type = buffer[at + d->reclen - 1];

			if (d->name[0] == '.') {
				EQ(type, DT_DIR);
				dots++;
			} else {
				EQ(sscanf(d->name, "entry-%d", &number), 1);
				TRUE(!seen[number]++);
			}
			at += d->reclen;
		}
	EQ(dots, 2);
	for (int i = 0; i < ENTRIES; i++)
		EQ(seen[i], 1);
	OK(close(fd));
}
#endif

CHECK(telldir_and_seekdir)
{
	static char names[ENTRIES + 2][32];
	static long places[ENTRIES + 2];
	DIR *d;
	struct dirent *e;
	int n = 0;

	fill("many");
	d = opendir("many");
	TRUE(d != NULL);
	for (;;) {
		/* 32-bit telldir gives a long: a cookie has to fit into it. */
		errno = 0;
		long place = telldir(d);
		EQ(errno, 0);
		errno = 0;
		if (!(e = readdir(d)))
			break;
		TRUE(n < ENTRIES + 2);
		places[n] = place;
		snprintf(names[n++], 32, "%.31s", e->d_name);
	}
	EQ(errno, 0);
	EQ(n, ENTRIES + 2);
	for (int i = n - 1; i >= 0; i -= 37) {
		seekdir(d, places[i]);
		e = readdir(d);
		TRUE(e != NULL);
		STREQ(e->d_name, names[i]);
	}
	rewinddir(d);
	e = readdir(d);
	STREQ(e->d_name, names[0]);
	closedir(d);
}

CHECK(lseek_to_a_cookie)
{
	char buffer[256] __attribute__((aligned(8))), name[64];
	struct dirent64_raw *d = (void *)buffer;
	int64_t place;
	int fd;

	fill("many");
	fd = OK(open("many", O_RDONLY | O_DIRECTORY));
	TRUE(syscall(__NR_getdents64, fd, buffer, sizeof(buffer)) > 0);
	place = d->off;
	d = (void *)(buffer + d->reclen);
	strcpy(name, d->name);
	EQ(lseek64(fd, place, SEEK_SET), place);
	TRUE(syscall(__NR_getdents64, fd, buffer, sizeof(buffer)) > 0);
	STREQ(((struct dirent64_raw *)buffer)->name, name);
	EQ(lseek64(fd, 0, SEEK_SET), 0);
	OK(close(fd));
}

CHECK(scandir_sorted)
{
	struct dirent **list;
	int n;

	fill("many");
	n = OK(scandir("many", &list, NULL, alphasort));
	EQ(n, ENTRIES + 2);
	STREQ(list[0]->d_name, ".");
	STREQ(list[2]->d_name, "entry-0");
	while (n-- > 0)
		free(list[n]);
	free(list);
}

CHECK(getcwd)
{
	char text[PATH_MAX], *edge = check_edge();
	long length;

	STREQ(getcwd(text, sizeof(text)), check_directory);
	length = OK(syscall(__NR_getcwd, text, sizeof(text)));
	EQ(length, strlen(check_directory) + 1);
	ERR(syscall(__NR_getcwd, text, length - 1), ERANGE);
	ERR(syscall(__NR_getcwd, text, 0), ERANGE);
	EQ(syscall(__NR_getcwd, edge - length, length), length);
	ERR(syscall(__NR_getcwd, edge - length + 1, length), EFAULT);
	EFAULTS(p, syscall(__NR_getcwd, p, 4096));
}

CHECK(chdir)
{
	char text[PATH_MAX];
	int fd = OK(open(".", O_RDONLY));

	OK(mkdir("go", 0700));
	OK(chdir("go"));
	TRUE(getcwd(text, sizeof(text)) != NULL);
	STREQ(strrchr(text, '/'), "/go");
	OK(chdir(".."));
	STREQ(getcwd(text, sizeof(text)), check_directory);
	ERR(chdir("nothing"), ENOENT);
	OK(close(creat("plain", 0600)));
	ERR(chdir("plain"), ENOTDIR);
	ERR(fchdir(-1), EBADF);
	OK(chdir("go"));
	OK(rmdir("../go"));
	ERR(syscall(__NR_getcwd, text, sizeof(text)), ENOENT);
	OK(fchdir(fd));
	OK(close(fd));
	EFAULTS(p, syscall(__NR_chdir, p));
}

CHECK(chroot)
{
	EFAULTS(p, syscall(__NR_chroot, p));
	ERR(chroot("nothing"), ENOENT);
	if (chroot("/") < 0) {
		EQ(errno, EPERM);
		NA("needs CAP_SYS_CHROOT");
	}
}

CHECK_MAIN
