"""Guest processes as the host sees them: statuses, names, terminals, orphans, host programs."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulators import ARCHES, ENVIRONMENT, Emulator

Qusr = Callable[[str], Emulator]
Root = Callable[[str], Path]


@pytest.fixture(params=ARCHES)
def shell(request: pytest.FixtureRequest, qusr: Qusr, root: Root) -> Iterator[list[str]]:
    """The command for a guest shell; a script and its arguments follow."""
    where = root(request.param)
    emulator = qusr(request.param)
    for name, value in emulator.environment.items():
        os.environ.setdefault(name, value)
    yield [*emulator.prefix, "-L", str(where), f"{where}/bin/bash", "-c"]


def _start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", "")}
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    return process


def _lines(process: subprocess.Popen[bytes], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().decode().strip() for _ in range(count)]


def _until(condition: Callable[[], object], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGUSR1])
def test_a_guest_that_is_killed_kills_us(shell: list[str], number: signal.Signals) -> None:
    own = subprocess.run(
        [*shell, f"kill -{int(number)} $$; echo no"], capture_output=True, check=False
    )
    assert own.returncode == -number
    sleeping = _start([*shell, "echo up; read line"])
    assert _lines(sleeping, 1) == ["up"]
    sleeping.send_signal(number)
    assert sleeping.wait(20) == -number


@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_exit_status(shell: list[str], status: int) -> None:
    assert subprocess.run([*shell, f"(exit {status}); exit $?"], check=False).returncode == status


def test_ps_shows_the_guest_program(shell: list[str], tmp_path: Path) -> None:
    script = "echo $$; read line; exec sleep 34567"
    process = _start([*shell, script, "name", "an argument"])
    try:
        (pid,) = _lines(process, 1)
        assert int(pid) == process.pid
        proc = Path(f"/proc/{pid}")
        assert (proc / "comm").read_text() == "bash\n"
        words = (proc / "cmdline").read_bytes().split(b"\0")
        assert words[0].endswith(b"/bin/bash")
        assert words[1:] == [b"-c", script.encode(), b"name", b"an argument", b""]
        assert b"HOME=/root" in (proc / "environ").read_bytes().split(b"\0")
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        # After an execve inside the same host process.
        assert _until(lambda: (proc / "comm").read_text() == "sleep\n")
        assert _until(lambda: (proc / "cmdline").read_bytes() == b"sleep\00034567\0")
        shown = subprocess.run(
            ["ps", "-o", "comm=,args=", "-p", pid], capture_output=True, check=False, text=True
        )
        assert shown.stdout.split() == ["sleep", "sleep", "34567"]
    finally:
        process.kill()
        process.wait()


def test_children_are_host_processes(shell: list[str]) -> None:
    process = _start([*shell, "sleep 1000 & echo $!; wait; echo waited $?"])
    (child,) = _lines(process, 1)
    status = Path(f"/proc/{child}/status").read_text()
    assert f"PPid:\t{process.pid}\n" in status
    os.kill(int(child), signal.SIGTERM)
    assert _lines(process, 1)[-1].startswith("waited")
    assert process.wait(20) == 0


def test_orphans_go_on(shell: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = f"(while [ -d /proc/{{}} ]; do sleep 0.1; done; echo alone > {out}) & exit 3"
    process = _start([*shell, script.replace("{}", "$$")])
    assert process.wait(20) == 3
    assert _until(lambda: out.exists() and out.read_text() == "alone\n")


def test_descriptors_of_the_emulator_are_not_inherited(shell: list[str]) -> None:
    script = "exec 9</dev/null; ls /proc/self/fd; exec ls /proc/self/fd"
    result = subprocess.run(
        [*shell, script], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    # 0-2, 9 and the one that ls reads the directory with.
    assert result.stdout.split() == [b"0", b"1", b"2", b"3", b"9"] * 2


def test_host_programs(shell: list[str], tmp_path: Path) -> None:
    """A program of this machine is executed by the kernel, with the guest's signals."""
    host = Path("/proc/self/exe").resolve()
    program = (
        "import os, signal, sys; print(sys.argv[1:], os.environ['X'],"
        " signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN, os.getppid() == int(sys.argv[1]))"
    )
    script = f"trap '' USR1; X=1 {host} -c \"{program}\" $$ 'a b'; echo $?"
    result = subprocess.run([*shell, script], capture_output=True, check=False, text=True)
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert first.endswith(", 'a b'] 1 True True")
    assert second == "0"
    piped = subprocess.run(
        [*shell, f"echo text | {host} -c 'print(input()[::-1])' | cat"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert piped.stdout == "txet\n"


class Terminal:
    """A guest on a terminal of its own."""

    def __init__(self, command: list[str]) -> None:
        self.text = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, {**os.environ, **ENVIRONMENT, "PS1": "> "})

    def write(self, text: str) -> None:
        """Types."""
        os.write(self.master, text.encode())

    def expect(self, text: bytes, seconds: float = 20) -> None:
        """Reads until `text` is there; what is before its end is forgotten."""
        end = time.monotonic() + seconds
        while text not in self.text:
            left = end - time.monotonic()
            assert left > 0, self.text
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.text += os.read(self.master, 4096)
                except OSError:
                    raise AssertionError(self.text) from None
        self.text = self.text.split(text, 1)[1]

    def status(self) -> int:
        """Waits for the guest; its status as subprocess has it."""
        try:
            while os.read(self.master, 4096):
                pass
        except OSError:
            pass  # EIO: nobody has the terminal any more
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def hang_up(self) -> int:
        """Takes the terminal away; the guest's status."""
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_interrupt_key(shell: list[str]) -> None:
    terminal = Terminal([*shell, "echo up; read line; echo no"])
    terminal.expect(b"up\r\n")
    terminal.write("\x03")
    assert terminal.status() == -signal.SIGINT
    terminal = Terminal([*shell, "trap 'echo caught; exit 5' INT; echo up; while :; do :; done"])
    terminal.expect(b"up\r\n")
    terminal.write("\x03")
    terminal.expect(b"caught")
    assert terminal.status() == 5


def test_job_control(shell: list[str]) -> None:
    terminal = Terminal([*shell[:-1], "--norc", "--noprofile", "-i"])
    terminal.expect(b"> ")
    terminal.write("sleep 1000\n")
    time.sleep(1)
    terminal.write("\x1a")
    terminal.expect(b"Stopped")
    terminal.write("jobs -l; echo 'jobs' done\n")
    terminal.expect(b"Stopped")
    terminal.expect(b"jobs done")
    terminal.write("bg; echo back\n")
    terminal.expect(b"sleep 1000 &")
    terminal.write("fg\n")
    terminal.expect(b"sleep 1000")
    time.sleep(0.5)
    terminal.write("\x03")
    terminal.expect(b"> ")
    terminal.write("echo status $?; stty size >/dev/null; tty | cut -c1-8\n")
    terminal.expect(b"status 130")
    terminal.expect(b"/dev/pts")
    terminal.write("exit 6\n")
    terminal.expect(b"exit")
    assert terminal.status() == 6


def test_hang_up(shell: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    terminal = Terminal(
        [*shell, f"trap 'echo hung > {out}; exit 7' HUP; echo up; sleep 100 & wait"]
    )
    terminal.expect(b"up\r\n")
    assert terminal.hang_up() == 7
    assert out.read_text() == "hung\n"


def test_stop_and_continue(shell: list[str]) -> None:
    process = _start([*shell, "while :; do echo x; done"])
    _lines(process, 3)
    process.send_signal(signal.SIGSTOP)
    state = Path(f"/proc/{process.pid}/stat")
    assert _until(lambda: state.read_text().rsplit(")")[1].split()[0] == "T")
    process.send_signal(signal.SIGCONT)
    _lines(process, 3)
    process.kill()
    process.wait()
