"""PowerPC with 32 bits: which programs it runs and how Linux loads them.

Sources: "System V Application Binary Interface, PowerPC Processor Supplement"; the kernel's
arch/powerpc/include/asm/elf.h, asm/task_size_32.h, arch/powerpc/kernel/signal_32.c.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_PPC = 20

# include/uapi/linux/auxvec.h and arch/powerpc/include/uapi/asm/auxvec.h.
_AT_DCACHEBSIZE, _AT_ICACHEBSIZE, _AT_UCACHEBSIZE, _AT_IGNOREPPC = 19, 20, 21, 22
#: Of all processors here: what DCBZ clears, and what ICBI forgets.
_CACHE_LINE = 32


class Ppc(Guest):
    """PowerPC with 32 bits."""

    package = "ppc"
    machine = EM_PPC
    bits = 32
    libraries = "libc6-powerpc-cross"
    #: `get_min_sigframe_size_32`: a frame with siginfo, and what is left free below it.
    minsigstksz = 1616
    #: CONFIG_TASK_SIZE.
    task_end = 0xC000_0000
    #: ARCH_DLINFO: older C libraries took the vector to begin at a multiple of 16.
    auxv = (
        (_AT_IGNOREPPC, _AT_IGNOREPPC),
        (_AT_IGNOREPPC, _AT_IGNOREPPC),
        (_AT_DCACHEBSIZE, _CACHE_LINE),
        (_AT_ICACHEBSIZE, _CACHE_LINE),
        (_AT_UCACHEBSIZE, 0),
    )


PPC = Ppc(
    "ppc",
    title="PowerPC",
    big_endian=True,
    aliases=("powerpc",),
    abis={
        "": Abi(
            "ppc",
            numbers="ppc.numbers",
            constants="ppc.constants",
            word=4,
            families=("ppc32", "termios_speeds", "generic32", "be32", "be", "32"),
            big_endian=True,
            pair_align=True,
            core="ppc",
        )
    },
    triplets=("powerpc-linux-gnu",),
)
GUESTS = (PPC,)
OTHERS: dict[tuple[int, int], str] = {}
