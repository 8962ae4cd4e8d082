"""Imports what is otherwise imported when it is first needed.

A guest may take away what importing needs: the files (chroot, mount namespaces) or the
right to read them (setuid). So all of it is imported before the first call that does so
(`CONFINING` in `native/kernel/src/thunk/table.rs`).
"""

from __future__ import annotations

import os

#: Packages all of whose modules may be needed later, and modules that these import late.
_PACKAGES = ("dump", "loader", "ptrace", "syscalls", "syscalls/handlers")
_MODULES = ("fcntl", "random")


def everything() -> None:
    """Imports it; what is not installed will not be missed before it is needed."""
    here = os.path.dirname(__file__)
    # The guests', too: what is executed later may be for another one.
    guests = [f"arch/{entry.name}" for entry in os.scandir(f"{here}/arch") if entry.is_dir()]
    for package in (*_PACKAGES, *guests):
        prefix = "qusr." + package.replace("/", ".")
        for entry in os.scandir(f"{here}/{package}"):
            name, dot, kind = entry.name.rpartition(".")
            if dot and kind == "py" and name != "__init__":
                __import__(f"{prefix}.{name}")
    for module in _MODULES:
        try:
            __import__(module)
        except ImportError:
            continue
