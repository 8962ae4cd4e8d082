// prctl, personality, getrandom, syslog, membarrier and others of one process.
#include "../check.h"

#include <linux/membarrier.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

CHECK(names)
{
	char name[17] = "";

	OK(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
	OK(prctl(PR_GET_NAME, name));
	STREQ(name, "a-name-that-is-");
	OK(prctl(PR_SET_NAME, ""));
	OK(prctl(PR_GET_NAME, name));
	STREQ(name, "");
	OK(prctl(PR_SET_NAME, "short"));
	char *edge = check_edge();
	memcpy(edge - 6, "fourth", 6);
	ERR(prctl(PR_SET_NAME, edge - 6), EFAULT);
	OK(prctl(PR_GET_NAME, edge - 16));
	STREQ(edge - 16, "short");
	EFAULTS(p, prctl(PR_SET_NAME, p));
	EFAULTS(p, prctl(PR_GET_NAME, p));
}

CHECK(parent_death_signal)
{
	int s = -1;

	OK(prctl(PR_GET_PDEATHSIG, &s));
	EQ(s, 0);
	OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	OK(prctl(PR_GET_PDEATHSIG, &s));
	EQ(s, SIGUSR1);
	OK(prctl(PR_SET_PDEATHSIG, 0));
	ERR(prctl(PR_SET_PDEATHSIG, 1000), EINVAL);
	EFAULTS(p, prctl(PR_GET_PDEATHSIG, p));
}

CHECK(flags)
{
	TRUE(OK(prctl(PR_GET_DUMPABLE)) <= 2);
	OK(prctl(PR_SET_DUMPABLE, 0));
	EQ(prctl(PR_GET_DUMPABLE), 0);
	OK(prctl(PR_SET_DUMPABLE, 1));
	EQ(prctl(PR_GET_DUMPABLE), 1);
	ERR(prctl(PR_SET_DUMPABLE, 9), EINVAL);
	EQ(prctl(PR_GET_KEEPCAPS), 0);
	OK(prctl(PR_SET_KEEPCAPS, 1));
	EQ(prctl(PR_GET_KEEPCAPS), 1);
	ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	OK(prctl(PR_SET_KEEPCAPS, 0));
	OK(prctl(PR_SET_TIMERSLACK, 60000));
	EQ(prctl(PR_GET_TIMERSLACK), 60000);
	int reaper = -1;
	OK(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
	EQ(reaper, 0);
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
	EQ(reaper, 1);
	EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	EQ(prctl(PR_GET_TIMING), 0);
	OK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	ERR(prctl(PR_MCE_KILL_GET, 1, 0, 0, 0), EINVAL);
}

CHECK(capabilities)
{
	TRUE(OK(prctl(PR_CAPBSET_READ, 0)) <= 1);
	ERR(prctl(PR_CAPBSET_READ, 1000), EINVAL);
	TRUE(OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0)) <= 1);
	OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	ERR(prctl(PR_CAP_AMBIENT, 77, 0, 0, 0), EINVAL);
	EQ(prctl(PR_GET_SECUREBITS), 0);
}

CHECK(seccomp_is_off)
{
	EQ(prctl(PR_GET_SECCOMP), 0);
}

CHECK(no_new_privileges)
{
	EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

CHECK(unknown_operations)
{
	ERR(prctl(123456, 0, 0, 0, 0), EINVAL);
	ERR(prctl(-1, 0, 0, 0, 0), EINVAL);
}

CHECK(personality)
{
	int old = OK(personality(0xffffffff));

	EQ(personality(0xffffffff), old);
	EQ(personality(old | ADDR_NO_RANDOMIZE), old);
	EQ(personality(0xffffffff), old | ADDR_NO_RANDOMIZE);
	EQ(personality(old), old | ADDR_NO_RANDOMIZE);
}

CHECK(getrandom)
{
	unsigned char a[512] = { 0 }, b[512] = { 0 };
	int same = 0;

	EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
	for (int i = 0; i < 512; i++)
		same += a[i] == b[i];
	TRUE(same < 100);
	EQ(getrandom(a, 0, 0), 0);
	ERR(getrandom(a, 1, 0x100), EINVAL);
	EFAULTS(p, getrandom(p, 100, 0));
	OK(getentropy(a, 256));
	ERR(getentropy(a, 257), EIO);
}

CHECK(syslog)
{
	if (geteuid() != 0)
		NA("needs CAP_SYSLOG");
	ERR(syscall(__NR_syslog, 99, NULL, 0), EINVAL);
	TRUE(OK_OR_NA(syscall(__NR_syslog, 10, NULL, 0), EPERM) > 0);
	ERR(syscall(__NR_syslog, 3, NULL, 10), EINVAL);
	char text[64];
	TRUE(OK(syscall(__NR_syslog, 3, text, sizeof(text))) <= 64);
}

CHECK(membarrier)
{
	int can = OK(syscall(__NR_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));

	TRUE(can & MEMBARRIER_CMD_GLOBAL);
	if (can & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
		ERR(syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			    0, 0), EPERM);
		OK(syscall(__NR_membarrier,
			   MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
		OK(syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			   0, 0));
	}
	ERR(syscall(__NR_membarrier, 1 << 30, 0, 0), EINVAL);
	ERR(syscall(__NR_membarrier, MEMBARRIER_CMD_QUERY, 77, 0), EINVAL);
}

CHECK(umask_and_others)
{
	EQ(syscall(__NR_umask, 022) & ~0777, 0);
	ERR(syscall(__NR_reboot, 0, 0, 0, NULL), geteuid() ? EPERM : EINVAL);
	ERR(syscall(__NR_acct, check_unmapped()), geteuid() ? EPERM : EFAULT);
	ERR(syscall(9999), ENOSYS);
#ifndef __arm__
	/* arm kernels send SIGILL for numbers far from the table. */
	ERR(syscall(-1), ENOSYS);
#endif
}

CHECK_MAIN
