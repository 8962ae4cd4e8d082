"""Non-stop mode: threads that stop one by one."""

from __future__ import annotations

import pytest

from tests.gdb.client import Client
from tests.gdb.conftest import LIBC, Begin, in_order
from tests.gdb.test_gdb import END, QUIET


def non_stop(program_socket: object) -> Client:
    """A client in non-stop mode, to which the program's first thread was told as stopped."""
    client = Client(program_socket)  # type: ignore[arg-type]
    words = client.ask(b"qSupported:multiprocess+;swbreak+;vfork-events+;no-resumed+")
    assert b"QNonStop+" in words
    assert client.ask(b"QNonStop:1") == b"OK"
    first = client.ask(b"?")
    assert first.startswith(b"T")
    assert client.ask(b"vStopped") == b"OK"
    return client


@pytest.mark.parametrize("arch", LIBC)
def test_others_go_on(begin: Begin, arch: str) -> None:
    """While one thread stands at a breakpoint the others are running; all end as ever."""
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "break work if n == 1\ncontinue\nthread apply all -s bt 1\n"
        "info threads\ndelete\n"
        "continue -a\n",
        before=("set non-stop on",),
    )
    in_order(
        text, r"Breakpoint 1, work \(argument=0x1\)", r"#0 +work", r"\* 1 +Thread .*\(running\)",
        r"Thread .* work \(", "exited with code 05",
    )  # fmt: skip
    assert program.end() == (5, END)


def test_stop_and_interrupt(begin: Begin) -> None:
    """vCont;t tells of a stop with signal 0, vCtrlC of one with SIGINT; each once."""
    program = begin("aarch64", "waits")
    client = non_stop(program.socket)
    pid = program.process.pid
    assert client.ask(b"vCont;c:p%x.-1" % pid) == b"OK"
    for packet, signal in ((b"vCont;t:p%x.-1" % pid, b"T00"), (b"vCtrlC", b"T02")) * 5:
        assert client.ask(packet) == b"OK"
        told = client.notification()
        assert told.startswith(b"Stop:" + signal), told
        assert client.ask(b"vStopped") == b"OK"
        # A thread that is stopped already is not told of again.
        assert client.ask(b"vCont;t:p%x.-1" % pid) == b"OK"
        assert client.ask(b"vCont;c:p%x.-1" % pid) == b"OK"
    assert client.ask(b"vCont;t") == b"OK"
    client.notification()
    assert client.ask(b"vStopped") == b"OK"
    assert client.ask(b"QNonStop:0") == b"OK"
    client.send(b"D")
    assert client.receive() == b"OK"
    assert program.process.poll() is None


def test_breakpoints_while_threads_run(begin: Begin) -> None:
    """Eight threads meet one breakpoint that was put in while all of them were running; each is
    told once.
    """
    program = begin("aarch64", "storm", "circle")
    client = non_stop(program.socket)
    pid = program.process.pid
    assert client.ask(b"vCont;c:p%x.-1" % pid) == b"OK"
    address = program.address_of("around")
    # All threads are there when the breakpoint of the barrier's other side was met.
    program.wait_for("ready\n")
    assert client.ask(b"Z0,%x,4" % address) == b"OK"
    told: set[bytes] = set()
    event = client.notification().removeprefix(b"Stop:")
    while event != b"OK" or len(told) < 8:
        if event == b"OK":
            event = client.notification().removeprefix(b"Stop:")
        assert b"swbreak" in event, event
        name = event.split(b"thread:")[1].split(b";")[0]
        assert name not in told
        told.add(name)
        event = client.ask(b"vStopped")
    assert len(told) == 8
    assert client.ask(b"z0,%x,4" % address) == b"OK"
    client.close()
    assert program.end()[0] == 0
