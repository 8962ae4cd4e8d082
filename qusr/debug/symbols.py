"""What is at an address of a process: the file that is mapped there, and the symbol.

For messages to people: it takes its time, and what cannot be known is left out.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from typing import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

_PAGE = 4096


@dataclass(frozen=True)
class Row:
    """A line of /proc/PID/maps."""

    start: int
    end: int
    offset: int
    identity: str
    path: str


def rows(pid: int) -> list[Row]:
    """The mappings of a process, by address. OSError: one may not look at it, or it is gone."""
    found = []
    with open(f"/proc/{pid}/maps", "rb") as maps:
        for line in maps:
            words = line.decode(errors="surrogateescape").rstrip("\n").split(None, 5)
            start, end = (int(word, 16) for word in words[0].split("-"))
            path = words[5] if len(words) == 6 else ""
            found.append(Row(start, end, int(words[2], 16), f"{words[3]} {words[4]} ", path))
    return found


class Image:
    """An ELF file's segments and symbols; `marked`: bit 0 of a function's address says of which
    kind its code is.
    """

    def __init__(self, elf: ELFFile, marked: bool) -> None:
        loads = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
        self._loads = [
            (load["p_offset"], load["p_filesz"], load["p_vaddr"], load["p_memsz"]) for load in loads
        ]
        known: dict[int, tuple[int, str]] = {}
        for section in elf.iter_sections():
            if section["sh_type"] not in ("SHT_SYMTAB", "SHT_DYNSYM"):
                continue
            for symbol in cast("SymbolTableSection", section).iter_symbols():
                kind, name = symbol["st_info"]["type"], symbol.name
                # A dollar begins the names by which assemblers tell code from data.
                wanted = kind in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE", "STT_LOOS")
                if not wanted or symbol["st_shndx"] == "SHN_UNDEF" or name[:1] in ("", "$"):
                    continue
                value = symbol["st_value"] & ~(marked and kind == "STT_FUNC")
                size, best = symbol["st_size"], known.get(value)
                if best is None or size > best[0]:
                    known[value] = size, name
        self._values = sorted(known)
        self._known = known

    def address_at(self, offset: int, mapped: int) -> int | None:
        """The address, as the file has them, of what is at an offset in it, in a mapping that
        begins with offset `mapped`.

        Segments share pages of the file, so the mapping's begin counts first; .bss begins in the
        last page of a segment.
        """
        holding = [load for load in self._loads if load[0] <= offset < load[0] + load[3]]
        holding.sort(key=lambda load: (load[0] // _PAGE * _PAGE != mapped, -load[0]))
        for start, _, address, _ in holding:
            return int(address + offset - start)
        return None

    def name(self, address: int) -> str | None:
        """ "name+0x10"; None where the file has no symbol."""
        at = bisect_right(self._values, address) - 1
        if at < 0 or not any(a <= address < a + size for _, _, a, size in self._loads):
            return None
        value = self._values[at]
        size, name = self._known[value]
        if size and address >= value + size:
            return None
        return f"{name}+{address - value:#x}"


class Symbols:
    """The symbols of a process; `base` is the host address of guest address 0, `marked` as for
    :class:`Image`.
    """

    def __init__(self, pid: int, mapped: list[Row], base: int, marked: bool) -> None:
        self._marked = marked
        self._pid = pid
        self._rows = [row for row in mapped if row.start >= base]
        self._starts = [row.start for row in self._rows]
        self._base = base
        self._images: dict[str, Image | None] = {}

    def describe(self, address: int) -> str:
        """What is at a guest's address: "0x1234 main+0x10 (program)"."""
        shown, host = f"{address:#x}", self._base + address
        at = bisect_right(self._starts, host) - 1
        if at < 0 or host >= self._rows[at].end:
            return f"{shown} (nothing is mapped there)"
        row = self._rows[at]
        if not row.path.startswith("/"):
            # .bss, perhaps: it follows what is mapped of its file.
            name = self._name_behind(at, host)
            return shown if name is None else f"{shown} {name}"
        file = os.path.basename(row.path)
        image = self._image(row.path)
        own = None if image is None else image.address_at(host - row.start + row.offset, row.offset)
        name = None if own is None or image is None else image.name(own)
        return f"{shown} {name} ({file})" if name else f"{shown} ({file})"

    def _name_behind(self, at: int, host: int) -> str | None:
        while at >= 0 and not self._rows[at].path.startswith("/"):
            at -= 1
        if at < 0:
            return None
        row = self._rows[at]
        image = self._image(row.path)
        start = None if image is None else image.address_at(row.offset + _PAGE - 1, row.offset)
        if image is None or start is None:
            return None
        name = image.name(host - row.start + start - (_PAGE - 1))
        return None if name is None else f"{name} ({os.path.basename(row.path)})"

    def _image(self, path: str) -> Image | None:
        if path not in self._images:
            self._images[path] = self._open(path)
        return self._images[path]

    def _open(self, path: str) -> Image | None:
        try:
            from elftools.common.exceptions import ELFError
            from elftools.elf.elffile import ELFFile
        except ImportError:
            return None  # the guest has put it out of reach (chroot)
        for name in (path, f"/proc/{self._pid}/root{path}"):
            try:
                with open(name, "rb") as file:
                    return Image(ELFFile(file), self._marked)
            except (OSError, ELFError, ValueError, KeyError):
                continue
        return None
