#include <sys/ptrace.h>
#include <asm/ptrace.h>
#include <sgidefs.h>
/* The number of a register for PTRACE_PEEKUSER. */
#undef PC

#define ISA_MACHINE EM_MIPS
#if _MIPS_SIM == _ABI64
#define ISA_AUDIT_WIDE AUDIT_ARCH_MIPS64
#define ISA_AUDIT_WIDE_EL AUDIT_ARCH_MIPSEL64
#elif _MIPS_SIM == _ABIN32
#define ISA_AUDIT_WIDE AUDIT_ARCH_MIPS64N32
#define ISA_AUDIT_WIDE_EL AUDIT_ARCH_MIPSEL64N32
#else
#define ISA_AUDIT_WIDE AUDIT_ARCH_MIPS
#define ISA_AUDIT_WIDE_EL AUDIT_ARCH_MIPSEL
#endif
#if _MIPS_SIM != _ABIO32
#define ISA_UTS "mips64"
#define ISA_EF_R0 0
#define ISA_EF_EPC 34
#else
#define ISA_UTS "mips"
#define ISA_EF_R0 6
#define ISA_EF_EPC 40
#endif
#ifdef __MIPSEB__
#define ISA_AUDIT ISA_AUDIT_WIDE
#else
#define ISA_AUDIT ISA_AUDIT_WIDE_EL
#endif
#define ISA_PLATFORM NULL
#define ISA_NO_HWCAP
#define ISA_NO_HWCAP2
#define ISA_O_LARGEFILE 0x2000
#define ISA_CLONE_TLS_FIRST
#define ISA_NO_RESTORER
#define ISA_ACTION_FLAGS_FIRST

#define ISA_UNDEFINED() __asm__ volatile(".word 0x7c00003f")
/* arch/mips/kernel/traps.c, do_ri: the signal is all it says. */
#define ISA_UNDEFINED_IS_NOWHERE
#define ISA_BREAK() __asm__ volatile("break")
#if _MIPS_SIM == _ABI64 && defined(__MIPSEB__)
#define ISA_BREAK_CODE 0x0000000d00000000
#define ISA_BREAK_BITS 0xffffffff00000000
#else
#define ISA_BREAK_CODE 0x0000000d
#define ISA_BREAK_BITS 0xffffffff
#endif
#define ISA_BEHIND_BREAK 0
#define ISA_RETURN_CODE 0x03e00008 /* jr ra; what follows is in its delay slot */

#define ISA_FAULT_PC(m) ((m)->pc)
/* Code that does not depend on its place finds its data by the register of calls. */
#define ISA_SET_FUNCTION(m, where) ((m)->gregs[25] = (m)->pc = (where))
#define ISA_KEPT_NAME "$18"
#define ISA_KEPT(m) ((m)->gregs[18])
#define ISA_FLOAT_NAME "$f24"
#define ISA_FLOAT(m) (&(m)->fpregs.fp_r.fp_dregs[24])
#define ISA_SET_PC(m, where) ((m)->pc = (where))

/* elf_gregset_t (asm/elf.h of the kernel) */
typedef struct {
#if _MIPS_SIM == _ABIN32
	unsigned long long gregs[45];
#else
	unsigned long gregs[45];
#endif
} registers;
#define PC(r) ((r).gregs[ISA_EF_EPC])
#define SP(r) ((r).gregs[ISA_EF_R0 + 29])
#define RESULT(r) ((r).gregs[ISA_EF_R0 + 2])
#define ARG0(r) ((r).gregs[ISA_EF_R0 + 4])
#define ARG1(r) ((r).gregs[ISA_EF_R0 + 5])
/* a3 is whether a call failed. */
#define CALL_ERRNO(r) ((r).gregs[ISA_EF_R0 + 7] ? (int)RESULT(r) : 0)
#define SET_RESULT(r, value) ((r).gregs[ISA_EF_R0 + 7] = 0, RESULT(r) = (value))
/* Numbers, not addresses: PC and r29 of uapi/asm/ptrace.h. */
#define ISA_USER_PC 64
#define ISA_USER_SP 29
#define ISA_USER_END 79
/* Functions find their data by t9. */
#define SET_FUNCTION(r, f) ((r).gregs[ISA_EF_R0 + 25] = PC(r) = (uintptr_t)(f))
#define ISA_RESULT_IS_NUMBER
#define ISA_CALL_IN_REGISTERS gregs[ISA_EF_R0 + 2]
