"""The processors of 680x0: registers, models.

Sources: "M68000 Family Programmer's Reference Manual"; the kernel's arch/m68k/kernel/setup_mm.c.
"""

from __future__ import annotations

from qusr.arch.base import Arch, Calling, CpuModel, Feature, Registers
from qusr.arch.m68k import M68K as GUEST

_FLOATS = tuple(f"fp{n}" for n in range(8))
_CONTROL = ("fpcontrol", "fpstatus", "fpiaddr")
_DATA = tuple(f"d{n}" for n in range(8))
NAMES = (
    *_DATA, *(f"a{n}" for n in range(6)), "fp", "sp", "ps", "pc", *_FLOATS, *_CONTROL, "tp",
)  # fmt: skip


def _model(number: int, unicorn: int, name: str = "") -> CpuModel:
    return CpuModel(
        name or f"m68{number:03}",
        unicorn=unicorn,
        ident=68000 + number,
        features="",
        description=f"Motorola 68{number:03}",
    )


# Unicorn's own names of them are those of the next ones (UC_CPU_M68K_M68030 is a 68040), which is
# as much as its list of numbers is off.
_MODELS = (
    CpuModel(
        "max", unicorn=3, ident=68040, features="",
        description="all that programs are made for (68040)",
    ),
    _model(40, 3),
    _model(20, 1),
    _model(30, 2),
    _model(60, 4),
    CpuModel(
        "any", unicorn=8, ident=68040, features="",
        description="as qemu has it: parts of all, on which C libraries do not run",
    ),
)  # fmt: skip
#: What show_cpuinfo() calls the memory and floating-point units.
_UNITS = {
    68020: ("68851", "68881"),
    68030: ("68030", "68882"),
    68040: ("68040", "68040"),
    68060: ("68060", "68060"),
}


class M68kArch(Arch):
    """680x0."""

    #: The kernel tells of none (ELF_HWCAP is 0).
    features: tuple[Feature, ...] = ()
    models = _MODELS
    flags = ((0x10, "x"), (8, "n"), (4, "z"), (2, "v"), (1, "c"))
    registers = Registers(
        numbers={name: n for n, name in enumerate(NAMES)},
        # org.gnu.gdb.m68k.core, org.gnu.gdb.coldfire.fp
        gdb=NAMES[:-1],
        bits=dict.fromkeys(_FLOATS, 96),
        aliases={"a6": ("fp", 0), "a7": ("sp", 0)},
        # System V ABI, m68k supplement, "Function Calling Sequence".
        calling=Calling((), "d0", pushes=True),
        pc="pc",
        sp="sp",
        tls="tp",
        status="ps",
        result="d0",
        args=("d1", "d2", "d3", "d4", "d5", "a0"),
    )

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As show_cpuinfo() writes it: there is one processor."""
        del cpus
        mmu, fpu = _UNITS[model.ident]
        return (
            f"CPU:\t\t{model.ident}\nMMU:\t\t{mmu}\nFPU:\t\t{fpu}\nClocking:\t33.0MHz\n"
            "BogoMips:\t22.06\nCalibration:\t110336 loops\n"
        )

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Of the 68040."""
        return "ARCH_M68K", ("MODE_BIG_ENDIAN", "MODE_M68K_040")


# The kernel tells of no AT_PLATFORM.
M68K = M68kArch(GUEST, uname_machine="m68k", platform="")
ARCHES = (M68K,)
