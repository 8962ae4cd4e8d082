// arches: riscv64
// no-reference: qemu 7.2 has not got the call
// riscv_hwprobe(2): values, unknown keys, sets of CPUs; what it says agrees with AT_HWCAP.
#include "../traps.h"
#include <sys/auxv.h>

#ifndef __NR_riscv_hwprobe
#define __NR_riscv_hwprobe 258
#endif

struct pair {
	int64_t key;
	uint64_t value;
};

/* Documentation/arch/riscv/hwprobe.rst */
enum { BASE = 3, EXTENSIONS = 4, IMA = 1, FD = 1, C = 2, V = 4, WHICH_CPUS = 1 };

static long probe(struct pair *pairs, size_t count, size_t size, void *cpus, unsigned flags)
{
	return syscall(__NR_riscv_hwprobe, pairs, count, size, cpus, flags);
}

static int has(char letter)
{
	return getauxval(AT_HWCAP) >> (letter - 'a') & 1;
}

CHECK(values)
{
	struct pair pairs[] = { { BASE, 7 }, { EXTENSIONS, 7 }, { 1000, 7 }, { -5, 7 } };

	EQ(probe(pairs, COUNT(pairs), 0, NULL, 0), 0);
	EQ(pairs[0].key, BASE);
	EQ(pairs[0].value & IMA, has('i') && has('m') && has('a'));
	EQ(pairs[1].key, EXTENSIONS);
	EQ(!!(pairs[1].value & FD), has('f') && has('d'));
	EQ(!!(pairs[1].value & C), has('c'));
	EQ(!!(pairs[1].value & V), has('v'));
	for (int i = 2; i < 4; i++) {
		EQ(pairs[i].key, -1);
		EQ(pairs[i].value, 0);
	}
}

static uint32_t block[32] __attribute__((aligned(64)));

/* Executes it with a1 leading to `block`; a0, fa0 and `block` are the instruction's. */
#define RUNS(insn)                                                                  \
	({                                                                          \
		got_signal = 0;                                                     \
		if (sigsetjmp(out, 1) == 0) {                                       \
			register uint32_t *at __asm__("a1") = block;                \
			__asm__ volatile(insn : "+r"(at) : : "a0", "fa0", "memory"); \
		}                                                                   \
		got_signal == 0;                                                    \
	})

/* An extension is told of if and only if its instructions are executed. Encodings are those of the GNU assembler. */
CHECK(extensions)
{
	struct pair pair = { EXTENSIONS, 0 };

	catches(SIGILL, jumps_out);
	EQ(probe(&pair, 1, 0, NULL, 0), 0);
#define TOLD(bit, insn) EQ(pair.value >> (bit) & 1, RUNS(insn))
	TOLD(3, ".4byte 0x20a52533"); /* Zba: sh1add a0, a0, a0 */
	TOLD(4, ".4byte 0x60051513"); /* Zbb: clz a0, a0 */
	TOLD(5, ".4byte 0x28a51533"); /* Zbs: bset a0, a0, a0 */
	TOLD(6, ".4byte 0x0045a00f"); /* Zicboz: cbo.zero (a1) */
	TOLD(7, ".4byte 0x0aa51533"); /* Zbc: clmul a0, a0, a0 */
	TOLD(8, ".4byte 0x08a54533"); /* Zbkb: pack a0, a0, a0 */
	TOLD(10, ".4byte 0x28a52533"); /* Zbkx: xperm4 a0, a0, a0 */
	TOLD(11, ".4byte 0x3aa50533"); /* Zknd: aes64ds a0, a0, a0 */
	TOLD(12, ".4byte 0x32a50533"); /* Zkne: aes64es a0, a0, a0 */
	TOLD(13, ".4byte 0x10051513"); /* Zknh: sha256sum0 a0, a0 */
	TOLD(14, ".4byte 0x30a50533"); /* Zksed: sm4ed a0, a0, a0, 0 */
	TOLD(15, ".4byte 0x10851513"); /* Zksh: sm3p0 a0, a0 */
	TOLD(2, ".4byte 0x0d007557"); /* V: vsetvli a0, zero, e32, m1, ta, ma */
	TOLD(52, ".4byte 0x40657553"); /* Zfbfmin: fcvt.s.bf16 fa0, fa0 */
	TOLD(27, ".4byte 0x04a57553"); /* Zfh: fadd.h fa0, fa0, fa0 */
	TOLD(28, ".4byte 0xe4050553"); /* Zfhmin: fmv.x.h a0, fa0 */
	TOLD(32, ".4byte 0xf0180553"); /* Zfa: fli.s fa0, 1.0 */
	TOLD(34, ".4byte 0x2805a52f"); /* Zacas: amocas.w a0, zero, (a1) */
	TOLD(35, ".4byte 0x0ea55533"); /* Zicond: czero.eqz a0, a0, a0 */
	TOLD(42, ".4byte 0x81c54573"); /* Zimop: mop.r.0 a0, a0 */
	/* Zcb: c.not a0. The core unicorn executes what is reserved without it. */
	TRUE(!(pair.value >> 44 & 1) || RUNS(".2byte 0x9d75"));
	TOLD(47, ".2byte 0x6081"); /* Zcmop: c.mop.1 */
	TOLD(48, ".4byte 0x01d00073"); /* Zawrs: wrs.sto */
	TOLD(55, ".4byte 0x0015a00f"); /* Zicbom: cbo.clean (a1) */
	TOLD(58, ".4byte 0x0005852f"); /* Zabha: amoadd.b a0, zero, (a1) */
	signal(SIGILL, SIG_DFL);
}

CHECK(cpus)
{
	unsigned long set[16] = { 1 }, none[16] = { 0 };
	struct pair pair = { BASE, 0 };

	EQ(probe(&pair, 1, sizeof(set), set, 0), 0);
	EQ(pair.value, IMA);
	ERR(probe(&pair, 1, sizeof(none), none, 0), EINVAL);
	ERR(probe(&pair, 1, 0, NULL, 2), EINVAL);
	ERR(probe(NULL, 1, 0, NULL, 0), EFAULT);
	EQ(probe(NULL, 0, 0, NULL, 0), 0);
	ERR(probe(&pair, 1, 8, (void *)8, 0), EFAULT);
}

CHECK(which_cpus)
{
	unsigned long set[16] = { 1 };
	struct pair pairs[] = { { BASE, IMA }, { EXTENSIONS, 0 } };

	ERR(probe(pairs, 2, 0, NULL, WHICH_CPUS), EINVAL);
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	EQ(set[0], 1);
	pairs[1].value = 1ull << 63;
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	EQ(set[0], 0);
	/* An empty set stands for all that there are. */
	pairs[1].value = 0;
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	TRUE(set[0] & 1);
	pairs[0].key = 1000;
	EQ(probe(pairs, 2, sizeof(set), set, WHICH_CPUS), 0);
	EQ(set[0], 0);
	EQ(pairs[0].key, -1);
}

CHECK_MAIN
