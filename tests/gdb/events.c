/* What a debugger has to do with: calls, loops, signals, threads, a fork, an execve. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int counter;
int shared[4];
char text[32];
static volatile int caught;

__attribute__((noinline)) int add(int x)
{
    counter += x & 1;
    return counter;
}

static void handler(int number)
{
    caught = number;
}

static void *work(void *argument)
{
    long n = (long)argument;
    for (int i = 1; i <= 3; i++)
        shared[n] += i;
    return 0;
}

__attribute__((noinline)) int child(void)
{
    return 7;
}

__attribute__((noinline)) void loop(int count)
{
    for (int i = 0; i < count; i++)
        add(i);
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        puts("executed");
        return 5;
    }
    loop(argc > 1 ? 1000000 : 10);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    pthread_t threads[3];
    for (long n = 0; n < 3; n++)
        pthread_create(&threads[n], 0, work, (void *)n);
    for (int n = 0; n < 3; n++)
        pthread_join(threads[n], 0);
    int ends[2];
    if (pipe(ends) || write(ends[1], "hello", 5) != 5 || read(ends[0], text, 5) != 5)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(child());
    int status;
    waitpid(pid, &status, 0);
    printf("status %d caught %d text %s counter %d\n", WEXITSTATUS(status), caught, text, counter);
    fflush(stdout);
    execl("/proc/self/exe", argv[0], "x", "y", NULL);
    return 1;
}
