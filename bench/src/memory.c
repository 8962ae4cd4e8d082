// Memory: the C library's memcpy and strlen, loads far apart, a chain of pointers.
#include "bench.h"

enum { SIZE = 1 << 20 };

static uint64_t run_memcpy(unsigned long count) {
    static uint8_t from[SIZE + 64], to[SIZE + 64];
    uint64_t random = 8, sum = 0;
    for (size_t i = 0; i < sizeof from; i++) from[i] = (uint8_t)(next_random(&random) >> 56);
    for (unsigned long round = 0; round < count; round++) {
        // Long and short ones, aligned and not.
        memcpy(to + (round & 15), from + (round & 7), SIZE / 4);
        for (size_t at = 0; at + 64 < 16384; at += 40) memcpy(to + SIZE / 2 + at, from + at, 33);
        if (memcmp(to + (round & 15), from + (round & 7), SIZE / 4)) wrong("memcpy: a bad copy");
        sum = mix(sum, to[(round * 977) % (SIZE / 4)]);
    }
    return sum;
}

static uint64_t run_strlen(unsigned long count) {
    static char text[16384];
    size_t (*volatile length)(const char *) = strlen;
    uint64_t sum = 0;
    memset(text, 'x', sizeof text - 1);
    for (unsigned long round = 0; round < count; round++)
        for (size_t size = 1; size < sizeof text; size = size * 3 + (round & 3)) {
            text[size] = 0;
            if (length(text) != size || length(text + size / 2) != size - size / 2)
                wrong("strlen: not %zu", size);
            text[size] = 'x';
            sum += size;
        }
    return sum;
}

static uint64_t run_stride(unsigned long count) {
    static uint32_t words[SIZE];
    uint64_t sum = 0;
    for (size_t i = 0; i < SIZE; i++) words[i] = (uint32_t)i;
    for (unsigned long round = 0; round < count; round++) {
        uint64_t part = 0;
        for (size_t start = 0; start < 1040; start++)
            for (size_t i = start; i < SIZE; i += 1040) part += words[i];
        // Every word once: 0 + 1 + ... + SIZE-1.
        if (part != (uint64_t)SIZE * (SIZE - 1) / 2) wrong("stride: a wrong sum");
        sum += part;
    }
    return sum;
}

static uint64_t run_chase(unsigned long count) {
    enum { LINKS = 1 << 16 };
    static uint32_t order[LINKS];
    static struct link { struct link *next; uint64_t pad[3]; } links[LINKS];
    uint64_t random = 9;
    for (uint32_t i = 0; i < LINKS; i++) order[i] = i;
    for (uint32_t i = LINKS - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(next_random(&random) >> 32) % (i + 1), t = order[i];
        order[i] = order[j], order[j] = t;
    }
    for (uint32_t i = 0; i < LINKS; i++)
        links[order[i]].next = &links[order[(i + 1) % LINKS]];
    struct link *at = links;
    for (unsigned long round = 0; round < count; round++) {
        for (uint32_t i = 0; i < LINKS; i++) at = at->next;
        if (at != links) wrong("chase: the chain does not close");
    }
    return (uint64_t)(at - links) + count;
}

int main(int argc, char **argv) {
    static const struct workload table[] = {
        {"memcpy", run_memcpy}, {"strlen", run_strlen}, {"stride", run_stride},
        {"chase", run_chase},   {0},
    };
    return bench_main(argc, argv, table);
}
