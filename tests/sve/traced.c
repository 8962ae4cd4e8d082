/* NT_ARM_SVE in ptrace(2) (sve_get_common and sve_set_common of arch/arm64/kernel/ptrace.c). Prints "ok", or the line that is
 * wrong. Without an argument it dies with vectors in use. */
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

enum { NOTE = 0x405, HEADER = 16, MOST = 300000, SET_VL = 50, GET_VL = 51 };

struct header {
	uint32_t size, max_size;
	uint16_t vl, max_vl, flags, reserved;
};

static uint8_t data[MOST];
static uint8_t z[256], p[32];

/* Stops before it uses vectors, with known ones, and ends with 0 if z5 and p3 are one more then. */
static void run(long vl)
{
	for (int i = 0; i < 256; i++)
		z[i] = (uint8_t)(i * 5 + 1);
	for (int i = 0; i < 32; i++)
		p[i] = (uint8_t)(i * 3 + 1);
	EXPECT(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
	long self = getpid();
	register long number __asm__("x8") = 129; /* kill */
	register long x0 __asm__("x0") = self;
	register long x1 __asm__("x1") = SIGSTOP;
	__asm__ volatile("ldr q5, [%3]\n\tmov x10, #7\n\tfmov d6, x10\n\tsvc 0\n\t"
			 : "+r"(x0) : "r"(number), "r"(x1), "r"(z) : "x10", "v5", "v6", "memory");
	/* The trap does not end the use of vectors, as a system call does. */
	__asm__ volatile("ldr z5, [%0]\n\tldr p3, [%1]\n\tptrue p15.b\n\tbrk #1\n\tstr z5, [%0]\n\tstr p3, [%1]\n\t"
			 : : "r"(z), "r"(p) : "v5", "memory");
	for (int i = 0; i < vl; i++)
		if (z[i] != (uint8_t)(i * 5 + 2))
			_exit(1);
	for (int i = 0; i < vl / 8; i++)
		if (p[i] != (uint8_t)(i * 3 + 2))
			_exit(2);
	_exit(prctl(GET_VL) == (vl | 1 << 17) ? 0 : 3);
}

static long get(pid_t pid, size_t size)
{
	struct iovec part = { data, size };

	memset(data, 0xee, sizeof(data));
	return ptrace(PTRACE_GETREGSET, pid, (void *)NOTE, &part) == -1 ? -1 : (long)part.iov_len;
}

static long set(pid_t pid, size_t size)
{
	struct iovec part = { data, size };

	return ptrace(PTRACE_SETREGSET, pid, (void *)NOTE, &part);
}

static int next(pid_t pid)
{
	int status;

	EXPECT(ptrace(PTRACE_CONT, pid, 0, 0) == 0);
	EXPECT(waitpid(pid, &status, 0) == pid);
	return status;
}

int main(int argc, char **argv)
{
	struct header *h = (struct header *)data;
	long vl = prctl(GET_VL) & 0xffff, most = argc > 1 ? atoi(argv[1]) : 0;
	int status;

	if (argc == 1)
		__asm__ volatile("mov z5.b, #42\n\tptrue p3.b\n\tbrk #1" : : : "v5", "p3");
	pid_t pid = fork();

	if (pid == 0)
		run(vl);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	/* Vectors are not in use: the other registers. */
	EXPECT(get(pid, 20) == -1 && errno == EINVAL);
	EXPECT(get(pid, HEADER) == HEADER);
	EXPECT(h->size == 16 + 528 && h->vl == vl && h->max_vl == most && h->flags == 0);
	EXPECT(h->max_size == (uint32_t)(16 + (32 * most + 17 * (most / 8) + 15) / 16 * 16 + 16));
	EXPECT(get(pid, MOST) > 16 + 528);
	EXPECT(memcmp(data + HEADER + 5 * 16, "\1\6\13\20", 4) == 0);
	EXPECT(data[HEADER + 6 * 16] == 7 && data[HEADER + 6 * 16 + 1] == 0 && data[HEADER + 528] == 0xee);
	data[HEADER + 6 * 16] = 9;
	EXPECT(set(pid, 16 + 528) == 0);
	/* In use. */
	EXPECT(ptrace(PTRACE_CONT, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	long preds = HEADER + 32 * vl, fpsr = HEADER + (32 * vl + 17 * (vl / 8) + 15) / 16 * 16;
	EXPECT(get(pid, MOST) > fpsr);
	EXPECT(h->flags == 1 && h->size == fpsr + 16);
	for (int i = 0; i < vl; i++)
		EXPECT(data[HEADER + 5 * vl + i] == (uint8_t)(i * 5 + 1));
	for (int i = 0; i < vl / 8; i++) {
		EXPECT(data[preds + 3 * (vl / 8) + i] == (uint8_t)(i * 3 + 1));
		EXPECT(data[preds + 15 * (vl / 8) + i] == 0xff);
	}
	EXPECT(data[HEADER + 6 * vl] == 9);
	for (int i = 0; i < vl; i++)
		data[HEADER + 5 * vl + i]++;
	for (int i = 0; i < vl / 8; i++)
		data[preds + 3 * (vl / 8) + i]++;
	/* Storing the other registers leaves nothing else. */
	static uint8_t kept[MOST];
	struct iovec floating = { kept, 528 };
	EXPECT(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRFPREG, &floating) == 0);
	EXPECT(memcmp(kept + 5 * 16, "\1\6\13\20", 4) == 0);
	EXPECT(ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRFPREG, &floating) == 0);
	memcpy(kept, data, sizeof(kept));
	EXPECT(get(pid, MOST) > fpsr && h->flags == 1);
	for (int i = 0; i < vl; i++)
		EXPECT(data[HEADER + 5 * vl + i] == (i < 16 ? (uint8_t)(i * 5 + 1) : 0));
	for (int i = 0; i < 17 * vl / 8; i++)
		EXPECT(data[preds + i] == 0);
	memcpy(data, kept, sizeof(kept));
	h->vl = 24;
	EXPECT(set(pid, fpsr + 16) == -1 && errno == EINVAL);
	h->vl = (uint16_t)vl;
	h->flags = 1 | 1 << 5;
	EXPECT(set(pid, fpsr + 16) == -1 && errno == EINVAL);
	/* A length that there is not, with registers. */
	h->flags = 1;
	if (most < 256) {
		h->vl = 256;
		EXPECT(set(pid, fpsr + 16) == -1 && errno == EIO);
		h->vl = (uint16_t)vl;
	}
	h->flags = 1 | 1 << 1;
	EXPECT(set(pid, 12) == -1 && errno == EINVAL);
	EXPECT(set(pid, fpsr + 16) == 0);
	/* Behind the trap. */
	struct { uint64_t x[31], sp, pc, pstate; } g;
	struct iovec part = { &g, sizeof(g) };
	EXPECT(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &part) == 0);
	g.pc += 4;
	EXPECT(ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &part) == 0);
	status = next(pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	puts("ok");
	return 0;
}
