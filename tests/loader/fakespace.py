"""A model of an address space in plain Python: a dictionary of pages."""

from __future__ import annotations

import errno
import os

PAGE = 4096
MAP_SHARED, MAP_FIXED, MAP_ANONYMOUS, MAP_NOREPLACE = 1, 0x10, 0x20, 0x100000


class FakeSpace:
    """Does what `qusr._native.AddressSpace` does, page by page."""

    def __init__(self, limit: int, min_address: int = 0x10000) -> None:
        self.limit = limit
        self.map_window = limit
        self.min_address = min_address
        self.pages: dict[int, tuple[int, bytearray]] = {}
        #: Large anonymous ranges are kept as ranges: (start, end, prot).
        self.ranges: list[tuple[int, int, int]] = []
        self.names: dict[tuple[int, int], str] = {}
        self.brk = 0
        self.mmap_base = limit
        self.mapped = 0

    def _free(self, start: int, end: int) -> bool:
        if any(s < end and start < e for s, e, _ in self.ranges):
            return False
        if end - start > len(self.pages) * PAGE:
            return not any(start <= p < end for p in self.pages)
        return not any(p in self.pages for p in range(start, end, PAGE))

    def _search(self, size: int) -> int:
        """Top-down, below the lowest thing that is above the middle."""
        taken = sorted([(p, p + PAGE) for p in self.pages] + [(s, e) for s, e, _ in self.ranges])
        end = self.mmap_base
        for start, stop in reversed(taken):
            if end - stop >= size:
                break
            end = min(end, start)
        if end - size < self.min_address:
            raise OSError(errno.ENOMEM, "no room")
        return end - size

    def mmap(
        self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int:
        if len == 0 or offset % PAGE:
            raise OSError(errno.EINVAL, "mmap")
        size = -(-len // PAGE) * PAGE
        if flags & (MAP_FIXED | MAP_NOREPLACE):
            if addr % PAGE:
                raise OSError(errno.EINVAL, "unaligned")
            if addr < 0 or addr + size > self.limit:
                raise OSError(errno.ENOMEM, "out of the space")
            if flags & MAP_NOREPLACE and not self._free(addr, addr + size):
                raise OSError(errno.EEXIST, "taken")
        else:
            assert addr == 0
            addr = self._search(size)
        self.munmap(addr, size)
        self.mapped += size
        if fd < 0 and size > 1 << 20:
            self.ranges.append((addr, addr + size, prot))
            return addr
        for at in range(0, size, PAGE):
            data = os.pread(fd, PAGE, offset + at) if fd >= 0 else b""
            self.pages[addr + at] = (prot, bytearray(data.ljust(PAGE, b"\0")))
        return addr

    def munmap(self, addr: int, len: int) -> None:
        end = addr + -(-len // PAGE) * PAGE
        kept = []
        for s, e, prot in self.ranges:
            if s < addr:
                kept.append((s, min(e, addr), prot))
            if e > end:
                kept.append((max(s, end), e, prot))
        self.ranges = kept
        for page in [p for p in self.pages if addr <= p < end]:
            del self.pages[page]

    def mprotect(self, addr: int, len: int, prot: int) -> None:
        for page in range(addr, addr + len, PAGE):
            self.pages[page] = (prot, self.pages[page][1])

    def write(self, addr: int, data: bytes) -> None:
        at = 0
        while at < len(data):
            page = (addr + at) & -PAGE
            start = addr + at - page
            part = data[at : at + PAGE - start]
            if page not in self.pages:
                for s, e, prot in self.ranges:
                    if s <= page < e:
                        self.pages[page] = (prot, bytearray(PAGE))
            if page not in self.pages or not self.pages[page][0] & 2:
                raise OSError(errno.EFAULT, "not writable")
            self.pages[page][1][start : start + len(part)] = part
            at += len(part)

    def read(self, addr: int, n: int) -> bytes:
        out = bytearray()
        while len(out) < n:
            at = addr + len(out)
            page = at & -PAGE
            data = self.pages[page][1] if page in self.pages else bytes(PAGE)
            out += data[at - page : at - page + n - len(out)]
        return bytes(out)

    def set_mmap_base(self, addr: int) -> None:
        self.mmap_base = addr

    def set_brk(self, start: int) -> None:
        self.brk = start

    def set_name(self, addr: int, len: int, name: str) -> None:
        self.names[(addr, len)] = name
