// arches: arm
// cflags-arm: -marm
// What compiled code does with carries and conditions within a few instructions: a carry as a number that is compared and
// then overwritten, conditions joined, shifts by a register with flags.
#include "../check.h"

#include <stdint.h>

// The carry of a + b, compared with `with` before its register is used for something else: bit 0, and the other's value.
static uint32_t carry_compared(uint32_t a, uint32_t b, uint32_t with) {
    uint32_t equal, other;
    __asm__("adds %1, %2, %3\n\tmov %1, #0\n\tadc %1, %1, #0\n\tcmp %1, %4\n\tmov %1, #6\n\tmoveq %0, #1\n\tmovne %0, #0"
            : "=&r"(equal), "=&r"(other) : "r"(a), "r"(b), "r"(with) : "cc");
    return equal | other << 1;
}

// The same of two words: whether a carry and a second number are `with` and `second`.
static uint32_t both_compared(uint32_t a, uint32_t b, uint32_t with, uint32_t second) {
    uint32_t carry = 0, equal;
    __asm__("adds r3, %2, %3\n\tadc %1, %1, #0\n\tcmp %5, #7\n\tcmpeq %1, %4\n\tmoveq %1, #1\n\tmovne %1, #0\n\tmov %0, %1"
            : "=&r"(equal), "+&r"(carry) : "r"(a), "r"(b), "r"(with), "r"(second) : "cc", "r3");
    return equal;
}

enum shift { LSL, LSR, ASR, ROR };

// Value, and N, Z, C at bits 34, 33, 32, of a shift by a register; `carry` is C before.
static uint64_t shifted(enum shift how, uint32_t v, uint32_t by, uint32_t carry) {
    uint32_t r, flags;
#define SHIFT(op)                                                                                       \
    __asm__("lsrs %0, %4, #1\n\tmovs %0, %2, " op " %3\n\tmrs %1, cpsr" : "=&r"(r), "=&r"(flags)        \
            : "r"(v), "r"(by), "r"(carry) : "cc")
    switch (how) {
    case LSL: SHIFT("lsl"); break;
    case LSR: SHIFT("lsr"); break;
    case ASR: SHIFT("asr"); break;
    case ROR: SHIFT("ror"); break;
    }
    return (uint64_t)(flags >> 29 & 7) << 32 | r;
}

// By the Arm ARM (Shift_C): bit by bit.
static uint64_t shifted_slowly(enum shift how, uint32_t v, uint32_t by, uint32_t carry) {
    for (by &= 255; by; by--) {
        uint32_t top = v >> 31, low = v & 1;
        carry = how == LSL ? top : low;
        v = how == LSL ? v << 1 : v >> 1 | (how == ASR ? top : how == ROR ? low : 0) << 31;
    }
    return (uint64_t)((v >> 31) << 2 | (v == 0) << 1 | carry) << 32 | v;
}

CHECK(carries_are_numbers) {
    EQ(carry_compared(0xffffffff, 1, 1), 13);
    EQ(carry_compared(0xffffffff, 1, 0), 12);
    EQ(carry_compared(0xfffffffe, 1, 0), 13);
    EQ(both_compared(0xffffffff, 2, 1, 7), 1);
    EQ(both_compared(0xffffffff, 0, 1, 7), 0);
    EQ(both_compared(0xffffffff, 2, 1, 8), 0);
}

CHECK(shifts_by_a_register_set_the_carry) {
    static const uint32_t values[] = {0, 1, 0x80000000, 0x80000001, 0x7fffffff, 0xffffffff, 0x12345678};
    int wrong = 0;
    for (unsigned how = LSL; how <= ROR; how++)
        for (unsigned n = 0; n < sizeof values / sizeof *values; n++)
            for (uint32_t by = 0; by < 256 + 40; by++)
                for (uint32_t carry = 0; carry < 2; carry++)
                    if (shifted(how, values[n], by, carry) != shifted_slowly(how, values[n], by, carry)) wrong++;
    EQ(wrong, 0);
}

CHECK_MAIN
