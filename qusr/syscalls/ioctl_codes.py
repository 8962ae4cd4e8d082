"""How ioctl commands are declared: their numbers (asm-generic/ioctl.h) and arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qusr.arch.abi import Abi
from qusr.syscalls.decl import IN, INOUT, OUT, Case, Constant, Named, Ptr, Raw, Scalar, ULong
from qusr.syscalls.layout import CType, Struct

Command = tuple[Constant, Case]

NONE, WRITE, READ = 0, 1, 2


_DIRECTIONS = {NONE: "_IOC_NONE", WRITE: "_IOC_WRITE", READ: "_IOC_READ"}


def code(direction: int, kind: int | str, number: int, size: int) -> int:
    """_IOC, as the host has it."""
    letter = ord(kind) if isinstance(kind, str) else kind
    return direction << 30 | size << 16 | letter << 8 | number


def coded(host: int, abi: Abi) -> int:
    """The number of a command that the host's _IOC makes, by the _IOC of an ABI."""
    fields = abi.differing("ioc")
    if not fields:
        return host
    direction, size = host >> 30, host >> 16 & 0x3FFF
    bits = 0
    if direction == NONE:
        bits = fields.get("_IOC_NONE", NONE)
    for one in (WRITE, READ):
        if direction & one:
            bits |= fields.get(_DIRECTIONS[one], one)
    return bits << 16 + fields.get("_IOC_SIZEBITS", 14) | size << 16 | host & 0xFFFF


def io(kind: int | str, number: int) -> Callable[[Abi], int]:
    """_IO."""
    host = code(NONE, kind, number, 0)
    return lambda abi: coded(host, abi)


def _sized(direction: int, kind: int | str, number: int, ctype: CType) -> Callable[[Abi], int]:
    def compute(abi: Abi) -> int:
        return coded(code(direction, kind, number, ctype.size(abi)), abi)

    return compute


_PLAIN = 0xFFFF
"""Numbers up to this were not made by _IOC (TCGETS), larger ones were."""


def _named(name: str, number: Constant) -> Constant:
    """The number by which ABIs know a command: their own, if they have one."""
    if isinstance(number, int) and number <= _PLAIN:
        return Named(number, "ioctl", name)

    def compute(abi: Abi) -> int:
        usual = coded(number, abi) if isinstance(number, int) else number(abi)
        return abi.differing("ioctl").get(name, usual)

    return compute


def ior(kind: int | str, number: int, ctype: CType) -> Callable[[Abi], int]:
    """_IOR: the kernel stores a `ctype`."""
    return _sized(READ, kind, number, ctype)


def iow(kind: int | str, number: int, ctype: CType) -> Callable[[Abi], int]:
    """_IOW: the kernel reads a `ctype`."""
    return _sized(WRITE, kind, number, ctype)


def iowr(kind: int | str, number: int, ctype: CType) -> Callable[[Abi], int]:
    """_IOWR: both."""
    return _sized(READ | WRITE, kind, number, ctype)


def case(name: str, number: Constant, argument: Ptr | Raw | Scalar) -> Command:
    """A command with its argument; a number that depends on the ABI is the host's there."""
    known = _named(name, number)
    return known, Case(argument, host=None if isinstance(known, int) else known, name=name)


def plain(name: str, number: Constant) -> Command:
    """A command whose argument is a number, or nothing."""
    return case(name, number, ULong("arg"))


def plains(commands: Mapping[str, Constant]) -> list[Command]:
    """Several of them."""
    return [plain(name, number) for name, number in commands.items()]


def raw(name: str, number: Constant) -> Command:
    """A command whose data has the same layout on every little-endian ABI, and a length of
    its own.
    """
    return case(name, number, Raw("arg"))


def reads(name: str, number: Constant, ctype: CType) -> Command:
    """The kernel reads a `ctype` (whatever the direction bits of its number say)."""
    return case(name, number, Ptr("arg", ctype, IN))


def stores(name: str, number: Constant, ctype: CType) -> Command:
    """The kernel stores a `ctype`."""
    return case(name, number, Ptr("arg", ctype, OUT))


def changes(name: str, number: Constant, ctype: CType) -> Command:
    """The kernel reads and stores a `ctype`."""
    return case(name, number, Ptr("arg", ctype, INOUT))


def fields(name: str, ctype: CType, names: str) -> Struct:
    """A struct of fields of one type."""
    return Struct(name, [(field, ctype) for field in names.split()])


def group(
    make: Callable[[str, Constant, CType], Command], commands: Mapping[str, Constant], ctype: CType
) -> list[Command]:
    """Commands of one form and type."""
    return [make(name, number, ctype) for name, number in commands.items()]
