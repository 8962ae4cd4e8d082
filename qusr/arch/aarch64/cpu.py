"""The processors of AArch64: registers, models, features.

Sources: Arm ARM (DDI 0487); the kernel's arch/arm64/include/uapi/asm/hwcap.h,
Documentation/arch/arm64/cpu-feature-registers.rst and elf_hwcaps.rst,
arch/arm64/kernel/cpufeature.c (what of the ID registers programs see).
"""

from __future__ import annotations

from qusr.arch.aarch64 import BIG, LITTLE
from qusr.arch.base import NATIVE_ONLY, Arch, Calling, CpuModel, Feature, Registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qusr.arch.base import SysReg

_MIDR = (0, 0, 0, 0)
_PFR0 = (0, 0, 4, 0)
_PFR1 = (0, 0, 4, 1)
_ZFR0 = (0, 0, 4, 4)
_DFR0 = (0, 0, 5, 0)
_ISAR0 = (0, 0, 6, 0)
_ISAR1 = (0, 0, 6, 1)
_ISAR2 = (0, 0, 6, 2)
_MMFR0 = (0, 0, 7, 0)
_MMFR2 = (0, 0, 7, 2)

#: What is the same for all. ID_AA64PFR0_EL1.EL0 and EL1: AArch64 only; the kernel shows of the
#: sizes of pages and of the debug architecture what is safe to believe (ftr_id_aa64mmfr0,
#: ftr_id_aa64dfr0).
_BASE = {_PFR0: 0x11, _DFR0: 6, _MMFR0: 0xFF00_0000}

# Not here though a core may execute it: EVTSTRM (WFE does not wait).
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
    Feature("sve", 1, 22, "ptrue p0.b", ((_PFR0, 32, 1),)),
    Feature("asimdfhm", 1, 23, "fmlal v0.2s, v1.2h, v2.2h", ((_ISAR0, 48, 1),)),
    Feature("dit", 1, 24, "msr dit, #1", ((_PFR0, 48, 1),)),
    Feature("uscat", 1, 25, "", ((_MMFR2, 32, 1),)),
    Feature("ilrcpc", 1, 26, "ldapur x0, [sp, #8]", ((_ISAR1, 20, 2),)),
    Feature("flagm", 1, 27, "cfinv", ((_ISAR0, 52, 1),)),
    Feature("ssbs", 1, 28, "msr ssbs, #1", ((_PFR1, 4, 2),)),
    Feature("sb", 1, 29, "sb", ((_ISAR1, 36, 1),)),
    Feature("paca", 1, 30, "paciza x0"),
    Feature("pacg", 1, 31, "pacga x0, x1, x2"),
    Feature("cmpbr", 1, 33, ".inst 0x74c00041", ((_ISAR2, 52, 2),)),
    Feature("dcpodp", 2, 0, "dc cvadp, x29", ((_ISAR1, 0, 2),)),
    Feature("sve2", 2, 1, "sqadd z0.b, p0/m, z0.b, z1.b", ((_ZFR0, 0, 1),)),
    Feature("sveaes", 2, 2, "aese z0.b, z0.b, z1.b", ((_ZFR0, 4, 1),)),
    Feature("svepmull", 2, 3, "pmullb z0.q, z1.d, z2.d", ((_ZFR0, 4, 2),)),
    Feature("svebitperm", 2, 4, "bext z0.b, z1.b, z2.b", ((_ZFR0, 16, 1),)),
    Feature("svesha3", 2, 5, "rax1 z0.d, z1.d, z2.d", ((_ZFR0, 32, 1),)),
    Feature("svesm4", 2, 6, "sm4ekey z0.s, z1.s, z2.s", ((_ZFR0, 40, 1),)),
    Feature("flagm2", 2, 7, "axflag", ((_ISAR0, 52, 2),)),
    Feature("frint", 2, 8, "frint32z d0, d1", ((_ISAR1, 32, 1),)),
    Feature("svei8mm", 2, 9, "smmla z0.s, z1.b, z2.b", ((_ZFR0, 44, 1),)),
    Feature("svef32mm", 2, 10, "fmmla z0.s, z1.s, z2.s", ((_ZFR0, 52, 1),)),
    # With vectors of 256 bits at least.
    Feature("svef64mm", 2, 11, "", ((_ZFR0, 56, 1),)),
    Feature("svebf16", 2, 12, "bfdot z0.s, z1.h, z2.h", ((_ZFR0, 20, 1),)),
    Feature("i8mm", 2, 13, "smmla v0.4s, v1.16b, v2.16b", ((_ISAR1, 52, 1),)),
    Feature("bf16", 2, 14, "bfdot v0.4s, v1.8h, v2.8h", ((_ISAR1, 44, 1),)),
    Feature("dgh", 2, 15, "", ((_ISAR1, 48, 1),)),
    Feature("rng", 2, 16, "mrs x0, s3_3_c2_c4_0", ((_ISAR0, 60, 1),)),
    # Its instructions are hints; what they do not stand before is judged by programs.
    Feature("bti", 2, 17, "", ((_PFR1, 0, 1),)),
    Feature("mte", 2, 18, "irg x0, x1", ((_PFR1, 8, 2),)),
    Feature("ecv", 2, 19, "mrs x0, s3_3_c14_c0_6", ((_MMFR0, 60, 2),)),
    Feature("wfxt", 2, 31, ".inst 0xd5031001", ((_ISAR2, 0, 2),)),
    Feature("cssc", 2, 34, ".inst 0xdac02020", ((_ISAR2, 52, 1),)),
    Feature("mops", 2, 43, ".inst 0x19010443", ((_ISAR2, 16, 1),)),
    Feature("hbc", 2, 44, ".inst 0x54000030", ((_ISAR2, 20, 1),)),
    Feature("lse128", 2, 47, ".inst 0x192283a1", ((_ISAR0, 20, 3),)),
)

#: What no bit of AT_HWCAP tells of, by the native core's names: fields of ID registers.
_HIDDEN: dict[str, tuple[tuple[SysReg, int, int], ...]] = {
    # LDLAR and STLLR; what tells of it the kernel does not show.
    "lor": (),
    # Without the instructions that set it.
    "ssbs1": ((_PFR1, 4, 1),),
    # Pointer authentication: the implementation-defined algorithm, QARMA5, QARMA3, without and with
    # faults (FEAT_PAuth2, FEAT_FPACCOMBINE); of addresses, and the generic one.
    "pauth2": ((_ISAR1, 8, 3), (_ISAR1, 28, 1)),
    "impdef": ((_ISAR1, 8, 5), (_ISAR1, 28, 1)),
    "qarma5": ((_ISAR1, 4, 5), (_ISAR1, 24, 1)),
    "qarma3": ((_ISAR2, 12, 5), (_ISAR2, 8, 1)),
    "fpac": (),
    "fpaccombine": (),
}
_V8_0 = "fp asimd aes pmull sha1 sha2 crc32 cpuid"
_V8_2 = f"{_V8_0} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
_V8_4 = f"{_V8_2} jscvt fcma sha3 sm3 sm4 sha512 asimdfhm dit uscat ilrcpc flagm ssbs dcpodp i8mm"
_V9_0 = f"{_V8_4} sb flagm2 frint bf16 bti"
_MAX = (
    f"{_V8_0} atomics fphp asimdhp asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4"
    " asimddp sha512 asimdfhm ilrcpc flagm sb dcpodp flagm2 frint"
)
_ONLY_NATIVE = "i8mm bf16 dit uscat ssbs cmpbr dgh rng ecv wfxt cssc mops hbc lse128 bti"
_FAULTING = "fpac fpaccombine"

_SVE2 = "sve sve2 sveaes svepmull svebitperm svesha3 svesm4 svei8mm svebf16"


def _lengths(*quads: int) -> str:
    """Vector lengths as the native core calls them, in bits; given in quadwords."""
    return " ".join(f"sve{128 * n}" for n in quads)


#: Those of qemu's `max`: all that there can be.
_ALL_LENGTHS = _lengths(*range(1, 17))

#: qemu's properties, and what becomes of pointer authentication; the default one is the first of
#: those that have what is asked for.
_ALGORITHMS = (
    ("pauth-impdef", f"impdef {_FAULTING}", "an algorithm of its own"),
    ("pauth-qarma5", f"qarma5 {_FAULTING}", "QARMA5"),
    ("pauth-qarma3", f"qarma3 {_FAULTING}", "QARMA3"),
)


def _settings(algorithm: str | None) -> dict[str, bool]:
    names = (name for name, _, _ in _ALGORITHMS)
    return {"pauth": algorithm is not None} | {name: name == algorithm for name in names}


def _with_pauth(
    name: str, ident: int, features: str, hidden: str, description: str, **more: Any
) -> tuple[CpuModel, ...]:
    """A model of which one may say how pointers are authenticated, or that they are not."""
    native = more.pop("native", "")
    called = more.pop("called", name)
    known = more.pop("settings", {})
    found = []
    for n, (algorithm, with_it, words) in enumerate(_ALGORITHMS):
        found.append(
            CpuModel(
                f"{called},{algorithm}=on" if n else called,
                ident=ident,
                features=features,
                native=f"{native} paca pacg",
                hidden=f"{hidden} {with_it}",
                description=f"{name} with {words}" if n else description,
                settings=known | _settings(algorithm),
                **more,
            )
        )
    found.append(
        CpuModel(
            f"{called},pauth=off",
            ident=ident,
            features=features,
            native=native,
            hidden=hidden,
            description=f"{name} without pointer authentication",
            settings=known | _settings(None),
            **more,
        )
    )
    return tuple(found)


def _model(name: str, ident: int, features: str, description: str, **more: Any) -> CpuModel:
    described: dict[str, Any] = {"unicorn": NATIVE_ONLY} | more
    return CpuModel(name, ident=ident, features=features, description=description, **described)


def _with_sve(
    make: Any, name: str, ident: int, features: str, description: str, *, vectors: str,
    lengths: str, usual: bool = True, hidden: str = "lor", native: str = "", **more: Any,
) -> tuple[CpuModel, ...]:  # fmt: skip
    """A model of which one may say whether it has SVE; the first one is what it has of itself.

    Which of the lengths it has and which one is the first is chosen by further properties:
    native/guests/src/aarch64/lengths.rs.
    """
    found: list[CpuModel] = []
    for on in (usual, not usual):
        if on and not usual:
            more["unicorn"] = NATIVE_ONLY
        made = make(
            name,
            ident=ident,
            features=features,
            description=f"{description}{', with SVE' if on else ''}",
            native=f"{native} {vectors if on else ''}",
            hidden=f"{hidden} {lengths if on else ''}",
            settings={"sve": on},
            called=name if on == usual else f"{name},sve={'on' if on else 'off'}",
            **more,
        )  # fmt: skip
        found += made
    return tuple(found)


def _with(name: str, models: tuple[CpuModel, ...]) -> tuple[CpuModel, ...]:
    """The same, and behind them those to which a property gives a feature of this name."""
    more = [
        CpuModel(
            f"{model.name},{name}=on",
            unicorn=NATIVE_ONLY,
            ident=model.ident,
            features=" ".join(model.features),
            native=" ".join(model.native | {name}),
            hidden=" ".join(model.hidden),
            settings={name: True, **model.settings},
            description=f"{model.description}, with {name.upper()}",
        )
        for model in models
    ]
    for model in models:
        model.settings = {name: False, **model.settings}
    return (*models, *more)


def _without(names: str, models: tuple[CpuModel, ...]) -> tuple[CpuModel, ...]:
    """The same, and behind them those from which a property takes features of these names."""
    found = list(models)
    for name in names.split():
        found += [
            CpuModel(
                f"{model.name},{name}=off",
                unicorn=NATIVE_ONLY,
                ident=model.ident,
                features=" ".join(model.features),
                native=" ".join(model.native - {name}),
                hidden=" ".join(model.hidden),
                settings={**model.settings, name: False},
                description=f"{model.description}, without {name.upper()}",
            )
            for model in found
        ]
        for model in found:
            model.settings = {name: True, **model.settings}
    return tuple(found)


def _plain(
    name: str, ident: int, features: str, description: str, *, called: str, **more: Any
) -> tuple[CpuModel, ...]:
    return (_model(called, ident, features, description, **more),)


_MODELS = (
    # Without SVE of itself: C libraries would take its variants of memcpy and strlen, whose
    # predicated accesses cost more here than Advanced SIMD's (docs/native-translator.md).
    *_with(
        "mte",
        _without(
            "bti",
            _with_sve(
                _with_pauth,
                "max",
                0x000F0510,
                _MAX,
                "all that the core can execute (Armv8.5-A and much of later)",
                vectors=f"{_SVE2} svef32mm svef64mm",
                lengths=_ALL_LENGTHS,
                usual=False,
                native=_ONLY_NATIVE,
                unicorn=3,
            ),
        ),
    ),
    _model("cortex-a35", 0x411FD040, _V8_0, "Armv8.0-A"),
    _model("cortex-a53", 0x410FD034, _V8_0, "Armv8.0-A", unicorn=1),
    _model("cortex-a55", 0x412FD050, _V8_2, "Armv8.2-A", hidden="lor ssbs1"),
    _model("cortex-a57", 0x411FD070, _V8_0, "Armv8.0-A", unicorn=0),
    _model("cortex-a72", 0x410FD083, _V8_0, "Armv8.0-A", unicorn=2),
    _model("cortex-a76", 0x414FD0B1, _V8_2, "Armv8.2-A", hidden="lor ssbs1"),
    _model(
        "cortex-a78ae", 0x410FD423, f"{_V8_2} uscat ilrcpc flagm", "Armv8.2-A", hidden="lor ssbs1"
    ),
    *_with_sve(
        _with_pauth,
        "cortex-a710",
        0x412FD471,
        _V9_0,
        "Armv9.0-A",
        vectors=_SVE2,
        lengths=_lengths(1),
        unicorn=NATIVE_ONLY,
    ),
    _model("neoverse-n1", 0x414FD0C1, f"{_V8_2} ssbs", "Armv8.2-A", hidden="lor"),
    *_with_sve(
        _with_pauth,
        "neoverse-n2",
        0x410FD493,
        f"{_V9_0} rng dgh",
        "Armv9.0-A",
        vectors=_SVE2,
        lengths=_lengths(1),
        unicorn=NATIVE_ONLY,
    ),
    *_with_sve(
        _plain,
        "neoverse-v1",
        0x411FD402,
        f"{_V8_4} rng dgh paca pacg",
        "Armv8.4-A",
        vectors="sve svei8mm svebf16",
        lengths=_lengths(1, 2),
        hidden="lor pauth2",
    ),
    *_with_sve(
        _plain,
        "a64fx",
        0x461F0010,
        f"{_V8_0} atomics fphp asimdhp asimdrdm fcma dcpop",
        "Armv8.2-A",
        vectors="sve",
        lengths=_lengths(1, 2, 4),
    ),
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
    aliases={
        "lr": ("x30", 0),
        "fp": ("x29", 0),
        "ip0": ("x16", 0),
        "ip1": ("x17", 0),
        **{f"w{n}": (name, 32) for n, name in enumerate(_X)},
        "wsp": ("sp", 32),
        **{
            f"{letter}{n}": (name, bits)
            for n, name in enumerate(_V)
            for letter, bits in (("q", 128), ("d", 64), ("s", 32), ("h", 16), ("b", 8))
        },
    },
    # AAPCS64, "Parameter passing".
    calling=Calling(_X[:8], "x0", "x30", pushes=True),
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
        told = [feature.id_fields for feature in self.advertised(model)]
        # Without it, as on Unicorn, its algorithm is nothing.
        hidden = model.hidden if "paca" in model.features else model.hidden & {"lor", "ssbs1"}
        told += [_HIDDEN.get(name, ()) for name in sorted(hidden)]
        for register, low, value in (field for each in told for field in each):
            known = fields.get((register, low), 0)
            fields[register, low] = max(known, value)
        values = {_MIDR: model.ident, **_BASE}
        for (register, low), value in fields.items():
            values[register] = values.get(register, 0) | value << low
        return [(_packed(register), value) for register, value in values.items() if value]

    def core_features(self, model: CpuModel) -> list[str]:
        """All features."""
        return sorted(model.features | model.hidden)

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
