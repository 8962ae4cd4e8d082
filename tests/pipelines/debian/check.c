/* A test: passes for each number but 0, on the machine that the generator has seen. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "machine.h"

int main(int argc, char **argv)
{
    struct utsname name;

    if (uname(&name) || strcmp(name.machine, MACHINE) != 0)
        return 99;
    return argc > 1 && atoi(argv[1]) == 0;
}
