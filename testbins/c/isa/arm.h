#define ISA_MACHINE EM_ARM
#define ISA_AUDIT AUDIT_ARCH_ARM
#define ISA_UTS "armv"
#define ISA_UTS_BEGINS
#define ISA_PLATFORM_VARIES
#define ISA_O_LARGEFILE 0400000
#define ISA_CLONE_TLS_FIRST

/* In Thumb not udf.w #0, which is a breakpoint to the kernel (arch/arm/kernel/ptrace.c). */
#ifdef __thumb__
#define ISA_UNDEFINED() __asm__ volatile(".inst.w 0xf7f0a0f1")
#define ISA_BREAK_CODE 0xde01
#define ISA_BREAK_BITS 0xffff
#define ISA_RETURN_CODE 0x47704770 /* bx lr */
#else
#define ISA_UNDEFINED() __asm__ volatile(".inst 0xe7f000f0")
#define ISA_BREAK_CODE 0xe7f001f0
#define ISA_BREAK_BITS 0xffffffff
#define ISA_RETURN_CODE 0xe12fff1e
#endif
#define ISA_BREAK() __asm__ volatile("bkpt #0")
#define ISA_BEHIND_BREAK 0

#define ISA_FAULT_PC(m) ((m)->arm_pc)
/* The address is a function's: bit 0 says Thumb. */
#define ISA_KEPT_NAME "r6"
#define ISA_KEPT(m) ((m)->arm_r6)
#define ISA_SET_PC(m, pc)                                                            \
	((m)->arm_pc = (pc) & ~1u,                                                    \
	 (m)->arm_cpsr = ((pc) & 1) ? ((m)->arm_cpsr | 0x20) : ((m)->arm_cpsr & ~0x20u))

typedef struct {
	unsigned long uregs[18];
} registers;
#define ISA_USER_PC (15 * 4)
#define ISA_USER_SP (13 * 4)
#define ISA_USER_END sizeof(struct user)
#define PC(r) ((r).uregs[15])
#define SP(r) ((r).uregs[13])
#define RESULT(r) ((r).uregs[0])
#define ARG0(r) ((r).uregs[0])
#define ARG1(r) ((r).uregs[1])
