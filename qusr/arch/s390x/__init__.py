"""s390x, z/Architecture with 64 bits: which programs it runs and how Linux loads them.

Sources: "ELF Application Binary Interface s390x Supplement"; the kernel's
arch/s390/include/asm/elf.h, asm/processor.h, arch/s390/kernel/processor.c.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_S390 = 22


class S390x(Guest):
    """The one guest of this ISA."""

    package = "s390x"
    machine = EM_S390
    bits = 64
    libraries = "libc6:s390x or libc6-s390x-cross"

    @property
    def dyn_base(self) -> int:
        """Two thirds of the way to STACK_TOP, which is 2^42, in units of 4 GiB."""
        return (1 << 42) // 3 * 2 & ~0xFFFFFFFF


S390X = S390x(
    "s390x",
    title="s390x",
    big_endian=True,
    abis={
        "": Abi(
            "s390x",
            numbers="s390x.numbers",
            constants="s390x.constants",
            word=8,
            families=("s390", "backwards2", "struct_mmap", "ipc5", "be", "64"),
            big_endian=True,
            core="s390x",
        )
    },
    triplets=("s390x-linux-gnu",),
)
GUESTS = (S390X,)
#: Programs of this machine that no guest runs.
OTHERS = {(EM_S390, 32): "S/390 (31 bits)"}
