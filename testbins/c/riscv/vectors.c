// arches: riscv64
// build: native-core
// no-reference: qemu 7.2 has no vectors without -cpu
// libs: -lm -lpthread
// Vectors as programs see them: how long, in signal frames, with faults in the midst, in threads and forked children.
#include "../traps.h"
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { VLENB_MAX = 128, MAGIC = 0x53465457 };
enum { SET_CONTROL = 69, GET_CONTROL = 70, OFF = 1, ON = 2 };

/* Encodings are those of the GNU assembler (rv64gcv). */
#define VLENB(to) __asm__ volatile("csrr %0, 0xc22" : "=r"(to))
#define ARRAY(n) uint8_t n[VLENB_MAX * 8] __attribute__((aligned(64)))

static unsigned long vlenb;

/* e8, m8, ta, ma: vsetvli a0, zero, e8, m8 ; vle8.v v8, (a1) */
static void load8(const void *from)
{
	register const void *a1 __asm__("a1") = from;
	__asm__ volatile(".4byte 0x0c307557\n\t.4byte 0x02058407" : : "r"(a1) : "a0", "memory");
}

/* The same, and vse8.v v8, (a1) */
static void store8(void *to)
{
	register void *a1 __asm__("a1") = to;
	__asm__ volatile(".4byte 0x0c307557\n\t.4byte 0x02058427" : : "r"(a1) : "a0", "memory");
}

static void fill(uint8_t *p, unsigned seed)
{
	for (unsigned i = 0; i < VLENB_MAX * 8; i++)
		p[i] = (uint8_t)(i * 7 + seed);
}

CHECK(length)
{
	unsigned long vl, vtype;

	VLENB(vlenb);
	TRUE(vlenb >= 16 && vlenb <= VLENB_MAX && (vlenb & (vlenb - 1)) == 0);
	/* vsetvli a0, zero, e32, m1, ta, ma */
	__asm__ volatile(".4byte 0x0d007557\n\tmv %0, a0\n\tcsrr %1, 0xc21" : "=r"(vl), "=r"(vtype) : : "a0");
	EQ(vl, vlenb / 4);
	EQ(vtype, 0xd0);
	/* vsetvli a0, zero, e64, mf8: no element would fit */
	__asm__ volatile(".4byte 0x01d07557\n\tmv %0, a0\n\tcsrr %1, 0xc21" : "=r"(vl), "=r"(vtype) : : "a0");
	EQ(vl, 0);
	EQ(vtype, 1ul << 63);
	TRUE(getauxval(AT_HWCAP) >> ('v' - 'a') & 1);
	/* Room for all of them in a frame (AT_MINSIGSTKSZ). */
	TRUE(getauxval(51) >= sizeof(ucontext_t) + sizeof(siginfo_t) + 32 * vlenb);
}

static volatile int seen;
static ARRAY(in_frame);

static void spoils(int number, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	/* __riscv_ctx_hdr lies in the last two of the words that floating point does not use. */
	uint32_t *header = (uint32_t *)((char *)&context->uc_mcontext.__fpregs + 520);
	ARRAY(other);

	(void)number;
	(void)info;
	seen = header[0] == MAGIC && header[1] == 8 + 48 + 32 * vlenb;
	if (seen) {
		uint64_t *state = (uint64_t *)(header + 2);
		uint8_t *registers = (uint8_t *)state[5];

		seen = state[4] == vlenb && registers == (uint8_t *)(state + 6);
		memcpy(in_frame, registers + 8 * vlenb, 8 * vlenb);
		registers[8 * vlenb + 3] ^= 0xff;
		/* The last header. */
		seen &= *(uint64_t *)(registers + 32 * vlenb) == 0;
	}
	fill(other, 99);
	load8(other);
}

CHECK(frames)
{
	struct sigaction action = { .sa_sigaction = spoils, .sa_flags = SA_SIGINFO };
	ARRAY(ours);
	ARRAY(back);

	fill(ours, 1);
	OK(sigaction(SIGUSR1, &action, NULL));
	load8(ours);
	long pid = getpid();
	load8(ours);
	{
		/* No function that could use vectors itself. */
		register long a0 __asm__("a0") = pid;
		register long a1 __asm__("a1") = SIGUSR1;
		register long a7 __asm__("a7") = __NR_kill;
		__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
	}
	store8(back);
	EQ(seen, 1);
	EQ(memcmp(in_frame, ours, 8 * vlenb), 0);
	ours[3] ^= 0xff;
	EQ(memcmp(back, ours, 8 * vlenb), 0);
}

/* An access that faults says in vstart where, has done what is before, and can go on. */
static uint8_t *page;
static volatile unsigned long stopped_at;

static void maps(int number, siginfo_t *info, void *data)
{
	unsigned long vstart;

	(void)number;
	(void)data;
	__asm__ volatile("csrr %0, 8" : "=r"(vstart));
	stopped_at = vstart;
	EQ((uintptr_t)info->si_addr, (uintptr_t)page + 4096);
	mprotect(page + 4096, 4096, PROT_READ | PROT_WRITE);
	__asm__ volatile("csrw 8, %0" : : "r"(vstart));
}

CHECK(faults)
{
	struct sigaction action = { .sa_sigaction = maps, .sa_flags = SA_SIGINFO };
	unsigned long vl;
	ARRAY(back);

	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(page != MAP_FAILED);
	for (int i = 0; i < 8192; i++)
		page[i] = (uint8_t)(i * 3);
	mprotect(page + 4096, 4096, PROT_NONE);
	/* vle8ff.v v8, (a1) has fewer elements then. */
	register uint8_t *a1 __asm__("a1") = page + 4096 - 5;
	__asm__ volatile(".4byte 0x0c307557\n\t.4byte 0x03058407\n\tcsrr %0, 0xc20" : "=r"(vl) : "r"(a1) : "a0", "memory");
	EQ(vl, 5);
	OK(sigaction(SIGSEGV, &action, NULL));
	load8(page + 4096 - 5);
	store8(back);
	EQ(stopped_at, 5);
	EQ(memcmp(back, page + 4096 - 5, 8 * vlenb), 0);
	signal(SIGSEGV, SIG_DFL);
	munmap(page, 8192);
}

static void *adds(void *argument)
{
	ARRAY(mine);
	ARRAY(back);
	unsigned seed = (unsigned)(uintptr_t)argument;

	fill(mine, seed);
	for (int i = 0; i < 2000; i++) {
		load8(mine);
		if (i % 100 == 0)
			sched_yield();
		/* vadd.vi v8, v8, 1 */
		__asm__ volatile(".4byte 0x0280b457");
		store8(mine);
	}
	fill(back, seed + (2000 & 255));
	return (void *)(uintptr_t)(memcmp(mine, back, 8 * vlenb) == 0);
}

CHECK(threads)
{
	pthread_t all[4];
	void *result;

	for (unsigned long i = 0; i < COUNT(all); i++)
		EQ(pthread_create(&all[i], NULL, adds, (void *)i), 0);
	for (unsigned long i = 0; i < COUNT(all); i++) {
		EQ(pthread_join(all[i], &result), 0);
		TRUE(result != NULL);
	}
}

/* Loops as compilers make them. */
#define WITH_V(code) ".option push\n\t.option arch, +v\n\t" code "\n\t.option pop"

static void saxpy(size_t n, float a, const float *x, float *y)
{
	__asm__ volatile(WITH_V("1: vsetvli t0, %0, e32, m4, ta, ma\n\t"
				"vle32.v v8, (%1)\n\tvle32.v v16, (%2)\n\t"
				"vfmacc.vf v16, %3, v8\n\tvse32.v v16, (%2)\n\t"
				"sub %0, %0, t0\n\tslli t0, t0, 2\n\t"
				"add %1, %1, t0\n\tadd %2, %2, t0\n\tbnez %0, 1b")
			 : "+r"(n), "+r"(x), "+r"(y) : "f"(a) : "t0", "memory");
}

static size_t length_of(const char *text)
{
	const char *at = text;

	__asm__ volatile(WITH_V("1: vsetvli t0, zero, e8, m2, ta, ma\n\t"
				"vle8ff.v v8, (%0)\n\tcsrr t0, vl\n\tvmseq.vi v0, v8, 0\n\t"
				"vfirst.m t1, v0\n\tadd %0, %0, t0\n\tbltz t1, 1b\n\t"
				"sub %0, %0, t0\n\tadd %0, %0, t1")
			 : "+r"(at) : : "t0", "t1", "memory");
	return (size_t)(at - text);
}

static uint32_t checksum(size_t n, const uint32_t *x)
{
	uint32_t sum;

	__asm__ volatile(WITH_V("vsetvli t0, zero, e32, m2, ta, ma\n\tvmv.v.i v8, 0\n\t"
				"1: vsetvli t0, %1, e32, m2, tu, ma\n\tvle32.v v4, (%2)\n\t"
				"vsll.vi v6, v4, 3\n\tvxor.vv v4, v4, v6\n\tvmul.vx v4, v4, %3\n\t"
				"vadd.vv v8, v8, v4\n\tsub %1, %1, t0\n\tslli t0, t0, 2\n\t"
				"add %2, %2, t0\n\tbnez %1, 1b\n\t"
				"vsetvli t0, zero, e32, m2, ta, ma\n\tvmv.s.x v4, zero\n\t"
				"vredsum.vs v4, v8, v4\n\tvmv.x.s %0, v4")
			 : "=&r"(sum), "+r"(n), "+r"(x) : "r"(2654435761u) : "t0", "memory");
	return sum;
}

CHECK(loops)
{
	static float x[1000], y[1000], want[1000];
	static uint32_t words[1000];
	static char text[3000];

	for (size_t n = 0; n < 1000; n += n < 70 ? 1 : 97) {
		uint32_t sum = 0;

		for (size_t i = 0; i < 1000; i++) {
			x[i] = (float)i * 0.37f;
			y[i] = (float)(i * i) * 0.11f;
			want[i] = i < n ? __builtin_fmaf(1.7f, x[i], y[i]) : y[i];
			words[i] = (uint32_t)(i * 2246822519u);
			if (i < n)
				sum += (words[i] ^ words[i] << 3) * 2654435761u;
		}
		if (n != 0) {
			saxpy(n, 1.7f, x, y);
			EQ(checksum(n, words), sum);
		}
		EQ(memcmp(y, want, sizeof(y)), 0);
		memset(text, 'x', sizeof(text));
		text[3 * n % sizeof(text)] = 0;
		EQ(length_of(text), 3 * n % sizeof(text));
	}
}

CHECK(control)
{
	EQ(prctl(GET_CONTROL, 0, 0, 0, 0), ON);
	ERR(prctl(SET_CONTROL, OFF, 0, 0, 0), EPERM);
	ERR(prctl(SET_CONTROL, 3, 0, 0, 0), EINVAL);
	ERR(prctl(SET_CONTROL, OFF | 12, 0, 0, 0), EPERM);
	ERR(prctl(SET_CONTROL, ON | 12, 0, 0, 0), EINVAL);
	ERR(prctl(SET_CONTROL, 32, 0, 0, 0), EINVAL);
	OK(prctl(SET_CONTROL, ON | OFF << 2 | 16, 0, 0, 0));
	EQ(prctl(GET_CONTROL, 0, 0, 0, 0), ON | OFF << 2 | 16);
	OK(prctl(SET_CONTROL, 0, 0, 0, 0));
	EQ(prctl(GET_CONTROL, 0, 0, 0, 0), ON);
}

CHECK_MAIN
