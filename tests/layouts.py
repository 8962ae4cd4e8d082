"""Comparing declared struct layouts with the kernel's own headers.

The C compiler of each ABI is the judge: it compiles assertions about sizes and
offsets, so nothing has to be run and big-endian ABIs are covered as well.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from qusr.arch import abi_named
from qusr.syscalls import layout

COMPILERS = {
    "x86_64": ("gcc",),
    "i386": ("i686-linux-gnu-gcc",),
    "aarch64": ("aarch64-linux-gnu-gcc",),
    "aarch64_be": ("aarch64-linux-gnu-gcc", "-mbig-endian"),
    "arm": ("arm-linux-gnueabihf-gcc",),
    "armeb": ("arm-linux-gnueabi-gcc", "-mbig-endian"),
    "riscv64": ("riscv64-linux-gnu-gcc",),
    "mipsel": ("mipsel-linux-gnu-gcc",),
    "mips": ("mips-linux-gnu-gcc",),
    "mips64el": ("mips64el-linux-gnuabi64-gcc",),
    "mips64": ("mips64-linux-gnuabi64-gcc",),
    "mipsn32el": ("mips64el-linux-gnuabi64-gcc", "-mabi=n32"),
    "mipsn32": ("mips64-linux-gnuabi64-gcc", "-mabi=n32"),
    # The C library's headers are for 64 bits only; the kernel's serve both.
    "s390x": ("s390x-linux-gnu-gcc",),
    "ppc": ("powerpc-linux-gnu-gcc",),
    "riscv32": ("riscv64-linux-gnu-gcc", "-march=rv32gc", "-mabi=ilp32d"),
}
ALL = tuple(COMPILERS)
WORD64 = ("x86_64", "aarch64", "aarch64_be", "riscv64", "mips64el", "mips64", "s390x")
WORD32 = ("arm", "armeb", "riscv32", "mipsel", "mips", "mipsn32el", "mipsn32", "ppc", "i386")
N32 = ("mipsn32el", "mipsn32")
"""Whose headers are not what its kernel does, in some structs of 64-bit calls."""
STAT = tuple(name for name in ALL if name not in ("riscv32", *N32))
"""Those that have calls with struct stat: riscv32 has only statx(2), n32 the calls of n64."""


@dataclass(frozen=True)
class Known:
    """A declared type and where the headers define it.

    Attributes:
        ctype: the declaration.
        name: its name in C ("struct stat").
        headers: to be included, in this order.
        abis: where it is the one in use.
        renamed: our dotted name to C's, where they differ.
        newer: fields that Debian 12's headers do not have yet.
    """

    ctype: layout.CType
    name: str
    headers: tuple[str, ...]
    abis: tuple[str, ...] = ALL
    renamed: Mapping[str, str] = field(default_factory=dict)
    newer: tuple[str, ...] = ()

    def program(self, abi_name: str) -> str:
        """C source whose assertions hold if the declaration is right."""
        target = abi_named(abi_name)
        lines = ["#include <stddef.h>", *(f"#include <{header}>" for header in self.headers)]
        lines.append(_assertion(f"sizeof({self.name})", self.ctype.size(target)))
        for leaf in layout.leaves(self.ctype, target):
            if leaf.path.split(".")[0] in self.newer:
                continue
            path = self.renamed.get(leaf.path, leaf.path)
            lines.append(_assertion(f"offsetof({self.name}, {path})", leaf.offset))
            size = leaf.ctype.size(target) * leaf.count
            lines.append(_assertion(f"sizeof((({self.name} *)0)->{path})", size))
        return "\n".join(lines) + "\n"

    def complaints(self, abi_name: str) -> str:
        """What the compiler has against it: nothing, if the declaration is right."""
        command = [*COMPILERS[abi_name], "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"]
        source = self.program(abi_name)
        run = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
        return run.stderr


def _assertion(expression: str, value: int) -> str:
    return f'_Static_assert({expression} == {value}, "{expression} is not {value}");'


def parameters(known: Sequence[Known]) -> list[object]:
    """One test parameter for each type and ABI."""
    return [
        pytest.param(item, name, id=f"{item.name.removeprefix('struct ')}-{name}")
        for item in known
        for name in item.abis
    ]
