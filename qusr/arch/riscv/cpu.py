"""The processors of RISC-V: registers, models, features.

Sources: the RISC-V Instruction Set Manual; the kernel's arch/riscv/include/uapi/asm/hwcap.h and
hwprobe.h, Documentation/arch/riscv/hwprobe.rst, arch/riscv/kernel/cpu.c.
"""

from __future__ import annotations

from qusr.arch.base import NATIVE_ONLY, Arch, CpuModel, Feature, Registers
from qusr.arch.riscv import RV32, RV64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.riscv import Riscv

# A bit for each letter of the alphabet.
_FEATURES = (
    Feature("a", 1, 0, "amoadd.w a0, a1, (sp)"),
    Feature("c", 1, 2, "c.li a0, 1"),
    Feature("d", 1, 3, "fadd.d fa0, fa1, fa2"),
    Feature("f", 1, 5, "fadd.s fa0, fa1, fa2"),
    Feature("i", 1, 8),
    Feature("m", 1, 12, "mul a0, a1, a2"),
    Feature("v", 1, 21, ".insn 0x0c0072d7  # vsetvli t0, zero, e8, m1, ta, ma"),
)
#: In which /proc/cpuinfo has the letters, and in which the other extensions (riscv_isa_ext of
#: cpufeature.c); what the letters imply.
_ORDER = "imafdcv"
_EXTENSIONS = (
    "zicbom", "zicbop", "zicboz", "zicntr", "zicond", "zicsr", "zifencei", "zimop", "zabha",
    "zacas", "zawrs", "zfa", "zfh", "zfhmin", "zcb", "zcmop", "zba", "zbb", "zbc", "zbs",
)  # fmt: skip
_IMPLIED = frozenset({"zicntr", "zicsr", "zifencei"})

_GC = "i m a f d c"
#: What the native core executes beyond that, and what of it the profile RVA22U64 has.
_BEYOND = (
    "zicbom zicbop zicboz zicond zimop zabha zacas zawrs zfa zfh zfhmin zcb zcmop zba zbb zbc zbs"
)
_RVA22 = "zicbom zicbop zicboz zfhmin zba zbb zbs"


def _model(name: str, unicorn: int, features: str, description: str, native: str = "") -> CpuModel:
    return CpuModel(
        name,
        unicorn=unicorn,
        ident=0,
        features=features,
        native=native,
        description=description,
    )


# Unicorn: UC_CPU_RISCV64_ANY and _SIFIVE_*; its BASE64 has no extensions at all.
_MODELS64 = (
    _model("max", 0, _GC, "all that the core can execute (RV64GC and more)", _BEYOND),
    _model("any", 0, _GC, "the same", _BEYOND),
    _model("rv64", 0, _GC, "RV64GC, with Zba, Zbb, Zbc, Zbs", "zba zbb zbc zbs"),
    _model("rva22u64", NATIVE_ONLY, _GC, "the profile RVA22U64", _RVA22),
    _model("sifive-u54", 3, _GC, "RV64GC"),
    _model("sifive-e51", 2, "i m a c", "RV64IMAC, without floating point"),
)
_MODELS32 = (
    _model("max", 0, _GC, "all that the core can execute (RV32GC and more)", _BEYOND),
    _model("any", 0, _GC, "the same", _BEYOND),
    _model("rv32", 0, _GC, "RV32GC, with Zba, Zbb, Zbc, Zbs", "zba zbb zbc zbs"),
    _model("sifive-u34", 3, _GC, "RV32GC"),
    _model("sifive-e31", 2, "i m a c", "RV32IMAC, without floating point"),
)

#: By the calling convention, as gdb has them.
_X = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1",
    *(f"a{n}" for n in range(8)), *(f"s{n}" for n in range(2, 12)), "t3", "t4", "t5", "t6",
)  # fmt: skip
_F = (
    *(f"ft{n}" for n in range(8)), "fs0", "fs1", *(f"fa{n}" for n in range(8)),
    *(f"fs{n}" for n in range(2, 12)), "ft8", "ft9", "ft10", "ft11",
)  # fmt: skip
STATUS = ("fflags", "frm", "fcsr")

_REGISTERS = Registers(
    numbers={name: n for n, name in enumerate((*_X, "pc", *_F, *STATUS))},
    # org.gnu.gdb.riscv.cpu, .fpu
    gdb=(*_X, "pc", *_F, *STATUS),
    bits={**dict.fromkeys(_F, 64), **dict.fromkeys(STATUS, 32)},
    pc="pc",
    sp="sp",
    tls="tp",
    args=("a0", "a1", "a2", "a3", "a4", "a5"),
)

#: Keys of riscv_hwprobe(2) and bits of their values.
_MVENDORID, _MARCHID, _MIMPID, _BASE, _IMA_EXT_0, _CPUPERF_0 = range(6)
_ZICBOZ_BLOCK_SIZE, _TIME_CSR_FREQ, _MISALIGNED_SCALAR_PERF, _ZICBOM_BLOCK_SIZE = 6, 8, 9, 12
_BASE_IMA = 1
#: Bits of _IMA_EXT_0 for extensions; where there are several names, all have to be there.
_EXT_BITS = {
    "f d": 0, "c": 1, "v": 2, "zba": 3, "zbb": 4, "zbs": 5, "zicboz": 6, "zbc": 7, "zfh": 27,
    "zfhmin": 28, "zfa": 32, "zacas": 34, "zicond": 35, "zimop": 42, "zcb": 44, "zcmop": 47,
    "zawrs": 48, "zicbom": 55, "zabha": 58,
}  # fmt: skip
_MISALIGNED_FAST = 3
#: Bytes that an instruction of Zicbom or Zicboz is about (native/guests/src/riscv/mem.rs).
_BLOCK = 64
#: native/guests/src/riscv/linux/emulate.rs has the same.
_TIMEBASE = 10_000_000


class RiscvArch(Arch):
    """RISC-V in one word size."""

    registers = _REGISTERS
    features = _FEATURES

    def __init__(self, guest: Riscv, models: tuple[CpuModel, ...]) -> None:
        # The kernel tells of no AT_PLATFORM.
        super().__init__(guest, uname_machine=guest.name, platform="")
        self.models = models

    def isa(self, model: CpuModel) -> str:
        """The ISA string."""
        letters = "".join(letter for letter in _ORDER if letter in model.features)
        longer = [name for name in _EXTENSIONS if name in model.features | _IMPLIED]
        return "_".join((f"rv{self.word_bits}{letters}", *longer))

    def core_features(self, model: CpuModel) -> list[str]:
        """The extensions."""
        return sorted(model.features)

    def hardware_probe(self, model: CpuModel) -> dict[int, int]:
        """What riscv_hwprobe(2) says; keys that are not here are unknown to it."""
        has = model.features
        ima = {"i", "m", "a"} <= has
        extensions = sum(
            1 << bit for names, bit in _EXT_BITS.items() if has.issuperset(names.split())
        )
        blocks = {
            key: _BLOCK
            for name, key in (("zicboz", _ZICBOZ_BLOCK_SIZE), ("zicbom", _ZICBOM_BLOCK_SIZE))
            if name in has
        }
        return {
            _MVENDORID: 0,
            _MARCHID: 0,
            _MIMPID: 0,
            _BASE: _BASE_IMA if ima else 0,
            _IMA_EXT_0: extensions,
            _CPUPERF_0: _MISALIGNED_FAST,
            _TIME_CSR_FREQ: _TIMEBASE,
            _MISALIGNED_SCALAR_PERF: _MISALIGNED_FAST,
            **blocks,
        }

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As c_show() of arch/riscv/kernel/cpu.c writes it."""
        mmu = "sv48" if self.word_bits == 64 else "sv32"
        return "".join(
            f"processor\t: {cpu}\nhart\t\t: {cpu}\nisa\t\t: {self.isa(model)}\nmmu\t\t: {mmu}\n"
            "mvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n\n"
            for cpu in cpus
        )

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Compressed instructions too."""
        return "ARCH_RISCV", (f"MODE_RISCV{self.word_bits}", "MODE_RISCVC")


RISCV64 = RiscvArch(RV64, _MODELS64)
RISCV32 = RiscvArch(RV32, _MODELS32)
ARCHES = (RISCV64, RISCV32)
