/* RISC-V's vectors: v8 to v15 are known at `here`; ends with 0 if v9 begins with 0x77 behind it. With an argument it dies instead. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static unsigned char bytes[8 * 128], back[8 * 128];

int main(int argc, char **argv)
{
	unsigned long vlenb;
	unsigned char *at;

	(void)argv;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	__asm__ volatile("csrr %0, 0xc22" : "=r"(vlenb));
	register unsigned char *a2 __asm__("a2") = bytes;
	/* vsetvli t0, zero, e8, m8, ta, ma; vle8.v v8, (a2) */
	__asm__ volatile(".4byte 0x0c3072d7\n\t.4byte 0x02060407" : : "r"(a2) : "t0", "memory");
	if (argc > 1)
		__asm__ volatile("unimp");
	a2 = back;
	/* vse8.v v8, (a2) */
	__asm__ volatile(".global here\nhere: nop\n\t.4byte 0x02060427" : : "r"(a2) : "memory");
	at = back + vlenb;
	bytes[vlenb] = 0x77;
	return memcmp(back, bytes, 8 * vlenb) != 0 || at[0] != 0x77;
}
