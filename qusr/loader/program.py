"""From a path to something that can be put into an address space.

How that goes is Rust's (`native/kernel/src/loader`): `#!` lines, the checks of ELF files, the
interpreter, where things are mapped, the first stack.
"""

from __future__ import annotations

import os

from qusr import _native

from .sysroot import Sysroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def prepare(
    path: str,
    argv: Sequence[bytes],
    sysroot: Sysroot,
    *,
    seeks: bool = False,
    fd: int = -1,
    guest: str | None = None,
    caller: int | None = None,
    check_mode: bool = True,
    execfn: bytes | None = None,
) -> _native.Prepared:
    """Everything about running `path` with `argv`, short of touching guest memory.

    Args:
        seeks: nobody asked for a sysroot: one is looked for in /usr/TRIPLET (`Prepared.root`).
        fd: an open file to be used instead of opening `path` (binfmt_misc's O flag, execveat with
            AT_EMPTY_PATH); it is the loader's from now on.
        guest: the one that the caller runs; None: any.
        caller: the e_machine of the guest that executes it: programs of this machine are left to it
            (`Prepared.plan` is None then), unless the guest is one of its kind.
        check_mode: whether `path` itself must be executable.
        execfn: AT_EXECFN where that is not `path`.

    Raises:
        LoadError: it cannot be run; with the errno of execve(2).
    """
    return _native.prepare(
        os.fsencode(path),
        argv,
        None if sysroot.root is None else os.fsencode(sysroot.root),
        seeks=seeks,
        fd=fd,
        guest=guest,
        caller=caller,
        check_mode=check_mode,
        execfn=execfn,
    )


def read_plan(path: str) -> _native.Plan:
    """What the ELF file at `path` asks of the kernel.

    Raises:
        LoadError: it cannot be read, or is no program.
    """
    from .errors import from_oserror

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise from_oserror(path, error) from None
    try:
        return _native.read_plan(fd, os.fsencode(path))
    finally:
        os.close(fd)
