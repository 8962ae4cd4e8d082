/* arch/riscv/kernel/vdso: the same functions (of 32 bits those that the kernel has there, too).
 *
 * An instruction of the space that SYSTEM has for custom use is the one that the emulator reads a clock by (native/guests/src/vdso.rs):
 * the one that a0 says, into a2 (seconds) and a3 (nanoseconds).
 */
#include "clocks.h"

	.option	norvc
	.option	norelax
	.macro	read_clock
	.word	0x8c000073
	.endm

	BEGIN
/* Unwinders know these instructions; the information is behind the address that they look for, as with the kernel's. */
	.globl	__vdso_rt_sigreturn
	.type	__vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
	li	a7, 139
	ecall
	.size	__vdso_rt_sigreturn, . - __vdso_rt_sigreturn

	.macro	function name
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
	.endm

	.macro	end name, number
9:	li	a7, \number
	ecall
	ret
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.macro	load_clocks
	lw	t1, clocks
	.endm

/* Goes to 9 unless the clock a0 is one that can be read. */
	.macro	check
	li	t0, LAST_CLOCK
	bgtu	a0, t0, 9f
	load_clocks
	srl	t1, t1, a0
	andi	t1, t1, 1
	beqz	t1, 9f
	.endm


#if __riscv_xlen == 64
	function __vdso_clock_gettime
	check
	read_clock
	sd	a2, 0(a1)
	sd	a3, 8(a1)
	li	a0, 0
	ret
	end	__vdso_clock_gettime, 113

	function __vdso_clock_getres
	check
	ori	a0, a0, RESOLUTION
	read_clock
	beqz	a1, 1f
	sd	a2, 0(a1)
	sd	a3, 8(a1)
1:	li	a0, 0
	ret
	end	__vdso_clock_getres, 114

	function __vdso_gettimeofday
	load_clocks
	beqz	t1, 9f
	beqz	a0, 1f
	mv	a4, a0
	li	a0, MICROSECONDS
	read_clock
	sd	a2, 0(a4)
	sd	a3, 8(a4)
1:	beqz	a1, 2f
	li	a0, ZONE
	read_clock
	sw	a2, 0(a1)
	sw	a3, 4(a1)
2:	li	a0, 0
	ret
	end	__vdso_gettimeofday, 169
#endif

	function __vdso_getcpu
	end	__vdso_getcpu, 168

	function __vdso_flush_icache
	end	__vdso_flush_icache, 259

	function __vdso_riscv_hwprobe
	end	__vdso_riscv_hwprobe, 258
