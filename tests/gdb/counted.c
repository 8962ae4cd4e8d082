/* Some thousand instructions of all that ends translations: calls, returns, loops, jumps by table, system calls,
 * conditional instructions, and an access in the midst of others that faults. */
#include "nolibc.h"

volatile int watched;
volatile unsigned kept;
static unsigned words[16];

__attribute__((noinline)) static unsigned twice(unsigned x)
{
    return 2 * x;
}

__attribute__((noinline)) static unsigned next(unsigned x)
{
    return x + 1;
}

static unsigned (*const volatile functions[2])(unsigned) = {twice, next};

__attribute__((noinline)) static unsigned fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

__attribute__((noinline)) static unsigned choose(unsigned n)
{
    switch (n % 7) {
    case 0: return n * 3;
    case 1: return n + kept;
    case 2: return n >> 3;
    case 3: return n > 40 ? n - 40 : 40 - n;
    case 4: return n ^ 0x55;
    case 5: return (n & 8) != 0 && kept > 5 ? 1 : n;
    }
    return 7;
}

__attribute__((noinline)) void round_of(unsigned n)
{
    for (int i = 0; i < 16; i++) {
        words[i] += choose(n + i);
        if (words[i] & 1)
            kept++;
    }
    kept += functions[n & 1](n) + fib(n % 6);
    if (n % 4 == 3)
        watched = n;
    if (n % 5 == 0)
        syscall6(__NR_getppid, 0, 0, 0, 0, 0, 0);
}

__attribute__((noinline)) void fault(unsigned *from)
{
    unsigned a = words[1], b = words[2];
    kept = a;
    kept = b + from[0];
    kept = a + b;
}

int main(int argc, char **argv, char **envp)
{
    (void)argv, (void)envp;
    for (unsigned n = 0; n < 4; n++)
        round_of(n);
    fault((unsigned *)(long)(16 * argc));
    return 0;
}
