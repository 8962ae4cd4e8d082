"""x86 with 64 and with 32 bits: which programs they run and how Linux loads them.

The first is also the host's own instruction set: its system calls are those that the other guests'
become. Sources: "System V ABI, AMD64 Architecture Processor Supplement", "Intel386 Architecture
Processor Supplement"; the kernel's arch/x86/include/asm/elf.h, arch/x86/kernel/signal.c.
"""

from __future__ import annotations

from qusr.arch.abi import Abi
from qusr.arch.base import Guest

EM_386, EM_X86_64 = 3, 62


class X86(Guest):
    """x86 in one word size."""

    package = "x86"
    of_host = True


class X8664(X86):
    """Programs of 64 bits."""

    machine = EM_X86_64
    bits = 64
    libraries = "libc6:amd64 or libc6-amd64-cross"
    #: `init_sigframe_size` for a processor without XSAVE: the frame, the state of FXSAVE, and what
    #: their alignment may take.
    minsigstksz = 1040


X86_64 = X8664(
    "x86_64",
    title="x86-64",
    big_endian=False,
    abis={
        "": Abi(
            "x86_64",
            numbers="x86.numbers_64",
            word=8,
            families=("x64", "64"),
            core="x86_64",
        )
    },
    triplets=("x86_64-linux-gnu",),
    aliases=("amd64",),
)
GUESTS = (X86_64,)
#: Programs of these machines that no guest runs.
OTHERS = {(EM_X86_64, 32): "x32", (EM_386, 32): "i386"}
