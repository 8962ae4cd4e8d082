"""The processors of AArch64: registers, models, features.

Sources: Arm ARM (DDI 0487); the kernel's arch/arm64/include/uapi/asm/hwcap.h,
Documentation/arch/arm64/cpu-feature-registers.rst and elf_hwcaps.rst,
arch/arm64/kernel/cpufeature.c (what of the ID registers programs see).
"""

from __future__ import annotations

from qusr.arch.aarch64 import BIG, LITTLE
from qusr.arch.base import Arch, CpuModel, Feature, Registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.base import SysReg

_MIDR = (0, 0, 0, 0)
_PFR0 = (0, 0, 4, 0)
_ISAR0 = (0, 0, 6, 0)
_ISAR1 = (0, 0, 6, 1)

#: ID_AA64PFR0_EL1.EL0 and EL1: AArch64 only; 0b1111 in FP and AdvSIMD means "none".
_PFR0_BASE = 0x11

# Not here though a core may execute them: PACA, PACG (slow where every return is
# authenticated, and qusr's address space leaves few bits for the codes); BTI (pages are
# not guarded); RNG (a program's random numbers would not obey -seed); USCAT (exclusives
# do fault when misaligned); EVTSTRM (WFE does not wait).
_FEATURES = (
    Feature("fp", 1, 0, "fadd d0, d1, d2", ((_PFR0, 16, 0),)),
    Feature("asimd", 1, 1, "add v0.4s, v1.4s, v2.4s", ((_PFR0, 20, 0),)),
    Feature("aes", 1, 3, "aese v0.16b, v1.16b", ((_ISAR0, 4, 1),)),
    Feature("pmull", 1, 4, "pmull v0.1q, v1.1d, v2.1d", ((_ISAR0, 4, 2),)),
    Feature("sha1", 1, 5, "sha1h s0, s1", ((_ISAR0, 8, 1),)),
    Feature("sha2", 1, 6, "sha256h q0, q1, v2.4s", ((_ISAR0, 12, 1),)),
    Feature("crc32", 1, 7, "crc32b w0, w1, w2", ((_ISAR0, 16, 1),)),
    Feature("atomics", 1, 8, "ldadd x0, x1, [sp]", ((_ISAR0, 20, 2),)),
    Feature("fphp", 1, 9, "fadd h0, h1, h2", ((_PFR0, 16, 1),)),
    Feature("asimdhp", 1, 10, "fadd v0.8h, v1.8h, v2.8h", ((_PFR0, 20, 1),)),
    Feature("cpuid", 1, 11, "mrs x0, id_aa64isar0_el1"),
    Feature("asimdrdm", 1, 12, "sqrdmlah v0.4s, v1.4s, v2.4s", ((_ISAR0, 28, 1),)),
    Feature("jscvt", 1, 13, "fjcvtzs w0, d1", ((_ISAR1, 12, 1),)),
    Feature("fcma", 1, 14, "fcadd v0.4s, v1.4s, v2.4s, #90", ((_ISAR1, 16, 1),)),
    Feature("lrcpc", 1, 15, "ldapr x0, [sp]", ((_ISAR1, 20, 1),)),
    Feature("dcpop", 1, 16, "dc cvap, x29", ((_ISAR1, 0, 1),)),
    Feature("sha3", 1, 17, "eor3 v0.16b, v1.16b, v2.16b, v3.16b", ((_ISAR0, 32, 1),)),
    Feature("sm3", 1, 18, "sm3ss1 v0.4s, v1.4s, v2.4s, v3.4s", ((_ISAR0, 36, 1),)),
    Feature("sm4", 1, 19, "sm4e v0.4s, v1.4s", ((_ISAR0, 40, 1),)),
    Feature("asimddp", 1, 20, "sdot v0.4s, v1.16b, v2.16b", ((_ISAR0, 44, 1),)),
    Feature("sha512", 1, 21, "sha512h q0, q1, v2.2d", ((_ISAR0, 12, 2),)),
    Feature("sve", 1, 22, "ptrue p0.b"),
    Feature("asimdfhm", 1, 23, "fmlal v0.2s, v1.2h, v2.2h", ((_ISAR0, 48, 1),)),
    Feature("dit", 1, 24, "msr dit, #1"),
    Feature("ilrcpc", 1, 26, "ldapur x0, [sp, #8]", ((_ISAR1, 20, 2),)),
    Feature("flagm", 1, 27, "cfinv", ((_ISAR0, 52, 1),)),
    Feature("ssbs", 1, 28, "msr ssbs, #1"),
    Feature("sb", 1, 29, "sb", ((_ISAR1, 36, 1),)),
    Feature("dcpodp", 2, 0, "dc cvadp, x29", ((_ISAR1, 0, 2),)),
    Feature("flagm2", 2, 7, "axflag", ((_ISAR0, 52, 2),)),
    Feature("frint", 2, 8, "frint32z d0, d1", ((_ISAR1, 32, 1),)),
    Feature("i8mm", 2, 13, "smmla v0.4s, v1.16b, v2.16b", ((_ISAR1, 52, 1),)),
    Feature("bf16", 2, 14, "bfdot v0.4s, v1.8h, v2.8h", ((_ISAR1, 44, 1),)),
    Feature("mte", 2, 18, "irg x0, x1"),
)

_V8_0 = "fp asimd aes pmull sha1 sha2 crc32 cpuid"

_MODELS = (
    CpuModel(
        "max",
        unicorn=3,
        ident=0x000F0510,
        features=f"{_V8_0} atomics fphp asimdhp asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4"
        " asimddp sha512 asimdfhm ilrcpc flagm sb dcpodp flagm2 frint",
        native="i8mm bf16",
        description="all that the core can execute (Armv8.4-A and some of 8.5)",
    ),
    CpuModel("cortex-a53", unicorn=1, ident=0x410FD034, features=_V8_0, description="Armv8.0-A"),
    CpuModel("cortex-a57", unicorn=0, ident=0x411FD070, features=_V8_0, description="Armv8.0-A"),
    CpuModel("cortex-a72", unicorn=2, ident=0x410FD083, features=_V8_0, description="Armv8.0-A"),
)

_X = tuple(f"x{n}" for n in range(31))
_V = tuple(f"v{n}" for n in range(32))

_REGISTERS = Registers(
    numbers={
        **{name: n for n, name in enumerate(_X)},
        "sp": 31,
        "pc": 32,
        "cpsr": 33,
        **{name: 34 + n for n, name in enumerate(_V)},
        "fpsr": 66,
        "fpcr": 67,
        "tpidr": 68,
    },
    # org.gnu.gdb.aarch64.core, .fpu, .tls
    gdb=(*_X, "sp", "pc", "cpsr", *_V, "fpsr", "fpcr", "tpidr"),
    bits={"cpsr": 32, "fpsr": 32, "fpcr": 32, **dict.fromkeys(_V, 128)},
    pc="pc",
    sp="sp",
    status="cpsr",
    tls="tpidr",
    args=("x0", "x1", "x2", "x3", "x4", "x5"),
)


def _packed(register: SysReg) -> int:
    """A system register's number (native/guests/src/aarch64/linux/emulate.rs)."""
    op1, crn, crm, op2 = register
    return op1 << 11 | crn << 7 | crm << 3 | op2


class AArch64(Arch):
    """AArch64 in one byte order."""

    registers = _REGISTERS
    flags = ((31, "N"), (30, "Z"), (29, "C"), (28, "V"))
    features = _FEATURES
    models = _MODELS

    def system_registers(self, model: CpuModel) -> list[tuple[int, int]]:
        """The ID registers that programs may read and that are not 0."""
        fields: dict[tuple[SysReg, int], int] = {}
        for feature in self.advertised(model):
            for register, low, value in feature.id_fields:
                known = fields.get((register, low), 0)
                fields[register, low] = max(known, value)
        values = {_MIDR: model.ident, _PFR0: _PFR0_BASE}
        for (register, low), value in fields.items():
            values[register] = values.get(register, 0) | value << low
        return [(_packed(register), value) for register, value in values.items() if value]

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As c_show() of arch/arm64/kernel/cpuinfo.c writes it."""
        from qusr.arch.arm import midr

        names = " ".join(feature.name for feature in self.advertised(model))
        lines = midr.lines(model.ident, "8")
        # Twice the 62.5 MHz of CNTFRQ_EL0, by which the kernel calibrates its delay loop.
        return "".join(
            f"processor\t: {cpu}\nBogoMIPS\t: 125.00\nFeatures\t: {names}\n{lines}\n"
            for cpu in cpus
        )

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Instructions are little-endian whatever data are."""
        return "ARCH_ARM64", ("MODE_LITTLE_ENDIAN",)


AARCH64 = AArch64(LITTLE, uname_machine="aarch64", platform="aarch64")
AARCH64_BE = AArch64(BIG, uname_machine="aarch64_be", platform="aarch64_be")
ARCHES = (AARCH64, AARCH64_BE)
