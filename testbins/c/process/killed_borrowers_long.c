// The same as killed_borrowers.c, for minutes.
// build: slow
// no-reference: qemu-user makes a forked copy of a vfork
// libs: -lpthread
#define ROUNDS 40
#include "killed_borrowers.c"
