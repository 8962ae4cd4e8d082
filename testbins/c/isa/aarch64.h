#define ISA_MACHINE EM_AARCH64
#define ISA_AUDIT AUDIT_ARCH_AARCH64
#define ISA_UTS (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "aarch64_be" : "aarch64")
#define ISA_PLATFORM "aarch64"
#define ISA_O_LARGEFILE 0400000
#define ISA_CLONE_TLS_FIRST

#define ISA_UNDEFINED() __asm__ volatile("udf #0")
#define ISA_BREAK() __asm__ volatile("brk #0")
#define ISA_BREAK_CODE 0xd4200000
#define ISA_BREAK_BITS 0xffffffff
#define ISA_BEHIND_BREAK 0
#define ISA_RETURN_CODE 0xd65f03c0

#define ISA_FAULT_PC(m) ((m)->pc)
#define ISA_KEPT_NAME "x20"
#define ISA_KEPT(m) ((m)->regs[20])
#define ISA_SET_PC(m, to) ((m)->pc = (to))

typedef struct user_regs_struct registers;
#define PC(r) ((r).pc)
#define SP(r) ((r).sp)
#define RESULT(r) ((r).regs[0])
#define ARG0(r) ((r).regs[0])
#define ARG1(r) ((r).regs[1])
#define ISA_CALL_SET 0x404 /* NT_ARM_SYSTEM_CALL */
