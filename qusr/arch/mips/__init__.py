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
#: That of programs for release 6, which has other instructions, and these NaNs too.
R6 = "r6"


class Mips(Guest):
    """MIPS in one word size and byte order."""

    package = "mips"
    machine = EM_MIPS
    #: By the instruction set's release, and by the NaNs that the program's code makes.
    variants = (
        *((EF_ARCH, release, R6) for release in _ARCH_R6),
        (EF_NAN2008, EF_NAN2008, NAN2008),
        (0, 0, ""),
    )
    flag_names = (
        (EF_ABI, _EF_ABI_O32, "o32"),
        (EF_ABI2, EF_ABI2, "n32"),
        (EF_NAN2008, EF_NAN2008, "NaNs of IEEE 754-2008"),
    )

    def __init__(
        self, name: str, bits: int, abi: Abi, *, big_endian: bool, triplet: str, aliases: str = ""
    ) -> None:
        super().__init__(
            name,
            title=("" if big_endian else "little-endian ") + ("MIPS64" if bits == 64 else "MIPS"),
            big_endian=big_endian,
            abis={"": abi, NAN2008: abi, R6: abi},
            triplets=(triplet,),
            aliases=tuple(aliases.split()),
        )
        self.bits = bits
        n32 = (0, 0, EF_ABI2, EF_ABI2, "its ABI is n32: no qusr command runs it")
        self.refusals = _foreign(0) if bits == 64 else (n32, *_foreign(_EF_ABI_O32))
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


def _foreign(own: int) -> tuple[tuple[int, int, int, int, str], ...]:
    """What elf_check_arch() of asm/elf.h and arch/mips/kernel/elf.c refuses: other ABIs."""
    names = {_EF_ABI_O32: "o32", 0x2000: "o64", 0x3000: "EABI32", 0x4000: "EABI64"}
    return tuple(
        (0, 0, EF_ABI, number, f"its ABI is {name}: no qusr command of this machine runs it")
        for number, name in names.items()
        if number != own
    )


#: Structs as IRIX had them, sets of 128 signals, siginfo_t with the code first.
_FAMILIES = ("irix", "sigset128", "code_first")


def _o32(name: str, big_endian: bool) -> Abi:
    order = ("be32", "be") if big_endian else ()
    return Abi(
        name,
        numbers="mips.numbers_o32",
        constants="mips.constants_o32",
        word=4,
        families=(
            *(("irix_be", "irix32be") if big_endian else ()),
            "irix32",
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
            *(("irix_be",) if big_endian else ()),
            "irix64",
            *_FAMILIES,
            *order,
            "code_first64",
            "ipc64",
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
