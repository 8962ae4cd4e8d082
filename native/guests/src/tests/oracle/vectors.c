// The batch oracle of RISC-V's vectors, run by qemu-riscv64: as riscv.c, but each case's code begins with a prologue that loads
// the vector state, so that it does not matter what an emulator has of that in signal frames. Input: a count, the bytes of
// a vector register, instructions, states.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "batch.h"

enum { MEMORY = 1024, SLOT = 96, GENERAL = 32, T4 = 29, T5, T6 };

struct state {
	uint64_t x[GENERAL]; // x[0]: the signal
	uint64_t f[32], fcsr;
	uint64_t vl, vtype, vstart, vcsr;
	uint8_t memory[MEMORY];
	uint8_t v[];
};

static uint8_t *const window = (uint8_t *)0x20000c00;
static uint8_t *const slots = (uint8_t *)0x30000000;
static char *in, *out;
static uint32_t *code, count, bytes, now;
static size_t size;
static ucontext_t first;

static struct state *nth(char *all, uint32_t n)
{
	return (struct state *)(all + size * n);
}

// t4: the state, t5: the bytes of eight registers, t6: the registers.
extern const char prologue[], prologue_end[];
__asm__(".text\n"
	"prologue:\n"
	".4byte 0xe28f8007\n add t6, t6, t5\n" // vl8re8.v v0, (t6)
	".4byte 0xe28f8407\n add t6, t6, t5\n"
	".4byte 0xe28f8807\n add t6, t6, t5\n"
	".4byte 0xe28f8c07\n"
	"ld t5, 65*8(t4)\n ld t6, 66*8(t4)\n"
	".4byte 0x81ff7057\n" // vsetvl x0, t5, t6
	"ld t5, 68*8(t4)\n csrw 15, t5\n"
	"ld t5, 67*8(t4)\n csrw 8, t5\n"
	"ld t5, 30*8(t4)\n ld t6, 31*8(t4)\n ld t4, 29*8(t4)\n"
	"prologue_end:\n");

static uint8_t *slot(uint32_t n)
{
	return slots + (uint64_t)SLOT * n;
}

static void next(ucontext_t *context)
{
	if (now == count) {
		copy(&context->uc_mcontext, &first.uc_mcontext, sizeof first.uc_mcontext);
		return;
	}
	struct state *s = nth(in, now);
	copy(window, s->memory, MEMORY);
	copy(context->uc_mcontext.__gregs, s->x, sizeof s->x);
	context->uc_mcontext.__gregs[0] = (uintptr_t)slot(now);
	context->uc_mcontext.__gregs[T4] = (uintptr_t)s;
	context->uc_mcontext.__gregs[T5] = 8 * bytes;
	context->uc_mcontext.__gregs[T6] = (uintptr_t)s->v;
	copy(context->uc_mcontext.__fpregs.__d.__f, s->f, sizeof s->f);
	context->uc_mcontext.__fpregs.__d.__fcsr = s->fcsr;
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
	struct state *o = nth(out, now);
	uint64_t behind = (uintptr_t)slot(now) + (prologue_end - prologue) + 4;
	register uint8_t *at __asm__("t6") = o->v;
	register uint64_t step __asm__("t5") = 8 * bytes;
	(void)info;
	__asm__ volatile("csrr %0, 0xc20\n csrr %1, 0xc21\n csrr %2, 8\n csrr %3, 15"
			 : "=&r"(o->vl), "=&r"(o->vtype), "=&r"(o->vstart), "=&r"(o->vcsr));
	__asm__ volatile("csrw 8, zero\n"
			 ".4byte 0xe28f8027\n add t6, t6, t5\n" // vs8r.v v0, (t6)
			 ".4byte 0xe28f8427\n add t6, t6, t5\n"
			 ".4byte 0xe28f8827\n add t6, t6, t5\n"
			 ".4byte 0xe28f8c27\n"
			 : "+r"(at) : "r"(step) : "memory");
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
	if (!all(read, 0, &count, sizeof count) || !all(read, 0, &bytes, sizeof bytes))
		return 1;
	size = sizeof(struct state) + 32 * bytes;
	code = malloc(count * sizeof *code);
	in = malloc(count * size);
	out = calloc(count, size);
	if (!all(read, 0, code, count * sizeof *code) || !all(read, 0, in, count * size))
		return 2;
	void *made = mmap(slots, count * SLOT, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
	void *data = mmap((void *)0x20000000, 0x1000, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (made == MAP_FAILED || data == MAP_FAILED)
		return 3;
	for (uint32_t i = 0; i < count; i++) {
		static const uint16_t breakpoint = 0x9002;
		size_t length = prologue_end - prologue;
		copy(slot(i), prologue, length);
		copy(slot(i) + length, &code[i], 4);
		copy(slot(i) + length + 4, &breakpoint, 2);
	}
	__builtin___clear_cache((char *)slots, (char *)slot(count));
	stack_t stack = { .ss_sp = malloc(1 << 18), .ss_size = 1 << 18 };
	sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = end, .sa_flags = SA_ONSTACK | SA_SIGINFO };
	int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP };
	for (int i = 0; i < 5; i++)
		sigaction(signals[i], &action, NULL);
	action.sa_sigaction = begin;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return all(put, 1, out, count * size) ? 0 : 4;
}
