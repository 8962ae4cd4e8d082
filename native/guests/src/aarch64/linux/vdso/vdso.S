/* arch/arm64/kernel/vdso: the same functions, of which each makes the system call where it cannot do without.
 *
 * UDF is the instruction that the emulator reads a clock by (native/guests/src/vdso.rs): the one that w0 says, into x2 (seconds)
 * and x3 (nanoseconds).
 */
#include "clocks.h"

#define READ_CLOCK	udf #0x7510

	BEGIN
/* Without unwind information, as the kernel's: unwinders know these instructions. */
	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, %function
__kernel_rt_sigreturn:
	mov	x8, #139
	svc	#0
	.size	__kernel_rt_sigreturn, . - __kernel_rt_sigreturn

	.macro	function name
	.globl	\name
	.type	\name, %function
\name:
	.cfi_startproc
	hint	#34	/* bti c */
	.endm

	.macro	end name, number
	mov	x0, #0
	ret
9:	mov	x8, #\number
	svc	#0
	ret
	.cfi_endproc
	.size	\name, . - \name
	.endm

/* Goes to 9 unless the clock w0 is one that can be read. */
	.macro	check
	cmp	w0, #LAST_CLOCK
	b.hi	9f
	ldr	w2, clocks
	lsr	w2, w2, w0
	tbz	w2, #0, 9f
	.endm


	.arch	armv8-a
	function __kernel_clock_gettime
	check
	READ_CLOCK
	stp	x2, x3, [x1]
	end	__kernel_clock_gettime, 113

	function __kernel_clock_getres
	check
	orr	w0, w0, #RESOLUTION
	READ_CLOCK
	cbz	x1, 1f
	stp	x2, x3, [x1]
1:	end	__kernel_clock_getres, 114

	function __kernel_gettimeofday
	ldr	w2, clocks
	cbz	w2, 9f
	mov	x4, x0
	cbz	x4, 1f
	mov	w0, #(MICROSECONDS | CLOCK_REALTIME)
	READ_CLOCK
	stp	x2, x3, [x4]
1:	cbz	x1, 2f
	mov	w0, #ZONE
	READ_CLOCK
	stp	w2, w3, [x1]
2:	end	__kernel_gettimeofday, 169
