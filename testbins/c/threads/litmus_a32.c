// litmus.c's tests in A32 (there: T32).
// libs: -lpthread
// arches: arm
// cflags: -march=armv8-a+simd -marm
#include "litmus.c"
