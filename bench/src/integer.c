// Integer work: lists, a matrix, a state machine and CRC as CoreMark has them, but our own; then
// sorting with a comparison function, recursion, calls through pointers.
// flags: -fno-tree-vectorize
#include "bench.h"

// --- lists: built, sorted by merging, searched, reversed ---

struct node {
    struct node *next;
    int key, index;
};

static struct node *merge(struct node *a, struct node *b) {
    struct node head, *last = &head;
    while (a && b) {
        struct node **least = a->key <= b->key ? &a : &b;
        last->next = *least;
        last = *least;
        *least = (*least)->next;
    }
    last->next = a ? a : b;
    return head.next;
}

static KEEP struct node *sort(struct node *list, int size) {
    if (size == 1) {
        list->next = NULL;
        return list;
    }
    struct node *middle = list;
    for (int i = 0; i < size / 2; i++) middle = middle->next;
    struct node *rest = sort(middle, size - size / 2);
    return merge(sort(list, size / 2), rest);
}

static KEEP struct node *reverse(struct node *list) {
    struct node *done = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static uint64_t run_list(unsigned long count) {
    enum { SIZE = 1000 };
    static struct node nodes[SIZE];
    uint64_t random = 1, sum = 0;
    for (unsigned long round = 0; round < count; round++) {
        for (int i = 0; i < SIZE; i++) {
            nodes[i].key = (int)(next_random(&random) >> 50);
            nodes[i].index = i;
            nodes[i].next = i + 1 < SIZE ? &nodes[i + 1] : NULL;
        }
        struct node *list = sort(reverse(nodes), SIZE);
        int seen = 1;
        for (struct node *n = list; n->next; n = n->next, seen++)
            if (n->key > n->next->key) wrong("list: not sorted");
        if (seen != SIZE) wrong("list: %d of %d nodes", seen, SIZE);
        int wanted = nodes[round % SIZE].key, steps = 0;
        for (struct node *n = list; n->key != wanted; n = n->next) steps++;
        sum = mix(sum, (uint64_t)steps * SIZE + list->index);
    }
    return sum;
}

// --- a matrix of small integers ---

enum { N = 48 };

static KEEP void multiply(const int16_t (*a)[N], const int16_t (*b)[N], int32_t (*out)[N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t sum = 0;
            for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
            out[i][j] = sum;
        }
}

static uint64_t run_matrix(unsigned long count) {
    static int16_t a[N][N], b[N][N], ones[N][N];
    static int32_t out[N][N];
    uint64_t random = 2, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int16_t)(next_random(&random) >> 54);
            b[i][j] = (int16_t)(next_random(&random) >> 54);
            ones[i][j] = i == j;
        }
    multiply(a, ones, out);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (out[i][j] != a[i][j]) wrong("matrix: times one is another matrix");
    for (unsigned long round = 0; round < count; round++) {
        multiply(a, b, out);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                sum = mix(sum, (uint32_t)out[i][j]);
                a[i][j] = (int16_t)((a[i][j] + (out[i][j] >> 4 & 7)) & 1023);
            }
    }
    return sum;
}

// --- a state machine that tells numbers apart ---

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, SCALE_SIGN, SCALE, INVALID, STATES };

static KEEP enum state scan(const char **text) {
    enum state state = START;
    const char *p = *text;
    for (; *p && *p != ','; p++) {
        char c = *p;
        int digit = c >= '0' && c <= '9';
        switch (state) {
        case START:
            state = digit ? INTEGER : c == '-' || c == '+' ? SIGN : c == '.' ? POINT : INVALID;
            break;
        case SIGN: state = digit ? INTEGER : c == '.' ? POINT : INVALID; break;
        case INTEGER:
            state = digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
            break;
        case POINT: state = digit ? FRACTION : INVALID; break;
        case FRACTION: state = digit ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
        case EXPONENT: state = digit ? SCALE : c == '-' || c == '+' ? SCALE_SIGN : INVALID; break;
        case SCALE_SIGN: state = digit ? SCALE : INVALID; break;
        case SCALE: state = digit ? SCALE : INVALID; break;
        default: break;
        }
    }
    *text = *p ? p + 1 : p;
    return state;
}

static uint64_t run_state(unsigned long count) {
    static const char text[] = "5012,1234.500,-874,+122,35.54400,.1234500,-110.700,+0.64400,"
                               "5.500e+3,-.123e-2,-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z";
    unsigned long seen[STATES] = {0};
    for (unsigned long round = 0; round < count; round++)
        for (const char *p = text; *p;) seen[scan(&p)]++;
    // Three integers, five fractions, four with an exponent, three that are no numbers.
    if (seen[INTEGER] != 3 * count || seen[FRACTION] != 5 * count ||
        seen[SCALE] != 4 * count || seen[INVALID] != 3 * count)
        wrong("state: %lu %lu %lu %lu of %lu", seen[INTEGER], seen[FRACTION], seen[SCALE],
              seen[INVALID], count);
    return seen[SCALE];
}

// --- CRC-32, a bit at a time and by table ---

static KEEP uint32_t crc_bits(const uint8_t *data, size_t size) {
    uint32_t crc = ~0u;
    while (size--) {
        crc ^= *data++;
        for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static KEEP uint32_t crc_table(const uint32_t *table, const uint8_t *data, size_t size) {
    uint32_t crc = ~0u;
    while (size--) crc = crc >> 8 ^ table[(crc ^ *data++) & 255];
    return ~crc;
}

static uint64_t run_crc(unsigned long count) {
    static uint8_t data[2000];
    uint32_t table[256];
    uint64_t random = 3, sum = 0;
    // The check value of CRC-32/ISO-HDLC.
    if (crc_bits((const uint8_t *)"123456789", 9) != 0xCBF43926) wrong("crc: bad check value");
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
        table[i] = crc;
    }
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(next_random(&random) >> 56);
    for (unsigned long round = 0; round < count; round++) {
        data[round % sizeof data]++;
        uint32_t crc = crc_bits(data, sizeof data);
        for (int i = 0; i < 4; i++)
            if (crc_table(table, data, sizeof data) != crc) wrong("crc: table and bits differ");
        sum = mix(sum, crc);
    }
    return sum;
}

// --- the rest ---

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// Not the C library's qsort, of which every library has another one.
static KEEP void quicksort(uint32_t *a, long low, long high, int (*less)(const void *, const void *)) {
    while (low < high) {
        uint32_t pivot = a[low + (high - low) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (less(&a[i], &pivot) < 0) i++;
            while (less(&a[j], &pivot) > 0) j--;
            if (i <= j) {
                uint32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quicksort(a, low, j, less);
        low = i;
    }
}

static uint64_t run_qsort(unsigned long count) {
    enum { SIZE = 10000 };
    static uint32_t a[SIZE];
    uint64_t random = 4, sum = 0;
    for (unsigned long round = 0; round < count; round++) {
        uint64_t before = 0, after = 0;
        for (int i = 0; i < SIZE; i++) before += a[i] = (uint32_t)(next_random(&random) >> 32);
        quicksort(a, 0, SIZE - 1, compare);
        for (int i = 0; i < SIZE; i++) {
            after += a[i];
            if (i && a[i - 1] > a[i]) wrong("qsort: not sorted");
        }
        if (before != after) wrong("qsort: other numbers than before");
        sum = mix(sum, a[SIZE / 3]);
    }
    return sum;
}

static KEEP unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static uint64_t run_fib(unsigned long count) {
    for (unsigned long round = 0; round < count; round++)
        if (fib(24) != 46368) wrong("fib(24) is not 46368");
    return count;
}

static KEEP uint64_t op_add(uint64_t a, uint64_t b) { return a + b; }
static KEEP uint64_t op_sub(uint64_t a, uint64_t b) { return a - b; }
static KEEP uint64_t op_xor(uint64_t a, uint64_t b) { return a ^ b; }
static KEEP uint64_t op_mul(uint64_t a, uint64_t b) { return a * (b | 1); }
static KEEP uint64_t op_ror(uint64_t a, uint64_t b) { return a >> (b & 31) | a << (63 & -(b & 31)); }

static uint64_t run_indirect(unsigned long count) {
    static uint64_t (*const volatile ops[8])(uint64_t, uint64_t) = {
        op_add, op_sub, op_xor, op_mul, op_ror, op_xor, op_add, op_mul,
    };
    uint64_t sum = 1, random = 5;
    uint8_t program[256];
    for (int i = 0; i < 256; i++) program[i] = (uint8_t)(next_random(&random) >> 61);
    for (unsigned long round = 0; round < count; round++)
        for (int i = 0; i < 256; i++) sum = ops[program[i]](sum, round + i);
    return sum;
}

int main(int argc, char **argv) {
    static const struct workload table[] = {
        {"list", run_list},   {"matrix", run_matrix}, {"state", run_state},
        {"crc", run_crc},     {"qsort", run_qsort},   {"fib", run_fib},
        {"indirect", run_indirect}, {0},
    };
    return bench_main(argc, argv, table);
}
