// The batch oracle of MIPS, little-endian, run by qemu-mipsel or qemu-mips64el: as sve.c, one instruction a case. It has no C library,
// as there is none for all releases and NaNs that it is built for. What the signal frame does not have (FCSR, MSA) the handler moves
// itself: nothing else uses it. Input: a count, instructions, states.
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY = 1024, MOST = 4096 };

struct state {
    uint64_t r[32], hi[4], lo[4], pc;
    uint32_t signal, code, fcsr, dsp, msacsr, pad;
    uint64_t fault;
    uint64_t w[32][2];
    uint8_t memory[MEMORY];
};

static uint8_t *const window = (uint8_t *)0x20000c00;
// An instruction, what is in its delay slot, and breakpoints.
static uint32_t (*const slots)[4] = (uint32_t (*)[4])0x30000000;
static struct state in[MOST], out[MOST];
static uint32_t code[MOST], count, now, begun;
static uint8_t stack[1 << 17] __attribute__((aligned(16)));

static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long v0 __asm__("$2") = number, a0 __asm__("$4") = a, a1 __asm__("$5") = b, a2 __asm__("$6") = c, a3 __asm__("$7") = d;
#if _MIPS_SIM == _ABIO32
    __asm__ volatile("subu $29, 32; sw %5, 16($29); sw %6, 20($29); syscall; addu $29, 32"
                     : "+r"(v0), "+r"(a3)
                     : "r"(a0), "r"(a1), "r"(a2), "r"(e), "r"(f)
                     : "$1", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "memory");
#else
    register long a4 __asm__("$8") = e, a5 __asm__("$9") = f;
    __asm__ volatile("syscall"
                     : "+r"(v0), "+r"(a3)
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a4), "r"(a5)
                     : "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "memory");
#endif
    return a3 ? -1 : v0;
}

static void leave(int status) {
    call(__NR_exit_group, status, 0, 0, 0, 0, 0);
    for (;;)
        ;
}

static void all(long number, int fd, void *p, size_t n) {
    for (uint8_t *c = p; n != 0;) {
        long k = call(number, fd, (long)c, n, 0, 0, 0);
        if (k <= 0)
            leave(4);
        c += k;
        n -= k;
    }
}

static void copy(void *to, const void *from, size_t n) {
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

#ifdef __mips_msa
#define EACH(X, w)                                                                                              \
    X(w, 0) X(w, 1) X(w, 2) X(w, 3) X(w, 4) X(w, 5) X(w, 6) X(w, 7) X(w, 8) X(w, 9) X(w, 10) X(w, 11) X(w, 12)  \
    X(w, 13) X(w, 14) X(w, 15) X(w, 16) X(w, 17) X(w, 18) X(w, 19) X(w, 20) X(w, 21) X(w, 22) X(w, 23) X(w, 24) \
    X(w, 25) X(w, 26) X(w, 27) X(w, 28) X(w, 29) X(w, 30) X(w, 31)
#define SAVE(w, n) __asm__ volatile("st.d $w" #n ", 0(%0)" : : "r"(w[n]) : "memory");
#define LOAD(w, n) __asm__ volatile("ld.d $w" #n ", 0(%0)" : : "r"(w[n]) : "memory");
#endif

#if _MIPS_SIM == _ABIO32
#define SIGNED (int32_t)
#else
#define SIGNED
#endif

static void on_signal(int number, siginfo_t *info, void *context) {
    struct sigcontext *m = &((struct ucontext *)context)->uc_mcontext;
    uint32_t fcsr, msacsr = 0;
    __asm__ volatile("cfc1 %0, $31" : "=r"(fcsr));
#ifdef __mips_msa
    __asm__ volatile("cfcmsa %0, $1" : "=r"(msacsr));
#endif
    if (begun) {
        struct state *o = &out[now];
#ifdef __mips_msa
        EACH(SAVE, o->w)
#endif
        for (int n = 0; n < 32; n++) {
            o->r[n] = m->sc_regs[n];
            o->w[n][0] = m->sc_fpregs[n];
        }
        o->hi[0] = m->sc_mdhi, o->hi[1] = SIGNED m->sc_hi1, o->hi[2] = SIGNED m->sc_hi2, o->hi[3] = SIGNED m->sc_hi3;
        o->lo[0] = m->sc_mdlo, o->lo[1] = SIGNED m->sc_lo1, o->lo[2] = SIGNED m->sc_lo2, o->lo[3] = SIGNED m->sc_lo3;
        o->pc = m->sc_pc - (uintptr_t)slots[now];
        o->signal = number;
        o->code = info->si_code;
        o->fault = (uintptr_t)info->si_addr;
        o->fcsr = fcsr;
        o->dsp = m->sc_dsp;
        o->msacsr = msacsr;
        copy(o->memory, window, MEMORY);
        if (++now == count) {
            all(__NR_write, 1, out, count * sizeof *out);
            leave(0);
        }
    }
    begun = 1;
    struct state *i = &in[now];
    copy(window, i->memory, MEMORY);
    for (int n = 0; n < 32; n++) {
        m->sc_regs[n] = i->r[n];
        m->sc_fpregs[n] = i->w[n][0];
    }
    m->sc_mdhi = i->hi[0], m->sc_hi1 = i->hi[1], m->sc_hi2 = i->hi[2], m->sc_hi3 = i->hi[3];
    m->sc_mdlo = i->lo[0], m->sc_lo1 = i->lo[1], m->sc_lo2 = i->lo[2], m->sc_lo3 = i->lo[3];
    m->sc_dsp = i->dsp;
    m->sc_fpc_csr = i->fcsr;
    m->sc_pc = (uintptr_t)slots[now];
#ifdef __mips_msa
    EACH(LOAD, i->w)
    __asm__ volatile("ctcmsa $1, %0" : : "r"(i->msacsr));
#endif
    __asm__ volatile("ctc1 %0, $31" : : "r"(i->fcsr));
}

struct action {
    unsigned int flags;
    void (*handler)(int, siginfo_t *, void *);
    uint8_t mask[16];
};

static void begin(void) {
    int all_of = 7 /* PROT_READ | PROT_WRITE | PROT_EXEC */, flags = 0x812 /* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */;
    all(__NR_read, 0, &count, sizeof count);
    if (count > MOST)
        leave(1);
    all(__NR_read, 0, code, count * sizeof *code);
    all(__NR_read, 0, in, count * sizeof *in);
    if (call(__NR_mmap, 0x20000000, 0x1000, all_of, flags, -1, 0) != 0x20000000 ||
        call(__NR_mmap, (long)slots, MOST * sizeof *slots, all_of, flags, -1, 0) != (long)slots)
        leave(2);
    for (uint32_t n = 0; n < count; n++) {
        slots[n][0] = code[n];
        slots[n][1] = slots[n][2] = slots[n][3] = 0x0000000d; // BREAK
        // A branch's.
        if (in[n].pc)
            slots[n][1] = 0;
    }
    stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    call(__NR_sigaltstack, (long)&s, 0, 0, 0, 0, 0);
    struct action action = {.flags = SA_ONSTACK | SA_SIGINFO, .handler = on_signal};
    static const int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
    for (int n = 0; n < 5; n++)
        if (call(__NR_rt_sigaction, signals[n], (long)&action, 0, sizeof action.mask, 0, 0))
            leave(3);
    __asm__ volatile("break");
    leave(5);
}

void __start(void) { begin(); }
