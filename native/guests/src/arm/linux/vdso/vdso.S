/* arch/arm/vdso: the same functions, of which each makes the system call where it cannot do without.
 *
 * UDF is the instruction that the emulator reads a clock by (native/guests/src/vdso.rs): the one that r0 says, into r2 (seconds, their
 * upper half into r12) and r3 (nanoseconds). The code that calls sigreturn has a page of its own.
 */
#include "clocks.h"

	.arch	armv4t
	.arm
	.macro	read_clock
	.inst	0xe7f751f0	/* udf #0x7510 */
	.endm

	BEGIN

	.macro	function name
	.globl	\name
	.type	\name, %function
\name:
	.cfi_startproc
	.endm

	.macro	end name, number
	mov	r0, #0
	bx	lr
9:	mov	r12, r7
	.cfi_register 7, 12
	mov	r7, #(\number & 0xff00)
	orr	r7, r7, #(\number & 0xff)
	svc	#0
	mov	r7, r12
	.cfi_restore 7
	bx	lr
	.cfi_endproc
	.size	\name, . - \name
	.endm

/* Goes to 9 unless the clock r0 is one that can be read. */
	.macro	check
	cmp	r0, #LAST_CLOCK
	bhi	9f
	ldr	r2, clocks
	mov	r2, r2, lsr r0
	tst	r2, #1
	beq	9f
	.endm


	function __vdso_clock_gettime
	check
	read_clock
	str	r2, [r1]
	str	r3, [r1, #4]
	end	__vdso_clock_gettime, 263

	function __vdso_clock_gettime64
	check
	read_clock
	mov	r0, #0
#ifdef __ARMEB__
	str	r12, [r1]
	str	r2, [r1, #4]
	str	r0, [r1, #8]
	str	r3, [r1, #12]
#else
	str	r2, [r1]
	str	r12, [r1, #4]
	str	r3, [r1, #8]
	str	r0, [r1, #12]
#endif
	end	__vdso_clock_gettime64, 403

	function __vdso_clock_getres
	check
	orr	r0, r0, #RESOLUTION
	read_clock
	cmp	r1, #0
	strne	r2, [r1]
	strne	r3, [r1, #4]
	end	__vdso_clock_getres, 264

	function __vdso_gettimeofday
	ldr	r2, clocks
	cmp	r2, #0
	beq	9f
	cmp	r0, #0
	beq	1f
	str	lr, [sp, #-8]!
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset lr, 0
	mov	lr, r0
	mov	r0, #MICROSECONDS
	read_clock
	str	r2, [lr]
	str	r3, [lr, #4]
	ldr	lr, [sp], #8
	.cfi_adjust_cfa_offset -8
	.cfi_restore lr
1:	cmp	r1, #0
	beq	2f
	mov	r0, #ZONE
	read_clock
	str	r2, [r1]
	str	r3, [r1, #4]
2:	end	__vdso_gettimeofday, 78
