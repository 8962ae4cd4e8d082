/* What programs have to know of the instruction set that they are built for. Each has a header in isa/ with
 *
 * ISA_MACHINE, ISA_AUDIT      e_machine (EM_*), AUDIT_ARCH_*
 * ISA_UTS                     what uname(2) says; only how it begins, if ISA_UTS_BEGINS is defined
 * ISA_PLATFORM                AT_PLATFORM: a string, or NULL: there is no such entry; or just ISA_PLATFORM_VARIES
 * ISA_NO_HWCAP                AT_HWCAP may be 0
 * ISA_NO_HWCAP2              there is no AT_HWCAP2
 * ISA_O_LARGEFILE             the kernel's, also where the C library's is 0
 * ISA_CLONE_TLS_FIRST         clone(2) has the thread pointer before the child's tid (CONFIG_CLONE_BACKWARDS)
 * ISA_CLONE_STACK_FIRST       clone(2) has the stack before the flags (CONFIG_CLONE_BACKWARDS2)
 * ISA_FAULT_PAGES             of a failed access the page is told, not the address
 * ISA_BREAK_IS_ILLEGAL        a breakpoint instruction is SIGILL for a program without a tracer
 * ISA_BEHIND_UNDEFINED        how far behind an undefined instruction the pc of its signal is, if not on it
 * ISA_NO_RESTORER             struct sigaction of the kernel has no sa_restorer
 * ISA_ACTION_FLAGS_FIRST      struct sigaction of the kernel begins with the flags, an int
 * ISA_UNDEFINED(), ISA_BREAK()   an undefined and a breakpoint instruction
 * ISA_BREAK_CODE, ISA_BREAK_BITS, ISA_BEHIND_BREAK   the latter's code, its bits, and how far behind it its stop is
 * ISA_RETURN_CODE             code that returns from a function without a frame
 * ISA_MCONTEXT(context)      the mcontext_t of what a handler gets, where that is not uc_mcontext itself
 * ISA_FAULT_PC(m), ISA_SET_PC(m, pc)     of a mcontext_t
 * ISA_SET_FUNCTION(m, f)     the same with a function, where that is more
 * ISA_KEPT(m), ISA_KEPT_NAME   a register that calls leave alone, in a mcontext_t and for the compiler
 * ISA_FLOAT(m), ISA_FLOAT_NAME the same for one of floating point, by its place; not where calls leave none alone or
 *                            the frame has them elsewhere
 * registers, PC(r), SP(r), RESULT(r), ARG0(r), ARG1(r)    NT_PRSTATUS
 * CALL_ERRNO(r), SET_RESULT(r, value)     after a system call: its errno; a result that is none
 * SET_FUNCTION(r, f)         the pc, and what else a called function relies on
 * ISA_RESULT_IS_NUMBER       the register of the result has the number of a call before it
 * ISA_UNDEFINED_IS_NOWHERE   SIGILL of an undefined instruction is SI_KERNEL, without an address
 * CALL_ARG0(r)               the first argument before a system call, where that is elsewhere
 * ISA_CALL_SET                the register set with the number of a system call, where a tracer changes that
 * ISA_CALL_IN_REGISTERS       its field with the number of a system call, where a tracer changes that
 * ISA_USER_PC, ISA_USER_SP, ISA_USER_END    where PTRACE_PEEKUSER finds these, and where it finds nothing; none: there is no such
 *                            request
 * ISA_STACK_ARGUMENTS         functions have their arguments on the stack
 */
#ifndef ISA_H
#define ISA_H

#include <elf.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>
#include <ucontext.h>

#if defined(__x86_64__)
#include "isa/x86_64.h"
#elif defined(__i386__)
#include "isa/i386.h"
#elif defined(__aarch64__)
#include "isa/aarch64.h"
#elif defined(__arm__)
#include "isa/arm.h"
#elif defined(__m68k__)
#include "isa/m68k.h"
#elif defined(__mips__)
#include "isa/mips.h"
#elif defined(__powerpc__)
#include "isa/powerpc.h"
#elif defined(__riscv)
#include "isa/riscv.h"
#elif defined(__s390x__)
#include "isa/s390x.h"
#endif

/* clone(2)'s first two arguments. */
#ifdef ISA_CLONE_STACK_FIRST
#define CLONE_ARGS(flags, stack) (long)(stack), (long)(flags)
#else
#define CLONE_ARGS(flags, stack) (long)(flags), (long)(stack)
#endif

#ifndef ISA_SET_FUNCTION
#define ISA_SET_FUNCTION ISA_SET_PC
#endif
#ifndef ISA_MCONTEXT
#define ISA_MCONTEXT(context) (&((ucontext_t *)(context))->uc_mcontext)
#endif
#ifndef ISA_BEHIND_UNDEFINED
#define ISA_BEHIND_UNDEFINED 0
#endif
#ifndef CALL_ARG0
#define CALL_ARG0 ARG0
#endif
#ifndef CALL_ERRNO
#define CALL_ERRNO(r) (-(int)RESULT(r))
#define SET_RESULT(r, value) (RESULT(r) = (value))
#endif
#ifndef SET_FUNCTION
#define SET_FUNCTION(r, f) (PC(r) = (uintptr_t)(f))
#endif
/* What si_addr says of a failed access at an address. */
#ifdef ISA_FAULT_PAGES
#define ISA_FAULT_ADDRESS(address) ((uintptr_t)(address) & ~0xfffUL)
#else
#define ISA_FAULT_ADDRESS(address) ((uintptr_t)(address))
#endif

#endif
