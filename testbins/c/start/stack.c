// The initial stack: arguments, environment, auxiliary vector, as execve(2) and the kernel lay them out.
// args: stack vector phdr strings order heap proc environment bss
#include "../check.h"
#include "../isa.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

extern char **environ;
extern char __ehdr_start[], __bss_start[], _edata[], _end[];

static char bss[3 * 4096 + 123];

/* argv and envp as they were at the start: check_main may move neither. */
static char **start_argv;
static int start_argc;

static void __attribute__((constructor)) remember(int argc, char **argv)
{
	start_argc = argc;
	start_argv = argv;
}

static char **start_envp(void)
{
	return start_argv + start_argc + 1;
}

static ElfW(auxv_t) *vector(void)
{
	char **p = start_envp();

	while (*p)
		p++;
	return (ElfW(auxv_t) *)(p + 1);
}

static long position(unsigned long type)
{
	ElfW(auxv_t) *all = vector();

	for (long n = 0; all[n].a_type != AT_NULL; n++)
		if (all[n].a_type == type)
			return n;
	return -1;
}

CHECK(stack)
{
	uintptr_t argc_at = (uintptr_t)start_argv - sizeof(long);

	EQ(argc_at % 16, 0);
#if !defined(__arm__) && !defined(__m68k__) /* glibc's start.S there reuses the word */
	EQ(*(long *)argc_at, start_argc);
#endif
	TRUE(start_argv[start_argc] == NULL);
	STREQ(start_argv[1], "stack");
	TRUE(start_envp() == environ);
	/* Strings lie behind the vectors, arguments before the environment, without gaps. */
	char *at = start_argv[0];

	TRUE(at > (char *)vector());
	for (int i = 0; i < start_argc; i++) {
		TRUE(start_argv[i] == at);
		at += strlen(at) + 1;
	}
	for (char **p = start_envp(); *p; p++) {
		TRUE(*p == at);
		at += strlen(at) + 1;
	}
	/* Then comes the name of the executable, then a zero word and the end of the stack. */
	TRUE((char *)getauxval(AT_EXECFN) == at);
	at += strlen(at) + 1;
	for (unsigned i = 0; i < sizeof(long); i++)
		EQ(at[i], 0);
	EQ((uintptr_t)(at + sizeof(long)) % 4096, 0);
}

/* Whether the kernel leaves an entry out for some ISAs. */
static int optional(int type)
{
#ifdef ISA_NO_HWCAP2
	if (type == AT_HWCAP2)
		return 1;
#endif
#ifndef ISA_PLATFORM_VARIES
	if (type == AT_PLATFORM)
		return ISA_PLATFORM == NULL;
#endif
	return 0;
}

CHECK(vector)
{
	static const int wanted[] = {
		AT_HWCAP, AT_PAGESZ, AT_CLKTCK, AT_PHDR, AT_PHENT, AT_PHNUM, AT_BASE, AT_FLAGS,
		AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_SECURE, AT_RANDOM, AT_HWCAP2,
		AT_EXECFN, AT_PLATFORM,
	};
	for (int i = 0; i < COUNT(wanted); i++)
		if (position(wanted[i]) < 0 && !optional(wanted[i]))
			FAIL("entry %d is missing", wanted[i]);
	EQ(getauxval(AT_PAGESZ), 4096);
	EQ(getauxval(AT_CLKTCK), 100);
	EQ(getauxval(AT_UID), getuid());
	EQ(getauxval(AT_EUID), geteuid());
	EQ(getauxval(AT_GID), getgid());
	EQ(getauxval(AT_EGID), getegid());
	EQ(getauxval(AT_SECURE), 0);
	EQ(getauxval(AT_FLAGS), 0);
#ifdef __aarch64__
	/* The frame of an FP/SIMD-only signal is 4720 bytes; SVE makes it larger. */
	TRUE(getauxval(AT_MINSIGSTKSZ) >= 4720);
#endif
	/* Nothing is there twice. */
	ElfW(auxv_t) *all = vector();

	for (long n = 0; all[n].a_type != AT_NULL; n++)
		if (all[n].a_type != AT_IGNOREPPC)
			EQ(position(all[n].a_type), n);
}

CHECK(phdr)
{
	ElfW(Phdr) *phdr = (ElfW(Phdr) *)getauxval(AT_PHDR);
	ElfW(Ehdr) *ehdr = (ElfW(Ehdr) *)__ehdr_start;
	int loads = 0;

	EQ(getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
	EQ(getauxval(AT_PHNUM), ehdr->e_phnum);
	TRUE((char *)phdr == __ehdr_start + ehdr->e_phoff);
	uintptr_t bias = (uintptr_t)ehdr;

	for (int i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type != PT_LOAD)
			continue;
		if (loads++ == 0)
			bias -= phdr[i].p_vaddr;
	}
	TRUE(loads > 0);
	EQ(getauxval(AT_ENTRY), ehdr->e_entry + bias);
	if (getauxval(AT_BASE)) {
		ElfW(Ehdr) *interp = (ElfW(Ehdr) *)getauxval(AT_BASE);

		EQ(interp->e_type, ET_DYN);
		MEMEQ(interp->e_ident, ELFMAG, SELFMAG);
	}
}

CHECK(strings)
{
	char *random = (char *)getauxval(AT_RANDOM), *platform = (char *)getauxval(AT_PLATFORM);
	int set = 0;

	/* Between the vector and the arguments: 16 random bytes, then the platform. */
	TRUE(random > (char *)vector() && random + 16 <= start_argv[0]);
	if (platform) {
		EQ(platform, random + 16);
		TRUE(platform + strlen(platform) < start_argv[0]);
	}
	for (int i = 0; i < 16; i++)
		set |= random[i];
	TRUE(set != 0);
#ifdef ISA_PLATFORM_VARIES
	TRUE(platform[0] == 'v' && strchr("lb", platform[strlen(platform) - 1]));
#else
	if (ISA_PLATFORM)
		STREQ(platform, ISA_PLATFORM);
	else
		TRUE(platform == NULL);
#endif
	STREQ((char *)getauxval(AT_EXECFN), start_argv[0]);
}

CHECK(order)
{
	/* The order of create_elf_tables. */
	static const int wanted[] = {
		AT_HWCAP, AT_PAGESZ, AT_CLKTCK, AT_PHDR, AT_PHENT, AT_PHNUM, AT_BASE, AT_FLAGS,
		AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_SECURE, AT_RANDOM, AT_HWCAP2,
		AT_EXECFN, AT_PLATFORM,
	};
	long last = -1;

	for (int i = 0; i < COUNT(wanted); i++) {
		if (position(wanted[i]) < 0 && optional(wanted[i]))
			continue;
		if (position(wanted[i]) < last)
			FAIL("entry %d is too early", wanted[i]);
		last = position(wanted[i]);
	}
	/* ARCH_DLINFO */
	if (position(AT_SYSINFO_EHDR) >= 0)
		TRUE(position(AT_SYSINFO_EHDR) < position(AT_HWCAP));
}

CHECK(heap)
{
	uintptr_t start = (uintptr_t)sbrk(0);

	TRUE(start != (uintptr_t)-1);
	if (!getauxval(AT_BASE))
		TRUE(start >= (uintptr_t)_end);
	char *p = sbrk(10000);

	TRUE(p != (void *)-1);
	for (int i = 0; i < 10000; i++) {
		EQ(p[i], 0);
		p[i] = 1;
	}
}

CHECK(bss)
{
	for (unsigned i = 0; i < sizeof(bss); i++)
		EQ(bss[i], 0);
	/* The C library's own data may follow _end; up to the end of the page it is zero. */
	for (char *p = _end; (uintptr_t)p % 4096; p++)
		EQ(*p, 0);
}

/* What /proc has of these is the same. */
static int slurp(const char *path, char *to, int size)
{
	int fd = OK(open(path, O_RDONLY)), total = 0, n;

	while ((n = OK(read(fd, to + total, size - total))) > 0)
		total += n;
	OK(close(fd));
	return total;
}

CHECK(proc)
{
	static char text[1 << 17];
	ElfW(auxv_t) *all = vector();
	long n = 0;

	while (all[n].a_type != AT_NULL)
		n++;
	n = (n + 1) * sizeof(*all);
	TRUE(slurp("/proc/self/auxv", text, sizeof(text)) >= n);
	MEMEQ(text, (char *)all, n);
	int size = slurp("/proc/self/cmdline", text, sizeof(text));

	TRUE(size < (int)sizeof(text));
	MEMEQ(text, start_argv[0], size);
	EQ(size, *start_envp() ? *start_envp() - start_argv[0]
			       : (char *)getauxval(AT_EXECFN) - start_argv[0]);
}

CHECK(environment)
{
	static char text[1 << 17];
	int size = slurp("/proc/self/environ", text, sizeof(text));
	char *first = *start_envp();

	if (!first)
		first = (char *)getauxval(AT_EXECFN);
	EQ(size, (char *)getauxval(AT_EXECFN) - first);
	MEMEQ(text, first, size);
}

CHECK_MAIN
