"""A test program as pytest's collector, and each of its cases as an item."""

from __future__ import annotations

import os
import shlex
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from qusr import api, arch
from qusr.pytest_plugin.formats import SKIPPED, STATUS_SKIPPED, Format, format_of, why_skipped

_PROGRAM_TYPES = (2, 3)  # ET_EXEC, ET_DYN


def _kind(path: Path) -> tuple[int, int, bool, int] | None:
    """Of a program: e_machine, its bits, whether it is big-endian, e_flags."""
    try:
        with path.open("rb") as stream:
            head = stream.read(52)
    except OSError:
        return None
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in {1, 2} or head[5] not in {1, 2}:
        return None
    order = "<" if head[5] == 1 else ">"
    kind, machine = struct.unpack_from(order + "HH", head, 16)
    # Before e_flags there are three fields of an address's size.
    (flags,) = struct.unpack_from(order + "I", head, 36 if head[4] == 1 else 48)
    return (machine, 32 * head[4], order == ">", flags) if kind in _PROGRAM_TYPES else None


#: What the host runs itself: programs as Python is one.
_OWN = _kind(Path(sys.executable))


def is_foreign(path: Path) -> bool:
    """Whether a file is a program that qusr runs, and of another kind than the host's own."""
    if ".so" in path.suffixes or not os.access(path, os.X_OK):
        return False
    kind = _kind(path)
    return kind is not None and kind != _OWN and arch.guest_of(*kind) is not None


class Failure(Exception):
    """A case that failed: the lines that say how."""


def _failure(done: CompletedProcess[str]) -> Failure:
    status = f"status {done.returncode}"
    if done.returncode < 0:
        status = f"killed by {signal.Signals(-done.returncode).name}"
    return Failure(f"{shlex.join(map(str, done.args))}: {status}\n{done.stdout}")


class Program(pytest.File):
    """A test program."""

    def __init__(self, *, sysroot: Path | None, timeout: float, **more: Any) -> None:
        super().__init__(**more)
        self.sysroot = sysroot
        self.timeout = timeout

    def run(self, arguments: list[str]) -> CompletedProcess[str]:
        """Runs it in its own folder; what it writes is in `stdout`."""
        try:
            return api.run(
                [self.path, *arguments], sysroot=self.sysroot, timeout=self.timeout,
                cwd=self.path.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, encoding="utf-8", errors="backslashreplace",
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            so_far = late.output or b""
            text = so_far if isinstance(so_far, str) else so_far.decode(errors="backslashreplace")
            words = shlex.join([str(self.path), *arguments])
            raise Failure(f"{words}: not done after {self.timeout:g} s\n{text}") from None

    def collect(self) -> Iterator[Case]:
        """Its cases."""
        form = format_of(self.path.read_bytes())
        if form is None:
            yield Case.from_parent(self, name=self.path.name, form=None)
            return
        try:
            listed = self.run(list(form.listing))
            # Catch2 2 gives the number of cases as its status.
            if listed.returncode != 0 and form.name != "Catch2 2":
                raise _failure(listed)
            names = list(form.names(listed.stdout))
        except (Failure, ValueError, SyntaxError) as error:
            raise self.CollectError(f"no list of cases ({form.name}): {error}") from None
        for name in names:
            yield Case.from_parent(self, name=name, form=form)


class Case(pytest.Item):
    """A case of a test program, or a program without cases."""

    def __init__(self, *, form: Format | None, **more: Any) -> None:
        super().__init__(**more)
        self.form = form

    def runtest(self) -> None:
        """Runs the program for this case alone."""
        program = self.parent
        assert isinstance(program, Program)
        done = program.run(self.form.only(self.name) if self.form else [])
        if self.form is None and done.returncode == SKIPPED:
            pytest.skip(" ".join(done.stdout.split()) or f"status {SKIPPED}")
        why = why_skipped(self.form, done.stdout) if self.form else None
        if why is not None and done.returncode in {0, STATUS_SKIPPED}:
            pytest.skip(why)
        if done.returncode != 0:
            raise _failure(done)
        self.add_report_section("call", "stdout", done.stdout)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the program wrote, instead of Python's traceback."""
        if isinstance(excinfo.value, Failure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The program and the case."""
        return self.path, None, f"{self.path.name}: {self.name}"
