/* For tests of Python's interface: functions to call, a loop that does not end, a fault that is repaired. */
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
    if (!strcmp(what, "environment")) {
        extern char **environ;
        for (char **one = environ; *one; one++)
            puts(*one);
        return 0;
    }
    return (int)crc32((const unsigned char *)"123456789", 9) + (int)sum(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
}
