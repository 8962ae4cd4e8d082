/* For programs that print "ok", or the line that is wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(what) \
	do { \
		if (!(what)) { \
			printf("line %d: %s (errno %d)\n", __LINE__, #what, errno); \
			exit(1); \
		} \
	} while (0)
