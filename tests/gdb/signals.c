/* Handlers, masks, an alternate stack, a signal that waits, an open file: for who enumerates them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static char stack[65536];
static volatile int begun, enough;

static void handler(int number)
{
    (void)number;
}

__attribute__((noinline)) void ready(void *of_handler, void *of_stack)
{
    (void)of_handler, (void)of_stack;
    __asm__ volatile("" ::: "memory");
}

static void *wait_for_the_end(void *argument)
{
    (void)argument;
    begun = 1;
    while (!enough)
        usleep(1000);
    return 0;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGUSR2, &action, 0);
    signal(SIGPIPE, SIG_IGN);
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, 0);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    pthread_t thread;
    pthread_create(&thread, 0, wait_for_the_end, 0);
    /* Until it executes its function the C library has blocked all signals for it. */
    while (!begun)
        usleep(1000);
    pthread_sigmask(SIG_SETMASK, &blocked, 0);
    pthread_kill(pthread_self(), SIGUSR1);
    int fd = open(argv[argc - 1], O_RDONLY | O_CLOEXEC);
    lseek(fd, 5, SEEK_SET);
    dup2(fd, 77);
    ready((void *)handler, stack);
    enough = 1;
    pthread_join(thread, 0);
    return 0;
}
