"""Runs a command inside a Debian root: under qusr, under qemu-user, or the host's own programs.

    python -m tests.programs.rooted qusr|qemu|native ROOT TMP COMMAND...

The root is entered with chroot(2) in a namespace where binfmt_misc knows the emulator, so all sees
the same files at the same paths. TMP is its /tmp.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from qusr.binfmt import carry, launcher, namespace, registry
from qusr.binfmt.registry import Registry

_KEEPS = "F"


def _register(emulator: str) -> None:
    if emulator == "native":
        return
    namespace.mount("binfmt_misc", registry.MOUNT_POINT, "binfmt_misc")
    with tempfile.TemporaryDirectory() as folder:
        for guest in registry.GUESTS:
            path = f"/usr/bin/qemu-{guest}-static"
            if emulator == "qusr":
                path = f"{folder}/qusr-interp"
                launcher.write(Path(path), dynamic=True)
            # P and O as `qusr-binfmt` and Debian's qemu-user-static register them.
            Registry().add(guest, path, "POF" if emulator == "qusr" else "PF")


def main() -> int:
    """Entry point."""
    emulator, folder, tmp, *command = sys.argv[1:]
    root = carry.Root(Path(folder))

    def setup() -> None:
        _register(emulator)
        root.enter(with_files=True)
        namespace.mount(tmp, "/tmp", "", namespace.MS_BIND)

    root.make_places(with_files=True)
    try:
        return os.waitstatus_to_exitcode(namespace.run(setup, command, become_root=True))
    finally:
        root.undo()


if __name__ == "__main__":
    sys.exit(main())
