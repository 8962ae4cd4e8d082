"""Hooks of an embedded guest: what is called when, and taking them out again."""

from __future__ import annotations

import struct

from qusr.options import Exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qusr import process as emulator

#: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV: with an address, when an instruction causes them.
_FAULTS = (4, 5, 7, 8, 11)


class Hook:
    """A hook that is in force until it is removed."""

    __slots__ = ("_calls", "_function")

    def __init__(self, calls: list[Callable[..., Any]], function: Callable[..., Any]) -> None:
        self._calls = calls
        self._function = function
        calls.append(function)

    def remove(self) -> None:
        """It is not called any more. Twice is no error."""
        if self._function in self._calls:
            self._calls.remove(self._function)

    def __repr__(self) -> str:
        state = "in force" if self._function in self._calls else "removed"
        return f"<Hook {state}>"


class Code:
    """Hooks of instructions, and the loop that serves them: one instruction at a time."""

    def __init__(self) -> None:
        self.everywhere: list[Callable[[int], object]] = []
        self._at: dict[int, list[Callable[..., object]]] = {}

    def at(self, address: int) -> list[Callable[..., object]]:
        """The hooks of an address."""
        return self._at.setdefault(address, [])

    def __bool__(self) -> bool:
        return bool(self.everywhere) or any(self._at.values())

    def run(
        self, process: emulator.Process, until: int | None, paused: Callable[[], bool]
    ) -> Exited | None:
        """Runs to the guest's end, to the address `until`, or until `paused` (None then)."""
        first = True
        while process.exited is None and not paused():
            pc = process.pc
            if pc == until and not first:
                return None
            first = False
            for hook in tuple(self._at.get(pc, ())):
                hook()
            for function in tuple(self.everywhere):
                function(pc)
            if paused():
                break
            process.step()
            if process.main.ended:
                process.main.wait_for_others()
        return process.exited


def fault_address(number: int, info: bytes, *, big_endian: bool, word: int) -> int | None:
    """The address of a fault, from its siginfo_t in the guest's layout; None: it is none."""
    order = ">" if big_endian else "<"
    # si_errno, which is 0, and si_code; with MIPS the other way round.
    code = max(struct.unpack_from(order + "2i", info, 4), key=abs)
    if number not in _FAULTS or code <= 0:
        return None
    at = 16 if word == 8 else 12
    return int(struct.unpack_from(order + ("Q" if word == 8 else "I"), info, at)[0])
