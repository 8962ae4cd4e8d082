// The first program that anyone runs: prebuilt/hello-* are made from it (make prebuilt).
// arches: aarch64 arm x86_64
// cflags: -Os -Wl,-z,noseparate-code
#include "nolibc.h"

int main(int argc, char **argv, char **envp)
{
    (void)argv, (void)envp;
#if defined(__aarch64__)
    printf("Hello from aarch64!\n");
#elif defined(__arm__)
    printf("Hello from arm!\n");
#else
    printf("Hello from this machine!\n");
#endif
    return argc - 1;
}
