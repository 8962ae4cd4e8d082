"""The processors of PowerPC with 32 bits: registers, models, features.

Sources: "Programming Environments Manual for 32-Bit Implementations of the PowerPC Architecture",
"AltiVec Technology Programming Environments Manual"; the kernel's
arch/powerpc/kernel/cpu_specs_book3s_32.h, setup-common.c and
arch/powerpc/include/uapi/asm/cputable.h; QEMU's target/ppc/cpu-models.c.
"""

from __future__ import annotations

from qusr.arch.base import Arch, Calling, CpuModel, Feature, Registers
from qusr.arch.ppc import PPC as GUEST

# PPC_FEATURE_*. Not PPC_LE: the core has no little-endian mode.
_FEATURES = (
    Feature("vsx", 1, 7, "xxlor 1, 2, 3"),
    Feature("dfp", 1, 10, "dadd 1, 2, 3"),
    Feature("mmu", 1, 26),
    Feature("fpu", 1, 27, "fadd 1, 2, 3"),
    Feature("altivec", 1, 28, "vor 1, 2, 3"),
    Feature("ppc32", 1, 31),
    # Which the kernel carries out for programs.
    Feature("isel", 2, 27),
)
_BASE = "ppc32 fpu mmu"
_ALTIVEC = f"{_BASE} altivec"

# The names of models, their numbers in Unicorn (UC_CPU_PPC32_*), and the processor's version. Of
# chips with several revisions the newest one has the plain name, too. Those without floating
# point are not here: what the kernel makes up for is not made up for.
_CHIPS = """
603 153 00030100; 603e_v4.1,603e 161 00060401; 603p 167 00070000; 603e7v 164 00070100
603e7 162 00070200; 603e7t,603r 163 00071201; 604 168 00040103; 604e_v2.4,604e 171 00090204
604r 172 000a0101; 740_v3.1,740 183 00080301; 740e 185 00080100; 740p 187 10080000
745_v2.8,745 239 00083208; 750_v3.1,750,g3 184 00080301; 750e 186 00080200; 750p 188 10080000
750cl_v2.0,750cl 190 00087210; 750cx_v2.2,750cx 194 00082202; 750cxe_v3.1b,750cxe 202 00083311
750cxr 203 00083410; 750fl 204 70000203; 750fx_v2.3,750fx 209 70000203; 750gl 210 70020102
750gx_v1.2,750gx 213 70020102; 750l_v3.2,750l 218 00088302; 755_v2.8,755 240 00083208
g2 42 00810011; g2le 49 00820010; e300c1 61 00830010; e300c2 62 00840010
e300c3,e300 63 00850010; e300c4 64 00860010
"""
_CHIPS_WITH_VECTORS = """
7400_v2.9,7400,g4 249 000c0209; 7410_v1.4,7410 254 800c1104; 7441_v2.10,7441 267 80000210
7445_v3.4,7445 277 80010304; 7447_v1.1,7447 281 80020101; 7447a_v1.2,7447a 288 80030102
7448_v2.1,7448 258 80040201; 7450_v2.1,7450 263 80000201; 7451_v2.10,7451 268 80000210
7455_v3.4,7455 278 80010304; 7457_v1.2,7457 283 80020102; 7457a_v1.2,7457a 289 80030102
e600 145 80040010; mpc8610 146 80040010; mpc8641 147 80040010; mpc8641d 148 80040010
"""

#: By the upper bits of the version: the kernel's name for the processor, and AT_PLATFORM.
_SPECS = {
    0x0003: ("603", "ppc603"),
    0x0004: ("604", "ppc604"),
    0x0006: ("603e", "ppc603"),
    0x0007: ("603ev", "ppc603"),
    0x0008: ("740/750", "ppc750"),
    0x0009: ("604e", "ppc604"),
    0x000A: ("604ev", "ppc604"),
    0x000C: ("7400", "ppc7400"),
    0x0081: ("82xx", "ppc603"),
    0x0082: ("G2_LE", "ppc603"),
    0x0083: ("e300c1", "ppc603"),
    0x0084: ("e300c2", "ppc603"),
    0x0085: ("e300c3", "ppc603"),
    0x0086: ("e300c4", "ppc603"),
    0x1008: ("740P/750P", "ppc750"),
    0x7000: ("750FX", "ppc750"),
    0x7002: ("750GX", "ppc750"),
    0x8000: ("7450", "ppc7450"),
    0x8001: ("7455", "ppc7450"),
    0x8002: ("7447/7457", "ppc7450"),
    0x8003: ("7447A", "ppc7450"),
    0x8004: ("7448", "ppc7450"),
    0x800C: ("7410", "ppc7400"),
}
#: The same for some whose upper bits are others' (mask and value).
_SPECIAL_NAMES = (
    (0xFFFF_F000, 0x0008_3000, "745/755"),
    (0xFFFF_FFF0, 0x0008_2210, "750CXe"),
    (0xFFFF_FF00, 0x0008_2200, "750CX"),
    (0xFFFF_F0F0, 0x0008_7010, "750CL"),
)


def _models() -> list[CpuModel]:
    found = []
    for text, features in ((_CHIPS_WITH_VECTORS, _ALTIVEC), (_CHIPS, _BASE)):
        for row in text.replace("\n", ";").split(";"):
            if not row.strip():
                continue
            names, unicorn, version = row.split()
            for name in names.split(","):
                found.append(_model(name, int(unicorn), int(version, 16), features))
    return sorted(found, key=lambda model: model.name)


def _model(name: str, unicorn: int, version: int, features: str) -> CpuModel:
    chip = _SPECS[version >> 16][0] if name != "max" else "all that the core can execute (7457A)"
    vectors = " with AltiVec" if features == _ALTIVEC and name != "max" else ""
    return CpuModel(
        name,
        unicorn=unicorn,
        ident=version,
        features=features,
        description=chip + vectors,
    )


_R = tuple(f"r{n}" for n in range(32))
_F = tuple(f"f{n}" for n in range(32))
_V = tuple(f"vr{n}" for n in range(32))
_GDB = (
    *_R, *_F, "pc", "msr", "cr", "lr", "ctr", "xer", "fpscr", *_V, "vscr", "vrsave",
)  # fmt: skip
#: The core's own: the bits of MSR that are a program's.
_OWN = ("modes",)

_REGISTERS = Registers(
    numbers={name: n for n, name in enumerate((*_GDB, *_OWN))},
    # org.gnu.gdb.power.core, .fpu, .altivec
    gdb=_GDB,
    bits={**dict.fromkeys(_F, 64), **dict.fromkeys(_V, 128)},
    aliases={"fp": ("r31", 0)},
    # Power Architecture 32-bit ABI, "Parameter Passing".
    calling=Calling(tuple(f"r{n}" for n in range(3, 11)), "r3", "lr"),
    pc="pc",
    sp="r1",
    tls="r2",
    args=("r3", "r4", "r5", "r6", "r7", "r8"),
    status="cr",
    failed="cr",
    failed_bits=1 << 28,
)

#: The special-purpose register with the processor's version.
_PVR = 287
#: What the time base counts at, in Hz.
_TIMEBASE = 25_000_000


class PpcArch(Arch):
    """PowerPC with 32 bits."""

    registers = _REGISTERS
    features = _FEATURES
    models = (_model("max", 289, 0x80030102, _ALTIVEC), *_models())

    def __init__(self) -> None:
        super().__init__(GUEST, uname_machine="ppc", platform="ppc7450")

    def platform_of(self, model: CpuModel) -> str:
        """`platform` of cpu_specs."""
        return _SPECS[model.ident >> 16][1]

    def system_registers(self, model: CpuModel) -> list[tuple[int, int]]:
        """PVR, which the kernel reads for programs."""
        return [(_PVR, model.ident)]

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As show_cpuinfo() of arch/powerpc/kernel/setup-common.c writes it."""
        version = model.ident
        name = _SPECS[version >> 16][0]
        for mask, value, special in _SPECIAL_NAMES:
            if version & mask == value:
                name = special
                break
        major, minor = version >> 8 & 0xFF, version & 0xFF
        if version >> 31:
            major &= 0xF
        elif version >> 16 == 0x1008:
            major -= 1
        vectors = ", altivec supported" if "altivec" in model.features else ""
        processors = "".join(
            f"processor\t: {cpu}\n"
            f"cpu\t\t: {name}{vectors}\n"
            f"revision\t: {major}.{minor} (pvr {version >> 16:04x} {version & 0xFFFF:04x})\n"
            "bogomips\t: 50.00\n\n"
            for cpu in cpus
        )
        return f"{processors}timebase\t: {_TIMEBASE}\n"

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """32 bits."""
        return "ARCH_PPC", ("MODE_32", "MODE_BIG_ENDIAN")


PPC = PpcArch()
ARCHES = (PPC,)
