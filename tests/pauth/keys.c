/* The register sets of pointer authentication in ptrace(2). Prints "ok", or the line that is wrong. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../expect.h"

enum { MASK = 0x406, ADDRESS_KEYS = 0x407, GENERIC_KEYS = 0x408, ENABLED = 0x40a, GET_ENABLED = 61 };

static uint64_t data[16];

static long transfer(int request, pid_t pid, long note, size_t size)
{
	struct iovec part = { data, size };

	return ptrace(request, pid, (void *)note, &part) == -1 ? -1 : (long)part.iov_len;
}

static uint64_t sign(uint64_t address, uint64_t modifier)
{
	register uint64_t x17 __asm__("x17") = address, x16 __asm__("x16") = modifier;

	__asm__("hint #8" /* pacia1716 */ : "+r"(x17) : "r"(x16));
	return x17;
}

/* Codes of seven bits may agree by chance: all of these do not. */
static int signs_as(uint64_t address, const uint64_t *codes)
{
	int same = 1;

	for (uint64_t n = 0; n < 8; n++)
		same &= sign(address, n) == codes[n];
	return same;
}

int main(void)
{
	uint64_t address = (uint64_t)&data, mine[8], masks[2] = { 0x7fUL << 48, 0x7fUL << 48 };
	int status;

	for (uint64_t n = 0; n < 8; n++)
		mine[n] = sign(address, n);
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		EXPECT(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		/* By now the first key is another one, and the second is not in use. */
		_exit(signs_as(address, mine) ? 1 : prctl(GET_ENABLED, 0, 0, 0, 0) == 0xd ? 0 : 2);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	EXPECT(transfer(PTRACE_GETREGSET, pid, MASK, sizeof(data)) == 16);
	EXPECT(memcmp(data, masks, 16) == 0);
	EXPECT((mine[7] & ~masks[0]) == address);
	EXPECT(transfer(PTRACE_SETREGSET, pid, MASK, 16) == -1 && errno == EOPNOTSUPP);
	EXPECT(transfer(PTRACE_GETREGSET, pid, ENABLED, 8) == 8 && data[0] == 0xf);
	data[0] = 0x1f;
	EXPECT(transfer(PTRACE_SETREGSET, pid, ENABLED, 8) == -1 && errno == EINVAL);
	data[0] = 0xd;
	EXPECT(transfer(PTRACE_SETREGSET, pid, ENABLED, 8) == 8);
	EXPECT(transfer(PTRACE_GETREGSET, pid, ENABLED, 8) == 8 && data[0] == 0xd);
	EXPECT(transfer(PTRACE_GETREGSET, pid, GENERIC_KEYS, sizeof(data)) == 16);
	EXPECT(transfer(PTRACE_GETREGSET, pid, ADDRESS_KEYS, sizeof(data)) == 64);
	data[0] ^= 0x1234567890abcdefUL;
	data[1] ^= 0xfedcba0987654321UL;
	EXPECT(transfer(PTRACE_SETREGSET, pid, ADDRESS_KEYS, 64) == 64);
	EXPECT(ptrace(PTRACE_CONT, pid, 0, 0) == 0);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	EXPECT(WEXITSTATUS(status) == 0);
	puts("ok");
	return 0;
}
