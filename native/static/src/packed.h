/* The modules of Python that are in the executable (`tools/freeze.py` makes the tables). */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A module that is inflated when it is imported. */
struct packed_module {
    const char *name;
    unsigned at; /* where it begins in qusr_code */
    unsigned packed; /* its bytes there, as zlib's compress(3) makes them */
    unsigned size; /* the bytes that they stand for: marshalled code */
    int is_package;
};

extern const unsigned char qusr_code[];
extern const struct _frozen qusr_frozen[];
/* In the order of their names. */
extern const struct packed_module qusr_packed[];
extern const int qusr_packed_count;

/* The module _packed_code, and what has its finder looked at by `import`: 0, or -1 with an exception. */
PyObject *PyInit__packed_code(void);
int qusr_find_packed(void);
