/* Writes a header that only a program of the target can know. */
#include <stdio.h>
#include <sys/utsname.h>

int main(int argc, char **argv)
{
    struct utsname name;
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;

    if (!out || uname(&name))
        return 1;
    fprintf(out, "#define MACHINE \"%s\"\n", name.machine);
    return fclose(out) != 0;
}
