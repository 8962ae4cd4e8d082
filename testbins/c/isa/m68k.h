#define ISA_MACHINE EM_68K
#define ISA_AUDIT EM_68K
#define ISA_UTS "m68k"
#define ISA_PLATFORM NULL
#define ISA_NO_HWCAP
#define ISA_NO_HWCAP2
#define ISA_O_LARGEFILE 0400000

#define ISA_UNDEFINED() __asm__ volatile("illegal")
#define ISA_BREAK() __asm__ volatile("trap #15")
#define ISA_BREAK_CODE 0x4e4f0000
#define ISA_BREAK_BITS 0xffff0000
#define ISA_BEHIND_BREAK 2
#define ISA_RETURN_CODE 0x4e754e75 /* rts, twice */

#define ISA_FAULT_PC(m) ((m)->gregs[R_PC])
#define ISA_KEPT_NAME "d4"
#define ISA_KEPT(m) ((m)->gregs[4])
#define ISA_FLOAT_NAME "fp4"
#define ISA_FLOAT(m) ((m)->fpregs.f_fpregs[4])
#define ISA_SET_PC(m, where) ((m)->gregs[R_PC] = (where))

/* elf_gregset_t (asm/elf.h of the kernel): d1 and the others, d0, the stack pointer, the call's number, status, pc */
typedef struct {
	unsigned long gregs[20];
} registers;
#undef PC
#define PC(r) ((r).gregs[18])
#define SP(r) ((r).gregs[15])
#define RESULT(r) ((r).gregs[14])
#define ARG0(r) ((r).gregs[0])
#define ARG1(r) ((r).gregs[1])
#define ISA_USER_PC (18 * 4)
#define ISA_USER_SP (15 * 4)
#define ISA_USER_END sizeof(struct user)
#define ISA_STACK_ARGUMENTS
#define ISA_CALL_IN_REGISTERS gregs[16]
