// The same with the counts of the slow tests: faults, signals, forks by the ten thousand.
// libs: -lpthread
// build: slow
#define SLOW
#include "faults.c"
