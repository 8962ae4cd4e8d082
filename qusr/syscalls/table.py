"""All declarations, gathered for one ABI."""

from __future__ import annotations

from importlib import import_module

from qusr.arch.abi import HOST, Abi
from qusr.syscalls.decl import Syscall

FAMILIES = (
    "memory", "files", "metadata", "directories", "locks", "notify",
    "futexes", "identity", "ioctl", "ipc", "old", "poll", "prctl", "process", "scheduling",
    "signals", "sockets", "system", "time",
)  # fmt: skip
"""The modules of this package that declare calls, each in a tuple `CALLS`."""


def numbers(abi: Abi) -> dict[str, int]:
    """The guest's call numbers, by name."""
    table: dict[str, int] = import_module(f"qusr.arch.{abi.numbers}").NUMBERS
    return table


def declarations(abi: Abi) -> dict[str, Syscall]:
    """The declaration of each call of `abi`, by name.

    A declaration for one of the ABI's struct families goes before a general one.
    """
    chosen: dict[str, tuple[int, Syscall]] = {}
    for family in FAMILIES:
        for call in import_module(f"qusr.syscalls.{family}").CALLS:
            rank = _rank(call, abi)
            if rank is None:
                continue
            if call.name not in chosen or rank < chosen[call.name][0]:
                chosen[call.name] = (rank, call)
    return {name: call for name, (_, call) in chosen.items()}


def _rank(call: Syscall, abi: Abi) -> int | None:
    """0 for the most specific family; None when the declaration is not for `abi`."""
    if call.families is None:
        return len(abi.families)
    ranks = [abi.families.index(family) for family in call.families if family in abi.families]
    return min(ranks) if ranks else None


def compile_for(abi: Abi) -> bytes:
    """The thunk table of `abi`, for `qusr._native`."""
    from qusr.syscalls.compiler import compile_table

    known = declarations(abi)
    guest = {name: number for name, number in numbers(abi).items() if name in known}
    return compile_table(known, guest, numbers(HOST), abi)
