"""Hooks of memory, blocks and addresses: while they are there, and when they are not.

What they must tell follows from `embedded.c` and from the addresses that its compiler has given.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

import qusr
from qusr.embed.hooks import Hook
from tests.test_embed import GUESTS as ALL
from tests.test_embed import Built, built

__all__ = ["built"]
#: On Unicorn nothing is exclusive across two runs, so a lock of ppc's is never had: docs.
GUESTS = [guest for guest in ALL if guest != "ppc"]


def stores(built: Built, guest: str) -> qusr.Process:
    """The program that fills a table, adds it up, and has read(2) write to it."""
    reader, writer = os.pipe()
    os.write(writer, b"abcd")
    os.close(writer)
    return qusr.Process([built(guest), "stores"], stdin=reader)


def within(process: qusr.Process, pc: int, function: str) -> bool:
    """Whether an instruction is one of a small function's."""
    return 0 <= pc - start_of(process, function) < 64


def start_of(process: qusr.Process, function: str) -> int:
    """Where its code is: a pointer to one of Thumb code has bit 0."""
    return process.address_of(function) & (~1 if process.arch.name == "arm" else ~0)


@pytest.mark.parametrize("guest", GUESTS)
def test_reads_and_writes(built: Built, guest: str) -> None:
    process = stores(built, guest)
    order: Literal["big", "little"] = "big" if process.arch.big_endian else "little"
    table = process.address_of("table")
    written: list[tuple[bool, int, bytes, bytes]] = []
    read: list[tuple[int, int, int]] = []

    def wrote(process: qusr.Process, pc: int, address: int, before: bytes, after: bytes) -> None:
        assert process.read(address, len(after)) == after
        written.append((within(process, pc, "fill"), address - table, before, after))

    process.hook_writes("table", 32, wrote)
    process.hook_reads(
        table,
        16,
        lambda process, pc, address, data: read.append(
            (address - table, len(data), int.from_bytes(data, order))
        ),
    )
    exited = process.run()
    assert exited is not None
    assert exited.returncode == (0x1001 + 0x1002 + 0x1003 + 4) & 0xFF
    assert written == [
        *((True, 4 * n, bytes(4), (0x1000 + n).to_bytes(4, order)) for n in (1, 2, 3)),
        (False, 16, bytes(4), b"abcd"),
    ]
    assert read == [(4 * n, 4, 0x1000 + n if n else 0) for n in range(4)]


@pytest.mark.parametrize("guest", ["aarch64", "s390x"])
def test_what_is_beside_is_not_told(built: Built, guest: str) -> None:
    process = stores(built, guest)
    told: list[int] = []
    table = process.address_of("table")
    process.hook_writes(table + 5, 2, lambda process, pc, address, *_: told.append(address - table))
    process.hook_reads(table + 20, 8, lambda process, *_: told.append(-1))
    process.run()
    assert told == [4]


@pytest.mark.parametrize("guest", ["aarch64", "arm", "x86_64"])
def test_removed_hooks_are_silent(built: Built, guest: str) -> None:
    """Each after its first call, by itself; then nothing is stopped for any more."""
    process = stores(built, guest)
    told: list[str] = []
    hooks: dict[str, Hook] = {}

    def once(name: str) -> object:
        told.append(name)
        hooks[name].remove()
        return None

    hooks["write"] = process.hook_writes("table", 32, lambda *_: once("write"))
    hooks["read"] = process.hook_reads("table", 32, lambda *_: once("read"))
    hooks["block"] = process.hook_blocks(lambda *_: once("block"))
    hooks["fill"] = process.hook_address("fill", lambda *_: once("fill"))
    exited = process.run()
    assert exited is not None and exited.signal is None
    assert told == ["block", "fill", "write", "read"]
    assert "removed" in repr(hooks["write"])


@pytest.mark.parametrize("guest", GUESTS)
def test_blocks(built: Built, guest: str) -> None:
    """A function's first block begins where it does, as often as it is called."""
    process = stores(built, guest)
    blocks: list[tuple[int, int]] = []
    process.hook_blocks(lambda process, pc, size: blocks.append((pc, size)))
    exited = process.run()
    assert exited is not None and exited.signal is None
    fill = start_of(process, "fill")
    assert [pc for pc, _ in blocks].count(fill) == 3
    assert blocks[0][0] != 0 and all(size > 0 for _, size in blocks)
    assert len(blocks) > 500


def test_blocks_are_all_instructions(built: Built) -> None:
    """Against each instruction's own hook: the blocks' first ones, and what follows within them."""
    single = stores(built, "aarch64")
    each: list[int] = []
    single.hook_code(lambda process, pc: each.append(pc))
    single.run()
    process = stores(built, "aarch64")
    in_blocks: list[int] = []
    process.hook_blocks(lambda process, pc, size: in_blocks.extend(range(pc, pc + size, 4)))
    process.run()
    start = single.address_of("main")
    assert in_blocks[in_blocks.index(start) :][:400] == each[each.index(start) :][:400]


@pytest.mark.parametrize("guest", ["aarch64", "arm", "s390x"])
def test_addresses_at_full_speed(built: Built, guest: str) -> None:
    """A program of ten million rounds with a hook that is met once: seconds, not minutes."""
    process = qusr.Process([built(guest), "rounds"])
    met: list[int] = []
    process.hook_address("crc32", lambda process: met.append(process.pc))
    exited = process.run(timeout=60)
    assert exited is not None
    assert [pc & ~1 for pc in met] == [start_of(process, "crc32")]


@pytest.mark.parametrize("guest", ["aarch64", "arm", "s390x", "i386"])
def test_a_hook_may_go_elsewhere(built: Built, guest: str) -> None:
    """It calls a function, which has a hook, too; the guest goes on as if it had not."""
    process = stores(built, guest)
    told: list[str] = []

    def call(process: qusr.Process) -> None:
        told.append("fill")
        assert process.call("crc32", b"123456789", 9) == 0xCBF43926

    process.hook_address("fill", call)
    process.hook_address("crc32", lambda process: told.append("crc32"))
    exited = process.run()
    assert exited is not None
    assert exited.returncode == (0x1001 + 0x1002 + 0x1003 + 4) & 0xFF
    assert told == ["fill", "crc32"] * 3


@pytest.mark.parametrize("guest", ["aarch64", "arm", "s390x"])
def test_until_is_met_each_time(built: Built, guest: str) -> None:
    process = stores(built, guest)
    for _ in range(3):
        assert process.run(until="fill") is None
        assert process.pc & ~1 == start_of(process, "fill")
    assert process.run(until="fill") is not None


def test_hooks_in_other_threads(built: Built, tmp_path: Path) -> None:
    """They see the thread's own registers."""
    process = qusr.Process([built("aarch64"), "threads"])
    given: set[int] = set()
    process.hook_address("crc32", lambda process: given.add(process.read_reg("x1")))
    exited = process.run()
    assert exited is not None and exited.returncode == 0
    assert given == {1, 2, 3, 4}


@pytest.mark.parametrize("size", [0, 1 << 31])
def test_ranges_that_cannot_be(built: Built, size: int) -> None:
    process = stores(built, "aarch64")
    with pytest.raises(ValueError, match="bytes cannot be watched"):
        process.hook_reads("table", size, lambda *_: None)
