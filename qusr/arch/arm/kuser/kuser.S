/*
 * The user helpers that an ARM kernel provides at fixed addresses
 * (Documentation/arch/arm/kernel_user_helpers.rst). Only the tail of the page is here,
 * from 0xffff0f60; `make` in this folder writes the bytes to ../kuser_page.py.
 *
 * Exclusives, the CP15 barrier and the thread register are ARMv6K's. The native core executes
 * them here on older CPU models, too, where no other code could do the same.
 */
	.syntax unified
	.arch armv6k
	.arm
	.text

	.macro	barrier
	mcr	p15, 0, r0, c7, c10, 5
	.endm

	/* 0xffff0f60: int cmpxchg64(const int64_t *old, const int64_t *new, volatile int64_t *ptr)
	   r0 = 0 and C set when *ptr was *old and is now *new. Clobbers r3, lr, flags. */
	.org	0x00
	push	{r1, r4-r7, r12}
	ldrd	r4, r5, [r0]
	ldrd	r6, r7, [r1]
	barrier
1:	ldrexd	r0, r1, [r2]
	eors	r3, r0, r4
	eorseq	r3, r1, r5
	strexdeq r3, r6, r7, [r2]
	cmpeq	r3, #1
	beq	1b
	barrier
	rsbs	r0, r3, #0
	pop	{r1, r4-r7, r12}
	bx	lr

	/* 0xffff0fa0: void memory_barrier(void). Clobbers nothing. */
	.org	0x40
memory_barrier:
	barrier
	bx	lr

	/* 0xffff0fc0: int cmpxchg(int old, int new, volatile int *ptr)
	   As above for 32 bits. Clobbers r3, ip, flags. */
	.org	0x60
	barrier
1:	ldrex	r3, [r2]
	subs	r3, r3, r0
	strexeq	r3, r1, [r2]
	cmpeq	r3, #1
	beq	1b
	rsbs	r0, r3, #0
	b	memory_barrier

	/* 0xffff0fe0: void *get_tls(void). Clobbers nothing else. */
	.org	0x80
	mrc	p15, 0, r0, c13, c0, 3
	bx	lr

	/* 0xffff0ffc: how many helpers there are; 5 includes cmpxchg64. */
	.data
	.word	5
