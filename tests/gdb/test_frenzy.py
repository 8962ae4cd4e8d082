"""What is rare on its own, all at once: threads at breakpoints and watchpoints beside signals,
forks and execs; debuggers that step, detach, or vanish. The program says whether it was harmed.
"""

from __future__ import annotations

import random

import pytest

from qusr.debug.gdb.packets import checksum
from tests.gdb.client import Client
from tests.gdb.conftest import Begin, Debugged

FEATURES = b"qSupported:multiprocess+;swbreak+;fork-events+;vfork-events+;exec-events+"
#: SIGUSR1, SIGUSR2 and SIGCHLD, by gdb's numbers.
PASSED = b"QPassSignals:1e;1f;14"
#: With the core, if that is not the guest's own.
GUESTS = ["aarch64", "arm native,cache=1M", "riscv64 unicorn"]
MORE = [*GUESTS, "aarch64 native,cache=1M", pytest.param("arm", marks=pytest.mark.slow)]


def started(begin: Begin, guest: str, rounds: int) -> Debugged:
    """The program, which works so many rounds."""
    arch, _, core = guest.partition(" ")
    return begin(arch, "frenzy", str(rounds), core=core)


def connected(program: Debugged, *, events: bool = True) -> Client:
    """A client that stops for no signal."""
    client = Client(program.socket)
    assert client.ask(FEATURES if events else b"qSupported:multiprocess+;swbreak+")
    assert client.ask(PASSED) == b"OK"
    return client


def children_go(client: Client, answer: bytes) -> bool:
    """Whether a stop was a fork: the child is let go, as gdb does."""
    for event in (b"vfork:", b"fork:"):
        _, found, name = answer.partition(event)
        if found:
            pid = name[1:].partition(b".")[0]
            assert client.ask(b"D;" + pid) == b"OK"
            return True
    return any(event in answer for event in (b"vforkdone", b"exec:"))


def who(answer: bytes) -> bytes:
    """The thread of a stop."""
    return answer.partition(b"thread:")[2].partition(b";")[0]


ROUNDS = 24


def _told(begin: Begin, guest: str) -> tuple[list[int], int]:
    """How often a breakpoint was told of, by threads, and a watchpoint, in all of the program."""
    program = started(begin, guest, ROUNDS)
    client = connected(program)
    assert client.ask(b"Z0,%x,4" % program.address_of("around")) == b"OK"
    assert client.ask(b"Z2,%x,4" % program.address_of("watched")) == b"OK"
    calls: dict[bytes, int] = {}
    stores = 0
    while (answer := client.ask(b"vCont;c"))[:1] == b"T":
        if children_go(client, answer):
            continue
        if b"watch:" in answer:
            stores += 1
        else:
            assert b"swbreak" in answer, answer
            calls[who(answer)] = calls.get(who(answer), 0) + 1
    assert answer.startswith(b"W00"), (answer, program.end())
    client.close()
    assert program.end() == (0, "")
    return sorted(calls.values()), stores


@pytest.mark.parametrize("guest", MORE)
def test_each_call_and_store_is_told_once(begin: Begin, guest: str) -> None:
    calls, stores = _told(begin, guest)
    assert calls == [ROUNDS] * 8
    assert stores == ROUNDS


@pytest.mark.parametrize("guest", GUESTS)
def test_steps_in_a_storm_of_signals(begin: Begin, guest: str) -> None:
    """One thread is stepped while the others go on, and signals come to it, too."""
    program = started(begin, guest, 40)
    client = connected(program, events=False)
    around = program.address_of("around")
    assert client.ask(b"Z0,%x,4" % around) == b"OK"
    answer = client.ask(b"vCont;c")
    steps = 0
    while answer[:1] == b"T" and steps < 400:
        steps += 1
        answer = client.ask(b"vCont;s:" + who(answer) + b";c")
    if answer[:1] == b"T":
        assert client.ask(b"z0,%x,4" % around) == b"OK"
        while (answer := client.ask(b"vCont;c"))[:1] == b"T":
            pass  # what had happened to others
    assert answer.startswith(b"W00"), (answer, program.end())
    client.close()
    assert program.end() == (0, "")


@pytest.mark.parametrize("guest", MORE)
def test_breakpoints_come_and_go(begin: Begin, guest: str) -> None:
    """At each stop all stops change: what was translated before is of no use any more."""
    program = started(begin, guest, 30)
    client = connected(program, events=False)
    around, watched = program.address_of("around"), program.address_of("watched")
    chance = random.Random(5)
    there: set[bytes] = set()
    packets = [
        b"0,%x,4" % around,
        b"0,%x,4" % (around + 4),
        b"2,%x,4" % watched,
        b"4,%x,2" % watched,
    ]
    assert client.ask(b"Z" + packets[0]) == b"OK"
    there.add(packets[0])
    stops = 0
    while (answer := client.ask(b"vCont;c"))[:1] == b"T":
        stops += 1
        for packet in packets if stops < 300 else tuple(there):
            letter = b"z" if packet in there else b"Z"
            if stops >= 300 or chance.random() < 0.4:
                assert client.ask(letter + packet) == b"OK"
                there ^= {packet}
        if not there and stops < 300:
            assert client.ask(b"Z" + packets[0]) == b"OK"
            there.add(packets[0])
    assert answer.startswith(b"W00"), (answer, program.end())
    client.close()
    assert program.end() == (0, "")


@pytest.mark.parametrize("when", [0, 1, 7, 40])
@pytest.mark.parametrize("guest", GUESTS)
def test_detached_in_the_middle(begin: Begin, guest: str, when: int) -> None:
    program = started(begin, guest, 24)
    client = connected(program, events=when == 7)
    assert client.ask(b"Z0,%x,4" % program.address_of("around")) == b"OK"
    assert client.ask(b"Z2,%x,4" % program.address_of("watched")) == b"OK"
    for _ in range(when):
        children_go(client, client.ask(b"vCont;c"))
    assert client.ask(b"D") == b"OK"
    client.close()
    assert program.end() == (0, "")


@pytest.mark.parametrize("guest", GUESTS)
def test_debuggers_that_vanish(begin: Begin, guest: str) -> None:
    """Each behind one more byte of what a debugger sends; the last one finds the program whole."""
    program = started(begin, guest, 60)
    packets = [
        FEATURES, PASSED, b"QNonStop:0", b"?", b"Hg0", b"g",
        b"qXfer:features:read:target.xml:0,fff",
        b"Z0,%x,4" % program.address_of("around"), b"Z2,%x,4" % program.address_of("watched"),
        b"qRcmd," + b"count on".hex().encode(), b"vCont;c", b"vCont;s", b"vCont;c",
    ]  # fmt: skip
    frames = [b"$" + packet + b"#" + checksum(packet) for packet in packets]
    for number in range(1, len(frames) + 1):
        for cut in (0, 1, 4):
            if program.process.poll() is not None:
                break
            try:
                client = Client(program.socket)
            except OSError:
                break  # it has ended meanwhile
            sent = b"".join(frames[:number])
            try:
                client.socket.sendall(sent[: len(sent) - cut])
                if cut == 0 and number > 4:
                    client.receive()
            except (OSError, EOFError):
                pass
            client.close()
    assert program.end() == (0, "")
