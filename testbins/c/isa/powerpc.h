#include <asm/ptrace.h>

#define ISA_MACHINE EM_PPC
#define ISA_AUDIT AUDIT_ARCH_PPC
#define ISA_UTS "ppc"
#define ISA_PLATFORM "ppc7450"
#define ISA_O_LARGEFILE 0200000
#define ISA_CLONE_TLS_FIRST

#define ISA_UNDEFINED() __asm__ volatile(".long 0")
#define ISA_BREAK() __asm__ volatile("trap")
#define ISA_BREAK_CODE 0x7fe00008
#define ISA_BREAK_BITS 0xffffffff
#define ISA_BEHIND_BREAK 0
#define ISA_RETURN_CODE 0x4e800020 /* blr */

/* Of 32 bits, uc_mcontext has a pointer to the registers. */
#define ISA_MCONTEXT(context) (((ucontext_t *)(context))->uc_mcontext.uc_regs)
#define ISA_FAULT_PC(m) ((m)->gregs[PT_NIP])
#define ISA_KEPT_NAME "r20"
#define ISA_KEPT(m) ((m)->gregs[20])
#define ISA_FLOAT_NAME "fr20"
#define ISA_FLOAT(m) (&(m)->fpregs.fpregs[20])
#define ISA_SET_PC(m, pc) ((m)->gregs[PT_NIP] = (pc))

/* elf_gregset_t (asm/elf.h of the kernel) */
typedef struct {
	unsigned long gregs[48];
} registers;
#define PC(r) ((r).gregs[PT_NIP])
#define SP(r) ((r).gregs[1])
#define RESULT(r) ((r).gregs[3])
#define ARG0(r) ((r).gregs[3])
#define ARG1(r) ((r).gregs[4])
/* CR0.SO is whether a call failed. */
#define CALL_ERRNO(r) ((r).gregs[PT_CCR] & 1u << 28 ? (int)RESULT(r) : 0)
#define SET_RESULT(r, value) ((r).gregs[PT_CCR] &= ~(1ul << 28), RESULT(r) = (value))
#define ISA_USER_PC (PT_NIP * 4)
#define ISA_USER_SP (1 * 4)
#define ISA_USER_END 0x1000
#define ISA_CALL_IN_REGISTERS gregs[0]
