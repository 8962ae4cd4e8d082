/* A fault of each kind that a sanitizer sees, by its number. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int shared;

static void *count(void *unused)
{
    for (int i = 0; i < 1000; i++)
        shared++;
    return unused;
}

static void race(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, count, NULL);
    count(NULL);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    int kind = argc > 1 ? atoi(argv[1]) : 0;
    char *memory = malloc(10);
    volatile int number = INT_MAX;

    switch (kind) {
    case 1: memory[9 + argc - 1] = 1; break;
    case 2: free(memory); memory[0] = 1; break;
    case 3: number += argc; break;
    case 4: memory = NULL; break;
    case 5: race(); break;
    }
    if (kind != 2)
        free(memory);
    return puts("done") < 0;
}
