// arches: aarch64
// cflags-aarch64: -march=armv8.4-a
// Exclusive, ordered and atomic accesses must be aligned to their whole size (Arm ARM B2.5.2) unless the
// CPU has LSE2, which HWCAP_USCAT tells; then they must not cross 16 bytes. The signal is SIGBUS with
// BUS_ADRALN, the address the one that was given. Plain accesses need no alignment. The
// load-acquires and store-releases are in alignment_ordered.c.
#include "../check.h"

#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>

static _Alignas(64) unsigned char memory[128];
static volatile int faults, last_code;
static void *volatile last_address;
static volatile uint64_t last_pc, last_x1, last_x4;

/* Goes on behind the instruction. */
static void skip(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)number;
	faults++;
	last_code = info->si_code;
	last_address = info->si_addr;
	last_pc = uc->uc_mcontext.pc;
	last_x1 = uc->uc_mcontext.regs[1];
	last_x4 = uc->uc_mcontext.regs[4];
	uc->uc_mcontext.pc += 4;
}

/* x0 the address; x1 and x2 what is loaded or stored, x4 and x5 likewise. */
#define ACCESS(name, text)                                                      \
	static uint64_t name(void *p)                                           \
	{                                                                       \
		register void *x0 __asm__("x0") = p;                            \
		register uint64_t x1 __asm__("x1") = 0x1111, at;                \
		register uint64_t x4 __asm__("x4") = 0x4444;                    \
		__asm__ volatile("mov x2, #2\n\tmov x3, #3\n\tmov x5, #5\n\t"   \
				 "clrex\n\tadr x6, 1f\n\t1: " text "\n\tmov %1, x6"      \
				 : "+r"(x0), "=&r"(at), "+r"(x1), "+r"(x4)      \
				 :                                              \
				 : "x2", "x3", "x5", "x6", "memory");           \
		return at;                                                      \
	}

/* With a negative size: without a monitor that is set they may fail before they fault. */
#ifdef ORDERED
#define LIST(F)                                                                 \
	F(ldarh, 2, "ldarh w1, [x0]") F(ldarw, 4, "ldar w1, [x0]")              \
	F(ldarx, 8, "ldar x1, [x0]") F(stlrw, 4, "stlr w1, [x0]")               \
	F(stlrx, 8, "stlr x1, [x0]") F(ldaprx, 8, "ldapr x1, [x0]")             \
	F(ldapurx, 8, "ldapur x1, [x0]") F(stlurw, 4, "stlur w1, [x0]")
#else
#define LIST(F)                                                                 \
	F(ldxrh, 2, "ldxrh w1, [x0]") F(ldxrw, 4, "ldxr w1, [x0]")              \
	F(ldxrx, 8, "ldxr x1, [x0]") F(ldaxrx, 8, "ldaxr x1, [x0]")             \
	F(stxrw, -4, "stxr w3, w1, [x0]")                             \
	F(stlxrx, -8, "stlxr w3, x1, [x0]")                           \
	F(ldxpw, 8, "ldxp w1, w2, [x0]") F(ldxpx, 16, "ldxp x1, x2, [x0]")      \
	F(stxpx, -16, "stxp w3, x1, x2, [x0]")                        \
	F(casw, 4, "cas w4, w1, [x0]") F(casalx, 8, "casal x4, x1, [x0]")       \
	F(caspw, 8, "casp w4, w5, w2, w3, [x0]")                                \
	F(caspx, 16, "casp x4, x5, x2, x3, [x0]")                               \
	F(swpw, 4, "swp w4, w1, [x0]") F(ldaddh, 2, "ldaddh w4, w1, [x0]")      \
	F(ldaddx, 8, "ldadd x4, x1, [x0]") F(ldaddalx, 8, "ldaddal x4, x1, [x0]") \
	F(staddx, 8, "stadd x4, [x0]") F(ldclrx, 8, "ldclr x4, x1, [x0]")       \
	F(ldsetw, 4, "ldset w4, w1, [x0]") F(ldumaxx, 8, "ldumax x4, x1, [x0]")
#endif

#define DEFINE(name, size, text) ACCESS(name, text)
LIST(DEFINE)

static const struct {
	const char *name;
	int size;
	uint64_t (*access)(void *);
} all[] = {
#define ROW(name, size, text) { #name, size, name },
	LIST(ROW)
};

static void catch(void)
{
	struct sigaction action = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO };

	OK(sigaction(SIGBUS, &action, NULL));
}

static int may_not(int size, int offset)
{
	if (getauxval(AT_HWCAP) & HWCAP_USCAT)
		return offset % 16 + size > 16;
	return offset % size != 0;
}

CHECK(what_is_not_aligned_faults)
{
	unsigned char before[sizeof(memory)];

	catch();
	for (int i = 0; i < COUNT(all); i++) {
		for (int offset = 0; offset < 32; offset++) {
			int want = may_not(abs(all[i].size), offset);
			uint64_t pc;

			memset(memory, 7, sizeof(memory));
			memcpy(before, memory, sizeof(memory));
			faults = 0;
			pc = all[i].access(memory + offset);
			if (faults < want && all[i].size < 0)
				want = 0;
			if (faults != want)
				FAIL("%s at %d: %d faults want %d", all[i].name, offset, faults,
				     want);
			if (all[i].size < 0)
				MEMEQ(memory, before, sizeof(memory));
			if (!want)
				continue;
			if (last_code != BUS_ADRALN)
				FAIL("%s: code %d", all[i].name, last_code);
			if (last_address != memory + offset)
				FAIL("%s: address %p want %p", all[i].name, last_address,
				     memory + offset);
			if (last_pc != pc)
				FAIL("%s: pc off by %lld", all[i].name,
				     (long long)(last_pc - pc));
			if (last_x1 != 0x1111 || last_x4 != 0x4444)
				FAIL("%s: registers changed", all[i].name);
			MEMEQ(memory, before, sizeof(memory));
		}
	}
}

CHECK(plain_accesses_need_no_alignment)
{
	catch();
	faults = 0;
	for (int offset = 0; offset < 32; offset++) {
		void *p = memory + offset;

		__asm__ volatile("ldr x1, [%0]\n\tstr x1, [%0]\n\tldp x1, x2, [%0]\n\t"
				 "stp x1, x2, [%0]\n\tldr q0, [%0]\n\tstr q0, [%0]\n\t"
				 "ldrh w1, [%0]\n\tldtr x1, [%0]" ::"r"(p)
				 : "x1", "x2", "v0", "memory");
	}
	EQ(faults, 0);
}

#ifndef ORDERED
/* In a loop, so that it is translated code that faults, again and again. */
CHECK(many_faults)
{
	catch();
	faults = 0;
	for (int i = 0; i < 1000; i++)
		ldaddalx(memory + 1 + i % 7);
	EQ(faults, getauxval(AT_HWCAP) & HWCAP_USCAT ? 0 : 1000);
}
#endif

CHECK_MAIN
