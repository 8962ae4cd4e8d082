// execve, execveat, clone, clone3: what they refuse.
#include "../check.h"
#include "../isa.h"

CHECK(execve_errors)
{
	char *arguments[] = { "x", NULL };

	ERR(execve("nothing", arguments, arguments), ENOENT);
	ERR(execve("", arguments, arguments), ENOENT);
	OK(mkdir("dir", 0700));
	ERR(execve("dir", arguments, arguments), EACCES);
	OK(close(creat("plain", 0600)));
	ERR(execve("plain", arguments, arguments), EACCES);
	OK(chmod("plain", 0700));
	ERR(execve("plain", arguments, arguments), ENOEXEC);
	ERR(execve("plain/x", arguments, arguments), ENOTDIR);
	int fd = OK(open("text", O_CREAT | O_WRONLY, 0700));
	EQ(write(fd, "#!/no/such/interpreter\n", 23), 23);
	OK(close(fd));
	ERR(execve("text", arguments, arguments), ENOENT);
	ERR(syscall(__NR_execveat, -1, "x", arguments, arguments, 0), EBADF);
	ERR(syscall(__NR_execveat, AT_FDCWD, "plain", arguments, arguments,
		    0x4000000), EINVAL);
	EFAULTS(p, execve(p, arguments, arguments));
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(execve("text", bad_pointer(i), arguments), EFAULT);
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(execve("text", arguments, bad_pointer(i)), EFAULT);
}

CHECK(text_busy)
{
	char *arguments[] = { "x", NULL };
	int fd = OK(open("busy", O_CREAT | O_WRONLY, 0700));

	EQ(write(fd, "#!/no/such/interpreter\n", 23), 23);
	EQ(execve("busy", arguments, arguments), -1);
	/* An emulator only reads the file: the kernel does not tell it of writers. */
	if (errno == ENOENT)
		NA("files open for writing are executed");
	EQ(errno, ETXTBSY);
}

CHECK(clone_errors)
{
	/* A thread needs a shared memory, and that a shared signal table. */
	ERR(syscall(__NR_clone, CLONE_ARGS(0x00010000, 0), 0, 0, 0), EINVAL);
	ERR(syscall(__NR_clone, CLONE_ARGS(0x00000800, 0), 0, 0, 0), EINVAL);
	ERR(syscall(__NR_clone3, NULL, 0), EINVAL);
	ERR(syscall(__NR_clone3, NULL, 64), EFAULT);
}

CHECK_MAIN
