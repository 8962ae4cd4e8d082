/* Modules that few starts import: kept packed, inflated by zlib one by one as they are imported.

   What `import` itself has to know is in packed.py; here is what takes a module out of the executable. */
#include "packed.h"

#include <marshal.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static int by_name(const void *name, const void *module)
{
    return strcmp(name, ((const struct packed_module *)module)->name);
}

static const struct packed_module *find(PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    if (!text)
        return NULL;
    return bsearch(text, qusr_packed, (size_t)qusr_packed_count, sizeof *qusr_packed, by_name);
}

static PyObject *is_package(PyObject *self, PyObject *name)
{
    (void)self;
    const struct packed_module *module = find(name);
    if (!module && PyErr_Occurred())
        return NULL;
    if (!module)
        Py_RETURN_NONE;
    return PyBool_FromLong(module->is_package);
}

static PyObject *code(PyObject *self, PyObject *name)
{
    (void)self;
    const struct packed_module *module = find(name);
    if (!module) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ImportError, "no module named %R is packed", name);
        return NULL;
    }
    char *plain = PyMem_Malloc(module->size);
    if (!plain)
        return PyErr_NoMemory();
    uLongf size = module->size;
    PyObject *made = NULL;
    if (uncompress((Bytef *)plain, &size, qusr_code + module->at, module->packed) == Z_OK
        && size == module->size)
        made = PyMarshal_ReadObjectFromString(plain, (Py_ssize_t)size);
    else
        PyErr_Format(PyExc_ImportError, "%R cannot be unpacked", name);
    PyMem_Free(plain);
    return made;
}

static PyMethodDef methods[] = {
    {"is_package", is_package, METH_O, "Whether a packed module is a package; None: it is not packed."},
    {"code", code, METH_O, "The code object of a packed module."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_packed_code", .m_size = 0, .m_methods = methods,
};

PyObject *PyInit__packed_code(void)
{
    return PyModule_Create(&definition);
}

int qusr_find_packed(void)
{
    PyObject *finder = PyImport_ImportModule("_packed");
    Py_XDECREF(finder);
    return finder ? 0 : -1;
}
