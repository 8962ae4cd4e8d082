// Vectors in memory of a big-endian program: one line for each instruction, a sum over all that it may have changed. No C library:
// there is none for this byte order.
typedef unsigned long u64;

static long call(long number, long a, long b, long c)
{
    register long x8 asm("x8") = number, x0 asm("x0") = a, x1 asm("x1") = b, x2 asm("x2") = c;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

static unsigned char data[4096] __attribute__((aligned(64)));
static unsigned char out[4096] __attribute__((aligned(64)));
static unsigned char offsets[512] __attribute__((aligned(64)));

static void line(const char *name)
{
    u64 sum = 0xcbf29ce484222325;
    for (unsigned n = 0; n < sizeof out; n++)
        sum = (sum ^ out[n]) * 0x100000001b3;
    for (unsigned n = 0; n < sizeof data; n++)
        sum = (sum ^ data[n]) * 0x100000001b3;
    char text[100];
    int at = 0;
    while (name[at] && at < 78)
        text[at] = name[at], at++;
    text[at++] = ' ';
    for (int n = 60; n >= 0; n -= 4)
        text[at++] = "0123456789abcdef"[sum >> n & 15];
    text[at++] = '\n';
    call(64, 1, (long)text, at);
}

static void fill(unsigned seed)
{
    for (unsigned n = 0; n < sizeof data; n++) {
        seed = seed * 1103515245 + 12345;
        data[n] = seed >> 16;
        out[n] = 0;
    }
}

#define TRY(size, text) \
    { \
        fill(__LINE__); \
        asm volatile("ptrue p1.b\n\tptrue p0." size ", " PATTERN "\n\tldr z0, [%1]\n\tldr z1, [%1, #1, mul vl]\n\t" \
                     "ldr z2, [%1, #2, mul vl]\n\tldr z3, [%1, #3, mul vl]\n\tldr z4, [%2]\n\tadd x3, %0, #1024\n\tmov x4, #3\n\tsetffr\n\t" \
                     text "\n\tstr z0, [%1]\n\tstr z1, [%1, #1, mul vl]\n\tstr z2, [%1, #2, mul vl]\n\tstr z3, [%1, #3, mul vl]\n\t" \
                     "rdffr p2.b\n\tstr p2, [%1, #32, mul vl]\n\tstr p0, [%1, #33, mul vl]" \
                     :: "r"(data), "r"(out), "r"(offsets) : "x3", "x4", "memory", "z0", "z1", "z2", "z3", "z4", "p0", "p1", "p2", "cc"); \
        line(text); \
    }

#define ALL \
    TRY("b", "ld1b {z0.b}, p0/z, [x3]") \
    TRY("h", "ld1b {z0.h}, p0/z, [x3, x4]") \
    TRY("s", "ld1sb {z0.s}, p0/z, [x3, #1, mul vl]") \
    TRY("d", "ld1b {z0.d}, p0/z, [x3]") \
    TRY("h", "ld1h {z0.h}, p0/z, [x3, x4, lsl #1]") \
    TRY("s", "ld1sh {z0.s}, p0/z, [x3]") \
    TRY("d", "ld1h {z0.d}, p0/z, [x3, #-2, mul vl]") \
    TRY("s", "ld1w {z0.s}, p0/z, [x3]") \
    TRY("d", "ld1sw {z0.d}, p0/z, [x3, x4, lsl #2]") \
    TRY("d", "ld1d {z0.d}, p0/z, [x3, #3, mul vl]") \
    TRY("h", "ldnt1h {z0.h}, p0/z, [x3]") \
    TRY("d", "ldff1d {z0.d}, p0/z, [x3]") \
    TRY("s", "ldff1h {z0.s}, p0/z, [x3, x4, lsl #1]") \
    TRY("s", "ldnf1w {z0.s}, p0/z, [x3]") \
    TRY("h", "ld1rh {z0.h}, p0/z, [x3, #6]") \
    TRY("d", "ld1rsw {z0.d}, p0/z, [x3, #8]") \
    TRY("h", "ld1rqh {z0.h}, p0/z, [x3]") \
    TRY("d", "ld1rqd {z0.d}, p0/z, [x3, #16]") \
    TRY("h", "ld2h {z0.h, z1.h}, p0/z, [x3]") \
    TRY("s", "ld3w {z0.s, z1.s, z2.s}, p0/z, [x3]") \
    TRY("d", "ld4d {z0.d, z1.d, z2.d, z3.d}, p0/z, [x3]") \
    TRY("b", "ld4b {z0.b, z1.b, z2.b, z3.b}, p0/z, [x3, x4]") \
    TRY("s", "ld1w {z0.s}, p0/z, [x3, z4.s, uxtw]") \
    TRY("s", "ld1sh {z0.s}, p0/z, [x3, z4.s, sxtw #1]") \
    TRY("d", "ld1d {z0.d}, p0/z, [x3, z4.d, uxtw]") \
    TRY("d", "ldff1w {z0.d}, p0/z, [x3, z4.d, uxtw #2]") \
    TRY("b", "st1b {z0.b}, p0, [x3]") \
    TRY("d", "st1b {z0.d}, p0, [x3]") \
    TRY("h", "st1h {z0.h}, p0, [x3, #1, mul vl]") \
    TRY("s", "st1h {z0.s}, p0, [x3, x4, lsl #1]") \
    TRY("s", "st1w {z0.s}, p0, [x3]") \
    TRY("d", "st1w {z0.d}, p0, [x3]") \
    TRY("d", "st1d {z0.d}, p0, [x3, #-1, mul vl]") \
    TRY("d", "stnt1d {z0.d}, p0, [x3]") \
    TRY("h", "st2h {z0.h, z1.h}, p0, [x3]") \
    TRY("s", "st3w {z0.s, z1.s, z2.s}, p0, [x3]") \
    TRY("d", "st4d {z0.d, z1.d, z2.d, z3.d}, p0, [x3]") \
    TRY("s", "st1w {z0.s}, p0, [x3, z4.s, uxtw]") \
    TRY("d", "st1h {z0.d}, p0, [x3, z4.d, uxtw #1]") \
    TRY("b", "str z1, [x3, #5, mul vl]") \
    TRY("b", "ldr z1, [x3, #-7, mul vl]") \
    TRY("h", "str p0, [x3, #9, mul vl]") \
    TRY("b", "ldr p0, [x3, #2, mul vl]") \
    TRY("b", "ldr q0, [x3]\n\tadd z0.h, z0.h, z1.h") \
    TRY("b", "ldr d0, [x3]\n\tstr q1, [x3, #16]\n\tld1 {v2.8h}, [x3]") \
    TRY("s", "ld1w {z0.s}, p0/z, [x3]\n\tfadd z0.s, p0/m, z0.s, z1.s\n\tst1w {z0.s}, p0, [x3]")

__attribute__((used)) void begin(void)
{
    for (unsigned n = 0; n < sizeof offsets; n++)
        offsets[n] = n % 4 == 0 ? n * 5 % 64 : 0; // LDR of a vector has the lowest byte first
#define PATTERN "all"
    ALL
#undef PATTERN
#define PATTERN "vl3"
    ALL
#undef PATTERN
#define PATTERN "pow2"
    ALL
    call(94, 0, 0, 0);
}

asm(".globl _start\n_start: b begin\n");
