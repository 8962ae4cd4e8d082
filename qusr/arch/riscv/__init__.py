"""RISC-V with 64 and with 32 bits: which programs it runs and how Linux loads them.

Sources: "RISC-V ELF psABI"; the kernel's arch/riscv/include/asm/elf.h, asm/pgtable.h,
arch/riscv/kernel/signal.c.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_RISCV = 243


class Riscv(Guest):
    """RISC-V in one word size."""

    package = "riscv"
    machine = EM_RISCV

    def __init__(self, bits: int, abi: Abi, *, minsigstksz: int, libraries: str) -> None:
        name = f"riscv{bits}"
        triplets = (f"{name}-linux-gnu",)
        super().__init__(
            name, title=f"RISC-V {bits}", big_endian=False, abis={"": abi}, triplets=triplets
        )
        self.bits = bits
        #: sizeof(struct rt_sigframe), without vectors.
        self.minsigstksz = minsigstksz
        self.libraries = libraries

    @property
    def task_end(self) -> int:
        """FIXADDR_START with 32 bits (Documentation/arch/riscv/vm-layout.rst is of 64 only)."""
        return 0x9DC00000 if self.bits == 32 else 0

    @property
    def dyn_base(self) -> int:
        """Two thirds up with 32 bits too."""
        return self.task_end // 3 * 2 & ~0xFFF


RV64 = Riscv(
    64,
    Abi(
        "riscv64",
        numbers="riscv.numbers_64",
        word=8,
        families=("no_restorer", "generic64", "64"),
        core="riscv64",
    ),
    minsigstksz=1088,
    libraries="libc6:riscv64 or libc6-riscv64-cross",
)
RV32 = Riscv(
    32,
    Abi(
        "riscv32",
        numbers="riscv.numbers_32",
        word=4,
        families=("no_restorer", "generic32", "32"),
        core="riscv32",
    ),
    minsigstksz=944,
    libraries="a C library for riscv32 (Debian has none)",
)
GUESTS = (RV64, RV32)
OTHERS: dict[tuple[int, int], str] = {}
