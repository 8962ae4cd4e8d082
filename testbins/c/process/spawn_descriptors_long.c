// The same for a thousand spawns.
// build: slow
// libs: -lpthread
#define SPAWNS 500
#include "spawn_descriptors.c"
