// What the batch programs share: whole reads and writes, and a copy that makes no call, for handlers of signals that come in the
// middle of a case.
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

static int all(ssize_t (*move)(int, void *, size_t), int fd, void *p, size_t n) {
    for (char *c = p; n != 0;) {
        ssize_t k = move(fd, c, n);
        if (k <= 0)
            return 0;
        c += k;
        n -= k;
    }
    return 1;
}

static ssize_t put(int fd, void *p, size_t n) { return write(fd, p, n); }

static inline void copy(void *to, const void *from, size_t n) {
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}
