// meter SECONDS FD COMMAND...: runs a command and writes to descriptor FD what it took:
// "wall-ns user-us system-us maxrss-KiB status signal timed-out".
// A program of its own, since a child's largest RSS is never told as less than that of the process
// which started it (exec keeps it), and the harness is larger than what is measured.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t late;

static void on_alarm(int signal) {
    (void)signal;
    late = 1;
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int out = atoi(argv[2]), status = 0;
    struct rusage used = {0};
    fcntl(out, F_SETFD, FD_CLOEXEC);
    signal(SIGALRM, on_alarm);
    long long start = now();
    child = fork();
    if (child == 0) {
        setpgid(0, 0);
        execvp(argv[3], argv + 3);
        fprintf(stderr, "%s: %s\n", argv[3], strerror(errno));
        _exit(127);
    }
    if (child < 0) return 3;
    setpgid(child, child);
    alarm((unsigned)atoi(argv[1]));
    while (wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
    }
    long long wall = now() - start;
    dprintf(out, "%lld %lld %lld %ld %d %d %d\n", wall,
            used.ru_utime.tv_sec * 1000000LL + used.ru_utime.tv_usec,
            used.ru_stime.tv_sec * 1000000LL + used.ru_stime.tv_usec, used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            (int)late);
    return 0;
}
