#include <stdio.h>
#include <sys/utsname.h>

int main(void)
{
    struct utsname name;

    if (uname(&name))
        return 1;
    return puts(name.machine) < 0;
}
