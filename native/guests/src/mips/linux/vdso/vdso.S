/* arch/mips/vdso: the same functions, in one image for each ABI and byte order; the code runs on every release.
 *
 * A reserved function of SPECIAL is the instruction that the emulator reads a clock by (native/guests/src/vdso.rs): the one that a0
 * says, into a2 (seconds; o32: the upper half into t8) and a3 (nanoseconds).
 */
#include "clocks.h"

	.set	noreorder
	.set	noat
	.macro	read_clock
	.word	0x0000003d
	.endm

	.macro	return
	.word	0x03e00009	/* jalr $0, $31: all releases have it */
	nop
	.endm

#if _MIPS_SIM == _ABIO32
#define NR 4000
#define GETTIMEOFDAY 78
#define GETTIME 263
#define GETRES 264
#define GETTIME64 403
#elif _MIPS_SIM == _ABIN32
#define NR 6000
#define GETTIMEOFDAY 94
#define GETTIME 226
#define GETRES 227
#define GETTIME64 403
#else
#define NR 5000
#define GETTIMEOFDAY 94
#define GETTIME 222
#define GETRES 223
#endif

	BEGIN
/* Unwinders know these instructions. */
#if _MIPS_SIM == _ABIO32
	li	$2, 4193
	syscall
	li	$2, 4119
	syscall
#elif _MIPS_SIM == _ABIN32
	li	$2, 6211
	syscall
#else
	li	$2, 5211
	syscall
#endif

	.macro	function name
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
	.endm

	.macro	end name, number
	move	$2, $0
	return
9:	li	$2, \number
	syscall
	beq	$7, $0, 1f
	nop
	subu	$2, $0, $2
1:	return
	.cfi_endproc
	.size	\name, . - \name
	.endm

/* Loads the word into t0 ($8 of all ABIs but for its name). */
	.macro	load_clocks
	move	$12, $31
	.cfi_register 31, 12
	bal	6f
	nop
5:	.word	clocks - 5b
6:	lw	$8, 0($31)
#if _MIPS_SIM == _ABI64
	daddu	$8, $8, $31
#else
	addu	$8, $8, $31
#endif
	lw	$8, 0($8)
	move	$31, $12
	.cfi_restore 31
	.endm

/* Goes to 9 unless the clock a0 is one that can be read. */
	.macro	check
	sltiu	$8, $4, LAST_CLOCK + 1
	beq	$8, $0, 9f
	nop
	load_clocks
	srlv	$8, $8, $4
	andi	$8, $8, 1
	beq	$8, $0, 9f
	nop
	.endm

	.macro	put first, second, pointer
#if _MIPS_SIM == _ABI64
	sd	\first, 0(\pointer)
	sd	\second, 8(\pointer)
#else
	sw	\first, 0(\pointer)
	sw	\second, 4(\pointer)
#endif
	.endm


	function __vdso_clock_gettime
	check
	read_clock
	put	$6, $7, $5
	end	__vdso_clock_gettime, (NR + GETTIME)

#ifdef GETTIME64
	function __vdso_clock_gettime64
	check
	read_clock
#if _MIPS_SIM == _ABIN32
	sd	$6, 0($5)
	sd	$7, 8($5)
#elif defined(__MIPSEB__)
	sw	$24, 0($5)
	sw	$6, 4($5)
	sw	$0, 8($5)
	sw	$7, 12($5)
#else
	sw	$6, 0($5)
	sw	$24, 4($5)
	sw	$7, 8($5)
	sw	$0, 12($5)
#endif
	end	__vdso_clock_gettime64, (NR + GETTIME64)
#endif

	function __vdso_clock_getres
	check
	ori	$4, $4, RESOLUTION
	read_clock
	beq	$5, $0, 1f
	nop
	put	$6, $7, $5
1:	end	__vdso_clock_getres, (NR + GETRES)

	function __vdso_gettimeofday
	load_clocks
	beq	$8, $0, 9f
	nop
	beq	$4, $0, 1f
	move	$9, $4
	li	$4, MICROSECONDS
	read_clock
	put	$6, $7, $9
1:	beq	$5, $0, 2f
	nop
	li	$4, ZONE
	read_clock
	sw	$6, 0($5)
	sw	$7, 4($5)
2:	end	__vdso_gettimeofday, (NR + GETTIMEOFDAY)
