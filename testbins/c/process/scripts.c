// Scripts: one argument, nesting, relative interpreters; and what execve refuses.
#include "../check.h"
#include "child.h"
#include <sys/resource.h>

static char self[PATH_MAX];

static void script(const char *path, const char *format, ...)
{
	char text[PATH_MAX + 64];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700));
	EQ(write(fd, text, n), n);
	OK(close(fd));
}

/* Runs `path` with the arguments a and b in a child; the lines that it wrote. */
static char *output_of(const char *path, int expected)
{
	static char text[8192];
	int ends[2], status;
	size_t length = 0;
	ssize_t n;

	OK(pipe(ends));
	pid_t pid = OK(fork());
	if (pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execl(path, "zero", "a", "b c", NULL);
		printf("%s\n", strerrorname_np(errno));
		exit(98);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += n;
	text[length] = 0;
	close(ends[0]);
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), expected);
	return text;
}

CHECK(interpreter_is_this_program)
{
	char link[] = "echoes";

	/* A name of this program's own that is short enough for a #! line. */
	OK(symlink(self, link));
	script("plain", "#!echoes\n");
	STREQ(output_of("plain", 0), "[echoes][plain][a][b c]\n");
	script("one", "#! \techoes  --echo  one two \t \nrest\n");
	STREQ(output_of("one", 0), "[echoes][--echo  one two][one][a][b c]\n");
	script("unended", "#!echoes");
	STREQ(output_of("unended", 0), "[echoes][unended][a][b c]\n");
	script("nested", "#!plain x y\n");
	STREQ(output_of("./nested", 0), "[echoes][plain][x y][./nested][a][b c]\n");
}

CHECK(no_arguments)
{
	char *none[] = { NULL };
	int status;

	/* An empty argv becomes one empty string (Linux 5.18). */
	script("count", "#!/bin/sh\nexit $#\n");
	pid_t pid = OK(fork());
	if (pid == 0) {
		execve("count", none, none);
		_exit(98);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 0);
	pid = OK(fork());
	if (pid == 0) {
		execve("count", NULL, NULL);
		_exit(98);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WEXITSTATUS(status), 0);
}

CHECK(shell)
{
	script("sh", "#!/bin/sh -e\necho $0 $1 \"$2\"\nfalse\necho no\n");
	STREQ(output_of("./sh", 1), "./sh a b c\n");
	script("env", "#!/usr/bin/env sh\necho env $1\n");
	STREQ(output_of("./env", 0), "env a\n");
	script("long", "#!/bin/sh\nfor i in 1 2 3; do (exit $i); echo $?; done | tr 123 abc\n");
	STREQ(output_of("./long", 0), "a\nb\nc\n");
}

CHECK(fd_script)
{
	char *arguments[] = { "zero", "a", NULL };
	int status, ends[2];
	char text[64] = "", want[64];

	script("byfd", "#!/bin/sh\necho $0\n");
	OK(pipe(ends));
	int fd = OK(open("byfd", O_RDONLY));
	pid_t pid = OK(fork());
	if (pid == 0) {
		dup2(ends[1], 1);
		syscall(__NR_execveat, fd, "", arguments, arguments + 2, AT_EMPTY_PATH);
		_exit(98);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	OK(read(ends[0], text, sizeof(text)));
	snprintf(want, sizeof(want), "/dev/fd/%d\n", fd);
	STREQ(text, want);
	/* With close-on-exec the interpreter could not open it (fs/binfmt_script.c). */
	OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	ERR(syscall(__NR_execveat, fd, "", arguments, arguments + 2, AT_EMPTY_PATH), ENOENT);
	close(fd), close(ends[0]), close(ends[1]);
}

CHECK(errors)
{
	char *arguments[] = { "x", NULL }, *none[] = { NULL };

	script("s1", "#!/no/such/interpreter\n");
	ERR(execve("s1", arguments, none), ENOENT);
	script("s2", "#!\n");
	ERR(execve("s2", arguments, none), ENOEXEC);
	script("s3", "#!   \t \n");
	ERR(execve("s3", arguments, none), ENOEXEC);
	script("s4", "#!/etc\n");
	ERR(execve("s4", arguments, none), EACCES);
	script("s5", "#!s5\n");
	ERR(execve("s5", arguments, none), ELOOP);
	script("c5", "#!/bin/sh\n");
	script("c4", "#!c5\n");
	script("c3", "#!c4\n");
	script("c2", "#!c3\n");
	script("c1", "#!c2\n");
	script("c0", "#!c1\n");
	ERR(execve("c0", arguments, none), ELOOP);
	script("text", "echo no interpreter\n");
	ERR(execve("text", arguments, none), ENOEXEC);
	script("nothing", "%s", "");
	ERR(execve("nothing", arguments, none), ENOEXEC);
	OK(chmod("text", 0600));
	ERR(execve("text", arguments, none), EACCES);
	script("uses", "#!text\n");
	ERR(execve("uses", arguments, none), EACCES);
	OK(symlink("loop", "loop"));
	ERR(execve("loop", arguments, none), ELOOP);
	OK(symlink("c5", "link"));
	ERR(syscall(__NR_execveat, AT_FDCWD, "link", arguments, none, AT_SYMLINK_NOFOLLOW), ELOOP);
	char name[5000];
	memset(name, 'x', sizeof(name));
	name[300] = 0;
	ERR(execve(name, arguments, none), ENAMETOOLONG);
	name[300] = 'x', name[4999] = 0;
	ERR(execve(name, arguments, none), ENAMETOOLONG);
	OK(mkfifo("fifo", 0700));
	ERR(execve("fifo", arguments, none), EACCES);
	ERR(execve("/dev/null", arguments, none), EACCES);
	/* An ELF file of nothing but its first bytes. */
	script("elf", "%s", "\177ELF\1\1\1");
	ERR(execve("elf", arguments, none), ENOEXEC);
}

CHECK(too_big)
{
	/* One string of 128 KiB is too long, and all together have a quarter of the stack. */
	size_t size = 131072;
	char *text = malloc(size + 1), *arguments[] = { "x", text, NULL }, *none[] = { NULL };

	memset(text, 'x', size);
	text[size] = 0;
	ERR(execve("/bin/true", arguments, none), E2BIG);
	ERR(execve("/bin/true", none, arguments), E2BIG);
	char **many = calloc(400, sizeof(char *));
	text[size - 2] = 0;
	for (int i = 0; i < 399; i++)
		many[i] = text;
	ERR(execve("/bin/true", many, none), E2BIG);
	ERR(execve("/bin/true", none, many), E2BIG);
	many[4] = NULL;
	int status;
	pid_t pid = OK(fork());
	if (pid == 0) {
		execve("/bin/true", many, many);
		_exit(98);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, 0);
	free(text), free(many);
}

CHECK(nothing_is_lost)
{
	char *arguments[] = { "x", NULL };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 }, now;
	struct sigaction action;
	int fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));

	signal(SIGUSR1, SIG_IGN);
	OK(sigaltstack(&stack, NULL));
	ERR(execve("missing", arguments, arguments), ENOENT);
	script("bad", "#!/no/such\n");
	ERR(execve("bad", arguments, arguments), ENOENT);
	OK(fcntl(fd, F_GETFD));
	OK(sigaltstack(NULL, &now));
	TRUE(now.ss_sp == stack.ss_sp && now.ss_flags == 0);
	OK(sigaction(SIGUSR1, NULL, &action));
	TRUE(action.sa_handler == SIG_IGN);
	stack.ss_flags = SS_DISABLE;
	OK(sigaltstack(&stack, NULL));
	close(fd);
	signal(SIGUSR1, SIG_DFL);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0)
		self[n] = 0;
	if (strcmp(argv[0], "echoes") == 0) {
		for (int i = 0; i < argc; i++)
			printf("[%s]", argv[i]);
		printf("\n");
		return 0;
	}
	return check_main(argc, argv);
}
