"""Programs that a debugger starts, attaches to, ends, or follows through an execve; threads' ends;
what stops at system calls; core files.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulators import ENVIRONMENT, Emulator, need
from tests.gdb.client import Client
from tests.gdb.conftest import LIBC, Begin, Debugged, compiled, in_order
from tests.gdb.test_gdb import END, QUIET


@pytest.mark.parametrize(
    ("arch", "mode", "said"),
    [
        ("aarch64", "new", r"New inferior 2"),
        ("arm", "same", r"Catchpoint 1 \(exec'd"),
        pytest.param("arm", "new", r"New inferior 2", marks=pytest.mark.slow),
        pytest.param("aarch64", "same", r"Catchpoint 1 \(exec'd", marks=pytest.mark.slow),
    ],
)
def test_follow_exec_mode(begin: Begin, arch: str, mode: str, said: str) -> None:
    """The process goes on as another inferior of gdb's, or as the same one."""
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + f"set follow-exec-mode {mode}\ncatch exec\ncontinue\ninfo inferiors\ndelete\n"
        "continue\n"
    )
    pid = program.process.pid
    number = 2 if mode == "new" else 1
    in_order(
        text, "is executing new program", said, rf"\* {number} +process {pid}",
        rf"Inferior {number} \(process {pid}\) exited with code 05",
    )  # fmt: skip
    assert program.end() == (5, END)


@pytest.mark.parametrize("arch", ["aarch64", pytest.param("arm", marks=pytest.mark.slow)])
def test_run_again(begin: Begin, arch: str, tmp_path: Path) -> None:
    """`kill` and `run` of extended-remote: vKill, and vRun with another environment and folder."""
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "break add if x == 3\ncontinue\nkill\nset environment HELLO there\n"
        f"set cwd {tmp_path}\nrun\nbt 1\nprint (char *) getenv(\"HELLO\")\ninfo proc cwd\ndelete\n"
        "continue\nstart\nnext\nkill\n",
        extended=True,
    )  # fmt: skip
    first = program.process.pid
    in_order(
        text, r"Breakpoint 1, add \(x=.*3\)", rf"Inferior 1 \(process {first}\) killed",
        r"Breakpoint 1, add \(x=.*3\)", r"#0 +add", r'\$1 = 0x\w+ "there"',
        rf"cwd = '{tmp_path}'", r"exited with code 05", r"Temporary breakpoint \d, main",
        r"Inferior 1 \(process \d+\) killed",
    )  # fmt: skip
    assert program.end() == (-9, END)


def test_restart_without_an_answer(begin: Begin) -> None:
    """R: as gdbserver --multi does it the program begins anew, and waits."""
    program = begin("aarch64", "events")
    client = Client(program.socket)
    assert client.ask(b"qSupported:multiprocess+")
    assert client.ask(b"!") == b"OK"
    client.send(b"R00")
    answer = client.ask(b"?")
    (pid,) = re.findall(rb"thread:p(\w+)\.", answer)
    assert int(pid, 16) != program.process.pid
    assert client.ask(b"vKill;" + pid) == b"OK"
    assert client.ask(b"vKill;" + pid)[:1] == b"E"
    # Words of its own: the program with two arguments prints a word.
    words = [program.program, "x", "y"]
    packet = b"vRun;" + b";".join(str(word).encode().hex().encode() for word in words)
    assert client.ask(packet).startswith(b"T05")
    assert client.ask(b"vCont;c").startswith(b"W05")
    client.close()
    assert program.end() == (-9, "executed\n")


@pytest.fixture
def running(qusr: Callable[[str], Emulator], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until a debugger sets `enough`."""
    emulator = qusr("aarch64")
    process = subprocess.Popen(
        [*emulator.prefix, compiled("aarch64", "waits", tmp_path)],
        env=emulator.environment,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


def test_attach(begin: Begin, running: subprocess.Popen[str]) -> None:
    """Another process beside the first one; it runs on when the debugger lets it go."""
    program = begin("aarch64", "waits")
    text = program.gdb(
        f"add-inferior\ninferior 2\nattach {running.pid}\ninfo inferiors\nset var enough = 3\n"
        "detach\ninferior 1\nkill\n",
        extended=True,
    )
    in_order(
        text, rf"1 +process {program.process.pid}", rf"\* 2 +process {running.pid}",
        rf"Inferior 2 \(process {running.pid}\) detached",
        rf"Inferior 1 \(process {program.process.pid}\) killed",
    )  # fmt: skip
    assert running.wait(60) == 3
    assert program.end()[0] == -9


@pytest.mark.parametrize("arch", LIBC)
def test_threads_begin_and_end(begin: Begin, arch: str) -> None:
    """QThreadEvents: each thread's first stop, and its end with its status."""
    program = begin(arch, "events")
    client = Client(program.socket)
    assert client.ask(b"QThreadEvents:1") == b"OK"
    assert client.ask(b"QPassSignals:e;1e;14") == b"OK"
    created, ended = [], []
    while not (answer := client.ask(b"vCont;c")).startswith(b"W"):
        if answer.startswith(b"w"):
            status, _, tid = answer[1:].partition(b";")
            assert status == b"00"
            ended.append(tid)
        elif b"create:" in answer:
            created.append(answer.partition(b"thread:")[2].partition(b";")[0])
    assert len(created) == 3
    assert sorted(created) == sorted(ended)
    client.close()
    assert program.end() == (5, END)


@pytest.mark.parametrize(
    ("arch", "call"),
    [
        ("aarch64", "name and number"),
        ("arm", "group:process"),
        pytest.param("arm", "name and number", marks=pytest.mark.slow),
        pytest.param("aarch64", "group:process", marks=pytest.mark.slow),
    ],
)
def test_catch_syscall(begin: Begin, arch: str, call: str) -> None:
    """By names, numbers and gdb's groups; others do not stop."""
    number = {"aarch64": 64, "arm": 4}[arch]  # write
    wanted = {"name and number": f"pipe2 {number}"}.get(call, call)
    program = begin(arch, "events")
    stops = {
        "name and number": [
            "call to syscall pipe2", "returned from syscall pipe2",
            "call to syscall write", "returned from syscall write",
        ],
        "group:process": [r"call to syscall \S*clone", r"returned from syscall \S*clone"],
    }[call]  # fmt: skip
    text = program.gdb(
        # Once inside a call only its thread goes on: a new one's exit is of the group, too.
        QUIET + "break handler\ncontinue\ndelete\n" + f"catch syscall {wanted}\n"
        + "continue\nset scheduler-locking on\ncontinue\nset scheduler-locking off\n"
        * (len(stops) // 2) + "delete\ncontinue\n"
    )  # fmt: skip
    in_order(text, *stops, "exited with code 05")
    assert text.count("(call to syscall") == len(stops) // 2
    assert program.end() == (5, END)


def the_core(program: Debugged, core: Path, *commands: str) -> str:
    """What gdb says of a core file."""
    words = [need("gdb-multiarch"), "-nx", "-batch", str(program.program), str(core)]
    words += [word for command in commands for word in ("-ex", command)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("arch", ["s390x", pytest.param("armeb", marks=pytest.mark.slow)])
def test_core_file_of_a_big_endian_guest(begin: Begin, arch: str, tmp_path: Path) -> None:
    program = begin(arch, "plain")
    core = tmp_path / "core"
    text = program.gdb(
        f"break add if x == 50\ncontinue\nprint/x $pc\ngenerate-core-file {core}\nkill\n"
    )
    (pc,) = re.findall(r"\$1 = (0x\w+)", text)
    said = the_core(program, core, "print/x $pc", "bt", "print counter", "print text")
    in_order(said, rf"\$1 = {pc}", r"#0 +add \(x=.*50\)", r"\$2 = 1225", r'\$3 = "plain"')


def qusr_gdb(
    qusr: Callable[[str], Emulator], words: list[str], said: str = ""
) -> subprocess.CompletedProcess[str]:
    """`qusr gdb` with words; `said`: what is typed into gdb."""
    emulator = qusr("aarch64")
    command = str(emulator.prefix[0]).rpartition("-")[0]
    return subprocess.run(
        [command, "gdb", "--gdb", f"{need('gdb-multiarch')} -nx -q", *words],
        input=said, capture_output=True, text=True, check=False, timeout=120,
        env={**ENVIRONMENT, **emulator.environment},
    )  # fmt: skip


def test_qusr_gdb(qusr: Callable[[str], Emulator], built: Callable[[str, str], Path]) -> None:
    """Both at once: the program waits, gdb knows it without being told of a file."""
    run = qusr_gdb(
        qusr, [str(built("aarch64", "events"))],
        "set confirm off\nhandle SIGUSR1 nostop noprint pass\nbreak add if x == 5\ncontinue\n"
        "print counter\ndelete\ncontinue\nquit\n",
    )  # fmt: skip
    in_order(run.stdout, r"Breakpoint 1, add \(x=.*5\)", r"\$1 = 2", "exited with code 05")
    assert END.splitlines()[1] in run.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-p"], "gdb -p: the id of a process is wanted"),
        (["-p", "x"], "gdb -p: the id of a process is wanted"),
        (["-p", "1"], "gdb -p 1: "),
        (["./there-is-none"], "there-is-none: No such file or directory"),
    ],
)
def test_qusr_gdb_that_cannot_be(
    qusr: Callable[[str], Emulator], words: list[str], why: str
) -> None:
    """One line, and gdb is not started."""
    run = qusr_gdb(qusr, words)
    assert why in run.stderr and run.stderr.count("\n") == 1
    assert run.stdout == "" and run.returncode != 0


@pytest.mark.parametrize("variable", ["QUSR_GDB", "QEMU_GDB"])
def test_variables(
    qusr: Callable[[str], Emulator],
    built: Callable[[str, str], Path],
    tmp_path: Path,
    variable: str,
) -> None:
    """%d in a path is the process id."""
    emulator = qusr("aarch64")
    process = subprocess.Popen(
        [*emulator.prefix, built("aarch64", "waits")],
        env={**ENVIRONMENT, **emulator.environment, variable: f"{tmp_path}/%d.socket"},
    )
    socket = tmp_path / f"{process.pid}.socket"
    for _ in range(3000):
        if socket.exists():
            break
        time.sleep(0.01)
    client = Client(socket)
    assert b"T05" in client.ask(b"?")
    client.send(b"k")
    assert process.wait(60) == -9
