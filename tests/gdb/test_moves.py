"""Watchpoints beside what one instruction moves: s390x has some that move up to a whole buffer."""

from __future__ import annotations

import pytest

from tests.gdb.client import Client
from tests.gdb.conftest import Begin

GUESTS = ["s390x", "aarch64", "x86_64"]
#: Of each move of `moves.c`: the variable, where it begins there, and its bytes.
STORED = [("to", 8, 20), ("to", 32, 24), ("set", 8, 20)]
READ = [("from", 8, 20), ("from", 32, 24)]


@pytest.mark.parametrize("guest", GUESTS)
def test_beside_a_move_is_not_hit(begin: Begin, guest: str) -> None:
    program = begin(guest, "moves")
    client = Client(program.socket)
    assert client.ask(b"qSupported:swbreak+")
    for kind, moves in ((2, STORED), (3, READ)):
        for name, start, size in moves:
            at = program.address_of(name) + start
            for address in (at - 1, at + size):
                assert client.ask(b"Z%d,%x,1" % (kind, address)) == b"OK"
    assert client.ask(b"vCont;c").startswith(b"W00")
    client.close()
    assert program.end() == (0, "")


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("guest", GUESTS)
def test_ends_of_a_move_are_hit(begin: Begin, guest: str, kind: int) -> None:
    """The first byte of each, and the last one where an access begins there."""
    program = begin(guest, "moves")
    client = Client(program.socket)
    assert client.ask(b"qSupported:swbreak+")
    wanted: set[int] = set()
    for name, start, size in STORED if kind == 2 else READ:
        at = program.address_of(name) + start
        for address in (at, at + size - 1):
            assert client.ask(b"Z%d,%x,1" % (kind, address)) == b"OK"
            wanted.add(address)
    word = b"rwatch:" if kind == 3 else b"watch:"
    found: set[int] = set()
    while (answer := client.ask(b"vCont;c"))[:1] == b"T":
        assert word in answer, answer
        address = int(answer.partition(word)[2].partition(b";")[0], 16)
        found.add(address)
        # One that is told of is not told of again: of two in one instruction each has its turn.
        assert client.ask(b"z%d,%x,1" % (kind, address)) == b"OK"
    assert answer.startswith(b"W00")
    client.close()
    assert program.end() == (0, "")
    firsts = {min(pair) for pair in zip(sorted(wanted)[::2], sorted(wanted)[1::2], strict=True)}
    assert firsts <= found <= wanted
