"""32-bit ARM, little- and big-endian (BE8 and BE32): which programs it runs, and how.

Sources: "ELF for the Arm Architecture" (IHI 0044), section 5.2; the kernel's
arch/arm/kernel/elf.c, arch/arm64/include/asm/elf.h (a 32-bit program is seen as an AArch64
kernel shows it), Documentation/arch/arm/kernel_user_helpers.rst.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_ARM = 40

# e_flags, the last one being an older one of the GNU toolchain that the kernel looks at.
EF_ARM_EABI_MASK = 0xFF000000
EF_ARM_BE8 = 0x00800000
EF_ARM_HARD_FLOAT = 0x400
EF_ARM_SOFT_FLOAT = 0x200
EF_ARM_APCS_26 = 0x00000008

#: Where the kernel puts the page with the vectors and the user helpers (AARCH32_VECTORS_BASE).
VECTORS = 0xFFFF0000


class Arm(Guest):
    """32-bit ARM in one byte order."""

    package = "arm"
    machine = EM_ARM
    bits = 32
    #: Old toolchains link programs at 0x8000.
    min_address = 0x8000
    #: The top of the stack and the bottom of the heap are below the vectors.
    stack_end = VECTORS
    #: A program without PT_GNU_STACK predates non-executable memory.
    reads_execute = True
    #: T32 code (IHI 0044, section 5.5.3).
    marks_functions = True
    libraries = "libc6:armhf or libc6-armhf-cross (libc6:armel or libc6-armel-cross for soft float)"

    flag_names = (
        *((EF_ARM_EABI_MASK, version << 24, f"EABI {version}") for version in range(1, 6)),
        (EF_ARM_EABI_MASK, 0, "no EABI"),
        (EF_ARM_HARD_FLOAT, EF_ARM_HARD_FLOAT, "hard float"),
        (EF_ARM_SOFT_FLOAT, EF_ARM_SOFT_FLOAT, "soft float"),
        (EF_ARM_BE8, EF_ARM_BE8, "BE8"),
    )
    #: As elf_check_arch: an entry in A32 code is 4-aligned, bit 0 means T32.
    refusals = (
        (3, 2, 0, 0, "bad ELF file: unaligned entry point"),
        (
            0, 0, EF_ARM_EABI_MASK | EF_ARM_APCS_26, EF_ARM_APCS_26,
            "built for 26-bit ARM (APCS-26): no qusr command runs it",
        ),
    )  # fmt: skip


class ArmBig(Arm):
    """Whether code, too, has that byte order (BE32)."""

    variants = ((EF_ARM_BE8, EF_ARM_BE8, "be8"), (0, 0, "be32"))


def _abi(name: str, families: tuple[str, ...], core: str, *, big_endian: bool) -> Abi:
    return Abi(
        name,
        numbers="arm.numbers",
        constants="arm.constants",
        word=4,
        families=(*families, "eabi", "ids16", "ipc64", "32"),
        pair_align=True,
        nargs=7,
        big_endian=big_endian,
        core=core,
    )


_BIG = ("be32", "be")

LITTLE = Arm(
    "arm",
    aliases=("armhf", "armel"),
    title="ARM",
    big_endian=False,
    abis={"": _abi("arm", (), "arm", big_endian=False)},
    triplets=("arm-linux-gnueabihf", "arm-linux-gnueabi"),
)
BIG = ArmBig(
    "armeb",
    title="big-endian ARM",
    big_endian=True,
    abis={
        "be8": _abi("armeb", _BIG, "arm-be8", big_endian=True),
        "be32": _abi("armeb", _BIG, "arm-be32", big_endian=True),
    },
    triplets=("armeb-linux-gnueabihf", "armeb-linux-gnueabi"),
)
GUESTS = (LITTLE, BIG)
OTHERS: dict[tuple[int, int], str] = {}
