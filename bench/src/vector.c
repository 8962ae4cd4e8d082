// Loops that the compiler turns into vector instructions, each compared with a scalar sum.
// flags: -O3 -ffp-contract=off
// Debian's armhf compiler makes no vector instructions of itself, and of floating point only if denormals may be lost.
// flags-arm: -mfpu=neon -funsafe-math-optimizations
#include "bench.h"

enum { SIZE = 4096 };

static KEEP void saxpy(float *restrict y, const float *restrict x, float a) {
    for (int i = 0; i < SIZE; i++) y[i] = a * x[i] + y[i];
}

static uint64_t run_saxpy(unsigned long count) {
    static float x[SIZE], y[SIZE];
    for (int i = 0; i < SIZE; i++) x[i] = (float)(i % 64), y[i] = 0;
    // Whole numbers below 2^24 are exact in a float.
    for (unsigned long round = 0; round < count; round++) saxpy(y, x, round & 1 ? -2.0f : 2.0f);
    for (int i = 0; i < SIZE; i++)
        if (y[i] != (count & 1 ? 2.0f * x[i] : 0.0f)) wrong("saxpy: y[%d] is %g", i, y[i]);
    return count;
}

static KEEP int32_t dot(const int16_t *restrict a, const int16_t *restrict b) {
    int32_t sum = 0;
    for (int i = 0; i < SIZE; i++) sum += a[i] * b[i];
    return sum;
}

static uint64_t run_dot(unsigned long count) {
    static int16_t a[SIZE], b[SIZE];
    uint64_t random = 10, sum = 0;
    int32_t expected = 0;
    for (int i = 0; i < SIZE; i++) {
        a[i] = (int16_t)((int)(next_random(&random) >> 55) - 256);
        b[i] = (int16_t)((int)(next_random(&random) >> 55) - 256);
        volatile int32_t product = a[i] * b[i];
        expected += product;
    }
    for (unsigned long round = 0; round < count; round++) {
        b[round % SIZE]++;
        expected += a[round % SIZE];
        int32_t got = dot(a, b);
        if (got != expected) wrong("dot: %d is not %d", got, expected);
        sum = mix(sum, (uint32_t)got);
    }
    return sum;
}

static KEEP uint32_t difference(const uint8_t *restrict a, const uint8_t *restrict b) {
    uint32_t sum = 0;
    for (int i = 0; i < SIZE; i++) sum += (uint32_t)abs(a[i] - b[i]);
    return sum;
}

static uint64_t run_sad(unsigned long count) {
    static uint8_t a[SIZE], b[SIZE];
    uint64_t random = 11, sum = 0;
    uint32_t expected = 0;
    for (int i = 0; i < SIZE; i++) {
        a[i] = (uint8_t)(next_random(&random) >> 56), b[i] = (uint8_t)(next_random(&random) >> 56);
        volatile int part = a[i] - b[i];
        expected += (uint32_t)(part < 0 ? -part : part);
    }
    for (unsigned long round = 0; round < count; round++) {
        uint32_t got = difference(a, b);
        if (got != expected) wrong("sad: %u is not %u", got, expected);
        sum = mix(sum, got);
    }
    return sum;
}

static KEEP void clamp(int32_t *restrict out, const int32_t *restrict in, int32_t low, int32_t high) {
    for (int i = 0; i < SIZE; i++) {
        int32_t v = in[i] < low ? low : in[i];
        out[i] = (v > high ? high : v) << 1 ^ in[i] >> 3;
    }
}

static uint64_t run_clamp(unsigned long count) {
    static int32_t in[SIZE], out[SIZE];
    uint64_t random = 12, sum = 0;
    for (int i = 0; i < SIZE; i++) in[i] = (int32_t)(next_random(&random) >> 44) - (1 << 19);
    for (unsigned long round = 0; round < count; round++) {
        clamp(out, in, -1000 - (int32_t)round % 100, 1000);
        volatile int32_t v = in[round % SIZE];
        int32_t low = -1000 - (int32_t)round % 100, kept = v < low ? low : v > 1000 ? 1000 : v;
        if (out[round % SIZE] != (kept * 2 ^ v >> 3)) wrong("clamp: element %lu", round % SIZE);
        sum = mix(sum, (uint32_t)out[(round * 31) % SIZE]);
    }
    return sum;
}

int main(int argc, char **argv) {
    static const struct workload table[] = {
        {"saxpy", run_saxpy}, {"dot", run_dot}, {"sad", run_sad}, {"clamp", run_clamp}, {0},
    };
    return bench_main(argc, argv, table);
}
