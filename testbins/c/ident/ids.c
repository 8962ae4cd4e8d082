// User, group, process and session ids; capabilities; the 16-bit calls.
#include "../check.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>

#if defined(__NR_getuid32)
#define WIDE(name) __NR_##name##32
#else
#define WIDE(name) __NR_##name
#endif

CHECK(agree)
{
	uid_t r, e, s;
	unsigned kr, ke, ks;

	EQ(syscall(WIDE(getuid)), getuid());
	EQ(syscall(WIDE(geteuid)), geteuid());
	EQ(syscall(WIDE(getgid)), getgid());
	EQ(syscall(WIDE(getegid)), getegid());
	OK(getresuid(&r, &e, &s));
	EQ(r, getuid());
	EQ(e, geteuid());
	OK(syscall(WIDE(getresuid), &kr, &ke, &ks));
	EQ(kr, r);
	EQ(ks, s);
	OK(syscall(WIDE(getresgid), &kr, &ke, &ks));
	EQ(kr, getgid());
	EQ(ke, getegid());
	EFAULTS(p, syscall(WIDE(getresuid), p, &ke, &ks));
	EFAULTS(p, syscall(WIDE(getresgid), &kr, &ke, p));
}

CHECK(setting_what_they_are)
{
	OK(syscall(WIDE(setresuid), -1, -1, -1));
	OK(syscall(WIDE(setresgid), -1, -1, -1));
	OK(syscall(WIDE(setreuid), -1, getuid()));
	OK(syscall(WIDE(setregid), -1, getgid()));
	OK(syscall(WIDE(setuid), getuid()));
	OK(syscall(WIDE(setgid), getgid()));
	/* setfsuid gives the old value and knows no errors. */
	EQ(syscall(WIDE(setfsuid), geteuid()), geteuid());
	EQ(syscall(WIDE(setfsgid), -1), getegid());
	EQ(syscall(WIDE(setfsgid), getegid()), getegid());
}

CHECK(becoming_somebody)
{
	unsigned r, e, s;

	if (geteuid() != 0) {
		ERR(syscall(WIDE(setuid), 0), EPERM);
		ERR(syscall(WIDE(setresuid), 0, 0, 0), EPERM);
		NA("the rest needs root");
	}
	if (syscall(WIDE(setresuid), 70001, 70002, 0) < 0 && errno == EINVAL)
		NA("these ids are not mapped");
	OK(syscall(WIDE(getresuid), &r, &e, &s));
	EQ(r, 70001);
	EQ(e, 70002);
	EQ(s, 0);
#ifdef __NR_getuid32
	/* A 16-bit call shows a larger id as 65534. */
	EQ(syscall(__NR_getuid), 65534);
	EQ(syscall(__NR_geteuid), 65534);
#endif
	ERR(syscall(WIDE(setresuid), 5, -1, -1), EPERM);
	OK(syscall(WIDE(setresuid), 0, 0, 0));
	OK(syscall(WIDE(setresgid), 5, 6, 0));
	EQ(getegid(), 6);
	OK(syscall(WIDE(setresgid), 0, 0, 0));
}

#ifdef __NR_getuid32
CHECK(calls_with_16_bits)
{
	uint16_t r = 1, e = 1, s = 1, list[64];
	int n;

	EQ(syscall(__NR_getuid), getuid() > 65535 ? 65534 : getuid());
	EQ(syscall(__NR_getgid), getgid() > 65535 ? 65534 : getgid());
	OK(syscall(__NR_getresuid, &r, &e, &s));
	EQ(r, getuid());
	OK(syscall(__NR_getresgid, &r, &e, &s));
	EQ(e, getegid());
	OK(syscall(__NR_setresuid, 0xffff, 0xffff, 0xffff));
	OK(syscall(__NR_setresgid, 0xffff, 0xffff, 0xffff));
	OK(syscall(__NR_setreuid, 0xffff, 0xffff));
	OK(syscall(__NR_setuid, getuid()));
	OK(syscall(__NR_setgid, getgid()));
	EQ(syscall(__NR_setfsuid, geteuid()), geteuid());
	n = OK(syscall(__NR_getgroups, 0, NULL));
	if (n <= 64)
		EQ(syscall(__NR_getgroups, 64, list), n);
	EFAULTS(p, syscall(__NR_getresuid, p, &e, &s));
	if (geteuid() == 0 && n <= 64) {
		uint16_t one[2] = { 7, 8 };

		OK(syscall(__NR_setgroups, 2, one));
		EQ(syscall(__NR_getgroups, 64, list), 2);
		EQ(list[1], 8);
		OK(syscall(__NR_setgroups, 0, NULL));
	}
}
#endif

CHECK(groups)
{
	gid_t list[200], got[200], back[200];
	int n = OK(getgroups(0, NULL));

	ERR(getgroups(-1, list), EINVAL);
	EQ(getgroups(200, back), n);
	if (n > 0)
		EFAULTS(p, syscall(WIDE(getgroups), n, p));
	if (geteuid() != 0) {
		ERR(setgroups(0, NULL), EPERM);
		NA("the rest needs root");
	}
	for (int i = 0; i < 100; i++)
		list[i] = 100000 + i;
	OK_OR_NA(syscall(WIDE(setgroups), 100, list), EINVAL);
	EQ(getgroups(0, NULL), 100);
	EQ(getgroups(200, got), 100);
	MEMEQ(got, list, 100 * sizeof(gid_t));
	ERR(getgroups(99, got), EINVAL);
	ERR(syscall(WIDE(setgroups), -1, list), EINVAL);
	EFAULTS(p, syscall(WIDE(setgroups), 3, p));
	OK(syscall(WIDE(setgroups), n, back));
}

CHECK(processes_and_sessions)
{
	TRUE(getpid() > 0);
	EQ(syscall(__NR_getpid), getpid());
	EQ(syscall(__NR_gettid), getpid());
	TRUE(getppid() >= 0);
	EQ(getpgid(0), getpgrp());
	EQ(getpgid(getpid()), getpgrp());
	EQ(getsid(0), getsid(getpid()));
	ERR(getpgid(-1), ESRCH);
	ERR(getsid(0x7ffffff0), ESRCH);
	ERR(setpgid(0, -1), EINVAL);
	ERR(setpgid(0x7ffffff0, 0), ESRCH);
	if (getsid(0) != getpid()) {
		OK(setpgid(0, 0));
		EQ(getpgrp(), getpid());
		ERR(setsid(), EPERM);
	}
}

CHECK(capabilities)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	OK(syscall(__NR_capget, &h, d));
	if (geteuid() != 0)
		EQ(d[0].effective & ~d[0].permitted, 0);
	OK(syscall(__NR_capset, &h, d));
	h.version = 1;
	ERR(syscall(__NR_capget, &h, d), EINVAL);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ /* what a failed call stores is not converted */
	EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
#endif
	h.version = 1;
	OK(syscall(__NR_capget, &h, NULL));
	EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
	h.pid = -1;
	ERR(syscall(__NR_capget, &h, d), EINVAL);
	h.pid = 0x7ffffff0;
	ERR(syscall(__NR_capget, &h, d), ESRCH);
	h.pid = 0;
	EFAULTS(p, syscall(__NR_capget, p, d));
	for (int i = 0; i < BAD_POINTERS - 1; i++)
		ERR(syscall(__NR_capget, &h, bad_pointer(i)), EFAULT);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ /* else two are converted always */
	h.version = _LINUX_CAPABILITY_VERSION_1;
	struct __user_cap_data_struct *one =
		(struct __user_cap_data_struct *)check_edge() - 1;
	OK(syscall(__NR_capget, &h, one));
#endif
}

CHECK_MAIN
