// Traps of the program's own that a check catches, and goes on behind.
#ifndef TRAPS_H
#define TRAPS_H
#include "check.h"
#include "isa.h"
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

/* The last one: the signal, its siginfo, and where the pc was. */
static volatile int got_signal, got_code;
static void *volatile got_addr;
static volatile uintptr_t got_pc;
/* Where `jumps_out` goes. */
static sigjmp_buf out;

static void jumps_out(int signal, siginfo_t *info, void *context)
{
	got_signal = signal;
	got_code = info->si_code;
	got_addr = info->si_addr;
	got_pc = ISA_FAULT_PC(ISA_MCONTEXT(context));
	siglongjmp(out, 1);
}

static void catches(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	OK(sigaction(signal, &action, NULL));
}

#endif
