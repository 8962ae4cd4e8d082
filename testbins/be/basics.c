// Byte order, arguments, 64-bit arithmetic and a few system calls, without a C library.
#include "nolibc.h"

/* asm-generic/unistd.h has no underscore. */
#ifdef __NR__llseek
#define NR_LLSEEK __NR__llseek
#else
#define NR_LLSEEK __NR_llseek
#endif

/* The kernel's timespec of clock_gettime (not of clock_gettime64). */
struct old_timespec {
    long sec;
    long nsec;
};

static volatile uint32_t word = 0x01020304;
static volatile uint64_t doubleword = 0x0102030405060708;

int main(int argc, char **argv, char **envp)
{
    const volatile unsigned char *bytes = (const volatile unsigned char *)&word;
    CHECK(bytes[0] == (BIG_ENDIAN_GUEST ? 1 : 4));
    CHECK(bytes[3] == (BIG_ENDIAN_GUEST ? 4 : 1));
    bytes = (const volatile unsigned char *)&doubleword;
    CHECK(bytes[0] == (BIG_ENDIAN_GUEST ? 1 : 8));
    CHECK(*(const volatile uint16_t *)&word == (BIG_ENDIAN_GUEST ? 0x0102 : 0x0304));

    CHECK(argc >= 1);
    CHECK(argv[0] && strlen(argv[0]) > 0);
    CHECK(argv[argc] == NULL);
    CHECK(envp == argv + argc + 1);

    CHECK(doubleword * 3 == 0x0306090c0f121518);
    CHECK((uint32_t)(doubleword >> 20) == 0x20304050);
    volatile uint32_t ten = 10;
    CHECK(word / ten == 1690906 && word % ten == 0);

    CHECK(getpid() > 0);
    CHECK(write(-1, "x", 1) == -9 /* EBADF */);
#ifdef __NR_clock_gettime
    struct old_timespec now = {0, -1};
    CHECK(syscall2(__NR_clock_gettime, 0, &now) == 0);
#else
    struct { int64_t sec, nsec; } now = {0, -1};
    CHECK(syscall2(__NR_clock_gettime64, 0, &now) == 0);
#endif
    CHECK(now.sec > 1600000000 && now.nsec >= 0 && now.nsec < 1000000000);

    /* A structure that is filled in by the kernel: pipe2 writes two ints. */
    int ends[2] = {-1, -1};
    CHECK(syscall2(__NR_pipe2, ends, 0) == 0);
    CHECK(ends[0] > 2 && ends[0] < 1024 && ends[1] > ends[0] && ends[1] < 1024);
    /* An array of structures that it reads: writev. */
    struct { const void *base; size_t size; } parts[2] = {{"ab", 2}, {"cde", 3}};
    CHECK(syscall3(__NR_writev, ends[1], parts, 2) == 5);
    char back[8] = "";
    CHECK(read(ends[0], back, sizeof back) == 5);
    CHECK(strcmp(back, "abcde") == 0);

    /* 64-bit offsets: a register pair, and a result in memory, on 32-bit machines. */
    long fd = syscall2(__NR_memfd_create, "basics", 0);
    CHECK(fd >= 0);
    uint64_t far = 0x123456789;
#if __SIZEOF_POINTER__ == 4 && !defined(N32)
#if defined(__arm__) || defined(__mips__) || defined(__powerpc__) /* an even register */
    CHECK(syscall6(__NR_pwrite64, fd, (long)"z", 1, 0, LOW_HIGH(far)) == 1);
#else
    CHECK(syscall6(__NR_pwrite64, fd, (long)"z", 1, LOW_HIGH(far), 0) == 1);
#endif
    uint64_t at = 0;
    CHECK(syscall5(NR_LLSEEK, fd, 0, 0, &at, 2) == 0);
    CHECK(at == far + 1);
#else
    CHECK(syscall6(__NR_pwrite64, fd, (long)"z", 1, (reg)far, 0, 0) == 1);
    CHECK((uint64_t)syscall3(__NR_lseek, fd, 0, 2) == far + 1);
#endif
    CHECKS_DONE();
}
