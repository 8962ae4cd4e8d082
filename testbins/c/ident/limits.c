// Resource limits and use, priorities, scheduling, uname, sysinfo.
#include "../check.h"
#include "../isa.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>

CHECK(rlimits)
{
	struct rlimit a, b;
	struct rlimit64 c;

	OK(getrlimit(RLIMIT_NOFILE, &a));
	TRUE(a.rlim_cur <= a.rlim_max);
	TRUE(a.rlim_cur >= 16);
	OK(prlimit64(0, RLIMIT_NOFILE, NULL, &c));
	EQ(a.rlim_cur, c.rlim_cur);
	b = a;
	b.rlim_cur = a.rlim_cur - 1;
	OK(setrlimit(RLIMIT_NOFILE, &b));
	OK(getrlimit(RLIMIT_NOFILE, &b));
	EQ(b.rlim_cur, a.rlim_cur - 1);
	OK(prlimit64(getpid(), RLIMIT_NOFILE, &c, NULL));
	for (int i = 0; i < RLIM_NLIMITS; i++)
		OK(getrlimit(i, &b));
	ERR(getrlimit(99, &b), EINVAL);
	ERR(setrlimit(99, &b), EINVAL);
	b = (struct rlimit){ 10, 5 };
	ERR(setrlimit(RLIMIT_CORE, &b), EINVAL);
	ERR(prlimit64(0x7ffffff0, RLIMIT_CORE, NULL, &c), ESRCH);
	EFAULTS(p, syscall(__NR_prlimit64, 0, RLIMIT_CORE, p + (p == NULL) * 8,
			   NULL));
	EFAULTS(p, syscall(__NR_setrlimit, RLIMIT_CORE, p));
}

CHECK(nofile_limits_descriptors)
{
	struct rlimit a, b;

	OK(getrlimit(RLIMIT_NOFILE, &a));
	b = a;
	b.rlim_cur = 40;
	OK(setrlimit(RLIMIT_NOFILE, &b));
	ERR(dup2(0, 40), EBADF);
	ERR(fcntl(0, F_DUPFD, 40), EINVAL);
	EQ(dup2(0, 39), 39);
	OK(close(39));
	OK(setrlimit(RLIMIT_NOFILE, &a));
}

CHECK(infinity_and_large_limits)
{
	struct rlimit64 old, limit, got;
	struct rlimit small;

	OK(prlimit64(0, RLIMIT_FSIZE, NULL, &old));
	if (old.rlim_max != RLIM64_INFINITY)
		NA("the hard limit of file sizes is set");
	limit = old;
	limit.rlim_cur = 0x123456789aULL;
	OK(prlimit64(0, RLIMIT_FSIZE, &limit, NULL));
	OK(prlimit64(0, RLIMIT_FSIZE, NULL, &got));
	EQ(got.rlim_cur, 0x123456789aULL);
	EQ(got.rlim_max, RLIM64_INFINITY);
	OK(getrlimit(RLIMIT_FSIZE, &small));
	/* What does not fit into a long is told as no limit. */
	if (sizeof(long) == 4)
		EQ(small.rlim_cur, RLIM_INFINITY);
	else
		EQ(small.rlim_cur, 0x123456789aULL);
	EQ(small.rlim_max, RLIM_INFINITY);
	OK(prlimit64(0, RLIMIT_FSIZE, &old, NULL));
#ifdef __NR_ugetrlimit
	unsigned long raw[2];

	OK(syscall(__NR_ugetrlimit, RLIMIT_FSIZE, raw));
	EQ(raw[1], ~0UL);
	raw[0] = ~0UL;
	OK(syscall(__NR_setrlimit, RLIMIT_FSIZE, raw));
	OK(prlimit64(0, RLIMIT_FSIZE, NULL, &got));
	EQ(got.rlim_cur, RLIM64_INFINITY);
	OK(prlimit64(0, RLIMIT_FSIZE, &old, NULL));
	EFAULTS(p, syscall(__NR_ugetrlimit, RLIMIT_FSIZE, p));
#endif
}

CHECK(rusage)
{
	struct rusage u;
	static volatile char memory[4 << 20];

	for (unsigned i = 0; i < sizeof(memory); i += 512)
		memory[i] = i;
	memset(&u, 0x55, sizeof(u));
	OK(getrusage(RUSAGE_SELF, &u));
	TRUE(u.ru_utime.tv_sec >= 0 && u.ru_utime.tv_sec < 100);
	TRUE(u.ru_utime.tv_usec >= 0 && u.ru_utime.tv_usec < 1000000);
	TRUE(u.ru_maxrss >= 4096);
	TRUE(u.ru_minflt > 0);
	OK(getrusage(RUSAGE_CHILDREN, &u));
	EQ(u.ru_utime.tv_sec, 0);
	OK(getrusage(RUSAGE_THREAD, &u));
	ERR(getrusage(99, &u), EINVAL);
	EFAULTS(p, syscall(__NR_getrusage, RUSAGE_SELF, p));
}

CHECK(priorities)
{
	int nice_now;

	errno = 0;
	nice_now = getpriority(PRIO_PROCESS, 0);
	EQ(errno, 0);
	/* The kernel gives 20 - nice, so that no result is negative. */
	EQ(syscall(__NR_getpriority, PRIO_PROCESS, 0), 20 - nice_now);
	EQ(syscall(__NR_getpriority, PRIO_PROCESS, getpid()), 20 - nice_now);
	OK(setpriority(PRIO_PROCESS, 0, nice_now));
	if (nice_now < 19) {
		OK(setpriority(PRIO_PROCESS, 0, nice_now + 1));
		EQ(getpriority(PRIO_PROCESS, 0), nice_now + 1);
	}
	ERR(getpriority(9, 0), EINVAL);
	ERR(setpriority(PRIO_PROCESS, 0x7ffffff0, 0), ESRCH);
	errno = 0;
	ERR(getpriority(PRIO_PROCESS, 0x7ffffff0), ESRCH);
}

CHECK(io_priorities)
{
	/* who 1 is a process; class 2 (best effort), level 5 */
	OK(syscall(__NR_ioprio_set, 1, 0, 2 << 13 | 5));
	EQ(syscall(__NR_ioprio_get, 1, 0), 2 << 13 | 5);
	EQ(syscall(__NR_ioprio_get, 1, getpid()), 2 << 13 | 5);
	ERR(syscall(__NR_ioprio_set, 1, 0, 7 << 13), EINVAL);
	ERR(syscall(__NR_ioprio_set, 9, 0, 2 << 13), EINVAL);
	ERR(syscall(__NR_ioprio_get, 9, 0), EINVAL);
	ERR(syscall(__NR_ioprio_get, 1, 0x7ffffff0), ESRCH);
}

CHECK(scheduling)
{
	struct sched_param param = { 77 };
	struct timespec t;
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t util_min, util_max;
	} attr = { 0 };

	EQ(sched_getscheduler(0), SCHED_OTHER);
	OK(sched_getparam(0, &param));
	EQ(param.sched_priority, 0);
	OK(sched_setparam(0, &param));
	OK(sched_setscheduler(0, SCHED_OTHER, &param));
	EQ(sched_get_priority_max(SCHED_FIFO), 99);
	EQ(sched_get_priority_min(SCHED_FIFO), 1);
	EQ(sched_get_priority_max(SCHED_OTHER), 0);
	ERR(sched_get_priority_max(99), EINVAL);
	OK(sched_rr_get_interval(0, &t));
	TRUE(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
	param.sched_priority = 5;
	ERR(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
	ERR(sched_getscheduler(0x7ffffff0), ESRCH);
	ERR(sched_getparam(-1, &param), EINVAL);
	OK(sched_yield());
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	NA("qusr has no sched_getattr for big-endian guests: its struct grows with the kernel");
	return;
#endif
	OK(syscall(__NR_sched_getattr, 0, &attr, sizeof(attr), 0));
	TRUE(attr.size >= 48);
	EQ(attr.policy, SCHED_OTHER);
	EQ(attr.priority, 0);
	OK(syscall(__NR_sched_setattr, 0, &attr, 0));
	ERR(syscall(__NR_sched_getattr, 0, &attr, 10, 0), EINVAL);
	EFAULTS(p, syscall(__NR_sched_getattr, 0,
			   (char *)p + 8 * (p == NULL), 56, 0));
	EFAULTS(p, syscall(__NR_sched_setscheduler, 0, SCHED_OTHER,
			   (char *)p + 8 * (p == NULL)));
}

CHECK(affinity)
{
	unsigned long raw[1024 / sizeof(long)];
	cpu_set_t set;
	unsigned cpu = ~0U, node;
	int n;

	memset(raw, 0xff, sizeof(raw));
	n = OK(syscall(__NR_sched_getaffinity, 0, sizeof(raw), raw));
	EQ(n % sizeof(long), 0);
	TRUE(n > 0);
	OK(sched_getaffinity(0, sizeof(set), &set));
	TRUE(CPU_COUNT(&set) >= 1);
	MEMEQ(&set, raw, n);
	ERR(syscall(__NR_sched_getaffinity, 0, sizeof(long) + 1, raw), EINVAL);
	ERR(syscall(__NR_sched_getaffinity, 0, 0, raw), EINVAL);
	OK(sched_setaffinity(0, sizeof(set), &set));
	OK(syscall(__NR_getcpu, &cpu, &node, NULL));
	TRUE(CPU_ISSET(cpu, &set));
	OK(syscall(__NR_getcpu, NULL, NULL, NULL));
	TRUE(sched_getcpu() >= 0);
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(__NR_getcpu, bad_pointer(i), NULL, NULL), EFAULT);
	CPU_ZERO(&set);
	ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	/* Only one: the program then runs there. */
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
	EQ(sched_getcpu(), cpu);
	EFAULTS(p, syscall(__NR_sched_getaffinity, 0, sizeof(raw), p));
	EFAULTS(p, syscall(__NR_sched_setaffinity, 0, 8, p));
	TRUE(sysconf(_SC_NPROCESSORS_CONF) >= 1);
	TRUE(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
}

CHECK(uname)
{
	struct utsname u;

	OK(uname(&u));
	STREQ(u.sysname, "Linux");
	TRUE(u.release[0] >= '2' && u.release[0] <= '9');
	TRUE(u.nodename[0] != 0);
#ifdef ISA_UTS_BEGINS
	MEMEQ(u.machine, ISA_UTS, strlen(ISA_UTS));
	STREQ(u.machine + 5, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "b" : "l");
#else
	STREQ(u.machine, ISA_UTS);
#endif
	EFAULTS(p, syscall(__NR_uname, p));
	char name[65];
	OK(gethostname(name, sizeof(name)));
	STREQ(name, u.nodename);
}

CHECK(sysinfo)
{
	struct sysinfo s;

	memset(&s, 0x55, sizeof(s));
	OK(sysinfo(&s));
	TRUE(s.uptime > 0);
	TRUE(s.procs > 0);
	TRUE(s.mem_unit > 0);
	TRUE((uint64_t)s.totalram * s.mem_unit >= 64 << 20);
	TRUE(s.freeram <= s.totalram);
	EFAULTS(p, syscall(__NR_sysinfo, p));
}

CHECK(host_names_cannot_be_wrong)
{
	char name[100];

	memset(name, 'x', sizeof(name));
	if (geteuid() != 0) {
		ERR(sethostname("x", 1), EPERM);
		ERR(setdomainname("x", 1), EPERM);
	} else {
		ERR(sethostname(name, 65), EINVAL);
		ERR(sethostname(name, -1), EINVAL);
		ERR(setdomainname(name, 65), EINVAL);
	}
}

CHECK_MAIN
