"""MIPS: o32 with 32 bits, n64 with 64, in either byte order.

Sources: the kernel's arch/mips/include/asm/elf.h, asm/processor.h, arch/mips/kernel/elf.c,
arch/mips/kernel/signal.c; "MIPS O32 ABI - FR0 and FR1 Interlinking" (.MIPS.abiflags).
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_MIPS = 8

# e_flags (include/uapi/linux/elf.h and binutils' elf/mips.h).
EF_ABI2 = 0x20
EF_NAN2008 = 0x400
EF_ABI = 0xF000
EF_ARCH = 0xF000_0000
_EF_ABI_O32 = 0x1000
_ARCH_R6 = (0x9000_0000, 0xA000_0000)

#: The variant of programs whose NaNs are those of IEEE 754-2008.
NAN2008 = "nan2008"


class Mips(Guest):
    """MIPS in one word size and byte order."""

    package = "mips"
    machine = EM_MIPS

    def __init__(
        self, name: str, bits: int, abi: Abi, *, big_endian: bool, triplet: str, aliases: str = ""
    ) -> None:
        super().__init__(
            name,
            title=("big-endian " if big_endian else "") + ("MIPS64" if bits == 64 else "MIPS"),
            big_endian=big_endian,
            abis={"": abi, NAN2008: abi},
            triplets=(triplet,),
            aliases=tuple(aliases.split()),
        )
        self.bits = bits
        debian = {"mips64el": "mips64el", "mipsel": "mipsel"}.get(name)
        cross = f"libc6-{name}-cross"
        self.libraries = f"libc6:{debian} or {cross}" if debian else cross

    @property
    def task_end(self) -> int:
        """TASK_SIZE32 and TASK_SIZE64 of asm/processor.h."""
        return 0x7FFF8000 if self.bits == 32 else 1 << 40

    @property
    def dyn_base(self) -> int:
        """ELF_ET_DYN_BASE: two thirds up."""
        return self.task_end // 3 * 2 & ~0xFFF

    def variant(self, flags: int) -> str:
        """By the NaNs that the program's code makes."""
        return NAN2008 if flags & EF_NAN2008 else ""

    def refusal(self, entry: int, flags: int) -> str:
        """elf_check_arch() of asm/elf.h and arch/mips/kernel/elf.c."""
        del entry
        if self.bits == 64:
            return "its ABI is not n64" if flags & EF_ABI else ""
        if flags & EF_ABI2:
            return "its ABI is n32"
        if flags & EF_ABI not in (0, _EF_ABI_O32):
            return "its ABI is not o32"
        return ""


#: Sets of 128 signals, siginfo_t with the code first.
_FAMILIES = ("mips", "sigset128", "code_first")


def _o32(name: str, big_endian: bool) -> Abi:
    order = ("be32", "be") if big_endian else ()
    return Abi(
        name,
        numbers="mips.numbers_o32",
        constants="mips.constants_o32",
        word=4,
        families=(
            *(("mips_be", "mips_o32be") if big_endian else ()),
            "mips_o32",
            *_FAMILIES,
            *order,
            "code_first32",
            "32",
        ),
        big_endian=big_endian,
        pair_align=True,
        nargs=8,
        core=name,
    )


def _n64(name: str, big_endian: bool) -> Abi:
    order = ("be",) if big_endian else ()
    return Abi(
        name,
        numbers="mips.numbers_n64",
        constants="mips.constants_n64",
        word=8,
        families=(
            *(("mips_be",) if big_endian else ()),
            "mips_n64",
            *_FAMILIES,
            *order,
            "code_first64",
            "64",
        ),
        big_endian=big_endian,
        nargs=6,
        core=name,
    )


MIPSEL = Mips("mipsel", 32, _o32("mipsel", False), big_endian=False, triplet="mipsel-linux-gnu")
MIPS = Mips("mips", 32, _o32("mips", True), big_endian=True, triplet="mips-linux-gnu")
MIPS64EL = Mips(
    "mips64el", 64, _n64("mips64el", False), big_endian=False, triplet="mips64el-linux-gnuabi64"
)
MIPS64 = Mips("mips64", 64, _n64("mips64", True), big_endian=True, triplet="mips64-linux-gnuabi64")
GUESTS = (MIPSEL, MIPS, MIPS64EL, MIPS64)
OTHERS: dict[tuple[int, int], str] = {}
