"""The processors of 32-bit ARM: registers, models, features, the page of kernel helpers.

Sources: Arm ARM (DDI 0406, DDI 0487 part F); the kernel's arch/arm/include/uapi/asm/hwcap.h,
arch/arm/kernel/setup.c, Documentation/arch/arm/kernel_user_helpers.rst.
"""

from __future__ import annotations

from qusr.arch.arm import BIG, LITTLE, VECTORS
from qusr.arch.base import PAGE, Arch, CpuModel, Feature, Registers

#: With which the kernel fills the page of the vectors (early_trap_init): a permanently
#: undefined instruction.
_POISON = 0xE7FDDEF1

_FEATURES = (
    Feature("half", 1, 1, "ldrh r0, [sp]"),
    Feature("thumb", 1, 2),
    Feature("fastmult", 1, 4, "umull r0, r1, r2, r3"),
    Feature("vfp", 1, 6, "vadd.f64 d0, d1, d2"),
    Feature("edsp", 1, 7, "qadd r0, r1, r2"),
    Feature("neon", 1, 12, "vadd.i32 q0, q1, q2"),
    Feature("vfpv3", 1, 13, "vmov.f64 d0, #1.0"),
    Feature("tls", 1, 15, "mrc p15, 0, r0, c13, c0, 3"),
    Feature("vfpv4", 1, 16, "vfma.f64 d0, d1, d2"),
    Feature("idiva", 1, 17, "udiv r0, r1, r2"),
    Feature("idivt", 1, 18, ".thumb\nudiv r0, r1, r2"),
    Feature("vfpd32", 1, 19, "vadd.f64 d16, d17, d18"),
    # LDRD and STRD are single-copy atomic; seen by programs only in that it holds.
    Feature("lpae", 1, 20),
    Feature("fphp", 1, 22, ".arch_extension fp16\nvadd.f16 s0, s1, s2"),
    Feature("asimdhp", 1, 23, ".arch_extension fp16\nvadd.f16 q0, q1, q2"),
    Feature("asimddp", 1, 24, ".arch_extension dotprod\nvsdot.s8 q0, q1, q2"),
    Feature("asimdfhm", 1, 25, ".arch_extension fp16fml\nvfmal.f16 q0, d2, d3"),
    Feature("aes", 2, 0, "aese.8 q0, q1"),
    Feature("pmull", 2, 1, "vmull.p64 q0, d1, d2"),
    Feature("sha1", 2, 2, "sha1h.32 q0, q1"),
    Feature("sha2", 2, 3, "sha256h.32 q0, q1, q2"),
    Feature("crc32", 2, 4, "crc32b r0, r1, r2"),
    Feature("sb", 2, 5, "sb"),
)

_V6 = "half thumb fastmult vfp edsp tls"
_V7 = f"{_V6} neon vfpv3 vfpd32"
_V7VE = f"{_V7} vfpv4 idiva idivt lpae"

_MODELS = (
    CpuModel(
        "max",
        unicorn=33,
        version="v8",
        ident=0x412FC0F1,
        features=f"{_V7VE} asimddp asimdfhm aes pmull sha1 sha2 crc32 sb",
        description="all that the core can execute (Armv8.2-A at AArch32 and some of later)",
    ),
    CpuModel(
        "cortex-a15",
        version="v7",
        unicorn=17,
        ident=0x412FC0F1,
        features=_V7VE,
        description="Armv7-A",
    ),
    CpuModel(
        "cortex-a7",
        version="v7",
        unicorn=14,
        ident=0x410FC075,
        features=_V7VE,
        description="Armv7-A",
    ),
    CpuModel(
        "cortex-a8", version="v7", unicorn=15, ident=0x410FC080, features=_V7, description="Armv7-A"
    ),
    CpuModel(
        "cortex-a9", version="v7", unicorn=16, ident=0x410FC090, features=_V7, description="Armv7-A"
    ),
    CpuModel(
        "arm1176", version="v6k", unicorn=5, ident=0x410FB767, features=_V6, description="Armv6K"
    ),
)
#: The status register's bit that says Thumb.
_T = 1 << 5
#: Unicorn refuses these for big-endian code.
_NO_BE32 = frozenset((14, 15, 16, 17))

_R = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc")
_D = tuple(f"d{n}" for n in range(32))

_REGISTERS = Registers(
    numbers={
        **{name: n for n, name in enumerate(_R)},
        "cpsr": 16,
        **{name: 17 + n for n, name in enumerate(_D)},
        "fpscr": 49,
        "tpidruro": 50,
    },
    # org.gnu.gdb.arm.core, .vfp, .tls
    gdb=(*_R, "cpsr", *_D, "fpscr", "tpidruro"),
    bits=dict.fromkeys(_D, 64),
    pc="pc",
    sp="sp",
    status="cpsr",
    tls="tpidruro",
    args=("r0", "r1", "r2", "r3", "r4", "r5", "r6"),
)


def _is_v7(model: CpuModel) -> bool:
    """Whether a 32-bit kernel calls it an ARMv7, as it does ARMv8 CPUs too."""
    return "vfpv3" in model.features


class Arm(Arch):
    """32-bit ARM in one byte order."""

    registers = _REGISTERS
    flags = ((31, "N"), (30, "Z"), (29, "C"), (28, "V"))
    features = _FEATURES
    models = _MODELS

    def lacks(self, model: CpuModel, variant: str) -> str:
        """Processors from Armv7 on have no big-endian code."""
        missing = variant == "be32" and model.unicorn in _NO_BE32
        return "big-endian code (BE32)" if missing else ""

    def uname_of(self, model: CpuModel) -> str:
        """What uname(2) says on this CPU."""
        return f"arm{self.platform_of(model)}"

    def platform_of(self, model: CpuModel) -> str:
        """AT_PLATFORM on this CPU: its version and the byte order."""
        return self.platform if _is_v7(model) else "v6" + self.platform[-1]

    def core_features(self, model: CpuModel) -> list[str]:
        """The version of the architecture and the features."""
        return [model.version, *sorted(model.features)]

    def kernel_pages(self, variant: str) -> list[tuple[int, str, bytes]]:
        """The vectors, and behind them the helpers that programs call (kuser/kuser.S)."""
        from qusr.arch.arm import kuser_page

        tails = {"": kuser_page.LITTLE, "be8": kuser_page.BE8, "be32": kuser_page.BE32}
        poison = _POISON.to_bytes(4, "big" if variant == "be32" else "little")
        page = poison * (kuser_page.OFFSET // 4) + tails[variant]
        assert len(page) == PAGE
        return [(VECTORS, "[vectors]", page)]

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As c_show() of arch/arm/kernel/setup.c writes it."""
        from qusr.arch.arm import midr

        names = " ".join(feature.name for feature in self.advertised(model))
        name = "ARMv7 Processor" if _is_v7(model) else "ARMv6-compatible processor"
        platform = self.platform_of(model)
        text = "".join(
            f"processor\t: {cpu}\n"
            f"model name\t: {name} rev {model.ident & 0xF} ({platform})\n"
            "BogoMIPS\t: 125.00\n"
            f"Features\t: {names} \n"
            f"{midr.lines(model.ident, 7)}\n"
            for cpu in cpus
        )
        machine = "Generic DT based system"
        return f"{text}Hardware\t: {machine}\nRevision\t: 0000\nSerial\t\t: 0000000000000000\n"

    def mode(self, status: int) -> str:
        """The status register's bit T (Arm ARM G8.2.33)."""
        return "Thumb" if status & _T else ""

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Instructions are little-endian but on BE32."""
        order = "MODE_BIG_ENDIAN" if variant == "be32" else "MODE_LITTLE_ENDIAN"
        return "ARCH_ARM", ("MODE_THUMB" if mode else "MODE_ARM", "MODE_V8", order)


ARM = Arm(LITTLE, uname_machine="armv7l", platform="v7l")
ARMEB = Arm(BIG, uname_machine="armv7b", platform="v7b")
ARCHES = (ARM, ARMEB)
