// The same with 100,000 signals from another process in each storm test.
// libs: -lpthread -lrt
// build: slow varies
#define SLOW
#include "timers.c"
