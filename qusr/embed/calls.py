"""Calls of guest functions from Python, by the guest's C calling convention (`Calling`)."""

from __future__ import annotations

from qusr.embed.registers import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, Protocol

    from qusr.arch.base import Arch
    from qusr.options import Exited

    class Process(Protocol):
        """What of an embedded guest this needs (`qusr.embed.process.Process` says what it is)."""

        pc: int

        @property
        def arch(self) -> Arch:
            """Its processor."""

        @property
        def entry(self) -> int:
            """An address of code that nothing else runs to."""

        @property
        def exited(self) -> Exited | None:
            """How it ended."""

        @property
        def registers(self) -> dict[str, int]:
            """All registers."""

        def read_reg(self, name: str) -> int:
            """A register."""

        def write_reg(self, name: str, value: int) -> None:
            """Sets one."""

        def write(self, address: int, data: bytes) -> None:
            """Stores into its memory."""

        def run(self, *, until: int) -> Exited | None:
            """Runs it up to an address."""


#: What is left alone below the stack pointer: red zones, and the caller's area that some ABIs want.
_ROOM = 512


def call(process: Process, function: int, arguments: Sequence[int | bytes | str]) -> int:
    """Calls the function at an address; what it returns."""
    calling = process.arch.registers.calling
    if calling is None:
        raise ValueError(f"functions of {process.arch.name} cannot be called: set its registers")
    if process.exited is not None:
        raise RuntimeError("the guest has ended")
    word = process.arch.register_bits // 8
    before = process.registers
    sp = (process.read_reg("sp") - _ROOM) & ~63
    numbers = []
    for argument in arguments:
        if isinstance(argument, int):
            numbers.append(wrapped(argument, 8 * word))
            continue
        data = argument if isinstance(argument, bytes) else argument.encode() + b"\0"
        sp = (sp - len(data)) & ~63
        process.write(sp, data)
        numbers.append(sp)
    order: Literal["big", "little"] = "big" if process.arch.big_endian else "little"
    there = process.entry
    back = there & ~1 if calling.marked else there
    spilled = numbers[len(calling.arguments) :]
    if spilled and not calling.pushes:
        most = len(calling.arguments)
        raise ValueError(f"functions of {process.arch.name} take {most} arguments here at most")
    sp = (sp - _ROOM) & ~63
    stack = [there, *spilled] if calling.link is None else spilled
    if calling.link is None:
        # As the function finds it: aligned before the return address was pushed.
        sp -= word
    process.write(sp, b"".join(n.to_bytes(word, order) for n in stack))
    try:
        for name, value in zip(calling.arguments, numbers, strict=False):
            process.write_reg(name, value)
        process.write_reg("sp", sp)
        if calling.link is not None:
            process.write_reg(calling.link, there)
        for name in calling.own_address:
            process.write_reg(name, function)
        process.pc = function
        if process.run(until=back) is not None:
            raise RuntimeError(f"the guest ended in the call: {process.exited!r}")
        if process.pc != back:
            raise RuntimeError(f"the call was stopped at {process.pc:#x}")
        return process.read_reg(calling.result)
    finally:
        if process.exited is None:
            for name, value in before.items():
                process.write_reg(name, value)
