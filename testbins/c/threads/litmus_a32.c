// litmus.c's tests in A32 (there: T32).
// libs: -lpthread
// no-reference: qemu-user takes long, and it is not the one to be judged
// arches: arm
// cflags: -march=armv8-a+simd -marm
#include "litmus.c"
