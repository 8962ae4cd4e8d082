// rename, renameat2, link, symlink, readlink, access, faccessat2.
#include "../check.h"

#include <linux/fs.h>
#include <sys/fsuid.h>

static long renameat2_(const char *from, const char *to, unsigned flags)
{
	return syscall(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void make(const char *name, const char *text)
{
	int fd = OK(open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600));

	EQ(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

static const char *content(const char *name)
{
	static char text[64];
	int fd = OK(open(name, O_RDONLY));
	int n = OK(read(fd, text, sizeof(text) - 1));

	text[n] = 0;
	OK(close(fd));
	return text;
}

CHECK(rename)
{
	make("a", "A");
	make("b", "B");
	OK(rename("a", "b"));
	STREQ(content("b"), "A");
	ERR(rename("a", "c"), ENOENT);
	OK(mkdir("d", 0700));
	OK(rename("b", "d/b"));
	STREQ(content("d/b"), "A");
	OK(mkdir("e", 0700));
	make("f", "F");
	ERR(rename("d", "e/../d/x"), EINVAL);
	ERR(rename("f", "d"), EISDIR);
	ERR(rename("d", "f"), ENOTDIR);
	ERR(rename("e", "d"), ENOTEMPTY);
	EFAULTS(p, syscall(__NR_renameat2, AT_FDCWD, p, AT_FDCWD, "x", 0));
	EFAULTS(p, syscall(__NR_renameat2, AT_FDCWD, "f", AT_FDCWD, p, 0));
	int d = OK(open("d", O_RDONLY));
	OK(renameat(d, "b", AT_FDCWD, "out"));
	STREQ(content("out"), "A");
	ERR(renameat(-1, "b", AT_FDCWD, "out"), EBADF);
	OK(close(d));
}

CHECK(renameat2_flags)
{
	make("n1", "1");
	make("n2", "2");
	ERR(renameat2_("n1", "n2", RENAME_NOREPLACE), EEXIST);
	OK(renameat2_("n1", "n3", RENAME_NOREPLACE));
	if (renameat2_("n2", "n3", RENAME_EXCHANGE) < 0 && errno == EINVAL)
		NA("no RENAME_EXCHANGE on this file system");
	STREQ(content("n2"), "1");
	STREQ(content("n3"), "2");
	ERR(renameat2_("n2", "n4", RENAME_EXCHANGE), ENOENT);
	ERR(renameat2_("n2", "n3", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	ERR(renameat2_("n2", "n3", 0x100), EINVAL);
}

CHECK(link)
{
	struct stat a, b;

	make("l1", "one");
	OK(link("l1", "l2"));
	STREQ(content("l2"), "one");
	OK(stat("l1", &a));
	OK(stat("l2", &b));
	EQ(a.st_ino, b.st_ino);
	ERR(link("l1", "l2"), EEXIST);
	ERR(link("nothing", "l3"), ENOENT);
	OK(mkdir("ld", 0700));
	ERR(link("ld", "l3"), EPERM);
	OK(symlink("l1", "sym"));
	OK(linkat(AT_FDCWD, "sym", AT_FDCWD, "hard-sym", 0));
	OK(lstat("hard-sym", &a));
	TRUE(S_ISLNK(a.st_mode));
	OK(linkat(AT_FDCWD, "sym", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW));
	OK(lstat("hard", &a));
	TRUE(S_ISREG(a.st_mode));
	ERR(linkat(AT_FDCWD, "l1", AT_FDCWD, "l9", 0x8000000), EINVAL);
	ERR(linkat(-1, "l1", AT_FDCWD, "l9", 0), EBADF);
	EFAULTS(p, syscall(__NR_linkat, AT_FDCWD, p, AT_FDCWD, "l9", 0));
	EFAULTS(p, syscall(__NR_linkat, AT_FDCWD, "l1", AT_FDCWD, p, 0));
}

CHECK(symlink_and_readlink)
{
	char text[64], *edge = check_edge();

	OK(symlink("some/where", "s"));
	memset(text, '#', sizeof(text));
	EQ(readlink("s", text, sizeof(text)), 10);
	MEMEQ(text, "some/where#", 11);
	memset(text, '#', sizeof(text));
	EQ(readlink("s", text, 4), 4);
	MEMEQ(text, "some#", 5);
	EQ(readlink("s", edge - 10, 100), 10);
	ERR(readlink("s", edge - 9, 100), EFAULT);
	ERR(readlink("s", text, 0), EINVAL);
	ERR(readlink("s", text, -1), EINVAL);
	ERR(readlink(".", text, 4), EINVAL);
	ERR(readlink("nothing", text, 4), ENOENT);
	ERR(symlink("x", "s"), EEXIST);
	ERR(symlink("", "t"), ENOENT);
	EFAULTS(p, syscall(__NR_readlinkat, AT_FDCWD, "s", p, 10));
	EFAULTS(p, syscall(__NR_readlinkat, AT_FDCWD, p, text, 10));
	EFAULTS(p, syscall(__NR_symlinkat, p, AT_FDCWD, "t"));
	EFAULTS(p, syscall(__NR_symlinkat, "t", AT_FDCWD, p));
	/* The text is not looked at. */
	OK(symlink("/no such\n\xff place/..", "odd"));
	EQ(readlink("odd", text, sizeof(text)), 19);
}

CHECK(long_symlink)
{
	static char path[4096], back[4096];

	memset(path, 'p', 4095);
	path[4095] = 0;
	OK(symlink(path, "long"));
	EQ(readlink("long", back, sizeof(back)), 4095);
	MEMEQ(back, path, 4095);
	ERR(open("long", O_RDONLY), ENAMETOOLONG);
}

CHECK(access)
{
	make("acc", "");
	OK(access("acc", F_OK));
	OK(access("acc", R_OK | W_OK));
	ERR(access("nothing", F_OK), ENOENT);
	ERR(access("acc/x", F_OK), ENOTDIR);
	ERR(access("acc", 8), EINVAL);
	ERR(access("acc", -1), EINVAL);
	/* Even root needs one x bit. */
	ERR(access("acc", X_OK), EACCES);
	OK(chmod("acc", 0700));
	OK(access("acc", X_OK));
	EFAULTS(p, syscall(__NR_faccessat, AT_FDCWD, p, F_OK));
	ERR(syscall(__NR_faccessat, -1, "acc", F_OK), EBADF);
}

CHECK(faccessat2)
{
	make("acc2", "");
	OK(symlink("nowhere", "dangling"));
	OK(syscall(__NR_faccessat2, AT_FDCWD, "acc2", R_OK, AT_EACCESS));
	OK(syscall(__NR_faccessat2, AT_FDCWD, "dangling", F_OK,
		   AT_SYMLINK_NOFOLLOW));
	ERR(syscall(__NR_faccessat2, AT_FDCWD, "dangling", F_OK, 0), ENOENT);
	OK(syscall(__NR_faccessat2, AT_FDCWD, "", F_OK, AT_EMPTY_PATH));
	ERR(syscall(__NR_faccessat2, AT_FDCWD, "acc2", F_OK, 0x40000000),
	    EINVAL);
}

#ifdef __NR_rename
CHECK(calls_without_at)
{
	char text[16];

	OK(syscall(__NR_mkdir, "od", 0700));
	OK(syscall(__NR_mknod, "of", S_IFREG | 0600, 0));
	OK(syscall(__NR_rename, "of", "og"));
	OK(syscall(__NR_link, "og", "oh"));
	OK(syscall(__NR_symlink, "oh", "os"));
	EQ(syscall(__NR_readlink, "os", text, sizeof(text)), 2);
	OK(syscall(__NR_access, "os", R_OK));
	OK(syscall(__NR_chmod, "os", 0640));
	OK(syscall(__NR_unlink, "os"));
	OK(syscall(__NR_rmdir, "od"));
	EFAULTS(p, syscall(__NR_mkdir, p, 0700));
	EFAULTS(p, syscall(__NR_rmdir, p));
	EFAULTS(p, syscall(__NR_unlink, p));
	EFAULTS(p, syscall(__NR_link, p, "x"));
	EFAULTS(p, syscall(__NR_access, p, R_OK));
}
#endif

CHECK(name_to_handle)
{
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *handle = (void *)room;
	int mount, fd, dir = OK(open(".", O_RDONLY));

	make("handled", "by handle");
	handle->handle_bytes = 0;
	if (name_to_handle_at(AT_FDCWD, "handled", handle, &mount, 0) < 0 &&
	    errno == EOPNOTSUPP)
		NA("this file system has no handles");
	EQ(errno, EOVERFLOW);
	TRUE(handle->handle_bytes > 0);
	handle->handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, "handled", handle, &mount, 0));
	ERR(name_to_handle_at(AT_FDCWD, "nothing", handle, &mount, 0), ENOENT);
	handle->handle_bytes = MAX_HANDLE_SZ + 1;
	ERR(name_to_handle_at(AT_FDCWD, "handled", handle, &mount, 0), EINVAL);
	EFAULTS(p, name_to_handle_at(AT_FDCWD, "handled", p, &mount, 0));
	handle->handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, "handled", handle, &mount, 0));
	fd = open_by_handle_at(dir, handle, O_RDONLY);
	if (fd < 0 && errno == EPERM)
		NA("needs CAP_DAC_READ_SEARCH");
	OK(fd);
	char text[16] = "";
	EQ(read(fd, text, sizeof(text)), 9);
	STREQ(text, "by handle");
	OK(close(fd));
	OK(close(dir));
}

CHECK_MAIN
