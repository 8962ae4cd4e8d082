/* Return addresses that are signed: to be compiled with -mbranch-protection=pac-ret. */
#include <stdlib.h>

volatile int depth;

__attribute__((noinline)) int innermost(int n)
{
    depth = n;
    return n + 1;
}

__attribute__((noinline)) int down(int n)
{
    int below = n == 0 ? innermost(5) : down(n - 1);

    return below + depth;
}

int main(void)
{
    exit(down(3) == 26 ? 6 : 1);
}
