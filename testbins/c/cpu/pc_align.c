// A branch to where no instruction can be.
// arches: aarch64 arm mipsel mips mips64el mips64 mipsn32el mipsn32
// cflags-arm: -marm
// build: native-core
#include "../traps.h"

static int reached;

static void __attribute__((noinline)) target(void)
{
	reached++;
}

static void goes_to(int offset)
{
	uintptr_t to = (uintptr_t)target + offset;
	void (*volatile function)(void) = (void (*)(void))to;

	catches(SIGBUS, jumps_out);
	catches(SIGILL, jumps_out);
	got_signal = 0;
	if (!sigsetjmp(out, 1))
		function();
	EQ(got_signal, SIGBUS);
	EQ(got_pc, to);
#ifdef __mips__
	/* arch/mips/kernel/unaligned.c, do_ade: force_sig(). */
	EQ(got_code, SI_KERNEL);
#else
	EQ(got_code, BUS_ADRALN);
	EQ((uintptr_t)got_addr, to);
#endif
	EQ(reached, 0);
}

CHECK(half_a_word)
{
	goes_to(2);
}

#ifndef __arm__
/* arm's would be Thumb code. */
CHECK(bytes)
{
	goes_to(1);
	goes_to(3);
}
#endif

CHECK_MAIN
