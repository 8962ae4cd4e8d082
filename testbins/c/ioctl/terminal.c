// Terminals: a pseudoterminal pair, its settings, sizes, queues, groups.
#include "../check.h"

#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

int ioctl(int, unsigned long, ...);
int grantpt(int);
int unlockpt(int);
char *ptsname(int);

/* The C library's struct winsize would come with its struct termios; some commands have its size in their number. */
struct winsize {
	unsigned short rows, columns, x, y;
};

#ifdef __powerpc__
/* Its struct termios has the speeds. */
#define termios2 termios
#define TCGETS2 TCGETS
#define TCSETS2 TCSETS
#define TERMIO_CHARACTERS 10
#elif defined(__mips__)
#define TERMIO_CHARACTERS 23 /* as many as of struct termios */
#else
#define TERMIO_CHARACTERS 8
#endif

/* As struct winsize. */
struct termio {
	unsigned short iflag, oflag, cflag, lflag;
	unsigned char line, cc[TERMIO_CHARACTERS];
};

static int master, slave;

static void open_pty(void)
{
	int zero = 0, number = -1;
	char path[32];

	master = OK_OR_NA(open("/dev/ptmx", O_RDWR | O_NOCTTY), ENOENT);
	OK(ioctl(master, TIOCSPTLCK, &zero));
	OK(ioctl(master, TIOCGPTN, &number));
	TRUE(number >= 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	slave = OK(open(path, O_RDWR | O_NOCTTY));
}

static void close_pty(void)
{
	OK(close(slave));
	OK(close(master));
}

/* The line discipline works asynchronously: wait until it has. */
static void wait_readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	EQ(poll(&p, 1, 1000), 1);
}

static void expect(int fd, const char *want)
{
	char got[64];
	int n = 0, size = strlen(want);

	while (n < size) {
		wait_readable(fd);
		n += OK(read(fd, got + n, sizeof(got) - n));
	}
	EQ(n, size);
	MEMEQ(got, want, size);
}

CHECK(isatty)
{
	struct termios t;
	char name[64];
	int plain = OK(open("plain", O_CREAT | O_RDWR, 0600));

	open_pty();
	EQ(isatty(slave), 1);
	EQ(isatty(plain), 0);
	EQ(errno, ENOTTY);
	ERR(ioctl(plain, TCGETS, &t), ENOTTY);
	ERR(ioctl(-1, TCGETS, &t), EBADF);
	EQ(ttyname_r(slave, name, sizeof(name)), 0);
	STREQ(name, ptsname(master));
	OK(close(plain));
	close_pty();
}

CHECK(settings)
{
	struct termios t, got;

	open_pty();
	memset(&t, 0x55, sizeof(t));
	OK(ioctl(slave, TCGETS, &t));
	TRUE(t.c_lflag & ICANON);
	TRUE(t.c_lflag & ECHO);
	TRUE(t.c_oflag & OPOST);
	EQ(t.c_cflag & CSIZE, CS8);
	EQ(t.c_cflag & CBAUD, B38400);
	EQ(t.c_cc[VINTR], 3);
	EQ(t.c_cc[VEOF], 4);
	EQ(t.c_cc[VERASE], 127);
	t.c_lflag &= ~(ICANON | ECHO | ISIG);
	t.c_iflag = IXON | INLCR;
	t.c_oflag = ONLCR;
	t.c_cflag = (t.c_cflag & ~CBAUD) | B9600;
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 9;
	t.c_cc[VINTR] = 7;
	OK(ioctl(slave, TCSETS, &t));
	memset(&got, 0x55, sizeof(got));
	OK(ioctl(slave, TCGETS, &got));
	EQ(got.c_iflag, t.c_iflag);
	EQ(got.c_oflag, t.c_oflag);
	EQ(got.c_cflag, t.c_cflag);
	EQ(got.c_lflag, t.c_lflag);
	MEMEQ(got.c_cc, t.c_cc, sizeof(t.c_cc));
	t.c_lflag |= ECHO;
	OK(ioctl(slave, TCSETSW, &t));
	OK(ioctl(slave, TCGETS, &got));
	TRUE(got.c_lflag & ECHO);
	OK(ioctl(slave, TCSETSF, &t));
	EFAULTS(p, ioctl(slave, TCGETS, p));
	EFAULTS(p, ioctl(slave, TCSETS, p));
	close_pty();
}

CHECK(termios2)
{
	struct termios2 t;

	open_pty();
	OK(ioctl(slave, TCGETS2, &t));
	t.c_cflag = (t.c_cflag & ~CBAUD) | BOTHER;
	t.c_ispeed = t.c_ospeed = 12345;
	OK(ioctl(slave, TCSETS2, &t));
	memset(&t, 0, sizeof(t));
	OK(ioctl(slave, TCGETS2, &t));
	EQ(t.c_ospeed, 12345);
	EQ(t.c_cflag & CBAUD, BOTHER);
	EFAULTS(p, ioctl(slave, TCGETS2, p));
	close_pty();
}

CHECK(old_termio)
{
	struct termio t;

	open_pty();
	memset(&t, 0, sizeof(t));
	OK(ioctl(slave, TCGETA, &t));
	TRUE(t.lflag & ICANON);
	t.lflag &= ~ECHO;
	OK(ioctl(slave, TCSETA, &t));
	struct termios full;
	OK(ioctl(slave, TCGETS, &full));
	TRUE(!(full.c_lflag & ECHO));
	close_pty();
}

CHECK(window_size)
{
	struct winsize w = { 40, 132, 640, 480 }, got;

	open_pty();
	OK(ioctl(master, TIOCSWINSZ, &w));
	OK(ioctl(slave, TIOCGWINSZ, &got));
	MEMEQ(&got, &w, sizeof(w));
	EFAULTS(p, ioctl(slave, TIOCGWINSZ, p));
	EFAULTS(p, ioctl(slave, TIOCSWINSZ, p));
	close_pty();
}

CHECK(reading_lines)
{
	char text[64] = "";
	int n = -1;

	open_pty();
	EQ(write(master, "half", 4), 4);
	OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	ERR(read(slave, text, 64), EAGAIN);
	EQ(write(master, " line\n", 6), 6);
	wait_readable(slave);
	OK(ioctl(slave, FIONREAD, &n));
	EQ(n, 10);
	expect(slave, "half line\n");
	/* It was echoed, with a carriage return. */
	expect(master, "half line\r\n");
	EQ(write(slave, "out\n", 4), 4);
	expect(master, "out\r\n");
	OK(ioctl(slave, TIOCOUTQ, &n));
	EQ(n, 0);
	close_pty();
}

CHECK(queues_and_breaks)
{
	int n;

	open_pty();
	EQ(write(master, "abc\n", 4), 4);
	wait_readable(slave);
	OK(ioctl(slave, TCFLSH, TCIFLUSH));
	OK(ioctl(slave, FIONREAD, &n));
	EQ(n, 0);
	ERR(ioctl(slave, TCFLSH, 99), EINVAL);
	OK(ioctl(slave, TCSBRK, 1));
	OK(ioctl(slave, TCXONC, TCOON));
	OK(ioctl(slave, TIOCGETD, &n));
	EQ(n, 0);
	OK(ioctl(slave, TIOCEXCL, 0));
	OK(ioctl(slave, TIOCNXCL, 0));
	if (ioctl(slave, TIOCSTI, "q") < 0)
		TRUE(errno == EPERM || errno == EIO);
	int on = 1;
	OK(ioctl(master, TIOCPKT, &on));
	on = 0;
	OK(ioctl(master, TIOCGPKT, &on));
	EQ(on, 1);
	close_pty();
}

CHECK(process_groups)
{
	int group = -1;

	open_pty();
	/* Not this process's controlling terminal. */
	ERR(ioctl(slave, TIOCGPGRP, &group), ENOTTY);
	ERR(ioctl(slave, TIOCGSID, &group), ENOTTY);
	group = getpgrp();
	ERR(ioctl(slave, TIOCSPGRP, &group), ENOTTY);
	if (getpid() != getsid(0) && getpid() != getpgrp() && setsid() > 0) {
		OK(ioctl(slave, TIOCSCTTY, 0));
		OK(ioctl(slave, TIOCGPGRP, &group));
		EQ(group, getpid());
		OK(ioctl(slave, TIOCGSID, &group));
		EQ(group, getpid());
		OK(ioctl(slave, TIOCSPGRP, &group));
		EFAULTS(p, ioctl(slave, TIOCGPGRP, p));
		close(OK(open("/dev/tty", O_RDWR)));
		signal(SIGHUP, SIG_IGN);
		OK(ioctl(slave, TIOCNOTTY, 0));
	}
	close_pty();
}

CHECK(signals)
{
	open_pty();
	/* Of these three there are some that are numbered otherwise than on the host; no other may be sent. */
	OK(ioctl(master, TIOCSIG, SIGINT));
	OK(ioctl(master, TIOCSIG, SIGQUIT));
	OK(ioctl(master, TIOCSIG, SIGTSTP));
	ERR(ioctl(master, TIOCSIG, SIGCONT), EINVAL);
	close_pty();
}

CHECK(peer)
{
	int other;

	open_pty();
	other = OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	EQ(isatty(other), 1);
	OK(close(other));
	close_pty();
}

CHECK_MAIN
