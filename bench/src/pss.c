// pss COMMAND...: runs a command until it has written a line, and writes how much memory it takes then:
// "0 KiB line", by Pss of /proc/PID/smaps_rollup (proc(5)): what it shares counts in parts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int in[2], out[2];
    if (argc < 2 || pipe(in) || pipe(out)) return 2;
    pid_t child = fork();
    if (child < 0) return 3;
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    char said[64] = {0}, name[64], line[256];
    FILE *from = fdopen(out[0], "r");
    if (!from || !fgets(said, sizeof said, from)) return 4;
    said[strcspn(said, "\n")] = 0;
    snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)child);
    FILE *rollup = fopen(name, "r");
    long pss = -1;
    while (rollup && fgets(line, sizeof line, rollup) && sscanf(line, "Pss: %ld", &pss) != 1) {
    }
    close(in[1]);
    int status;
    waitpid(child, &status, 0);
    for (char *at = said; *at; at++) {
        if (*at == ' ') *at = '_';
    }
    printf("0 %ld %s\n", pss, said);
    return pss < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}
