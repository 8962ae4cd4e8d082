// futex_waitv(2) and futex_requeue(2), whose words and values are in the guest's byte order.
#include "nolibc.h"

#ifndef __NR_Linux
#define __NR_Linux 0
#endif
#ifndef __NR_futex_waitv
#define __NR_futex_waitv (__NR_Linux + 449)
#endif
#ifndef __NR_futex_requeue
#define __NR_futex_requeue (__NR_Linux + 456)
#endif

struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

struct time {
    int64_t sec, nsec;
};

#define SIZE_U32 2
#define PRIVATE 128
#define EAGAIN 11
#define EFAULT 14
#define EINVAL 22
#define ENOSYS 38
#ifdef __mips__
#define ETIMEDOUT 145
#undef ENOSYS
#define ENOSYS 89
#else
#define ETIMEDOUT 110
#endif
#define MONOTONIC 1
#define ADDRESS(of) ((uint64_t)(uintptr_t)(of))
#define WAIT(waiters, count) \
    syscall5(__NR_futex_waitv, waiters, count, 0, &past, MONOTONIC)

static volatile uint32_t words[2] = {0x01020304, 0x05060708};

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    struct time past = {0, 1};
    struct waiter both[2] = {
        {0x01020304, ADDRESS(&words[0]), SIZE_U32 | PRIVATE, 0},
        {0x05060708, ADDRESS(&words[1]), SIZE_U32 | PRIVATE, 0},
    };

    CHECK(WAIT(both, 2) == -ETIMEDOUT);
    CHECK(WAIT(both, 1) == -ETIMEDOUT);
    words[1]++;
    CHECK(WAIT(both, 2) == -EAGAIN);
    CHECK(WAIT(both, 1) == -ETIMEDOUT);
    words[0] = 0x04030201;
    CHECK(WAIT(both, 1) == -EAGAIN);
    both[0].value = 0x04030201;
    CHECK(WAIT(both, 1) == -ETIMEDOUT);
    CHECK(WAIT(both, 0) == -EINVAL);
    CHECK(WAIT(both, 129) == -EINVAL);
    CHECK(syscall5(__NR_futex_waitv, both, 1, 1, &past, MONOTONIC) == -EINVAL);
    CHECK(WAIT(0, 1) == -EINVAL);
    CHECK(WAIT(16, 1) == -EFAULT);
    both[0].reserved = 1;
    CHECK(WAIT(both, 1) == -EINVAL);
    both[0].reserved = 0, both[0].flags = 0x1000;
    CHECK(WAIT(both, 1) == -EINVAL);
    both[0].flags = SIZE_U32 | PRIVATE, both[0].address = 16;
    CHECK(WAIT(both, 1) == -EFAULT);
    both[0].address = ADDRESS(&words[0]);

    /* Nobody waits. */
    long result = syscall4(__NR_futex_requeue, both, 0, 1, 1);
    if (result != -ENOSYS) {
        CHECK(result == 0);
        both[0].value++;
        CHECK(syscall4(__NR_futex_requeue, both, 0, 1, 1) == -EAGAIN);
        CHECK(syscall4(__NR_futex_requeue, both, 1, 1, 1) == -EINVAL);
        CHECK(syscall4(__NR_futex_requeue, 0, 0, 1, 1) == -EINVAL);
    }
    CHECKS_DONE();
}
