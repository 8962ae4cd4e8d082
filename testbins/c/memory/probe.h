/* Whether memory can be read or written, without a signal: by a system call. */
#ifndef PROBE_H
#define PROBE_H

static int probe_pipe[2];

static int __attribute__((unused)) readable(const void *p)
{
	char c;

	if (!probe_pipe[1])
		OK(pipe(probe_pipe));
	if (write(probe_pipe[1], p, 1) == 1) {
		EQ(read(probe_pipe[0], &c, 1), 1);
		return 1;
	}
	EQ(errno, EFAULT);
	return 0;
}

/* Writes the byte that is there if it can be read, else a zero. */
static int __attribute__((unused)) writable(void *p)
{
	static int zero = -1;
	char byte = 0, c;

	if (!probe_pipe[1])
		OK(pipe(probe_pipe));
	if (zero < 0)
		zero = OK(open("/dev/zero", O_RDONLY));
	if (readable(p))
		byte = *(volatile char *)p;
	EQ(write(probe_pipe[1], &byte, 1), 1);
	if (read(probe_pipe[0], p, 1) == 1)
		return 1;
	EQ(errno, EFAULT);
	EQ(read(probe_pipe[0], &c, 1), 1);
	return 0;
}

#endif
