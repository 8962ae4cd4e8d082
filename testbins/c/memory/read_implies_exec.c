// READ_IMPLIES_EXEC of personality(2): what may be read may be executed, from then on.
// With arguments it prints the personality it started with instead, and what it means; `exec` and
// a program with its arguments are executed then.
#include "../check.h"

#include <sys/personality.h>
#include <sys/wait.h>

enum { PAGE = 4096 };

/* The rights of the mapping at `p` as /proc/self/maps shows them. */
static const char *rights(void *p)
{
	static char line[512];
	unsigned long start, end;
	char found[8] = "none";
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, found) == 3 &&
		    start <= (uintptr_t)p && (uintptr_t)p < end)
			break;
	fclose(file);
	return strcpy(line, found);
}

static char *fresh(int protection)
{
	/* With a neighbour of other rights on both sides, so that it is a line of its own. */
	char *p = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mmap(p + PAGE, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return p + PAGE;
}

CHECK(personality_of_the_process)
{
	int before = OK(personality(0xffffffff));
	char *kept = fresh(PROT_READ), *p;

	STREQ(rights(kept), "r--p");
	EQ(OK(personality(before | READ_IMPLIES_EXEC)), before);
	EQ(OK(personality(0xffffffff)), before | READ_IMPLIES_EXEC);
	STREQ(rights(fresh(PROT_READ)), "r-xp");
	STREQ(rights(fresh(PROT_READ | PROT_WRITE)), "rwxp");
	STREQ(rights(fresh(PROT_WRITE)), "-w-p");
	STREQ(rights(fresh(PROT_NONE)), "---p");
	STREQ(rights(kept), "r--p");
	p = fresh(PROT_NONE);
	OK(mprotect(p, PAGE, PROT_READ));
	STREQ(rights(p), "r-xp");
	OK(mprotect(kept, PAGE, PROT_READ | PROT_WRITE));
	STREQ(rights(kept), "rwxp");
	EQ(OK(personality(before)), before | READ_IMPLIES_EXEC);
	STREQ(rights(fresh(PROT_READ)), "r--p");
	STREQ(rights(p), "r-xp");
}

CHECK(children_inherit_it)
{
	int before = OK(personality(0xffffffff)), status;
	pid_t child;

	OK(personality(before | READ_IMPLIES_EXEC));
	child = OK(fork());
	if (child == 0)
		_exit(strcmp(rights(fresh(PROT_READ)), "r-xp") != 0);
	EQ(OK(waitpid(child, &status, 0)), child);
	EQ(status, 0);
	OK(personality(before));
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		printf("%s %s\n", personality(0xffffffff) & READ_IMPLIES_EXEC ? "implied" : "not",
		       rights(fresh(PROT_READ)));
		fflush(stdout);
		return argc > 2 && execv(argv[2], argv + 2);
	}
	return check_main(argc, argv);
}
