"""AArch64, little- and big-endian: which programs it runs and how Linux loads them.

Sources: "ELF for the Arm 64-bit Architecture" (IHI 0056); the kernel's
arch/arm64/include/asm/elf.h, arch/arm64/kernel/signal.c.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_AARCH64 = 183
#: The extra bit of a protection: the page is guarded by BTI (asm/mman.h).
PROT_BTI = 0x10
#: GNU_PROPERTY_AARCH64_FEATURE_1_BTI.
_FEATURE_1_BTI = 1


class AArch64(Guest):
    """AArch64 in one byte order."""

    package = "aarch64"
    machine = EM_AARCH64
    bits = 64
    #: GNU_PROPERTY_AARCH64_FEATURE_1_AND.
    feature_property = 0xC0000000
    #: A frame without SVE.
    minsigstksz = 4720
    libraries = "libc6:arm64 or libc6-arm64-cross"
    #: Code that was made for BTI is guarded (arch_parse_elf_property).
    guarded = ((_FEATURE_1_BTI, PROT_BTI),)


def _abi(name: str, families: tuple[str, ...], core: str, *, big_endian: bool) -> Abi:
    return Abi(
        name,
        numbers="aarch64.numbers",
        constants="aarch64.constants",
        word=8,
        # Permission overlays: the kernel has protection keys and guarded control stacks.
        families=("overlays", *families, "generic64", "64"),
        big_endian=big_endian,
        core=core,
    )


LITTLE = AArch64(
    "aarch64",
    aliases=("arm64",),
    title="AArch64",
    big_endian=False,
    abis={"": _abi("aarch64", (), "aarch64", big_endian=False)},
    triplets=("aarch64-linux-gnu",),
)
BIG = AArch64(
    "aarch64_be",
    title="big-endian AArch64",
    big_endian=True,
    abis={"": _abi("aarch64_be", ("be",), "aarch64-be", big_endian=True)},
    triplets=("aarch64_be-linux-gnu",),
)
GUESTS = (LITTLE, BIG)
#: Programs of this machine that no guest runs.
OTHERS = {(EM_AARCH64, 32): "AArch64 ILP32"}
