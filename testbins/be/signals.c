// Signals on guests of either byte order: actions, masks, frames, faults.
#include "nolibc.h"

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/sigcontext.h>

#ifdef __arm__
/* arm's headers for programs have no ucontext. */
struct ucontext {
    unsigned long uc_flags;
    struct ucontext *uc_link;
    stack_t uc_stack;
    struct sigcontext uc_mcontext;
};
#elif defined(__m68k__)
/* Nor have m68k's. */
struct ucontext {
    unsigned long uc_flags;
    struct ucontext *uc_link;
    stack_t uc_stack;
    struct {
        int version, gregs[18], control[3], floats[8 * 3];
    } uc_mcontext;
};
#else
#include <asm/ucontext.h>
#endif

/* The kernel's struct sigaction; its mask has bit n - 1 for signal n, as an array of
 * longs: the word order matters on a big-endian 32-bit machine. */
#if defined(__mips__)
#define SET_SIZE 16
#define HOW_BLOCK 1
#define HOW_UNBLOCK 2
struct action {
    unsigned int flags;
    void (*handler)(int, siginfo_t *, void *);
    unsigned long mask[SET_SIZE / sizeof(long)];
};
#else
#define SET_SIZE 8
#define HOW_BLOCK 0
#define HOW_UNBLOCK 1
struct action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
#if !defined(__riscv)
    void (*restorer)(void);
#endif
    unsigned long mask[SET_SIZE / sizeof(long)];
};
#endif

static volatile int calls, last, code;
static void *volatile address;
static volatile int value;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)context;
    calls++;
    last = number;
    code = info->si_code;
    value = info->si_value.sival_int;
    address = info->si_addr;
}

/* Steps over the faulting instruction, which is four bytes long on all these machines. */
static void skip(int number, siginfo_t *info, void *context)
{
    handler(number, info, context);
    struct ucontext *u = context;
#if defined(__aarch64__)
    u->uc_mcontext.pc += 4;
#elif defined(__arm__)
    u->uc_mcontext.arm_pc += 4;
#elif defined(__m68k__)
    u->uc_mcontext.gregs[16] += 2; /* the instruction has two */
#elif defined(__mips__)
    u->uc_mcontext.sc_pc += 4;
#elif defined(__powerpc__)
    u->uc_regs->mc_gregs[32] += 4; /* PT_NIP */
#elif defined(__riscv)
    u->uc_mcontext.sc_regs.pc += 4;
#elif defined(__s390x__)
    u->uc_mcontext.regs.psw.addr += 4;
#endif
}

#if defined(__x86_64__)
/* x86-64 has no other way back from a handler. */
void restore(void);
__asm__(".text\n.globl restore\nrestore:\n\tmov $15, %eax\n\tsyscall\n");
#define RESTORER 0x04000000
#else
#define RESTORER 0
#define restore 0
#endif

static long act(int number, void (*function)(int, siginfo_t *, void *), unsigned long flags)
{
    struct action action = {.handler = function, .flags = SA_SIGINFO | RESTORER | flags};
#if !defined(__riscv) && !defined(__mips__)
    action.restorer = restore;
#endif
    return syscall4(__NR_rt_sigaction, number, &action, 0, SET_SIZE);
}

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    long self = getpid();

    CHECK(act(SIGUSR1, handler, 0) == 0);
    struct action now;
    CHECK(syscall4(__NR_rt_sigaction, SIGUSR1, 0, &now, SET_SIZE) == 0);
    CHECK(now.handler == handler && (now.flags & SA_SIGINFO));
    CHECK(syscall2(__NR_kill, self, SIGUSR1) == 0);
    CHECK(calls == 1 && last == SIGUSR1 && code == 0 /* SI_USER */);

    /* A blocked signal waits; a real-time one carries a value. */
    unsigned long blocked[SET_SIZE / sizeof(long)] = {0}, pending[SET_SIZE / sizeof(long)] = {0};
    int realtime = 40;
    blocked[(realtime - 1) / (8 * sizeof(long))] = 1ul << (realtime - 1) % (8 * sizeof(long));
    CHECK(act(realtime, handler, 0) == 0);
    CHECK(syscall4(__NR_rt_sigprocmask, HOW_BLOCK, blocked, 0, SET_SIZE) == 0);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 0x01020304;
    CHECK(syscall3(__NR_rt_sigqueueinfo, self, realtime, &info) == 0);
    CHECK(calls == 1);
    CHECK(syscall2(__NR_rt_sigpending, pending, SET_SIZE) == 0);
    CHECK(memcmp(pending, blocked, SET_SIZE) == 0);
    CHECK(syscall4(__NR_rt_sigprocmask, HOW_UNBLOCK, blocked, 0, SET_SIZE) == 0);
    CHECK(calls == 2 && last == realtime && code == SI_QUEUE && value == 0x01020304);

#if !defined(__x86_64__) && !defined(__i386__) && !defined(__thumb__)
    CHECK(act(SIGSEGV, skip, 0) == 0);
    /* The number would be changed by a load that took place. */
    register long number __asm__(
#if defined(__aarch64__)
        "x9"
#elif defined(__riscv)
        "s9"
#elif defined(__m68k__)
        "d7"
#elif defined(__mips__)
        "$9"
#elif defined(__s390x__)
        "9"
#else
        "r9"
#endif
    ) = 77;
#if defined(__riscv)
    /* Not a compressed one. */
    __asm__ volatile(".option push\n\t.option norvc\n\tlw %0, 0(%1)\n\t.option pop"
                     : "+r"(number) : "r"((void *)0x123450) : "memory");
#elif defined(__m68k__)
    __asm__ volatile("move.l (%1), %0" : "+d"(number) : "a"((void *)0x123450) : "memory");
#elif defined(__mips__)
    __asm__ volatile("lw %0, 0(%1)" : "+r"(number) : "r"((void *)0x123450) : "memory");
#elif defined(__powerpc__)
    __asm__ volatile("lwz %0, 0(%1)" : "+r"(number) : "b"((void *)0x123450) : "memory");
#elif defined(__s390x__)
    __asm__ volatile("l %0, 0(%1)" : "+r"(number) : "a"((void *)0x123450) : "memory");
#else
    __asm__ volatile("ldr %0, [%1]" : "+r"(number) : "r"((void *)0x123450) : "memory");
#endif
    CHECK(number == 77);
    CHECK(calls == 3 && last == SIGSEGV && code == SEGV_MAPERR);
#if defined(__s390x__)
    /* Its page is all that the processor tells. */
    CHECK(address == (void *)0x123000);
#else
    CHECK(address == (void *)0x123450);
#endif
#endif
    CHECKS_DONE();
}
