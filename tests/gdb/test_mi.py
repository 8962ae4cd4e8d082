"""gdb's machine interface as VS Code's cppdbg uses it (MIEngine): these requests, in this order,
are what it sends for a launch configuration with `miDebuggerServerAddress`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.emulators import ENVIRONMENT, need
from tests.gdb.conftest import PLAIN, Begin, Debugged
from tests.gdb.test_gdb import END


class Machine:
    """gdb with `--interpreter=mi`."""

    def __init__(self) -> None:
        self.gdb = subprocess.Popen(
            [need("gdb-multiarch"), "-nx", "-q", "--interpreter=mi"], env=ENVIRONMENT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._token = 1000
        self._waiting: list[str] = []

    def _line(self) -> str:
        assert self.gdb.stdout is not None
        line = self.gdb.stdout.readline()
        assert line, "gdb has ended"
        return line

    def ask(self, request: str) -> str:
        """The result of a request; what else is told meanwhile is kept."""
        assert self.gdb.stdin is not None
        self._token += 1
        self.gdb.stdin.write(f"{self._token}{request}\n")
        self.gdb.stdin.flush()
        while not (line := self._line()).startswith(f"{self._token}^"):
            self._waiting.append(line)
        return line.partition("^")[2]

    def stopped(self) -> str:
        """The next *stopped."""
        while True:
            line = self._waiting.pop(0) if self._waiting else self._line()
            if line.startswith("*stopped"):
                return line

    def run(self, request: str) -> str:
        """A request that lets the program go on, and where it stops."""
        assert self.ask(request).startswith("running")
        return self.stopped()


@pytest.fixture
def machine() -> Iterator[Machine]:
    """One gdb."""
    found = Machine()
    yield found
    found.gdb.kill()
    found.gdb.communicate()


def begin_session(machine: Machine, program: Debugged) -> None:
    """Up to where the program is connected."""
    for request in (
        '-interpreter-exec console "set pagination off"',
        "-gdb-set mi-async on",
        "-gdb-set auto-solib-add on",
        '-interpreter-exec console "set breakpoint pending on"',
        '-interpreter-exec console "handle SIGUSR1 nostop noprint pass"',
        "-environment-cd /tmp",
        f"-file-exec-and-symbols {program.program}",
        f"-target-select remote {program.socket}",
    ):
        assert re.match("done|connected", machine.ask(request)), request
    machine.stopped()


@pytest.mark.parametrize("arch", ["aarch64", pytest.param("arm", marks=pytest.mark.slow)])
def test_session(begin: Begin, machine: Machine, arch: str) -> None:
    """Breakpoints, the views of a stop, steps, a pause while it runs, a change, the end."""
    program = begin(arch, "events")
    begin_session(machine, program)
    assert 'func="main"' in machine.ask("-break-insert -f main")
    found = machine.ask('-break-insert -f -c "x == 4" add')
    number = re.findall(r'number="(\d+)"', found)[0]
    assert 'func="main"' in machine.run("-exec-continue")
    stop = machine.run("-exec-continue")
    assert 'reason="breakpoint-hit"' in stop and 'value="4"' in stop
    assert "state=" in machine.ask("-thread-info")
    assert 'depth="3"' in machine.ask("-stack-info-depth --thread 1 10")
    assert 'func="loop"' in machine.ask("-stack-list-frames --thread 1 0 10")
    machine.ask("-stack-select-frame 0")
    assert 'name="x"' in machine.ask("-stack-list-variables --thread 1 --frame 0 --simple-values")
    made = machine.ask('-var-create - * "counter"')
    name = re.findall(r'name="(\w+)"', made)[0]
    assert 'value="2"' in made
    assert 'value="9"' in machine.ask(f'-var-assign {name} "9"')
    assert 'value="9"' in machine.ask(f"-var-evaluate-expression {name}")
    assert 'value="10"' in machine.ask("-data-evaluate-expression counter+1")
    assert '"pc"' in machine.ask("-data-list-register-names")
    assert "register-values" in machine.ask("-data-list-register-values --thread 1 x 0 1 2")
    contents = re.findall(r'contents="(\w+)"', machine.ask("-data-read-memory-bytes &counter 4"))
    assert contents == ["09000000"]
    assert 'reason="end-stepping-range"' in machine.run("-exec-next")
    assert 'reason="function-finished"' in machine.run("-exec-finish")
    assert 'reason="end-stepping-range"' in machine.run("-exec-step")
    assert machine.ask(f"-break-delete {number}").startswith("done")
    # It executes itself: another main.
    assert 'func="main"' in machine.run("-exec-continue")
    assert 'reason="exited"' in machine.run("-exec-continue")
    machine.ask("-gdb-exit")
    status, out = program.end()
    assert status == 5
    # Set to 9 before the fifth of ten calls, of which 5, 7 and 9 count.
    assert out == END.replace("counter 5", "counter 12")


def test_pause(begin: Begin, machine: Machine) -> None:
    """VS Code's pause button, and its stop button for a program that it has connected to."""
    program = begin("aarch64", "waits")
    begin_session(machine, program)
    for _ in range(3):
        assert machine.ask("-exec-continue").startswith("running")
        assert machine.ask("-exec-interrupt --all").startswith("done")
        assert 'signal-name="SIGINT"' in machine.stopped()
    assert machine.ask("-gdb-set var enough = 6").startswith("done")
    assert machine.ask("-target-detach").startswith("done")
    assert program.end() == (6, "")


@pytest.mark.parametrize("arch", [PLAIN[0], pytest.param(PLAIN[1], marks=pytest.mark.slow)])
def test_big_endian(begin: Begin, machine: Machine, arch: str) -> None:
    program = begin(arch, "plain")
    begin_session(machine, program)
    machine.ask('-break-insert -f -c "x == 40" add')
    stop = machine.run("-exec-continue")
    assert 'value="40"' in stop
    assert 'value="780"' in machine.ask('-var-create - * "counter"')
    bytes_ = re.findall(r'contents="(\w+)"', machine.ask("-data-read-memory-bytes &counter 4"))
    assert bytes_ == ["0000030c"]
    assert machine.ask("-break-watch counter").startswith("done")
    stop = machine.run("-exec-continue")
    assert 'reason="watchpoint-trigger"' in stop and 'old="780",new="820"' in stop
    assert machine.ask("-break-delete").startswith("done")
    assert 'exit-code="011"' in machine.run("-exec-continue")
    assert program.end() == (9, "")
