/* What a freestanding guest program needs: the start of a process, raw system calls and a few
 * functions of the C library, for arm (EABI), aarch64, mips, powerpc, riscv, s390x and x86 in either byte order. One
 * translation unit a program, so everything is defined here.
 *
 * A program defines `int main(int argc, char **argv, char **envp)`. */
#ifndef NOLIBC_H
#define NOLIBC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>

#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2

#ifdef __BYTE_ORDER__
#define BIG_ENDIAN_GUEST (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#endif

#define UNUSED __attribute__((unused))

/* ---- system calls: the result is the kernel's own, -errno for an error ---- */

/* What a register has: with mips' n32 more than a pointer. */
#if defined(__mips__) && _MIPS_SIM == _ABIN32
#define N32
typedef long long reg;
#else
typedef long reg;
#endif

static inline reg syscall6(reg nr, reg a, reg b, reg c, reg d, reg e, reg f)
{
#if defined(__aarch64__)
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
#elif defined(__arm__)
    /* r7 is Thumb's frame pointer: it is swapped by hand around the call. */
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
    register long r3 __asm__("r3") = d;
    register long r4 __asm__("r4") = e;
    register long r5 __asm__("r5") = f;
    register long r6 __asm__("r6") = nr;
    __asm__ volatile("mov r12, r7\n\tmov r7, r6\n\tsvc #0\n\tmov r7, r12"
                     : "+r"(r0)
                     : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r6)
                     : "r12", "memory", "cc");
    return r0;
#elif defined(__mips__)
    /* An error is a flag in a3. o32 has the fifth argument and what follows on the stack, behind room for four. */
    register reg v0 __asm__("$2") = nr;
    register reg a0 __asm__("$4") = a;
    register reg a1 __asm__("$5") = b;
    register reg a2 __asm__("$6") = c;
    register reg a3 __asm__("$7") = d;
#if _MIPS_SIM == _ABIO32
    register reg e0 __asm__("$8") = e;
    register reg f0 __asm__("$9") = f;
    __asm__ volatile("addiu $sp, $sp, -32\n\tsw $8, 16($sp)\n\tsw $9, 20($sp)\n\tsyscall\n\t"
                     "addiu $sp, $sp, 32"
                     : "+r"(v0), "+r"(a3), "+r"(e0), "+r"(f0)
                     : "r"(a0), "r"(a1), "r"(a2)
                     : "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi",
                       "lo", "memory");
#else
    register reg a4 __asm__("$8") = e;
    register reg a5 __asm__("$9") = f;
    __asm__ volatile("syscall"
                     : "+r"(v0), "+r"(a3), "+r"(a4), "+r"(a5)
                     : "r"(a0), "r"(a1), "r"(a2)
                     : "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi",
                       "lo", "memory");
#endif
    return a3 ? -v0 : v0;
#elif defined(__powerpc__)
    /* An error is the bit SO of CR0. */
    register long r0 __asm__("r0") = nr;
    register long r3 __asm__("r3") = a;
    register long r4 __asm__("r4") = b;
    register long r5 __asm__("r5") = c;
    register long r6 __asm__("r6") = d;
    register long r7 __asm__("r7") = e;
    register long r8 __asm__("r8") = f;
    __asm__ volatile("sc\n\tbns+ 1f\n\tneg %1, %1\n1:"
                     : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
                     :
                     : "r9", "r10", "r11", "r12", "cr0", "ctr", "memory");
    return r3;
#elif defined(__riscv)
    register long a7 __asm__("a7") = nr;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
#elif defined(__s390x__)
    register long r1 __asm__("1") = nr;
    register long r2 __asm__("2") = a;
    register long r3 __asm__("3") = b;
    register long r4 __asm__("4") = c;
    register long r5 __asm__("5") = d;
    register long r6 __asm__("6") = e;
    register long r7 __asm__("7") = f;
    __asm__ volatile("svc 0"
                     : "+r"(r2)
                     : "r"(r1), "r"(r3), "r"(r4), "r"(r5), "r"(r6), "r"(r7)
                     : "memory", "cc");
    return r2;
#elif defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory", "cc");
    return result;
#elif defined(__i386__)
    /* There are as many registers as arguments: they are loaded by hand. */
    const long all[] = {nr, a, b, c, d, e, f};
    long result;
    __asm__ volatile("pushl %%ebx\n\tpushl %%esi\n\tpushl %%edi\n\tpushl %%ebp\n\t"
                     "movl 4(%%eax), %%ebx\n\tmovl 8(%%eax), %%ecx\n\tmovl 12(%%eax), %%edx\n\t"
                     "movl 16(%%eax), %%esi\n\tmovl 20(%%eax), %%edi\n\tmovl 24(%%eax), %%ebp\n\t"
                     "movl (%%eax), %%eax\n\tint $0x80\n\t"
                     "popl %%ebp\n\tpopl %%edi\n\tpopl %%esi\n\tpopl %%ebx"
                     : "=a"(result)
                     : "a"(all)
                     : "ecx", "edx", "memory", "cc");
    return result;
#else
#error "nolibc.h: unknown architecture"
#endif
}

#define syscall0(nr) syscall6(nr, 0, 0, 0, 0, 0, 0)
#define syscall1(nr, a) syscall6(nr, (long)(a), 0, 0, 0, 0, 0)
#define syscall2(nr, a, b) syscall6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define syscall3(nr, a, b, c) syscall6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define syscall4(nr, a, b, c, d) syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define syscall5(nr, a, b, c, d, e) \
    syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* A 64-bit argument of a 32-bit call: two registers, the first of them even on arm, in the
 * order in which the two words lie in memory. */
#if BIG_ENDIAN_GUEST
#define LOW_HIGH(v) (long)((uint64_t)(v) >> 32), (long)(uint32_t)(v)
#else
#define LOW_HIGH(v) (long)(uint32_t)(v), (long)((uint64_t)(v) >> 32)
#endif

static UNUSED __attribute__((noreturn)) void exit(int status)
{
    for (;;)
        syscall1(__NR_exit_group, status);
}

static UNUSED long write(int fd, const void *data, size_t size)
{
    return syscall3(__NR_write, fd, data, size);
}

static UNUSED long read(int fd, void *data, size_t size)
{
    return syscall3(__NR_read, fd, data, size);
}

static UNUSED long close(int fd)
{
    return syscall1(__NR_close, fd);
}

static UNUSED long openat(int dirfd, const char *path, int flags, int mode)
{
    return syscall4(__NR_openat, dirfd, path, flags, mode);
}

static UNUSED long getpid(void)
{
    return syscall0(__NR_getpid);
}

/* ---- memory and strings; the compiler calls the first three of itself ---- */

__attribute__((used)) void *memset(void *to, int value, size_t size)
{
    volatile unsigned char *p = to;
    while (size--)
        *p++ = (unsigned char)value;
    return to;
}

__attribute__((used)) void *memcpy(void *to, const void *from, size_t size)
{
    volatile unsigned char *p = to;
    const unsigned char *q = from;
    while (size--)
        *p++ = *q++;
    return to;
}

__attribute__((used)) int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a, *q = b;
    for (; size; size--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

static UNUSED size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static UNUSED int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

/* ---- division, which arm before Armv7 has no instruction for ---- */

static uint64_t divide(uint64_t a, uint64_t b, uint64_t *rest)
{
    uint64_t quotient = 0, remainder = 0;
    for (int bit = 63; bit >= 0; bit--) {
        remainder = remainder << 1 | (a >> bit & 1);
        if (remainder >= b) {
            remainder -= b;
            quotient |= (uint64_t)1 << bit;
        }
    }
    *rest = remainder;
    return quotient;
}

#ifdef __arm__
__attribute__((used)) unsigned __aeabi_uidiv(unsigned a, unsigned b)
{
    uint64_t rest;
    return (unsigned)divide(a, b, &rest);
}

__attribute__((used)) int __aeabi_idiv(int a, int b)
{
    uint64_t rest;
    unsigned q = (unsigned)divide(a < 0 ? 0u - (unsigned)a : (unsigned)a,
                                  b < 0 ? 0u - (unsigned)b : (unsigned)b, &rest);
    return (int)((a < 0) != (b < 0) ? 0u - q : q);
}

/* Quotient in r0 and remainder in r1: the first and the second word of the result in memory
 * order, which is the reverse of the halves of a 64-bit number on a big-endian machine. */
__attribute__((used)) uint64_t __aeabi_uidivmod(unsigned a, unsigned b)
{
    uint64_t rest;
    uint64_t quotient = divide(a, b, &rest);
#if BIG_ENDIAN_GUEST
    return quotient << 32 | rest;
#else
    return rest << 32 | quotient;
#endif
}
#endif

/* ---- printing: %d %u %x (with l or ll), %s, %c, %%; a width pads with zeros for 0N ---- */

static void put_number(char **out, char *end, uint64_t value, unsigned base, int width, char pad)
{
    char digits[24];
    int n = 0;
    do {
        uint64_t rest;
        value = divide(value, base, &rest);
        digits[n++] = "0123456789abcdef"[rest];
    } while (value);
    while (n < width && n < (int)sizeof digits)
        digits[n++] = pad;
    while (n && *out < end)
        *(*out)++ = digits[--n];
}

static UNUSED __attribute__((format(printf, 1, 2))) void printf(const char *format, ...)
{
    char line[512];
    char *out = line, *end = line + sizeof line;
    va_list args;
    va_start(args, format);
    for (const char *p = format; *p && out < end; p++) {
        if (*p != '%') {
            *out++ = *p;
            continue;
        }
        char pad = *++p == '0' ? '0' : ' ';
        int width = 0, longs = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            width = width * 10 + (*p - '0');
        for (; *p == 'l' || *p == 'z'; p++)
            longs++;
        if (*p == 's') {
            for (const char *s = va_arg(args, const char *); *s && out < end; s++)
                *out++ = *s;
        } else if (*p == 'c') {
            *out++ = (char)va_arg(args, int);
        } else if (*p == 'd') {
            int64_t v = longs > 1 ? va_arg(args, long long)
                        : longs   ? va_arg(args, long)
                                  : va_arg(args, int);
            if (v < 0 && out < end)
                *out++ = '-';
            put_number(&out, end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, width, pad);
        } else if (*p == 'u' || *p == 'x') {
            uint64_t v = longs > 1 ? va_arg(args, unsigned long long)
                         : longs   ? va_arg(args, unsigned long)
                                   : va_arg(args, unsigned);
            put_number(&out, end, v, *p == 'x' ? 16 : 10, width, pad);
        } else {
            *out++ = *p;
        }
    }
    va_end(args);
    write(STDOUT_FILENO, line, (size_t)(out - line));
}

/* ---- checks of self-checking programs ---- */

static int nolibc_failures;

#define CHECK(condition)                                              \
    do {                                                              \
        if (condition) {                                              \
            printf("ok %s\n", #condition);                            \
        } else {                                                      \
            printf("FAIL %s:%d %s\n", __FILE__, __LINE__, #condition); \
            nolibc_failures++;                                        \
        }                                                             \
    } while (0)

#define CHECKS_DONE() return nolibc_failures != 0

/* ---- the start of a process: argc, argv, envp lie on the stack ---- */

int main(int argc, char **argv, char **envp);

__attribute__((used, noreturn)) static void start_c(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    exit(main(argc, argv, argv + argc + 1));
}

#if defined(__aarch64__)
__asm__(".text\n.globl _start\n.type _start, %function\n_start:\n"
        "\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tb start_c\n");
#elif defined(__thumb__)
__asm__(".text\n.globl _start\n.type _start, %function\n.thumb_func\n_start:\n"
        "\tmov r0, sp\n\tmovs r1, #0\n\tmov lr, r1\n\tb start_c\n");
#elif defined(__arm__)
__asm__(".text\n.globl _start\n.type _start, %function\n_start:\n"
        "\tmov fp, #0\n\tmov lr, #0\n\tmov r0, sp\n\tb start_c\n");
#elif defined(__mips__)
__asm__(".text\n.globl __start\n.type __start, @function\n.ent __start\n__start:\n"
        "\t.set push\n\t.set noreorder\n\tmove $ra, $zero\n\tmove $a0, $sp\n"
#if _MIPS_SIM == _ABIO32
        "\taddiu $sp, $sp, -32\n\tli $at, -8\n\tand $sp, $sp, $at\n"
#endif
#if __SIZEOF_POINTER__ == 4
        "\tlui $25, %hi(start_c)\n\taddiu $25, $25, %lo(start_c)\n"
#else
        "\tdla $25, start_c\n"
#endif
        "\tjr $25\n\tnop\n\t.set pop\n.end __start\n");
#elif defined(__powerpc__)
/* A caller leaves the back chain and room for the link register. */
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "\tmr 3, 1\n\tli 0, 0\n\tstwu 0, -16(1)\n\tmtlr 0\n\tb start_c\n");
#elif defined(__riscv)
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "\t.option push\n\t.option norelax\n\tla gp, __global_pointer$\n\t.option pop\n"
        "\tmv ra, zero\n\tmv a0, sp\n\ttail start_c\n");
#elif defined(__s390x__)
/* A caller leaves 160 bytes of stack for the function that it calls. */
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "\tlgr %r2, %r15\n\taghi %r15, -160\n\txc 0(8,%r15), 0(%r15)\n\tjg start_c\n");
#elif defined(__i386__)
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "\txor %ebp, %ebp\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n"
        "\tpush %eax\n\tcall start_c\n");
#else
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start_c\n");
#endif

#endif
