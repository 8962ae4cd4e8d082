// Which branches may lead to which instructions, out of and into guarded memory (BTI), and what is told of those that may not.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PROT_BTI
#define PROT_BTI 0x10
#endif
#define BTYPE(p) ((unsigned)(p) >> 10 & 3)

enum { NOP = 0xd503201f, BTI_JC = 0xd50324df, RET_X9 = 0xd65f0120, RET = 0xd65f03c0 };

static const struct { const char *name; uint32_t insn; } landings[] = {
    {"nop", NOP},           {"bti", 0xd503241f},     {"bti c", 0xd503245f}, {"bti j", 0xd503249f},
    {"bti jc", BTI_JC},     {"paciasp", 0xd503233f}, {"pacibsp", 0xd503237f}, {"paciaz", 0xd503231f},
    {"brk", 0xd4200000},    {"ldr", 0xf94003e1},
}, branches[] = {
    {"br x0", 0xd61f0000},  {"br x16", 0xd61f0200},  {"br x17", 0xd61f0220}, {"blr x0", 0xd63f0000},
    {"blr x16", 0xd63f0200}, {"ret x0", 0xd65f0000}, {"braaz x0", 0xd61f081f}, {"blraaz x0", 0xd63f081f},
    {"braa x16, x0", 0xd71f0a00},
};

static uint32_t *source, *target;
static volatile int caught;
static volatile int threaded;

static void handler(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    char text[100];
    if (threaded) {
        uc->uc_mcontext.pstate &= ~0xc00ULL;
        uc->uc_mcontext.pc = uc->uc_mcontext.regs[30];
        caught++;
        return;
    }
    int n = snprintf(text, sizeof text, " signal %d code %d at %ld pc %ld btype %u;", signal, info->si_code,
                     (long)((char *)info->si_addr - (char *)target), (long)(uc->uc_mcontext.pc - (uintptr_t)target),
                     BTYPE(uc->uc_mcontext.pstate));
    fwrite(text, n, 1, stdout);
    // A handler that does not begin as one: it returns.
    uc->uc_mcontext.pc = uc->uc_mcontext.regs[caught < 0 ? 30 : 9];
    uc->uc_mcontext.pstate &= ~0xc00ULL;
}

static void flush(uint32_t *page) { __builtin___clear_cache((char *)page, (char *)page + 64); }

static void go(void *to, void *modifier)
{
    asm volatile("adr x9, 1f\n\tmov x0, %2\n\tmov x16, %1\n\tmov x17, %1\n\tblr %0\n1:"
                 :: "r"(source), "r"(to), "r"(modifier)
                 : "x0", "x1", "x9", "x16", "x17", "x30", "memory");
}

static void *caller(void *unused)
{
    (void)unused;
    while (!caught)
        ((void (*)(void))target)();
    return NULL;
}

int main(void)
{
    source = mmap(NULL, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    target = mmap(NULL, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    // BTYPE is kept of a program that has guarded memory.
    mprotect(target, 4096, 7 | PROT_BTI);
    for (int guards = 0; guards < 4; guards++) {
        mprotect(source, 4096, 7 | (guards & 1 ? PROT_BTI : 0));
        mprotect(target, 4096, 7 | (guards & 2 ? PROT_BTI : 0));
        for (unsigned b = 0; b < sizeof branches / sizeof *branches; b++)
            for (unsigned l = 0; l < sizeof landings / sizeof *landings; l++) {
                source[0] = BTI_JC;
                source[1] = branches[b].insn;
                target[0] = landings[l].insn;
                target[1] = RET_X9;
                flush(source), flush(target);
                void *to = target, *modifier = NULL;
                if (strstr(branches[b].name, "aaz"))
                    asm("paciza %0" : "+r"(to));
                else if (strstr(branches[b].name, "aa "))
                    asm("pacia %0, %1" : "+r"(to) : "r"(modifier = target));
                printf("%d %s -> %s:", guards, branches[b].name, landings[l].name);
                go(to, modifier ? modifier : to);
                puts("");
            }
    }
    // Handlers are called.
    mprotect(target, 4096, 7 | PROT_BTI);
    caught = -1;
    for (unsigned l = 0; l < 5; l++) {
        target[0] = landings[l].insn;
        target[1] = RET;
        flush(target);
        signal(SIGUSR1, (void (*)(int))target);
        printf("handler %s:", landings[l].name);
        raise(SIGUSR1);
        puts("");
    }
    caught = 0;
    // A loop in guarded memory, and indirect jumps in one.
    static const uint32_t loop[] = {
        0xd503245f, // bti c
        0xd2a00041, // mov x1, #0x20000
        0x10000090, // adr x16, .+16
        0x14000003, // b .+12
        0xd503201f, // nop
        0xd503201f, // nop
        0xd503249f, // bti j
        0xf1000421, // subs x1, x1, #1
        0x54000040, // b.eq .+8
        0xd61f0200, // br x16
        0xd65f03c0, // ret
    };
    memcpy(target, loop, sizeof loop);
    target[2] = 0x10000000 | (4 << 5) | 16;
    flush(target);
    ((void (*)(void))target)();
    puts("jumped");
    target[6] = 0xd503201f;
    target[9] = 0x17fffffd; // b .-12: to the decrement
    flush(target);
    ((void (*)(void))target)();
    puts("looped");
    // Another thread sees it at once that memory is guarded.
    threaded = 1;
    mprotect(target, 4096, 7);
    target[0] = NOP;
    target[1] = RET;
    flush(target);
    pthread_t thread;
    pthread_create(&thread, NULL, caller, NULL);
    usleep(30000);
    printf("caught %d\n", caught);
    mprotect(target, 4096, 7 | PROT_BTI);
    pthread_join(thread, NULL);
    printf("caught %d\n", caught);
    return 0;
}
