#define ISA_MACHINE EM_386
#define ISA_AUDIT AUDIT_ARCH_I386
#define ISA_UTS "i686"
#define ISA_PLATFORM "i686"
#define ISA_O_LARGEFILE 0100000
#define ISA_CLONE_TLS_FIRST

#define ISA_UNDEFINED() __asm__ volatile("ud2")
#define ISA_BREAK() __asm__ volatile("int3")
#define ISA_BREAK_CODE 0xcc
#define ISA_BREAK_BITS 0xff
#define ISA_BEHIND_BREAK 1
#define ISA_RETURN_CODE 0xc3

#define ISA_FAULT_PC(m) ((m)->gregs[REG_EIP])
#define ISA_KEPT_NAME "esi"
#define ISA_KEPT(m) ((m)->gregs[REG_ESI])
#define ISA_SET_PC(m, pc) ((m)->gregs[REG_EIP] = (pc))

typedef struct user_regs_struct registers;
#define ISA_USER_PC offsetof(struct user, regs.eip)
#define ISA_USER_SP offsetof(struct user, regs.esp)
/* The kernel's struct user is a little longer than the C library's. */
#define ISA_USER_END (sizeof(struct user) + 16)
#define PC(r) ((r).eip)
#define SP(r) ((r).esp)
#define RESULT(r) ((r).eax)
#define ARG0(r) ((r).ebx)
#define ARG1(r) ((r).ecx)
#define ISA_STACK_ARGUMENTS
#define ISA_CALL_IN_REGISTERS orig_eax
