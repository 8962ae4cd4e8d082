/* Eight threads, signals, forks, vforks that execute the program anew: all at once. The result says whether each of
 * them did all of its work, whatever a debugger did meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8

extern char **environ;
volatile int watched;
static int rounds, total, caught, born, failed;
static char *self;

__attribute__((noinline)) void around(long n)
{
    __atomic_add_fetch(&total, 1 + 0 * n, __ATOMIC_SEQ_CST);
}

static void handler(int number)
{
    (void)number;
    __atomic_add_fetch(&caught, 1, __ATOMIC_SEQ_CST);
}

static int status_of(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static void expect(int found, int wanted, const char *what)
{
    if (found == wanted)
        return;
    __atomic_add_fetch(&failed, 1, __ATOMIC_SEQ_CST);
    fprintf(stderr, "%s: %d\n", what, found);
}

static void *work(void *argument)
{
    long n = (long)argument;
    /* A stop between which and its instruction a handler runs is made again behind that. */
    sigset_t all, before;
    sigfillset(&all);
    for (int i = 0; i < rounds; i++) {
        pthread_sigmask(SIG_SETMASK, &all, &before);
        around(n);
        if (n == 0)
            watched = i;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (n == 1 && i % 8 == 0) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(3);
            expect(status_of(pid), 3, "forked");
            born++;
        }
        if (n == 2 && i % 8 == 0) {
            char *words[] = {self, "4", "exit", NULL};
            pid_t pid;
            int error = posix_spawn(&pid, self, NULL, NULL, words, environ);
            expect(error ? -error : status_of(pid), 4, "spawned");
        }
        if (n == 3)
            kill(getpid(), SIGUSR2);
        if (n > 3)
            pthread_kill(pthread_self(), SIGUSR1);
    }
    return 0;
}

int main(int argc, char **argv)
{
    rounds = atoi(argv[1]);
    if (argc > 2)
        return rounds;
    self = "/proc/self/exe";
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    pthread_t threads[THREADS];
    for (long n = 0; n < THREADS; n++)
        expect(pthread_create(&threads[n], 0, work, (void *)n), 0, "created");
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], 0);
    expect(total, THREADS * rounds, "calls");
    expect(watched, rounds - 1, "watched");
    expect(caught >= 4 * rounds, 1, "signals");
    return failed;
}
