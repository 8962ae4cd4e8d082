// The same work by one thread and by two: `one` does it twice in turn, `two` at the same time. `create` makes threads
// that do nothing, one after the other.
// flags: -pthread
#include "bench.h"

#include <pthread.h>

static KEEP uint64_t collatz(uint64_t from, uint64_t to) {
    uint64_t steps = 0;
    for (uint64_t start = from; start < to; start++)
        for (uint64_t n = start; n != 1; steps++) n = n & 1 ? 3 * n + 1 : n / 2;
    return steps;
}

static void *body(void *argument) {
    uint64_t *share = argument;
    share[2] = collatz(share[0], share[1]);
    return NULL;
}

static uint64_t run_one(unsigned long count) {
    // 27 needs 111 steps.
    if (collatz(27, 28) != 111) wrong("threads: collatz(27)");
    return collatz(1, count) + collatz(count, 2 * count);
}

static uint64_t run_two(unsigned long count) {
    uint64_t first[3] = {1, count}, second[3] = {count, 2 * count};
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, second)) wrong("threads: no thread to be had");
    body(first);
    pthread_join(thread, NULL);
    return first[2] + second[2];
}

static void *same(void *argument) { return argument; }

static uint64_t run_create(unsigned long count) {
    uint64_t sum = 0;
    for (unsigned long n = 0; n < count; n++) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, NULL, same, (void *)n)) wrong("threads: no thread to be had");
        if (pthread_join(thread, &result)) wrong("threads: it is not to be joined");
        sum = mix(sum, (unsigned long)result);
    }
    return sum;
}

int main(int argc, char **argv) {
    static const struct workload table[] = {{"one", run_one}, {"two", run_two}, {"create", run_create}, {0}};
    return bench_main(argc, argv, table);
}
