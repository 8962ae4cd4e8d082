#define ISA_MACHINE EM_X86_64
#define ISA_AUDIT AUDIT_ARCH_X86_64
#define ISA_UTS "x86_64"
#define ISA_PLATFORM "x86_64"
#define ISA_O_LARGEFILE 0100000

#define ISA_UNDEFINED() __asm__ volatile("ud2")
#define ISA_BREAK() __asm__ volatile("int3")
#define ISA_BREAK_CODE 0xcc
#define ISA_BREAK_BITS 0xff
#define ISA_BEHIND_BREAK 1
#define ISA_RETURN_CODE 0xc3

#define ISA_FAULT_PC(m) ((m)->gregs[REG_RIP])
#define ISA_KEPT_NAME "r12"
#define ISA_KEPT(m) ((m)->gregs[REG_R12])
#define ISA_SET_PC(m, pc) ((m)->gregs[REG_RIP] = (pc))

typedef struct user_regs_struct registers;
#define ISA_USER_PC offsetof(struct user, regs.rip)
#define ISA_USER_SP offsetof(struct user, regs.rsp)
/* The kernel's struct user is a little longer than the C library's. */
#define ISA_USER_END (sizeof(struct user) + 16)
#define PC(r) ((r).rip)
#define SP(r) ((r).rsp)
#define RESULT(r) ((r).rax)
#define ARG0(r) ((r).rdi)
#define ARG1(r) ((r).rsi)
#define ISA_CALL_IN_REGISTERS orig_rax
