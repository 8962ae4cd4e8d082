"""Keeps what is otherwise imported when it is first needed.

A guest may take away what importing needs: the files (chroot, mount namespaces) or the
right to read them (setuid). So before the first call that does so (`CONFINING` in
`native/kernel/src/thunk/table.rs`) the code of all modules is read into memory. It is executed
when it is needed, as ever: importing all of it takes 100 ms, and most children that call
setuid(2) execute another program next. One entry of the store has it, mapped; whoever finds none
there imports all and makes one.
"""

from __future__ import annotations

import marshal
import os
import sys
from struct import pack, unpack

from qusr import _native, installed
from qusr._native import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    from qusr.loader.cache import Store

    _Index = dict[str, tuple[bool, str, int, int, int]]

_HEAD = 8

#: Packages all of whose modules may be needed later.
_PACKAGES = ("dump", "loader", "ptrace", "syscalls", "syscalls/handlers")
#: Shared objects, which cannot be kept as bytes.
_MODULES = ("_struct", "fcntl")
_KIND = "modules"


class Kept:
    """Finds modules whose code is in memory; the first of `sys.meta_path`."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        """`read` gives bytes from a place.

        ValueError, EOFError, TypeError, IndexError: they are not what :func:`_learn` made.
        """
        size, check = unpack("<II", read(0, _HEAD))
        head = read(_HEAD, size)
        if crc32(head) != check:
            raise ValueError("damaged")
        self._index: _Index = marshal.loads(head)
        self._read, self._start = read, _HEAD + size

    def names(self) -> list[str]:
        """The modules that are here."""
        return list(self._index)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by `import`."""
        found = self._index.get(name)
        if found is None:
            return None
        package, origin = found[:2]
        # What importlib.machinery has it from; that module may not be imported yet.
        make = type(sys.__spec__)
        spec: ModuleSpec = make(name, self, origin=origin, is_package=package)  # type: ignore[arg-type]
        if package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Called by `import`: an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Called by `import`."""
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> CodeType:
        """The code of a module that is here."""
        _, _, start, size, check = self._index[name]
        part = self._read(self._start + start, size)
        if crc32(part) != check:
            raise ImportError(f"the code of {name} in the store is damaged", name=name)
        code: CodeType = marshal.loads(part)
        return code


def everything(store: Store) -> None:
    """Keeps it; what is not installed will not be missed before it is needed."""
    if installed.FOLDER is None:
        return  # it is in memory, and always was
    key = _key()
    try:
        if store.path is None:
            raise KeyError
        kept = Kept(_native.MappedEntry(os.fsencode(store.path), _KIND, key).read)
    except (KeyError, IndexError, ValueError, EOFError, TypeError):
        _import_all()
        store.put(_KIND, key, _learn())
        return
    for name in _MODULES:
        _import(name)
    sys.meta_path.insert(0, kept)


def _packages() -> list[str]:
    here = os.path.dirname(__file__)
    # The guests', too: what is executed later may be for another one.
    arch = [f"arch/{entry.name}" for entry in os.scandir(f"{here}/arch") if entry.is_dir()]
    found = (*_PACKAGES, "arch", *arch)
    return [name for name in found if os.path.exists(f"{here}/{name}/__init__.py")]


def _key() -> bytes:
    """What the code depends on: the sources, and the Python that compiled them."""
    here = os.path.dirname(__file__)
    folders = [os.fsencode(here), *(os.fsencode(f"{here}/{name}") for name in _packages())]
    python = f"{sys.version} {sys.base_prefix} {sys.flags.optimize} {here}"
    return python.encode() + _native.stamp_sources(folders).to_bytes(8, "little")


def _import_all() -> None:
    here = os.path.dirname(__file__)
    for package in _packages():
        prefix = "qusr." + package.replace("/", ".")
        for entry in os.scandir(f"{here}/{package}"):
            name, dot, kind = entry.name.rpartition(".")
            if dot and kind == "py" and name != "__init__":
                __import__(f"{prefix}.{name}")
    for module in _MODULES:
        _import(module)


def _import(name: str) -> None:
    try:
        __import__(name)
    except ImportError:
        return


def _learn() -> bytes:
    """The code of all modules of source files: sizes, index, code."""
    index: _Index = {}
    parts: list[bytes] = []
    at = 0
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None)
        if spec is None or origin is None or not origin.endswith(".py") or spec.name != name:
            continue
        if name.partition(".")[0] not in sys.stdlib_module_names | {"qusr"}:
            continue
        try:
            code = spec.loader.get_code(name)
        except (AttributeError, ImportError, OSError):
            continue
        if code is None:
            continue
        part = marshal.dumps(code)
        package = spec.submodule_search_locations is not None
        index[name] = (package, origin, at, len(part), crc32(part))
        parts.append(part)
        at += len(part)
    head = marshal.dumps(index)
    return b"".join((pack("<II", len(head), crc32(head)), head, *parts))
