"""The processors of x86: registers, models, features.

Sources: Intel's Software Developer's Manual (CPUID, vol. 2A), AMD's Programmer's Manual vol. 3
(appendix E); the kernel's arch/x86/include/asm/cpufeatures.h, asm/elf.h and
arch/x86/kernel/cpu/proc.c; QEMU's target/i386/cpu.c.
"""

from __future__ import annotations

from qusr.arch.base import Arch, Calling, CpuModel, Feature, Registers
from qusr.arch.x86 import I386 as GUEST32
from qusr.arch.x86 import X86_64 as GUEST64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.x86 import X86

#: Which leaf of CPUID has a feature: EDX of 1 is AT_HWCAP; the others only /proc/cpuinfo tells of.
#: Their order is that of the kernel's words. AT_HWCAP2 has bits for MONITOR and FSGSBASE in
#: programs, which no model has.
EDX_1, EXT_EDX, ECX_1, EXT_ECX = 1, 3, 4, 5


def _bits(word: int, **bits: int) -> tuple[Feature, ...]:
    return tuple(
        Feature(name.lstrip("_"), word, bit, _PROBES.get(name.lstrip("_"), ""))
        for name, bit in bits.items()
    )


#: What only a processor with the feature executes (the core does others without it, too).
_PROBES = {
    "ssse3": "pshufb %xmm1, %xmm0",
    "sse4_1": "pmulld %xmm1, %xmm0",
    "sse4_2": "pcmpgtq %xmm1, %xmm0",
    "popcnt": "popcnt %eax, %eax",
    "aes": "aesenc %xmm1, %xmm0",
    "pclmulqdq": "pclmulqdq $0, %xmm1, %xmm0",
}

_FEATURES = (
    *_bits(
        EDX_1,
        fpu=0, vme=1, de=2, pse=3, tsc=4, msr=5, pae=6, mce=7, cx8=8, apic=9, sep=11, mtrr=12,
        pge=13, mca=14, cmov=15, pat=16, pse36=17, pn=18, clflush=19, dts=21, acpi=22, mmx=23,
        fxsr=24, sse=25, sse2=26, ss=27, ht=28, tm=29, pbe=31,
    ),
    *_bits(
        EXT_EDX,
        syscall=11, mp=19, nx=20, mmxext=22, fxsr_opt=25, pdpe1gb=26, rdtscp=27, lm=29,
        _3dnowext=30, _3dnow=31,
    ),
    *_bits(
        ECX_1,
        pni=0, pclmulqdq=1, dtes64=2, monitor=3, ssse3=9, cx16=13, xtpr=14, sse4_1=19, sse4_2=20,
        movbe=22, popcnt=23, aes=25, hypervisor=31,
    ),
    *_bits(EXT_ECX, lahf_lm=0, cmp_legacy=1, svm=2, cr8_legacy=4, abm=5, sse4a=6, misalignsse=7),
)  # fmt: skip


class X86Model(CpuModel):
    """A CPU by what its CPUID says.

    Attributes:
        vendor, brand: leaves 0, and 0x80000002 to 4.
        level: the highest leaf.
        sizes: bits of physical and virtual addresses.
    """

    __slots__ = ("brand", "level", "sizes", "vendor")

    def __init__(
        self,
        name: str,
        unicorn: int,
        *,
        vendor: str,
        level: int,
        signature: int,
        leaves: tuple[int, int, int, int],
        brand: str,
        sizes: tuple[int, int],
        description: str,
    ) -> None:
        words = dict(zip((EDX_1, ECX_1, EXT_ECX, EXT_EDX), leaves, strict=True))
        names = (f.name for f in _FEATURES if words[f.word] >> f.bit & 1)
        super().__init__(
            name,
            unicorn=unicorn,
            ident=signature,
            features=" ".join(names),
            description=description,
        )
        self.vendor = vendor
        self.level = level
        self.brand = brand
        self.sizes = sizes

    @property
    def family(self) -> int:
        """As in /proc/cpuinfo: with the extended one."""
        family = self.ident >> 8 & 15
        return family + (self.ident >> 20 & 0xFF if family == 15 else 0)

    @property
    def number(self) -> int:
        """The model, with the extended one."""
        model = self.ident >> 4 & 15
        return model + (self.ident >> 12 & 0xF0 if self.family >= 6 else 0)


_INTEL, _AMD = "GenuineIntel", "AuthenticAMD"
_QEMU = "QEMU Virtual CPU version 2.5+"
#: By QEMU's names. What is not here has AVX, which the core does not have: it would execute such
#: instructions wrongly without an error (docs/guests.md). Of each: its number in unicorn; vendor,
#: highest leaf, signature; EDX and ECX of leaf 1, ECX and EDX of 0x80000001; sizes of addresses.
_TABLE = {
    "Westmere": (
        16, _INTEL, 11, 0x206C1, (0x78BFBFD, 0x82982203, 1, 0x20100800), (40, 48),
        "Westmere E56xx/L56xx/X56xx (Nehalem-C)",
    ),
    "qemu64": (
        0, _AMD, 13, 0x663, (0x78BFBFD, 0x80002001, 5, 0x2193FBFD), (40, 48), _QEMU,
    ),
    "kvm64": (
        3, _INTEL, 13, 0xF61, (0x78BFBFD, 0x80002001, 0, 0x20100800), (40, 48),
        "Common KVM processor",
    ),
    "Opteron_G1": (
        30, _AMD, 5, 0xF61, (0x78BFBFD, 0x80000001, 0, 0x2193FBFD), (40, 48),
        "AMD Opteron 240 (Gen 1 Class Opteron)",
    ),
    "Opteron_G2": (
        31, _AMD, 5, 0xF61, (0x78BFBFD, 0x80002001, 5, 0x2193FBFD), (40, 48),
        "AMD Opteron 22xx (Gen 2 Class Opteron)",
    ),
    "Opteron_G3": (
        32, _AMD, 5, 0x100F23, (0x78BFBFD, 0x80802009, 0x65, 0x2993FBFD), (40, 48),
        "AMD Opteron 23xx (Gen 3 Class Opteron)",
    ),
    "phenom": (
        1, _AMD, 5, 0x100F23, (0x78BFBFD, 0x80802009, 0x65, 0xEDD3FBFD), (40, 48),
        "AMD Phenom(tm) 9550 Quad-Core Processor",
    ),
    "core2duo": (
        2, _INTEL, 10, 0x6FB, (0xFCBFBFD, 0x80002209, 1, 0x20100800), (40, 48),
        "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
    ),
    "Conroe": (
        13, _INTEL, 10, 0x6F3, (0x78BFBFD, 0x80000201, 1, 0x20100800), (40, 48),
        "Intel Celeron_4x0 (Conroe/Merom Class Core 2)",
    ),
    "Penryn": (
        14, _INTEL, 10, 0x10673, (0x78BFBFD, 0x80082201, 1, 0x20100800), (40, 48),
        "Intel Core 2 Duo P9xxx (Penryn Class Core 2)",
    ),
    "Nehalem": (
        15, _INTEL, 11, 0x106A3, (0x78BFBFD, 0x80982201, 1, 0x20100800), (40, 48),
        "Intel Core i7 9xx (Nehalem Class Core i7)",
    ),
}  # fmt: skip
#: Those without 64 bits.
_TABLE32 = {
    "qemu32": (4, _INTEL, 4, 0x663, (0x781ABFD, 0x80000001, 0, 0), (0, 0), _QEMU),
    "kvm32": (
        5, _INTEL, 5, 0xF61, (0x78BFBFD, 0x80000001, 0, 0), (36, 0), "Common 32-bit KVM processor",
    ),
    "coreduo": (
        6, _INTEL, 10, 0x6E8, (0xFC9FBFD, 0x80000009, 0, 0x100000), (32, 0),
        "Genuine Intel(R) CPU           T2600  @ 2.16GHz",
    ),
    "n270": (
        12, _INTEL, 10, 0x106C2, (0xFC9FBFD, 0x80400209, 1, 0x100000), (32, 0),
        "Intel(R) Atom(TM) CPU N270   @ 1.60GHz",
    ),
    "athlon": (11, _AMD, 2, 0x623, (0x783FBFD, 0x80000000, 0, 0xC1C3F3FD), (36, 0), _QEMU),
    "pentium3": (10, _INTEL, 3, 0x673, (0x383FBFD, 0x80000000, 0, 0), (0, 0), ""),
    "pentium2": (9, _INTEL, 2, 0x652, (0x183FBFD, 0x80000000, 0, 0), (0, 0), ""),
    "pentium": (8, _INTEL, 1, 0x543, (0x8003BD, 0x80000000, 0, 0), (0, 0), ""),
    "486": (7, _INTEL, 1, 0x480, (0x9, 0x80000000, 0, 0), (0, 0), ""),
}  # fmt: skip


def _model(name: str, of: str, description: str = "") -> X86Model:
    unicorn, vendor, level, signature, leaves, sizes, brand = {**_TABLE, **_TABLE32}[of]
    return X86Model(
        name,
        unicorn,
        vendor=vendor,
        level=level,
        signature=signature,
        leaves=leaves,
        sizes=sizes,
        brand=brand,
        description=description or brand or name,
    )


_MODELS64 = (
    _model("max", "Westmere", "all that the core can execute (SSE4.2, AES; no AVX)"),
    *(_model(name, name) for name in _TABLE),
)

_MODELS32 = (*_MODELS64, *(_model(name, name) for name in _TABLE32))

_GENERAL64 = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
    *(f"r{n}" for n in range(8, 16)),
)  # fmt: skip
_GENERAL32 = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_ST = tuple(f"st{n}" for n in range(8))
_X87 = ("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop")
_XMM = tuple(f"xmm{n}" for n in range(16))
#: The core's own: the tag word as FXSAVE has it, and which bits of MXCSR there are.
_OWN = ("ftw", "mxcsr_mask")
_ALL64 = (
    *_GENERAL64, "rip", "eflags", *_SEGMENTS, *_ST, *_X87, *_XMM, "mxcsr", "fs_base", "gs_base",
    *_OWN,
)  # fmt: skip
_NARROW = {
    **dict.fromkeys(("eflags", *_SEGMENTS, *_X87, "mxcsr", *_OWN), 32),
    **dict.fromkeys(_ST, 80),
    **dict.fromkeys(_XMM, 128),
}

_REGISTERS64 = Registers(
    numbers={name: n for n, name in enumerate(_ALL64)},
    # org.gnu.gdb.i386.core, .sse, .segments
    gdb=_ALL64,
    bits=_NARROW,
    pc="rip",
    sp="rsp",
    tls="fs_base",
    args=("rdi", "rsi", "rdx", "r10", "r8", "r9"),
    aliases={
        "rflags": ("eflags", 0),
        **{name: (f"r{name[1:]}", 32) for name in _GENERAL32},
        **{name[1:]: (f"r{name[1:]}", 16) for name in _GENERAL32 if name != "esp"},
        **{f"{letter}l": (f"r{letter}x", 8) for letter in "abcd"},
        **{
            f"r{n}{part}": (f"r{n}", bits)
            for n in range(8, 16)
            for part, bits in (("d", 32), ("w", 16), ("b", 8))
        },
    },
    # System V ABI, AMD64 supplement, "Parameter Passing".
    calling=Calling(("rdi", "rsi", "rdx", "rcx", "r8", "r9"), "rax", pushes=True),
    result="rax",
    status="eflags",
)


_ALL32 = (
    *_GENERAL32, "eip", "eflags", *_SEGMENTS, *_ST,
    *_X87, *_XMM[:8], "mxcsr", *_OWN,
    # The descriptors that are a thread's own.
    "tls0", "tls1", "tls2",
)  # fmt: skip
_REGISTERS32 = Registers(
    numbers={name: n for n, name in enumerate(_ALL32)},
    # org.gnu.gdb.i386.core, .sse
    gdb=_ALL32,
    bits={**_NARROW, **dict.fromkeys(("tls0", "tls1", "tls2"), 64)},
    pc="eip",
    sp="esp",
    tls="tls0",
    args=("ebx", "ecx", "edx", "esi", "edi", "ebp"),
    aliases={
        "flags": ("eflags", 16),
        **{name[1:]: (name, 16) for name in _GENERAL32 if name != "esp"},
        **{f"{letter}l": (f"e{letter}x", 8) for letter in "abcd"},
    },
    # System V ABI, Intel386 supplement, "Function Calling Sequence".
    calling=Calling((), "eax", pushes=True),
    result="eax",
    status="eflags",
)


class X86Arch(Arch):
    """x86 in one word size."""

    features = _FEATURES
    models: tuple[X86Model, ...]
    # EFLAGS
    flags = ((0, "C"), (2, "P"), (4, "A"), (6, "Z"), (7, "S"), (10, "D"), (11, "O"))

    def __init__(
        self,
        guest: X86,
        registers: Registers,
        models: tuple[X86Model, ...],
        *,
        uname_machine: str,
        platform: str,
    ) -> None:
        super().__init__(guest, uname_machine=uname_machine, platform=platform)
        self.registers = registers
        self.models = models

    def hwcap(self, model: CpuModel) -> tuple[int, int | None]:
        """AT_HWCAP is EDX of CPUID's leaf 1; nothing of AT_HWCAP2 is there."""
        return sum(1 << f.bit for f in self.advertised(model) if f.word == EDX_1), 0

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """As show_cpuinfo() of arch/x86/kernel/cpu/proc.c writes it; no cache is known."""
        assert isinstance(model, X86Model)
        flags = " ".join(feature.name for feature in self.advertised(model))
        has_fpu = "yes" if "fpu" in model.features else "no"
        physical, virtual = model.sizes
        return "".join(
            f"processor\t: {cpu}\n"
            f"vendor_id\t: {model.vendor}\n"
            f"cpu family\t: {model.family}\n"
            f"model\t\t: {model.number}\n"
            f"model name\t: {model.brand or 'unknown'}\n"
            f"stepping\t: {model.ident & 15}\n"
            f"fpu\t\t: {has_fpu}\n"
            f"fpu_exception\t: {has_fpu}\n"
            f"cpuid level\t: {model.level}\n"
            "wp\t\t: yes\n"
            f"flags\t\t: {flags}\n"
            "bugs\t\t:\n"
            "bogomips\t: 2000.00\n"
            "clflush size\t: 64\n"
            "cache_alignment\t: 64\n"
            f"address sizes\t: {physical or 32} bits physical, {virtual or 32} bits virtual\n"
            "power management:\n\n"
            for cpu in cpus
        )

    def uname_of(self, model: CpuModel) -> str:
        """With 32 bits the family is in it (arch/x86/kernel/cpu/bugs.c): at most 6."""
        if self.word_bits == 64:
            return self.uname_machine
        assert isinstance(model, X86Model)
        return f"i{min(model.family, 6)}86"

    def platform_of(self, model: CpuModel) -> str:
        """ELF_PLATFORM is the same with 32 bits."""
        return self.uname_of(model)

    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """By the word size."""
        return "ARCH_X86", (f"MODE_{self.word_bits}",)


X86_64 = X86Arch(GUEST64, _REGISTERS64, _MODELS64, uname_machine="x86_64", platform="x86_64")
I386 = X86Arch(GUEST32, _REGISTERS32, _MODELS32, uname_machine="i686", platform="i686")
ARCHES = (X86_64, I386)
