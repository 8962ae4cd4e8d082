"""MIPS: o32 with 32 bits, n64 with 64, n32 with both, in either byte order.

Sources: the kernel's arch/mips/include/asm/elf.h, asm/processor.h, arch/mips/kernel/elf.c,
arch/mips/kernel/binfmt_elfn32.c, arch/mips/kernel/signal.c; "MIPS O32 ABI - FR0 and FR1
Interlinking" (.MIPS.abiflags).
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
    """MIPS in one ABI and byte order.

    Attributes:
        wide: registers have 64 bits.
    """

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
        self, abi: Abi, title: str, *triplets: str, libraries: str, is_n32: bool = False
    ) -> None:
        super().__init__(
            abi.name,
            title=("" if abi.big_endian else "little-endian ") + title,
            big_endian=abi.big_endian,
            abis={"": abi, NAN2008: abi, R6: abi},
            triplets=triplets,
        )
        self.bits = 8 * abi.word
        self.wide = abi.register == 8
        # Of both 32-bit ABIs, whose programs are of one class.
        self.flags = (EF_ABI2 if self.bits == 32 else 0, EF_ABI2 if is_n32 else 0)
        # PT_MIPS_ABIFLAGS: o32 alone has a choice.
        self.abi_flags = 0 if self.wide else 0x7000_0003
        self.refusals = _foreign(0 if self.wide else _EF_ABI_O32)
        self.libraries = libraries

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


def _n32(name: str, big_endian: bool) -> Abi:
    """Structs are those of the 64-bit kernel's compat calls, which are o32's mostly."""
    order = ("be32", "be") if big_endian else ()
    return Abi(
        name,
        numbers="mips.numbers_n32",
        constants="mips.constants_o32",
        word=4,
        register=8,
        families=(
            "n32",
            *(("irix_be", "irix32be") if big_endian else ()),
            "irix32",
            *_FAMILIES,
            *order,
            "code_first32",
            "ipc64",
            "32",
        ),
        big_endian=big_endian,
        nargs=6,
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


MIPSEL = Mips(
    _o32("mipsel", False),
    "MIPS",
    "mipsel-linux-gnu",
    libraries="libc6:mipsel or libc6-mipsel-cross",
)
MIPS = Mips(_o32("mips", True), "MIPS", "mips-linux-gnu", libraries="libc6-mips-cross")
MIPS64EL = Mips(
    _n64("mips64el", False), "MIPS64", "mips64el-linux-gnuabi64",
    libraries="libc6:mips64el or libc6-mips64el-cross",
)  # fmt: skip
MIPS64 = Mips(
    _n64("mips64", True), "MIPS64", "mips64-linux-gnuabi64", libraries="libc6-mips64-cross"
)
# The cross compilers of n64 have n32's libraries beside their own.
MIPSN32EL = Mips(
    _n32("mipsn32el", False), "MIPS N32", "mips64el-linux-gnuabin32", "mips64el-linux-gnuabi64",
    libraries="libc6-mipsn32-mips64el-cross", is_n32=True,
)  # fmt: skip
MIPSN32 = Mips(
    _n32("mipsn32", True), "MIPS N32", "mips64-linux-gnuabin32", "mips64-linux-gnuabi64",
    libraries="libc6-mipsn32-mips64-cross", is_n32=True,
)  # fmt: skip
GUESTS = (MIPSEL, MIPS, MIPS64EL, MIPS64, MIPSN32EL, MIPSN32)
OTHERS: dict[tuple[int, int], str] = {}
