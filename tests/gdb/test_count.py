"""`monitor count`: what translated code counts is how often a debugger can step to get there."""

from __future__ import annotations

import pytest

from tests.gdb.client import Client
from tests.gdb.conftest import Begin, Debugged

#: Guest and core. The first has conditional instructions of all kinds, the second IT blocks; MIPS
#: has delay slots; of s390x and x86 instructions have several lengths.
GUESTS = (
    "arm", "thumb", "aarch64", "riscv64", "s390x", "mips", "thumb unicorn",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            "armeb", "aarch64_be", "riscv32", "mipsel", "mips64", "mips64el", "mipsn32", "ppc",
            "m68k", "amd64", "i386", "arm unicorn", "aarch64 unicorn", "riscv64 unicorn",
        )
    ),
)  # fmt: skip


def monitor(client: Client, command: str) -> str:
    """What a monitor command prints."""
    answer = client.ask(b"qRcmd," + command.encode().hex().encode())
    return "" if answer == b"OK" else bytes.fromhex(answer.decode()).decode()


def where(client: Client) -> bytes:
    """All registers."""
    return client.ask(b"g")


def counted(client: Client) -> int:
    """The count of the only thread."""
    return int(monitor(client, "count").split()[1])


def stops(program: Debugged) -> list[tuple[int, bytes]]:
    """Runs the program to its end, and gives the counts and registers of its stops on the way:
    breakpoints, stores to what is watched, and the fault.
    """
    client = Client(program.socket)
    assert client.ask(b"qSupported:swbreak+")
    assert monitor(client, "count on") == ""
    for symbol in ("round_of", "fault"):
        assert client.ask(b"Z0,%x,4" % program.address_of(symbol)) == b"OK"
    assert client.ask(b"Z2,%x,4" % program.address_of("watched")) == b"OK"
    found = []
    while True:
        answer = client.ask(b"vCont;c")
        found.append((counted(client), where(client)))
        if answer.startswith(b"T0b"):
            break
        assert b"swbreak" in answer or b"watch" in answer, answer
    client.send(b"k")
    program.end()
    return found


@pytest.mark.parametrize("guest", GUESTS)
def test_counts_are_exact(begin: Begin, guest: str) -> None:
    arch, _, core = guest.partition(" ")
    found = stops(begin(arch, "counted", core=core))
    assert len(found) == 4 + 1 + 2
    program = begin(arch, "counted", core=core)
    client = Client(program.socket)
    assert client.ask(b"qSupported:swbreak+")
    done = 0
    for count, registers in found:
        for _ in range(count - done):
            assert client.ask(b"vCont;s").startswith(b"T05")
        done = count
        assert where(client) == registers, count
    assert client.ask(b"vCont;s").startswith(b"T0b")
    client.send(b"k")
    program.end()
