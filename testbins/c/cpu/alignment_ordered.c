// arches: aarch64
// build: native-core
// cflags-aarch64: -march=armv8.4-a
// Those that qemu, and so the Unicorn core, lets be misaligned (docs/internals.md).
#define ORDERED
#include "alignment.c"
