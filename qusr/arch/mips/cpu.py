"""The processors of MIPS: registers, models, features.

Sources: "MIPS Architecture For Programmers", volumes I and III; the kernel's
arch/mips/include/uapi/asm/hwcap.h, arch/mips/kernel/proc.c, arch/mips/kernel/cpu-probe.c.
"""

from __future__ import annotations

from qusr.arch.base import Arch, Calling, CpuModel, Feature, Registers
from qusr.arch.mips import GUESTS, NAN2008, R6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.mips import Mips

# HWCAP_MIPS_R6, _DSP, _DSP2. Of the other extensions that have bits (MSA, MIPS16...) the core
# executes none for programs.
_FEATURES = (
    Feature("r6", 1, 0, ".word 0x00851035  # seleqz $2, $4, $5"),
    Feature("dsp", 1, 7, ".word 0x7c851290  # addq.ph $2, $4, $5"),
    Feature("dsp2", 1, 8, ".word 0x7c851218  # addqh.ph $2, $4, $5"),
)


def _model(
    name: str, unicorn: int, ident: int, version: str, description: str, *, native: str = ""
) -> CpuModel:
    return CpuModel(
        name,
        unicorn=unicorn,
        ident=ident,
        features="r6" if version.endswith("r6") else "",
        native=native,
        version=version,
        description=description,
    )


# Unicorn: UC_CPU_MIPS32_* and UC_CPU_MIPS64_*. Those without floating point are not here: what
# the kernel makes up for is not made up for. `version` is the newest release of the ISA.
_MODELS32 = (
    _model("max", 8, 0x019300, "mips32r2", "all that the core can execute (MIPS32r2)"),
    _model("24Kf", 8, 0x019300, "mips32r2", "MIPS32r2"),
    _model("34Kf", 9, 0x019500, "mips32r2", "MIPS32r2, DSP", native="dsp"),
    _model("74Kf", 10, 0x019700, "mips32r2", "MIPS32r2, DSP R2", native="dsp dsp2"),
    _model("P5600", 13, 0x01A800, "mips32r5", "MIPS32r5, NaNs of IEEE 754-2008"),
    _model("mips32r6-generic", 14, 0x010000, "mips32r6", "MIPS32r6"),
)
_MODELS64 = (
    _model("max", 5, 0x010000, "mips64r2", "all that the core can execute (MIPS64r2)"),
    _model("R4000", 0, 0x000400, "mips3", "MIPS III"),
    _model("VR5432", 1, 0x005400, "mips4", "MIPS IV"),
    _model("5Kf", 3, 0x018100, "mips64r1", "MIPS64r1"),
    _model("20Kc", 4, 0x018200, "mips64r1", "MIPS64r1, paired singles"),
    _model("MIPS64R2-generic", 5, 0x010000, "mips64r2", "MIPS64r2"),
    _model("5KEf", 7, 0x018900, "mips64r2", "MIPS64r2"),
    _model("I6400", 8, 0x01A900, "mips64r6", "MIPS64r6"),
    _model("I6500", 9, 0x01B000, "mips64r6", "MIPS64r6"),
)
#: Whose NaNs are always those of IEEE 754-2008 (FCSR.NAN2008 reads as 1).
_NAN2008 = ("mips32r5", "mips32r6", "mips64r6")
#: Which have paired singles, of those with 64 bits.
_PAIRED_SINGLES = ("max", "MIPS64R2-generic", "20Kc")
#: The releases by native/guests/src/mips/features.rs's names; "r2" is what the others are.
_RELEASES = {
    "mips3": "mips3",
    "mips4": "mips4",
    "mips64r1": "r1",
    "mips32r6": "r6",
    "mips64r6": "r6",
}
#: What /proc/cpuinfo calls the releases that a processor knows.
_ISA = {
    "mips3": "mips1 mips2 mips3",
    "mips4": "mips1 mips2 mips3 mips4",
    "mips64r1": "mips1 mips2 mips3 mips4 mips5 mips32r1 mips64r1",
    "mips32r2": "mips1 mips2 mips32r1 mips32r2",
    "mips32r5": "mips1 mips2 mips32r1 mips32r2 mips32r5",
    "mips32r6": "mips32r6",
    "mips64r2": "mips1 mips2 mips3 mips4 mips5 mips32r1 mips32r2 mips64r1 mips64r2",
    "mips64r6": "mips32r6 mips64r6",
}

_R = tuple(f"r{n}" for n in range(32))
_F = tuple(f"f{n}" for n in range(32))
STATUS = ("fcsr", "fir")
#: `status`: of the processor's, what the kernel shows to tracers.
NAMES = (*_R, "lo", "hi", "pc", *_F, *STATUS, "userlocal", "status")


def _names(wide: bool) -> tuple[str, ...]:
    """How assemblers call the general registers."""
    arguments, temporaries = (8, 4) if wide else (4, 8)
    return (
        "zero", "at", "v0", "v1", *(f"a{n}" for n in range(arguments)),
        *(f"t{n}" for n in range(temporaries)), *(f"s{n}" for n in range(8)),
        "t8", "t9", "k0", "k1", "gp", "sp", "fp", "ra",
    )  # fmt: skip


def _registers(wide: bool) -> Registers:
    return Registers(
        numbers={name: n for n, name in enumerate(NAMES)},
        # org.gnu.gdb.mips.cpu, .fpu
        gdb=NAMES[:-2],
        bits={**dict.fromkeys(_F, 64), **dict.fromkeys((*STATUS, "status"), 32)},
        aliases={name: (f"r{n}", 0) for n, name in enumerate(_names(wide))},
        # MIPS ABI supplements: position-independent functions find their data by their own address.
        calling=Calling(
            tuple(f"r{n}" for n in range(4, 12 if wide else 8)), "r2", "r31", own_address=("r25",)
        ),
        pc="pc",
        sp="r29",
        tls="userlocal",
        # Of o32 these are all in registers, the others are on the stack.
        result="r2",
        failed="r7",
        stack_args=None if wide else 16,
        args=tuple(f"r{n}" for n in range(4, 10 if wide else 8)),
    )


class MipsArch(Arch):
    """MIPS in one ABI and byte order.

    Attributes:
        wide: registers have 64 bits.
        pointer_bits: how many pointers have.
    """

    features = _FEATURES

    def __init__(self, guest: Mips) -> None:
        # The kernel tells of no AT_PLATFORM.
        self.wide = guest.wide
        self.pointer_bits = guest.bits
        machine = "mips64" if self.wide else "mips"
        super().__init__(guest, uname_machine=machine, platform="")
        self.registers = _registers(self.wide)
        self.models = _MODELS64 if self.wide else _MODELS32

    @property
    def register_bits(self) -> int:
        """n32 has those of 64 bits."""
        return 64 if self.wide else 32

    def lacks(self, model: CpuModel, variant: str) -> str:
        """mips_set_personality_nan() runs programs on processors with their NaNs only."""
        if (variant == R6) != ("r6" in model.features):
            return "instructions of before release 6" if variant != R6 else "release 6"
        modern = model.version in _NAN2008
        if variant == R6 or modern == (variant == NAN2008):
            return ""
        return "NaNs of before IEEE 754-2008" if modern else "NaNs of IEEE 754-2008"

    def core_features(self, model: CpuModel) -> list[str]:
        """The release, and what native/guests/src/mips/features.rs has names for beyond it."""
        release = _RELEASES.get(model.version, "r2")
        more: list[str] = [name for name in ("dsp", "dsp2") if name in model.features]
        more += ["nan2008"] if model.version in _NAN2008 else []
        if model.name in _PAIRED_SINGLES and self.wide:
            more.append("ps")
        return [release, *more]

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As show_cpuinfo() of arch/mips/kernel/proc.c writes it."""
        name = "24Kf" if model.name == "max" and not self.wide else model.name
        name = "MIPS64R2-generic" if name == "max" else name
        ases = "".join(f" {ase}" for ase in ("dsp", "dsp2") if ase in model.features)
        texts = []
        for cpu in cpus:
            head = "system type\t\t: MIPS Malta\n" if cpu == cpus[0] else ""
            texts.append(
                f"{head}processor\t\t: {cpu}\ncpu model\t\t: MIPS {name} V0.0  FPU V0.0\n"
                "BogoMIPS\t\t: 800.00\nwait instruction\t: yes\nmicrosecond timers\t: yes\n"
                "tlb_entries\t\t: 16\nextra interrupt vector\t: yes\nhardware watchpoint\t: no\n"
                f"isa\t\t\t: {_ISA[model.version]}\nASEs implemented\t:{ases}\n"
                "shadow register sets\t: 1\nkscratch registers\t: 0\npackage\t\t\t: 0\n"
                f"core\t\t\t: {cpu}\nVCED exceptions\t\t: not available\n"
                "VCEI exceptions\t\t: not available\n\n"
            )
        return "".join(texts)

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Of the release that most programs are for."""
        order = "MODE_BIG_ENDIAN" if self.big_endian else "MODE_LITTLE_ENDIAN"
        return "ARCH_MIPS", (f"MODE_MIPS{self.register_bits}", order)


ARCHES = tuple(MipsArch(guest) for guest in GUESTS)
