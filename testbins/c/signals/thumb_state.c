// Arm: what a signal frame has of the state between instructions: IT blocks, byte order of data, flags.
// arches: arm
// cflags: -march=armv7-a+fp -mthumb
/*
 * CPSR has ITSTATE of the instruction to be executed next: of the one that faulted, and behind an SVC that of the
 * instruction behind it (Arm ARM G1.15.3, AArch32.TakeSVCException). A handler begins without it, little-endian and
 * with all flags clear (setup_return of arch/arm/kernel/signal.c: PSR_f, PSR_E_BIT, PSR_IT_MASK), and sigreturn
 * restores what the frame has (USER_CPSR). qemu-user leaves the flags to the handler.
 */
#include "../check.h"
#include <signal.h>
#include <ucontext.h>

enum { T = 1 << 5, E = 1 << 9 };

/* ITSTATE of a CPSR: IT[7:2] in bits 15-10, IT[1:0] in bits 26-25. */
static unsigned it_of(unsigned long cpsr)
{
	return (cpsr >> 8 & 0xfc) | (cpsr >> 25 & 3);
}

static unsigned long with_it(unsigned long cpsr, unsigned it)
{
	return (cpsr & ~0x0600fc00ul) | (it & 0xfc) << 8 | (it & 3) << 25;
}

static int good = 5;
static volatile unsigned long seen_cpsr, seen_pc, seen_count, entry_cpsr;
static void (*then)(mcontext_t *m);

static void handler_body(int sig, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	seen_cpsr = m->arm_cpsr;
	seen_pc = m->arm_pc;
	seen_count++;
	if (then)
		then(m);
	/* Flags of its own, and IT blocks of its own. */
	__asm__ volatile("cmp %0, %0\n\titte ne\n\tmovne r0, #1\n\tmovne r0, #2\n\tmoveq r0, #3" : : "r"(sig) : "r0", "cc");
	(void)info;
}

/* Looks at CPSR (E, flags; IT and T read as 0) before compiled code changes it. */
void handler(int sig, siginfo_t *info, void *context);
__asm__(".text\n.syntax unified\n.thumb\n.align 2\n.globl handler\n.type handler, %function\nhandler:\n"
	" mrs r3, cpsr\n ldr r12, =entry_address\n ldr r12, [r12]\n str r3, [r12]\n"
	" ldr r12, =body_address\n ldr pc, [r12]\n.ltorg\n");
volatile unsigned long *entry_address __attribute__((used)) = &entry_cpsr;
void (*body_address)(int, siginfo_t *, void *) __attribute__((used)) = handler_body;

static void handle(int sig, void (*what)(mcontext_t *))
{
	struct sigaction act = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };

	OK(sigaction(sig, &act, NULL));
	then = what;
	seen_count = 0;
}

/* r1: an address; r0: the result. Four conditional instructions, the second of which loads. */
#define T32(name, body) \
	int name(int a, void *p, int n, void *q); \
	__asm__(".text\n.syntax unified\n.thumb\n.align 2\n.globl " #name "\n.type " #name ", %function\n" #name ":\n push {r4, r7, lr}\n" body \
		"\n pop {r4, r7, pc}\n.ltorg\n");

T32(load_in_it, " cmp r0, #7\n itttt eq\n addeq r0, #1\n.globl load_at\nload_at: ldreq r4, [r1]\n addeq r0, r0, r4\n addeq r0, #100")
extern char load_at[], store_at[], call_at[];

static void mends(mcontext_t *m)
{
	m->arm_r1 = (unsigned long)&good;
}

CHECK(fault_is_mended)
{
	handle(SIGSEGV, mends);
	/* Not executed: no fault. */
	EQ(load_in_it(3, NULL, 0, NULL), 3);
	EQ(seen_count, 0);
	for (int i = 0; i < 100; i++) {
		EQ(load_in_it(7, NULL, 0, NULL), 7 + 1 + 5 + 100);
		EQ(seen_pc, (unsigned long)load_at & ~1ul);
		/* eq, and three more then: 0000 1111 began as itttt: 0001 -> at the second 0010, mask moved by one. */
		EQ(it_of(seen_cpsr), 0x02);
		EQ(seen_cpsr & T, T);
		EQ(seen_cpsr >> 30 & 1, 1);
	}
	EQ(seen_count, 100);
}

/* The rest of the block has the opposite condition. */
T32(store_in_it, " cmp r0, #7\n itett eq\n addeq r0, #1\n addne r0, #2\n.globl store_at\nstore_at: streq r0, [r1]\n addeq r0, #100")

static void skips(mcontext_t *m)
{
	unsigned it = it_of(m->arm_cpsr);

	/* As a program does that emulates the instruction: its length, and ITAdvance(). */
	m->arm_pc += 2;
	m->arm_cpsr = with_it(m->arm_cpsr, it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0);
}

CHECK(fault_is_skipped)
{
	handle(SIGSEGV, skips);
	EQ(store_in_it(3, NULL, 0, NULL), 5);
	EQ(seen_count, 0);
	EQ(store_in_it(7, NULL, 0, NULL), 7 + 1 + 100);
	EQ(seen_pc, (unsigned long)store_at & ~1ul);
	EQ(seen_count, 1);
}

/* A handler that says how the block goes on: only what is left of it under another condition. */
static void turns(mcontext_t *m)
{
	m->arm_pc += 2;
	m->arm_cpsr = with_it(m->arm_cpsr, 0x18); /* one instruction, if ne */
}

static void leaves(mcontext_t *m)
{
	m->arm_pc += 2;
	m->arm_cpsr = with_it(m->arm_cpsr, 0);
	m->arm_cpsr &= ~0x40000000ul; /* and not even eq any more */
}

CHECK(handler_changes_it)
{
	handle(SIGSEGV, turns);
	EQ(store_in_it(7, NULL, 0, NULL), 7 + 1);
	handle(SIGSEGV, leaves);
	EQ(store_in_it(7, NULL, 0, NULL), 7 + 1 + 100);
}

/* System calls in the midst of a block: kill(getpid(), SIGUSR1), and once more behind it under "else". */
T32(call_in_it, " mov r7, #37\n mov r4, #0\n cmp r2, #10\n ittet eq\n svceq #0\n.globl call_at\ncall_at: addeq r4, #1\n movne r4, #50\n addeq r4, #2\n"
		" add r0, r4")

CHECK(signal_behind_a_call)
{
	int pid = getpid();

	handle(SIGUSR1, NULL);
	for (int i = 0; i < 100; i++) {
		EQ(call_in_it(pid, (void *)SIGUSR1, 10, NULL), 3);
		EQ(seen_pc, (unsigned long)call_at & ~1ul);
		/* ittet eq: 0000 0101 1... is 0x05<<1|1 at the first instruction: 0x05; then 0x0a; its second is "then". */
		EQ(it_of(seen_cpsr), 0x0a);
	}
	EQ(seen_count, 100);
	EQ(call_in_it(pid, (void *)SIGUSR1, 11, NULL), pid + 50);
	EQ(seen_count, 100);
}

T32(break_in_it, " cmp r0, #7\n ite eq\n moveq r0, #1\n.globl break_at\nbreak_at: bkpt #3\n")
extern char break_at[];

static void steps_over(mcontext_t *m)
{
	m->arm_pc += 2;
	m->arm_cpsr = with_it(m->arm_cpsr, 0);
}

/* BKPT is executed whatever the block says (Arm ARM F5.1.28). */
CHECK(breakpoint)
{
	handle(SIGTRAP, steps_over);
	EQ(break_in_it(7, NULL, 0, NULL), 1);
	EQ(seen_count, 1);
	EQ(it_of(seen_cpsr), 0x18);
	EQ(break_in_it(6, NULL, 0, NULL), 6);
	EQ(seen_count, 2);
	EQ(it_of(seen_cpsr), 0x18);
}

T32(udf_in_it, " cmp r0, #7\n ite eq\n.globl udf_at\nudf_at: udfeq #3\n movne r0, #1\n")
extern char udf_at[];

CHECK(undefined)
{
	handle(SIGILL, skips);
	EQ(udf_in_it(7, NULL, 0, NULL), 7);
	EQ(seen_pc, (unsigned long)udf_at & ~1ul);
	EQ(it_of(seen_cpsr), 0x0c);
}

/* The page behind a block's first half is missing: the fault is a fetch's, within the block. */
CHECK(block_across_pages)
{
	static const uint16_t code[] = {
		0x2807, /* cmp r0, #7 */
		0xbf03, /* ittte eq: 0000 0011 */
		0x3001, /* addeq r0, #1 */
		0x3002, /* addeq r0, #2: on the next page */
		0x3004, /* addeq r0, #4 */
		0x3064, /* addne r0, #100 */
		0x4770, /* bx lr */
	};
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*function)(int) = (int (*)(int))(uintptr_t)(pages + 4096 - 6 + 1);

	memcpy(pages + 4096 - 6, code, sizeof code);
	OK(mprotect(pages, 8192, PROT_READ | PROT_EXEC));
	__builtin___clear_cache(pages, pages + 8192);
	EQ(function(7), 7 + 1 + 2 + 4);
	EQ(function(6), 106);
	OK(mprotect(pages + 4096, 4096, PROT_NONE));
	handle(SIGSEGV, NULL);
	then = NULL;
	static char *second;
	second = pages + 4096;
	void opens(mcontext_t *m)
	{
		if (m->arm_pc == (unsigned long)second)
			mprotect(second, 4096, PROT_READ | PROT_EXEC);
	}
	then = opens;
	EQ(function(7), 7 + 1 + 2 + 4);
	EQ(seen_pc, (unsigned long)second);
	EQ(it_of(seen_cpsr), 0x06);
	EQ(seen_count, 1);
	OK(mprotect(pages + 4096, 4096, PROT_NONE));
	EQ(function(6), 106);
	EQ(seen_count, 2);
}

/* SETEND: data are big-endian where the signal comes, not in the handler, and again afterwards. */
T32(big_call, " ldr r2, =0x01020304\n str r2, [r3]\n mov r7, #37\n setend be\n svc #0\n ldr r4, [r3]\n setend le\n mov r0, r4")
T32(big_load, " setend be\n ldr r0, [r1]\n setend le")

CHECK(setend_call)
{
	int word = 0;

	handle(SIGUSR1, NULL);
	EQ(big_call(getpid(), (void *)SIGUSR1, 0, &word), 0x04030201);
	EQ(word, 0x01020304);
	EQ(seen_cpsr & E, E);
	EQ(entry_cpsr & E, 0);
}

CHECK(setend_fault)
{
	handle(SIGSEGV, mends);
	EQ(big_load(0, NULL, 0, NULL), 0x05000000);
	EQ(seen_cpsr & E, E);
	EQ(entry_cpsr & E, 0);
}

/* A handler that leaves the byte order changed changes nothing for the kernel or for who was interrupted; one that changes
   the frame does. */
static void setends(mcontext_t *m)
{
	mends(m);
	m->arm_cpsr ^= E;
}

CHECK(setend_in_frames)
{
	handle(SIGSEGV, setends);
	EQ(big_load(0, NULL, 0, NULL), 5);
	handle(SIGSEGV, mends);
	EQ(load_in_it(7, NULL, 0, NULL), 113);
}

void turned_handler(int sig, siginfo_t *info, void *context);
__asm__(".text\n.syntax unified\n.thumb\n.align 2\n.globl turned_handler\n.type turned_handler, %function\nturned_handler:\n"
	" push {r4, lr}\n bl handler\n setend be\n movs r7, #173\n add sp, #8\n svc #0\n"); /* rt_sigreturn */

CHECK(handler_ends_big_endian)
{
	struct sigaction act = { .sa_sigaction = turned_handler, .sa_flags = SA_SIGINFO };

	handle(SIGSEGV, mends);
	OK(sigaction(SIGSEGV, &act, NULL));
	EQ(load_in_it(7, NULL, 0, NULL), 113);
	EQ(seen_count, 1);
	EQ(good, 5);
}

/* N, Z, C, V and Q are clear at the handler's entry, and GE is not (PSR_f is bits 24-31). */
T32(flagged, " mov r4, #-1\n uadd8 r4, r4, r4\n mvn r4, #0x80000000\n qadd r4, r4, r4\n mov r7, #37\n mov r4, #0x80000000\n adds r4, r4\n"
	     " svc #0\n mrs r0, cpsr\n")

CHECK(flags)
{
	unsigned long after;

	handle(SIGUSR1, NULL);
	after = (unsigned long)flagged(getpid(), (void *)SIGUSR1, 0, NULL);
	EQ(seen_cpsr >> 27, 0x0f); /* 0x80000000 + 0x80000000: Z, C, V; Q by QADD */
	EQ(after >> 27, 0x0f);
	EQ(after >> 16 & 15, 15);
	EQ(entry_cpsr >> 27, 0);
	EQ(entry_cpsr >> 16 & 15, 15);
}

CHECK_MAIN
