/* What the kernel reads of a program's memory. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

char buffer[64] = "what is written";
char vector[64] = "what writev writes";
char message[64] = "what sendmsg sends";
char path[64] = "/dev/null";
volatile int same = 7;

__attribute__((noinline)) void begin(void)
{
    __asm__ volatile("");
}

int main(void)
{
    int ends[2], pair[2];
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        return 1;
    begin();
    if (write(ends[1], buffer, 16) != 16)
        return 2;
    struct iovec parts[2] = {{"x", 1}, {vector, 8}};
    if (writev(ends[1], parts, 2) != 9)
        return 3;
    struct iovec part = {message, 8};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (sendmsg(pair[0], &head, 0) != 8)
        return 4;
    if (open(path, O_RDONLY) < 0)
        return 5;
    same = 7;
    puts("done");
    return 0;
}
