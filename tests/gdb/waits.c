/* Runs until a debugger says that it is enough. */
#include <unistd.h>

volatile int enough;

int main(void)
{
    while (!enough)
        usleep(1000);
    return enough;
}
