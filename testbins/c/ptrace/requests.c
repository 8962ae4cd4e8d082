// The requests of ptrace(2) that need no more than a stopped tracee, and their errors.
// no-reference: qemu-user has no ptrace
#include "tracer.h"

static volatile long word = 0x12345678;
/* In a page that may only be read. */
static long *constant;

static void make_constant(void)
{
	constant = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUE(constant != MAP_FAILED);
	*constant = 0x76543210;
	OK(mprotect(constant, 4096, PROT_READ));
}

static void waits(void)
{
	for (;;)
		pause();
}

static void exits(void)
{
	_exit(word & 0xff);
}

CHECK(not_a_tracee)
{
	pid_t pid = OK(untraced(waits));
	siginfo_t info;

	ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_GETSIGINFO, pid, 0, &info), ESRCH);
	ERR(ptrace(PTRACE_KILL, pid, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_INTERRUPT, pid, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_CONT, getpid(), 0, 0), ESRCH);
	ERR(ptrace(PTRACE_CONT, 0x3fffffff, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_ATTACH, 0x3fffffff, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	ERR(ptrace(PTRACE_SEIZE, pid, 1, 0), EIO);
	finish(pid);
}

static void traces_twice(void)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM)
		_exit(5);
}

CHECK(traceme_twice)
{
	pid_t pid = OK(traced(traces_twice));

	ERR(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	ERR(ptrace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	EQ(next(pid, PTRACE_CONT, 0), 5 << 8);
	ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
}

CHECK(running)
{
	pid_t pid = OK(traced(waits));
	registers r;

	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_DETACH, pid, 0, 0), ESRCH);
	ERR(ptrace(PTRACE_SETOPTIONS, pid, 0, 0), ESRCH);
	ERR(get_registers(pid, &r), ESRCH);
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, (void *)&word, 0);
	EQ(errno, ESRCH);
	finish(pid);
}

CHECK(memory)
{
	make_constant();
	pid_t pid = OK(traced(exits));
	char *hole = check_unmapped();

	errno = 0;
	EQ(ptrace(PTRACE_PEEKDATA, pid, (void *)&word, 0), 0x12345678);
	EQ(ptrace(PTRACE_PEEKTEXT, pid, (void *)&word, 0), 0x12345678);
	EQ(errno, 0);
	OK(ptrace(PTRACE_POKEDATA, pid, (void *)&word, (void *)0x42L));
	EQ(ptrace(PTRACE_PEEKDATA, pid, (void *)&word, 0), 0x42);
	EQ(word, 0x12345678);
	/* Its protection is no matter. */
	OK(ptrace(PTRACE_POKETEXT, pid, constant, (void *)0x77L));
	EQ(ptrace(PTRACE_PEEKTEXT, pid, constant, 0), 0x77);
	EQ(*constant, 0x76543210);
	errno = 0;
	EQ(ptrace(PTRACE_PEEKDATA, pid, hole, 0), -1);
	EQ(errno, EIO);
	ERR(ptrace(PTRACE_POKEDATA, pid, hole, 0), EIO);
	ERR(ptrace(PTRACE_POKEDATA, pid, NULL, 0), EIO);
	EQ(next(pid, PTRACE_CONT, 0), 0x42 << 8);
}

CHECK(other_ways_to_memory)
{
	make_constant();
	pid_t pid = OK(traced(exits));
	long value = 0, values[2] = { 0, 0 };
	char path[64];
	struct iovec here = { &value, sizeof(value) };
	struct iovec there = { (void *)&word, sizeof(word) };
	struct iovec two[2] = { { (void *)&word, sizeof(word) },
				{ constant, sizeof(constant) } };
	struct iovec both = { values, sizeof(values) };

	EQ(process_vm_readv(pid, &here, 1, &there, 1, 0), sizeof(value));
	EQ(value, 0x12345678);
	EQ(process_vm_readv(pid, &both, 1, two, 2, 0), sizeof(values));
	EQ(values[0], 0x12345678);
	EQ(values[1], 0x76543210);
	value = 0x21;
	EQ(process_vm_writev(pid, &here, 1, &there, 1, 0), sizeof(value));
	there.iov_base = check_unmapped();
	ERR(process_vm_readv(pid, &here, 1, &there, 1, 0), EFAULT);
	there.iov_base = constant;
	ERR(process_vm_writev(pid, &here, 1, &there, 1, 0), EFAULT);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	int fd = OK(open(path, O_RDWR));
	EQ(pread64(fd, &value, sizeof(value), (uintptr_t)&word), sizeof(value));
	EQ(value, 0x21);
	value = 0x33;
	EQ(pwrite64(fd, &value, sizeof(value), (uintptr_t)&word), sizeof(value));
	EQ(pwrite64(fd, &value, sizeof(value), (uintptr_t)constant),
	   sizeof(value));
	ERR(pread64(fd, &value, sizeof(value), (uintptr_t)check_unmapped()),
	    EIO);
	close(fd);
	EQ(ptrace(PTRACE_PEEKDATA, pid, constant, 0), 0x33);
	EQ(next(pid, PTRACE_CONT, 0), 0x33 << 8);
}

CHECK(bad_requests)
{
	pid_t pid = OK(traced(waits));
	char buffer[1024];
	struct iovec part = { buffer, sizeof(buffer) };
	uint64_t mask;

	ERR(ptrace(0x4ff0, pid, 0, 0), EIO);
	ERR(ptrace(PTRACE_CONT, pid, 0, 65), EIO);
	ERR(ptrace(PTRACE_SYSCALL, pid, 0, -1), EIO);
	ERR(ptrace(PTRACE_DETACH, pid, 0, 65), EIO);
	ERR(ptrace(PTRACE_SETOPTIONS, pid, 0, 0x40000000), EINVAL);
	ERR(ptrace(PTRACE_GETREGSET, pid, (void *)0x7777, &part), EINVAL);
	part.iov_len = 3;
	ERR(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &part), EINVAL);
	ERR(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, 8), EFAULT);
	ERR(ptrace(PTRACE_GETSIGMASK, pid, (void *)4, &mask), EINVAL);
	ERR(ptrace(PTRACE_SETSIGMASK, pid, (void *)4, &mask), EINVAL);
	ERR(ptrace(PTRACE_GETSIGINFO, pid, 0, 8), EFAULT);
	ERR(ptrace(PTRACE_GETEVENTMSG, pid, 0, 8), EFAULT);
	/* Only for who was seized. */
	ERR(ptrace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	ERR(ptrace(PTRACE_LISTEN, pid, 0, 0), EIO);
	finish(pid);
}

CHECK(masks)
{
	pid_t pid = OK(traced(waits));
	unsigned long mask[_NSIG / 8 / sizeof(long)] = {}, user = 1ul << (SIGUSR1 - 1);
	void *size = (void *)sizeof(mask);

	OK(ptrace(PTRACE_GETSIGMASK, pid, size, &mask));
	EQ(mask[0] & user, 0);
	mask[0] |= user | 1 << (SIGKILL - 1);
	OK(ptrace(PTRACE_SETSIGMASK, pid, size, &mask));
	OK(ptrace(PTRACE_GETSIGMASK, pid, size, &mask));
	EQ(mask[0] & user, user);
	EQ(mask[0] & 1 << (SIGKILL - 1), 0);
	/* A blocked signal stops nobody. */
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	OK(kill(pid, SIGUSR1));
	OK(kill(pid, SIGUSR2));
	int status;
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, STOPPED(SIGUSR2));
	mask[0] &= ~user;
	OK(ptrace(PTRACE_SETSIGMASK, pid, size, &mask));
	EQ(next(pid, PTRACE_CONT, 0), STOPPED(SIGUSR1));
	finish(pid);
}

CHECK(registers)
{
	pid_t pid = OK(traced(waits));
	registers r, again;
	unsigned long some[4];
	struct iovec part = { some, sizeof(some) };

	OK(get_registers(pid, &r));
	TRUE(SP(r) != 0 && PC(r) != 0);
	OK(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &part));
	EQ(part.iov_len, sizeof(some));
	MEMEQ(some, &r, sizeof(some));
	char large[4096];
	part = (struct iovec){ large, sizeof(large) };
	OK(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &part));
	EQ(part.iov_len, sizeof(r));
	ARG1(r) = 0x5a5a;
	OK(set_registers(pid, &r));
	OK(get_registers(pid, &again));
	EQ(ARG1(again), 0x5a5a);
	finish(pid);
}

static long answer(long a, long b)
{
	_exit(a * 10 + b);
	return 0;
}

/* A debugger's call of a function. */
CHECK(call)
{
	pid_t pid = OK(traced(waits));
	registers r;

	OK(get_registers(pid, &r));
	SP(r) = (SP(r) - 512) & ~63;
#ifdef __x86_64__
	SP(r) -= 8;
	r.orig_rax = -1;
#endif
#ifdef ISA_STACK_ARGUMENTS
	/* Behind the address to return to are the arguments. */
	SP(r) -= 20;
	OK(ptrace(PTRACE_POKEDATA, pid, SP(r) + 4, 4));
	OK(ptrace(PTRACE_POKEDATA, pid, SP(r) + 8, 2));
	r.ISA_CALL_IN_REGISTERS = -1;
#endif
#ifdef __arm__
	if ((uintptr_t)answer & 1)
		r.uregs[16] |= 1 << 5;
	else
		r.uregs[16] &= ~(1 << 5);
#endif
	SET_FUNCTION(r, (uintptr_t)answer & ~1ul);
	ARG0(r) = 4;
	ARG1(r) = 2;
	OK(set_registers(pid, &r));
	EQ(next(pid, PTRACE_CONT, 0), 42 << 8);
}

CHECK(kill_request)
{
	pid_t pid = OK(traced(waits));
	int status;

	OK(ptrace(PTRACE_KILL, pid, 0, 0));
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, SIGKILL);
}

CHECK(proc_files)
{
	pid_t pid = OK(traced(waits));
	char path[64], text[4096], own[PATH_MAX], its[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	int fd = OK(open(path, O_RDONLY));
	ssize_t n = OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	close(fd);
	char *line = strstr(text, "\nTracerPid:");
	TRUE(line != NULL);
	EQ(atoi(line + 11), getpid());
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = OK(readlink(path, its, sizeof(its) - 1));
	its[n] = 0;
	n = OK(readlink("/proc/self/exe", own, sizeof(own) - 1));
	own[n] = 0;
	STREQ(its, own);
	/* A forked child has its parent's vector. */
	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = OK(open(path, O_RDONLY));
	n = OK(read(fd, its, sizeof(its)));
	close(fd);
	fd = OK(open("/proc/self/auxv", O_RDONLY));
	EQ(read(fd, own, sizeof(own)), n);
	close(fd);
	MEMEQ(its, own, n);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");
	TRUE(maps != NULL);
	int found = 0;
	while (fgets(text, sizeof(text), maps)) {
		unsigned long long start, end;

		if (sscanf(text, "%llx-%llx", &start, &end) == 2)
			found |= (uintptr_t)&word >= start &&
				 (uintptr_t)&word < end;
	}
	fclose(maps);
	EQ(found, 1);
	finish(pid);
}

CHECK_MAIN
