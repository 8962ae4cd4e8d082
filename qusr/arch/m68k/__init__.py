"""680x0: which programs it runs and how Linux loads them.

Sources: "System V Application Binary Interface, Motorola 68000 Processor Family Supplement"; the
kernel's arch/m68k/include/asm/elf.h, asm/processor.h.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_68K = 4


class M68k(Guest):
    """680x0, of which there are no variants."""

    package = "m68k"
    machine = EM_68K
    bits = 32
    libraries = "libc6-m68k-cross"
    #: TASK_SIZE of processors with a paged memory unit, and ELF_ET_DYN_BASE.
    task_end = 0xF000_0000
    dyn_base = 0xD000_0000


M68K = M68k(
    "m68k",
    title="m68k",
    big_endian=True,
    abis={
        "": Abi(
            "m68k",
            numbers="m68k.numbers",
            constants="m68k.constants",
            word=4,
            align64=2,
            families=("m68k32", "struct_mmap", "ids16", "generic32", "be32", "be", "32"),
            big_endian=True,
            core="m68k",
        )
    },
    triplets=("m68k-linux-gnu",),
)
GUESTS = (M68K,)
OTHERS: dict[tuple[int, int], str] = {}
