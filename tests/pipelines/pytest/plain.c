/* A program without cases: its status is all that it says. */
#include <stdio.h>

int main(void)
{
    puts("no engine, today");
    return STATUS;
}
