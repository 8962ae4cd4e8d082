"""Debuggers on programs that make threads and forks all the time; and what is left of who dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest

from tests.emulators import ENVIRONMENT, QUSR_ENVIRONMENT, need
from tests.gdb.client import Client
from tests.gdb.conftest import LIBC, Begin, Debugged, in_order


def tracers(pid: int) -> list[int]:
    """Who traces a process: its server."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        found = re.findall(r"TracerPid:\s*(\d+)", file.read())
    return [int(number) for number in found if number != "0"]


def gone(pid: int) -> bool:
    """Whether a process ends, within a time that is long even under load."""
    for _ in range(3000):
        if not os.path.exists(f"/proc/{pid}"):
            return True
        time.sleep(0.01)
    return False


def attached(program: Debugged) -> str:
    """What gdb prints that `qusr gdb -p` starts on a process which runs."""
    qusr = str(program.process.args[0]).rpartition("-")[0]  # type: ignore[index]
    words = [qusr, "gdb", "--gdb", "gdb-multiarch -nx -batch", "-p", str(program.process.pid)]
    run = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, timeout=120, env={**ENVIRONMENT, **QUSR_ENVIRONMENT},
    )  # fmt: skip
    return run.stdout


@pytest.mark.parametrize("arch", ["aarch64", pytest.param("arm", marks=pytest.mark.slow)])
@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_storm(begin: Begin, arch: str, rounds: int) -> None:
    """A breakpoint that each thread meets, a condition that never holds, a watchpoint that each of
    them hits; and forks whose children are let go. Each hit is counted.
    """
    program = begin(arch, "storm", "storm", str(rounds))
    count = "commands\nsilent\nset $%s = $%s + 1\ncontinue\nend\nset $%s = 0\n"
    text = program.gdb(
        "break around\n" + count.replace("%s", "hits") + "break around if total > 1000000\n"
        "watch watched\n" + count.replace("%s", "stores") + "continue\n"
        'printf "hits %d stores %d\\n", $hits, $stores\n',
        timeout=500,
    )
    in_order(text, "exited normally", f"hits {8 * rounds} stores {8 * rounds}")
    assert program.end()[0] == 0


@pytest.mark.parametrize("arch", LIBC)
def test_eight_threads_at_one_breakpoint(begin: Begin, arch: str) -> None:
    """In all-stop mode: each thread is told of its own arrival, none twice or never."""
    program = begin(arch, "storm", "circle", "3")
    client = Client(program.socket)
    client.ask(b"qSupported:multiprocess+;swbreak+")
    assert client.ask(b"Z0,%x,4" % program.address_of("around")) == b"OK"
    hits: dict[bytes, int] = {}
    while not (answer := client.ask(b"vCont;c")).startswith(b"W"):
        assert b"swbreak" in answer, answer
        name = answer.split(b"thread:")[1].split(b";")[0]
        hits[name] = hits.get(name, 0) + 1
    assert list(hits.values()) == [3] * 8
    client.close()
    assert program.end()[0] == 0


@pytest.mark.parametrize("times", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_attach_to_a_busy_process(begin: Begin, times: int) -> None:
    """It is not harmed, and no server stays behind."""
    need("gdb-multiarch")
    program = begin("aarch64", "storm", "storm", "1000000")
    client = Client(program.socket)
    assert client.ask(b"D") == b"OK"
    client.close()
    for _ in range(times):
        assert program.process.poll() is None, program.end()
        text = attached(program)
        assert "in ?? ()" in text or re.search(r"in [\w@]+ \(", text), text
        # gdb in batch mode detaches from what ran before.
        assert program.process.poll() is None
        for _ in range(1000):
            if not tracers(program.process.pid):
                break
            time.sleep(0.01)
        assert not tracers(program.process.pid)
    program.process.terminate()
    assert program.end() == (0, "")


@pytest.mark.parametrize("who", ["client", "guest", "server"])
def test_one_of_the_three_dies(begin: Begin, who: str) -> None:
    """The server ends with the guest; the guest goes on without a server or a debugger."""
    program = begin("aarch64", "waits")
    client = Client(program.socket)
    assert client.ask(b"?").startswith(b"T")
    client.send(b"vCont;c")
    pid = program.process.pid
    (server,) = tracers(pid)
    if who == "client":
        client.close()
        again = Client(program.socket)
        assert again.ask(b"?").startswith(b"T")
        assert tracers(pid) == [server]
        again.send(b"k")
    elif who == "guest":
        program.process.kill()
        assert client.receive() == b"X09"
        client.close()
    else:
        os.kill(server, signal.SIGKILL)
        assert gone(server)
        assert program.process.poll() is None
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            assert file.read().rpartition(")")[2].split()[0] in "RS"
        program.process.kill()
    assert program.end()[0] == -9
    assert gone(server)
    assert not program.socket.exists() or who == "server"


def begin_and_send(begin: Begin, number: int, seconds: float) -> Debugged:
    """A program that gets a signal that long after the server has begun to trace it."""
    program = begin("aarch64", "waits")
    while not tracers(program.process.pid):
        time.sleep(0)  # before that the socket is its own, and stays
    time.sleep(seconds)
    program.process.send_signal(number)
    return program


@pytest.mark.parametrize("seconds", [0, 0.003, 0.01, 0.5])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_waits_for_its_debugger_can_be_ended(
    begin: Begin, number: int, seconds: float
) -> None:
    """By SIGTERM or the terminal's SIGINT, as under qemu; the socket goes, too."""
    program = begin_and_send(begin, number, seconds)
    assert program.end() == (-number, "")
    for _ in range(1000):
        if not program.socket.exists():
            break
        time.sleep(0.01)
    assert not program.socket.exists()


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_a_signal_before_the_debugger_comes(begin: Begin, seconds: float) -> None:
    """It does not begin the program, and the debugger is told once."""
    program = begin_and_send(begin, signal.SIGUSR1, seconds)
    time.sleep(1.2)  # the server looks once in a second what waits
    client = Client(program.socket)
    answer = client.ask(b"?")
    if answer.startswith(b"T05"):
        answer = client.ask(b"vCont;c")
    assert answer.startswith(b"T1e"), answer  # gdb's number of SIGUSR1
    assert client.ask(b"vCont;C1e") == b"X1e"
    client.close()
    assert program.end() == (-signal.SIGUSR1, "")
