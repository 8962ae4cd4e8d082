/* Moves of memory, by the C library and by the compiler: how far they reach is known when they are made. */
#include <string.h>

char from[64], to[64], set[64];
struct part {
    char bytes[24];
};

__attribute__((noinline)) static void copy(char *there, const char *here, size_t size)
{
    memcpy(there, here, size);
}

__attribute__((noinline)) static void copy_whole(struct part *there, const struct part *here)
{
    *there = *here;
}

__attribute__((noinline)) static void clear(char *there, size_t size)
{
    memset(there, 0, size);
}

int main(int argc, char **argv)
{
    (void)argv;
    size_t size = (size_t)argc + 19;
    copy(to + 8, from + 8, size);
    copy_whole((struct part *)(to + 32), (const struct part *)(from + 32));
    clear(set + 8, size);
    return 0;
}
