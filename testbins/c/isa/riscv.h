#include <asm/ptrace.h>

#define ISA_MACHINE EM_RISCV
#if __riscv_xlen == 64
#define ISA_AUDIT AUDIT_ARCH_RISCV64
#define ISA_UTS "riscv64"
#else
#define ISA_AUDIT AUDIT_ARCH_RISCV32
#define ISA_UTS "riscv32"
#endif
#define ISA_PLATFORM NULL
#define ISA_NO_HWCAP2
#define ISA_O_LARGEFILE 0100000
#define ISA_CLONE_TLS_FIRST
#define ISA_NO_RESTORER

#define ISA_UNDEFINED() __asm__ volatile(".4byte 0xffffffff")
#define ISA_BREAK() __asm__ volatile("ebreak")
/* c.ebreak: instructions may be two bytes long. */
#define ISA_BREAK_CODE 0x9002
#define ISA_BREAK_BITS 0xffff
#define ISA_BEHIND_BREAK 0
#define ISA_RETURN_CODE 0x8082 /* c.ret */

#define ISA_FAULT_PC(m) ((m)->__gregs[REG_PC])
#define ISA_KEPT_NAME "s4"
#define ISA_KEPT(m) ((m)->__gregs[20])
#define ISA_FLOAT_NAME "fs4"
#define ISA_FLOAT(m) (&(m)->__fpregs.__d.__f[20])
#define ISA_SET_PC(m, pc) ((m)->__gregs[REG_PC] = (pc))

typedef struct user_regs_struct registers;
#define PC(r) ((r).pc)
#define SP(r) ((r).sp)
#define RESULT(r) ((r).a0)
#define ARG0(r) ((r).a0)
#define ARG1(r) ((r).a1)
#define ISA_CALL_IN_REGISTERS a7
