#define ISA_MACHINE EM_S390
#define ISA_AUDIT AUDIT_ARCH_S390X
#define ISA_UTS "s390x"
#define ISA_PLATFORM "z900"
#define ISA_NO_HWCAP2
#define ISA_O_LARGEFILE 0100000
#define ISA_CLONE_STACK_FIRST
#define ISA_FAULT_PAGES
/* arch/s390/kernel/traps.c, illegal_op: SIGTRAP is for tracers only. */
#define ISA_BREAK_IS_ILLEGAL

#define ISA_UNDEFINED() __asm__ volatile(".2byte 0")
#define ISA_BREAK() __asm__ volatile(".2byte 1")
/* In the upper half of a word that is read from there. */
#define ISA_BREAK_CODE (0x0001UL << 48)
#define ISA_BREAK_BITS (0xffffUL << 48)
#define ISA_BEHIND_BREAK 2
#define ISA_RETURN_CODE (0x07feUL << 48) /* br %r14 */

/* What is wrong with an instruction leaves the PSW behind it: these are two bytes long. */
#define ISA_FAULT_PC(m) ((m)->psw.addr)
#define ISA_BEHIND_UNDEFINED 2
#define ISA_KEPT_NAME "r10"
#define ISA_KEPT(m) ((m)->gregs[10])
#define ISA_FLOAT_NAME "f9"
#define ISA_FLOAT(m) (&(m)->fpregs.fprs[9])
#define ISA_SET_PC(m, pc) ((m)->psw.addr = (pc))

typedef struct {
	unsigned long psw_mask, psw_addr, gprs[16];
	unsigned acrs[16];
	unsigned long orig_gpr2;
} registers;
#define PC(r) ((r).psw_addr)
#define SP(r) ((r).gprs[15])
#define RESULT(r) ((r).gprs[2])
#define ARG0(r) ((r).gprs[2])
/* Before a system call, where gprs[2] has its number. */
#define CALL_ARG0(r) ((r).orig_gpr2)
#define ARG1(r) ((r).gprs[3])
#define ISA_USER_PC 8
#define ISA_USER_SP (16 + 15 * 8)
#define ISA_USER_END sizeof(struct user)
#define ISA_RESULT_IS_NUMBER
#define ISA_CALL_SET 0x307 /* NT_S390_SYSTEM_CALL */
