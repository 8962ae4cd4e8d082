// The batch oracle of AArch64, run by qemu-aarch64: writes its 16 random bytes, then reads a count, and as many cases of
// four instructions and a state; executes each under its state; writes the states that came out, with the signal that
// ended it. Behind the instructions is an undefined one, so each ends by a signal, whose handler begins the next.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "batch.h"

enum { MEMORY = 1024, WORDS = 4 };

struct state {
    uint64_t x[31], sp, pc, pstate;
    uint32_t signal, code, fpsr, fpcr;
    uint64_t fault, pad;
    unsigned __int128 v[32];
    uint8_t memory[MEMORY];
};

static uint8_t *const window = (uint8_t *)0x20000c00;
static uint32_t (*slots)[WORDS + 1];
static uint32_t count, current;
static struct state *in, *out;

static void on_signal(int number, siginfo_t *info, void *context) {
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    struct fpsimd_context *fp = (void *)m->__reserved;
    static int begun;
    if (begun) {
        struct state *o = &out[current];
        memcpy(o->x, m->regs, sizeof o->x);
        o->sp = m->sp;
        o->pc = m->pc - (uint64_t)slots[current];
        o->pstate = m->pstate;
        o->signal = number;
        o->code = info->si_code;
        o->fault = (uint64_t)info->si_addr;
        o->fpsr = fp->fpsr;
        o->fpcr = fp->fpcr;
        memcpy(o->v, fp->vregs, sizeof o->v);
        memcpy(o->memory, window, MEMORY);
        if (++current == count)
            _exit(all(put, 1, out, count * sizeof *out) ? 0 : 4);
    }
    begun = 1;
    struct state *i = &in[current];
    memcpy(m->regs, i->x, sizeof i->x);
    m->sp = i->sp;
    m->pc = (uint64_t)slots[current];
    m->pstate = i->pstate;
    fp->fpsr = i->fpsr;
    fp->fpcr = i->fpcr;
    memcpy(fp->vregs, i->v, sizeof i->v);
    memcpy(window, i->memory, MEMORY);
}

int main(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (!all(put, 1, (void *)getauxval(AT_RANDOM), 16) || !all(read, 0, &count, sizeof count))
        return 1;
    uint32_t (*code)[WORDS] = malloc(count * sizeof *code);
    in = malloc(count * sizeof *in);
    out = calloc(count, sizeof *out);
    if (!all(read, 0, code, count * sizeof *code) || !all(read, 0, in, count * sizeof *in))
        return 2;
    slots = mmap((void *)0x30000000, count * sizeof *slots, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
    uint8_t *data = mmap((void *)0x20000000, 0x1000, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (slots == MAP_FAILED || data == MAP_FAILED)
        return 3;
    for (uint32_t i = 0; i < count; i++)
        memcpy(slots[i], code[i], sizeof code[i]); // behind them a word of zeros: UDF
    __builtin___clear_cache((char *)slots, (char *)(slots + count));
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, NULL);
    raise(SIGTRAP);
    return 5;
}
