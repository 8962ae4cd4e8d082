// Structures that the kernel fills in or reads, whose fields a big-endian guest needs swapped.
#include "nolibc.h"

#include <asm/bitsperlong.h>
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/socket.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/eventpoll.h>
#include <linux/inotify.h>
#include <linux/resource.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>
#include <linux/utsname.h>

#define AT_FDCWD -100
#define MODE_FILE 0100000

/* On 32-bit machines the calls whose times have 64 bits. Some have only statx for stat. */
#if __SIZEOF_POINTER__ == 4
#ifdef __NR_fstat64
typedef struct stat64 kernel_stat;
#define NR_FSTAT __NR_fstat64
#elif defined(N32)
/* The call is n64's, which has this form. */
typedef struct stat64 kernel_stat;
#define NR_FSTAT __NR_fstat
#endif
#define NR_UTIMENSAT __NR_utimensat_time64
#define NR_FUTEX __NR_futex_time64
#define NR_NANOSLEEP __NR_clock_nanosleep_time64
#define NR_GETTIME __NR_clock_gettime64
#define NR_TIMERFD_SETTIME __NR_timerfd_settime64
#define NR_PPOLL __NR_ppoll_time64
#define NR_FCNTL __NR_fcntl64
typedef struct flock64 kernel_flock;
#define SETLK F_SETLK64
#define GETLK F_GETLK64
#else
typedef struct stat kernel_stat;
#define NR_FSTAT __NR_fstat
#define NR_UTIMENSAT __NR_utimensat
#define NR_FUTEX __NR_futex
#define NR_NANOSLEEP __NR_clock_nanosleep
#define NR_GETTIME __NR_clock_gettime
#define NR_TIMERFD_SETTIME __NR_timerfd_settime
#define NR_PPOLL __NR_ppoll
#define NR_FCNTL __NR_fcntl
typedef struct flock kernel_flock;
#define SETLK F_SETLK
#define GETLK F_GETLK
#endif

struct dirent64 {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

static char buffer[4096] __attribute__((aligned(8)));

static void test_stat(void)
{
    long fd = openat(AT_FDCWD, "file", O_CREAT | O_RDWR | O_TRUNC, 0640);
    CHECK(fd >= 0);
    CHECK(write((int)fd, "0123456789", 10) == 10);
    /* 2001-09-09 01:46:40.000000005 and a time after 2038 */
    struct __kernel_timespec times[2] = {{1000000000, 5}, {5000000000, 7}};
    CHECK(syscall4(NR_UTIMENSAT, AT_FDCWD, "file", times, 0) == 0);
#ifdef NR_FSTAT
    kernel_stat st;
    memset(&st, 0xaa, sizeof st);
    CHECK(syscall2(NR_FSTAT, fd, &st) == 0);
    CHECK(st.st_size == 10);
    CHECK(st.st_mode == (MODE_FILE | 0640));
    CHECK(st.st_nlink == 1);
    CHECK((uint32_t)st.st_atime == 1000000000 && st.st_atime_nsec == 5);
    CHECK(st.st_blksize >= 512 && st.st_blksize <= 65536);
#endif
    struct statx sx;
    CHECK(syscall5(__NR_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS, &sx) == 0);
    CHECK(sx.stx_size == 10 && sx.stx_mode == (MODE_FILE | 0640) && sx.stx_nlink == 1);
    CHECK(sx.stx_mtime.tv_sec == 5000000000 && sx.stx_mtime.tv_nsec == 7);
#ifdef NR_FSTAT
    CHECK(sx.stx_ino == st.st_ino);
#endif
    close((int)fd);
}

static void test_directory(void)
{
    CHECK(syscall3(__NR_mkdirat, AT_FDCWD, "dir", 0755) == 0);
    close((int)openat(AT_FDCWD, "dir/one", O_CREAT | O_WRONLY, 0644));
    close((int)openat(AT_FDCWD, "dir/second", O_CREAT | O_WRONLY, 0644));
    long fd = openat(AT_FDCWD, "dir", O_RDONLY | O_DIRECTORY, 0);
    CHECK(fd >= 0);
    long size = syscall3(__NR_getdents64, fd, buffer, sizeof buffer);
    CHECK(size > 0);
    int seen = 0, count = 0;
    for (long at = 0; at < size; count++) {
        struct dirent64 *entry = (struct dirent64 *)(buffer + at);
        if (entry->reclen < 19 || entry->reclen > size - at)
            break;
        seen |= !strcmp(entry->name, "one") && entry->type == 8 ? 1 : 0;
        seen |= !strcmp(entry->name, "second") && entry->type == 8 ? 2 : 0;
        seen |= !strcmp(entry->name, ".") && entry->type == 4 ? 4 : 0;
        at += entry->reclen;
    }
    CHECK(seen == 7);
    CHECK(count == 4);
    CHECK(syscall3(__NR_getdents64, fd, buffer, sizeof buffer) == 0);
    close((int)fd);
}

static void test_limits_and_names(void)
{
    struct rlimit64 limit = {0, 0}, was;
    CHECK(syscall4(__NR_prlimit64, 0, 7 /* NOFILE */, 0, &was) == 0);
    CHECK(was.rlim_cur >= 16 && was.rlim_cur <= was.rlim_max);
    limit.rlim_cur = 64;
    limit.rlim_max = was.rlim_max;
    CHECK(syscall4(__NR_prlimit64, 0, 7, &limit, 0) == 0);
    CHECK(syscall4(__NR_prlimit64, 0, 7, 0, &limit) == 0);
    CHECK(limit.rlim_cur == 64 && limit.rlim_max == was.rlim_max);
    struct sysinfo info;
    CHECK(syscall1(__NR_sysinfo, &info) == 0);
    CHECK(info.mem_unit >= 1 && info.procs > 0 && info.totalram > 0);
    struct new_utsname name;
    CHECK(syscall1(__NR_uname, &name) == 0);
    CHECK(strcmp(name.sysname, "Linux") == 0);
    struct statfs64 fs;
#if __SIZEOF_POINTER__ == 4
    CHECK(syscall3(__NR_statfs64, ".", sizeof fs, &fs) == 0);
#else
    CHECK(syscall2(__NR_statfs, ".", &fs) == 0);
#endif
    CHECK(fs.f_bsize >= 512 && fs.f_bsize <= 1 << 20 && fs.f_namelen >= 14);
    uint32_t cpus[32] = {0};
    CHECK(syscall3(__NR_sched_getaffinity, 0, sizeof cpus, cpus) > 0);
}

static void test_events(void)
{
    uint64_t value = 0x100000002, got = 0;
    long fd = syscall2(__NR_eventfd2, 3, 0);
    CHECK(fd >= 0);
    CHECK(write((int)fd, &value, 8) == 8);
    CHECK(read((int)fd, &got, 8) == 8);
    CHECK(got == 0x100000005);

    struct pollfd polled = {(int)fd, POLLIN | POLLOUT, 0};
    struct __kernel_timespec brief = {0, 1000000};
    CHECK(syscall5(NR_PPOLL, &polled, 1, &brief, 0, 0) == 1);
    CHECK(polled.revents == POLLOUT);

    long epoll = syscall1(__NR_epoll_create1, 0);
    struct epoll_event event = {EPOLLOUT, 0x1122334455667788}, back = {0, 0};
    CHECK(syscall4(__NR_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(syscall5(__NR_epoll_pwait, epoll, &back, 1, 1000, 0) == 1);
    CHECK(back.events == EPOLLOUT && back.data == 0x1122334455667788);

    long timer = syscall2(__NR_timerfd_create, 1, 0);
    struct __kernel_itimerspec spec = {{0, 0}, {0, 2000000}};
    CHECK(syscall4(NR_TIMERFD_SETTIME, timer, 0, &spec, 0) == 0);
    CHECK(read((int)timer, &got, 8) == 8);
    CHECK(got == 1);

    long watcher = syscall1(__NR_inotify_init1, 0);
    long watch = syscall3(__NR_inotify_add_watch, watcher, "dir", IN_CREATE);
    CHECK(watch == 1);
    close((int)openat(AT_FDCWD, "dir/third", O_CREAT | O_WRONLY, 0644));
    CHECK(read((int)watcher, buffer, sizeof buffer) == 32);
    struct inotify_event *seen = (struct inotify_event *)buffer;
    CHECK(seen->wd == 1 && seen->mask == IN_CREATE && seen->len == 16);
    CHECK(strcmp(seen->name, "third") == 0);
}

struct sockaddr_in4 {
    uint16_t family;
    unsigned char port[2]; /* network order: big-endian on every machine */
    unsigned char address[4];
    char zero[8];
};

struct message {
    void *name;
    int name_size;
    void *parts;
    size_t part_count;
    void *control;
    size_t control_size;
    unsigned flags;
};

struct control {
    size_t size;
    int level, type;
    int fds[2];
};

static void test_sockets(void)
{
    long fd = syscall3(__NR_socket, 2, 1 | O_CLOEXEC, 0);
    CHECK(fd >= 0);
    struct sockaddr_in4 address = {2, {0, 0}, {127, 0, 0, 1}, ""};
    CHECK(syscall3(__NR_bind, fd, &address, sizeof address) == 0);
    unsigned size = sizeof address;
    memset(&address, 0, sizeof address);
    CHECK(syscall3(__NR_getsockname, fd, &address, &size) == 0);
    CHECK(address.family == 2 && size == 16);
    CHECK(address.address[0] == 127 && address.address[3] == 1);
    CHECK(address.port[0] || address.port[1]);
    int yes = 1, got = 0;
    size = sizeof got;
    CHECK(syscall5(__NR_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
    CHECK(syscall5(__NR_getsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &got, &size) == 0);
    CHECK(got == 1 && size == 4);
    close((int)fd);

    int pair[2];
    CHECK(syscall4(__NR_socketpair, 1, 1, 0, pair) == 0);
    struct { const void *base; size_t size; } part = {"hello", 5};
    /* One descriptor: the header and an int, without the padding behind it. */
    struct control control = {sizeof control - sizeof(int), SOL_SOCKET, 1, {pair[0], 0}};
    struct message message = {0, 0, &part, 1, &control, control.size, 0};
    CHECK(syscall3(__NR_sendmsg, pair[0], &message, 0) == 5);
    char text[8] = "";
    part.base = text;
    part.size = sizeof text;
    memset(&control, 0, sizeof control);
    message.control_size = sizeof control;
    CHECK(syscall3(__NR_recvmsg, pair[1], &message, 0) == 5);
    CHECK(strcmp(text, "hello") == 0);
    CHECK(control.level == SOL_SOCKET && control.type == 1 && control.fds[0] > pair[1]);
    CHECK(write(control.fds[0], "abc", 3) == 3);
    int waiting = 0;
    CHECK(syscall3(__NR_ioctl, pair[1], FIONREAD, &waiting) == 0);
    CHECK(waiting == 3);
}

static void test_locks_and_futex(void)
{
    long fd = openat(AT_FDCWD, "file", O_RDWR, 0);
    kernel_flock lock = {F_WRLCK, 0, 5, 0x100000000, 0};
    CHECK(syscall3(NR_FCNTL, fd, SETLK, &lock) == 0);
    lock.l_type = F_RDLCK;
    CHECK(syscall3(NR_FCNTL, fd, GETLK, &lock) == 0);
    CHECK(lock.l_type == F_UNLCK); /* one's own lock is in nobody's way */
    close((int)fd);

    uint32_t word = 0x01020304;
    CHECK(syscall4(NR_FUTEX, &word, 0 /* WAIT */, 0x04030201, 0) == -EAGAIN);
    CHECK(syscall3(NR_FUTEX, &word, 1 /* WAKE */, 1) == 0);
    struct __kernel_timespec brief = {0, 1000000};
    CHECK(syscall4(NR_FUTEX, &word, 0, 0x01020304, &brief) == -ETIMEDOUT);
}

static void test_time(void)
{
    struct __kernel_timespec before, after, pause = {0, 3000000};
    CHECK(syscall2(NR_GETTIME, 1, &before) == 0);
    CHECK(syscall4(NR_NANOSLEEP, 1, 0, &pause, 0) == 0);
    CHECK(syscall2(NR_GETTIME, 1, &after) == 0);
    int64_t passed = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    CHECK(passed >= 3000000 && passed < 30000000000);
}

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    test_stat();
    test_directory();
    test_limits_and_names();
    test_events();
    test_sockets();
    test_locks_and_futex();
    test_time();
    CHECKS_DONE();
}
