"""C data models: how a guest's compiler and kernel lay out data.

An :class:`Abi` holds only what struct layouts and system-call conversion need.
`HOST` describes the host, so that "guest to host" is always a pair of ABIs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

#: As an ABI's number for a constant: it has none.
ABSENT = -1


class Abi:
    """The binary interface of one guest ISA and byte order.

    Attributes:
        name: the ABI's name.
        numbers: the module below `qusr.arch` with the numbers of its system calls.
        constants: the module below `qusr.arch` with the constants that differ from the host's;
            "" when all are the same.
        word: size of `long` and of a pointer, in bytes.
        big_endian: byte order of data.
        align64: alignment of a 64-bit integer inside a struct, in bytes.
        pair_align: whether a 64-bit argument in two registers starts at an
            even register (AAPCS section 6.4.2; also mips o32 and ppc32).
        families: struct families, most specific first; see
            :class:`qusr.syscalls.layout.PerAbi`.
        nargs: how many argument registers a system call can use.
        core: what the Rust side calls guests with it (native/guests/src/lib.rs): how they enter the
            kernel, signal frames and the like are its.
    """

    __slots__ = (
        "align64",
        "big_endian",
        "constants",
        "core",
        "families",
        "name",
        "nargs",
        "numbers",
        "pair_align",
        "word",
    )

    def __init__(
        self,
        name: str,
        *,
        numbers: str,
        word: int,
        families: tuple[str, ...],
        constants: str = "",
        big_endian: bool = False,
        align64: int = 8,
        pair_align: bool = False,
        nargs: int = 6,
        core: str = "",
    ) -> None:
        self.name = name
        self.numbers = numbers
        self.constants = constants
        self.word = word
        self.big_endian = big_endian
        self.align64 = align64
        self.pair_align = pair_align
        self.families = families
        self.nargs = nargs
        self.core = core

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """The byte order of data, as :meth:`int.from_bytes` calls it."""
        return "big" if self.big_endian else "little"

    def differing(self, family: str) -> Mapping[str, int]:
        """The constants of a family that have other values than on the host, by name.

        `ABSENT` is the value of those that only the host has. Families: errno, signal, open, fcntl,
        mmap, socket, socktype, rlimit, ioctl, ioc (the bit fields of _IOC). Modules with many are
        made by tools/gen_constants.py.
        """
        if not self.constants:
            return {}
        module = __import__(f"qusr.arch.{self.constants}", fromlist=["CONSTANTS"])
        found: Mapping[str, int] = module.CONSTANTS.get(family, {})
        return found


HOST = Abi("x86_64", numbers="x86.numbers_64", word=8, families=("x64", "64"))
