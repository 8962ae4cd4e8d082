"""A tracee's register sets, by the declarations of its guest (:mod:`qusr.arch.tracing`)."""

from __future__ import annotations

import errno

from qusr import _native, arch
from qusr.arch.tracing import NT_PRSTATUS, ORIGINAL, RegisterSet, ThreadAreas
from qusr.ptrace import block as b
from qusr.ptrace.block import Header
from qusr.ptrace.tracee import Tracee
from qusr.syscalls.context import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.arch.tracing import ByteOrder, Tracing

__all__ = [
    "NT_PRSTATUS", "all_registers", "find", "in_call", "most", "read", "set_call", "unit",
    "vector_length", "write",
]  # fmt: skip

_OUTSIDE = (1 << 64) - 1
"""What stands for the first argument, or for the number, outside of a system call."""


def _order(header: Header) -> ByteOrder:
    return "big" if arch.on_core(header.guest).big_endian else "little"


def tracing(header: Header) -> Tracing:
    """How debuggers see the tracee's guest."""
    return arch.tracing_of(header.guest)


def in_call(tracee: Tracee) -> bool:
    """Whether the tracee stops before or after a system call."""
    return tracee.report is not None and tracee.report.kind in ("entry", "exit")


def all_registers(tracee: Tracee) -> Sequence[int]:
    """The registers, by the numbers of the cores."""
    return tracing(tracee.header()).all_of(tracee.registers)


def vector_length(tracee: Tracee) -> int:
    """The bytes of a vector register, where they are as long as the processor has them; else 0."""
    vectors = tracing(tracee.header()).vectors
    return 0 if vectors is None else vectors.size(all_registers(tracee))


def call_arguments(tracee: Tracee) -> list[int]:
    """The six arguments of the call that the tracee is about to make."""
    header = tracee.header()
    known = tracing(header).registers
    values = all_registers(tracee)
    args = [header.first_arg, *(values[number] for number in known.args[1:6])]
    if len(args) < 6 and known.stack_args is not None:
        word = arch.on_core(header.guest).bits // 8
        data = tracee.peek(values[known.sp] + known.stack_args, (6 - len(args)) * word)
        parts = (data[at : at + word] for at in range(0, len(data), word))
        args += [int.from_bytes(part, _order(header)) for part in parts]
    return args + [0] * (6 - len(args))


def call_result(tracee: Tracee) -> int:
    """What the call gave that the tracee has just made: a value, or -errno."""
    header = tracee.header()
    known = tracing(header).registers
    values = all_registers(tracee)
    bits = arch.on_core(header.guest).bits
    result = values[known.result] & (1 << bits) - 1
    result -= result >> bits - 1 << bits
    if known.failed is not None:
        return -result if values[known.failed] & known.failed_bits else result
    return result


def read(tracee: Tracee, note: int) -> tuple[bytes, int]:
    """A register set and the size of its parts. EINVAL when there is no such set."""
    header = tracee.header()
    known = tracing(header)
    if note == known.call_note:
        number = header.number if in_call(tracee) else -1
        return (number & 0xFFFFFFFF).to_bytes(4, _order(header)), 4
    if known.areas is not None and note == known.areas.note:
        count = len(known.areas.registers)
        data = b"".join(thread_area(tracee, known.areas.first + n) for n in range(count))
        return data, ThreadAreas.SIZE
    if note in known.fixed:
        word, size = known.fixed[note]
        return word.to_bytes(4, _order(header)).ljust(size, b"\0"), 4
    found, values = find(header, note), all_registers(tracee)
    if not found.is_there(values):
        raise fail(errno.EINVAL)
    return found.pack(values, original(tracee), _order(header)), found.unit


def original(tracee: Tracee) -> int:
    """The value of `ORIGINAL`."""
    header = tracee.header()
    if not in_call(tracee):
        return _OUTSIDE
    number: int = header.number
    first: int = header.first_arg
    return number & _OUTSIDE if tracing(header).call_register == ORIGINAL else first


def find(header: Header, note: int) -> RegisterSet:
    """The set of a note type."""
    known = tracing(header)
    found = known.whole.get(note) if note < 0 else known.sets.get(note)
    if found is None:
        raise fail(errno.EINVAL)
    return found


def write(tracee: Tracee, note: int, data: bytes, start: int = 0) -> None:
    """Stores a register set, or the part of it that begins at `start`."""
    header = tracee.header()
    known = tracing(header)
    if note == known.call_note:
        if len(data) < 4:
            return
        number = int.from_bytes(data[:4], _order(header), signed=True)
        set_call(tracee, number)
        return
    if known.areas is not None and note == known.areas.note:
        size = ThreadAreas.SIZE
        for n, at in enumerate(range(0, len(data), size)):
            set_thread_area(tracee, known.areas.first + n, data[at : at + size])
        return
    if note in known.fixed:
        if any(data[8:]):
            raise fail(errno.ENOSPC)
        return
    found, values, order = find(header, note), all_registers(tracee), _order(header)
    refused = found.refused(data, order, values) if found.is_there(values) else errno.EINVAL
    if refused == errno.EINVAL:
        raise fail(refused)
    for register, value in found.unpack(data, order, values, start):
        store(tracee, register, value)
    if refused:
        raise fail(refused)


def store(tracee: Tracee, register: int, value: int) -> None:
    """Changes a register of the cores, or `ORIGINAL`. Before a system call this may change the
    call.
    """
    known = tracing(tracee.header())
    if register == ORIGINAL and known.call_register == ORIGINAL:
        if in_call(tracee):
            set_call(tracee, _signed(value))
        return
    if register == ORIGINAL:
        # Where the register has the number before the call, the argument is here.
        if known.call_register == known.registers.args[0]:
            tracee.write(tracee.block + b.FIRST_ARG_AT, value.to_bytes(8, "little"))
        return
    tracee.set_register(register, value)
    before = tracee.report is not None and tracee.report.kind == "entry"
    if register == known.call_register and before:
        set_call(tracee, _signed(value))


def _signed(value: int) -> int:
    """The number of a call, which is an int."""
    number = value & 0xFFFFFFFF
    return number - (number >> 31 << 32)


def _thread_area(tracee: Tracee, entry: int) -> int:
    """The register with the descriptor of an entry. EINVAL for other entries."""
    areas = tracing(tracee.header()).areas
    index = entry - areas.first if areas is not None else -1
    if areas is None or not 0 <= index < len(areas.registers):
        raise fail(errno.EINVAL)
    return areas.registers[index]


def thread_area(tracee: Tracee, entry: int) -> bytes:
    """The struct user_desc of an entry of the tracee's descriptors."""
    register = _thread_area(tracee, entry)
    return _native.shown_segment(entry, all_registers(tracee)[register])


def set_thread_area(tracee: Tracee, entry: int, desc: bytes) -> None:
    """Stores one. EINVAL for what set_thread_area(2) refuses, too."""
    descriptor = _native.stored_segment(desc)
    if descriptor is None:
        raise fail(errno.EINVAL)
    tracee.set_register(_thread_area(tracee, entry), descriptor)


def set_call(tracee: Tracee, number: int) -> None:
    """Has the tracee make another call, or none (-1)."""
    tracee.write(tracee.block + b.NUMBER_AT, number.to_bytes(8, "little", signed=True))


def unit(header: Header, note: int) -> int:
    """The size that a length must be a multiple of. EINVAL when there is no such set."""
    known = tracing(header)
    if note == known.call_note or note in known.fixed:
        return 4
    if known.areas is not None and note == known.areas.note:
        return ThreadAreas.SIZE
    return find(header, note).unit


def most(header: Header, note: int, data: bytes) -> int:
    """What the length of a set that reads as `data` is said to be at most."""
    found = tracing(header).sets.get(note)
    return len(data) if found is None or found.most is None else found.most


def siginfo_of(tracee: Tracee, info: bytes) -> bytes:
    """A host's siginfo_t as the tracee's guest has it."""
    return _native.siginfo_to_guest(info, tracee.header().guest)
