/* Threads and forks that keep a debugger busy. The result says whether all of it was done. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

int rounds = 300;
int total;
int watched;
static volatile sig_atomic_t enough;
static pthread_barrier_t all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noinline)) void around(long n)
{
    __atomic_add_fetch(&total, 1 + 0 * n, __ATOMIC_SEQ_CST);
}

static void *circle(void *argument)
{
    pthread_barrier_wait(&all);
    for (int i = 0; i < rounds; i++) {
        around((long)argument);
        if ((long)argument == 0)
            usleep(2000);
        else
            usleep(500);
    }
    return 0;
}

static void *short_lived(void *argument)
{
    pthread_mutex_lock(&lock);
    watched++;
    pthread_mutex_unlock(&lock);
    around((long)argument);
    return 0;
}

static int run_circle(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&all, 0, THREADS + 1);
    for (long n = 0; n < THREADS; n++)
        pthread_create(&threads[n], 0, circle, (void *)n);
    pthread_barrier_wait(&all);
    puts("ready");
    fflush(stdout);
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], 0);
    return total != THREADS * rounds;
}

static void end(int number)
{
    (void)number;
    enough = 1;
}

/* Rounds of eight threads and a fork. */
static int run_storm(int count)
{
    int failed = 0, i;
    signal(SIGTERM, end);
    /* A debugger that steps over a breakpoint counts it anew when a signal comes in between. */
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, 0);
    for (i = 0; i < count && !enough; i++) {
        pthread_t threads[THREADS];
        for (long n = 0; n < THREADS; n++)
            pthread_create(&threads[n], 0, short_lived, (void *)n);
        pid_t pid = fork();
        if (pid == 0)
            _exit(3);
        int status;
        pid_t ended;
        while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
            ;
        if (ended != pid || WEXITSTATUS(status) != 3)
            failed++;
        for (int n = 0; n < THREADS; n++)
            pthread_join(threads[n], 0);
    }
    return failed || total != THREADS * i || watched != THREADS * i;
}

int main(int argc, char **argv)
{
    if (argc > 2)
        rounds = 0, sscanf(argv[2], "%d", &rounds);
    return strcmp(argv[1], "circle") ? run_storm(rounds) : run_circle();
}
