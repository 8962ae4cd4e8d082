"""Keeps what is otherwise imported when it is first needed.

A guest may take away what importing needs: the files (chroot, mount namespaces) or the
right to read them (setuid). So before the first call that does so (`CONFINING` in
`native/kernel/src/thunk/table.rs`) the code of all modules is read into memory. It is executed
when it is needed, as ever: importing all of it takes 100 ms, and most children that call
setuid(2) execute another program next. One entry of the store has it, mapped; whoever finds none
there makes one out of what Python has compiled already, which takes a tenth of that. A process
without Python takes that entry along, and what Python needs before it can import from it
(`native/machine/src/start/keep.rs`): so only the first such call of all starts one.
"""

from __future__ import annotations

import marshal
import os
import sys
from struct import pack

from qusr import _native, installed, kept
from qusr._native import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

    from qusr.loader.cache import Store


#: Modules that neither a guest which runs needs nor a Python that begins for one.
_OVER = ("qusr.__main__", "qusr.api", "qusr.info")
#: Packages of commands of their own, and what runs in another program's Python.
_COMMANDS = ("binfmt", "embed", "pytest_plugin")
#: Shared objects, which cannot be kept as bytes.
_MODULES = ("_struct", "fcntl")
#: What ours import of the standard library, as far as it is not frozen into Python itself; what
#: these import is found out.
_STANDARD = (
    "__future__", "bisect", "collections", "collections.abc", "contextlib", "copy",
    "dataclasses", "encodings", "encodings.aliases", "encodings.utf_8", "enum", "functools",
    "importlib", "importlib.util", "json", "random", "re", "signal", "socket", "struct",
    "traceback", "types", "typing", "warnings",
)  # fmt: skip
#: What `import` itself needs, with texts in UTF-8 only.
_BOOT = ("encodings", "encodings.aliases", "encodings.utf_8")
#: The size of `struct _frozen` (Include/cpython/import.h) in each version of Python; one that is
#: not here begins as long as it has its files. (3.13 imports `linecache` before what -c gives it.)
_STRIDES = {(3, 11): 32, (3, 12): 32}
#: The head of a .pyc file: magic number, flags (0: it is known by the next two), the source's time
#: and size.
_PYC_HEAD = 16
_MODULES_KIND, _BOOT_KIND = "modules", "boot"


def everything(store: Store) -> None:
    """Keeps it; what is not installed will not be missed before it is needed."""
    if installed.FOLDER is None or "qusr_kept" in sys.modules:
        return  # it is in memory, and always was
    key = _key()
    try:
        if store.path is None or key is None:
            raise KeyError
        found = kept.Kept(
            _native.MappedEntry(os.fsencode(store.path), _MODULES_KIND, key).read, crc32
        )
    except (KeyError, IndexError, ValueError, EOFError, TypeError):
        data = learn()
        if key is not None:
            store.put(_MODULES_KIND, key, data)
        found = kept.Kept(lambda at, size: data[at : at + size], crc32)
    for name in _MODULES:
        _import(name)
    sys.meta_path.insert(0, found)
    if key is not None and store.get(_BOOT_KIND, key) is None and (first := boot(found)):
        store.put(_BOOT_KIND, key, first)


def boot(found: kept.Kept) -> bytes | None:
    """What a Python without files begins with, for `Boot::read` of `keep.rs`.

    None: it is not known how this version of Python takes it.
    """
    stride = _STRIDES.get(sys.version_info[:2])
    if stride is None:
        return None
    parts = [pack("<I", stride)]

    def add(kind: int, name: str, content: bytes) -> None:
        text = name.encode()
        parts.append(pack("<III", kind, len(text), len(content)) + text + content)

    for name in _BOOT:
        add(name == "encodings", name, marshal.dumps(found.get_code(name)))
    add(0, "qusr_kept", marshal.dumps(found.get_code("qusr.kept")))
    for name in _MODULES:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            add(2, name, os.fsencode(file))
    return b"".join(parts)


def _packages(below: str = "") -> list[str]:
    """Our packages, by their folders: those of the guests, too, as what is executed later may be
    for another one.
    """
    here = os.path.dirname(__file__)
    found = []
    for entry in os.scandir(f"{here}/{below}"):
        name = f"{below}{entry.name}"
        if name not in _COMMANDS and os.path.exists(f"{entry.path}/__init__.py"):
            found += [name, *_packages(f"{name}/")]
    return found


def _key() -> bytes | None:
    """What the code depends on: the sources, and the Python that compiled them."""
    late = _native.late_python()
    python = os.fsencode(sys.executable) if late is None else late[1]
    return _native.kept_key(os.fsencode(os.path.dirname(__file__)), python)


def _import(name: str) -> None:
    try:
        __import__(name)
    except ImportError:
        return


# --- making an entry ---------------------------------------------------------------


def learn() -> bytes:
    """The code of all modules of source files: sizes, index, code. None of it is executed."""
    index: dict[str, tuple[bool, str, int, int, int]] = {}
    parts: list[bytes] = []
    at = 0
    for name, (package, origin) in {**_standard(), **_own()}.items():
        part = _compiled(name, origin)
        if part is None:
            continue
        index[name] = (package, origin, at, len(part), crc32(part))
        parts.append(part)
        at += len(part)
    head = marshal.dumps(index)
    return b"".join((pack("<II", len(head), crc32(head)), head, *parts))


def _own() -> dict[str, tuple[bool, str]]:
    """Our modules: whether each is a package, and its file."""
    here = os.path.dirname(__file__)
    found = {}
    for package in ("", *_packages()):
        prefix = "qusr." + package.replace("/", ".") if package else "qusr"
        for entry in os.scandir(f"{here}/{package}"):
            name, _, kind = entry.name.rpartition(".")
            whole = prefix if name == "__init__" else f"{prefix}.{name}"
            if kind != "py" or whole in _OVER:
                continue
            found[whole] = (name == "__init__", f"{here}/{package}/{entry.name}".replace("//", "/"))
    return found


def _standard() -> dict[str, tuple[bool, str]]:
    """The same of the standard library's."""
    found: dict[str, tuple[bool, str]] = {}
    left = list(_STANDARD)
    seen = set(left)
    while left:
        name = left.pop()
        place = _find(name)
        if place is None:
            continue
        found[name] = place
        code = _compiled(name, place[1])
        for wanted in () if code is None else _imports(name, place[0], marshal.loads(code)):
            if wanted not in seen:
                seen.add(wanted)
                left.append(wanted)
    return found


def _find(name: str) -> tuple[bool, str] | None:
    """A module of a source file in the standard library; None for all others."""
    path = os.path.dirname(os.__file__) + "/" + name.replace(".", "/")
    if os.path.isfile(f"{path}/__init__.py"):
        return True, f"{path}/__init__.py"
    return (False, f"{path}.py") if os.path.isfile(f"{path}.py") else None


def _imports(name: str, package: bool, code: CodeType) -> set[str]:
    """What a module imports when it is executed, and more: relative names are taken both ways."""
    from opcode import opmap

    parent = name if package else name.rpartition(".")[0]
    found: set[str] = set()
    wide, last = 0, ""
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = low | wide
        wide = argument << 8 if operation == opmap["EXTENDED_ARG"] else 0
        if operation == opmap["IMPORT_NAME"]:
            last = code.co_names[argument]
            found |= {last, f"{parent}.{last}"}
        elif operation == opmap["IMPORT_FROM"]:
            found |= {f"{last}.{code.co_names[argument]}", f"{parent}.{code.co_names[argument]}"}
    # A package is imported before what is in it.
    found |= {word.rpartition(".")[0] for word in found}
    return {word for word in found if all(map(str.isidentifier, word.split(".")))}


def _compiled(name: str, origin: str) -> bytes | None:
    """A module's code, marshalled: as Python keeps it, if that is of the source as it is now."""
    try:
        with open(_external().cache_from_source(origin), "rb") as file:
            data = file.read()
        source = os.stat(origin)
        expected = pack("<III", 0, int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
        if data[4:_PYC_HEAD] == expected and data[:4] == _external().MAGIC_NUMBER:
            return data[_PYC_HEAD:]
    except OSError:
        pass
    try:
        return marshal.dumps(_external().SourceFileLoader(name, origin).get_code(name))
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def _external() -> ModuleType:
    """What `importlib` has its loaders from; importing that costs time."""
    return sys.modules["_frozen_importlib_external"]
