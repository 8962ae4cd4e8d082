"""Which of the guest's memory a core file holds: fs/coredump.c, `vma_dump_size`."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from qusr.running import Process

_PAGE = 4096
# Bits of /proc/PID/coredump_filter (core(5)).
ANON_PRIVATE, ANON_SHARED, MAPPED_PRIVATE, MAPPED_SHARED, ELF_HEADERS = 1, 2, 4, 8, 16
_DEFAULT_FILTER = 0x33

_HEADER = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (...)(.) ([0-9a-f]+) (\S+) (\d+) *(.*)")
_ALWAYS = (b"[vdso]", b"[vectors]", b"[sigpage]", b"[vvar]")
# Bits of an entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
_PRESENT, _SWAPPED, _OF_FILE = 1 << 63, 1 << 62, 1 << 61
_ENTRIES = 1 << 16


class Segment:
    """A mapping, and how much of it is dumped.

    Attributes:
        prot: "rwx" with dashes, as in maps.
        offset: in the file, in bytes.
        inode: 0 without a file (shared anonymous memory has one, too).
        name: the file's as the guest knows it.
        size: how many bytes of it are dumped.
        sparse: only pages that are there are worth reading; the others are zero.
    """

    __slots__ = ("end", "inode", "name", "offset", "prot", "size", "sparse", "start")

    def __init__(self, header: re.Match[bytes]) -> None:
        start, end, self.prot, _, offset, _, inode, self.name = header.groups()
        self.start = int(start, 16)
        self.end = int(end, 16)
        self.offset = int(offset, 16)
        self.inode = int(inode)
        self.size = 0
        self.sparse = self.inode == 0

    @property
    def elf_flags(self) -> int:
        """p_flags."""
        return sum(bit for bit, char in ((4, b"r"), (2, b"w"), (1, b"x")) if char in self.prot)


class Memory:
    """Guest memory of this process, whatever its protection."""

    def __init__(self, process: Process) -> None:
        self._base = process.memory.base
        self._memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
        self._pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)

    def read(self, address: int, size: int) -> bytes:
        """What is there; zeros for pages that are not to be had (behind a file's end)."""
        try:
            data = os.pread(self._memory, size, self._base + address)
            if len(data) == size:
                return data
        except OSError:
            pass
        if size <= _PAGE:
            return bytes(size)
        parts = (self.read(at, _PAGE) for at in range(address, address + size, _PAGE))
        return b"".join(parts)

    def runs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges of anonymous pages in `start`..`end` that are in memory or swapped."""
        first = -1
        for at in range(start, end, _ENTRIES * _PAGE):
            count = min(_ENTRIES, (end - at) // _PAGE)
            raw = os.pread(self._pagemap, count * 8, (self._base + at) // _PAGE * 8)
            for index, entry in enumerate(memoryview(raw).cast("Q")):
                there = entry & (_PRESENT | _SWAPPED) and not entry & _OF_FILE
                if there and first < 0:
                    first = at + index * _PAGE
                elif not there and first >= 0:
                    yield first, at + index * _PAGE
                    first = -1
        if first >= 0:
            yield first, end

    def close(self) -> None:
        """Closes the files."""
        os.close(self._memory)
        os.close(self._pagemap)


def segments(process: Process, memory: Memory) -> list[Segment]:
    """All mappings, each with what is to be dumped of it."""
    root = process.sysroot.root
    text = process.memory.smaps_text(None if root is None else os.fsencode(root))
    wanted = _filter()
    found: list[Segment] = []
    anonymous = 0
    shared = False
    for line in text.split(b"\n"):
        header = _HEADER.fullmatch(line)
        if header:
            found.append(Segment(header))
            anonymous, shared = 0, header[4] == b"s"
        elif line.startswith((b"Anonymous:", b"Swap:")):
            anonymous += int(line.split()[1])
        elif line.startswith(b"VmFlags:"):
            item = found[-1]
            flags = line.split()
            if b"dd" in flags or b"io" in flags:
                item.size = 0
            elif shared:
                item.size = _of_shared(item, wanted)
            else:
                written = anonymous > 0 and any(True for _ in memory.runs(item.start, item.end))
                item.size = _of_private(item, wanted, memory, written=written)
            if item.name in _ALWAYS:
                item.size = item.end - item.start
    return found


def _filter() -> int:
    try:
        with open("/proc/self/coredump_filter", "rb") as file:
            return int(file.read(), 16)
    except OSError:
        return _DEFAULT_FILTER


def _of_shared(item: Segment, wanted: int) -> int:
    # "Anonymous" is what has no name any more: shared anonymous memory, memfds, deleted files.
    nameless = item.name.endswith(b" (deleted)")
    return item.end - item.start if wanted & (ANON_SHARED if nameless else MAPPED_SHARED) else 0


def _of_private(item: Segment, wanted: int, memory: Memory, *, written: bool) -> int:
    whole = item.end - item.start
    if written and wanted & ANON_PRIVATE:
        return whole
    if item.inode == 0:
        return 0
    if wanted & MAPPED_PRIVATE:
        return whole
    if wanted & ELF_HEADERS and item.offset == 0 and "r" in item.prot.decode():
        # The kernel looks at the file's mode first; an executable that is no ELF file is rare.
        return _PAGE if memory.read(item.start, 4) == b"\x7fELF" else 0
    return 0
