// A static program whose code is guarded by its ELF note: no C library, whose objects may not be marked.
typedef long (*function)(long);

static long call(long number, long a, long b, long c)
{
    register long x8 asm("x8") = number, x0 asm("x0") = a, x1 asm("x1") = b, x2 asm("x2") = c;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

static long twice(long n) { return 2 * n; }
static long next(long n) { return n + 1; }
static const function volatile table[] = {twice, next};

__attribute__((noinline)) static long switched(long n)
{
    switch (n & 15) {
    case 0: return table[0](n);
    case 1: return 77 * n;
    case 2: return n ^ 5;
    case 3: return table[1](n);
    case 4: return n - 9;
    case 5: return n << 3;
    case 6: return ~n;
    case 7: return n * n;
    case 8: return n / 3;
    case 9: return n | 64;
    default: return 3;
    }
}

asm(".globl _start\n_start: bti c\n\tldr x0, [sp]\n\tb begin\n");

__attribute__((used)) void begin(long argc)
{
    long sum = 0;
    for (long n = 0; n < 300000; n++)
        sum = sum * 31 + switched(n);
    char text[17];
    for (int n = 0; n < 16; n++)
        text[n] = "0123456789abcdef"[sum >> (60 - 4 * n) & 15];
    text[16] = '\n';
    call(64, 1, (long)text, 17);
    if (argc > 1) // behind the instruction that functions begin with
        ((function)((char *)table[1] + 4))(1);
    call(94, 0, 0, 0);
}
