"""Breakpoints and watchpoints of one process, as a debugger asks for them and as cores get them."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The kinds of Z packets.
SOFTWARE, HARDWARE, WRITE, READ, ACCESS = range(5)
#: Which accesses a watchpoint is about: 1 loads, 2 stores (process/tracee/stops.rs).
_SEES = {WRITE: 2, READ: 1, ACCESS: 3}
#: How a stop reply calls them.
NAMES = {WRITE: b"watch", READ: b"rwatch", ACCESS: b"awatch"}
#: A watchpoint for more is split up by debuggers, or an error.
_WIDEST = 1 << 20


class Breakpoint:
    """What a breakpoint has beside its address, all as agent expressions.

    Args:
        conditions: one of them has to hold; none: it always stops.
        commands: what is executed instead of a stop.
        persists: it is kept when the debugger goes.
    """

    def __init__(
        self,
        conditions: list[bytes] | None = None,
        commands: list[bytes] | None = None,
        *,
        persists: bool = False,
    ) -> None:
        self.conditions = conditions or []
        self.commands = commands or []
        self.persists = persists

    def packed(self) -> bytes:
        """For the cores."""
        out = b""
        for codes in (self.conditions, self.commands):
            out += struct.pack("<I", len(codes))
            out += b"".join(struct.pack("<I", len(code)) + code for code in codes)
        return out


class Stops:
    """What a debugger wants of a process."""

    def __init__(self) -> None:
        #: By (kind, address).
        self.code: dict[tuple[int, int], Breakpoint] = {}
        #: (kind, address, length)
        self.data: set[tuple[int, int, int]] = set()
        #: Instructions are to be counted.
        self.counting = False
        #: What the process's cores know.
        self.given = b""

    def insert(self, kind: int, address: int, size: int, breakpoint_: Breakpoint) -> bool:
        """A Z packet; False: there is no such thing. A breakpoint's `size` is its kind."""
        if kind in (SOFTWARE, HARDWARE):
            self.code[kind, address] = breakpoint_
            return True
        if kind not in _SEES or not 0 < size <= _WIDEST:
            return False
        self.data.add((kind, address, size))
        return True

    def remove(self, kind: int, address: int, size: int) -> None:
        """A z packet."""
        self.code.pop((kind, address), None)
        self.data.discard((kind, address, size))

    def clear(self) -> None:
        """None is wanted any more."""
        self.code.clear()
        self.data.clear()
        self.counting = False

    def leave(self) -> None:
        """The debugger is gone: what does not persist is not wanted any more."""
        self.code = {key: found for key, found in self.code.items() if found.persists}
        self.data.clear()
        self.counting = False

    def at(self, address: int) -> int | None:
        """The kind of a breakpoint at an address, which may have an interworking bit."""
        for place in (address, address & ~1):
            for kind in (SOFTWARE, HARDWARE):
                if (kind, place) in self.code:
                    return kind
        return None

    def watching(self, address: int, *, write: bool) -> tuple[int, int] | None:
        """The kind and the address of the watchpoint that an access at `address` is for.

        Accesses that begin before a watched range are for it, too: the first one there is counts.
        """
        wanted = 2 if write else 1
        near = [found for found in self.data if _SEES[found[0]] & wanted]
        for kind, start, size in sorted(near, key=lambda found: found[1]):
            if address < start + size:
                return kind, max(start, address)
        return None

    @property
    def none(self) -> bool:
        """There is nothing for the cores to do."""
        return not (self.code or self.data or self.counting)

    def packed(self, registers: Sequence[int | None]) -> bytes:
        """For the cores. `registers` are their numbers by those of the debugger."""
        if not self.code and not self.data:
            return struct.pack("<4I", 0, 0, 0, self.counting)
        numbers = [0xFFFF if number is None else number for number in registers]
        out = [struct.pack(f"<I{len(numbers)}H", len(numbers), *numbers)]
        addresses = sorted({address for _, address in self.code})
        out.append(struct.pack("<I", len(addresses)))
        for address in addresses:
            found = [self.code[key] for key in self.code if key[1] == address]
            out.append(struct.pack("<QI", address, len(found)))
            out += [breakpoint_.packed() for breakpoint_ in found]
        out.append(struct.pack("<I", len(self.data)))
        out += [struct.pack("<QQI", at, size, _SEES[kind]) for kind, at, size in sorted(self.data)]
        out.append(struct.pack("<I", self.counting))
        return b"".join(out)
