// arches: riscv64
// build: native-core
// no-reference: qemu-user has no ptrace, and qemu 7.2 no vectors without -cpu
// Vectors as others see them: in ptrace(2) (riscv_vr_get and riscv_vr_set of arch/riscv/kernel/ptrace.c), and what an execve keeps
// of prctl(2) (riscv_v_vstate_ctrl_init of arch/riscv/kernel/vector.c).
#include "../ptrace/tracer.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>

enum { VLENB_MAX = 128, NOTE = 0x901, SET_CONTROL = 69, GET_CONTROL = 70, OFF = 1, ON = 2, INHERIT = 16 };

/* struct __riscv_v_regset_state */
struct state {
	unsigned long vstart, vl, vtype, vcsr, vlenb;
	uint8_t v[32 * VLENB_MAX];
};

static uint8_t bytes[8 * VLENB_MAX];

/* Stops once before it uses vectors, and once with known ones; ends with 0 if v8 to v15 are one more then. */
static void uses_vectors(void)
{
	raise(SIGSTOP);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 3);
	long self = getpid();
	register uint8_t *a2 __asm__("a2") = bytes;
	register long number __asm__("a7") = SYS_kill;
	register long pid __asm__("a0") = self;
	register long stop __asm__("a1") = SIGSTOP;
	unsigned long vl, vtype, vlenb;

	__asm__ volatile("csrr %0, 0xc22" : "=r"(vlenb));
	__asm__ volatile(".4byte 0x0c3072d7\n\t" /* vsetvli t0, zero, e8, m8, ta, ma */
			 ".4byte 0x02060407\n\t" /* vle8.v v8, (a2) */
			 "csrwi 0xf, 5\n\t"	 /* vcsr */
			 "ecall\n\t"
			 "csrr %1, 0xc20\n\t"
			 "csrr %2, 0xc21\n\t"
			 ".4byte 0x0c3072d7\n\t"
			 ".4byte 0x02060427" /* vse8.v v8, (a2) */
			 : "+r"(pid), "=&r"(vl), "=&r"(vtype)
			 : "r"(a2), "r"(number), "r"(stop)
			 : "memory", "t0");
	for (unsigned i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != (uint8_t)(i * 3 + (i < 8)))
			_exit(1);
	_exit(vl == vlenb / 4 && vtype == 0xd0 ? 0 : 2);
}

static long get(pid_t pid, struct state *state, size_t size)
{
	struct iovec part = { state, size };

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NOTE, &part) == -1)
		return -1;
	return (long)part.iov_len;
}

static long set(pid_t pid, struct state *state, size_t size)
{
	struct iovec part = { state, size };

	return ptrace(PTRACE_SETREGSET, pid, (void *)NOTE, &part);
}

CHECK(traced)
{
	static struct state state;
	unsigned long vlenb;
	pid_t pid = OK(traced(uses_vectors));

	__asm__ volatile("csrr %0, 0xc22" : "=r"(vlenb));
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSTOP));
	/* Not before they are used. */
	ERR(get(pid, &state, sizeof(state)), EINVAL);
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGSTOP));
	ERR(get(pid, &state, 42), EINVAL);
	EQ(get(pid, &state, 40), 40);
	EQ(state.v[0], 0);
	EQ(get(pid, &state, sizeof(state)), 40 + 32 * vlenb);
	EQ(state.vstart, 0);
	EQ(state.vl, 8 * vlenb);
	EQ(state.vtype, 0xc3);
	EQ(state.vcsr, 5);
	EQ(state.vlenb, vlenb);
	for (unsigned i = 0; i < 8 * vlenb; i++)
		EQ(state.v[8 * vlenb + i], (uint8_t)(i * 3));
	for (unsigned i = 0; i < 8; i++)
		state.v[8 * vlenb + i]++;
	/* More elements than there can be of this type are as many as there can be. */
	state.vl = 1000;
	state.vtype = 0xd0;
	OK(set(pid, &state, 40 + 32 * vlenb));
	state.vlenb *= 2;
	ERR(set(pid, &state, 40 + 32 * vlenb), EINVAL);
	ERR(set(pid, &state, 16), EINVAL);
	EQ(next(pid, PTRACE_CONT, 0), 0);
}

/* In the programs that the next check executes: what is told of it is a variable. */
CHECK(executed)
{
	const char *told = getenv("TOLD");

	if (told != NULL)
		EQ(prctl(GET_CONTROL, 0, 0, 0, 0), atoi(told));
	/* Once more. */
	const char *then = getenv("THEN");
	if (then != NULL) {
		char *again[] = { "/proc/self/exe", "executed", NULL };

		OK(setenv("TOLD", then, 1));
		OK(unsetenv("THEN"));
		OK(execv(again[0], again));
	}
}

static int executes(unsigned long control, const char *told, const char *then, int waits)
{
	int status;
	pid_t pid = waits ? vfork() : fork();

	if (pid == 0) {
		char *arguments[] = { "/proc/self/exe", "executed", NULL };
		char *environment[] = { (char *)told, (char *)then, NULL };

		if (prctl(SET_CONTROL, control, 0, 0, 0) != 0)
			_exit(3);
		execve(arguments[0], arguments, environment);
		_exit(4);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

CHECK(execve_keeps)
{
	fflush(stdout);
	for (int waits = 0; waits < 2; waits++) {
		/* The next one, and no others. */
		EQ(executes(ON | OFF << 2, "TOLD=1", "THEN=2", waits), 0);
		/* All from then on. */
		EQ(executes(ON | OFF << 2 | INHERIT, "TOLD=21", "THEN=21", waits), 0);
		EQ(executes(ON | ON << 2, "TOLD=2", "THEN=2", waits), 0);
		EQ(executes(ON | INHERIT, "TOLD=18", "THEN=18", waits), 0);
		EQ(executes(ON, "TOLD=2", "THEN=2", waits), 0);
	}
	EQ(prctl(GET_CONTROL, 0, 0, 0, 0), ON);
}

CHECK_MAIN
