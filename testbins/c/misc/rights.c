// build: varies
// Prints its user and group ids (real, effective, saved) and AT_SECURE; then executes its arguments, if
// there are any. For tests/test_binfmt.py, as a set-user-ID program.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) || getresgid(&g[0], &g[1], &g[2]))
		return 1;
	printf("%d %d %d / %d %d %d / %lu\n", u[0], u[1], u[2], g[0], g[1], g[2],
	       getauxval(AT_SECURE));
	fflush(stdout);
	if (argc > 1)
		return execv(argv[1], argv + 1), 2;
	return 0;
}
