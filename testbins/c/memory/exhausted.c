// A program that uses up all mappings is told so, and goes on.
#include "../check.h"
#include <sys/wait.h>

#define ROOM (160 * 1024UL)

static long page;

/* Splits an inaccessible mapping until no more can be had; how many pages were opened. */
static long split(char *room)
{
	long count = 0;

	for (unsigned long i = 0; i < ROOM; i += 2) {
		if (mprotect(room + i * page, page, PROT_READ | PROT_WRITE)) {
			EQ(errno, ENOMEM);
			return count;
		}
		count++;
	}
	return -1;
}

CHECK(all_mappings)
{
	char *room, *more;
	int status;
	long count;

	page = sysconf(_SC_PAGESIZE);
	room = mmap(NULL, ROOM * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	OK((long)room);
	count = split(room);
	/* Half of the usual 65,530: each opens one and cuts one. */
	TRUE(count > 20000);
	room[0] = 1;
	room[(count - 1) * 2 * page] = 2;
	/* Nothing more can be had, whatever asks for it. */
	for (int i = 0; i < 300; i++)
		ERR(mprotect(room + (count + i) * 2 * page, page, PROT_READ), ENOMEM);
	/* A whole mapping can be unmapped, whatever is beside it. */
	for (int i = 0; i < 64; i++)
		OK(munmap(room + 2 * i * page, 2 * page));
	/* Its place can be used again. */
	more = mmap(room, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	TRUE(more == room);
	more[0] = 3;
	EQ(room[(count - 1) * 2 * page], 2);
	/* Children can be made, and end. */
	pid_t child = OK(fork());
	if (child == 0)
		_exit(room[(count - 1) * 2 * page]);
	OK(waitpid(child, &status, 0));
	EQ(WEXITSTATUS(status), 2);
	OK(munmap(room, ROOM * page));
	more = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)more);
}

CHECK(scattered)
{
	/* With holes between: the same number of times, or until there are no more. */
	size_t size = 64 * 1024;
	char *room = mmap(NULL, 40000 * size / 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long count = 0;
	char *last = NULL;

	OK((long)room);
	OK(munmap(room, 40000 * size / 16));
	for (long i = 0; i < 40000; i++) {
		char *at = mmap(room + i * size / 16, page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (at == MAP_FAILED)
			break;
		EQ((i & 1) ? mprotect(at, page, PROT_READ) : 0, 0);
		last = at;
		count++;
	}
	TRUE(count > 20000);
	EQ(*last, 0);
	for (long i = 0; i < count; i++)
		OK(munmap(room + i * size / 16, page));
}

/* Small mappings, as many as there is room for: tests/test_limits_of_host.py gives it little. */
CHECK(small)
{
	static char *at[40000];
	int count = 0, status;

	page = sysconf(_SC_PAGESIZE);
	for (; count < 40000; count++) {
		at[count] = mmap(NULL, page, PROT_READ | (count & 1) * PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at[count] == MAP_FAILED) {
			EQ(errno, ENOMEM);
			break;
		}
	}
	TRUE(count > 1000);
	for (int i = 1; i < 1000; i += 2)
		*at[i] = i;
	for (int i = 0; i < 100; i++)
		OK(munmap(at[count - 1 - i], page));
	pid_t child = OK(fork());
	if (child == 0)
		_exit(*at[5]);
	OK(waitpid(child, &status, 0));
	EQ(WEXITSTATUS(status), 5);
	for (int i = 0; i < count - 100; i++)
		OK(munmap(at[i], page));
	OK((long)mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

CHECK_MAIN
