"""Finds modules whose code is in memory (`qusr/preload.py`).

A Python that begins where its files are out of reach executes this as `qusr_kept` before it can
import anything: what is imported here is a part of every Python (`__future__` is not).
"""

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    _Index = dict[str, tuple[bool, str, int, int, int]]

_HEAD = 8


class Kept:
    """Finds modules whose code is in memory; the first of `sys.meta_path`."""

    def __init__(
        self, read: "Callable[[int, int], bytes]", crc32: "Callable[[bytes], int]"
    ) -> None:
        """`read` gives bytes from a place.

        ValueError, EOFError, TypeError, IndexError: they are not what `preload.learn` made.
        """
        start = read(0, _HEAD)
        if len(start) < _HEAD:
            raise ValueError("too short")
        size, check = (int.from_bytes(start[at : at + 4], "little") for at in (0, 4))
        head = read(_HEAD, size)
        if crc32(head) != check:
            raise ValueError("damaged")
        self._index: _Index = marshal.loads(head)
        self._read, self._start, self._crc32 = read, _HEAD + size, crc32

    def names(self) -> list[str]:
        """The modules that are here."""
        return list(self._index)

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Called by `import`."""
        found = self._index.get(name)
        if found is None:
            return None
        package, origin = found[:2]
        # What importlib.machinery has it from; that module may not be imported yet.
        make = type(sys.__spec__)
        spec: ModuleSpec = make(name, self, origin=origin, is_package=package)  # type: ignore[arg-type]
        if package:
            spec.submodule_search_locations = [origin.rpartition("/")[0]]
        spec.has_location = True
        return spec

    def create_module(self, spec: "ModuleSpec") -> None:
        """Called by `import`: an ordinary module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Called by `import`."""
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> "CodeType":
        """The code of a module that is here."""
        _, _, start, size, check = self._index[name]
        part = self._read(self._start + start, size)
        if self._crc32(part) != check:
            raise ImportError(f"the code of {name} in the store is damaged", name=name)
        code: CodeType = marshal.loads(part)
        return code


def begin() -> None:
    """Has all modules found in what was kept (`native/python/src/kept.rs` calls this first)."""
    import _native  # type: ignore[import-not-found]

    modules, _native.__file__ = _native.kept_modules()
    sys.modules["qusr._native"] = _native
    sys.meta_path.insert(0, Kept(modules.read, _native.crc32))
