"""A guest in the hands of Python: pauses, signals, streams, hooks, calls, names."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

import qusr
from qusr.embed.registers import wrapped
from testbins.build import LIBC_TARGETS
from tests.emulators import REPO, need

SOURCE = Path(__file__).parent / "embedded.c"
#: One of each kind: arguments in registers, in few, on the stack; big-endian; on Unicorn.
GUESTS = ["aarch64", "arm", "riscv64", "i386", "x86_64", "s390x", "mipsel", "ppc", "m68k"]
Built = Callable[[str], str]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The program for a guest, static."""
    folder = tmp_path_factory.mktemp("embedded")

    def compiled(arch: str) -> str:
        program = folder / f"embedded-{arch}"
        if not program.exists():
            target = LIBC_TARGETS[arch]
            words = [
                need(target.compiler),
                "-g",
                "-O1",
                *target.flags,
                "-static",
                "-no-pie",
                "-pthread",
            ]
            subprocess.run([*words, "-o", program, SOURCE], check=True)
        return str(program)

    return compiled


def returncode(process: qusr.Process) -> int:
    """How it ends."""
    exited = process.run()
    assert exited is not None
    return exited.returncode


# --- coming back ---------------------------------------------------------------------


@pytest.mark.parametrize("what", ["spin", "sleep"])
def test_timeout_comes_back(built: Built, what: str) -> None:
    process = qusr.Process([built("aarch64"), what])
    assert process.run(timeout=0.2) is None
    assert process.run(timeout=0.1) is None
    assert process.exited is None


@pytest.mark.parametrize("what", ["spin", "sleep"])
def test_pythons_signals_arrive(built: Built, what: str) -> None:
    """As Ctrl-C does; and the guest can be run on."""

    def handler(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, handler)
    try:
        process = qusr.Process([built("arm"), what])
        for _ in range(2):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(InterruptedError):
                process.run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert process.run(timeout=0.1) is None


def test_interrupt_is_a_keyboard_interrupt(built: Built) -> None:
    code = (
        "import os, signal, threading, qusr\n"
        f"process = qusr.Process([{built('aarch64')!r}, 'spin'])\n"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n    process.run()\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, timeout=60,
        check=False,
    )  # fmt: skip
    assert (run.stdout, run.stderr) == ("interrupted\n", "")


def test_in_a_notebook(built: Built) -> None:
    """A cell that ends with a process shows it; what the guest writes is the cell's; a kernel can
    be interrupted while a guest runs, and the guest goes on.
    """
    cells = [
        "import qusr; process = qusr.Process('testbins/prebuilt/hello-aarch64'); process",
        "process.run()",
        f"process = qusr.Process([{built('aarch64')!r}, 'spin'])\nprint('begins')\nprocess.run()",
        "process.run(timeout=0.1) is None",
    ]
    shown: list[list[str]] = []
    # In pytest a kernel leaves descriptors 1 and 2 alone.
    environment = {**os.environ}
    environment.pop("PYTEST_CURRENT_TEST")
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(REPO), env=environment)
    try:
        for cell in cells:
            outputs: list[str] = []

            def keep(message: dict[str, Any], outputs: list[str] = outputs) -> None:
                content = message["content"]
                match message["msg_type"]:
                    case "stream":
                        outputs.append(content["text"])
                        if "begins" in content["text"]:
                            manager.interrupt_kernel()
                    case "execute_result":
                        outputs.append(content["data"]["text/plain"])
                    case "error":
                        outputs.append(content["ename"])

            client.execute_interactive(cell, output_hook=keep, timeout=60)
            shown.append(outputs)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    first, second, third, fourth = shown
    assert len(first) == 1 and re.fullmatch(r"<qusr.Process .* \(aarch64\): pc=.*>", first[0])
    # What is written to a descriptor is told of beside what a cell gives.
    assert sorted(second) == ["Exited(0)", "Hello from aarch64!\n"]
    assert third == ["begins\n", "KeyboardInterrupt"]
    assert fourth == ["True"]


@pytest.mark.parametrize("what", ["spin", "sleep"])
def test_stop_from_another_thread(built: Built, what: str) -> None:
    process = qusr.Process([built("aarch64"), what])
    timer = threading.Timer(0.2, process.stop)
    timer.start()
    assert process.run() is None
    timer.join()


def test_stop_from_a_hook(built: Built) -> None:
    process = qusr.Process([built("aarch64")])
    process.hook_address("crc32", lambda process: process.stop())
    assert process.run() is None
    assert process.pc == process.address_of("crc32")


# --- streams, environment ------------------------------------------------------------


def test_streams(built: Built, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").write_text("given")
    with (
        (tmp_path / "in").open() as source,
        (tmp_path / "out").open("w") as out,
        (tmp_path / "err").open("w") as err,
    ):
        process = qusr.Process(
            [built("arm"), "copy"], stdin=source, stdout=out, stderr=err.fileno()
        )
        assert returncode(process) == 0
    assert (tmp_path / "out").read_text() == "given"
    assert (tmp_path / "err").read_text() == "5\n"
    os.write(1, b"own\n")
    assert capfd.readouterr().out == "own\n"


def test_environment_is_exact(built: Built, capfd: pytest.CaptureFixture[str]) -> None:
    program = built("aarch64")
    assert qusr.Process([program, "environment"], env={"A": "1"}).run() is not None
    assert capfd.readouterr().out == "A=1\n"
    done = qusr.run([program, "environment"], env={"A": "1"}, capture_output=True, text=True)
    assert done.stdout == "A=1\n"


# --- hooks ---------------------------------------------------------------------------


def test_hooks_of_calls_and_results(built: Built) -> None:
    process = qusr.Process([built("aarch64"), "copy"], stdin=os.open("/dev/null", os.O_RDONLY))
    results: list[tuple[str, int]] = []
    hook = process.hook_syscall_results(
        lambda _, name, args, result: results.append((name, result))
    )
    names: list[str] = []
    other = process.hook_syscalls(lambda _, name, args: names.append(name))
    other.remove()
    other.remove()
    process.run()
    assert ("read", 0) in results
    assert names == []
    assert "in force" in repr(hook)
    assert "removed" in repr(other)


@pytest.mark.parametrize("guest", ["aarch64", "arm", "s390x", "mipsel"])
def test_hooks_of_faults(built: Built, guest: str) -> None:
    process = qusr.Process([built(guest), "fault"])
    signals: list[int] = []
    faults: list[tuple[int, int]] = []
    process.hook_signals(lambda _, number: signals.append(number))
    process.hook_faults(lambda _, number, address: faults.append((number, address)))
    assert returncode(process) == 7
    assert signals == [signal.SIGSEGV]
    # s390x knows the page only (struct siginfo, "Translation-Exception Identification").
    assert [(n, a & (~0xFFF if guest == "s390x" else ~0)) for n, a in faults] == [
        (signal.SIGSEGV, 0 if guest == "s390x" else 0x10)
    ]


def test_wrong_names_are_errors(built: Built) -> None:
    process = qusr.Process(built("aarch64"))
    with pytest.raises(ValueError, match=r"no system call.*nonsense"):
        process.set_syscall("nonsense", lambda *_: 0)
    with pytest.raises(KeyError, match=r"no symbol.*nonsense"):
        process.hook_address("nonsense", lambda process: None)
    with pytest.raises(OSError, match="bad guest address 0x8"):
        process.hook_address(8, lambda process: None)
    with pytest.raises(KeyError, match=r"no register.*x77"):
        process.read_reg("x77")


# --- calls, symbols, code ------------------------------------------------------------


@pytest.mark.parametrize("guest", GUESTS)
def test_calls(built: Built, guest: str) -> None:
    process = qusr.Process([built(guest)])
    before = process.registers
    data = b"what is called with bytes gets their address"
    assert process.call("crc32", data, len(data)) & 0xFFFFFFFF == zlib.crc32(data)
    assert process.call("crc32", "", 0) == 0
    assert process.registers == before


@pytest.mark.parametrize("guest", ["aarch64", "arm", "riscv64", "i386", "x86_64", "m68k"])
def test_calls_with_many_arguments(built: Built, guest: str) -> None:
    process = qusr.Process([built(guest)])
    assert process.call("sum", *range(10)) == sum((n + 1) * n for n in range(10))
    assert process.call("sum", -1, *[0] * 9) == wrapped(-1, process.arch.register_bits)


@pytest.mark.parametrize(("guest", "most"), [("mipsel", 4), ("s390x", 5)])
def test_calls_with_more_arguments_than_registers(built: Built, guest: str, most: int) -> None:
    """These ABIs want more on the stack than arguments; the guest is as if nothing was asked."""
    process = qusr.Process([built(guest)])
    before = process.registers
    with pytest.raises(ValueError, match=f"{most} arguments here at most"):
        process.call("sum", *range(most + 1))
    assert process.registers == before


def test_symbols_and_code(built: Built) -> None:
    process = qusr.Process(built("aarch64"))
    assert process.base == 0
    assert process.run(until="main") is None
    assert process.pc == process.symbols["main"]
    lines = process.disassemble("crc32", 3)
    assert len(lines) == 3
    assert lines[0].startswith(f"0x{process.address_of('crc32'):08x}:")
    assert "embedded-aarch64 (aarch64): pc=0x" in repr(process)
    process.run()
    assert "Exited" in repr(process)


# --- registers -----------------------------------------------------------------------


def test_names_of_registers(built: Built) -> None:
    process = qusr.Process(built("aarch64"))
    process.write_reg("lr", 0x1122334455667788)
    assert process.read_reg("x30") == 0x1122334455667788
    assert process.read_reg("w30") == 0x55667788
    process.write_reg("x0", -1)
    assert process.read_reg("x0") == (1 << 64) - 1
    process.write_reg("w0", -2)
    assert process.read_reg("x0") == 0xFFFFFFFE
    with pytest.raises(OverflowError):
        process.write_reg("w0", 1 << 32)
    process.pc = process.address_of("main")
    assert process.read_reg("pc") == process.address_of("main")
    other = qusr.Process(built("x86_64"))
    other.write_reg("rax", 0x1122334455667788)
    assert [other.read_reg(name) for name in ("eax", "ax", "al")] == [0x55667788, 0x7788, 0x88]
    assert other.read_reg("sp") == other.read_reg("rsp")


def test_only_public_names(built: Built) -> None:
    names = [name for name in dir(qusr.Process(built("arm"))) if name[:2] != "__"]
    assert all(name[:1] != "_" for name in names)
    assert {"run", "stop", "call", "pc", "hook_faults"} <= set(names)
    assert len(names) < 50
    assert {name for name in dir(qusr) if name[:1] != "_"} == set(qusr.__all__)
