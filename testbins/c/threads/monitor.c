// The monitor of exclusive accesses: what a store-exclusive may follow, and what loses it.
// build: native-core
// arches: aarch64 arm
// cflags-arm: -marm
// libs: -lpthread
/*
 * Arm ARM B2.9 (AArch64), E2.10 (AArch32). Every way into the kernel and back clears the monitor: arch/arm's
 * restore_user_regs has a strex for it (entry-header.S), and arm64's eret does it (pseudocode of
 * AArch64.ExceptionReturn). Otherwise a handler that pops and pushes a lock-free list goes unnoticed by who was
 * about to pop. The Unicorn core leaves the monitor as it is.
 */
#include "../check.h"
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

/* Load-exclusive, something, store-exclusive of the same value: whether the store failed. */
int plain(uint32_t *p), calls(uint32_t *p), clears(uint32_t *p), stores_only(uint32_t *p), stores_twice(uint32_t *p);
int faults(uint32_t *p), undefined(uint32_t *p), breaks(uint32_t *p);
int waits(uint32_t *p, volatile int *ready, volatile int *go);

#ifdef __aarch64__
#define FUNCTION(name, body) \
	__asm__(".text\n.align 2\n.globl " name "\n.type " name ", %function\n" name ":\n mov x9, x0\n" body "\n mov w0, w3\n ret\n");
#define LOAD "ldxr w2, [x9]\n"
#define STORE "stxr w3, w2, [x9]\n"
FUNCTION("calls", LOAD "mov x8, #172\n svc #0\n" STORE) /* getpid */
FUNCTION("faults", LOAD "mov x4, #0\n ldr w5, [x4]\n" STORE)
FUNCTION("undefined", LOAD "udf #1\n" STORE)
FUNCTION("breaks", LOAD "brk #1\n" STORE)
FUNCTION("waits", "mov w4, #1\n str w4, [x1]\n mov x1, x2\n" LOAD "1: ldr w4, [x1]\n cbz w4, 1b\n" STORE)
#else
#define FUNCTION(name, body) \
	__asm__(".text\n.arm\n.align 2\n.globl " name "\n.type " name ", %function\n" name ":\n push {r4, r7}\n mov r12, r0\n" body \
		"\n mov r0, r3\n pop {r4, r7}\n bx lr\n");
#define LOAD "ldrex r2, [r12]\n"
#define STORE "strex r3, r2, [r12]\n"
FUNCTION("calls", LOAD "mov r7, #20\n svc #0\n" STORE) /* getpid */
FUNCTION("faults", LOAD "mov r4, #0\n ldr r4, [r4]\n" STORE)
FUNCTION("undefined", LOAD "udf #1\n" STORE)
FUNCTION("breaks", LOAD ".inst 0xe7f001f0\n" STORE)
FUNCTION("waits", "mov r4, #1\n" "str r4, [r1]\n mov r1, r2\n" LOAD "1: ldr r4, [r1]\n cmp r4, #0\n beq 1b\n" STORE)
#endif
FUNCTION("plain", LOAD STORE)
FUNCTION("clears", LOAD "clrex\n" STORE)
FUNCTION("stores_only", "clrex\n" STORE)
FUNCTION("stores_twice", LOAD STORE STORE)

static uint32_t word = 7;
static volatile int ready, go;

static void skip(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

#ifdef __aarch64__
	u->uc_mcontext.pc += 4;
#else
	u->uc_mcontext.arm_pc += 4;
#endif
	(void)sig, (void)info;
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction act = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	OK(sigaction(sig, &act, NULL));
}

CHECK(undisturbed)
{
	int failed = 1;

	/* Real ones may fail for no reason, but not always. */
	for (int i = 0; i < 1000 && failed; i++)
		failed = plain(&word);
	EQ(failed, 0);
}

CHECK(not_loaded)
{
	EQ(clears(&word), 1);
	EQ(stores_only(&word), 1);
	EQ(stores_twice(&word), 1);
}

CHECK(system_call)
{
	EQ(calls(&word), 1);
}

CHECK(traps)
{
	handle(SIGSEGV, skip);
	handle(SIGILL, skip);
	handle(SIGTRAP, skip);
	EQ(faults(&word), 1);
	EQ(undefined(&word), 1);
	EQ(breaks(&word), 1);
}

static void lets_go(int sig, siginfo_t *info, void *context)
{
	go = 1;
	(void)sig, (void)info, (void)context;
}

static void *sends(void *to)
{
	while (!ready)
		;
	for (int i = 0; i < 100; i++)
		sched_yield();
	pthread_kill(*(pthread_t *)to, SIGUSR1);
	return NULL;
}

/* A signal from elsewhere, while the thread loops between the two. */
CHECK(signal_in_between)
{
	pthread_t me = pthread_self(), sender;

	handle(SIGUSR1, lets_go);
	for (int i = 0; i < 50; i++) {
		ready = go = 0;
		EQ(pthread_create(&sender, NULL, sends, &me), 0);
		EQ(waits(&word, &ready, &go), 1);
		EQ(pthread_join(sender, NULL), 0);
	}
}

/* A list of free nodes. The handler takes the first, the second, and gives the first back: who saw the first before that
   and stores its successor would give away the second again. */
static struct node {
	struct node *next;
} nodes[3];
static struct node *volatile head;
struct node *pops(struct node *volatile *list);

/* With a signal to itself in between in the first round. */
#ifdef __aarch64__
__asm__(".globl pops\npops:\n mov x10, x0\n adrp x9, own_pid\n add x9, x9, #:lo12:own_pid\n ldr w0, [x9]\n"
	" mov x1, #12\n mov x8, #129\n1: ldaxr x2, [x10]\n ldr x3, [x2]\n cbz w0, 2f\n svc #0\n"
	"2: mov w0, #0\n stlxr w4, x3, [x10]\n cbnz w4, 1b\n mov x0, x2\n ret\n");
#else
__asm__(".globl pops\npops:\n push {r4, r7}\n mov r12, r0\n ldr r3, =own_pid\n ldr r0, [r3]\n"
	" mov r1, #12\n mov r7, #37\n1: ldrex r2, [r12]\n ldr r3, [r2]\n cmp r0, #0\n svcne #0\n"
	" mov r0, #0\n strex r4, r3, [r12]\n cmp r4, #0\n bne 1b\n mov r0, r2\n pop {r4, r7}\n bx lr\n.ltorg\n");
#endif
int own_pid __attribute__((used));
static int handled;

static void takes_two(int sig, siginfo_t *info, void *context)
{
	struct node *first = head;

	handled++;
	head = first->next->next;
	first->next = head;
	head = first;
	(void)sig, (void)info, (void)context;
}

CHECK(handler_changes_a_list)
{
	own_pid = getpid();
	nodes[0].next = &nodes[1], nodes[1].next = &nodes[2];
	head = &nodes[0];
	handle(SIGUSR2, takes_two);
	/* The store fails, and the second round sees what the handler made. */
	EQ(pops(&head) == &nodes[0], 1);
	EQ(head == &nodes[2], 1);
	EQ(handled, 1);
}

CHECK_MAIN
