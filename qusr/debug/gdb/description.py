"""The target description (gdb's manual, "Target Descriptions"), and registers in its order."""

from __future__ import annotations

from qusr.ptrace import registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.arch.tracing import ByteOrder, GdbRegister, Tracing
    from qusr.ptrace.tracee import Tracee


def of(tracee: Tracee) -> list[GdbRegister]:
    """A thread's registers by gdb's numbers."""
    length = registers.vector_length(tracee)
    return registers.tracing(tracee.header()).gdb_registers(length)


def xml(tracing: Tracing, length: int) -> str:
    """The description of a guest's registers; vectors have `length` bytes."""
    architecture, features = tracing.gdb[0], tracing.gdb_features(length)
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
        '<target version="1.0">',
        f"<architecture>{architecture}</architecture>",
        "<osabi>GNU/Linux</osabi>",
    ]
    number = 0
    for feature in features:
        lines.append(f'<feature name="{feature.name}">{feature.types}')
        for register in feature.registers:
            group = f' group="{register.group}"' if register.group else ""
            lines.append(
                f'<reg name="{register.name}" bitsize="{register.bits}" type="{register.type}" '
                f'regnum="{number}"{group}/>'
            )
            number += 1
        lines.append("</feature>")
    return "\n".join([*lines, "</target>", ""])


def values_of(tracee: Tracee) -> list[int]:
    """What :func:`pack` wants of a stopped thread: the cores' registers, and behind them, where
    `ORIGINAL` finds it as an index, what that stands for.
    """
    return [*registers.all_registers(tracee), registers.original(tracee)]


def pack(register: GdbRegister, values: Sequence[int], order: ByteOrder) -> bytes:
    """A register's bytes, out of :func:`values_of`."""
    if register.number is None:
        value = register.constant
    else:
        pieces, bits = register.pieces
        value = sum(values[at] << bits * n for n, at in enumerate(pieces))
    return (value & (1 << register.bits) - 1).to_bytes(register.bits // 8, order)


def store(tracee: Tracee, register: GdbRegister, value: int) -> None:
    """Sets a register."""
    if register.number is None:
        return
    pieces, bits = register.pieces
    if len(pieces) == 1:
        registers.store(tracee, register.number, value)
        return
    for n, number in enumerate(pieces):
        registers.store(tracee, number, value >> bits * n & (1 << bits) - 1)
