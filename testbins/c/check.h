/*
 * check.h: a program of named checks that judge the system they run on.
 *
 *     #include "../check.h"          // first: it selects the feature macros
 *     CHECK(open_excl)
 *     {
 *             OK(creat("a", 0600));
 *             ERR(open("a", O_CREAT | O_EXCL, 0600), EEXIST);
 *     }
 *     CHECK_MAIN
 *
 * prints `ok open_excl`, or `FAIL open_excl: file:line got ... want ...`, or
 * `na open_excl: why` when the machine does not let the check be made, and
 * exits 0 when none failed. Arguments name the checks to run (default: all).
 * Each program works in a directory of its own, made in the current one.
 *
 * The expectations are the Linux kernel's: each program also passes when it is
 * built for the host and run without an emulator.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Wrong arguments are what many checks are about. */
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wstringop-truncation"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC diagnostic ignored "-Wunused-result"

struct check {
	const char *name;
	int line;
	void (*run)(void);
};

/* Pointers, not structs, go into the section: nothing pads them. */
#define CHECK(ident)                                                           \
	static void test_##ident(void);                                       \
	static const struct check test_entry_##ident = { #ident, __LINE__,    \
							  test_##ident };     \
	static const struct check *const test_pointer_##ident                 \
		__attribute__((section("checks"), used)) =                     \
			&test_entry_##ident;                                  \
	static void test_##ident(void)

static const struct check *check_now;
static jmp_buf check_exit;
static char check_directory[PATH_MAX];

enum { CHECK_PASSED, CHECK_FAILED, CHECK_NOT_APPLICABLE };

static void __attribute__((noreturn, unused, format(printf, 3, 4)))
check_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("FAIL %s: %s:%d ", check_now->name, file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	longjmp(check_exit, CHECK_FAILED);
}

static void __attribute__((noreturn, unused, format(printf, 1, 2)))
check_na(const char *format, ...)
{
	va_list args;

	printf("na %s: ", check_now->name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	longjmp(check_exit, CHECK_NOT_APPLICABLE);
}

static long long __attribute__((unused))
check_ok(const char *file, int line, const char *text, long long result)
{
	if (result == -1)
		check_fail(file, line, "%s: got %s want success", text,
			   strerrorname_np(errno));
	return result;
}

static void __attribute__((unused))
check_eq(const char *file, int line, const char *text, long long got,
	 long long want)
{
	if (got != want)
		check_fail(file, line,
			   "%s: got %lld (0x%llx)%s%s want %lld (0x%llx)", text,
			   got, (unsigned long long)got,
			   got == -1 ? " errno " : "",
			   got == -1 ? strerrorname_np(errno) : "", want,
			   (unsigned long long)want);
}

static void __attribute__((unused))
check_err(const char *file, int line, const char *text, long long result,
	  int want)
{
	int got = errno;

	if (result != -1)
		check_fail(file, line, "%s: got %lld (0x%llx) want %s", text,
			   result, (unsigned long long)result,
			   strerrorname_np(want));
	if (got != want)
		check_fail(file, line, "%s: got %s (%d) want %s", text,
			   strerrorname_np(got), got, strerrorname_np(want));
}

static void __attribute__((unused))
check_str(const char *file, int line, const char *text, const char *got,
	  const char *want)
{
	if (strcmp(got, want) != 0)
		check_fail(file, line, "%s: got \"%s\" want \"%s\"", text, got,
			   want);
}

static void __attribute__((unused))
check_mem(const char *file, int line, const char *text, const void *got,
	  const void *want, size_t size)
{
	const unsigned char *g = got, *w = want;

	for (size_t i = 0; i < size; i++)
		if (g[i] != w[i])
			check_fail(file, line,
				   "%s: byte %zu: got 0x%02x want 0x%02x", text,
				   i, g[i], w[i]);
}

/* The result of a call that must not give -1. */
#define OK(call) check_ok(__FILE__, __LINE__, #call, (long long)(call))
/* A call that gives -1 and this errno. */
#define ERR(call, error) \
	check_err(__FILE__, __LINE__, #call, (long long)(call), error)
#define EQ(got, want)                                              \
	check_eq(__FILE__, __LINE__, #got, (long long)(got),       \
		 (long long)(want))
#define TRUE(condition)                                                     \
	do {                                                                \
		if (!(condition))                                           \
			check_fail(__FILE__, __LINE__,                      \
				   "got false want %s", #condition);        \
	} while (0)
#define STREQ(got, want) check_str(__FILE__, __LINE__, #got, got, want)
#define MEMEQ(got, want, size) \
	check_mem(__FILE__, __LINE__, #got, got, want, size)
#define FAIL(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
#define NA(...) check_na(__VA_ARGS__)
/* A call whose failure with this errno means: not on this machine. */
#define OK_OR_NA(call, error)                                               \
	({                                                                  \
		long long result_ = (long long)(call);                      \
		if (result_ == -1 && errno == (error))                      \
			check_na("%s gives %s", #call, #error);             \
		check_ok(__FILE__, __LINE__, #call, result_);               \
	})
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* mips' ABI with pointers of 32 bits in registers of 64, on a 64-bit kernel. */
#if defined(__mips__) && _MIPS_SIM == _ABIN32
#define N32
#endif
/* Whether off_t of the kernel's calls has 64 bits. */
#if __SIZEOF_LONG__ == 8 || defined(N32)
#define WIDE_OFFSETS 1
#else
#define WIDE_OFFSETS 0
#endif

/*
 * A 64-bit argument of a raw system call. 32-bit kernels take it as two
 * registers in memory order; arm, mips and ppc want an even first register, so
 * some calls pass a register of padding before it (AAPCS 6.4, syscall(2)).
 */
#if __SIZEOF_LONG__ == 8
#define ARG64(value) (long)(value)
#define ARG64_EVEN(value) (long)(value)
#elif defined(N32)
#define ARG64(value) (long long)(value)
#define ARG64_EVEN(value) (long long)(value)
#else
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARG64(value) \
	(long)(uint32_t)(value), (long)(uint32_t)((uint64_t)(value) >> 32)
#else
#define ARG64(value) \
	(long)(uint32_t)((uint64_t)(value) >> 32), (long)(uint32_t)(value)
#endif
#if defined(__arm__) || defined(__mips__) || defined(__powerpc__)
#define ARG64_EVEN(value) 0L, ARG64(value)
#else
#define ARG64_EVEN(value) ARG64(value)
#endif
#endif

/* An address that is not mapped, until the next mmap. */
static __attribute__((unused)) void *check_unmapped(void)
{
	long size = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED || munmap(p, 3 * size) != 0)
		FAIL("no address range to unmap");
	return p + size;
}

/* The end of a writable mapping that nothing readable follows. */
static __attribute__((unused)) char *check_edge(void)
{
	long size = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + size, size, PROT_NONE) != 0)
		FAIL("no mapping for an edge");
	return p + size;
}

enum { BAD_POINTERS = 6 };

/* Pointers that no system call can read or write. */
static __attribute__((unused)) void *bad_pointer(int which)
{
	switch (which) {
	case 0:
		return check_unmapped();
	case 1:
		return check_edge();
	case 2:
		return (void *)-1L;
	case 3:
		return (void *)-4096L;
	case 4:
		return (void *)8L;
	default:
		return NULL;
	}
}

/* `call` with `p` standing for each bad pointer gives EFAULT. */
#define EFAULTS(p, call)                                                   \
	for (int i_ = 0; i_ < BAD_POINTERS; i_++) {                        \
		void *p = bad_pointer(i_);                                 \
		long long result_ = (long long)(call);                     \
		if (result_ != -1 || errno != EFAULT)                      \
			FAIL("%s with %s = %p: got %lld %s want EFAULT",   \
			     #call, #p, p, result_,                        \
			     result_ == -1 ? strerrorname_np(errno) : ""); \
	}

static int check_remove(const char *path, const struct stat *status, int kind,
			struct FTW *place)
{
	(void)status, (void)kind, (void)place;
	return remove(path), 0;
}

static int __attribute__((unused)) check_by_line(const void *a, const void *b)
{
	const struct check *const *x = a, *const *y = b;

	return (*x)->line - (*y)->line;
}

static int __attribute__((unused)) check_main(int argc, char **argv)
{
	extern const struct check *const __start_checks[];
	extern const struct check *const __stop_checks[];
	size_t count = __stop_checks - __start_checks;
	const struct check *order[count];
	volatile int failed = 0;
	char home[PATH_MAX];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!getcwd(home, sizeof(home)))
		return perror("getcwd"), 2;
	snprintf(check_directory, sizeof(check_directory),
		 "%.4000s/check.XXXXXX", home);
	if (!mkdtemp(check_directory) || chdir(check_directory) != 0)
		return perror(check_directory), 2;
	memcpy(order, __start_checks, sizeof(order));
	qsort(order, count, sizeof(order[0]), check_by_line);
	for (volatile size_t i = 0; i < count; i++) {
		int wanted = argc < 2;

		check_now = order[i];
		for (int a = 1; a < argc; a++)
			wanted |= strcmp(argv[a], check_now->name) == 0;
		if (!wanted)
			continue;
		switch (setjmp(check_exit)) {
		case 0:
			check_now->run();
			printf("ok %s\n", check_now->name);
			break;
		case CHECK_FAILED:
			failed = 1;
			break;
		}
	}
	if (chdir(home) == 0)
		nftw(check_directory, check_remove, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}

#define CHECK_MAIN                      \
	int main(int argc, char **argv) \
	{                               \
		return check_main(argc, argv); \
	}

/* A set of signals as system calls take it: 8 bytes long, 16 where there are 128 signals. */
#define SIGSET_SIZE (_NSIG / 8)
typedef struct {
	unsigned long words[SIGSET_SIZE / sizeof(long)];
} raw_sigset;

static inline __attribute__((unused)) raw_sigset raw_set(uint64_t bits)
{
	raw_sigset set = { { bits } };

	if (sizeof(long) == 4)
		set.words[1] = bits >> 32;
	return set;
}

static inline __attribute__((unused)) uint64_t set_bits(raw_sigset set)
{
	if (sizeof(long) == 4)
		return set.words[0] | (uint64_t)set.words[1] << 32;
	return set.words[0];
}

#endif
