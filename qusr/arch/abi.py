"""C data models: how a guest's compiler and kernel lay out data.

An :class:`Abi` holds only what struct layouts and system-call conversion need.
`x86_64` describes the host, so that "guest to host" is always a pair of ABIs.
"""

from __future__ import annotations


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
    """

    __slots__ = ("align64", "big_endian", "families", "name", "nargs", "pair_align", "word")

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
    ) -> None:
        self.name = name
        self.word = word
        self.big_endian = big_endian
        self.align64 = align64
        self.pair_align = pair_align
        self.families = families
        self.nargs = nargs


_ABIS = {
    "x86_64": Abi("x86_64", word=8, families=("x86_64", "64")),
    "aarch64": Abi("aarch64", word=8, families=("aarch64", "generic64", "arm-any", "64")),
    "aarch64_be": Abi(
        "aarch64_be",
        word=8,
        families=("be", "aarch64", "generic64", "arm-any", "64"),
        big_endian=True,
    ),
    "arm": Abi("arm", word=4, families=("arm", "arm-any", "32"), pair_align=True, nargs=7),
    "armeb": Abi(
        "armeb",
        word=4,
        families=("be32", "be", "arm", "arm-any", "32"),
        pair_align=True,
        nargs=7,
        big_endian=True,
    ),
}

HOST = _ABIS["x86_64"]


def abi(name: str) -> Abi:
    """The ABI called `name`; KeyError if there is none."""
    return _ABIS[name]
