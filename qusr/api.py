"""`qusr.run`: a guest program as `subprocess.run` would run one of the host's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

_File = int | IO[Any] | None
_Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

# The emulator is started with this Python's own path to its packages, and isolated: variables
# such as PYTHONPATH and PYTHONHOME are for the guest. In the C locale Python sets LC_CTYPE
# (PEP 538), which is not the guest's.
_START = (
    "import os, sys; sys.path[:] = {path!r}; sys.argv[0] = {name!r}; "
    "own = '/proc/self/environ'; "
    "os.access(own, os.R_OK) and b'\\0LC_CTYPE=' not in b'\\0' + open(own, 'rb').read() and "
    "os.environ.pop('LC_CTYPE', None); from qusr.cli import main; main()"
)


def command(
    args: Sequence[_Path],
    *,
    guest: str | None = None,
    sysroot: _Path | None = None,
    core: str | None = None,
    cpu: str | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """The host command that runs the guest command `args`; for `subprocess.Popen` and others."""
    path = [entry for entry in sys.path if entry]
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if here not in path:
        path.append(here)
    name = "qusr" if guest is None else f"qusr-{guest}"
    words = [sys.executable, "-I", "-c", _START.format(path=path, name=name)]
    for option, value in (("-L", sysroot), ("-core", core), ("-cpu", cpu)):
        if value is not None:
            words += [option, os.fsdecode(value)]
    return [*words, *options, "--", *(os.fsdecode(word) for word in args)]


def run(
    args: Sequence[_Path],
    *,
    guest: str | None = None,
    sysroot: _Path | None = None,
    core: str | None = None,
    cpu: str | None = None,
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: _Path | None = None,
    stdin: _File = None,
    stdout: _File = None,
    stderr: _File = None,
    input: str | bytes | None = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    text: bool | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[Any]:
    """Runs a guest program to its end.

    Args:
        args: the program (a path; PATH is not searched) and its arguments.
        guest: the guest ISA; None: whichever the program is for.
        sysroot: the folder that stands for `/`.
        core: the CPU core, "unicorn" or "native".
        cpu: the CPU model.
        options: more options of the command line (docs/command-line.md).
        env: the guest's environment; None: this process's.
        cwd, stdin, stdout, stderr, input, capture_output, timeout, check, text, encoding,
            errors, more: as for `subprocess.run`.

    Returns:
        `returncode` is the guest's status, negative for a signal; 127 or 126 for a program that
        cannot be run, with a line on stderr that says why.

    Raises:
        subprocess.CalledProcessError, subprocess.TimeoutExpired: as from `subprocess.run`.
    """
    if isinstance(args, str | bytes):
        raise TypeError("args is a list: the program and its arguments")
    if not args:
        raise ValueError("args is empty: no program to run")
    words = command(args, guest=guest, sysroot=sysroot, core=core, cpu=cpu, options=options)
    files: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "input": input}
    if input is None or stdin is not None:
        # subprocess.run itself says that both together cannot be.
        files = {name: value for name, value in files.items() if value is not None}
    else:
        del files["stdin"]
    try:
        done = subprocess.run(
            words, env=env, cwd=cwd, capture_output=capture_output, timeout=timeout, check=check,
            text=text, encoding=encoding, errors=errors, **files, **more,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        error.cmd = list(args)
        raise
    done.args = list(args)
    return done
