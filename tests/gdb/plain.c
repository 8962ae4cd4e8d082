/* Without a C library, for guests that have none here. */
#include "nolibc.h"

volatile int counter;
volatile int beside;
char text[] = "plain";

__attribute__((noinline)) int add(int x)
{
    counter += x;
    beside = 11;
    return counter;
}

int main(int argc, char **argv, char **envp)
{
    (void)argv, (void)envp;
    if (argc > 1)
        printf("loud\n");
    for (int i = 0; i < 100; i++) {
        add(i);
        if (beside != 11)
            return 2;
    }
    return counter == 4950 ? 9 : 1;
}
