/* Starts the embedded Python: no file, no environment variable and no locale has a say in it.

   In C because PyConfig is no part of the limited API: only Python's own header knows its layout. */
#include "packed.h"

extern PyObject *PyInit__native(void);

/* Takes the place of the one in Python's library, which searches for its files near the executable and
   reads those that could say where they are: in a guest's root, all of that is the guest's. */
PyStatus _PyConfig_InitPathConfig(PyConfig *config, int compute)
{
    (void)config, (void)compute;
    return PyStatus_Ok();
}

static PyStatus configure(PyConfig *config, int argc, char **argv, const char *code)
{
    struct { wchar_t **place; const wchar_t *value; } texts[] = {
        {&config->program_name, L"qusr"},
        {&config->executable, L"/proc/self/exe"},
        {&config->base_executable, L"/proc/self/exe"},
        {&config->prefix, L""}, {&config->base_prefix, L""},
        {&config->exec_prefix, L""}, {&config->base_exec_prefix, L""},
        {&config->platlibdir, L"lib"},
    };
    PyStatus status = PyStatus_Ok();
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !PyStatus_Exception(status); i++)
        status = PyConfig_SetString(config, texts[i].place, texts[i].value);
    if (PyStatus_Exception(status))
        return status;
    config->module_search_paths_set = 1;
    config->pathconfig_warnings = 0;
    config->site_import = 0;
    config->write_bytecode = 0;
    config->parse_argv = 0;
    /* It may begin beside a guest, whose SIGPIPE would be ignored for a while (python/src/begin.rs). */
    config->install_signal_handlers = 0;
    status = PyConfig_SetBytesArgv(config, argc, argv);
    if (PyStatus_Exception(status))
        return status;
    return PyConfig_SetBytesString(config, &config->run_command, code);
}

/* Python looks for built-in modules outside of packages only (importlib's BuiltinImporter). */
static void bring_native(void)
{
    PyObject *native = qusr_find_packed() ? NULL : PyImport_ImportModule("_native");
    PyObject *package = native ? PyImport_ImportModule("qusr") : NULL;
    if (!package || PyObject_SetAttrString(package, "_native", native)
        || PyDict_SetItemString(PyImport_GetModuleDict(), "qusr._native", native)) {
        PyErr_Print();
        exit(70);
    }
    Py_DECREF(package);
    Py_DECREF(native);
}

/* Runs `code` with sys.argv, to the end; gives the exit status. */
int qusr_run_python(int argc, char **argv, const char *code)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
    PyImport_FrozenModules = qusr_frozen;
    PyImport_AppendInittab("_packed_code", PyInit__packed_code);
    PyImport_AppendInittab("_native", PyInit__native);
    PyConfig_InitIsolatedConfig(&config);
    status = configure(&config, argc, argv, code);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
    PyConfig_Clear(&config);
    bring_native();
    return Py_RunMain();
}
