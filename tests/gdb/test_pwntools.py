"""pwntools' `gdb.debug` and `gdb.attach`, of PyPI's package in an environment of its own. It looks
for an emulator called `qemu-ARCH`, which here is qusr. It has no s390x: a KeyError of its contexts.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import ENVIRONMENT, Emulator
from tests.gdb.conftest import LIBC, PLAIN
from tests.gdb.test_gdb import END

VERSION = "4.15.0"
pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from pwn import *
how, arch, endian, exe, root, function, condition, log, *words = sys.argv[1:]
context.update(arch=arch, os="linux", endian=endian, terminal=["sh", "-c"])
script = f'''
set confirm off
set logging file {log}
set logging enabled on
handle SIGUSR1 nostop noprint pass
break {function} if {condition}
continue
print counter
continue
quit
'''
if how == "debug":
    program = gdb.debug([exe, *words], gdbscript=script, sysroot=root or None)
else:
    emulator = "qemu-" + {"big": {"arm": "armeb", "aarch64": "aarch64_be"}}.get(endian, {}).get(
        arch, arch)
    place = ["-L", root] if root else []
    program = process([emulator, "-g", "45677", *place, exe, *words])
    gdb.attach(("127.0.0.1", 45677), exe=exe, gdbscript=script, sysroot=root or None)
sys.stdout.buffer.write(program.recvall(timeout=90))
program.wait(30)
print("status", program.poll())
"""


@pytest.fixture(scope="session")
def pwntools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the package."""
    folder = tmp_path_factory.mktemp("pwntools")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", f"pwntools=={VERSION}"], check=True, timeout=600
    )
    return python


@pytest.mark.parametrize("how", ["debug", "attach"])
@pytest.mark.parametrize("arch", [arch for arch in (*LIBC, *PLAIN) if arch != "s390x"])
def test_pwntools(
    qusr: Callable[[str], Emulator],
    built: Callable[[str, str], Path],
    pwntools: Path,
    tmp_path: Path,
    how: str,
    arch: str,
) -> None:
    emulator = qusr(arch)
    command, root = [str(word) for word in emulator.prefix], ""
    # Its name for aarch64_be is wrong.
    fake = tmp_path / f"qemu-{arch.removesuffix('_be') if how == 'debug' else arch}"
    fake.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    fake.chmod(0o755)
    log = tmp_path / "log"
    name = "events" if arch in LIBC else "plain"
    # pwntools fails where a program prints nothing at all, and eats the first line.
    words = [] if arch in LIBC else ["loud"]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    known = {"armeb": ("arm", "big"), "aarch64_be": ("aarch64", "big")}.get(arch, (arch, "little"))
    run = subprocess.run(
        [pwntools, script, how, *known, built(arch, name), root, "add", "x == 7", log, *words],
        env={
            **ENVIRONMENT, **emulator.environment, "PWNLIB_NOTERM": "1", "TERM": "dumb",
            "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}", "HOME": str(tmp_path),
        },
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    text = log.read_text() if log.exists() else ""
    assert "hit Breakpoint" in text or "Breakpoint 1, add" in text, run.stdout + run.stderr
    if arch in LIBC:
        assert "$1 = 3" in text
        assert END.splitlines()[1] in run.stdout and "status 5" in run.stdout
    else:
        assert "$1 = 21" in text
        assert "status 9" in run.stdout
