// build: slow
// libs: -lpthread
#include "storm.h"

/* A million together: 5 x 6 real-time signals for each number, and a plain one. */
enum { HALF = 1000000 / 2 / 31 + 1 };

CHECK(half_with_faults)
{
	storm(with_faults, HALF);
}

CHECK(half_all_sent)
{
	storm(all_sent, HALF);
}

CHECK_MAIN
