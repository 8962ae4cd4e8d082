/* Takes a file apart, byte by byte; a debugger goes back to before. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char seen[64];
int length;
static volatile sig_atomic_t caught;

static void handler(int number)
{
    (void)number;
    caught++;
}

__attribute__((noinline)) void one(int byte)
{
    seen[length++] = (char)byte;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    signal(SIGUSR1, handler);
    int fd = open(argv[1], O_RDONLY);
    char byte;
    while (read(fd, &byte, 1) == 1)
        one(byte);
    /* The C library knows its thread by the id in memory. */
    raise(SIGUSR1);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(6);
    /* No copy is a child that it could wait for. */
    pid_t first = wait(&status), second = wait(0);
    printf("%s caught %d child %d %d others %d\n", seen, (int)caught, first == pid,
           WEXITSTATUS(status), (int)second);
    return length;
}
