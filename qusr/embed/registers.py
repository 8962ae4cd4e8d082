"""Registers of an embedded guest by the names that people give them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.base import Arch


class Names:
    """Which register is called how, and how wide it is."""

    def __init__(self, arch: Arch) -> None:
        registers = arch.registers
        self._arch = arch
        self._numbers = dict(registers.numbers)
        self._parts: dict[str, tuple[int, int]] = {}
        for alias, (name, bits) in registers.aliases.items():
            self._parts[alias] = registers.numbers[name], bits or self._bits(name)
        for alias, number in (("pc", registers.pc), ("sp", registers.sp)):
            self._numbers.setdefault(alias, number)

    def _bits(self, name: str) -> int:
        return self._arch.registers.bits.get(name, self._arch.register_bits)

    def find(self, name: str) -> tuple[int, int]:
        """The number, and how many of its lowest bits are meant. KeyError: there is none."""
        part = self._parts.get(name)
        if part is not None:
            return part
        number = self._numbers.get(name)
        if number is None:
            raise KeyError(f"{self._arch.name} has no register {name!r}")
        known = self._arch.registers
        own = (
            name
            if name in known.numbers
            else next(k for k, n in known.numbers.items() if n == number)
        )
        return number, self._bits(own)


def wrapped(value: int, bits: int) -> int:
    """A value as a register of so many bits has it: a negative one is its complement.

    Raises:
        OverflowError: it has more bits.
    """
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise OverflowError(f"{value:#x} does not fit into {bits} bits")
    return value & (1 << bits) - 1
