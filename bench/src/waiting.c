// As hello.c, and then it waits for the end of its input, so that one can look at it.
#include <stdio.h>
#include <unistd.h>

int main(void) {
    char byte;
    puts("Hello, world");
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}
