// Thumb IT blocks whose loads and stores are the first to touch a page.
// arches: thumb
#include "nolibc.h"

static char pages[64][4096] __attribute__((aligned(4096)));

/* The condition of the IT block holds, and no longer does in the block of code behind it, whose
 * first instructions must be executed all the same. */
static int after_it(void *load, void *store)
{
    int done;
    __asm__ volatile("movs %0, #0\n\t"
                     "cmp %3, #0\n\t"
                     "itttt gt\n\t"
                     "ldrgt r3, [%1]\n\t"
                     "strgt r3, [%2]\n\t"
                     "addgt r3, r3, #1\n\t"
                     "addgt r3, r3, #1\n\t"
                     "cmp %3, #2\n\t"
                     "b 1f\n\t"
                     "nop\n"
                     "1:\n\t"
                     "adds %0, %0, #1\n\t"
                     "adds %0, %0, #1\n\t"
                     "adds %0, %0, #1"
                     : "=&r"(done)
                     : "r"(load), "r"(store), "r"(1)
                     : "r3", "cc", "memory");
    return done;
}

int main(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    int right = 0;
    for (int i = 0; i < 64; i += 2)
        right += after_it(pages[i], pages[i + 1]) == 3;
    CHECK(right == 32);
    CHECKS_DONE();
}
