// Frames are exact: what a handler changes in registers is so afterwards, and the C library's unwinder finds its way
// libs: -lpthread
// cflags: -fexceptions -fasynchronous-unwind-tables -fnon-call-exceptions -fno-omit-frame-pointer
// cflags-ppc: -mno-altivec
/*
 * through them: it knows the frame by the code of its return address, and the interrupted registers by their places.
 */
#include "../traps.h"
#include <pthread.h>
#include <sys/time.h>
#include <unwind.h>

enum { SIGNALS = 50 };

static void often(int on)
{
	struct itimerval every = { { 0, on ? 2000 : 0 }, { 0, on ? 2000 : 0 } };

	OK(setitimer(ITIMER_REAL, &every, NULL));
}

static volatile long wrong;

/* The interrupted loop ends when its register has changed so often, which nothing but the handler does. */
static void adds_to_register(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	if (ISA_KEPT(ISA_MCONTEXT(context)) >= 1000 && ISA_KEPT(ISA_MCONTEXT(context)) < 1000 + SIGNALS)
		ISA_KEPT(ISA_MCONTEXT(context)) += 1;
}

static long __attribute__((noinline)) spins(void)
{
	register long kept __asm__(ISA_KEPT_NAME) = 1000;
	unsigned long rounds = 0;

	often(1);
	do {
		rounds++;
		__asm__ volatile("" : "+r"(kept), "+r"(rounds));
	} while (kept < 1000 + SIGNALS);
	often(0);
	return kept;
}

CHECK(registers_are_the_frames)
{
	catches(SIGALRM, adds_to_register);
	EQ(spins(), 1000 + SIGNALS);
}

#ifdef ISA_FLOAT_NAME
static volatile double scratch = 3;

static double float_in(const void *place)
{
#ifdef __m68k__
	long double value;
#else
	double value;
#endif
	memcpy(&value, place, sizeof(value));
	return value;
}

static void float_to(void *place, double number)
{
#ifdef __m68k__
	long double value = number;
#else
	double value = number;
#endif
	memcpy(place, &value, sizeof(value));
}

static void adds_to_float(int signal, siginfo_t *info, void *context)
{
	void *place = (void *)ISA_FLOAT(ISA_MCONTEXT(context));
	double value = float_in(place);

	(void)signal, (void)info;
	/* Its own numbers in all registers. */
	for (int i = 0; i < 8; i++)
		scratch = scratch * 1.5 + i / scratch;
	if (value >= 1000.25 && value < 1000.25 + SIGNALS)
		float_to(place, value + 1);
}

static double __attribute__((noinline)) spins_in_floats(void)
{
	register double kept __asm__(ISA_FLOAT_NAME) = 1000.25;
	double end = 1000.25 + SIGNALS;

	often(1);
	do
		__asm__ volatile("" : "+f"(kept));
	while (kept < end);
	often(0);
	return kept;
}

CHECK(floats_are_the_frames)
{
	catches(SIGALRM, adds_to_float);
	EQ(spins_in_floats() == 1000.25 + SIGNALS, 1);
}
#endif

static volatile int landed;

static void __attribute__((noreturn)) lands(void)
{
	landed++;
	siglongjmp(out, 1);
}

static void goes_elsewhere(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	ISA_SET_FUNCTION(ISA_MCONTEXT(context), (uintptr_t)lands);
}

CHECK(pc_is_the_frames)
{
	static volatile int *volatile nowhere;

	catches(SIGSEGV, goes_elsewhere);
	for (volatile int i = 0; i < 20; i++)
		if (sigsetjmp(out, 1) == 0)
			*nowhere = 1;
	EQ(landed, 20);
}

/* From the other stack, again and again: the kernel looks at the stack pointer whether it is in use. */
static char other_stack[65536] __attribute__((aligned(16)));

static void jumps_from_there(int signal, siginfo_t *info, void *context)
{
	char *here = __builtin_frame_address(0);

	if (here < other_stack || here >= other_stack + sizeof(other_stack))
		wrong++;
	jumps_out(signal, info, context);
}

CHECK(jumps_from_the_other_stack)
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) }, now;
	struct sigaction action = { .sa_sigaction = jumps_from_there,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	volatile int back = 0;

	wrong = 0;
	OK(sigaltstack(&stack, NULL));
	OK(sigaction(SIGUSR1, &action, NULL));
	for (volatile int i = 0; i < 20; i++)
		if (sigsetjmp(out, 1) == 0)
			raise(SIGUSR1);
		else
			back++;
	EQ(back, 20);
	EQ(wrong, 0);
	OK(sigaltstack(NULL, &now));
	EQ(now.ss_flags, 0);
}

/* The unwinder of Arm's EHABI knows nothing of frames. */
#ifndef __arm__
/* A backtrace in a handler goes on to the function that was interrupted and its callers. */
static void *seen[64];
static int frames;

static _Unwind_Reason_Code notes(struct _Unwind_Context *context, void *argument)
{
	(void)argument;
	if (frames < 64)
		seen[frames++] = (void *)(uintptr_t)_Unwind_GetRegionStart(context);
	return _URC_NO_REASON;
}

static void traces(int signal, siginfo_t *info, void *context)
{
	frames = 0;
	_Unwind_Backtrace(notes, NULL);
	jumps_out(signal, info, context);
}

static int __attribute__((noinline)) interrupted(volatile int *where)
{
	*where = 1;
	return *where + 1;
}

static int __attribute__((noinline)) calls_it(volatile int *where)
{
	return interrupted(where) + 1;
}

static int is_seen(const void *function)
{
	for (int i = 0; i < frames; i++)
		if (seen[i] == function)
			return i;
	return -1;
}

CHECK(backtrace_through_a_frame)
{
	volatile int *volatile nowhere = NULL;
	struct sigaction action = { .sa_sigaction = traces, .sa_flags = SA_SIGINFO };

	for (int on_other = 0; on_other < 2; on_other++) {
		action.sa_flags = SA_SIGINFO | (on_other ? SA_ONSTACK : 0);
		OK(sigaction(SIGSEGV, &action, NULL));
		frames = 0;
		if (sigsetjmp(out, 1) == 0)
			calls_it(nowhere);
		/* One after the other: the handler, the frame, the function, its caller. */
		EQ(is_seen(traces) >= 0, 1);
		EQ(is_seen(interrupted) > is_seen(traces), 1);
		EQ(is_seen(calls_it), is_seen(interrupted) + 1);
	}
}

/* A thread that ends in a handler unwinds the function that was interrupted, with its registers. */
static volatile long cleaned;

static void cleans(const long *number)
{
	cleaned += *number;
}

static void ends(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	pthread_exit((void *)5);
}

static void *is_ended(void *argument)
{
	volatile int *nowhere = argument;
	long number __attribute__((cleanup(cleans))) = 7;

	*nowhere = 1;
	return NULL;
}

CHECK(ends_through_a_frame)
{
	pthread_t thread;
	void *result;

	catches(SIGSEGV, ends);
	for (int i = 0; i < 5; i++) {
		EQ(pthread_create(&thread, NULL, is_ended, NULL), 0);
		EQ(pthread_join(thread, &result), 0);
		EQ((intptr_t)result, 5);
	}
	EQ(cleaned, 35);
}
#endif

CHECK_MAIN
