// The vDSO's functions by themselves, found as a C library finds them, against the system calls.
// arches: aarch64 aarch64_be arm thumb armeb armeb32 riscv64 x86_64 mipsel mips mips64el mips64 mipsn32el mipsn32
// no-reference: qemu-user has had a vDSO since version 8.2 only
#include "nolibc.h"

#include <linux/auxvec.h>
#include <linux/elf.h>

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr Ehdr;
typedef Elf64_Phdr Phdr;
typedef Elf64_Dyn Dyn;
typedef Elf64_Sym Sym;
#else
typedef Elf32_Ehdr Ehdr;
typedef Elf32_Phdr Phdr;
typedef Elf32_Dyn Dyn;
typedef Elf32_Sym Sym;
#endif

#if defined(__aarch64__)
#define VERSION "LINUX_2.6.39"
#define PREFIX "__kernel_"
#elif defined(__riscv)
#define VERSION "LINUX_4.15"
#define PREFIX "__vdso_"
#else
#define VERSION "LINUX_2.6"
#define PREFIX "__vdso_"
#endif

struct verdef {
    uint16_t version, flags, index, count;
    uint32_t hash, aux, next;
};

/* The one that the ABI's first clock_gettime takes. */
struct time {
    long sec;
    long nsec;
};

struct time64 {
    int64_t sec;
    int64_t nsec;
};

struct zone {
    int west, dst;
};

static const char *base;

/* The System V ABI's hash table, and the GNU versions. */
static void *look_up(const char *name, const char *version)
{
    const Ehdr *header = (const void *)base;
    const Phdr *segments = (const void *)(base + header->e_phoff);
    const Dyn *dynamic = NULL;
    const uint32_t *hash = NULL;
    const char *strings = NULL;
    const Sym *symbols = NULL;
    const uint16_t *versions = NULL;
    const char *definitions = NULL;

    for (int i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(base + segments[i].p_vaddr);
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        const char *at = base + dynamic->d_un.d_ptr;
        switch (dynamic->d_tag) {
        case DT_HASH: hash = (const void *)at; break;
        case DT_STRTAB: strings = at; break;
        case DT_SYMTAB: symbols = (const void *)at; break;
        case 0x6ffffff0: versions = (const void *)at; break;
        case 0x6ffffffc: definitions = at; break;
        }
    }
    if (!hash || !strings || !symbols || !versions || !definitions)
        return NULL;
    for (uint32_t i = 1; i < hash[1]; i++) {
        if (symbols[i].st_shndx == 0 || strcmp(strings + symbols[i].st_name, name) != 0)
            continue;
        const struct verdef *one = (const void *)definitions;
        while (one->index != (versions[i] & 0x7fff)) {
            if (one->next == 0)
                return NULL;
            one = (const void *)((const char *)one + one->next);
        }
        const uint32_t *called = (const void *)((const char *)one + one->aux);
        if (strcmp(strings + called[0], version) == 0)
            return (void *)(base + symbols[i].st_value);
    }
    return NULL;
}

static const int clocks[] = {0, 1, 4, 5, 6, 7, 11};

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv;
    while (*envp)
        envp++;
    for (const unsigned long *aux = (const void *)(envp + 1); aux[0] != AT_NULL; aux += 2)
        if (aux[0] == AT_SYSINFO_EHDR)
            base = (const char *)aux[1];
    CHECK(base != NULL);
    if (!base)
        return 1;
    int (*gettime)(int, struct time *) = look_up(PREFIX "clock_gettime", VERSION);
    int (*getres)(int, struct time *) = look_up(PREFIX "clock_getres", VERSION);
    int (*gettimeofday)(struct time *, struct zone *) = look_up(PREFIX "gettimeofday", VERSION);
    CHECK(gettime && getres && gettimeofday);
    CHECK(look_up(PREFIX "clock_gettime", "LINUX_1") == NULL);
    CHECK(look_up(PREFIX "nothing", VERSION) == NULL);
    if (!gettime || !getres || !gettimeofday)
        return 1;

    for (unsigned i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct time before = {-1, -1}, now = {-1, -1}, after = {-1, -1};
        CHECK(syscall2(__NR_clock_gettime, clocks[i], &before) == 0);
        CHECK(gettime(clocks[i], &now) == 0);
        CHECK(syscall2(__NR_clock_gettime, clocks[i], &after) == 0);
        int64_t a = before.sec * (int64_t)1000000000 + before.nsec;
        int64_t b = now.sec * (int64_t)1000000000 + now.nsec;
        int64_t c = after.sec * (int64_t)1000000000 + after.nsec;
        CHECK(now.nsec >= 0 && now.nsec < 1000000000);
        CHECK(a <= b && b <= c);

        CHECK(syscall2(__NR_clock_getres, clocks[i], &before) == 0);
        CHECK(getres(clocks[i], &now) == 0);
        CHECK(before.sec == now.sec && before.nsec == now.nsec);
        CHECK(getres(clocks[i], NULL) == 0);
    }
    struct time t = {7, 7};
    CHECK(gettime(99, &t) == -22 /* EINVAL */);
    CHECK(gettime(8, &t) < 0 || t.nsec != 7); /* CLOCK_REALTIME_ALARM, where there is such */
    CHECK(getres(99, &t) == -22);
    CHECK(gettime(2, &t) == 0 && t.sec < 1000);
    /* Of this thread, by the number that pthread_getcpuclockid(3) gives. */
    CHECK(gettime(-2, &t) == 0 && t.sec < 1000);

    struct time day = {-1, -1};
    struct zone zone = {-9999, -9999};
    CHECK(syscall2(__NR_clock_gettime, 0, &t) == 0);
    CHECK(gettimeofday(&day, NULL) == 0);
    CHECK(day.sec - t.sec <= 1 && day.sec >= t.sec && day.nsec >= 0 && day.nsec < 1000000);
    CHECK(gettimeofday(NULL, &zone) == 0 && zone.west != -9999 && zone.dst != -9999);
    day.sec = 0, zone.west = -9999;
    CHECK(gettimeofday(&day, &zone) == 0 && day.sec >= t.sec && zone.west != -9999);
    CHECK(gettimeofday(NULL, NULL) == 0);

#if __SIZEOF_LONG__ == 4
    int (*gettime64)(int, struct time64 *) = look_up(PREFIX "clock_gettime64", VERSION);
    CHECK(gettime64 != NULL);
    for (unsigned i = 0; gettime64 && i < sizeof clocks / sizeof clocks[0]; i++) {
        struct time64 before = {-1, -1}, now = {-1, -1}, after = {-1, -1};
        CHECK(syscall2(__NR_clock_gettime64, clocks[i], &before) == 0);
        CHECK(gettime64(clocks[i], &now) == 0);
        CHECK(syscall2(__NR_clock_gettime64, clocks[i], &after) == 0);
        CHECK(now.nsec >= 0 && now.nsec < 1000000000);
        CHECK(before.sec <= now.sec && now.sec <= after.sec);
        CHECK(before.sec < now.sec || before.nsec <= now.nsec);
    }
    if (gettime64)
        CHECK(gettime64(99, &(struct time64){0, 0}) == -22);
#endif
#ifdef __riscv
    int (*getcpu)(unsigned *, unsigned *, void *) = look_up(PREFIX "getcpu", VERSION);
    int (*flush)(void *, void *, unsigned long) = look_up(PREFIX "flush_icache", VERSION);
    unsigned cpu = ~0u;
    CHECK(getcpu && getcpu(&cpu, NULL, NULL) == 0 && cpu != ~0u);
    CHECK(flush && flush(&cpu, &cpu + 1, 0) == 0);
    CHECK(look_up(PREFIX "riscv_hwprobe", VERSION) != NULL);
#endif
#ifdef __aarch64__
    CHECK(look_up(PREFIX "rt_sigreturn", VERSION) != NULL);
#endif
    CHECKS_DONE();
}
