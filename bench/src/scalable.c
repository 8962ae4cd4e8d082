// SVE: loops that gcc vectorises, and memcpy and strlen as a C library has them for vectors of any length. Not one of the
// workloads of `python -m bench`, since it has no host to compare with. By hand:
//   aarch64-linux-gnu-gcc -O3 -ffast-math -march=armv8-a+sve -static -o scalable bench/src/scalable.c
//   qusr-aarch64 -cpu max,sve256=on scalable [SCALE [NAME]]
// Prints the microseconds of CPU time that a call of each takes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEEP __attribute__((noinline))
enum { SIZE = 4096, USED = SIZE - 3, SIDE = 64 };

void *copy(void *to, const void *from, size_t size);
size_t length(const char *text);

// Two vectors under predicates; for more than that a loop.
__asm__(".arch armv8-a+sve\n"
        "copy: cntb x6\n\tcmp x2, x6, lsl #1\n\tb.hi 1f\n\t"
        "whilelo p0.b, xzr, x2\n\twhilelo p1.b, x6, x2\n\t"
        "ld1b z0.b, p0/z, [x1]\n\tld1b z1.b, p1/z, [x1, #1, mul vl]\n\t"
        "st1b z0.b, p0, [x0]\n\tst1b z1.b, p1, [x0, #1, mul vl]\n\tret\n"
        "1: mov x3, #0\n\twhilelo p0.b, x3, x2\n"
        "2: ld1b z0.b, p0/z, [x1, x3]\n\tst1b z0.b, p0, [x0, x3]\n\tincb x3\n\t"
        "whilelo p0.b, x3, x2\n\tb.first 2b\n\tret\n"
        // First-fault loads, so that what is behind the end of the text does no harm.
        "length: setffr\n\tptrue p2.b\n\tmov x1, #0\n"
        "3: ldff1b z0.b, p2/z, [x0, x1]\n\trdffrs p0.b, p2/z\n\tb.nlast 4f\n\t"
        "incb x1\n\tcmpeq p1.b, p2/z, z0.b, #0\n\tb.none 3b\n\tdecb x1\n\tb 5f\n"
        "4: cmpeq p1.b, p0/z, z0.b, #0\n\tb.any 5f\n\tsetffr\n\tincp x1, p0.b\n\tb 3b\n"
        "5: brkb p0.b, p2/z, p1.b\n\tincp x1, p0.b\n\tmov x0, x1\n\tret\n");

static float x[SIZE], y[SIZE];
float a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
static double u[SIZE], v[SIZE];
static int i[SIZE], j[SIZE];
static short h[SIZE];
static unsigned char s[SIZE], t[SIZE];

static KEEP void saxpy(float *restrict y, const float *restrict x, float k, int n) {
    for (int q = 0; q < n; q++) y[q] += k * x[q];
}
static KEEP void daxpy(double *restrict y, const double *restrict x, double k, int n) {
    for (int q = 0; q < n; q++) y[q] += k * x[q];
}
static KEEP void integers(int *restrict y, const int *restrict x, int n) {
    for (int q = 0; q < n; q++) y[q] = y[q] * 3 + x[q];
}
static KEEP void some(int *restrict y, const int *restrict x, int n) {
    for (int q = 0; q < n; q++)
        if (x[q] > 3) y[q] = x[q] + q;
}
static KEEP void widen(short *restrict y, const unsigned char *restrict x, int n) {
    for (int q = 0; q < n; q++) y[q] = (short)(x[q] * 2 + 1);
}
static KEEP void narrow(unsigned char *restrict y, const short *restrict x, int n) {
    for (int q = 0; q < n; q++) y[q] = (unsigned char)(x[q] >> 3);
}
static KEEP int sum(const int *x, int n) {
    int all = 0;
    for (int q = 0; q < n; q++) all += x[q];
    return all;
}
static KEEP float dot(const float *x, const float *y, int n) {
    float all = 0;
    for (int q = 0; q < n; q++) all += x[q] * y[q];
    return all;
}
static KEEP void gather(int *restrict y, const int *restrict x, const int *restrict at, int n) {
    for (int q = 0; q < n; q++) y[q] = x[at[q]];
}
static KEEP void pairs(int *restrict y, const int *restrict x, int n) {
    for (int q = 0; q < n; q++) y[q] = x[2 * q] + x[2 * q + 1];
}
static KEEP void matrices(void) {
    for (int p = 0; p < SIDE; p++)
        for (int k = 0; k < SIDE; k++)
            for (int q = 0; q < SIDE; q++) c[p][q] += a[p][k] * b[k][q];
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

#define TIME(name, usual, call)                                            \
    if (argc < 3 || strcmp(argv[2], name) == 0) {                          \
        long count = (long)((usual) * scale) + 1;                          \
        double start = now();                                              \
        for (long q = 0; q < count; q++) call;                             \
        printf("%-10s %9.4f\n", name, (now() - start) / (double)count * 1e6); \
    }

int main(int argc, char **argv) {
    double scale = argc > 1 ? atof(argv[1]) : 1;
    volatile unsigned sink = 0;
    char text[300];

    for (int q = 0; q < SIZE; q++) {
        x[q] = (float)q, u[q] = q, i[q] = q % 7, j[q] = q * 37 % SIZE;
        s[q] = (unsigned char)(1 + q % 100), h[q] = (short)q;
    }
    memset(text, 'a', sizeof(text));
    text[20] = 0;
    TIME("copy 7", 200000, copy(t, s, 7))
    TIME("copy 20", 200000, copy(t, s, 20))
    TIME("copy 1000", 20000, copy(t, s, 1001))
    TIME("length 20", 200000, sink += (unsigned)length(text))
    text[20] = 'a', text[250] = 0;
    TIME("length 250", 50000, sink += (unsigned)length(text))
    TIME("saxpy", 2000, saxpy(y, x, 1e-3f, USED))
    TIME("saxpy 13", 200000, saxpy(y, x, 1e-3f, 13))
    TIME("daxpy", 2000, daxpy(v, u, 1e-3, USED))
    TIME("integers", 2000, integers(i, j, USED))
    TIME("some", 2000, some(i, j, USED))
    TIME("widen", 2000, widen(h, s, USED))
    TIME("narrow", 2000, narrow(t, h, USED))
    TIME("sum", 2000, sink += (unsigned)sum(j, USED))
    TIME("dot", 2000, sink += (unsigned)dot(x, y, USED))
    TIME("gather", 1000, gather(i, (int *)x, j, USED))
    TIME("pairs", 1000, pairs(i, (int *)u, USED / 2))
    TIME("matrices", 10, (matrices(), sink += c[1][1] > 0))
    return 0;
}
