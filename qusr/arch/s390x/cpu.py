"""The processors of s390x: registers, models, features.

Sources: the Principles of Operation; the kernel's arch/s390/kernel/processor.c,
arch/s390/include/asm/elf.h; QEMU's target/s390x.
"""

from __future__ import annotations

from qusr.arch.base import Arch, Calling, CpuModel, Feature, Registers
from qusr.arch.s390x import S390X as GUEST

# HWCAP_NR_* of asm/elf.h. The core executes what it knows on every model, but for vectors: no
# instruction shows a program the lack of the others.
_FEATURES = (
    Feature("esan3", 1, 0),
    Feature("zarch", 1, 1),
    Feature("stfle", 1, 2),
    Feature("msa", 1, 3),
    Feature("ldisp", 1, 4),
    Feature("eimm", 1, 5),
    Feature("dfp", 1, 6, "adtr %f0, %f2, %f4"),
    Feature("edat", 1, 7),
    Feature("etf3eh", 1, 8),
    Feature("highgprs", 1, 9),
    Feature("te", 1, 10, "tend"),
    Feature("vx", 1, 11, "vl %v0, 0(%r15)"),
    Feature("vxd", 1, 12, "vlip %v0, 0, 0"),
    Feature("vxe", 1, 13, "vbperm %v0, %v1, %v2"),
    Feature("gs", 1, 14),
    Feature("vxe2", 1, 15, "vstrsb %v0, %v1, %v2, %v3"),
)

_ZARCH = "esan3 zarch highgprs"
# Not stfle: the core executes the instruction, but tells of no facility.
_QEMU = f"{_ZARCH} msa ldisp eimm etf3eh vx"


def _model(name: str, unicorn: int, machine: int, features: str, description: str) -> CpuModel:
    return CpuModel(
        name, unicorn=unicorn, ident=machine, features=features, description=description
    )


# Those that QEMU's TCG executes: it refuses the others, whose features it does not have. The
# ident is the machine's type (STORE CPU ID); -base is the model without what came with updates,
# of which there is nothing here.
_Z900, _Z800 = 0x2064, 0x2066
_MODELS = (
    _model("max", 37, _Z900, _QEMU, "all that the core can execute"),
    _model("qemu", 36, _Z900, _QEMU, "the same"),
    *(
        _model(f"{name}{base}", unicorn, machine, _ZARCH, description)
        for name, unicorn, machine, description in (
            ("z900", 0, _Z900, "IBM zSeries 900 GA1"),
            ("z900.2", 1, _Z900, "IBM zSeries 900 GA2"),
            ("z900.3", 2, _Z900, "IBM zSeries 900 GA3"),
            ("z800", 3, _Z800, "IBM zSeries 800 GA1"),
        )
        for base in ("", "-base")
    ),
)

_PSW = ("pswm", "pswa")
_R = tuple(f"r{n}" for n in range(16))
_ACR = tuple(f"acr{n}" for n in range(16))
_F = tuple(f"f{n}" for n in range(16))
_V_LOW = tuple(f"v{n}l" for n in range(16))
_V = tuple(f"v{n}" for n in range(16, 32))
#: The core's own: what is made of others, or of what the processor does
#: (native/guests/src/s390x/linux/registers.rs).
_OWN = ("tls", "call", "call_size", "has_vectors")
_ALL = (*_PSW, *_R, *_ACR, "fpc", *_F, *_V_LOW, *_V, *_OWN)

_REGISTERS = Registers(
    numbers={name: n for n, name in enumerate(_ALL)},
    # org.gnu.gdb.s390.core, .acr, .fpr, .vx
    gdb=_ALL,
    bits={**dict.fromkeys((*_ACR, "fpc"), 32), **dict.fromkeys(_V, 128)},
    aliases={"lr": ("r14", 0), "fp": ("r11", 0)},
    # s390x ELF ABI, "Parameter Passing".
    calling=Calling(("r2", "r3", "r4", "r5", "r6"), "r2", "r14"),
    pc="pswa",
    sp="r15",
    tls="tls",
    args=("r2", "r3", "r4", "r5", "r6", "r7"),
    status="pswm",
)


class S390xArch(Arch):
    """s390x's processor."""

    registers = _REGISTERS
    features = _FEATURES
    models = _MODELS

    def __init__(self) -> None:
        # setup_elf_platform() says this of every machine without a name of its own.
        super().__init__(GUEST, uname_machine="s390x", platform="z900")

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As show_cpuinfo() of arch/s390/kernel/processor.c writes it; no caches are known."""
        features = "".join(f"{feature.name} " for feature in self.advertised(model))
        processors = "".join(
            f"processor {cpu}: version = 00,  identification = {cpu:06X},  "
            f"machine = {model.ident:04X}\n"
            for cpu in cpus
        )
        numbers = "".join(f"\ncpu number      : {cpu}\n" for cpu in cpus)
        return (
            "vendor_id       : IBM/S390\n"
            f"# processors    : {len(cpus)}\n"
            "bogomips per cpu: 100.00\n"
            "max thread id   : 0\n"
            f"features\t: {features}\n"
            f"{processors}{numbers}\n"
        )

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """SystemZ."""
        return "ARCH_SYSZ", ("MODE_BIG_ENDIAN",)


S390X = S390xArch()
ARCHES = (S390X,)
