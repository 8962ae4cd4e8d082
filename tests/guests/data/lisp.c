/* A small Lisp: what the guest's compiler compiles, and what the result runs. Reader, evaluator
 * with lexical closures and tail calls, a mark-and-sweep collector, and a few numeric routines,
 * so that a compiler has loops, recursion, floating point, switches and pointers to work on. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { NIL, NUMBER, SYMBOL, PAIR, PRIMITIVE, CLOSURE };

struct object {
    enum type type;
    unsigned char marked;
    struct object *next;
    union {
        double number;
        char name[24];
        struct { struct object *first, *rest; } pair;
        struct object *(*primitive)(struct object *args);
        struct { struct object *params, *body, *env; } closure;
    } u;
};

static struct object nil_object = {.type = NIL};
#define nil (&nil_object)

static struct object *heap, *symbols = nil, *global;
static struct object *roots[4096];
static int root_count;
static unsigned live, allocated, collections;
static unsigned threshold = 2000;

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("error: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    exit(1);
}

static void mark(struct object *o)
{
    while (o && !o->marked) {
        o->marked = 1;
        switch (o->type) {
        case PAIR:
            mark(o->u.pair.first);
            o = o->u.pair.rest;
            break;
        case CLOSURE:
            mark(o->u.closure.params);
            mark(o->u.closure.body);
            o = o->u.closure.env;
            break;
        default:
            return;
        }
    }
}

static void collect(void)
{
    collections++;
    mark(symbols);
    mark(global);
    for (int i = 0; i < root_count; i++)
        mark(roots[i]);
    live = 0;
    for (struct object **link = &heap; *link;) {
        struct object *o = *link;
        if (o->marked) {
            o->marked = 0;
            live++;
            link = &o->next;
        } else {
            *link = o->next;
            free(o);
        }
    }
    nil->marked = 0;
    threshold = live * 2 + 2000;
}

static struct object *push(struct object *o)
{
    if (root_count == (int)(sizeof roots / sizeof *roots))
        fail("too deep");
    return roots[root_count++] = o;
}

static struct object *new(enum type type)
{
    if (live + 1 > threshold)
        collect();
    struct object *o = calloc(1, sizeof *o);
    if (!o)
        fail("no memory");
    o->type = type;
    o->next = heap;
    heap = o;
    live++;
    allocated++;
    return o;
}

static struct object *number(double value)
{
    struct object *o = new(NUMBER);
    o->u.number = value;
    return o;
}

static struct object *cons(struct object *first, struct object *rest)
{
    int mark_at = root_count;
    push(first);
    push(rest);
    struct object *o = new(PAIR);
    root_count = mark_at;
    o->u.pair.first = first;
    o->u.pair.rest = rest;
    return o;
}

static struct object *car(struct object *o)
{
    if (o->type != PAIR)
        fail("car of no pair");
    return o->u.pair.first;
}

static struct object *cdr(struct object *o)
{
    if (o->type != PAIR)
        fail("cdr of no pair");
    return o->u.pair.rest;
}

static struct object *intern(const char *name)
{
    for (struct object *s = symbols; s != nil; s = cdr(s))
        if (!strcmp(car(s)->u.name, name))
            return car(s);
    struct object *o = new(SYMBOL);
    snprintf(o->u.name, sizeof o->u.name, "%s", name);
    symbols = cons(o, symbols);
    return o;
}

/* ---- reader ---- */

static const char *input;

static struct object *read_object(void);

static struct object *read_list(void)
{
    while (isspace((unsigned char)*input))
        input++;
    if (!*input)
        fail("unexpected end");
    if (*input == ')') {
        input++;
        return nil;
    }
    int mark_at = root_count;
    struct object *first = push(read_object());
    struct object *rest = push(read_list());
    struct object *o = cons(first, rest);
    root_count = mark_at;
    return o;
}

static struct object *read_object(void)
{
    while (isspace((unsigned char)*input))
        input++;
    if (*input == '(') {
        input++;
        return read_list();
    }
    if (*input == '\'') {
        input++;
        struct object *quoted = push(cons(read_object(), nil));
        struct object *o = cons(intern("quote"), quoted);
        root_count--;
        return o;
    }
    char token[24];
    size_t n = 0;
    while (*input && !isspace((unsigned char)*input) && !strchr("()'", *input)) {
        if (n < sizeof token - 1)
            token[n++] = *input;
        input++;
    }
    token[n] = 0;
    char *end;
    double value = strtod(token, &end);
    return n && !*end ? number(value) : intern(token);
}

static void print(struct object *o)
{
    switch (o->type) {
    case NIL: fputs("()", stdout); break;
    case NUMBER: printf("%.10g", o->u.number); break;
    case SYMBOL: fputs(o->u.name, stdout); break;
    case PRIMITIVE: fputs("<primitive>", stdout); break;
    case CLOSURE: fputs("<closure>", stdout); break;
    case PAIR:
        putchar('(');
        for (; o->type == PAIR; o = cdr(o)) {
            print(car(o));
            if (cdr(o) != nil)
                putchar(' ');
        }
        if (o != nil) {
            fputs(". ", stdout);
            print(o);
        }
        putchar(')');
    }
}

/* ---- evaluator ---- */

static struct object *lookup(struct object *name, struct object *env)
{
    for (; env != nil; env = cdr(env))
        if (car(car(env)) == name)
            return car(env);
    for (struct object *g = global; g != nil; g = cdr(g))
        if (car(car(g)) == name)
            return car(g);
    fail("unbound: %s", name->u.name);
    return nil;
}

static struct object *eval(struct object *x, struct object *env);

static struct object *eval_list(struct object *list, struct object *env)
{
    if (list == nil)
        return nil;
    int mark_at = root_count;
    struct object *first = push(eval(car(list), env));
    struct object *rest = push(eval_list(cdr(list), env));
    struct object *o = cons(first, rest);
    root_count = mark_at;
    return o;
}

static struct object *eval(struct object *x, struct object *env)
{
    int mark_at = root_count;
    push(x);
    push(env);
    for (;;) {
        if (x->type == SYMBOL) {
            x = cdr(lookup(x, env));
            break;
        }
        if (x->type != PAIR)
            break;
        struct object *head = car(x);
        if (head == intern("quote")) {
            x = car(cdr(x));
            break;
        }
        if (head == intern("if")) {
            struct object *branches = cdr(cdr(x));
            if (eval(car(cdr(x)), env) != nil)
                x = car(branches);
            else
                x = cdr(branches) == nil ? nil : car(cdr(branches));
            continue;
        }
        if (head == intern("lambda")) {
            struct object *c = new(CLOSURE);
            c->u.closure.params = car(cdr(x));
            c->u.closure.body = car(cdr(cdr(x)));
            c->u.closure.env = env;
            x = c;
            break;
        }
        if (head == intern("define")) {
            struct object *value = push(eval(car(cdr(cdr(x))), env));
            struct object *binding = push(cons(car(cdr(x)), value));
            global = cons(binding, global);
            x = car(cdr(x));
            break;
        }
        struct object *f = push(eval(head, env));
        struct object *args = push(eval_list(cdr(x), env));
        if (f->type == PRIMITIVE) {
            x = f->u.primitive(args);
            break;
        }
        if (f->type != CLOSURE)
            fail("not a function");
        struct object *frame = f->u.closure.env;
        struct object *p = f->u.closure.params;
        for (; p != nil; p = cdr(p), args = cdr(args)) {
            struct object *binding = push(cons(car(p), car(args)));
            frame = push(cons(binding, frame));
        }
        x = f->u.closure.body; /* a tail call: no recursion */
        env = frame;
        root_count = mark_at;
        push(x);
        push(env);
    }
    root_count = mark_at;
    return x;
}

#define ARITHMETIC(name, start, operation)                       \
    static struct object *name(struct object *args)              \
    {                                                            \
        double r = args == nil ? start : car(args)->u.number;    \
        for (args = cdr(args); args != nil; args = cdr(args)) {  \
            double v = car(args)->u.number;                      \
            r = operation;                                       \
        }                                                        \
        return number(r);                                        \
    }

ARITHMETIC(add, 0, r + v)
ARITHMETIC(subtract, 0, r - v)
ARITHMETIC(multiply, 1, r * v)
ARITHMETIC(divide, 1, r / v)
ARITHMETIC(modulo, 0, fmod(r, v))

static struct object *truth;
static struct object *less(struct object *a)
{
    return car(a)->u.number < car(cdr(a))->u.number ? truth : nil;
}
static struct object *equal(struct object *a)
{
    struct object *x = car(a), *y = car(cdr(a));
    return x == y || (x->type == NUMBER && y->type == NUMBER && x->u.number == y->u.number)
               ? truth : nil;
}
static struct object *first(struct object *a) { return car(car(a)); }
static struct object *rest(struct object *a) { return cdr(car(a)); }
static struct object *pair(struct object *a) { return cons(car(a), car(cdr(a))); }
static struct object *root(struct object *a) { return number(sqrt(car(a)->u.number)); }

static const struct { const char *name; struct object *(*function)(struct object *); } table[] = {
    {"+", add}, {"-", subtract}, {"*", multiply}, {"/", divide}, {"%", modulo}, {"<", less},
    {"=", equal}, {"car", first}, {"cdr", rest}, {"cons", pair}, {"sqrt", root},
};

static const char *program =
    "(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))\n"
    "(fib 17)\n"
    "(define range (lambda (a b) (if (< a b) (cons a (range (+ a 1) b)) '())))\n"
    "(define map (lambda (f l) (if (= l '()) l (cons (f (car l)) (map f (cdr l))))))\n"
    "(define fold (lambda (f a l) (if (= l '()) a (fold f (f a (car l)) (cdr l)))))\n"
    "(map (lambda (x) (* x x)) (range 0 12))\n"
    "(fold + 0 (map sqrt (range 0 200)))\n"
    "(define loop (lambda (n a) (if (= n 0) a (loop (- n 1) (+ a (% n 7))))))\n"
    "(loop 20000 0)\n"
    "(define adder (lambda (n) (lambda (x) (+ x n))))\n"
    "((adder 40) 2)\n"
    "(define ack (lambda (m n) (if (= m 0) (+ n 1) (if (= n 0) (ack (- m 1) 1)"
    " (ack (- m 1) (ack m (- n 1)))))))\n"
    "(ack 2 6)\n"
    "(cons 1 (cons 2 3))\n"
    "(/ 355 113)\n";

/* ---- some plain C: a hash and a matrix ---- */

static uint32_t crc32(const void *data, size_t size)
{
    uint32_t crc = ~0u;
    for (const unsigned char *p = data; size--; p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static double determinant(int n)
{
    double m[12][12], result = 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            m[i][j] = i == j ? n + 1 : 1.0 / (i + j + 1);
    for (int k = 0; k < n; k++) {
        for (int i = k + 1; i < n; i++) {
            double factor = m[i][k] / m[k][k];
            for (int j = k; j < n; j++)
                m[i][j] -= factor * m[k][j];
        }
        result *= m[k][k];
    }
    return result;
}

int main(void)
{
    global = nil;
    truth = intern("t");
    global = cons(cons(truth, truth), global);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct object *o = new(PRIMITIVE);
        o->u.primitive = table[i].function;
        push(o);
        global = cons(cons(intern(table[i].name), o), global);
        root_count--;
    }
    for (input = program; *input;) {
        struct object *x = push(read_object());
        print(eval(x, nil));
        putchar('\n');
        root_count = 0;
        while (isspace((unsigned char)*input))
            input++;
    }
    printf("%s\n", collections > 5 && allocated > 100000 ? "collected" : "never collected");
    printf("crc %08x\n", (unsigned)crc32("123456789", 9));
    printf("det %.9g\n", determinant(10));
    return 0;
}
