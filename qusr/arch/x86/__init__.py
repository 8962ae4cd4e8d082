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


class X8632(X86):
    """Programs of 32 bits."""

    machine = EM_386
    bits = 32
    libraries = "libc6:i386 or libc6-i386-cross"
    #: Without PT_GNU_STACK: the table at `elf_read_implies_exec` in asm/elf.h.
    reads_execute = True
    #: As :class:`X8664` has it.
    minsigstksz = 1040

    @property
    def task_end(self) -> int:
        """IA32_PAGE_OFFSET, of a kernel with 64 bits (asm/page_64_types.h)."""
        return 0xFFFFE000


I386 = X8632(
    "i386",
    title="i386",
    big_endian=False,
    abis={
        "": Abi(
            "i386",
            numbers="x86.numbers_32",
            word=4,
            align64=4,
            families=("ia32", "struct_mmap", "eabi", "ids16", "32"),
            core="i386",
        )
    },
    triplets=("i386-linux-gnu", "i686-linux-gnu"),
    aliases=("i486", "i586", "i686"),
)
GUESTS = (X86_64, I386)
#: Programs of these machines that no guest runs.
OTHERS = {(EM_X86_64, 32): "x32"}
