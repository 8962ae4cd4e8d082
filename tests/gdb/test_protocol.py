"""The protocol by itself: odd packets, debuggers that vanish. What holds is gdb's manual."""

from __future__ import annotations

import random
from typing import Literal

import pytest

from qusr.debug.gdb.packets import LONGEST, Splitter, checksum, escape, unescape
from tests.gdb.client import Client
from tests.gdb.conftest import Begin
from tests.gdb.test_gdb import END

#: What debuggers send, to be mutated. None of these lets the program go on or ends it.
PACKETS = (
    b"qSupported:multiprocess+;swbreak+;hwbreak+;fork-events+;exec-events+", b"?", b"g", b"p1f",
    b"P0=0100000000000000", b"m2aaaaaa0000,40", b"M3fffff00000,4:00112233", b"X3fffff00000,2:ab",
    b"Z0,2aaaaaa0700,4", b"Z0,2aaaaaa0700,4;X5,260001" b"2227", b"Z2,2aaaaab0000,8",
    b"z0,2aaaaaa0700,4", b"z2,2aaaaab0000,8", b"Hg0", b"Hc-1", b"T1", b"qfThreadInfo",
    b"qsThreadInfo", b"qC", b"qAttached:1", b"qXfer:features:read:target.xml:0,fff",
    b"qXfer:auxv:read::0,1000", b"qXfer:exec-file:read::0,1000", b"qXfer:threads:read::0,1000",
    b"qXfer:siginfo:read::0,80", b"qXfer:osdata:read:types:0,100", b"vFile:setfs:0",
    b"vFile:open:2f6574632f686f7374732e6e6f6e65,0,0", b"vFile:pread:5,10,0", b"vFile:close:9",
    b"vFile:fstat:3", b"vFile:readlink:2f", b"vCont?", b"QPassSignals:e;10;14", b"QThreadEvents:1",
    b"QCatchSyscalls:1;40", b"QCatchSyscalls:0", b"qSearch:memory:2aaaaaa0000;100;ELF",
    b"qCRC:2aaaaaa0000,100", b"qRcmd,6d617073", b"qThreadExtraInfo,1", b"!",
)  # fmt: skip

HARMLESS = (b"vFile:pread", b"vFile:close", b"vFile:fstat", b"vFile:readlink", b"vFile:setfs",
            b"vCont?", b"vMustReply")  # fmt: skip
"""What of the packets that could do more than that does not."""


def mutated(packet: bytes, random: random.Random) -> bytes:
    """A packet with a few bytes changed, cut, doubled or put in; or the frame around it broken."""
    data = bytearray(packet)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0 if data:
                data[at % len(data)] = random.randrange(256)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = bytes(random.choices(b"0123456789abcdef,;:-p.*#$}\x03\xff", k=4))
            case 3:
                data += data[:at]
            case _:
                data[at:at] = b"ffffffffffffffff"
    body = bytes(data)
    # Not what would let the program go on, end it, start another, or write to files.
    if body[:1] in b"cCsSkDRv" and not body.startswith(HARMLESS):
        body = b"q" + body
    if b"\x03" in body:
        body = body.replace(b"\x03", b"")
    frame = b"$" + body + b"#" + checksum(body)
    if random.random() < 0.2:
        cut = random.randrange(len(frame))
        frame = frame[:cut] + frame[cut + 1 :]
    return frame


@pytest.mark.parametrize("count", [300, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nonsense_does_no_harm(begin: Begin, count: int) -> None:
    """The program behind it runs as ever. Registers and memory are restored, as P and M may hit."""
    program = begin("aarch64", "events")
    client = Client(program.socket)
    chance = random.Random(count)
    registers = client.ask(b"g")
    at_once = 5 if count < 1000 else 25
    for _ in range(count // at_once):
        client.socket.sendall(
            b"".join(mutated(chance.choice(PACKETS), chance) for _ in range(at_once))
        )
        client.drain()
    client.resume(b"qSupported")
    assert client.ask(b"G" + registers) == b"OK"
    assert client.ask(b"?").startswith(b"T")
    client.send(b"D")
    assert client.receive() == b"OK"
    client.close()  # who has said "!" may start programs, which are to have this one's streams
    assert program.end() == (5, END)


def test_several_debuggers_one_after_the_other(begin: Begin) -> None:
    program = begin("arm", "waits")
    for _ in range(5):
        client = Client(program.socket)
        assert client.ask(b"?").startswith(b"T")
        client.close()
    text = program.gdb("set var enough = 3\ncontinue\n")
    assert "exited with code 03" in text
    assert program.end() == (3, "")


def test_a_thread_that_is_gone(begin: Begin) -> None:
    program = begin("aarch64", "events")
    client = Client(program.socket)
    assert client.ask(b"Hg7fffffff")[:1] == b"E"
    assert client.ask(b"T7fffffff")[:1] == b"E"
    assert client.ask(b"vKill;7fffffff")[:1] == b"E"
    assert client.ask(b"vAttach;7fffffff")[:1] == b"E"
    client.send(b"D")
    assert client.receive() == b"OK"
    assert program.end() == (5, END)


def test_the_end_is_told(begin: Begin) -> None:
    """W and the status, X and the signal by gdb's number (SIGUSR2 is 31 there, 12 on Linux)."""
    program = begin("aarch64", "events")
    client = Client(program.socket)
    assert client.ask(b"QPassSignals:1e;14") == b"OK"
    # Who does not know of execs hears of the one as ptrace(2)'s SIGTRAP.
    assert client.ask(b"vCont;c").startswith(b"T05")
    assert client.ask(b"vCont;c") == b"W05"
    assert program.end() == (5, END)
    program = begin("aarch64", "events")
    client = Client(program.socket)
    assert client.ask(b"vCont;C1f") == b"X1f"
    assert program.end()[0] == -12


def test_suspend(begin: Begin) -> None:
    """With suspend=n the program does not wait for a debugger."""
    program = begin("aarch64", "events", place=",suspend=n")
    assert program.end() == (5, END)


def test_packets_come_in_pieces() -> None:
    splitter = Splitter()
    assert list(splitter.feed(b"+$g#6")) == []
    assert list(splitter.feed(b"7\x03$?#3f")) == [
        ("packet", b"g"),
        ("interrupt", b""),
        ("packet", b"?"),
    ]
    assert list(splitter.feed(b"-$g#00")) == [("resend", b""), ("bad", b"g")]
    # One that was cut off before its end.
    assert list(splitter.feed(b"$m1,$g#67")) == [("bad", b""), ("packet", b"g")]
    assert list(splitter.feed(b"$" + b"0" * (2 * LONGEST + 2))) == [("bad", b"")]


def test_binary_data() -> None:
    data = bytes(range(256))
    assert unescape(escape(data)) == data
    assert not set(b"#$*") & set(escape(data))
    assert unescape(b"ab}") == b"ab"


def test_an_interrupt_is_never_lost(begin: Begin) -> None:
    """One that comes while the program is stopped, as between two steps of a debugger's, has it
    stop when it goes on, once.
    """
    program = begin("aarch64", "waits")
    client = Client(program.socket)
    for _ in range(3):
        client.socket.sendall(b"\x03")
        assert client.ask(b"vCont;c").startswith(b"T02")
    for _ in range(3):
        client.send(b"vCont;c")
        client.socket.sendall(b"\x03")
        assert client.receive().startswith(b"T02")
    assert client.ask(b"vCont;s:%x" % program.process.pid).startswith(b"T05")
    client.send(b"k")
    assert program.end()[0] == -9


@pytest.mark.parametrize("arch", ["aarch64_be", "armeb", "riscv64"])
def test_packets_from_before_vcont(begin: Begin, arch: str) -> None:
    """s, S, c and C; vCont;r stops once, where the range is left; x is m in binary."""
    program = begin(arch, "plain")
    client = Client(program.socket)
    register = {"armeb": b"pf", "riscv64": b"p20"}.get(arch, b"p20")
    order: Literal["big", "little"] = "little" if arch == "riscv64" else "big"

    def pc() -> int:
        return int.from_bytes(bytes.fromhex(client.ask(register).decode()), order)

    assert client.ask(b"qSupported:swbreak+")
    before = pc()
    assert client.ask(b"s").startswith(b"T05")
    assert client.ask(b"S00").startswith(b"T05")
    assert pc() != before
    add = program.address_of("add")
    assert client.ask(b"Z0,%x,4" % add) == b"OK"
    assert b"swbreak" in client.ask(b"c")
    assert pc() == add
    assert client.ask(b"z0,%x,4" % add) == b"OK"
    # Its caller calls it again and again; the range ends before its last instruction.
    answer = client.ask(b"vCont;r%x,%x:%x;c" % (add, add + 8, program.process.pid))
    assert answer.startswith(b"T05") and b"swbreak" not in answer
    # An instruction has up to 4 bytes, and of RISC-V 2 as well.
    assert pc() == add + 8 or (arch == "riscv64" and pc() == add + 10)
    code = client.ask(b"m%x,10" % add)
    assert unescape(client.ask(b"x%x,10" % add)) == b"b" + bytes.fromhex(code.decode())
    assert client.ask(b"C00").startswith(b"W09")
    client.close()
    assert program.end() == (9, "")
