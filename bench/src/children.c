// Processes that do one thing, one after the other: the price of a child, with what the emulator has to get ready in it.
#include "bench.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *itself;

static void ended(pid_t child) {
    int status;
    if (waitpid(child, &status, 0) != child || status) wrong("a child failed: %#x", status);
}

// What CALL returns is the child's status: none of them may fail.
#define CHILDREN(NAME, CALL)                                  \
    static uint64_t run_##NAME(unsigned long count) {         \
        for (unsigned long i = 0; i < count; i++) {           \
            pid_t child = fork();                             \
            if (child < 0) wrong("fork failed");              \
            if (!child) _exit((CALL) != 0);                   \
            ended(child);                                     \
        }                                                     \
        return count;                                         \
    }

CHILDREN(fork, 0)
// To another user, where it may: behind that the emulator's own files may be out of reach.
CHILDREN(setuid, setuid(getuid() ? getuid() : 65534))
CHILDREN(setrlimit, setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}))
CHILDREN(chroot, chroot("/") && !getuid())

static uint64_t spawned(unsigned long count) {
    char *argv[] = {itself, "nothing", "1", NULL};
    for (unsigned long i = 0; i < count; i++) {
        pid_t child;
        if (posix_spawn(&child, itself, NULL, NULL, argv, environ)) wrong("posix_spawn failed");
        ended(child);
    }
    return count;
}

static uint64_t run_spawn(unsigned long count) {
    return spawned(count);
}

// The same beside an address space that is nearly all reserved, as sanitizers and Java's heaps have it.
static uint64_t run_spawn_beside(unsigned long count) {
    size_t reserved = sizeof(void *) == 8 ? (size_t)1 << 44 : (size_t)1 << 30;
    void *space = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) wrong("mmap of %zu bytes failed", reserved);
    return spawned(count);
}

// What is spawned: it prints nothing.
static uint64_t run_nothing(unsigned long count) {
    _exit(count != 1);
}

int main(int argc, char **argv) {
    static const struct workload table[] = {
        {"fork", run_fork},
        {"setuid", run_setuid},
        {"setrlimit", run_setrlimit},
        {"chroot", run_chroot},
        {"spawn", run_spawn},
        {"spawn_beside", run_spawn_beside},
        {"nothing", run_nothing},
        {0},
    };
    itself = argv[0];
    return bench_main(argc, argv, table);
}
