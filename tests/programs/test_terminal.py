"""An interactive bash on a terminal: job control by the keys that make signals."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulators import ARCHES, ENVIRONMENT, Emulator

pytestmark = pytest.mark.slow


class Terminal:
    """The other end of a bash's terminal. Its prompt is its last status in angle brackets."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, env)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended already

    def read_until(self, end: str, timeout: float = 60) -> str:
        """What it writes, up to and with ``end``."""
        got, deadline = "", time.monotonic() + timeout
        while not got.endswith(end):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {end!r} after {timeout} s: {got!r}"
            got += os.read(self.fd, 1).decode()
        return got.replace("\r", "")

    def type(self, text: str) -> None:
        """Keys."""
        os.write(self.fd, text.encode())

    def run(self, line: str, status: int = 0) -> str:
        """The output of a command, without its echo."""
        self.type(line + "\n")
        return (
            self.read_until(f"<{status}> ").removeprefix(f"{line}\n").removesuffix(f"<{status}> ")
        )

    def group(self) -> int:
        """The group in the foreground."""
        return int(struct.unpack("i", fcntl.ioctl(self.fd, termios.TIOCGPGRP, b"\0" * 4))[0])

    def wait_for(self, *names: str) -> int:
        """Waits until programs of these names are the foreground group, and says which that is.
        A bash that has not executed its program yet ignores the keys, natively too."""
        deadline = time.monotonic() + 60
        while (found := _members(group := self.group())) != sorted(names):
            assert time.monotonic() < deadline, f"{found} in the foreground"
            time.sleep(0.05)
        return group


def _members(group: int) -> list[str]:
    """The names of a group's processes."""
    names = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(rest.split()[2]) == group:
            names.append(name)
    return sorted(names)


@pytest.fixture(params=ARCHES)
def bash(
    request: pytest.FixtureRequest,
    qusr: Callable[[str], Emulator],
    root: Callable[..., Path],
) -> Iterator[Terminal]:
    emulator, folder = qusr(request.param), root(request.param)
    command = [*emulator.prefix, "-L", str(folder), f"{folder}/bin/bash"]
    env = {**ENVIRONMENT, **emulator.environment, "PS1": "<$?> ", "TERM": "dumb"}
    with Terminal([*command, "--norc", "--noprofile", "--noediting", "-i"], env) as terminal:
        terminal.read_until("<0> ")
        yield terminal


def test_stop_continue_interrupt(bash: Terminal) -> None:
    shell = bash.group()
    assert shell == bash.pid
    bash.type("sleep 100 | sleep 100\n")
    job = bash.wait_for("sleep", "sleep")
    bash.type("\x1a")  # ^Z
    assert "Stopped" in bash.read_until(f"<{128 + signal.SIGTSTP}> ")
    assert bash.group() == shell
    assert bash.run("jobs -p") == f"{job}\n"
    assert "&" in bash.run("bg")
    assert "Running" in bash.run("jobs")
    bash.type("fg\n")
    assert bash.wait_for("sleep", "sleep") == job
    bash.type("\x03")  # ^C
    bash.read_until(f"<{128 + signal.SIGINT}> ")
    assert bash.run("jobs") == ""
    bash.type("sleep 100\n")
    bash.wait_for("sleep")
    bash.type("\x1c")  # ^\
    assert "Quit" in bash.read_until(f"<{128 + signal.SIGQUIT}> ")


def test_reading_from_the_background_stops(bash: Terminal) -> None:
    bash.run("cat >/dev/null &")
    deadline = time.monotonic() + 60
    while "Stopped" not in (seen := bash.run("jobs")):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    bash.type("fg\n")
    bash.wait_for("cat")
    bash.type("a line\n\x04")  # ^D
    bash.read_until("<0> ")
    assert bash.run("jobs") == ""


def test_modes_and_size(bash: Terminal) -> None:
    fcntl.ioctl(bash.fd, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
    assert bash.run("stty size") == "33 77\n"
    bash.run("trap 'echo winch' WINCH")
    fcntl.ioctl(bash.fd, termios.TIOCSWINSZ, struct.pack("4H", 44, 88, 0, 0))
    assert "winch\n" in bash.run("echo $LINES; stty size")
    bash.type("stty -echo; read secret; stty echo; echo ${#secret}\n")
    bash.read_until("echo ${#secret}\r\n")
    deadline = time.monotonic() + 60
    while termios.tcgetattr(bash.fd)[3] & termios.ECHO:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    bash.type("hidden\n")
    assert bash.read_until("<0> ") == "6\n<0> "
    bash.type("exit 5\n")
    assert os.waitstatus_to_exitcode(os.waitpid(bash.pid, 0)[1]) == 5
