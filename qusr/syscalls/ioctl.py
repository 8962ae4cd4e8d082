"""ioctl: a choice by command. The commands are in the `ioctl_*` modules, by kind of device."""

from __future__ import annotations

import errno

from qusr.syscalls import ioctl_block, ioctl_misc, ioctl_net, ioctl_tty
from qusr.syscalls.decl import Case, Fd, Raw, Switch, Syscall
from qusr.syscalls.ioctl_codes import Command

TABLE: list[Command] = [
    *ioctl_tty.TABLE,
    *ioctl_net.TABLE,
    *ioctl_block.TABLE,
    *ioctl_misc.TABLE,
]

_PASSED = "commands that are not declared are passed on, but for kinds whose structs hold pointers"
_REFUSED = "commands that are not declared fail with ENOTTY"


def _big_endian(command: Command) -> Command:
    """Data of unknown length cannot be swapped."""
    number, case = command
    if any(isinstance(arg, Raw) for arg in case.args) and case.handler is None:
        return number, Case(*case.args, errno=errno.ENOTTY, name=case.name)
    return command


def _ioctl(commands: list[Command], partial: str, *families: str) -> Syscall:
    other = Case(Raw("arg"), handler="ioctl:other")
    return Syscall(
        "ioctl",
        Fd("fd"),
        Switch("request", commands, default=other),
        partial=partial,
        families=families or None,
    )


# A later entry of a number replaces an earlier one.
_NARROW = [*TABLE, *ioctl_net.NARROW]

CALLS = (
    _ioctl(_NARROW, _REFUSED),
    _ioctl(TABLE, _PASSED, "64"),
    _ioctl([_big_endian(command) for command in _NARROW], _REFUSED, "be"),
    _ioctl(
        [_big_endian(command) for command in [*_NARROW, *ioctl_tty.WITH_SPEEDS]],
        _REFUSED,
        "termios_speeds",
    ),
)
