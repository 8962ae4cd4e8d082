// The number in an SVC instruction means nothing to an EABI kernel: the call's is in r7.
// arches: arm
// no-reference: qemu-arm takes an A32 immediate for a call of the old ABI, as kernels with CONFIG_OABI_COMPAT do
/*
 * arch/arm/kernel/entry-common.S ("Pure EABI user space always put syscall number into scno (r7)") and arm64's
 * do_el0_svc_compat. Debian's kernels are of these kinds. In Thumb it is the same everywhere ("no thumb OABI emulation").
 */
#include "../check.h"

#define CALL(set, name, imm)                                                                        \
	long name(long number);                                                                    \
	__asm__(".text\n.syntax unified\n" set "\n.align 2\n.globl " #name "\n.type " #name         \
		", %function\n" #name ":\n push {r7, lr}\n mov r7, r0\n svc #" #imm                \
		"\n pop {r7, pc}\n.thumb\n");

CALL(".arm", a32_zero, 0)
CALL(".arm", a32_getppid, 0x900040)
CALL(".arm", a32_exit, 0x900001)
CALL(".arm", a32_odd, 0xabcdef)
CALL(".thumb", t16_exit, 1)
CALL(".thumb", t16_odd, 0xff)

CHECK(numbers)
{
	long pid = getpid();

	EQ(a32_zero(SYS_getpid), pid);
	EQ(a32_getppid(SYS_getpid), pid);
	EQ(a32_exit(SYS_getpid), pid);
	EQ(a32_odd(SYS_getpid), pid);
	EQ(t16_exit(SYS_getpid), pid);
	EQ(t16_odd(SYS_getpid), pid);
}

CHECK_MAIN
