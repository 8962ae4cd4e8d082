// Directories through libc's interface without large-file support: inode numbers and
// positions have to fit into 32 bits, or else be made to.
#include "../check.h"

#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>

enum { ENTRIES = 250 };

static void fill(void)
{
	char path[64];

	if (mkdir("many", 0700) < 0)
		return;
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(path, sizeof(path), "many/%c%d", 'a' + i % 5, i);
		OK(close(creat(path, 0600)));
	}
}

CHECK(readdir)
{
	static char seen[ENTRIES];
	struct dirent *e;
	struct stat64 st;
	char path[300];
	int n = 0;
	DIR *d;

	fill();
	d = opendir("many");
	TRUE(d != NULL);
	for (;;) {
		errno = 0;
		if (!(e = readdir(d)))
			break;
		snprintf(path, sizeof(path), "many/%s", e->d_name);
		OK(lstat64(path, &st));
		/* (..'s number may be that of what is mounted over.) */
		if (strcmp(e->d_name, "..") != 0 && st.st_ino >> 32 == 0)
			EQ(e->d_ino, st.st_ino);
		if (e->d_name[0] != '.')
			TRUE(!seen[atoi(e->d_name + 1)]++);
		n++;
	}
	EQ(errno, 0);
	EQ(n, ENTRIES + 2);
	closedir(d);
}

CHECK(seekdir)
{
	static long place[ENTRIES + 2];
	static char name[ENTRIES + 2][32];
	struct dirent *e;
	int n = 0;
	DIR *d;

	fill();
	d = opendir("many");
	TRUE(d != NULL);
	for (;;) {
		errno = 0;
		long here = telldir(d);
		EQ(errno, 0);
		if (!(e = readdir(d)))
			break;
		place[n] = here;
		strcpy(name[n++], e->d_name);
	}
	EQ(n, ENTRIES + 2);
	for (int i = 1; i < n; i += 23) {
		seekdir(d, place[i]);
		e = readdir(d);
		TRUE(e != NULL);
		STREQ(e->d_name, name[i]);
		e = readdir(d);
		if (i + 1 < n)
			STREQ(e->d_name, name[i + 1]);
	}
	closedir(d);
}

CHECK(walks)
{
	struct dirent **list;
	glob_t g;
	int n;

	fill();
	n = OK(scandir("many", &list, NULL, alphasort));
	EQ(n, ENTRIES + 2);
	for (int i = 1; i < n; i++)
		TRUE(strcoll(list[i - 1]->d_name, list[i]->d_name) < 0);
	while (n-- > 0)
		free(list[n]);
	free(list);
	EQ(glob("many/b*", 0, NULL, &g), 0);
	EQ(g.gl_pathc, ENTRIES / 5);
	globfree(&g);
	EQ(glob("many/nothing*", 0, NULL, &g), GLOB_NOMATCH);
}

static int visited;

static int visit(const char *path, const struct stat *st, int kind,
		 struct FTW *place)
{
	(void)path, (void)st, (void)place;
	visited += kind == FTW_F;
	return 0;
}

CHECK(nftw)
{
	fill();
	OK(nftw("many", visit, 8, FTW_PHYS));
	EQ(visited, ENTRIES);
}

CHECK(removal_while_reading)
{
	struct dirent *e;
	char path[300];
	int n = 0;
	DIR *d;

	fill();
	d = opendir("many");
	TRUE(d != NULL);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "many/%s", e->d_name);
			OK(unlink(path));
			n++;
		}
	EQ(n, ENTRIES);
	closedir(d);
	OK(rmdir("many"));
}

CHECK_MAIN
