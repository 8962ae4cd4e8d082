"""The processors of RISC-V: registers, models, features.

Sources: the RISC-V Instruction Set Manual; the kernel's arch/riscv/include/uapi/asm/hwcap.h and
hwprobe.h, Documentation/arch/riscv/hwprobe.rst, arch/riscv/kernel/cpu.c.
"""

from __future__ import annotations

from qusr.arch.base import NATIVE_ONLY, Arch, Calling, CpuModel, Feature, Registers
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
#: cpufeature.c); what each processor has.
_ORDER = "imafdcv"
_EXTENSIONS = (
    "zicbom", "zicbop", "zicboz", "zicntr", "zicond", "zicsr", "zifencei", "zihintntl",
    "zihintpause", "zimop", "zabha", "zacas", "zawrs", "zfa", "zfbfmin", "zfh", "zfhmin", "zcb",
    "zcmop", "zba", "zbb", "zbc", "zbkb", "zbkc", "zbkx", "zbs", "zknd", "zkne", "zknh", "zksed",
    "zksh", "zkt", "zvbb", "zvbc", "zvfbfmin", "zvfbfwma", "zvfh", "zvfhmin", "zvkb", "zvkg",
    "zvkned", "zvknha", "zvknhb", "zvksed", "zvksh", "zvkt",
)  # fmt: skip
_IMPLIED = frozenset({"zicntr", "zicsr", "zifencei"})

_GC = "i m a f d c"
#: What the native core executes beyond that without vectors, and with them.
_BEYOND = (
    "zicbom zicbop zicboz zicond zimop zabha zacas zawrs zfa zfbfmin zfh zfhmin zcb zcmop zba zbb "
    "zbc zbs zbkb zbkc zbkx zknd zkne zknh zksed zksh zihintntl zihintpause zkt"
)
_VECTORS = (
    "v zvfh zvfhmin zvfbfmin zvfbfwma zvbb zvkb zvbc zvkned zvknha zvknhb zvksed zvksh zvkg zvkt"
)
#: The profiles RVA22U64 and RVA23U64; what two makers' processors have in common with others.
_RVA22 = "zicbom zicbop zicboz zfhmin zba zbb zbs zihintpause zkt"
_RVA23 = f"{_RVA22} zfa zicond zimop zcb zcmop zawrs zihintntl"
_RVA23_VECTORS = "v zvfhmin zvbb zvkb zvkt"
_RV64 = "zba zbb zbc zbs zicbom zicbop zicboz zfa zawrs zihintntl zihintpause"
_NK = "zba zbb zbc zbs zbkb zbkc zbkx zknd zkne zknh zksed zksh"
_C908 = "zba zbb zbc zbs zbkc zicbom zicbop zicboz zihintpause zkt"
#: Tenstorrent's mvendorid. Other makers' processors have instructions of their own that the core
#: has not, and programs take the number for the right to use them; so theirs is 0.
_TENSTORRENT = 0x7A1
#: Bits of a vector register that one may ask for, by `vlen=`.
_LENGTHS = (128, 256, 512, 1024)


def _model(name: str, unicorn: int, features: str, description: str, native: str = "") -> CpuModel:
    return CpuModel(
        name,
        unicorn=unicorn,
        ident=0,
        features=features,
        native=native,
        description=description,
    )


def _with_vectors(
    name: str, description: str, native: str, vectors: str, *, on: bool = True, vlen: int = 128,
    unicorn: int = NATIVE_ONLY, fixed: bool = False, ident: int = 0,
) -> tuple[CpuModel, ...]:  # fmt: skip
    """A model of which one may say, unless `fixed`, whether it has vectors, and how long."""

    def made(length: int) -> CpuModel:
        usual = length == (vlen if on else 0)
        if length:
            called, what = f",v=on,vlen={length}", f" with vectors of {length} bits"
        else:
            called, what = ",v=off", " without vectors"
        settings = {"v": length != 0}
        settings |= {f"vlen={other}": other == length for other in _LENGTHS}
        long = f"vlen{length}" if length > 128 else ""
        return CpuModel(
            name if usual else f"{name}{called}",
            unicorn=unicorn,
            ident=ident,
            features=_GC,
            native=f"{native} {vectors if length else ''} {long}",
            description=description if usual else f"{name}{what}",
            settings={} if fixed else settings,
        )

    if fixed:
        return (made(vlen),)
    lengths = sorted(_LENGTHS, key=lambda length: length != vlen)
    return tuple(made(length) for length in ((*lengths, 0) if on else (0, *lengths)))


def _wide(bits: int) -> tuple[CpuModel, ...]:
    what = f"all that the core can execute (RV{bits}GCV and more)"
    return (
        *_with_vectors("max", what, _BEYOND, _VECTORS, unicorn=0),
        *_with_vectors("any", "the same", _BEYOND, _VECTORS, unicorn=0),
    )


# Unicorn: UC_CPU_RISCV64_ANY and _SIFIVE_*; its BASE64 has no extensions at all.
_MODELS64 = (
    *_wide(64),
    *_with_vectors(
        "rv64", "RV64GC, with Zba, Zbb, Zbc, Zbs, Zfa", _RV64, "v", on=False, unicorn=0
    ),
    _model("rv64i", NATIVE_ONLY, "i", "RV64I, and nothing else"),
    _model("rva22u64", NATIVE_ONLY, _GC, "the profile RVA22U64", _RVA22),
    _model("rva22s64", NATIVE_ONLY, _GC, "the same", _RVA22),
    *_with_vectors("rva23u64", "the profile RVA23U64", _RVA23, _RVA23_VECTORS),
    *_with_vectors("rva23s64", "the same", _RVA23, _RVA23_VECTORS),
    _model("sifive-u54", 3, _GC, "RV64GC"),
    _model("sifive-e51", 2, "i m a c", "RV64IMAC, without floating point"),
    _model("shakti-c", NATIVE_ONLY, _GC, "RV64GC"),
    _model("thead-c906", NATIVE_ONLY, _GC, "RV64GC, with Zfh (none of its own)", "zfh zfhmin"),
    _model("thead-c908", NATIVE_ONLY, _GC, "RV64GC, with Zba to Zbs", _C908),
    *_with_vectors("thead-c908v", "the same, with vectors", _C908, "v", fixed=True),
    _model(
        "veyron-v1", NATIVE_ONLY, _GC, "Ventana's, with Zba to Zbs",
        "zba zbb zbc zbs zicbom zicbop zicboz",
    ),
    *_with_vectors(
        "tt-ascalon", "Tenstorrent's, RVA23 with more vectors", f"{_RVA23} zfh zfbfmin",
        f"{_RVA23_VECTORS} zvfh zvfbfmin zvfbfwma zvbc zvkned zvknha zvknhb zvkg",
        vlen=256, fixed=True, ident=_TENSTORRENT,
    ),
    _model("xiangshan-nanhu", NATIVE_ONLY, _GC, "RV64GC with scalar cryptography", _NK),
    *_with_vectors(
        "xiangshan-kunminghu", "RVA23 with scalar cryptography", f"{_RVA23} {_NK} zfh zacas",
        f"{_RVA23_VECTORS} zvfh", fixed=True,
    ),
    _model("mips-p8700", NATIVE_ONLY, _GC, "RV64GC, with Zba and Zbb", "zba zbb"),
)  # fmt: skip
_MODELS32 = (
    *_wide(32),
    *_with_vectors("rv32", "RV32GC, with Zba, Zbb, Zbc, Zbs, Zfa", _RV64, "v", on=False, unicorn=0),
    _model("rv32i", NATIVE_ONLY, "i", "RV32I, and nothing else"),
    _model("sifive-u34", 3, _GC, "RV32GC"),
    _model("sifive-e34", NATIVE_ONLY, "i m a f c", "RV32IMAFC, without doubles"),
    _model("sifive-e31", 2, "i m a c", "RV32IMAC, without floating point"),
    _model("lowrisc-ibex", NATIVE_ONLY, "i m c", "RV32IMC, with Zba to Zbs", "zba zbb zbc zbs"),
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
    aliases={**{f"x{n}": (name, 0) for n, name in enumerate(_X)}, "s0": ("fp", 0), "lr": ("ra", 0)},
    # RISC-V ELF psABI, "Integer Calling Convention".
    calling=Calling(tuple(f"a{n}" for n in range(8)), "a0", "ra", pushes=True),
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
    "f d": 0, "c": 1, "v": 2, "zba": 3, "zbb": 4, "zbs": 5, "zicboz": 6, "zbc": 7, "zbkb": 8,
    "zbkc": 9, "zbkx": 10, "zknd": 11, "zkne": 12, "zknh": 13, "zksed": 14, "zksh": 15, "zkt": 16,
    "zvbb": 17, "zvbc": 18, "zvkb": 19, "zvkg": 20, "zvkned": 21, "zvknha": 22, "zvknhb": 23,
    "zvksed": 24, "zvksh": 25, "zvkt": 26, "zfh": 27, "zfhmin": 28, "zihintntl": 29, "zvfh": 30,
    "zvfhmin": 31, "zfa": 32, "zacas": 34, "zicond": 35, "zihintpause": 36, "zimop": 42,
    "zcb": 44, "zcmop": 47, "zawrs": 48, "zicntr": 50, "zfbfmin": 52, "zvfbfmin": 53,
    "zvfbfwma": 54, "zicbom": 55, "zabha": 58,
}  # fmt: skip
#: Subsets of extensions that have bits of their own: Zve*, Zca, Zcd, Zaamo and Zalrsc.
_PARTS = {"v": (37, 38, 39, 40, 41), "c": (43,), "c d": (45,), "a": (56, 57)}
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
        has = model.features | _IMPLIED
        ima = {"i", "m", "a"} <= has
        extensions = sum(
            1 << bit for names, bit in _EXT_BITS.items() if has.issuperset(names.split())
        ) | sum(
            1 << bit
            for names, bits in _PARTS.items()
            for bit in bits
            if has.issuperset(names.split())
        )
        return {
            _MVENDORID: model.ident,
            _MARCHID: 0,
            _MIMPID: 0,
            _BASE: _BASE_IMA if ima else 0,
            _IMA_EXT_0: extensions,
            _CPUPERF_0: _MISALIGNED_FAST,
            _TIME_CSR_FREQ: _TIMEBASE,
            _MISALIGNED_SCALAR_PERF: _MISALIGNED_FAST,
            _ZICBOZ_BLOCK_SIZE: _BLOCK if "zicboz" in has else 0,
            _ZICBOM_BLOCK_SIZE: _BLOCK if "zicbom" in has else 0,
        }

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As c_show() of arch/riscv/kernel/cpu.c writes it."""
        mmu = "sv48" if self.word_bits == 64 else "sv32"
        return "".join(
            f"processor\t: {cpu}\nhart\t\t: {cpu}\nisa\t\t: {self.isa(model)}\nmmu\t\t: {mmu}\n"
            f"mvendorid\t: {model.ident:#x}\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n\n"
            for cpu in cpus
        )

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """Compressed instructions too."""
        return "ARCH_RISCV", (f"MODE_RISCV{self.word_bits}", "MODE_RISCVC")


RISCV64 = RiscvArch(RV64, _MODELS64)
RISCV32 = RiscvArch(RV32, _MODELS32)
ARCHES = (RISCV64, RISCV32)
