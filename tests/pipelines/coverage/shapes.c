/* What of it is run depends on the machine, on a child and on the argument. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int of_the_child(void)
{
    return 3;
}

static int never(void)
{
    return 4;
}

int main(int argc, char **argv)
{
    int status;

    if (argc > 1 && strcmp(argv[1], "never") == 0)
        return never();
    if (fork() == 0)
        return of_the_child();
    wait(&status);
    return WEXITSTATUS(status) != 3;
}
