/* Without a C library, for guests that have none here. */
#include "nolibc.h"

volatile int counter;

__attribute__((noinline)) int add(int x)
{
    counter += x;
    return counter;
}

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    for (int i = 0; i < 100; i++)
        add(i);
    return counter == 4950 ? 9 : 1;
}
