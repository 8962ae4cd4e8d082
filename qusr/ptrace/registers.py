"""The kernel's register sets, from and to the registers of the cores (docs/internals.md).

Sources: arch/arm64/kernel/ptrace.c, include/uapi/asm/ptrace.h of arm and arm64. A 32-bit
tracee is seen as an AArch64 kernel shows it.
"""

from __future__ import annotations

import errno

from qusr.ptrace import block as b
from qusr.ptrace.block import Header
from qusr.ptrace.tracee import Tracee
from qusr.syscalls.context import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

NT_PRSTATUS, NT_PRFPREG, NT_ARM_VFP, NT_ARM_TLS = 1, 2, 0x400, 0x401
NT_ARM_HW_BREAK, NT_ARM_HW_WATCH, NT_ARM_SYSTEM_CALL = 0x402, 0x403, 0x404

_COUNT = {0: 69, 1: 51}
"""How many registers the cores have: of AArch64, and of arm."""
_DEBUG_ARCH = 6
"""Armv8 debug architecture: with no slot for breakpoints or watchpoints."""


def _order(header: Header) -> Literal["little", "big"]:
    return "big" if header.big_endian else "little"


class RegisterSet:
    """One note type: `fields` are (register number, bytes); None stands for padding, -1
    for the first argument as it was before the call (ORIG_r0).
    """

    def __init__(self, unit: int, *fields: tuple[int | None, int]) -> None:
        self.unit = unit
        self.fields = fields
        self.size = sum(size for _, size in fields)

    def read(self, tracee: Tracee) -> bytes:
        """The whole set."""
        header = tracee.header()
        values = tracee.registers(_COUNT[header.isa])
        data = b""
        for number, size in self.fields:
            if number is None:
                value = 0
            elif number == ORIG_R0:
                value = header.first_arg if in_call(tracee) else 0xFFFFFFFF
            else:
                value = values[number]
            data += (value & (1 << size * 8) - 1).to_bytes(size, _order(header))
        return data

    def write(self, tracee: Tracee, data: bytes) -> None:
        """Changes the registers that `data`, which may be a part, has."""
        header = tracee.header()
        order = _order(header)
        at = 0
        for number, size in self.fields:
            part = data[at : at + size]
            at += size
            if len(part) == size and number is not None and number != ORIG_R0:
                value = int.from_bytes(part, order)
                tracee.set_register(number, value)


ORIG_R0 = -1

_SETS = {
    0: {
        NT_PRSTATUS: RegisterSet(8, *((n, 8) for n in range(34))),
        NT_PRFPREG: RegisterSet(4, *((34 + n, 16) for n in range(32)), (66, 4), (67, 4), (None, 8)),
        NT_ARM_TLS: RegisterSet(8, (68, 8)),
    },
    1: {
        NT_PRSTATUS: RegisterSet(4, *((n, 4) for n in range(17)), (ORIG_R0, 4)),
        NT_ARM_VFP: RegisterSet(4, *((17 + n, 8) for n in range(32)), (49, 4)),
        NT_ARM_TLS: RegisterSet(4, (50, 4)),
    },
}


def in_call(tracee: Tracee) -> bool:
    """Whether the tracee stops before or after a system call."""
    return tracee.report is not None and tracee.report.kind in ("entry", "exit")


def read(tracee: Tracee, note: int) -> tuple[bytes, int]:
    """A register set and the size of its parts. EINVAL when there is no such set."""
    header = tracee.header()
    if note == NT_ARM_SYSTEM_CALL:
        number = header.number if in_call(tracee) else -1
        return (number & 0xFFFFFFFF).to_bytes(4, _order(header)), 4
    if note in (NT_ARM_HW_BREAK, NT_ARM_HW_WATCH):
        info = (_DEBUG_ARCH << 8).to_bytes(4, _order(header))
        return info.ljust(8 + 16 * 16, b"\0"), 4
    found = find(header, note)
    return found.read(tracee), found.unit


def find(header: Header, note: int) -> RegisterSet:
    """The set of a note type."""
    found = _SETS[header.isa].get(note)
    if found is None:
        raise fail(errno.EINVAL)
    return found


def write(tracee: Tracee, note: int, data: bytes) -> None:
    """Stores (a part of) a register set."""
    header = tracee.header()
    if note == NT_ARM_SYSTEM_CALL:
        if len(data) < 4:
            return
        number = int.from_bytes(data[:4], _order(header), signed=True)
        set_call(tracee, number)
        return
    if note in (NT_ARM_HW_BREAK, NT_ARM_HW_WATCH):
        if any(data[8:]):
            raise fail(errno.ENOSPC)
        return
    find(header, note).write(tracee, data)


def set_call(tracee: Tracee, number: int) -> None:
    """Has the tracee make another call, or none (-1)."""
    tracee.write(tracee.block + b.NUMBER_AT, number.to_bytes(8, "little", signed=True))


def unit(header: Header, note: int) -> int:
    """The size that a length must be a multiple of. EINVAL when there is no such set."""
    if note in (NT_ARM_HW_BREAK, NT_ARM_HW_WATCH, NT_ARM_SYSTEM_CALL):
        return 4
    return find(header, note).unit
