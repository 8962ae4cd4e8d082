/* For tests of Python's interface: functions to call, a loop that does not end, a fault that is repaired. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static sigjmp_buf repaired;
volatile unsigned long rounds;

__attribute__((noinline)) unsigned crc32(const unsigned char *bytes, unsigned long size)
{
    unsigned crc = ~0u;
    while (size--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

__attribute__((noinline)) long sum(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

volatile unsigned table[8];

__attribute__((noinline)) void fill(volatile unsigned *where, unsigned value)
{
    *where = 0x1000 + value;
}

static void *sums(void *argument)
{
    return (void *)(unsigned long)crc32((const unsigned char *)"1234", (unsigned long)argument);
}

static void handler(int number)
{
    (void)number;
    siglongjmp(repaired, 1);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "spin"))
        for (;;)
            rounds++;
    if (!strcmp(what, "sleep"))
        for (;;)
            sleep(1000);
    if (!strcmp(what, "fault")) {
        struct sigaction action = {.sa_handler = handler};
        sigaction(SIGSEGV, &action, NULL);
        if (!sigsetjmp(repaired, 1))
            *(volatile int *)0x10 = 1;
        return 7;
    }
    if (!strcmp(what, "copy")) {
        char line[64];
        ssize_t size = read(0, line, sizeof line);
        fprintf(stderr, "%zd\n", size);
        return write(1, line, (size_t)size) == size ? 0 : 1;
    }
    if (!strcmp(what, "stores")) {
        unsigned seen = 0;
        for (unsigned n = 1; n <= 3; n++)
            fill(&table[n], n);
        for (unsigned n = 0; n < 4; n++)
            seen += table[n];
        return (int)(seen + (unsigned)read(0, (char *)&table[4], sizeof table[4]));
    }
    if (!strcmp(what, "rounds")) {
        for (rounds = 0; rounds < 10000000; rounds++)
            ;
        return crc32((const unsigned char *)"a", 1) != 0xe8b7be43u;
    }
    if (!strcmp(what, "threads")) {
        pthread_t threads[4];
        for (long n = 0; n < 4; n++)
            pthread_create(&threads[n], NULL, sums, (void *)(n + 1));
        for (int n = 0; n < 4; n++)
            pthread_join(threads[n], NULL);
        return 0;
    }
    if (!strcmp(what, "environment")) {
        extern char **environ;
        for (char **one = environ; *one; one++)
            puts(*one);
        return 0;
    }
    return (int)crc32((const unsigned char *)"123456789", 9) + (int)sum(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
}
