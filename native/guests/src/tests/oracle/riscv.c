// The batch oracle of 64-bit RISC-V, run by qemu-riscv64: reads a count, and as many cases of an instruction and a state;
// executes each instruction under its state; writes the states that came out. States are loaded by returning from a
// signal handler, and what came out is in the frame of the next signal: that of the breakpoint behind the instruction, or
// of what the instruction raised. Built without relaxation, since gp is the case's; handlers use no tp either.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "batch.h"

enum { MEMORY = 256, SLOT = 8, GENERAL = 32 };

struct state {
	uint64_t x[GENERAL]; // x[0]: the signal
	uint64_t f[32], fcsr;
	uint8_t memory[MEMORY];
};

static uint8_t *const window = (uint8_t *)0x20000800;
static uint8_t *const slots = (uint8_t *)0x30000000;
static struct state *in, *out;
static uint32_t *code, count, now;
static ucontext_t first;

static unsigned length(uint32_t insn)
{
	return (insn & 3) == 3 ? 4 : 2;
}

static void next(ucontext_t *context)
{
	if (now == count) {
		copy(&context->uc_mcontext, &first.uc_mcontext, sizeof first.uc_mcontext);
		return;
	}
	copy(window, in[now].memory, MEMORY);
	copy(context->uc_mcontext.__gregs, in[now].x, sizeof in[now].x);
	context->uc_mcontext.__gregs[0] = (uintptr_t)slots + (uint64_t)SLOT * now;
	copy(context->uc_mcontext.__fpregs.__d.__f, in[now].f, sizeof in[now].f);
	context->uc_mcontext.__fpregs.__d.__fcsr = in[now].fcsr;
}

static void begin(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	copy(&first, context, sizeof first);
	next(context);
}

static void end(int number, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	struct state *o = &out[now];
	uint64_t behind = (uintptr_t)slots + (uint64_t)SLOT * now + length(code[now]);
	(void)info;
	copy(o->x, context->uc_mcontext.__gregs, sizeof o->x);
	int done = number == SIGTRAP && o->x[0] == behind;
	o->x[0] = done ? 0 : number;
	copy(o->f, context->uc_mcontext.__fpregs.__d.__f, sizeof o->f);
	o->fcsr = context->uc_mcontext.__fpregs.__d.__fcsr;
	copy(o->memory, window, MEMORY);
	now++;
	next(context);
}

int main(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	if (!all(read, 0, &count, sizeof count))
		return 1;
	code = malloc(count * sizeof *code);
	in = malloc(count * sizeof *in);
	out = calloc(count, sizeof *out);
	if (!all(read, 0, code, count * sizeof *code) || !all(read, 0, in, count * sizeof *in))
		return 2;
	void *made = mmap(slots, count * SLOT, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
	void *data = mmap((void *)0x20000000, 0x1000, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (made == MAP_FAILED || data == MAP_FAILED)
		return 3;
	for (uint32_t i = 0; i < count; i++) {
		static const uint16_t breakpoint = 0x9002;
		copy(slots + SLOT * i, &code[i], 4);
		copy(slots + SLOT * i + length(code[i]), &breakpoint, 2);
	}
	__builtin___clear_cache((char *)slots, (char *)slots + SLOT * count);
	stack_t stack = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };
	sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = end, .sa_flags = SA_ONSTACK | SA_SIGINFO };
	int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP };
	for (int i = 0; i < 5; i++)
		sigaction(signals[i], &action, NULL);
	action.sa_sigaction = begin;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return all(put, 1, out, count * sizeof *out) ? 0 : 4;
}
