"""C data models: how a guest's compiler and kernel lay out data.

An :class:`Abi` holds only what struct layouts and system-call conversion need.
`x86_64` describes the host, so that "guest to host" is always a pair of ABIs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class Abi:
    """The binary interface of one guest ISA and byte order.

    Attributes:
        name: the ABI's name, also that of its syscall-number table.
        word: size of `long` and of a pointer, in bytes.
        big_endian: byte order of data.
        align64: alignment of a 64-bit integer inside a struct, in bytes.
        pair_align: whether a 64-bit argument in two registers starts at an
            even register (AAPCS section 6.4.2; also mips o32 and ppc32).
        families: struct families, most specific first; see
            :class:`qusr.syscalls.layout.PerAbi`.
        nargs: how many argument registers a system call can use.
        frame: the kind of signal frames (native/kernel/src/signal/frame.rs); BE8 form for armeb.
        thumb_bit: the status register's bit that makes call instructions 2 bytes long.
    """

    __slots__ = (
        "align64",
        "big_endian",
        "families",
        "frame",
        "name",
        "nargs",
        "pair_align",
        "thumb_bit",
        "word",
    )

    def __init__(
        self,
        name: str,
        *,
        word: int,
        families: tuple[str, ...],
        big_endian: bool = False,
        align64: int = 8,
        pair_align: bool = False,
        nargs: int = 6,
        frame: str = "",
        thumb_bit: int = 0,
    ) -> None:
        self.name = name
        self.word = word
        self.big_endian = big_endian
        self.align64 = align64
        self.pair_align = pair_align
        self.families = families
        self.nargs = nargs
        self.frame = frame
        self.thumb_bit = thumb_bit

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """The byte order of data, as :meth:`int.from_bytes` calls it."""
        return "big" if self.big_endian else "little"


_A64 = ("aarch64", "generic64", "arm-any", "64")
_A32 = ("arm", "arm-any", "32")

_ABIS = {
    "x86_64": Abi("x86_64", word=8, families=("x86_64", "64")),
    "aarch64": Abi("aarch64", word=8, families=_A64, frame="aarch64"),
    "aarch64_be": Abi(
        "aarch64_be", word=8, families=("be", *_A64), big_endian=True, frame="aarch64"
    ),
    "arm": Abi(
        "arm", word=4, families=_A32, pair_align=True, nargs=7, frame="arm", thumb_bit=1 << 5
    ),
    "armeb": Abi(
        "armeb",
        word=4,
        families=("be32", "be", *_A32),
        pair_align=True,
        nargs=7,
        big_endian=True,
        frame="arm-be8",
        thumb_bit=1 << 5,
    ),
}

HOST = _ABIS["x86_64"]


def abi(name: str) -> Abi:
    """The ABI called `name`; KeyError if there is none."""
    return _ABIS[name]
