// build: varies
// Every feature that AT_HWCAP and AT_HWCAP2 advertise works: one instruction of each.
// A program that dies here by SIGILL was told of a feature that is not there.
#include "../check.h"

#include <sys/auxv.h>

#if defined(__aarch64__) || defined(__arm__)
/* The check is made only if the bit is there: else it is not applicable. */
#define NEEDS(type, bit)                                          \
	if (!(getauxval(type) >> (bit) & 1))                      \
	NA("%s bit %d is not set", #type, bit)
#define CAP(bit) NEEDS(AT_HWCAP, bit)
#define CAP2(bit) NEEDS(AT_HWCAP2, bit)
#endif

#if defined(__aarch64__)
/* Bits: arch/arm64/include/uapi/asm/hwcap.h. Results: Arm ARM (DDI 0487). */
__asm__(".arch armv8.6-a+crypto+sha3+sm4+fp16+fp16fml+bf16+i8mm+rng+memtag+ssbs+"
	"sb+predres+pauth+flagm+sve2\n\t");

typedef struct {
	uint64_t lo, hi;
} q;

/* One vector instruction on v0 (inout), v1 and v2. */
#define VECTOR(text, d, n, m)                                             \
	__asm__ volatile("ldr q0, %[vd]\n\tldr q1, %[vn]\n\tldr q2, %[vm]\n\t" \
			 text "\n\tstr q0, %[vd]"                         \
			 : [vd] "+m"(d)                                   \
			 : [vn] "m"(n), [vm] "m"(m)                       \
			 : "v0", "v1", "v2", "memory")

static q zero;

CHECK(fp)
{
	CAP(0);
	double r;
	__asm__("fadd %d0, %d1, %d2" : "=w"(r) : "w"(1.5), "w"(2.25));
	TRUE(r == 3.75);
}

CHECK(asimd)
{
	CAP(1);
	q d = zero, n = { 0x0102030405060708ULL, 0x1000000000000000ULL },
	  m = { 0x0101010101010101ULL, 0xf000000000000000ULL };
	VECTOR("add v0.16b, v1.16b, v2.16b", d, n, m);
	EQ(d.lo, 0x0203040506070809ULL);
	EQ(d.hi, 0);
}

CHECK(aes)
{
	CAP(3);
	q d = zero;
	/* SubBytes of zeros: 0x63 everywhere (FIPS 197). */
	VECTOR("aese v0.16b, v1.16b", d, zero, zero);
	EQ(d.lo, 0x6363636363636363ULL);
	EQ(d.hi, 0x6363636363636363ULL);
	VECTOR("aesmc v0.16b, v0.16b", d, zero, zero);
	EQ(d.lo, 0x6363636363636363ULL);
	VECTOR("aesd v0.16b, v1.16b", d, zero, zero);
	/* InvSubBytes(0x63) */
	EQ(d.lo, 0);
}

CHECK(pmull)
{
	CAP(4);
	q d = zero, n = { 3, 0 }, m = { 0x8000000000000001ULL, 0 };
	VECTOR("pmull v0.1q, v1.1d, v2.1d", d, n, m);
	/* (x + 1)(x^63 + 1) = x^64 + x^63 + x + 1 */
	EQ(d.lo, 0x8000000000000003ULL);
	EQ(d.hi, 1);
}

CHECK(sha1)
{
	CAP(5);
	q d = zero, n = { 0x80000001, 0 };
	VECTOR("sha1h s0, s1", d, n, zero);
	/* A rotation by 30. */
	EQ(d.lo, 0x60000000);
}

CHECK(sha2)
{
	CAP(6);
	q d = { 1ULL << 32, 0 };
	VECTOR("sha256su0 v0.4s, v1.4s", d, zero, zero);
	/* FIPS 180-4: sigma0(1) is added to the word before it. */
	EQ(d.lo, 0x100000000ULL | 0x02004000);
	EQ(d.hi, 0);
}

CHECK(crc32)
{
	CAP(7);
	uint32_t a = ~0U, b = ~0U;

	for (const char *p = "123456789"; *p; p++) {
		__asm__("crc32b %w0, %w0, %w1" : "+r"(a) : "r"(*p));
		__asm__("crc32cb %w0, %w0, %w1" : "+r"(b) : "r"(*p));
	}
	/* The check values of CRC-32/ISO-HDLC and CRC-32C. */
	EQ(~a, 0xcbf43926);
	EQ(~b, 0xe3069283);
}

CHECK(atomics)
{
	CAP(8);
	uint64_t v = 5, old, pair[2] __attribute__((aligned(16))) = { 1, 2 };

	__asm__ volatile("ldaddal %2, %0, %1"
			 : "=r"(old), "+Q"(v) : "r"(7UL));
	EQ(old, 5);
	EQ(v, 12);
	__asm__ volatile("swpal %2, %0, %1" : "=r"(old), "+Q"(v) : "r"(99UL));
	EQ(old, 12);
	old = 99;
	__asm__ volatile("casal %0, %2, %1" : "+r"(old), "+Q"(v) : "r"(100UL));
	EQ(v, 100);
	register uint64_t x0 __asm__("x0") = 1, x1 __asm__("x1") = 2;
	register uint64_t x2 __asm__("x2") = 3, x3 __asm__("x3") = 4;
	__asm__ volatile("caspal x0, x1, x2, x3, %2"
			 : "+r"(x0), "+r"(x1), "+Q"(pair)
			 : "r"(x2), "r"(x3));
	EQ(pair[0], 3);
	EQ(pair[1], 4);
	__asm__ volatile("ldsmax %2, %0, %1" : "=r"(old), "+Q"(v) : "r"(-1L));
	EQ(v, 100);
	__asm__ volatile("ldclrb %w2, %w0, %1" : "=r"(old), "+Q"(v) : "r"(4));
	EQ(v, 96);
}

CHECK(fphp)
{
	CAP(9);
	uint32_t r;
	/* 1.5 + 2.5 = 4 in half precision */
	__asm__("fmov h0, %w1\n\tfmov h1, %w2\n\tfadd h0, h0, h1\n\t"
		"fmov %w0, h0"
		: "=r"(r) : "r"(0x3e00), "r"(0x4100) : "v0", "v1");
	EQ(r, 0x4400);
}

CHECK(asimdhp)
{
	CAP(10);
	q d = zero, n = { 0x3c003c003c003c00ULL, 0x3c003c003c003c00ULL };
	VECTOR("fadd v0.8h, v1.8h, v1.8h", d, n, zero);
	EQ(d.hi, 0x4000400040004000ULL);
}

CHECK(cpuid)
{
	CAP(11);
	uint64_t midr, pfr;
	__asm__("mrs %0, midr_el1" : "=r"(midr));
	__asm__("mrs %0, id_aa64pfr0_el1" : "=r"(pfr));
	TRUE(midr != 0);
	/* EL0 is implemented. */
	TRUE((pfr & 15) >= 1);
}

CHECK(asimdrdm)
{
	CAP(12);
	q d = { 100, 0 }, n = { 0x40000000, 0 }, m = { 0x10, 0 };
	VECTOR("sqrdmlah v0.4s, v1.4s, v2.4s", d, n, m);
	/* 100 + 2 * 2^30 * 16 / 2^32 */
	EQ(d.lo, 108);
}

CHECK(jscvt)
{
	CAP(13);
	int r;
	__asm__("fjcvtzs %w0, %d1" : "=r"(r) : "w"(4294967301.0) : "cc");
	EQ(r, 5);
}

CHECK(fcma)
{
	CAP(14);
	q d = zero, n = { 0x3f8000003f800000ULL, 0 },
	  m = { 0x4040000040000000ULL, 0 };
	VECTOR("fcadd v0.4s, v1.4s, v2.4s, #90", d, n, m);
	/* (1 + i) + i (2 + 3i) = -2 + 3i */
	EQ(d.lo, 0x40400000c0000000ULL);
}

CHECK(lrcpc)
{
	CAP(15);
	uint64_t v = 42, r;
	__asm__("ldapr %0, %1" : "=r"(r) : "Q"(v));
	EQ(r, 42);
}

CHECK(dcpop)
{
	CAP(16);
	uint64_t v = 1;
	__asm__ volatile("dc cvap, %0" : : "r"(&v) : "memory");
	EQ(v, 1);
}

CHECK(sha3)
{
	CAP(17);
	q d = zero, n = { 0xff00, 1 }, m = { 0x0ff0, 3 };
	VECTOR("eor3 v0.16b, v1.16b, v2.16b, v2.16b", d, n, m);
	EQ(d.lo, 0xff00);
	VECTOR("bcax v0.16b, v1.16b, v2.16b, v1.16b", d, n, m);
	EQ(d.lo, 0xff00 ^ (0x0ff0 & ~0xff00));
	VECTOR("rax1 v0.2d, v1.2d, v2.2d", d, n, m);
	EQ(d.hi, 1 ^ 6);
}

CHECK(sm3)
{
	CAP(18);
	q d = zero;
	VECTOR("sm3partw1 v0.4s, v1.4s, v2.4s", d, zero, zero);
	EQ(d.lo, 0);
}

CHECK(sm4)
{
	CAP(19);
	q d = zero;
	VECTOR("sm4ekey v0.4s, v1.4s, v2.4s", d, zero, zero);
	/* The S-box of 0 is 0xd6; L'(0xd6d6d6d6), a rotation of itself, twice. */
	uint32_t b = 0xd6d6d6d6;
	uint32_t l = b ^ (b << 13 | b >> 19) ^ (b << 23 | b >> 9);
	EQ((uint32_t)d.lo, l);
}

CHECK(asimddp)
{
	CAP(20);
	q d = { 10, 0 }, n = { 0x04030201, 0 }, m = { 0x01010101, 0 };
	VECTOR("udot v0.4s, v1.16b, v2.16b", d, n, m);
	EQ(d.lo, 20);
}

CHECK(sha512)
{
	CAP(21);
	q d = { 0, 1 };
	VECTOR("sha512su0 v0.2d, v1.2d", d, zero, zero);
	/* FIPS 180-4: sigma0(1) = rotr 1 ^ rotr 8 ^ shr 7 */
	EQ(d.lo, 0x8100000000000000ULL);
	EQ(d.hi, 1);
}

CHECK(sve)
{
	CAP(22);
	uint64_t bytes, r;
	__asm__("rdvl %0, #1" : "=r"(bytes));
	TRUE(bytes >= 16 && bytes <= 256 && bytes % 16 == 0);
	__asm__("ptrue p0.d\n\tdup z0.d, %1\n\tadd z0.d, z0.d, z0.d\n\t"
		"uaddv d0, p0, z0.d\n\tfmov %0, d0"
		: "=r"(r) : "r"(21UL) : "v0", "memory");
	EQ(r, 42 * bytes / 8);
}

CHECK(asimdfhm)
{
	CAP(23);
	q d = { 0x3f800000, 0 }, n = { 0x4000, 0 }, m = { 0x4200, 0 };
	VECTOR("fmlal v0.4s, v1.4h, v2.4h", d, n, m);
	/* 1 + 2 * 3 */
	EQ((uint32_t)d.lo, 0x40e00000);
}

CHECK(dit)
{
	CAP(24);
	uint64_t r;
	__asm__ volatile("msr dit, #1\n\tmrs %0, dit\n\tmsr dit, #0" : "=r"(r));
	EQ(r, 1 << 24);
}

CHECK(uscat)
{
	CAP(25);
	struct {
		uint32_t pad;
		uint32_t v[3];
	} __attribute__((aligned(16))) s = { 0, { 0, 7, 0 } };
	uint64_t r;
	/* An acquire of 8 bytes at an odd word inside of 16. */
	__asm__("ldar %0, [%1]" : "=r"(r) : "r"(&s.v[0]) : "memory");
	EQ(r, 7ULL << 32);
}

CHECK(ilrcpc)
{
	CAP(26);
	uint64_t v[2] = { 1, 42 }, r;
	__asm__("ldapur %0, [%1, #8]" : "=r"(r) : "r"(v) : "memory");
	EQ(r, 42);
	__asm__ volatile("stlur %0, [%1, #8]" : : "r"(43UL), "r"(v) : "memory");
	EQ(v[1], 43);
}

CHECK(flagm)
{
	CAP(27);
	uint64_t r;
	__asm__("cmp xzr, xzr\n\tcfinv\n\tcset %0, cs" : "=r"(r) : : "cc");
	EQ(r, 0);
	__asm__("rmif %1, #0, #4\n\tcset %0, eq" : "=r"(r) : "r"(4UL) : "cc");
	EQ(r, 1);
}

CHECK(ssbs)
{
	CAP(28);
	uint64_t r;
	__asm__ volatile("msr ssbs, #1\n\tmrs %0, ssbs" : "=r"(r));
	EQ(r, 1 << 12);
}

CHECK(sb)
{
	CAP(29);
	__asm__ volatile("sb");
}

CHECK(paca)
{
	CAP(30);
	uint64_t p = (uintptr_t)&zero, s = p;
	__asm__("pacda %0, %1" : "+r"(s) : "r"(1234UL));
	__asm__("autda %0, %1" : "+r"(s) : "r"(1234UL));
	EQ(s, p);
	__asm__("pacia %0, %1\n\txpaci %0" : "+r"(s) : "r"(99UL));
	EQ(s, p);
}

CHECK(pacg)
{
	CAP(31);
	uint64_t r, t;
	__asm__("pacga %0, %1, %2" : "=r"(r) : "r"(1UL), "r"(2UL));
	__asm__("pacga %0, %1, %2" : "=r"(t) : "r"(1UL), "r"(2UL));
	EQ(r, t);
	EQ((uint32_t)r, 0);
}

CHECK(dcpodp)
{
	CAP2(0);
	uint64_t v = 1;
	__asm__ volatile("dc cvadp, %0" : : "r"(&v) : "memory");
	EQ(v, 1);
}

CHECK(sve2)
{
	CAP2(1);
	uint64_t r;
	/* 7 * 9, widened, of the even elements */
	__asm__("dup z0.s, %w1\n\tdup z1.s, %w2\n\t"
		"umullb z0.d, z0.s, z1.s\n\tfmov %0, d0"
		: "=r"(r) : "r"(7), "r"(9) : "v0", "v1");
	EQ(r, 63);
}

CHECK(flagm2)
{
	CAP2(7);
	uint64_t r;
	__asm__("cmp xzr, xzr\n\taxflag\n\tcset %0, eq" : "=r"(r) : : "cc");
	EQ(r, 1);
}

CHECK(frint)
{
	CAP2(8);
	double r;
	__asm__("frint32z %d0, %d1" : "=w"(r) : "w"(-2.75));
	TRUE(r == -2.0);
}

CHECK(i8mm)
{
	CAP2(13);
	q d = zero, n = { 0x00000000000000ffULL, 0 }, m = { 0xff, 0 };
	VECTOR("usdot v0.4s, v1.16b, v2.16b", d, n, m);
	/* 255 * -1 */
	EQ((int32_t)d.lo, -255);
}

CHECK(bf16)
{
	CAP2(14);
	q d = { 0x3f800000, 0 }, n = { 0x40004000, 0 }, m = { 0x40404040, 0 };
	VECTOR("bfdot v0.4s, v1.8h, v2.8h", d, n, m);
	/* 1 + 2 * 3 + 2 * 3.0 = 13, with 0x4040 = 3 */
	EQ((uint32_t)d.lo, 0x41500000);
}

CHECK(rng)
{
	CAP2(16);
	uint64_t a, b;
	__asm__ volatile("mrs %0, rndr" : "=r"(a) : : "cc");
	__asm__ volatile("mrs %0, rndr" : "=r"(b) : : "cc");
	TRUE(a != b);
}

CHECK(bti)
{
	CAP2(17);
	__asm__ volatile("bti c");
}

CHECK(mte)
{
	CAP2(18);
	uint64_t p = (uintptr_t)&zero, r;
	__asm__("addg %0, %1, #16, #1" : "=r"(r) : "r"(p));
	EQ(r & 0x00ffffffffffffffULL, p + 16);
}

CHECK(identification_registers)
{
	uint64_t ctr, dczid;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	__asm__("mrs %0, dczid_el0" : "=r"(dczid));
	TRUE(ctr >> 31 & 1);
	if (!(dczid & 16)) {
		int size = 4 << (dczid & 15);
		static char area[4096] __attribute__((aligned(2048)));

		memset(area, 1, sizeof(area));
		__asm__ volatile("dc zva, %0" : : "r"(area + 2048) : "memory");
		EQ(area[2047], 1);
		EQ(area[2048], 0);
		EQ(area[2047 + size], 0);
		EQ(area[2048 + size], 1);
	}
	uint64_t f, c1, c2;
	__asm__("mrs %0, cntfrq_el0" : "=r"(f));
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(c1));
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(c2));
	TRUE(f >= 1000000);
	TRUE(c2 >= c1);
}

#elif defined(__arm__)
/* Bits: arch/arm/include/uapi/asm/hwcap.h. Results: Arm ARM. */
/* The compiler names its own .arch for each function; this one is for the next lines. */
#define ALL ".arch armv8-a\n\t.arch_extension crc\n\t.fpu crypto-neon-fp-armv8\n\t"

CHECK(half)
{
	CAP(1);
	uint16_t v = 0x8001;
	uint32_t r;
	__asm__("ldrsh %0, %1" : "=r"(r) : "m"(v));
	EQ(r, 0xffff8001);
}

static int __attribute__((target("thumb"), noinline)) thumb_function(int x)
{
	return x * 3;
}

static int __attribute__((target("arm"), noinline)) arm_function(int x)
{
	return x * 5;
}

CHECK(thumb)
{
	CAP(2);
	EQ(thumb_function(7), 21);
	EQ(arm_function(7), 35);
}

CHECK(fast_multiplication)
{
	CAP(4);
	uint32_t lo, hi;
	__asm__("umull %0, %1, %2, %3" : "=&r"(lo), "=&r"(hi)
		: "r"(0x80000001), "r"(6));
	EQ(lo, 6);
	EQ(hi, 3);
}

CHECK(vfp)
{
	CAP(6);
	double r;
	__asm__("vadd.f64 %P0, %P1, %P2" : "=w"(r) : "w"(1.5), "w"(2.25));
	TRUE(r == 3.75);
}

CHECK(edsp)
{
	CAP(7);
	int r;
	__asm__("qadd %0, %1, %2" : "=r"(r) : "r"(0x7fffffff), "r"(5) : "cc");
	EQ(r, 0x7fffffff);
	__asm__("smulbt %0, %1, %2" : "=r"(r) : "r"(3), "r"(0x50000));
	EQ(r, 15);
}

CHECK(neon)
{
	CAP(12);
	uint64_t a = 0x0102030405060708ULL, b = 0x0101010101010101ULL, r;
	__asm__(ALL "vadd.i8 %P0, %P1, %P2" : "=w"(r) : "w"(a), "w"(b));
	EQ(r, 0x0203040506070809ULL);
}

CHECK(vfp3)
{
	CAP(13);
	double r;
	__asm__(ALL "vmov.f64 %P0, #1.5" : "=w"(r));
	TRUE(r == 1.5);
}

CHECK(tls)
{
	CAP(15);
	void *p;
	__asm__("mrc p15, 0, %0, c13, c0, 3" : "=r"(p));
	TRUE(p != NULL);
}

CHECK(vfp4)
{
	CAP(16);
	double r = 1.0;
	__asm__(ALL "vfma.f64 %P0, %P1, %P2" : "+w"(r) : "w"(2.0), "w"(3.0));
	TRUE(r == 7.0);
}

static int __attribute__((target("arm"), noinline)) divide_arm(int a, int b)
{
	int r;
	__asm__(ALL "sdiv %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
	return r;
}

static int __attribute__((target("thumb"), noinline)) divide_thumb(int a, int b)
{
	int r;
	__asm__(ALL "sdiv %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
	return r;
}

CHECK(idiva)
{
	CAP(17);
	EQ(divide_arm(-7, 2), -3);
	EQ(divide_arm(-7, 0), 0);
}

CHECK(idivt)
{
	CAP(18);
	EQ(divide_thumb(INT_MIN, -1), INT_MIN);
	EQ(divide_thumb(100, 7), 14);
}

CHECK(vfpd32)
{
	CAP(19);
	uint32_t lo, hi;
	__asm__(ALL "vmov d31, %2, %3\n\tvmov %0, %1, d31"
		: "=&r"(lo), "=&r"(hi) : "r"(1), "r"(2) : "d31");
	EQ(lo, 1);
	EQ(hi, 2);
}

CHECK(lpae)
{
	CAP(20);
	uint64_t v = 0x1122334455667788ULL, r;
	__asm__("ldrd %Q0, %R0, [%1]" : "=&r"(r) : "r"(&v), "m"(v));
	EQ(r, v);
}

CHECK(aes)
{
	CAP2(0);
	uint8_t d[16] = { 0 };
	__asm__ volatile(ALL "vld1.8 {q0}, [%0]\n\tvmov.i8 q1, #0\n\t"
			 "aese.8 q0, q1\n\tvst1.8 {q0}, [%0]"
			 : : "r"(d) : "q0", "q1", "memory");
	EQ(d[0], 0x63);
	EQ(d[15], 0x63);
}

CHECK(pmull)
{
	CAP2(1);
	uint64_t r[2] = { 3, 0x8000000000000001ULL };
	__asm__ volatile(ALL "vld1.64 {q0}, [%0]\n\tvmull.p64 q1, d0, d1\n\t"
			 "vst1.64 {q1}, [%0]"
			 : : "r"(r) : "q0", "q1", "memory");
	EQ(r[0], 0x8000000000000003ULL);
	EQ(r[1], 1);
}

CHECK(sha1)
{
	CAP2(2);
	uint32_t r[4] = { 0x80000001, 0, 0, 0 };
	__asm__ volatile(ALL "vld1.32 {q0}, [%0]\n\tsha1h.32 q1, q0\n\t"
			 "vst1.32 {q1}, [%0]"
			 : : "r"(r) : "q0", "q1", "memory");
	EQ(r[0], 0x60000000);
}

CHECK(sha2)
{
	CAP2(3);
	uint32_t r[4] = { 0, 1, 0, 0 };
	__asm__ volatile(ALL "vld1.32 {q0}, [%0]\n\tvmov.i8 q1, #0\n\t"
			 "sha256su0.32 q0, q1\n\tvst1.32 {q0}, [%0]"
			 : : "r"(r) : "q0", "q1", "memory");
	EQ(r[0], 0x02004000);
	EQ(r[1], 1);
}

CHECK(crc32)
{
	CAP2(4);
	uint32_t a = ~0U;

	for (const char *p = "123456789"; *p; p++)
		__asm__(ALL "crc32b %0, %0, %1" : "+r"(a) : "r"(*p));
	EQ(~a, 0xcbf43926);
}

CHECK(exclusives)
{
	uint32_t v = 5, old, failed;
	uint64_t d = 9, old64;

	do
		__asm__ volatile("ldrex %0, [%2]\n\tstrex %1, %3, [%2]"
				 : "=&r"(old), "=&r"(failed)
				 : "r"(&v), "r"(6) : "memory");
	while (failed);
	EQ(old, 5);
	EQ(v, 6);
	do
		__asm__ volatile("ldrexd %Q0, %R0, [%2]\n\t"
				 "strexd %1, %Q3, %R3, [%2]"
				 : "=&r"(old64), "=&r"(failed)
				 : "r"(&d), "r"(0x123456789ULL) : "memory");
	while (failed);
	EQ(old64, 9);
	EQ(d, 0x123456789ULL);
	/* Without an open exclusive access a store fails. */
	__asm__ volatile("clrex\n\tstrex %0, %2, [%1]"
			 : "=&r"(failed) : "r"(&v), "r"(7) : "memory");
	EQ(failed, 1);
	EQ(v, 6);
}

#else
CHECK(other_processors)
{
	NA("no checks for this processor");
}
#endif

CHECK_MAIN
