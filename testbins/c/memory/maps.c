// /proc/self/maps and smaps tell of every mapping as it is.
#include "../check.h"

struct region {
	unsigned long start, end;
	char prot[8];
	unsigned long long offset;
	unsigned major, minor;
	unsigned long inode;
	char path[512];
};

static struct region regions[10000];

/* Reads with read(2) and without malloc, so that the map stays as it was. */
static int read_maps(void)
{
	static char text[1 << 20];
	int fd = OK(open("/proc/self/maps", O_RDONLY)), n, size = 0, count = 0;

	while ((n = OK(read(fd, text + size, sizeof(text) - 1 - size))) > 0)
		size += n;
	OK(close(fd));
	text[size] = 0;
	for (char *line = text; *line; count++) {
		struct region *r = &regions[count];
		int at = 0;
		char *end = strchr(line, '\n');

		TRUE(end != NULL);
		*end = 0;
		if (sscanf(line, "%lx-%lx %4s %llx %x:%x %lu %n", &r->start,
			   &r->end, r->prot, &r->offset, &r->major, &r->minor,
			   &r->inode, &at) != 7)
			FAIL("a line that is not like proc(5): \"%s\"", line);
		snprintf(r->path, sizeof(r->path), "%s", line + at);
		line = end + 1;
	}
	return count;
}

static struct region *region_of(const void *p)
{
	int n = read_maps();

	for (int i = 0; i < n; i++)
		if ((uintptr_t)p >= regions[i].start &&
		    (uintptr_t)p < regions[i].end)
			return &regions[i];
	return NULL;
}

CHECK(in_order)
{
	int n = read_maps();

	TRUE(n >= 4);
	for (int i = 0; i < n; i++) {
		TRUE(regions[i].start < regions[i].end);
		EQ(regions[i].start % 4096, 0);
		EQ(regions[i].end % 4096, 0);
		if (i)
			TRUE(regions[i - 1].end <= regions[i].start);
	}
}

CHECK(program)
{
	char exe[PATH_MAX] = "";
	struct region *r = region_of(&regions);
	struct stat st;

	TRUE(r != NULL);
	MEMEQ(r->prot, "rw-p", 4);
	r = region_of((void *)(uintptr_t)read_maps);
	TRUE(r != NULL);
	MEMEQ(r->prot, "r-xp", 4);
	OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	STREQ(r->path, exe);
	OK(stat(exe, &st));
	EQ(r->inode, (unsigned long)st.st_ino);
}

CHECK(stack_and_heap)
{
	int local;
	struct region *r = region_of(&local);

	TRUE(r != NULL);
	STREQ(r->path, "[stack]");
	MEMEQ(r->prot, "rw", 2);
	char *heap = sbrk(8192);
	r = region_of(heap + 100);
	TRUE(r != NULL);
	STREQ(r->path, "[heap]");
}

CHECK(mapped_file)
{
	int fd = OK(open("file", O_CREAT | O_RDWR | O_LARGEFILE, 0600));
	char *p, want[PATH_MAX + 8];
	struct region *r;
	struct stat64 st;

	OK(ftruncate64(fd, 0x140000000LL));
	OK(fstat64(fd, &st));
	p = mmap64(NULL, 3 * 65536, PROT_READ, MAP_SHARED, fd, 0x123450000LL);
	OK((long)p);
	r = region_of(p);
	TRUE(r != NULL);
	EQ(r->start, (uintptr_t)p);
	EQ(r->end, (uintptr_t)p + 3 * 65536);
	MEMEQ(r->prot, "r--s", 4);
	EQ(r->offset, 0x123450000LL);
	EQ(r->inode, (unsigned long)st.st_ino);
	snprintf(want, sizeof(want), "%s/file", check_directory);
	STREQ(r->path, want);
	/* A hole splits it; the second part's offset follows. */
	OK(munmap(p + 65536, 65536));
	r = region_of(p + 2 * 65536);
	EQ(r->start, (uintptr_t)p + 2 * 65536);
	EQ(r->offset, 0x123470000LL);
	TRUE(region_of(p + 65536) == NULL);
	OK(munmap(p, 3 * 65536));
	TRUE(region_of(p) == NULL);
	p = mmap64(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	OK(unlink("file"));
	r = region_of(p);
	MEMEQ(r->prot, "rw-p", 4);
	strcat(want, " (deleted)");
	STREQ(r->path, want);
	OK(munmap(p, 65536));
	OK(close(fd));
}

CHECK(anonymous_and_mprotect)
{
	char *p = mmap(NULL, 4 * 65536, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct region *r;

	OK(mprotect(p + 65536, 65536, PROT_NONE));
	OK(mprotect(p + 2 * 65536, 65536, PROT_READ));
	r = region_of(p + 65536);
	MEMEQ(r->prot, "---p", 4);
	EQ(r->start, (uintptr_t)p + 65536);
	EQ(r->end, (uintptr_t)p + 2 * 65536);
	STREQ(r->path, "");
	EQ(r->inode, 0);
	r = region_of(p + 2 * 65536);
	MEMEQ(r->prot, "r--p", 4);
	OK(mprotect(p, 4 * 65536, PROT_READ));
	r = region_of(p + 65536);
	TRUE(r->start <= (uintptr_t)p);
	TRUE(r->end >= (uintptr_t)p + 4 * 65536);
	OK(munmap(p, 4 * 65536));
}

CHECK(nothing_of_the_emulator)
{
	int n = read_maps();

	/* A 32-bit program has nothing above 4 GiB (and no region ends at 0). */
	for (int i = 0; i < n; i++)
		TRUE(regions[i].end > regions[i].start);
	char text[256];
	FILE *f = fopen("/proc/self/maps", "r");
	TRUE(f != NULL);
	while (fgets(text, sizeof(text), f)) {
		unsigned long long start, end;

		EQ(sscanf(text, "%llx-%llx", &start, &end), 2);
		if (sizeof(long) == 4)
			TRUE(end <= 0x100000000ULL);
		TRUE(!strstr(text, "python") && !strstr(text, "unicorn"));
	}
	fclose(f);
}

CHECK(smaps)
{
	char text[512];
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *f;
	int in = 0, size = -1, rss = -1;

	OK(mprotect(p + (1 << 19), 1 << 19, PROT_READ));
	memset(p, 1, 1 << 18);
	f = fopen("/proc/self/smaps", "r");
	TRUE(f != NULL);
	while (fgets(text, sizeof(text), f)) {
		unsigned long start, end;

		if (sscanf(text, "%lx-%lx ", &start, &end) == 2)
			in = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (in && strncmp(text, "Size:", 5) == 0)
			sscanf(text + 5, "%d", &size);
		else if (in && strncmp(text, "Rss:", 4) == 0)
			sscanf(text + 4, "%d", &rss);
	}
	fclose(f);
	TRUE(size >= 512);
	TRUE(rss >= 256);
	OK(munmap(p, 1 << 20));
}

CHECK_MAIN
