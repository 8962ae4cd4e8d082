// Faults of the program's own: si_code, si_addr, registers in the frame, resuming, siglongjmp.
// libs: -lpthread
#include "../traps.h"
#include <pthread.h>
#include <sys/wait.h>

#ifdef SLOW
enum { FAULTS = 100000 };
#else
enum { FAULTS = 3000 };
#endif

static volatile int count;

static uintptr_t pc_of(void *context)
{
	mcontext_t *m = ISA_MCONTEXT(context);

	return ISA_FAULT_PC(m);
}

static void set_pc(void *context, uintptr_t pc)
{
	mcontext_t *m = ISA_MCONTEXT(context);

	ISA_SET_PC(m, pc);
}

#define FAULTS_WITH(statement, signal, code, addr)                     \
	do {                                                           \
		got_signal = 0;                                        \
		if (sigsetjmp(out, 1) == 0) {                          \
			statement;                                     \
			FAIL("%s: no fault", #statement);              \
		}                                                      \
		EQ(got_signal, signal);                                \
		EQ(got_code, code);                                    \
		EQ((uintptr_t)got_addr, (uintptr_t)(addr));            \
	} while (0)
/* Of an access that fails. */
#define ACCESS_FAULTS(statement, signal, code, addr) \
	FAULTS_WITH(statement, signal, code, ISA_FAULT_ADDRESS(addr))

CHECK(segv_codes)
{
	char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *p = page;

	catches(SIGSEGV, jumps_out);
	ACCESS_FAULTS(p[5] = 1, SIGSEGV, SEGV_ACCERR, page + 5);
	OK(mprotect(page, 4096, PROT_NONE));
	ACCESS_FAULTS(p[7], SIGSEGV, SEGV_ACCERR, page + 7);
	OK(munmap(page, 4096));
	ACCESS_FAULTS(p[9], SIGSEGV, SEGV_MAPERR, page + 9);
	ACCESS_FAULTS(p[11] = 1, SIGSEGV, SEGV_MAPERR, page + 11);
	ACCESS_FAULTS(*(volatile int *)16, SIGSEGV, SEGV_MAPERR, 16);
	ACCESS_FAULTS(((void (*)(void))(page + 4096))(), SIGSEGV, SEGV_ACCERR, page + 4096);
	EQ(got_pc, (uintptr_t)page + 4096);
	ACCESS_FAULTS(((void (*)(void))(page))(), SIGSEGV, SEGV_MAPERR, page);
	EQ(got_pc, (uintptr_t)page);
	signal(SIGSEGV, SIG_DFL);
}

CHECK(bus_beyond_file)
{
	int fd = OK(open("short", O_RDWR | O_CREAT, 0600));

	OK(ftruncate(fd, 4096));
	volatile char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	catches(SIGBUS, jumps_out);
	ACCESS_FAULTS(p[4096], SIGBUS, BUS_ADRERR, p + 4096);
	ACCESS_FAULTS(p[4100] = 1, SIGBUS, BUS_ADRERR, p + 4100);
	p[0] = 5;
	OK(ftruncate(fd, 0));
	ACCESS_FAULTS(p[1], SIGBUS, BUS_ADRERR, p + 1);
	OK(ftruncate(fd, 8192));
	EQ(p[4096], 0);
	close(fd);
	signal(SIGBUS, SIG_DFL);
}


CHECK(undefined)
{
	catches(SIGILL, jumps_out);
#ifdef ISA_UNDEFINED_IS_NOWHERE
	FAULTS_WITH(ISA_UNDEFINED(), SIGILL, SI_KERNEL, 0);
#else
	FAULTS_WITH(ISA_UNDEFINED(), SIGILL, got_code, got_pc - ISA_BEHIND_UNDEFINED);
	TRUE(got_code == ILL_ILLOPC || got_code == ILL_ILLOPN);
#endif
	signal(SIGILL, SIG_DFL);
}

#ifdef BREAK
CHECK(breakpoint)
{
#ifdef ISA_BREAK_IS_ILLEGAL
	catches(SIGILL, jumps_out);
	FAULTS_WITH(ISA_BREAK(), SIGILL, ILL_ILLOPC, got_pc - ISA_BEHIND_BREAK);
	signal(SIGILL, SIG_DFL);
#else
	catches(SIGTRAP, jumps_out);
	FAULTS_WITH(ISA_BREAK(), SIGTRAP, TRAP_BRKPT, got_pc);
	signal(SIGTRAP, SIG_DFL);
#endif
}
#endif

static char *guarded;

static void unprotects(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	if ((char *)info->si_addr < guarded || (char *)info->si_addr >= guarded + 64 * 4096)
		_exit(66);
	count++;
	mprotect((void *)((uintptr_t)info->si_addr & -4096), 4096, PROT_READ | PROT_WRITE);
}

CHECK(mprotect_and_resume)
{
	guarded = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	catches(SIGSEGV, unprotects);
	count = 0;
	long sum = 0;
	for (int i = 0; i < FAULTS; i++) {
		volatile int *p = (int *)(guarded + (i % 64) * 4096 + 8);
		*p = i;
		sum += *p;
		OK(mprotect(guarded + (i % 64) * 4096, 4096, PROT_READ));
		if (i % 2)
			OK(mprotect(guarded + (i % 64) * 4096, 4096, PROT_NONE));
	}
	EQ(count, FAULTS);
	EQ(sum, (long)FAULTS * (FAULTS - 1) / 2);
	signal(SIGSEGV, SIG_DFL);
	munmap(guarded, 64 * 4096);
}

/* The handler goes on behind the access, at a place that the program named. */
static uintptr_t behind;

static void skips(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	count++;
	set_pc(context, behind);
}

static int __attribute__((noinline)) readable(const volatile char *p)
{
	return *p, 1;
}

static int __attribute__((noinline)) not_readable(void)
{
	return 0;
}

CHECK(handler_sets_pc)
{
	/* The faulting function returns through another one's code. */
	count = 0;
	catches(SIGSEGV, skips);
	behind = (uintptr_t)not_readable;
	volatile int result = readable((char *)16);
	EQ(result, 0);
	EQ(count, 1);
	signal(SIGSEGV, SIG_DFL);
}

#if defined(__aarch64__) || defined(__arm__)
static void sets_register(int signal, siginfo_t *info, void *context)
{
	mcontext_t *m = ISA_MCONTEXT(context);
	(void)signal, (void)info;
#ifdef __aarch64__
	m->regs[3] = (uintptr_t)&behind;
	if (m->fault_address != 24)
		_exit(67);
#else
	m->arm_r3 = (uintptr_t)&behind;
	if (m->fault_address != 24)
		_exit(67);
#endif
}

CHECK(handler_sets_register)
{
	uintptr_t loaded;

	catches(SIGSEGV, sets_register);
	behind = 0x12345678;
	/* The base register is what the handler puts right; the load is made again. */
#ifdef __aarch64__
	__asm__ volatile("mov x3, #24\n\tldr %0, [x3]" : "=r"(loaded) : : "x3", "memory");
#else
	__asm__ volatile("mov r3, #24\n\tldr %0, [r3]" : "=r"(loaded) : : "r3", "memory");
#endif
	EQ(loaded, 0x12345678);
	signal(SIGSEGV, SIG_DFL);
}
#endif

#ifdef __aarch64__
struct context_head {
	uint32_t magic, size;
};

static volatile int saw_fpsimd, saw_esr;
static volatile uint64_t saw_v9, esr;

static void looks_at_records(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	char *p = (char *)u->uc_mcontext.__reserved;

	(void)signal, (void)info;
	for (;;) {
		struct context_head *head = (void *)p;
		if (head->magic == 0)
			break;
		if (head->magic == 0x46508001) {
			saw_fpsimd = head->size;
			memcpy((void *)&saw_v9, p + 16 + 16 * 9, 8);
			uint64_t other = 99;
			memcpy(p + 16 + 16 * 9, &other, 8);
		}
		if (head->magic == 0x45535201) {
			saw_esr = head->size;
			memcpy((void *)&esr, p + 8, 8);
		}
		p += head->size;
	}
	u->uc_mcontext.regs[3] = (uintptr_t)&behind;
}

CHECK(frame_records)
{
	uint64_t v9;

	catches(SIGSEGV, looks_at_records);
	__asm__ volatile("mov x3, #24\n\tmov x4, #77\n\tfmov d9, x4\n\tstr xzr, [x3]\n\tfmov %0, d9"
			 : "=r"(v9) : : "x3", "x4", "v9", "memory");
	EQ(saw_fpsimd, 528);
	EQ(saw_v9, 77);
	EQ(v9, 99);
	EQ(saw_esr, 16);
	/* A data abort from EL0 by a write (Arm ARM, ESR_ELx). */
	EQ(esr >> 26, 0x24);
	EQ(esr >> 6 & 1, 1);
	signal(SIGSEGV, SIG_DFL);
}
#endif

static char alternate[65536] __attribute__((aligned(16)));
static volatile int on_alternate;

static void overflowed(int signal, siginfo_t *info, void *context)
{
	char here;

	(void)signal, (void)info, (void)context;
	on_alternate = &here > alternate && &here < alternate + sizeof(alternate);
	siglongjmp(out, 1);
}

static int __attribute__((noinline)) recurses(volatile char *from)
{
	volatile char big[4096];

	big[0] = from[0];
	return recurses(big) + big[1];
}

static void *overflows(void *argument)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_sigaction = overflowed, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	if (sigsetjmp(out, 1) == 0)
		recurses(argument);
	return NULL;
}

CHECK(stack_overflow_on_altstack)
{
	pthread_t thread;
	char c = 0;

	on_alternate = 0;
	EQ(pthread_create(&thread, NULL, overflows, &c), 0);
	EQ(pthread_join(thread, NULL), 0);
	EQ(on_alternate, 1);
	signal(SIGSEGV, SIG_DFL);
}

CHECK(blocked_fault_kills)
{
	int status;
	pid_t pid = OK(fork());

	if (pid == 0) {
		sigset_t set;
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		catches(SIGSEGV, jumps_out);
		*(volatile int *)16 = 1;
		_exit(1);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGSEGV);
	pid = OK(fork());
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)16 = 1;
		_exit(1);
	}
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGSEGV);
}

CHECK(sent_segv)
{
	int status;
	union sigval value = { .sival_int = 5 };

	catches(SIGSEGV, jumps_out);
	got_signal = 0;
	if (sigsetjmp(out, 1) == 0)
		raise(SIGSEGV);
	EQ(got_signal, SIGSEGV);
	EQ(got_code, SI_TKILL);
	if (sigsetjmp(out, 1) == 0) {
		signal(SIGBUS, SIG_IGN);
		sigqueue(getpid(), SIGBUS, value);
		kill(getpid(), SIGSEGV);
	}
	EQ(got_code, SI_USER);
	signal(SIGSEGV, SIG_IGN);
	OK(kill(getpid(), SIGSEGV));
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	pid_t pid = OK(fork());
	if (pid == 0)
		for (;;)
			pause();
	OK(kill(pid, SIGBUS));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(WTERMSIG(status), SIGBUS);
}

CHECK(sent_segv_blocked)
{
	sigset_t set, pending, old;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGBUS);
	OK(sigprocmask(SIG_BLOCK, &set, &old));
	OK(kill(getpid(), SIGSEGV));
	OK(sigpending(&pending));
	EQ(sigismember(&pending, SIGSEGV), 1);
	EQ(sigtimedwait(&set, &info, &(struct timespec){ 0 }), SIGSEGV);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

CHECK_MAIN
