// libs: -lpthread
#include "storm.h"

CHECK(with_faults)
{
	storm(with_faults, 200);
}

CHECK(all_sent)
{
	storm(all_sent, 200);
}

CHECK_MAIN
