// What the benchmark programs share: `program WORKLOAD COUNT` runs one workload of its table and
// prints "ns-of-CPU ns-of-wall check". The check depends on all that was computed, so it is the
// same on every machine; what a workload can see to be wrong by itself ends it with a message.
#ifndef BENCH_H
#define BENCH_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Neither inlined nor known to be without effects, so each call is made.
#define KEEP __attribute__((noipa))

struct workload {
    const char *name;
    uint64_t (*run)(unsigned long count);
};

static inline void wrong(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static inline int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now)) wrong("clock_gettime failed");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// xorshift64*: the same numbers everywhere.
static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

static inline uint64_t mix(uint64_t sum, uint64_t value) {
    return (sum ^ value) * UINT64_C(0x100000001B3);
}

static inline int bench_main(int argc, char **argv, const struct workload *table) {
    if (argc == 3) {
        unsigned long count = strtoul(argv[2], NULL, 10);
        for (; table->name; table++) {
            if (strcmp(table->name, argv[1])) continue;
            int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
            uint64_t check = table->run(count);
            cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
            wall = clock_ns(CLOCK_MONOTONIC) - wall;
            printf("%lld %lld %016llx\n", (long long)cpu, (long long)wall,
                   (unsigned long long)check);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s WORKLOAD COUNT\n", argv[0]);
    return 2;
}

#endif
