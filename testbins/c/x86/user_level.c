// What x86 and its Linux show programs: segments, the vsyscall page, traps, signal frames.
// arches: x86_64 i386
// build: varies
// no-reference: qemu-user has no vsyscall page for static programs and takes INT n for another trap
#include "check.h"

#include <asm/ldt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int caught, code;
static void *volatile address;
static volatile unsigned long pc;

static void catch(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	caught = number;
	code = info->si_code;
	address = info->si_addr;
#ifdef __x86_64__
	pc = u->uc_mcontext.gregs[REG_RIP];
#else
	pc = u->uc_mcontext.gregs[REG_EIP];
#endif
	siglongjmp(back, 1);
}

static void catches(int number)
{
	struct sigaction action = { .sa_sigaction = catch, .sa_flags = SA_SIGINFO | SA_NODEFER };

	OK(sigaction(number, &action, NULL));
}

/* Executes an instruction whose signal leads back. */
#define TRAP(text)                                        \
	do {                                              \
		caught = 0;                               \
		if (sigsetjmp(back, 1) == 0)              \
			__asm__ volatile(text ::: "memory"); \
	} while (0)

CHECK(traps)
{
	catches(SIGTRAP), catches(SIGSEGV), catches(SIGILL), catches(SIGFPE);
	TRAP("int3");
	EQ(caught, SIGTRAP);
	EQ(code, SI_KERNEL);
	TRUE(address == NULL);
	/* What the kernel's table of interrupts lets no program raise. */
	TRAP("int $0x21");
	EQ(caught, SIGSEGV);
	EQ(code, SI_KERNEL);
	TRUE(address == NULL);
	TRAP("hlt");
	EQ(caught, SIGSEGV);
	EQ(code, SI_KERNEL);
	TRAP("cli");
	EQ(caught, SIGSEGV);
	TRAP("ud2");
	EQ(caught, SIGILL);
	EQ(code, ILL_ILLOPN);
	TRUE((unsigned long)address == pc);
	TRAP(".byte 0xf1");
	EQ(caught, SIGTRAP);
	EQ(code, TRAP_BRKPT);
#ifdef __x86_64__
	caught = 0;
	if (sigsetjmp(back, 1) == 0)
		*(volatile char *)0x8000000000000000 = 1;
	EQ(caught, SIGSEGV);
	EQ(code, SI_KERNEL);
	TRUE(address == NULL);
#endif
}

/* The trap flag: one instruction, and the signal behind it. */
static volatile int steps;
static void step(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)number;
	steps += info->si_code == TRAP_TRACE;
#ifdef __x86_64__
	u->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
#else
	u->uc_mcontext.gregs[REG_EFL] &= ~0x100;
#endif
}

CHECK(single_step)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };

	OK(sigaction(SIGTRAP, &action, NULL));
#ifdef __x86_64__
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc");
#else
	__asm__ volatile("pushfl; orl $0x100, (%%esp); popfl; nop; nop" ::: "memory", "cc");
#endif
	EQ(steps, 1);
}

/* Registers of a handler's own, which must not be those of what it interrupts. */
static volatile unsigned short handler_control;
static void clobber(int number)
{
	unsigned short control;

	(void)number;
	__asm__ volatile("fnstcw %0" : "=m"(control));
	handler_control = control;
	__asm__ volatile("fninit; fld1; fldpi");
#ifdef __SSE2__
	__asm__ volatile("pxor %%xmm7, %%xmm7" ::: "xmm7");
#endif
}

CHECK(floating_point_of_handlers)
{
	unsigned short control = 0x27f, after;
	double kept = 0;
	struct sigaction action = { .sa_handler = clobber };

	OK(sigaction(SIGUSR1, &action, NULL));
	__asm__ volatile("fldcw %0" :: "m"(control));
	__asm__ volatile("fldl2e");
	OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
	__asm__ volatile("fstpl %0; fnstcw %1" : "=m"(kept), "=m"(after));
	EQ(handler_control, 0x37f);
	EQ(after, 0x27f);
	TRUE(kept > 1.4426 && kept < 1.4427);
	__asm__ volatile("fninit");
}

static void change(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)number, (void)info;
#ifdef __x86_64__
	u->uc_mcontext.gregs[REG_RBX] = 77;
	u->uc_mcontext.fpregs->_xmm[6].element[0] = 0x5a5a;
#else
	u->uc_mcontext.gregs[REG_EBX] = 77;
#endif
}

/* What a handler stores to its frame is in the registers afterwards. */
CHECK(frames_are_taken_back)
{
	struct sigaction action = { .sa_sigaction = change, .sa_flags = SA_SIGINFO };
	long found = 1, number = SYS_tgkill, pid = getpid(), tid = syscall(SYS_gettid);

	OK(sigaction(SIGUSR1, &action, NULL));
#ifdef __x86_64__
	unsigned element = 0;

	__asm__ volatile("pxor %%xmm6, %%xmm6; xor %%ebx, %%ebx; syscall\n"
			 "\tmov %%rbx, %0; movd %%xmm6, %1"
			 : "=&r"(found), "=&r"(element), "+a"(number)
			 : "D"(pid), "S"(tid), "d"(SIGUSR1)
			 : "rbx", "rcx", "r11", "xmm6", "memory");
	EQ(element, 0x5a5a);
#else
	/* ebx has the call's first argument. */
	__asm__ volatile("int $0x80" : "+a"(number), "+b"(pid) : "c"(tid), "d"(SIGUSR1) : "memory");
	found = pid;
#endif
	EQ(number, 0);
	EQ(found, 77);
}

#ifdef __x86_64__
CHECK(system_call_registers)
{
	unsigned long number = SYS_getppid, flags, cx, behind;

	__asm__ volatile("lea 1f(%%rip), %3; stc; syscall\n1:\tmov %%rcx, %1; mov %%r11, %2"
			 : "+a"(number), "=&r"(cx), "=&r"(flags), "=&r"(behind)
			 :: "rcx", "r11", "memory", "cc");
	EQ(cx, behind);
	EQ(flags & 0x201, 0x201);
	EQ(number, getppid());
}

CHECK(bases)
{
	unsigned long base = 0, word = 0x123456789;

	OK(syscall(SYS_arch_prctl, 0x1004 /* GET_GS */, &base));
	OK(syscall(SYS_arch_prctl, 0x1001 /* SET_GS */, &word));
	unsigned long found;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(found) : "m"(word));
	EQ(found, 0x123456789);
	unsigned long told = 0;

	OK(syscall(SYS_arch_prctl, 0x1004, &told));
	EQ(told, (unsigned long)&word);
	OK(syscall(SYS_arch_prctl, 0x1001, base));
	ERR(syscall(SYS_arch_prctl, 0x1001, -1L), EPERM);
	ERR(syscall(SYS_arch_prctl, 0x1002, 1L << 47), EPERM);
	ERR(syscall(SYS_arch_prctl, 0x1003, 8), EFAULT);
	ERR(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
}

/* Programs of before 2011 call the kernel there; they can execute the page, and not read it. */
CHECK(vsyscall)
{
	time_t (*old_time)(time_t *) = (void *)0xffffffffff600400;
	long (*old_getcpu)(unsigned *, unsigned *, void *) = (void *)0xffffffffff600800;
	int (*old_gettimeofday)(struct timeval *, void *) = (void *)0xffffffffff600000;
	struct timeval now;
	unsigned cpu = -1, node = -1;

	catches(SIGSEGV);
	caught = 0;
	if (sigsetjmp(back, 1) == 0)
		(void)old_time(NULL);
	if (caught)
		NA("this kernel has no vsyscall page");
	else {
		TRUE(llabs((long long)old_time(NULL) - (long long)time(NULL)) <= 2);
		EQ(old_gettimeofday(&now, NULL), 0);
		TRUE(llabs((long long)now.tv_sec - (long long)time(NULL)) <= 2);
		EQ(old_getcpu(&cpu, &node, NULL), 0);
		TRUE(cpu < 4096);
		caught = 0;
		if (sigsetjmp(back, 1) == 0)
			(void)*(volatile char *)0xffffffffff600000;
		EQ(caught, SIGSEGV);
	}
}
#else
CHECK(thread_areas)
{
	static int words[2] = { 1234, 5678 };
	struct user_desc area = {
		.entry_number = -1, .base_addr = (uintptr_t)words, .limit = 0xfffff, .seg_32bit = 1,
		.limit_in_pages = 1, .useable = 1,
	};
	int found;

	OK(syscall(SYS_set_thread_area, &area));
	TRUE(area.entry_number != -1u);
	__asm__ volatile("mov %1, %%fs; movl %%fs:4, %0; xor %%eax, %%eax; mov %%eax, %%fs"
			 : "=&r"(found) : "r"(area.entry_number << 3 | 3) : "eax");
	EQ(found, 5678);
	struct user_desc told = { .entry_number = area.entry_number };

	OK(syscall(SYS_get_thread_area, &told));
	MEMEQ(&told, &area, sizeof(area));
	area.entry_number = 1;
	ERR(syscall(SYS_set_thread_area, &area), EINVAL);
	area.entry_number = told.entry_number;
	area.seg_32bit = 0;
	ERR(syscall(SYS_set_thread_area, &area), EINVAL);
	ERR(syscall(SYS_set_thread_area, 8), EFAULT);
}

/* A handler without SA_SIGINFO has the old frame, and the mask of 64 signals in two places. */
static volatile int plain;
static void note(int number)
{
	plain = number;
}

CHECK(old_frames)
{
	sigset_t set, now;
	struct sigaction action = { .sa_handler = note };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, 50);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(raise(SIGUSR1));
	EQ(plain, SIGUSR1);
	OK(sigprocmask(SIG_SETMASK, NULL, &now));
	EQ(sigismember(&now, SIGUSR2), 1);
	EQ(sigismember(&now, 50), 1);
	EQ(sigismember(&now, SIGUSR1), 0);
	sigemptyset(&set);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
}

/* The kernel's own way back, for a handler without a restorer. */
CHECK(no_restorer)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask[2];
	} action = { .handler = note };

	plain = 0;
	OK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
	OK(raise(SIGUSR1));
	EQ(plain, SIGUSR1);
}

CHECK(calls_with_arguments_in_memory)
{
	unsigned long map[6] = { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 };
	char *p = (char *)syscall(SYS_mmap, map);

	OK((long)p == -1 ? -1 : 0);
	EQ(*p, 0);
	OK(munmap(p, 4096));
	struct timeval wait = { 0, 1000 };
	unsigned long select[5] = { 0, 0, 0, 0, (unsigned long)&wait };

	EQ(syscall(SYS_select, select), 0);
	int ends[2];
	unsigned long pair[4] = { 1, 1, 0, (unsigned long)ends };

	OK(syscall(SYS_socketcall, 8 /* socketpair */, pair));
	EQ(write(ends[0], "x", 1), 1);
	OK(close(ends[0]));
	OK(close(ends[1]));
	int id = OK(syscall(SYS_ipc, 23 /* SHMGET */, 0, 4096, 0600, 0, 0));
	unsigned long where = 0;

	OK(syscall(SYS_ipc, 21 /* SHMAT */, id, 0, &where, 0, 0));
	*(int *)where = 1;
	OK(syscall(SYS_ipc, 22 /* SHMDT */, 0, 0, 0, where, 0));
	OK(syscall(SYS_ipc, 24 /* SHMCTL */, id, 0x100 | 0 /* IPC_RMID */, 0, 0, 0));
	ERR(syscall(SYS_ipc, 99, 0, 0, 0, 0, 0), ENOSYS);
}
#endif

CHECK_MAIN
