"""The core file itself: fs/binfmt_elf.c, `elf_core_dump`."""

from __future__ import annotations

import os
import struct

from qusr.dump.memory import Memory, Segment, segments
from qusr.dump.notes import notes, order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qusr.running import Process, Thread

_PAGE = 4096
_CHUNK = 1 << 20
_ET_CORE, _PT_LOAD, _PT_NOTE = 4, 1, 4
_PN_XNUM = 0xFFFF


class _Full(Exception):
    """RLIMIT_CORE is reached."""


class _File:
    """The file, which takes no more than the limit. Holes do not count, nor do they to the
    kernel.
    """

    def __init__(self, fd: int, limit: int) -> None:
        self._fd = fd
        self._left = limit

    def write(self, at: int, data: bytes) -> None:
        """Stores `data`; all of it, or as much as there is room for."""
        view = memoryview(data)[: self._left]
        while view:
            count = os.pwrite(self._fd, view, at)
            self._left -= count
            at += count
            view = view[count:]
            if count == 0:
                break
        if self._left == 0:
            raise _Full

    def end(self, size: int) -> None:
        """Makes the file that long: its end may be a hole."""
        os.ftruncate(self._fd, size)


def write(
    fd: int, limit: int, process: Process, threads: Sequence[Thread], signal: tuple[int, bytes]
) -> None:
    """Writes the core of `process`, cut off at `limit` bytes.

    `threads`: the dying one first; `signal`: its number and siginfo_t.
    """
    memory = Memory(process)
    file = _File(fd, limit)
    try:
        loads = segments(process, memory)
        text = notes(process, threads, signal, [item for item in loads if item.inode])
        headers, at = _headers(process, loads, len(text))
        file.write(0, headers)
        file.write(len(headers), text.ljust(at - len(headers), b"\0"))
        for item in loads:
            for address, data in _content(memory, item):
                file.write(at + address - item.start, data)
            at += item.size
        file.end(at)
    except _Full:
        pass
    finally:
        memory.close()


def _headers(process: Process, loads: Sequence[Segment], noted: int) -> tuple[bytes, int]:
    """ELF and program headers, and where the first segment's data begin."""
    abi = process.abi
    wide = abi.word == 8
    word = "Q" if wide else "I"
    ehdr = struct.Struct(f"{order(abi)}HHI3{word}I6H")
    phdr = struct.Struct(f"{order(abi)}" + ("IIQQQQQQ" if wide else "IIIIIIII"))
    shdr = struct.Struct(f"{order(abi)}II4{word}II2{word}")
    ehsize = 16 + ehdr.size
    count = len(loads) + 1
    extended = count >= _PN_XNUM
    start_of_notes = ehsize + count * phdr.size + (shdr.size if extended else 0)
    at = (start_of_notes + noted + _PAGE - 1) // _PAGE * _PAGE

    def program(kind: int, flags: int, numbers: tuple[int, ...]) -> bytes:
        offset, address, filesz, memsz, align = numbers
        if wide:
            return phdr.pack(kind, flags, offset, address, 0, filesz, memsz, align)
        return phdr.pack(kind, offset, address, 0, filesz, memsz, flags, align)

    first = at
    programs = program(_PT_NOTE, 0, (start_of_notes, 0, noted, 0, 4))
    for item in loads:
        size = item.end - item.start
        programs += program(_PT_LOAD, item.elf_flags, (at, item.start, item.size, size, _PAGE))
        at += item.size
    ident = b"\x7fELF" + bytes((2 if wide else 1, 2 if abi.big_endian else 1, 1))
    shoff = ehsize + len(programs) if extended else 0
    header = ehdr.pack(
        _ET_CORE, process.arch.elf_machine, 1, 0, ehsize, shoff, process.arch.guest.flags[1],
        ehsize, phdr.size,
        _PN_XNUM if extended else count, shdr.size if extended else 0, int(extended), 0,
    )  # fmt: skip
    # With more than 65534 program headers, section header 0 says how many (elf(5), e_phnum).
    section = shdr.pack(0, 0, 0, 0, 0, 1, 0, count, 0, 0) if extended else b""
    return ident.ljust(16, b"\0") + header + programs + section, first


def _content(memory: Memory, item: Segment) -> Iterator[tuple[int, bytes]]:
    """What is to be stored of a segment: (address, bytes), without pages of zeros."""
    end = item.start + item.size
    ranges = memory.runs(item.start, end) if item.sparse else [(item.start, end)]
    zero = bytes(_PAGE)
    for low, high in ranges:
        for at in range(low, high, _CHUNK):
            data = memory.read(at, min(_CHUNK, high - at))
            begin = -1
            for place in range(0, len(data), _PAGE):
                if data[place : place + _PAGE] == zero:
                    if begin >= 0:
                        yield at + begin, data[begin:place]
                    begin = -1
                elif begin < 0:
                    begin = place
            if begin >= 0:
                yield at + begin, data[begin:]
