// Memory tagging as programs have it: instructions, mappings, checks, prctl(2), calls. What it prints does not depend on which tags
// are chosen at random.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PROT_MTE
#define PROT_MTE 0x20
#endif
enum { SIZE = 16384, SET = 55, GET = 56, ENABLE = 1, SYNC = 2, ASYNC = 4 };
#define INCLUDE(mask) ((unsigned long)(mask) << 3)
#define TAG(p) ((unsigned)((uint64_t)(p) >> 56) & 15)
#define WITH(p, tag) ((char *)(((uint64_t)(p) & ~(15ULL << 56)) | (uint64_t)(tag) << 56))

static char *memory;
static char got[200];

static void handler(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    if (info->si_code == 8) { // SEGV_MTEAERR
        snprintf(got, sizeof got, "signal %d code 8 at %p", number, info->si_addr);
        return;
    }
    char *at = (char *)((uint64_t)info->si_addr & ~(0xffULL << 56));
    snprintf(got, sizeof got, "signal %d code %d at %ld", number, info->si_code, (long)(at - memory));
    uc->uc_mcontext.pc += 4;
}

static unsigned tag_of(char *p)
{
    asm volatile("ldg %0, [%0]" : "+r"(p) :: "memory");
    return TAG(p);
}

static void colour(char *p, size_t bytes)
{
    for (size_t n = 0; n < bytes; n += 16)
        asm volatile("stg %0, [%0]" :: "r"(p + n) : "memory");
}

static void control(unsigned long flags)
{
    if (prctl(SET, flags, 0, 0, 0))
        printf("control %lx: %d\n", flags, errno);
}

#define TRY(text) \
    { \
        register char *x0 asm("x0") = at; \
        register long x1 asm("x1") = 5, x2 asm("x2") = 6, x3 asm("x3") = 0; \
        got[0] = 0; \
        asm volatile(text : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) :: "memory", "x4", "x5", "v0", "v1", "v2", "v3", "cc"); \
        printf("%s %s: %s base %ld\n", what, text, got, (long)(x0 - at)); \
    }

static void accesses(const char *what, char *at)
{
    TRY("ldrb w1, [x0]")
    TRY("ldrh w1, [x0, #2]")
    TRY("ldrsw x1, [x0, #4]")
    TRY("ldr x1, [x0], #8")
    TRY("ldr x1, [x0, #8]!")
    TRY("ldur x1, [x0, #9]")
    TRY("ldr x1, [x0, x3]")
    TRY("ldr q0, [x0]")
    TRY("ldp x1, x2, [x0]")
    TRY("ldp q0, q1, [x0]")
    TRY("ldpsw x1, x2, [x0, #8]!")
    TRY("strb w1, [x0]")
    TRY("strh w1, [x0, #2]")
    TRY("str w1, [x0, #4]!")
    TRY("str x1, [x0], #-8")
    TRY("stur x1, [x0, #-4]")
    TRY("stp x1, x2, [x0, #8]")
    TRY("stp q0, q1, [x0], #32")
    TRY("str d0, [x0, x3, lsl #3]")
    TRY("ldxr x1, [x0]")
    TRY("ldaxp x1, x2, [x0]")
    TRY("ldar w1, [x0]")
    TRY("stlr w1, [x0]")
    TRY("ldapr x1, [x0]")
    TRY("cas x1, x2, [x0]")
    TRY("ldadd x1, x2, [x0]")
    TRY("swpb w1, w2, [x0]")
    TRY("ld1 {v0.16b, v1.16b}, [x0]")
    TRY("ld2 {v0.4s, v1.4s}, [x0], #32")
    TRY("st4 {v0.b, v1.b, v2.b, v3.b}[3], [x0]")
    TRY("ld1r {v0.2d}, [x0]")
    TRY("dc cvac, x0")
    TRY("prfm pldl1keep, [x0]")
    TRY("ldg x1, [x0]")
    TRY("ldr x1, [x0]")
}

static void by_stack_pointer(const char *what, char *at)
{
    static const char *names[] = {"ldr [sp]", "ldr [sp, #8]!", "ldr [sp, x]", "ldp [sp], #16", "ldxr [sp]", "ldr [sp, #-8]"};
    for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
        got[0] = 0;
        asm volatile("mov x5, sp\n\tmov sp, %0\n\tmov x3, #8\n\t"
                     "cmp %w1, #1\n\tb.lo 10f\n\tb.eq 11f\n\tcmp %w1, #3\n\tb.lo 12f\n\tb.eq 13f\n\tcmp %w1, #4\n\tb.eq 14f\n\tb 15f\n"
                     "10: ldr x4, [sp]\n\tb 9f\n11: ldr x4, [sp, #8]!\n\tb 9f\n12: ldr x4, [sp, x3]\n\tb 9f\n"
                     "13: ldp x4, x3, [sp], #16\n\tb 9f\n14: ldxr x4, [sp]\n\tb 9f\n15: ldr x4, [sp, #-8]\n9: mov sp, x5\n"
                     :: "r"(at), "r"(n) : "x3", "x4", "x5", "memory", "cc");
        printf("%s %s: %s\n", what, names[n], got);
    }
}

static void print_tags(const char *what, char *p, int count)
{
    printf("%s:", what);
    for (int n = 0; n < count; n++)
        printf(" %u", tag_of(p + 16 * n));
    puts("");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);

    // prctl(2).
    printf("begin %d\n", prctl(GET, 0, 0, 0, 0));
    static const unsigned long flags[] = {0, 1, SYNC, ASYNC, SYNC | ENABLE, INCLUDE(0xffff) | ENABLE, 1UL << 30,
                                          INCLUDE(5) | SYNC, INCLUDE(0xfffe) | SYNC | ENABLE};
    for (unsigned n = 0; n < sizeof flags / sizeof *flags; n++) {
        int set = prctl(SET, flags[n], 0, 0, 0);
        printf("control %lx: %d, then %x\n", flags[n], set, prctl(GET, 0, 0, 0, 0));
    }

    fflush(stdout);

    // What needs no memory.
    uint64_t v, seen = 0;
    control(ENABLE | INCLUDE(0x8421));
    for (int n = 0; n < 2000; n++) {
        asm volatile("irg %0, %1" : "=r"(v) : "r"(0x0300123456789abcULL));
        seen |= 1 << TAG(v);
    }
    printf("irg %llx %llx\n", (unsigned long long)seen, (unsigned long long)(v & ~(15ULL << 56)));
    for (seen = 0, v = 0; v < 2000; v++) {
        uint64_t tagged;
        asm volatile("irg %0, %1, %2" : "=r"(tagged) : "r"(v), "r"(0x8020ULL));
        seen |= 1 << TAG(tagged);
    }
    printf("irg without %llx\n", (unsigned long long)seen);
    control(ENABLE);
    asm volatile("irg %0, %1" : "=r"(v) : "r"(0x0f00123456789abcULL));
    printf("irg of none %llx\n", (unsigned long long)v);
    for (int mask = 0; mask < 3; mask++) {
        static const unsigned masks[] = {0xffff, 0x8421, 0};
        control(ENABLE | INCLUDE(masks[mask]));
        for (uint64_t tag = 0; tag < 16; tag += 3) {
            uint64_t a, b, c, d;
            asm("addg %0, %4, #48, #0\n\taddg %1, %4, #1008, #5\n\tsubg %2, %4, #16, #15\n\tsubg %3, %4, #0, #1"
                : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d) : "r"(tag << 56 | 0xff0000));
            printf("%llx %llx %llx %llx\n", (long long)a, (long long)b, (long long)c, (long long)d);
        }
    }
    static const uint64_t numbers[] = {0, 1, 0xf0ffffffffffffff, 0x0080000000000000, 0x7f7fffffffffffff, 0x0500000012345678};
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < 6; b++) {
            uint64_t p, q, f, g;
            asm("subp %0, %4, %5\n\tsubps %1, %4, %5\n\tmrs %2, nzcv\n\tgmi %3, %4, %5"
                : "=&r"(p), "=&r"(q), "=&r"(f), "=&r"(g) : "r"(numbers[a]), "r"(numbers[b]) : "cc");
            printf("%llx %llx %llx %llx\n", (long long)p, (long long)q, (long long)f, (long long)g);
        }
    asm volatile("mrs %0, tco" : "=r"(v));
    printf("tco %llx\n", (long long)v);

    // Tags in memory.
    control(ENABLE | SYNC | INCLUDE(0xfffe));
    memory = mmap(NULL, SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    colour(WITH(memory, 3), 64);
    print_tags("without PROT_MTE", memory, 4);
    accesses("other", WITH(memory + 64, 7));
    printf("mprotect %d\n", mprotect(memory, SIZE, 3 | PROT_MTE));
    print_tags("new", memory, 4);
    memset(memory, 0x55, 256);
    char *base = memory, *ends = WITH(memory, 2), *zeros = WITH(memory, 3), *more = WITH(memory, 4);
    asm volatile("stg %0, [%0], #16\n\tst2g %1, [%0, #16]!\n\tstzg %2, [%0, #32]\n\tstz2g %3, [%0], #-16\n\tstg %3, [%0, #160]"
                 : "+r"(base), "+r"(ends), "+r"(zeros), "+r"(more) :: "memory");
    printf("moved %ld\n", (long)(base - memory));
    print_tags("stored", memory, 16);
    asm volatile("msr tco, #1");
    for (int n = 0; n < 256; n += 16)
        printf("%02x ", memory[n] + memory[n + 15]);
    asm volatile("msr tco, #0");
    puts("");
    char *other = WITH(memory + 512, 9);
    asm volatile("stgp %1, %2, [%0], #32\n\tstgp xzr, %1, [%0, #-64]\n\tstgp %2, %2, [%0, #16]!" : "+r"(other) : "r"(0x1122L), "r"(77L) : "memory");
    printf("pairs %ld\n", (long)(other - WITH(memory + 512, 9)));
    print_tags("pairs", memory + 464, 8);
    other = WITH(memory + 1024, 6);
    asm volatile("dc gva, %0\n\tdc gzva, %1" :: "r"(other + 20), "r"(other + 70) : "memory");
    print_tags("blocks", memory + 1024, 8); // of 64 bytes at least

    // Checks.
    colour(WITH(memory + 2048, 5), 512);
    colour(WITH(memory + 2304, 6), 16);
    accesses("right", WITH(memory + 2048 + 64, 5));
    accesses("wrong", WITH(memory + 2048 + 64, 8));
    colour(WITH(memory + 2048, 5), 512);
    accesses("none", memory + 2048 + 64);
    colour(WITH(memory + 2048, 5), 512);
    colour(WITH(memory + 2304, 6), 16);
    for (int n = 2286; n < 2324; n += 3)
        accesses("across", WITH(memory + n, 5));
    by_stack_pointer("right", WITH(memory + 2048 + 64, 5));
    by_stack_pointer("wrong", WITH(memory + 2048 + 64, 3));
    char *at = WITH(memory + 2048 + 8, 5);
    const char *what = "unaligned";
    TRY("stg x0, [x0]")
    TRY("stzg x0, [x0], #16")
    TRY("ldg x1, [x0]")
    asm volatile("msr tco, #1");
    got[0] = 0;
    (void)*(volatile char *)WITH(memory + 2048, 8);
    asm volatile("mrs %0, tco\n\tmsr tco, xzr" : "=r"(v));
    printf("tco %llx %s\n", (long long)v, got);
    (void)*(volatile char *)WITH(memory + 2048, 8);
    printf("tco 0 %s\n", got);

    // A hot loop, of which the last round is wrong.
    long sum = 0;
    long *words = (long *)WITH(memory + 4096, 4);
    colour((char *)words, 4096 - 16);
    got[0] = 0;
    for (int round = 0; round < 200; round++)
        for (long n = 0; n < 510 + (round == 199); n++) {
            long word = 0;
            asm volatile("ldr %0, [%1, %2, lsl #3]" : "+r"(word) : "r"(words), "r"(n) : "memory");
            sum += word++;
            asm volatile("str %0, [%1, %2, lsl #3]" :: "r"(word), "r"(words), "r"(n) : "memory");
        }
    printf("sum %ld %s\n", sum, got);

    (void)argv;
    // What qemu has not: DC ZVA's kind of fault, and the kernel's own accesses.
    int pipes[2];
    if (pipe(pipes))
        return 1;
    char *wrong = WITH(memory + 2048, 8), *right = WITH(memory + 2048, 5);
    long result = 0;
    if (argc > 1) {
        at = right;
        what = "right";
        TRY("dc zva, x0")
        at = wrong;
        what = "wrong";
        TRY("dc zva, x0")
        result = write(pipes[1], right, 16);
        printf("write %ld\n", result);
        result = write(pipes[1], wrong, 16);
        printf("write %ld %d\n", result, result < 0 ? errno : 0);
        result = read(pipes[0], wrong, 16);
        printf("read %ld %d\n", result, result < 0 ? errno : 0);
        struct iovec vector = {right, 16};
        result = writev(pipes[1], &vector, 1);
        printf("writev %ld\n", result);
        control(SYNC | INCLUDE(0xfffe));
        result = write(pipes[1], right, 16);
        printf("without tagged addresses %ld %d\n", result, result < 0 ? errno : 0);
    }

    // Noted checks.
    control(ENABLE | ASYNC | INCLUDE(0xfffe));
    result = write(pipes[1], wrong, 16);
    printf("write %ld\n", result);
    got[0] = 0;
    (void)*(volatile char *)right;
    getppid();
    printf("noted %s\n", got);
    *(volatile char *)wrong = 1;
    getppid();
    printf("noted %s\n", got);
    got[0] = 0;
    getppid();
    printf("noted %s\n", got);
    control(ENABLE);
    *(volatile char *)wrong = 1;
    getppid();
    printf("off %s\n", got);

    // What becomes of mappings.
    control(ENABLE | SYNC | INCLUDE(0xfffe));
    colour(WITH(memory, 11), 64);
    fflush(stdout);
    if (fork() == 0) {
        print_tags("child", memory, 4);
        colour(WITH(memory, 12), 32);
        exit(0);
    }
    wait(NULL);
    print_tags("parent", memory, 4);
    printf("mprotect %d\n", mprotect(memory, SIZE, 3));
    print_tags("still", memory, 4);
    if (argc == 1)
        return 0;
    char *moved = mremap(memory, SIZE, 2 * SIZE, MREMAP_MAYMOVE);
    print_tags("moved", moved, 4);
    print_tags("tail", moved + SIZE, 2);
    madvise(moved, 4096, MADV_DONTNEED);
    print_tags("dropped", moved, 4);
    print_tags("kept", moved + 2048 + 4096, 4);
    mmap(moved, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    colour(WITH(moved, 3), 32);
    print_tags("replaced", moved, 2);
    mprotect(moved + 4096, 4096, PROT_READ);
    memory = at = moved + 4096 + 2048;
    what = "read-only";
    TRY("stg x0, [x0]")
    TRY("strb w1, [x0]")
    TRY("ldrb w1, [x0]")
    int file = open("/proc/self/exe", O_RDONLY);
    result = (long)mmap(NULL, 4096, 1 | PROT_MTE, MAP_PRIVATE, file, 0);
    printf("file %d\n", result == -1 ? errno : 0);
    return 0;
}
