/* The accesses of litmus.c, in the words of each ISA. */
#ifndef LITMUS_ACCESS_H
#define LITMUS_ACCESS_H

#ifdef __riscv
#define STR(p, v) __asm__ volatile("sd %1, 0(%0)" : : "r"(p), "r"((long)(v)) : "memory")
#define LOAD(insn, p) __extension__({ long v_; \
	__asm__ volatile(insn " %0, (%1)" : "=r"(v_) : "r"(p) : "memory"); v_; })
#define LDR(p) LOAD("ld", p)
#define FENCE(kind) __asm__ volatile("fence " kind : : : "memory")
/* By the kinds of Arm's barrier. */
#define DMB(kind) do { \
	if (!__builtin_strcmp(kind, "ishst")) \
		FENCE("w, w"); \
	else if (!__builtin_strcmp(kind, "ishld")) \
		FENCE("r, rw"); \
	else \
		FENCE("rw, rw"); \
} while (0)
#define DSB() FENCE("iorw, iorw")
#else
#define STR(p, v) __asm__ volatile("str %1, [%0]" : : "r"(p), "r"((long)(v)) : "memory")
#define LOAD(insn, p) __extension__({ long v_; \
	__asm__ volatile(insn " %0, [%1]" : "=r"(v_) : "r"(p) : "memory"); v_; })
#define LDR(p) LOAD("ldr", p)
#define DMB(kind) __asm__ volatile("dmb " kind : : : "memory")
#define DSB() __asm__ volatile("dsb ish" : : : "memory")
#endif

#ifdef __riscv
/* Sequentially consistent accesses, as compilers make them (RISC-V Unprivileged ISA, table A.6). */
#define STLR(p, v) do { FENCE("rw, w"); STR(p, v); } while (0)
#define LDAR(p) __extension__({ FENCE("rw, rw"); long w_ = LDR(p); FENCE("r, rw"); w_; })
#define LDR_DEP(p, dep) __extension__({ long v_; \
	__asm__ volatile("xor %0, %2, %2\n\tadd %0, %0, %1\n\tld %0, (%0)" \
			 : "=&r"(v_) : "r"(p), "r"(dep) : "memory"); v_; })
#define AMOSWAP(order, p, v) __extension__({ long v_; \
	__asm__ volatile("amoswap.d" order " %0, %2, (%1)" : "=r"(v_) : "r"(p), "r"((long)(v)) : "memory"); v_; })
#define EXCHANGE(load, store, p, v) __extension__({ long v_; int failed_; \
	__asm__ volatile("1: " load " %0, (%2)\n\t" store " %1, %3, (%2)\n\tbnez %1, 1b" \
			 : "=&r"(v_), "=&r"(failed_) : "r"(p), "r"((long)(v)) : "memory"); v_; })
#define EXCHANGE_RELAXED(p, v) EXCHANGE("lr.d", "sc.d", p, v)
#define EXCHANGE_ORDERED(p, v) EXCHANGE("lr.d.aqrl", "sc.d.rl", p, v)
#define STORE_EXCLUSIVE(p, v) EXCHANGE("lr.d", "sc.d.rl", p, v)
#define LOAD_EXCLUSIVE(p) LOAD("lr.d.aq", p)
#elif defined(__aarch64__)
#define STLR(p, v) __asm__ volatile("stlr %1, [%0]" : : "r"(p), "r"((long)(v)) : "memory")
#define LDAR(p) LOAD("ldar", p)
#define LDAPR(p) LOAD("ldapr", p)
/* A load whose address depends on `dep`. */
#define LDR_DEP(p, dep) __extension__({ long v_; \
	__asm__ volatile("eor %0, %2, %2\n\tldr %0, [%1, %0]" : "=&r"(v_) : "r"(p), "r"(dep) : "memory"); v_; })
/* Exchanges with acquire and release semantics. */
#define SWPAL(p, v) __extension__({ long v_; \
	__asm__ volatile("swpal %2, %0, [%1]" : "=&r"(v_) : "r"(p), "r"((long)(v)) : "memory"); v_; })
/* Exclusives: `load` and `store` say whether they acquire and release. */
#define EXCHANGE(load, store, p, v) __extension__({ long v_; int failed_; \
	__asm__ volatile("1: " load " %0, [%2]\n\t" store " %w1, %3, [%2]\n\tcbnz %w1, 1b" \
			 : "=&r"(v_), "=&r"(failed_) : "r"(p), "r"((long)(v)) : "memory"); v_; })
#define EXCHANGE_RELAXED(p, v) EXCHANGE("ldxr", "stxr", p, v)
#define EXCHANGE_ORDERED(p, v) EXCHANGE("ldaxr", "stlxr", p, v)
#define STORE_EXCLUSIVE(p, v) EXCHANGE("ldxr", "stlxr", p, v)
#define LOAD_EXCLUSIVE(p) LOAD("ldaxr", p)
#else
/* LDA and STL are Armv8's (AArch32): the names of AArch64's here. */
#define STLR(p, v) __asm__ volatile("stl %1, [%0]" : : "r"(p), "r"(v) : "memory")
#define LDAR(p) LOAD("lda", p)
#define LDR_DEP(p, dep) __extension__({ long v_; \
	__asm__ volatile("eor %0, %2, %2\n\tldr %0, [%1, %0]" : "=&r"(v_) : "r"(p), "r"(dep) : "memory"); v_; })
#define EXCHANGE(load, store, p, v) __extension__({ long v_; int failed_; \
	__asm__ volatile("1: " load " %0, [%2]\n\t" store " %1, %3, [%2]\n\tcmp %1, #0\n\tbne 1b" \
			 : "=&r"(v_), "=&r"(failed_) : "r"(p), "r"((long)(v)) : "memory", "cc"); v_; })
#define EXCHANGE_RELAXED(p, v) EXCHANGE("ldrex", "strex", p, v)
#define EXCHANGE_ORDERED(p, v) EXCHANGE("ldaex", "stlex", p, v)
#define STORE_EXCLUSIVE(p, v) EXCHANGE("ldrex", "stlex", p, v)
#define LOAD_EXCLUSIVE(p) LOAD("ldaex", p)
/* Armv6's barrier: CP15DMB, deprecated and still there. */
#define CP15DMB() __asm__ volatile("mcr p15, 0, %0, c7, c10, 5" : : "r"(0) : "memory")
/* What the kernel offers to programs that do not know their processor (Documentation/arm/kernel_user_helpers.rst). */
#define KUSER_DMB() ((void (*)(void))0xffff0fa0)()
#endif

#endif
