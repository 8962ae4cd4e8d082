"""The processors of 32-bit ARM: registers, models, features, the page of kernel helpers.

Sources: Arm ARM (DDI 0406, DDI 0487 part F); the kernel's arch/arm/include/uapi/asm/hwcap.h,
arch/arm/kernel/setup.c, Documentation/arch/arm/kernel_user_helpers.rst.
"""

from __future__ import annotations

from qusr.arch.arm import BIG, LITTLE, VECTORS
from qusr.arch.base import NATIVE_ONLY, PAGE, Arch, Calling, CpuModel, Feature, Registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: With which the kernel fills the page of the vectors (early_trap_init): a permanently
#: undefined instruction.
_POISON = 0xE7FDDEF1

_FEATURES = (
    Feature("swp", 1, 0, ".inst 0xe10d0091  @ swp r0, r1, [sp]"),
    Feature("half", 1, 1, "ldrh r0, [sp]"),
    Feature("thumb", 1, 2),
    Feature("fastmult", 1, 4, "umull r0, r1, r2, r3"),
    Feature("vfp", 1, 6, "vadd.f64 d0, d1, d2"),
    Feature("edsp", 1, 7, "qadd r0, r1, r2"),
    Feature("neon", 1, 12, "vadd.i32 q0, q1, q2"),
    Feature("vfpv3", 1, 13, "vmov.f64 d0, #1.0"),
    # VFPv3 without the registers d16 to d31: no instruction of its own.
    Feature("vfpv3d16", 1, 14),
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
    Feature("asimdbf16", 1, 26, "vdot.bf16 q0, q1, q2"),
    Feature("i8mm", 1, 27, ".arch_extension i8mm\nvsmmla.s8 q0, q1, q2"),
    Feature("aes", 2, 0, "aese.8 q0, q1"),
    Feature("pmull", 2, 1, "vmull.p64 q0, d1, d2"),
    Feature("sha1", 2, 2, "sha1h.32 q0, q1"),
    Feature("sha2", 2, 3, "sha256h.32 q0, q1, q2"),
    Feature("crc32", 2, 4, "crc32b r0, r1, r2"),
    Feature("sb", 2, 5, "sb"),
)

# What the technical reference manuals say. SWP is told of where the kernel's elf_hwcap_fixup
# leaves it: it executes or is emulated on all. Not here: JAVA and THUMBEE, which nothing has.
_V5 = "half thumb fastmult edsp"
_V6 = f"{_V5} vfp tls"
_V7 = f"{_V6} neon vfpv3 vfpd32"
_V7VE = f"{_V7} vfpv4 idiva idivt lpae"
_V8 = f"{_V7VE} aes pmull sha1 sha2 crc32"
_V8_2 = f"{_V8} fphp asimdhp asimddp"


def _model(name: str, version: str, ident: int, features: str, **more: Any) -> CpuModel:
    title = {"v5te": "Armv5TE", "v6k": "Armv6K", "v7": "Armv7-A", "v8": "Armv8.0-A at AArch32"}
    described: dict[str, Any] = {
        "description": title.get(version, f"Arm{version}"),
        "unicorn": NATIVE_ONLY,
    } | more
    return CpuModel(name, version=version, ident=ident, features=features, **described)


# Without the instructions that the kernel's helpers are made of, a model is the native core's
# alone: that knows whose code they are (native/guests/src/arm/features.rs, HELPERS).
_MODELS = (
    _model(
        "max",
        "v8",
        0x412FC0F1,
        f"{_V8} asimddp asimdfhm sb",
        unicorn=33,
        native="fphp asimdhp asimdbf16 i8mm",
        hidden="rdm fcma jscvt",
        description="all that the core can execute (Armv8.2-A at AArch32 and some of later)",
    ),
    _model("arm926", "v5te", 0x41069265, f"{_V5} swp vfp", hidden="vectors"),
    _model("arm946", "v5te", 0x41059461, f"{_V5} swp"),
    _model("arm1026", "v5te", 0x4106A262, f"{_V5} swp vfp", hidden="vectors"),
    _model("arm1136-r2", "v6", 0x4107B362, f"{_V5} swp vfp", hidden="vectors"),
    _model("arm1136", "v6k", 0x4117B363, f"{_V6} swp", hidden="vectors", unicorn=4),
    _model("arm1176", "v6k", 0x410FB767, _V6, hidden="vectors", unicorn=5),
    _model("arm11mpcore", "v6k", 0x410FB022, _V6, hidden="vectors", unicorn=6),
    _model("cortex-a5", "v7", 0x410FC051, f"{_V7} vfpv4", hidden="mp"),
    _model("cortex-a7", "v7", 0x410FC075, _V7VE, unicorn=14),
    _model("cortex-a8", "v7", 0x410FC080, _V7, hidden="vectors", unicorn=15),
    _model("cortex-a9", "v7", 0x410FC090, _V7, hidden="halfconv mp", unicorn=16),
    _model("cortex-a15", "v7", 0x412FC0F1, _V7VE, unicorn=17),
    _model("cortex-a17", "v7", 0x411FC0E1, _V7VE),
    _model("cortex-a32", "v8", 0x411FD010, _V8),
    _model("cortex-a35", "v8", 0x411FD040, _V8),
    _model("cortex-a53", "v8", 0x410FD034, _V8),
    _model(
        "cortex-a55",
        "v8",
        0x412FD050,
        _V8_2,
        hidden="rdm",
        description="Armv8.2-A at AArch32",
    ),
    _model("cortex-a57", "v8", 0x411FD070, _V8),
    _model("cortex-a72", "v8", 0x410FD083, _V8),
    _model(
        "cortex-a76",
        "v8",
        0x414FD0B1,
        _V8_2,
        hidden="rdm",
        description="Armv8.2-A at AArch32",
    ),
)

#: By the architecture in the Main ID Register: what uname(2), AT_PLATFORM and /proc/cpuinfo call
#: it (arch/arm/mm/proc-*.S, proc_arch of setup.c). 15: the CPUID registers say.
_BY_MIDR = {
    5: ("armv5te", "v5t", "5TE"),
    6: ("armv5tej", "v5", "5TEJ"),
    7: ("armv6", "v6", "6TEJ"),
}
#: By the part number there: names of processors with a description of their own in the kernel.
_PARTS = {0x926: "ARM926EJ-S", 0x946: "ARM946E-S", 0xA26: "ARM1026EJ-S"}

#: The status register's bit that says Thumb.
_T = 1 << 5

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
    aliases={
        "r13": ("sp", 0),
        "r14": ("lr", 0),
        "r15": ("pc", 0),
        "sb": ("r9", 0),
        "sl": ("r10", 0),
        "fp": ("r11", 0),
        "ip": ("r12", 0),
        **{f"s{2 * n}": (_D[n], 32) for n in range(16)},
    },
    # AAPCS32, "Parameter passing".
    calling=Calling(_R[:4], "r0", "lr", pushes=True, marked=True),
    pc="pc",
    sp="sp",
    status="cpsr",
    tls="tpidruro",
    args=("r0", "r1", "r2", "r3", "r4", "r5", "r6"),
)


def _is_v7(model: CpuModel) -> bool:
    """Whether a 32-bit kernel calls it an ARMv7, as it does ARMv8 CPUs too."""
    return "vfpv3" in model.features


def _names(model: CpuModel) -> tuple[str, str, str]:
    """Its architecture in uname(2), AT_PLATFORM, without the byte order, and /proc/cpuinfo."""
    version = "v7" if _is_v7(model) else "v6"
    return _BY_MIDR.get(model.ident >> 16 & 15, (f"arm{version}", version, "7"))


class Arm(Arch):
    """32-bit ARM in one byte order."""

    registers = _REGISTERS
    flags = ((31, "N"), (30, "Z"), (29, "C"), (28, "V"))
    features = _FEATURES
    models = _MODELS

    def lacks(self, model: CpuModel, variant: str) -> str:
        """Processors from Armv7 on have no big-endian code (max does: it has everything)."""
        missing = variant == "be32" and _is_v7(model) and model is not self.default_model
        return "big-endian code (BE32)" if missing else ""

    def uname_of(self, model: CpuModel) -> str:
        """What uname(2) says on this CPU."""
        return _names(model)[0] + self.platform[-1]

    def platform_of(self, model: CpuModel) -> str:
        """AT_PLATFORM on this CPU: its version and the byte order."""
        return _names(model)[1] + self.platform[-1]

    def core_features(self, model: CpuModel) -> list[str]:
        """The version of the architecture and the features."""
        return [model.version, *sorted(model.features | model.hidden)]

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
        usual = "ARMv7 Processor" if _is_v7(model) else "ARMv6-compatible processor"
        name = _PARTS.get(model.ident >> 4 & 0xFFF, usual)
        platform = self.platform_of(model)
        text = "".join(
            f"processor\t: {cpu}\n"
            f"model name\t: {name} rev {model.ident & 0xF} ({platform})\n"
            "BogoMIPS\t: 125.00\n"
            f"Features\t: {names} \n"
            f"{midr.lines(model.ident, _names(model)[2])}\n"
            for cpu in cpus
        )
        machine = "Generic DT based system"
        return f"{text}Hardware\t: {machine}\nRevision\t: 0000\nSerial\t\t: 0000000000000000\n"

    def mode(self, status: int) -> str:
        """The status register's bit T (Arm ARM G8.2.33)."""
        return "Thumb" if status & _T else ""

    def located(self, pc: int) -> tuple[int, str]:
        """Bit 0 as in a branch's target (Arm ARM F1.1.2, interworking)."""
        return pc & ~1, "Thumb" if pc & 1 else ""

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Instructions are little-endian but on BE32."""
        order = "MODE_BIG_ENDIAN" if variant == "be32" else "MODE_LITTLE_ENDIAN"
        return "ARCH_ARM", ("MODE_THUMB" if mode else "MODE_ARM", "MODE_V8", order)


ARM = Arm(LITTLE, uname_machine="armv7l", platform="v7l")
ARMEB = Arm(BIG, uname_machine="armv7b", platform="v7b")
ARCHES = (ARM, ARMEB)
