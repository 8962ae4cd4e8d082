// no-reference: qemu-user has threads of its own and always gives EINVAL
/*
 * A new user namespace is refused to processes with several threads (user_namespaces(7): EINVAL). A child
 * by vfork(2) that is gone leaves its parent with one, as it was.
 */
#include "../check.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define ROUNDS 30

/* The errno of unshare(CLONE_NEWUSER) behind `children` vforks, in a process of its own. */
static int unshared(int children)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < children; i++) {
			pid_t child = vfork();

			if (child == 0)
				_exit(0);
			waitpid(child, NULL, 0);
		}
		_exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
	}
	OK(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

CHECK(behind_a_vfork)
{
	int plain = unshared(0);

	if (plain != 0) {
		NA("no user namespaces here");
		return;
	}
	for (int i = 0; i < ROUNDS; i++)
		EQ(unshared(1 + i % 3), 0);
}

CHECK_MAIN
