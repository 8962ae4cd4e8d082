/* The code that calls sigreturn, for handlers of both kinds, with what unwinders need to get past a signal's frame:
 * gcc's own way past frames that nobody describes fails on this machine.
 *
 * Places are those of ../frame.rs, numbers of registers those of .eh_frame (System V ABI, PowerPC Processor
 * Supplement; gcc's rs6000.h).
 */

/* Values of a frame's registers: they are where the word at `pointer` above the stack pointer says. */
	.macro	saved register, pointer, offset
	/* DW_CFA_expression: DW_OP_breg1 pointer; DW_OP_deref; DW_OP_plus_uconst offset. Numbers have two bytes. */
	.cfi_escape 0x10, \register, 7
	.cfi_escape 0x71, ((\pointer) & 0x7f) | 0x80, (\pointer) >> 7, 0x06
	.cfi_escape 0x23, ((\offset) & 0x7f) | 0x80, (\offset) >> 7
	.endm

	.macro	frame pointer
	/* DW_CFA_def_cfa_expression: the same, of r1, and DW_OP_deref */
	.cfi_escape 0x0f, 8
	.cfi_escape 0x71, ((\pointer) & 0x7f) | 0x80, (\pointer) >> 7, 0x06
	.cfi_escape 0x23, 4 | 0x80, 0, 0x06
	.set n, 0
	.rept 32
	.if n != 1
	saved n, \pointer, (n * 4)
	.endif
	saved (n + 32), \pointer, (48 * 4 + n * 8)
	.set n, n + 1
	.endr
	saved 67, \pointer, (32 * 4)	/* nip, as the return address */
	saved 65, \pointer, (36 * 4)	/* lr */
	saved 66, \pointer, (35 * 4)	/* ctr */
	saved 70, \pointer, (38 * 4)	/* cr, by the field that calls leave alone */
	saved 76, \pointer, (37 * 4)	/* xer */
	.endm

	.text
/* Unwinders look for the instruction before a return address. */
	.macro	trampoline name, number, pointer
	.cfi_startproc
	.cfi_signal_frame
	.cfi_return_column 67
	frame	\pointer
	nop
	.globl	\name
	.type	\name, @function
\name:
	li	0, \number
	sc
	.cfi_endproc
	.size	\name, . - \name
	.endm

	/* A stack frame; a sigcontext, whose last word points to the registers. */
	trampoline __kernel_sigtramp32, 119, (64 + 28)
	/* A stack frame; siginfo_t; a ucontext. */
	trampoline __kernel_sigtramp_rt32, 172, (64 + 16 + 128 + 48)
