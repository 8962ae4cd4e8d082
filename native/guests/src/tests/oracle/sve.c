// The batch oracle of SVE, run by qemu-aarch64: as aarch64.c, with one instruction a case, and vectors, predicates and FFR. They come
// and go by the signal frame's record (struct sve_context, behind extra_context where it is long). Input: a count, the bytes of a
// vector, instructions, states.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "batch.h"

enum { MEMORY = 1024, SVE_MAGIC_ = 0x53564501, EXTRA_MAGIC_ = 0x45585401, FPSIMD_MAGIC_ = 0x46508001 };

struct state {
    uint64_t x[31], sp, pc, pstate;
    uint32_t signal, code, fpsr, fpcr;
    uint64_t fault, pad;
    uint8_t memory[MEMORY];
    uint8_t vectors[];
};

struct record {
    uint32_t magic, size;
};

static uint8_t *const window = (uint8_t *)0x20000c00;
static uint32_t (*slots)[2];
static uint32_t count, bytes, now, begun;
static size_t size, vectors;
static char *in, *out;

static uint8_t *find(mcontext_t *m, uint32_t magic) {
    uint8_t *at = (uint8_t *)m->__reserved;
    for (;;) {
        struct record *r = (struct record *)at;
        if (r->magic == magic)
            return at;
        if (r->magic == EXTRA_MAGIC_)
            at = *(uint8_t **)(at + 8);
        else if (r->magic == 0)
            return NULL;
        else
            at += r->size;
    }
}

static void on_signal(int number, siginfo_t *info, void *context) {
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    struct fpsimd_context *fp = (void *)find(m, FPSIMD_MAGIC_);
    uint8_t *sve = find(m, SVE_MAGIC_);
    if (!fp || !sve || *(uint16_t *)(sve + 8) != bytes || ((struct record *)sve)->size < 16 + vectors)
        _exit(6);
    if (begun) {
        struct state *o = (struct state *)(out + size * now);
        copy(o->x, m->regs, sizeof o->x);
        o->sp = m->sp;
        o->pc = m->pc - (uint64_t)slots[now];
        o->pstate = m->pstate;
        o->signal = number;
        o->code = info->si_code;
        o->fault = (uint64_t)info->si_addr;
        o->fpsr = fp->fpsr;
        o->fpcr = fp->fpcr;
        copy(o->memory, window, MEMORY);
        copy(o->vectors, sve + 16, vectors);
        if (++now == count)
            _exit(all(put, 1, out, count * size) ? 0 : 4);
    }
    begun = 1;
    struct state *i = (struct state *)(in + size * now);
    copy(m->regs, i->x, sizeof i->x);
    m->sp = i->sp;
    m->pc = (uint64_t)slots[now];
    m->pstate = i->pstate;
    fp->fpsr = i->fpsr;
    fp->fpcr = i->fpcr;
    copy(window, i->memory, MEMORY);
    copy(sve + 16, i->vectors, vectors);
    for (int n = 0; n < 32; n++)
        copy(&fp->vregs[n], i->vectors + n * bytes, 16);
}

int main(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (!all(read, 0, &count, sizeof count) || !all(read, 0, &bytes, sizeof bytes))
        return 1;
    if ((prctl(50 /* PR_SVE_SET_VL */, bytes) & 0xffff) != (int)bytes)
        return 7;
    vectors = 32 * bytes + 17 * (bytes / 8);
    size = (sizeof(struct state) + vectors + 7) / 8 * 8;
    uint32_t *code = malloc(count * sizeof *code);
    in = malloc(count * size);
    out = calloc(count, size);
    if (!all(read, 0, code, count * sizeof *code) || !all(read, 0, in, count * size))
        return 2;
    slots = mmap((void *)0x30000000, count * sizeof *slots, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
    uint8_t *data = mmap((void *)0x20000000, 0x1000, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (slots == MAP_FAILED || data == MAP_FAILED)
        return 3;
    for (uint32_t i = 0; i < count; i++)
        slots[i][0] = code[i]; // behind it a word of zeros: UDF
    __builtin___clear_cache((char *)slots, (char *)(slots + count));
    stack_t stack = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, NULL);
    raise(SIGTRAP);
    return 5;
}
