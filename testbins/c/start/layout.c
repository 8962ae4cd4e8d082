// build: dynamic varies
// What a program finds when it starts: stack, arguments, auxiliary vector, TLS, data.
#include "../check.h"
#include "../isa.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

extern char **environ;
extern const ElfW(Ehdr) __ehdr_start;
#ifdef __mips__
#define _start __start
#endif
void _start(void);

static int argc;
static char **argv;
static int dynamic;

static ElfW(auxv_t) *vector(void)
{
	char **e = environ;

	while (*e)
		e++;
	return (void *)(e + 1);
}

CHECK(arguments)
{
	TRUE(argc >= 1);
	TRUE(argv[0][0] != 0);
	EQ((long)argv[argc], 0);
#if !defined(__arm__) && !defined(__m68k__)
	/* (libc's start code for these takes argc off the stack.) */
	EQ(((long *)argv)[-1], argc);
#endif
	/* The environment begins behind the arguments' NULL. */
	EQ((long)environ, (long)(argv + argc + 1));
}

CHECK(alignment)
{
	/* Kernels round the first stack pointer, which argc is at, to 16. */
	EQ(((uintptr_t)argv - sizeof(long)) % 16, 0);
	double local;
	EQ((uintptr_t)&local % __alignof__(double), 0);
}

CHECK(strings_are_in_one_row)
{
	char *at = argv[0];

	for (int i = 0; i < argc; i++) {
		EQ((long)argv[i], (long)at);
		at += strlen(at) + 1;
	}
	for (char **e = environ; *e; e++) {
		EQ((long)*e, (long)at);
		at += strlen(at) + 1;
	}
	/* The name of the program follows, then the end of the stack. */
	EQ((long)getauxval(AT_EXECFN), (long)at);
	at += strlen(at) + 1;
	EQ(((uintptr_t)at + sizeof(long) + 4095) & ~4095UL,
	   ((uintptr_t)at + 4095) & ~4095UL);
}

CHECK(program_headers)
{
	const ElfW(Phdr) *p = (void *)getauxval(AT_PHDR);
	int loads = 0;

	EQ(getauxval(AT_PHENT), sizeof(*p));
	EQ(getauxval(AT_PHNUM), __ehdr_start.e_phnum);
	EQ((uintptr_t)p, (uintptr_t)&__ehdr_start + __ehdr_start.e_phoff);
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++) {
		loads += p[i].p_type == PT_LOAD;
		dynamic |= p[i].p_type == PT_INTERP;
	}
	TRUE(loads >= 2);
	EQ(getauxval(AT_ENTRY) & ~1UL, (uintptr_t)_start & ~1UL);
	if (dynamic) {
		const char *base = (void *)getauxval(AT_BASE);

		TRUE(base != NULL);
		MEMEQ(base, ELFMAG, 4);
	} else {
		EQ(getauxval(AT_BASE), 0);
	}
}

CHECK(auxiliary_vector)
{
	char seen[64] = "";
	static const int wanted[] = {
		AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS,
		AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_CLKTCK,
		AT_HWCAP, AT_SECURE, AT_RANDOM, AT_EXECFN,
	};

	for (ElfW(auxv_t) *v = vector(); v->a_type != AT_NULL; v++) {
		TRUE(v->a_type < 4096);
		if (v->a_type < 64)
			seen[v->a_type]++;
	}
	for (int i = 0; i < COUNT(wanted); i++)
		if (seen[wanted[i]] != 1)
			FAIL("entry %d: got %d times want once", wanted[i],
			     seen[wanted[i]]);
	EQ(getauxval(AT_PAGESZ), sysconf(_SC_PAGESIZE));
	TRUE(getauxval(AT_PAGESZ) >= 4096);
	EQ(getauxval(AT_CLKTCK), 100);
	EQ(getauxval(AT_UID), getuid());
	EQ(getauxval(AT_EUID), geteuid());
	EQ(getauxval(AT_GID), getgid());
	EQ(getauxval(AT_EGID), getegid());
	EQ(getauxval(AT_SECURE), 0);
	EQ(getauxval(AT_FLAGS), 0);
#ifndef ISA_NO_HWCAP
	TRUE(getauxval(AT_HWCAP) != 0);
#endif
#ifdef ISA_PLATFORM_VARIES
	TRUE(strcmp((char *)getauxval(AT_PLATFORM), "v7l") == 0 ||
	     strcmp((char *)getauxval(AT_PLATFORM), "v8l") == 0);
#else
	EQ(seen[AT_PLATFORM], ISA_PLATFORM != NULL);
	if (ISA_PLATFORM)
		STREQ((char *)getauxval(AT_PLATFORM), ISA_PLATFORM);
#endif
}

CHECK(random_bytes)
{
	const unsigned char *r = (void *)getauxval(AT_RANDOM);
	int zeros = 0;

	for (int i = 0; i < 16; i++)
		zeros += r[i] == 0;
	TRUE(zeros < 8);
	/* They lie on the stack, above the vector. */
	TRUE((uintptr_t)r > (uintptr_t)vector());
	TRUE((uintptr_t)r < (uintptr_t)argv[0]);
}

CHECK(vdso)
{
	const char *p = (void *)getauxval(AT_SYSINFO_EHDR);

	if (!p)
		NA("no vDSO");
	MEMEQ(p, ELFMAG, 4);
}

CHECK(execfn_is_readable)
{
	const char *name = (char *)getauxval(AT_EXECFN);
	char path[PATH_MAX];

	/* The checks run one folder below where the program started. */
	snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "../", name);
	OK(close(OK(open(path, O_RDONLY))));
}

static char zeros[8 << 20];
static volatile int data[100000] = { 1, 2, 3, [99999] = 4 };
static const volatile int constant = 77;

CHECK(data_and_bss)
{
	for (size_t i = 0; i < sizeof(zeros); i++)
		if (zeros[i])
			FAIL("byte %zu of bss: got %d want 0", i, zeros[i]);
	memset(zeros, 1, sizeof(zeros));
	EQ(data[0] + data[1] + data[2] + data[99999], 10);
	EQ(data[50000], 0);
	data[50000] = 9;
	EQ(data[50000], 9);
	EQ(constant, 77);
}

static char aligned_page[4096] __attribute__((aligned(65536))) = "aligned";

CHECK(alignment_of_a_segment)
{
	EQ((uintptr_t)aligned_page % 65536, 0);
	STREQ(aligned_page, "aligned");
}

static __thread int tls_data = 0x1234;
static __thread char tls_zero[1000];
static __thread long tls_aligned __attribute__((aligned(128))) = 5;

CHECK(thread_local_storage)
{
	EQ(tls_data, 0x1234);
	for (int i = 0; i < COUNT(tls_zero); i++)
		EQ(tls_zero[i], 0);
	EQ((uintptr_t)&tls_aligned % 128, 0);
	EQ(tls_aligned, 5);
	tls_data = 1;
	EQ(*(volatile int *)&tls_data, 1);
	errno = 17;
	EQ(errno, 17);
}

static int order[8], ordered;

static void __attribute__((constructor(102))) second(void)
{
	order[ordered++] = 2;
}

static void __attribute__((constructor(101))) first(void)
{
	order[ordered++] = 1;
}

static void __attribute__((constructor)) third(int c, char **v, char **e)
{
	order[ordered++] = c >= 1 && v[c] == NULL && e == v + c + 1 ? 3 : -3;
}

CHECK(constructors)
{
	EQ(ordered, 3);
	EQ(order[0], 1);
	EQ(order[1], 2);
	EQ(order[2], 3);
}

static int recursion(int depth)
{
	volatile char frame[4000];

	frame[0] = depth;
	return depth ? recursion(depth - 1) + frame[0] * 0 + 1 : 0;
}

CHECK(stack_grows)
{
	/* 4 MB of the usual 8 MB. */
	EQ(recursion(1000), 1000);
}

CHECK(standard_descriptors)
{
	for (int i = 0; i < 3; i++)
		OK(fcntl(i, F_GETFD));
}

CHECK(environment_functions)
{
	TRUE(getenv("PATH") == NULL || getenv("PATH")[0] != 0);
	OK(setenv("CHECK_NAME", "value", 1));
	STREQ(getenv("CHECK_NAME"), "value");
	OK(unsetenv("CHECK_NAME"));
	TRUE(getenv("CHECK_NAME") == NULL);
}

int main(int count, char **values)
{
	argc = count;
	argv = values;
	return check_main(count, values);
}
