// Operations on keys whose arguments are structs, as far as a kernel without keys for them answers.
// build: varies
#include "../check.h"

#include <linux/keyctl.h>
#include <sys/uio.h>

#define PROCESS_KEYRING -2

static long key;

/* Others have taken all the keys that this user may have. */
static void makes_a_key(void)
{
	key = syscall(__NR_add_key, "user", "qusr-test", "abc", 3, PROCESS_KEYRING);
	if (key == -1 && (errno == ENOSYS || errno == EDQUOT || errno == EPERM))
		NA("no keys here");
	OK(key);
}

CHECK(instantiate_iov)
{
	struct iovec parts[2] = { { "ab", 2 }, { "c", 1 } };

	makes_a_key();
	/* Nobody has asked this process to make a key. */
	ERR(syscall(__NR_keyctl, KEYCTL_INSTANTIATE_IOV, key, parts, 2, 0), EPERM);
	ERR(syscall(__NR_keyctl, KEYCTL_INSTANTIATE_IOV, key, NULL, 2, 0), EPERM);
	ERR(syscall(__NR_keyctl, KEYCTL_INSTANTIATE_IOV, key, check_unmapped(), 1, 0), EFAULT);
	ERR(syscall(__NR_keyctl, KEYCTL_INSTANTIATE_IOV, key, parts, 2000, 0), EINVAL);
}

CHECK(public_keys)
{
	struct keyctl_pkey_query query;
	struct keyctl_pkey_params params = { .in_len = 3, .out_len = 16 };
	char out[16];

	makes_a_key();
	params.key_id = key;
	/* A "user" key is none. */
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_QUERY, key, 0, "", &query), EOPNOTSUPP);
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_SIGN, &params, "", "abc", out), EOPNOTSUPP);
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_ENCRYPT, &params, "", "abc", out), EOPNOTSUPP);
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_DECRYPT, &params, "", "abc", out), EOPNOTSUPP);
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_VERIFY, &params, "", "abc", out), EOPNOTSUPP);
	OK_OR_NA(syscall(__NR_keyctl, KEYCTL_PKEY_QUERY, key, 1, "", &query) == -1 &&
				 errno == EINVAL ?
			 0 :
			 -1,
		 EOPNOTSUPP);
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_QUERY, 0x3fffffff, 0, "", &query), ENOKEY);
	params.key_id = 0x3fffffff;
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_SIGN, &params, "", "abc", out), ENOKEY);
	ERR(syscall(__NR_keyctl, KEYCTL_PKEY_SIGN, check_unmapped(), "", "abc", out), EFAULT);
}

CHECK(diffie_hellman)
{
	struct keyctl_dh_params params;
	char out[16];

	makes_a_key();
	params = (struct keyctl_dh_params){ .private = key, .prime = key, .base = 0x3fffffff };
	if (syscall(__NR_keyctl, KEYCTL_DH_COMPUTE, NULL, out, sizeof out, NULL) == -1 &&
	    errno == EOPNOTSUPP)
		NA("the kernel was built without");
	ERR(syscall(__NR_keyctl, KEYCTL_DH_COMPUTE, NULL, out, sizeof out, NULL), EINVAL);
	ERR(syscall(__NR_keyctl, KEYCTL_DH_COMPUTE, check_unmapped(), out, sizeof out, NULL), EFAULT);
	ERR(syscall(__NR_keyctl, KEYCTL_DH_COMPUTE, &params, out, sizeof out, NULL), ENOKEY);
}

CHECK_MAIN
