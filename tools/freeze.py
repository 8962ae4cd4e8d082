"""Compiles the modules that qusr needs, for a Python that has no files.

    freeze.py TREE PACKAGES OUT

TREE is qusr's, PACKAGES the folder that pyelftools is in. Run by the very Python that they are for;
its own modules are those that qusr's import, however indirectly. OUT/frozen.c has the table that
`PyImport_FrozenModules` takes, that of the packed modules (native/static/src/packed.c), and that of
built-in modules; OUT/frozen.bin is the code that the first two refer to.
"""

from __future__ import annotations

import ast
import fnmatch
import marshal
import modulefinder
import sys
import sysconfig
import zlib
from collections.abc import Callable
from pathlib import Path

#: What Python imports by itself: at its start, and for the encodings of its own files.
ITS_OWN = (
    "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8",
    "encodings.utf_8_sig",
)  # fmt: skip
#: Of its modules in C those that its own start takes for granted, and the functions of some that
#: have names of their own (Modules/config.c.in).
ALWAYS = (
    "_abc", "_ast", "_codecs", "_imp", "_io", "_signal", "_string", "_thread", "_tokenize",
    "_tracemalloc", "_warnings", "_weakref", "builtins", "errno", "faulthandler", "gc", "itertools",
    "marshal", "posix", "sys", "time",
)  # fmt: skip
FUNCTIONS = {
    "_warnings": "_PyWarnings_Init",
    "marshal": "PyMarshal_Init",
    "builtins": "",
    "sys": "",
}
#: The modules of `import`, by the names that Python asks for them by, and whose code they are.
BOOTSTRAP = {
    "_frozen_importlib": "importlib._bootstrap",
    "_frozen_importlib_external": "importlib._bootstrap_external",
    "zipimport": "zipimport",
}
ALIASES = ("_frozen_importlib", "_frozen_importlib_external")
#: The Python whose names of tables `bootstrap` knows; any other keeps its own.
DEEP_FROZEN = sys.version_info[:2] == (3, 11)
#: What finds packed modules, and is none itself.
FINDER = "native/static/src/packed.py"
#: Modules that others import only for what is not done here; of `BOOTSTRAP`, there already.
LEFT_OUT = (
    "importlib._bootstrap", "importlib._bootstrap_external", "zipimport",
    "_aix_support", "_bootsubprocess", "_osx_support", "_pydecimal", "_pyrepl", "asyncio",
    "bz2", "capstone", "concurrent", "csv", "ctypes", "curses", "decimal", "distutils",
    "doctest", "email", "encodings.mbcs", "fractions", "ftplib", "gzip", "hashlib", "http",
    "importlib.metadata", "importlib.resources", "logging", "lzma", "multiprocessing",
    "pydoc", "site", "sqlite3", "ssl", "statistics", "stringprep", "sysconfig",
    "tarfile", "test", "tkinter", "tracemalloc", "typing_extensions", "unicodedata", "unicorn",
    "unittest", "xml", "zipfile",
)  # fmt: skip

#: Patterns of what each start with Python imports (tests/test_static.py looks), kept as it is.
#: All other modules are packed to a third, for the time that it takes to unpack what is imported:
#: 0.1 ms for 30 KB of code.
AT_START = (
    "__future__", "_collections_abc", "_packed", "abc", "codecs", "encodings", "encodings.aliases",
    "encodings.utf_8", "genericpath", "io", "os", "posixpath", "stat", "struct",
    "qusr", "qusr.arch", "qusr.arch.*.cpu", "qusr.arch.abi", "qusr.arch.base", "qusr.cli",
    "qusr.cpu", "qusr.cpu.unicorn", "qusr.debug", "qusr.debug.log", "qusr.installed", "qusr.interp",
    "qusr.loader", "qusr.loader.*", "qusr.machine", "qusr.options", "qusr.process",
    "qusr.syscalls", "qusr.syscalls.context", "qusr.thread", "qusr.thread.*",
)  # fmt: skip


def modules_of(folder: Path, package: str) -> list[str]:
    """The names of a package's modules."""
    names = []
    for file in sorted((folder / package).rglob("*.py")):
        if not (file.parent / "__init__.py").exists():
            continue  # a tool's place
        parts = file.relative_to(folder).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if name.rpartition(".")[2] != "__main__"]


def found(tree: Path, packages: Path) -> tuple[dict[str, tuple[Path, bool]], list[str]]:
    """All modules: where each one is, and whether it is a package; and those in C."""
    finder = modulefinder.ModuleFinder([str(tree), str(packages), *sys.path], excludes=LEFT_OUT)
    # What the build of the extension has run already is not needed again, and no pytest is in it.
    its = [
        name
        for name in modules_of(tree, "qusr")
        if name != "qusr.facts" and not name.startswith("qusr.pytest_plugin")
    ]
    names = [*its, *modules_of(packages, "elftools"), *ITS_OWN]
    for name in names:
        finder.import_hook(name, fromlist=["*"] if "." in name else None)
    files = {}
    for name, module in finder.modules.items():
        file = getattr(module, "__file__", None)
        if file is not None and file.endswith(".py"):
            files[name] = (Path(file), bool(getattr(module, "__path__", None)))
    missing = [name for name in names if name not in files]
    if missing:
        sys.exit(f"freeze.py: not found: {', '.join(missing)}")
    built_in = {name for name in finder.modules if name in sys.builtin_module_names}
    return files, sorted(built_in.union(ALWAYS))


def inittab(names: list[str]) -> list[str]:
    """The table that takes the place of Python's own."""
    functions = {name: FUNCTIONS.get(name, f"PyInit_{name}") for name in names}
    lines = [f"extern PyObject *{function}(void);" for function in functions.values() if function]
    lines.append("struct _inittab _PyImport_Inittab[] = {")
    lines += [f'    {{"{name}", {function or "NULL"}}},' for name, function in functions.items()]
    return [*lines, "    {NULL, NULL},", "};"]


def code_of(file: Path, shown: str) -> bytes:
    """A module's code, without the docstrings of functions and modules that nothing can show.

    Those of classes stay: dataclasses writes one where there is none, which takes time.
    """
    source = file.read_bytes()
    tree = ast.parse(source)
    kinds = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree) if b"__doc__" not in source else ():
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            # A function has to have something in it.
            nothing = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), node.body[0])]
            node.body[:1] = nothing
    return marshal.dumps(compile(tree, shown, "exec", dont_inherit=True))


def bootstrap(place: Callable[[str], str]) -> list[str]:
    """What `import` itself begins with, and no other of the modules that Python's library has.

    The library has them as finished objects (Python/deepfreeze.c of 3.11), 0.9 MB, 23,000 pointers,
    and each start would relocate those: 217 of the 350 pages that it wrote to, Python or not. So
    the library's object files are not linked, and these three are read from code as others are.
    """
    rows = [f"    {place(name)}," for name in BOOTSTRAP]
    aliases = [f'    {{"{name}", "{BOOTSTRAP[name]}"}},' for name in ALIASES]
    return [
        "static const struct _frozen bootstrap[] = {", *rows, "    {NULL, NULL, 0, 0, NULL},", "};",
        "static const struct _frozen none[] = {{NULL, NULL, 0, 0, NULL}};",
        "struct _module_alias { const char *name, *orig; }; /* Python's pycore_import.h */",
        "static const struct _module_alias aliases[] = {", *aliases, "    {NULL, NULL},", "};",
        "const struct _frozen *PyImport_FrozenModules = qusr_frozen;",
        "const struct _frozen *_PyImport_FrozenBootstrap = bootstrap;",
        "const struct _frozen *_PyImport_FrozenStdlib = none;",
        "const struct _frozen *_PyImport_FrozenTest = none;",
        "const struct _module_alias *_PyImport_FrozenAliases = aliases;",
        "int _Py_Deepfreeze_Init(void) { return 0; }",
        "void _Py_Deepfreeze_Fini(void) {}",
    ]  # fmt: skip


def is_at_start(name: str, is_package: bool) -> bool:
    """Whether each start with Python imports a module."""
    # A guest's package is its __init__, and that of nearly every guest is empty.
    guest = is_package and name.startswith("qusr.arch.")
    return guest or any(fnmatch.fnmatchcase(name, pattern) for pattern in AT_START)


def main() -> None:
    """See the module."""
    tree, packages, out = (Path(word) for word in sys.argv[1:4])
    code = bytearray()

    def put(part: bytes) -> int:
        """Where in the code it begins."""
        at = len(code)
        code.extend(part)
        return at

    def frozen(name: str, part: bytes, is_package: bool) -> str:
        return f'{{"{name}", qusr_code + {put(part)}, {len(part)}, {int(is_package)}, NULL}}'

    def of_bootstrap(name: str) -> str:
        source = Path(sysconfig.get_path("stdlib"), *BOOTSTRAP[name].split(".")).with_suffix(".py")
        return frozen(name, code_of(source, f"<frozen {BOOTSTRAP[name]}>"), False)

    rows, packed = [], []
    files, built_in = found(tree, packages)
    files["_packed"] = (tree / FINDER, False)
    # The finder of packed modules searches for names by halves: in the order of their bytes.
    for name, (file, is_package) in sorted(files.items()):
        # What tracebacks and messages call it: the same wherever it was built.
        shown = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        part = code_of(file, shown)
        if is_at_start(name, is_package):
            rows.append(f"    {frozen(name, part, is_package)},")
        else:
            small = zlib.compress(part, 9)
            numbers = f"{put(small)}, {len(small)}, {len(part)}, {int(is_package)}"
            packed.append(f'    {{"{name}", {numbers}}},')
    text = [
        '#include "packed.h"',
        '__asm__(".section .rodata\\n.globl qusr_code\\n.hidden qusr_code\\nqusr_code:\\n"',
        f'        ".incbin \\"{out / "frozen.bin"}\\"\\n.text");',
        "const struct _frozen qusr_frozen[] = {",
        *rows,
        "    {NULL, NULL, 0, 0, NULL},",
        "};",
        "const struct packed_module qusr_packed[] = {",
        *packed,
        "};",
        f"const int qusr_packed_count = {len(packed)};",
        *(bootstrap(of_bootstrap) if DEEP_FROZEN else ()),
        *inittab(built_in),
        "",
    ]
    (out / "frozen.bin").write_bytes(code)
    (out / "frozen.c").write_text("\n".join(text))


if __name__ == "__main__":
    main()
