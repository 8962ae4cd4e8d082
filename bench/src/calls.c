// System calls, one after the other.
#include "bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t run_getppid(unsigned long count) {
    long parent = getppid();
    for (unsigned long i = 0; i < count; i++)
        if (syscall(SYS_getppid) != parent) wrong("getppid: another parent");
    return count;
}

static uint64_t run_pread(unsigned long count) {
    int fd = open("/proc/self/exe", O_RDONLY);
    char byte;
    for (unsigned long i = 0; i < count; i++)
        if (pread(fd, &byte, 1, 1) != 1 || byte != 'E') wrong("pread: not the E of \\177ELF");
    close(fd);
    return count;
}

static uint64_t run_stat(unsigned long count) {
    struct stat info;
    for (unsigned long i = 0; i < count; i++)
        if (stat("/", &info) || !S_ISDIR(info.st_mode)) wrong("stat: / is no directory");
    return count;
}

static uint64_t run_open(unsigned long count) {
    for (unsigned long i = 0; i < count; i++) {
        int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || close(fd)) wrong("open: / cannot be opened or closed");
    }
    return count;
}

int main(int argc, char **argv) {
    static const struct workload table[] = {
        {"getppid", run_getppid},
        {"pread", run_pread},
        {"stat", run_stat},
        {"open", run_open},
        {0},
    };
    return bench_main(argc, argv, table);
}
