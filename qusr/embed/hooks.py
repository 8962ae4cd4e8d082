"""Hooks of an embedded guest: what is called when, and taking them out again."""

from __future__ import annotations

import struct

from qusr.options import Exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qusr import _native
    from qusr import process as emulator
    from qusr.thread import Thread

    Calls = list[Callable[..., Any]]

#: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV: with an address, when an instruction causes them.
_FAULTS = (4, 5, 7, 8, 11)
#: Translated code has the length of what it watches in 31 bits.
_LONGEST = 1 << 30


class Hook:
    """A hook that is in force until it is removed."""

    __slots__ = ("_calls", "_changed", "_function")

    def __init__(
        self, calls: Calls, function: Callable[..., Any], changed: Callable[[], None] | None = None
    ) -> None:
        self._calls = calls
        self._function = function
        self._changed = changed
        calls.append(function)
        if changed is not None:
            changed()

    def remove(self) -> None:
        """It is not called any more. Twice is no error."""
        if self._function in self._calls:
            self._calls.remove(self._function)
            if self._changed is not None:
                self._changed()

    def __repr__(self) -> str:
        state = "in force" if self._function in self._calls else "removed"
        return f"<Hook {state}>"


class Places:
    """Hooks of instructions, blocks and memory.

    All but those of each instruction are stops of the cores, which run as ever in between.
    """

    def __init__(self, process: emulator.Process) -> None:
        self._process = process
        process.stop_hook = self._stopped
        self.everywhere: Calls = []
        self.blocks: Calls = []
        self._at: dict[int, Calls] = {}
        self._memory: dict[tuple[int, int, bool], Calls] = {}
        self._until: int | None = None
        self._passes_until = False
        #: How often the guest was run: in a hook, too.
        self._runs = 0
        self._told: tuple[Thread, int] | None = None

    def at(self, address: int, function: Callable[..., Any]) -> Hook:
        """A hook of an address."""
        return Hook(self._at.setdefault(self._located(address), []), function, self._tell)

    def _located(self, address: int) -> int:
        """Where the code is that an address means: a Thumb function's has bit 0."""
        return self._process.arch.located(address)[0]

    def each_block(self, function: Callable[..., Any]) -> Hook:
        """One of all blocks."""
        return Hook(self.blocks, function, self._tell)

    def accesses(
        self, start: int, size: int, function: Callable[..., Any], *, writes: bool
    ) -> Hook:
        """One of loads from `size` bytes of memory, or stores to them. ValueError: too many."""
        if not 0 < size <= _LONGEST:
            raise ValueError(f"{size} bytes cannot be watched; {_LONGEST} can")
        calls = self._memory.setdefault((start, size, writes), [])
        return Hook(calls, function, self._tell)

    def _tell(self) -> None:
        """Tells the cores where they are to stop."""
        code = [address for address, calls in self._at.items() if calls]
        if self._until is not None:
            code.append(self._until)
        data = [
            (start, size, not writes, writes)
            for (start, size, writes), calls in self._memory.items()
            if calls
        ]
        self._process.set_stops(code, data, bool(self.blocks))

    # --- running ---

    def run(self, until: int | None, paused: Callable[[], bool]) -> Exited | None:
        """Runs to the guest's end, to the address `until`, or until `paused` (None then)."""
        process, before = self._process, (self._until, self._passes_until)
        self._runs += 1
        if until is not None:
            until = self._located(until)
            # Who stands there already wants to come there again.
            here = self._located(process.pc)
            self._passes_until = here == until and not process.thread.passes_stop
        if until != self._until:
            self._until = until
            self._tell()
        try:
            if self.everywhere:
                return self._step(paused)
            return process.run_until(lambda: self._arrived or paused())
        finally:
            self._arrived = False
            if before[0] != until:
                self._until = before[0]
                self._tell()
            self._passes_until = before[1]

    _arrived = False

    def _step(self, paused: Callable[[], bool]) -> Exited | None:
        """The same, with a call before each instruction of the first thread."""
        process = self._process
        while process.exited is None and not paused():
            pc = self._located(process.pc)
            if self._before(process.main, pc):
                return None
            for function in tuple(self.everywhere):
                function(pc)
            if paused():
                break
            process.step()
            if process.main.ended:
                process.main.wait_for_others()
            if not self.everywhere:
                return process.run_until(lambda: self._arrived or paused())
        return process.exited

    def _before(self, thread: Thread, pc: int) -> bool:
        """Calls what is to be called before the instruction at `pc`. Whether the run ends there."""
        for function in tuple(self._at.get(pc, ())):
            function()
        passes, self._passes_until = self._passes_until, False
        return pc == self._until and not passes and thread is self._process.main

    # --- stops ---

    def _stopped(self, thread: Thread, stop: tuple[object, ...]) -> None:
        """A thread of the guest has stopped."""
        match stop:
            case ("stop",):
                self._at_code(thread)
            case ("block", int(size)):
                self._at_block(thread, size)
            case ("watched", int(address), int(size), bool(write)):
                self._at_access(thread, address, size, write=write)
            case ("read", int(address)):
                self._read(thread, address, 1)
            case ("written", int(address), bytes(before)):
                self._written(self._pc(thread), address, before)

    def _pc(self, thread: Thread) -> int:
        return int(thread.native.reg(self._process.arch.registers.pc))

    def _at_code(self, thread: Thread) -> None:
        pc = self._pc(thread)
        if self._before(thread, self._located(pc)):
            self._arrived = True
        if self._pc(thread) == pc:
            # A call of a guest function in a hook has been elsewhere meanwhile.
            thread.native.pass_stop()

    def _at_block(self, thread: Thread, size: int) -> None:
        pc, runs = self._pc(thread), self._runs
        told, self._told = self._told, None
        if told == (thread, pc):
            return
        for function in tuple(self.blocks):
            function(self._located(pc), size)
        if self._runs != runs and self._pc(thread) == pc:
            self._told = thread, pc

    def _calls(self, address: int, size: int, *, writes: bool) -> list[Callable[..., Any]]:
        return [
            function
            for (start, length, kind), calls in self._memory.items()
            if kind == writes and start < address + size and address < start + length
            for function in calls
        ]

    def _read(self, thread: Thread, address: int, size: int) -> None:
        data, pc = self._contents(address, size), self._pc(thread)
        for function in self._calls(address, size, writes=False):
            function(self._located(pc), address, data)

    def _written(self, pc: int, address: int, before: bytes) -> None:
        after = self._contents(address, len(before))
        for function in self._calls(address, len(before), writes=True):
            function(self._located(pc), address, before, after)

    def _at_access(self, thread: Thread, address: int, size: int, *, write: bool) -> None:
        pc = self._pc(thread)
        if not write:
            self._read(thread, address, size)
            if self._pc(thread) != pc:
                return
        before = self._contents(address, size)
        stop = thread.native.access()
        if stop is not None:
            thread.dispatch(stop)
        # It may have been a fault, or the turn of something else: then it is executed again.
        changed = self._contents(address, size) != before
        if changed or (write and stop is None and self._pc(thread) != pc):
            self._written(pc, address, before)

    def _contents(self, address: int, size: int) -> bytes:
        memory: _native.AddressSpace = self._process.memory
        try:
            return memory.peek(address, size)
        except OSError:
            return b""


def fault_address(number: int, info: bytes, *, big_endian: bool, word: int) -> int | None:
    """The address of a fault, from its siginfo_t in the guest's layout; None: it is none."""
    order = ">" if big_endian else "<"
    # si_errno, which is 0, and si_code; with MIPS the other way round.
    code = max(struct.unpack_from(order + "2i", info, 4), key=abs)
    if number not in _FAULTS or code <= 0:
        return None
    at = 16 if word == 8 else 12
    return int(struct.unpack_from(order + ("Q" if word == 8 else "I"), info, at)[0])
