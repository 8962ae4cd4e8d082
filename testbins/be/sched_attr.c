// struct sched_attr, which has grown, and the requests of statmount(2) and listmount(2), in either byte order.
#include "nolibc.h"

/* Linux 6.8 has them, the headers need not. */
#ifndef __NR_listmount
#ifndef __NR_Linux
#define __NR_Linux 0
#endif
#define __NR_statmount (__NR_Linux + 457)
#define __NR_listmount (__NR_Linux + 458)
#endif

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
    uint64_t rest;
};

struct request {
    uint32_t size, spare;
    uint64_t mount, param;
};

struct statmount {
    uint32_t size, options;
    uint64_t mask;
    uint32_t major, minor;
    uint64_t magic;
    uint32_t flags, type;
    uint64_t id, parent;
    uint32_t old_id, old_parent;
    uint64_t more[56];
    char strings[512];
};

#define EINVAL 22
#define E2BIG 7
#define ESRCH 3
#define EFAULT 14
#ifdef __mips__
#define EOVERFLOW 79
#define ENOSYS 89
#else
#define EOVERFLOW 75
#define ENOSYS 38
#endif
#define STATMOUNT_SB_BASIC 1
#define STATMOUNT_MNT_BASIC 2
#define STATMOUNT_FS_TYPE 0x20

#define GET(attr, size) syscall4(__NR_sched_getattr, 0, attr, size, 0)
#define SET(attr) syscall3(__NR_sched_setattr, 0, attr, 0)

static void attributes(void)
{
    struct attr a;

    memset(&a, 0xff, sizeof a);
    CHECK(GET(&a, 48) == 0);
    CHECK(a.size == 48 && a.policy == 0 && a.priority == 0 && a.util_min == 0xffffffff);
    memset(&a, 0xff, sizeof a);
    CHECK(GET(&a, 56) == 0);
    CHECK(a.size == 56 && a.flags == 0 && a.nice >= -20 && a.nice < 20);
    CHECK(a.rest == 0xffffffffffffffff);
    CHECK(GET(&a, 47) == -EINVAL);
    CHECK(GET(&a, 4097) == -EINVAL);
    CHECK(syscall4(__NR_sched_getattr, 0, 0, 48, 0) == -EINVAL);
    CHECK(syscall4(__NR_sched_getattr, 0, &a, 48, 1) == -EINVAL);
    CHECK(syscall4(__NR_sched_getattr, -1, &a, 48, 0) == -EINVAL);
    CHECK(syscall4(__NR_sched_getattr, 0x3fffffff, &a, 48, 0) == -ESRCH);

    /* A policy of batches, and nicer. */
    memset(&a, 0, sizeof a);
    a.size = 48, a.policy = 3, a.nice = 7;
    CHECK(SET(&a) == 0);
    memset(&a, 0xff, sizeof a);
    CHECK(GET(&a, 56) == 0 && a.policy == 3 && a.nice == 7);
    /* None is the first version's size. */
    memset(&a, 0, sizeof a);
    a.policy = 0, a.nice = 9;
    CHECK(SET(&a) == 0);
    CHECK(GET(&a, 48) == 0 && a.policy == 0 && a.nice == 9);
    /* What is unknown may be zero. */
    memset(&a, 0, sizeof a);
    a.size = sizeof a, a.nice = 10;
    CHECK(SET(&a) == 0);
    a.rest = 1;
    CHECK(SET(&a) == -E2BIG);
    CHECK(a.size == 56);
    a.size = 47;
    CHECK(SET(&a) == -E2BIG);
    CHECK(a.size == 56);
    a.size = 48, a.rest = 0, a.policy = 77;
    CHECK(SET(&a) == -EINVAL);
    CHECK(syscall3(__NR_sched_setattr, 0, 0, 0) == -EINVAL);
    CHECK(syscall3(__NR_sched_setattr, 0, &a, 1) == -EINVAL);
    CHECK(syscall3(__NR_sched_setattr, -1, &a, 0) == -EINVAL);
    CHECK(SET(16) == -EFAULT);
}

static void mounts(void)
{
    struct request all = {24, 0, 0xffffffffffffffff, 0}, one = {24, 0, 0, 0};
    static uint64_t ids[64];
    static struct statmount found;
    long count = syscall4(__NR_listmount, &all, ids, 64, 0);
    int rising = 1;

    if (count == -ENOSYS)
        return;
    CHECK(count > 0);
    for (long i = 0; i < count; i++)
        rising &= ids[i] > 0x80000000 && (i == 0 || ids[i] > ids[i - 1]);
    CHECK(rising);
    all.size = 23;
    CHECK(syscall4(__NR_listmount, &all, ids, 64, 0) == -EINVAL);
    all.size = 4097;
    CHECK(syscall4(__NR_listmount, &all, ids, 64, 0) == -E2BIG);
    CHECK(syscall4(__NR_listmount, 16, ids, 64, 0) == -EFAULT);

    one.mount = ids[0], one.param = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_FS_TYPE;
    CHECK(syscall4(__NR_statmount, &one, &found, sizeof found, 0) == 0);
    CHECK(found.size > 512 && found.size <= sizeof found);
    CHECK((found.mask & one.param) == one.param);
    CHECK(found.id == ids[0] && found.old_id > 0 && found.magic != 0);
    CHECK(found.type < 512 && found.strings[found.type] >= 'a' && found.strings[found.type] <= 'z');
    CHECK(syscall4(__NR_statmount, &one, &found, 512, 0) == -EOVERFLOW);
    one.mount = 1;
    CHECK(syscall4(__NR_statmount, &one, &found, sizeof found, 0) == -EINVAL);
}

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    attributes();
    mounts();
    CHECKS_DONE();
}
