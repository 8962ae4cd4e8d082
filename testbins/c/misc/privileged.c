// Calls for administrators: what they refuse, without changing the machine.
#include "../check.h"

#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/swap.h>

/* EPERM for who lacks the privilege, else what the arguments deserve. */
#define REFUSED(call, error)                                              \
	do {                                                              \
		long long result_ = (long long)(call);                    \
		if (result_ != -1 || (errno != EPERM && errno != (error))) \
			FAIL("%s: got %lld %s want EPERM or %s", #call,   \
			     result_,                                     \
			     result_ == -1 ? strerrorname_np(errno) : "", \
			     strerrorname_np(error));                     \
	} while (0)

CHECK(mounts)
{
	REFUSED(mount("none", "nothing", "tmpfs", 0, NULL), ENOENT);
	REFUSED(mount("none", ".", "no-such-fs", 0, NULL), ENODEV);
	REFUSED(umount2("nothing", 0), ENOENT);
	REFUSED(umount2(".", 0x1000), EINVAL);
	REFUSED(syscall(__NR_pivot_root, "nothing", "nothing"), ENOENT);
	REFUSED(syscall(__NR_fsopen, "no-such-fs", 0), ENODEV);
	REFUSED(syscall(__NR_fsmount, -1, 0, 0), EBADF);
	ERR(syscall(__NR_open_tree, AT_FDCWD, "nothing", 0), ENOENT);
	REFUSED(syscall(__NR_fspick, AT_FDCWD, "nothing", 0), ENOENT);
}

CHECK(swap_and_accounting)
{
	REFUSED(swapon("nothing", 0), ENOENT);
	REFUSED(swapoff("nothing"), ENOENT);
	REFUSED(syscall(__NR_acct, "nothing"), ENOENT);
	int wrong = syscall(__NR_quotactl, 0x7fffffff, NULL, 0, NULL);
	EQ(wrong, -1);
	TRUE(errno == EINVAL || errno == ENOSYS || errno == EPERM ||
	     errno == ENOENT);
}

CHECK(perf_and_bpf)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ /* bit fields have another order, and qusr has no such call */
	EFAULTS(p, syscall(__NR_perf_event_open, p, 0, -1, -1, 0));
#endif
	long r = syscall(__NR_bpf, 9999, NULL, 0);
	EQ(r, -1);
	TRUE(errno == EPERM || errno == EINVAL || errno == ENOSYS);
}

CHECK(keys)
{
	/* 0 is KEYCTL_GET_KEYRING_ID, -3 the session's keyring. */
	long r = syscall(__NR_keyctl, 0, -3, 0);
	if (r == -1)
		TRUE(errno == ENOKEY || errno == ENOSYS || errno == EACCES);
	r = syscall(__NR_keyctl, 9999, 0, 0);
	EQ(r, -1);
	TRUE(errno == EOPNOTSUPP || errno == ENOSYS);
}

CHECK(name_spaces_of_users)
{
	/* An id that does not exist: nothing is left. */
	ERR(syscall(__NR_setns, 0, 0x10000000), EINVAL);
}

CHECK(seccomp)
{
	ERR(syscall(__NR_seccomp, 99, 0, NULL), EINVAL);
	/* SECCOMP_SET_MODE_STRICT takes no flags. */
	ERR(syscall(__NR_seccomp, 0, 1, NULL), EINVAL);
	/* SECCOMP_SET_MODE_FILTER with a filter that cannot be read. */
	EFAULTS(p, syscall(__NR_seccomp, 1, 0, p));
}

CHECK(landlock)
{
	/* LANDLOCK_CREATE_RULESET_VERSION */
	long r = syscall(__NR_landlock_create_ruleset, NULL, 0, 1);

	if (r == -1)
		TRUE(errno == ENOSYS || errno == EOPNOTSUPP);
	else
		TRUE(r >= 1);
}

CHECK_MAIN
