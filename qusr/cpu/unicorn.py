"""The Unicorn core: where its library is and how a guest is described to it.

The core itself is Rust (`native/unicorn`). The Python module `unicorn` is never
imported, as that alone would cost 50 ms; it is only where the library comes from.
"""

from __future__ import annotations

import os
import sys

from qusr import installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from qusr._native import AddressSpace, Cpu
    from qusr.arch.base import Arch, CpuModel

_PACKAGE = "unicorn"
#: Inside the package; the first is unicorn 2's own name for it.
_LIBRARIES = ("lib/libunicorn.so.2", "lib/libunicorn.so")


class UnicornNotFoundError(Exception):
    """The Unicorn library is not installed. The message is for the user."""


def _package_folders() -> Iterator[str]:
    for entry in sys.path:
        folder = os.path.join(entry, _PACKAGE)
        if os.path.isdir(folder):
            yield folder
    # For packages that sys.path alone does not show. Runs nothing of the package itself.
    from importlib.util import find_spec

    try:
        spec = find_spec(_PACKAGE)
    except (ImportError, ValueError):
        spec = None
    if spec is not None:
        yield from spec.submodule_search_locations or ()


_found: list[str] = []
#: Names the library, in place of the installed package.
VARIABLE = "QUSR_LIBUNICORN"


def library(*, missing_ok: bool = False) -> str:
    """The path of libunicorn, by a variable or in the package; "" where none is `missing_ok`."""
    if not _found:
        try:
            _found.append(_search())
        except UnicornNotFoundError:
            if missing_ok:
                return ""
            raise
    return _found[0]


def _search() -> str:
    named = os.environ.get(VARIABLE)
    if named:
        return named
    if installed.FOLDER is None:
        raise UnicornNotFoundError(
            f"this qusr has no Unicorn core: {VARIABLE} may name its library"
        )
    folders = []
    for folder in _package_folders():
        folders.append(folder)
        for name in _LIBRARIES:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    if folders:
        raise UnicornNotFoundError(
            f"no libunicorn in {folders[0]}; reinstall it: pip install unicorn"
        )
    raise UnicornNotFoundError("the Python package unicorn is missing: pip install unicorn")


def arguments(
    arch: Arch, model: CpuModel | None, variant: str, *, needed: bool = True
) -> tuple[str, str, int, list[tuple[int, int]], list[str]]:
    """What `_native` needs to open a core: library, guest, model, system registers, features.

    `variant` says which of the guest's kinds of programs it is to run (`Guest.variant`). A library
    that is not `needed` may be missing: then its path is empty.
    """
    chosen = model or arch.default_model
    core = arch.guest.abis[variant].core
    features = arch.core_features(chosen)
    try:
        path = library()
    except UnicornNotFoundError:
        if needed:
            raise
        path = ""
    return path, core, chosen.unicorn, arch.system_registers(chosen), features


def open_cpu(
    arch: Arch, space: AddressSpace, model: CpuModel | None = None, *, variant: str = ""
) -> Cpu:
    """A CPU on the Unicorn core, with all registers 0."""
    from qusr._native import Cpu

    return Cpu(*arguments(arch, model, variant), space)
