/* Tells how it was started. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    const char *made = getenv("NEW"), *home = getenv("HOME");
    printf("%s NEW=%s HOME=%s in %s\n", argv[argc - 1], made ? made : "none", home ? home : "none",
           getcwd(path, sizeof path));
    return argc;
}
