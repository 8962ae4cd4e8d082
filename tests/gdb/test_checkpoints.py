"""`monitor checkpoint` and `monitor restart`: back to where the program was, as often as wanted."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.gdb.client import Client
from tests.gdb.conftest import LIBC, Begin, Debugged, in_order
from tests.gdb.test_count import monitor
from tests.gdb.test_gdb import QUIET
from tests.gdb.test_storm import tracers

#: What gdb remembers of the program is about another place.
AGAIN = "maintenance flush register-cache\nmaintenance flush dcache\n"
PLAIN = ["riscv64", "s390x", pytest.param("armeb", marks=pytest.mark.slow)]


def text_file(folder: Path) -> str:
    """What tests/gdb/saved.c reads."""
    file = folder / "letters"
    file.write_text("abcdefgh")
    return str(file)


@pytest.mark.parametrize("arch", LIBC)
def test_back_and_forth(begin: Begin, arch: str, tmp_path: Path) -> None:
    """Memory, registers, positions of files, and the program's threads' ids; twice the same way."""
    program = begin(arch, "saved", text_file(tmp_path))
    back = "monitor restart 1\n" + AGAIN
    text = program.gdb(
        QUIET
        + "break one if byte == 100\ncontinue\nmonitor checkpoint\nmonitor checkpoint list\n"
        "condition 1 byte == 103\ncontinue\nprint seen\n"
        + back + "print seen\nbt 1\nprint byte\ncondition 1 byte == 102\ncontinue\nprint seen\n"
        "set var seen[0] = 'A'\nmonitor checkpoint\n"
        + back + "print seen\ncontinue\nprint seen\nmonitor restart 2\n" + AGAIN + "print seen\n"
        "info inferiors\ninfo threads\ndelete\ncontinue\n"
    )  # fmt: skip
    pid = program.process.pid
    in_order(
        text, r"Breakpoint 1, one \(byte=.*100\)", r"checkpoint 1 at 0x", r"1: process \d+ at 0x",
        r'\$1 = "abcdef", ', r'\$2 = "abc", ', r"#0 +one", r"\$3 = 100", r'\$4 = "abcde", ',
        r"checkpoint 2 at 0x", r'\$5 = "abc", ', r'\$6 = "abcde", ', r'\$7 = "Abcde", ',
        rf"process {pid} ", rf"Thread {pid}\.{pid} ", r"exited with code 010",
    )  # fmt: skip
    status, out = program.end()
    # The first process ended with the first way back; the program is another one.
    assert status == -signal.SIGKILL
    assert out == "Abcdefgh caught 1 child 1 6 others -1\n"


@pytest.mark.parametrize("arch", PLAIN)
def test_other_guests(begin: Begin, arch: str) -> None:
    program = begin(arch, "plain")
    text = program.gdb(
        "break add if x == 10\ncontinue\nstepi\nmonitor checkpoint\ncondition 1 x == 90\ncontinue\n"
        "print counter\nmonitor restart 1\n" + AGAIN + "print counter\ndelete\nstepi\ncontinue\n"
    )
    in_order(text, "checkpoint 1", r"\$1 = 4005", r"\$2 = 45", "exited with code 011")
    program.end()


def test_counts_go_back(begin: Begin) -> None:
    """A count names the same place each time the program comes there."""
    program = begin("aarch64", "plain")
    text = program.gdb(
        "monitor count on\nbreak add if x == 10\ncontinue\nmonitor checkpoint\nmonitor count\n"
        "condition 1 x == 11\ncontinue\nmonitor count\nmonitor restart 1\n" + AGAIN +
        "continue\nmonitor count\nmonitor restart 1\n" + AGAIN + "monitor count\nkill\n"
    )  # fmt: skip
    first, second, third, fourth = re.findall(r"^\d+: (\d+)$", text, flags=re.MULTILINE)
    assert first == fourth
    assert int(first) < int(second)
    assert second == third


def copies(client: Client) -> list[int]:
    """The processes of checkpoints."""
    return [int(pid) for pid in re.findall(r"process (\d+) ", monitor(client, "checkpoint list"))]


def has_ended(pid: int) -> bool:
    """Whether a process ends. The program does not wait for its copies: they may stay zombies."""
    for _ in range(3000):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def at_a_breakpoint(begin: Begin, folder: Path) -> tuple[Debugged, Client]:
    """A program, and a debugger to which it has stopped."""
    program = begin("aarch64", "saved", text_file(folder))
    client = Client(program.socket)
    assert client.ask(b"qSupported:multiprocess+;swbreak+")
    assert client.ask(b"Z0,%x,4" % program.address_of("one")) == b"OK"
    assert b"swbreak" in client.ask(b"vCont;c")
    return program, client


@pytest.mark.parametrize("how", ["delete", "exit", "vanish", "server"])
def test_copies_end(begin: Begin, tmp_path: Path, how: str) -> None:
    """With what they are copies of, at the latest; with the debugger; with its server."""
    program, client = at_a_breakpoint(begin, tmp_path)
    for number in (1, 2):
        assert monitor(client, "checkpoint").startswith(f"checkpoint {number} ")
    kept = copies(client)
    assert len(kept) == 2
    if how == "delete":
        assert monitor(client, "checkpoint delete 1") == ""
        assert has_ended(kept[0])
        assert copies(client) == kept[1:]
        assert "no checkpoint 1" in monitor(client, "restart 1")
        client.send(b"k")
    elif how == "exit":
        assert client.ask(b"z0,%x,4" % program.address_of("one")) == b"OK"
        assert client.ask(b"QPassSignals:14;1e") == b"OK"
        assert client.ask(b"vCont;c") == b"W08;process:%x" % program.process.pid
        client.close()
    elif how == "vanish":
        client.close()
    else:
        os.kill(tracers(program.process.pid)[0], signal.SIGKILL)
    assert all(map(has_ended, kept))
    status, out = program.end()
    if how != "delete":
        assert (status, out) == (8, "abcdefgh caught 1 child 1 6 others -1\n")


def test_a_signal_on_its_way_is_in_the_copy_too(begin: Begin, tmp_path: Path) -> None:
    program, client = at_a_breakpoint(begin, tmp_path)
    os.kill(program.process.pid, signal.SIGUSR1)
    assert client.ask(b"vCont;c").startswith(b"T1e")  # gdb's number
    assert monitor(client, "checkpoint").startswith("checkpoint 1 ")
    # Here it is taken away, there it comes.
    assert b"swbreak" in client.ask(b"vCont;c")
    assert monitor(client, "restart 1") == ""
    assert client.ask(b"z0,%x,4" % program.address_of("one")) == b"OK"
    assert client.ask(b"vCont;c").startswith(b"T1e")
    assert client.ask(b"vCont;C1e").startswith(b"T1e")  # that of raise(3)
    assert client.ask(b"QPassSignals:14") == b"OK"
    assert client.ask(b"vCont;C1e").startswith(b"W08")
    client.close()
    assert program.end() == (-signal.SIGKILL, "abcdefgh caught 2 child 1 6 others -1\n")


def test_what_cannot_be_copied_says_so(begin: Begin) -> None:
    program = begin("aarch64", "events")
    text = program.gdb(
        QUIET + "monitor restart 1\nmonitor restart x\n"
        "monitor checkpoint delete 1\nmonitor checkpoint nonsense\n"
        "break work\ncontinue\nmonitor checkpoint\ndelete\ncatch syscall write\ncontinue\n"
        "monitor checkpoint\nkill\n"
    )
    in_order(
        text, "restart: there is no checkpoint 1", "monitor restart N",
        "checkpoint: there is no checkpoint 1", r"monitor checkpoint \[list\|delete N\]",
        "checkpoint: the program has several threads",
        "checkpoint: the program is in a system call",
    )  # fmt: skip
    program.end()
