// The batch oracle of 32-bit Arm, run by qemu-arm: reads a count, and as many cases of an instruction and a state;
// executes each instruction under its state; writes the states that came out, with the signal if there was one.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batch.h"

enum { MEMORY = 256 };

struct state {
    uint32_t r[15], signal, cpsr, fpscr, pad[2];
    uint64_t d[32];
    uint8_t memory[MEMORY];
};

extern void run_case(struct state *in, struct state *out, uint32_t *code);

static sigjmp_buf back;
static uint8_t *const window = (uint8_t *)0x20000800;

static void on_signal(int number) { siglongjmp(back, number); }

int main(void) {
    uint32_t count;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (!all(read, 0, &count, sizeof count))
        return 1;
    uint32_t *code = malloc(count * sizeof *code);
    struct state *in = malloc(count * sizeof *in), *out = calloc(count, sizeof *out);
    if (!all(read, 0, code, count * sizeof *code) || !all(read, 0, in, count * sizeof *in))
        return 2;
    // Three words for each case: the instruction, and ldr pc, [pc, #-4] with run_case's end behind it.
    uint32_t *slots = mmap((void *)0x30000000, count * 12u, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
    uint8_t *data = mmap((void *)0x20000000, 0x1000, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (slots == MAP_FAILED || data == MAP_FAILED)
        return 3;
    extern char case_done[];
    for (uint32_t i = 0; i < count; i++) {
        slots[3 * i] = code[i];
        slots[3 * i + 1] = 0xe51ff004;
        slots[3 * i + 2] = (uint32_t)case_done;
    }
    __builtin___clear_cache((char *)slots, (char *)(slots + 3 * count));
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER};
    int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, NULL);
    for (volatile uint32_t i = 0; i < count; i++) {
        memcpy(window, in[i].memory, MEMORY);
        int number = sigsetjmp(back, 0);
        if (number == 0)
            run_case(&in[i], &out[i], &slots[3 * i]);
        out[i].signal = number;
        memcpy(out[i].memory, window, MEMORY);
    }
    return all(put, 1, out, count * sizeof *out) ? 0 : 4;
}
