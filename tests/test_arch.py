"""The guest facts: names, ELF headers, features and what the core says to them, helpers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qusr import arch as arches
from qusr.arch.aarch64 import cpu as aarch64
from qusr.arch.arm import VECTORS, kuser_page
from qusr.arch.arm import cpu as arm
from qusr.arch.arm.kuser import generate
from qusr.arch.base import NATIVE_ONLY, Arch, CpuModel, Feature
from qusr.arch.m68k import cpu as m68k
from qusr.arch.mips import cpu as mips
from qusr.arch.ppc import cpu as ppc
from qusr.arch.riscv import cpu as riscv
from qusr.arch.s390x import cpu as s390x
from qusr.arch.x86 import cpu as x86
from tests.guestcode import (
    A32S,
    AARCH64,
    ARM,
    ARM_BE8,
    ARM_BE32,
    DATA,
    EXEC,
    I386,
    PPC,
    READ,
    RISCV32,
    RISCV64,
    S390X,
    X86_64,
    Flavour,
    Machine,
)
from tools import gen_guest_docs

ALL = (
    *arm.ARCHES, *aarch64.ARCHES, *m68k.ARCHES, *mips.ARCHES, *riscv.ARCHES, *ppc.ARCHES,
    *s390x.ARCHES, *x86.ARCHES,
)  # fmt: skip
FLAVOURS = {
    "arm": ARM,
    "aarch64": AARCH64,
    "riscv64": RISCV64,
    "riscv32": RISCV32,
    "ppc": PPC,
    "s390x": S390X,
    "x86_64": X86_64,
    "i386": I386,
}
BREAKPOINTS = {
    "arm": "bkpt #0",
    "aarch64": "brk #0",
    "s390x": ".2byte 1",
    "ppc": "trap",
    "x86_64": "int3",
    "i386": "int3",
}
HEADERS = {
    "arm": "/usr/arm-linux-gnueabihf/include/asm/hwcap.h",
    "aarch64": "/usr/aarch64-linux-gnu/include/asm/hwcap.h",
    "riscv64": "/usr/riscv64-linux-gnu/include/asm/hwcap.h",
}
#: In kernels newer than Debian 12's headers, with their numbers from Linux 6.2's hwcap.h.
NEWER = {
    "arm": {
        (1, "FPHP"): 22,
        (1, "ASIMDHP"): 23,
        (1, "ASIMDDP"): 24,
        (1, "ASIMDFHM"): 25,
        (1, "ASIMDBF16"): 26,
        (1, "I8MM"): 27,
        (2, "SB"): 5,
    },
    "riscv64": {(1, "V"): 21},
    # From Linux 6.16's.
    "aarch64": {
        (1, "CMPBR"): 33,
        (2, "CSSC"): 34,
        (2, "MOPS"): 43,
        (2, "HBC"): 44,
        (2, "LSE128"): 47,
    },
}
#: Those that Unicorn has; tests/test_arm_models.py runs all of arm's on the translator.
MODELS = [
    (a, m)
    for a in (arm.ARM, aarch64.AARCH64, *riscv.ARCHES, *ppc.ARCHES, *s390x.ARCHES, *x86.ARCHES)
    for m in a.models
    if m.unicorn != NATIVE_ONLY
]
#: What the engine executes although the model has no such feature.
LENIENT = {
    # The core does cache maintenance itself, and the same on every model.
    "dcpop",
    "dcpodp",
    # Kernels for processors without it emulate it.
    "swp",
    # Its aarch64 `max` has these; its random numbers would not obey -seed, and its codes are slow.
    "paca",
    "rng",
}


@pytest.mark.parametrize("arch", ALL, ids=str)
def test_names(arch: Arch) -> None:
    for name in (arch.name, *arch.aliases):
        assert arches.by_name(name) is arch
        assert name in arches.names()
    big_endian = arch.elf_data == 2  # ELFDATA2MSB
    flags = arch.guest.flags[1]
    found = arches.guest_of(arch.elf_machine, 32 * arch.elf_class, big_endian, flags)
    assert found is not None and found.name == arch.name


def test_names_are_complete() -> None:
    for name in arches.names():
        assert arches.by_name(name) is not None
    assert arches.by_name("vax") is None
    assert arches.guest_of(62, 32, False) is None  # x32
    assert arches.guest_of(40, 64, False) is None  # EM_ARM of the wrong class


def test_import_is_light() -> None:
    """Start-up is measured in milliseconds: none of these may be imported on the way."""
    code = (
        "import sys, qusr.arch as a, qusr.cpu.unicorn as u;"
        "before = set(sys.modules);"
        "[x.hwcap(x.default_model) for x in map(a.by_name, a.names())]; u.library();"
        "print(*sys.modules)"
    )
    # -S -E: site and its .pth files import things of their own.
    run = subprocess.run(
        [sys.executable, "-SE", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"re", "typing", "dataclasses", "importlib.util", "unicorn", "capstone", "elftools"}
    assert not heavy & set(run.stdout.split())


def test_identification_imports_one_guest_at_most() -> None:
    """And no processor's features, system calls or constants: a start pays for each module."""
    code = (
        "import sys; from qusr import arch;"
        "print(arch.guest('arm64').name, arch.guest_of(183, 64, True).name);"
        "print(*sorted(n for n in sys.modules if 'arch' in n))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "aarch64 aarch64_be",
        "qusr.arch qusr.arch.aarch64 qusr.arch.abi qusr.arch.base",
    ]


@pytest.mark.parametrize("name", HEADERS)
def test_feature_bits_are_the_kernels(name: str) -> None:
    arch = arches.by_name(name)
    assert arch is not None
    header = Path(HEADERS[name]).read_text()
    bits = {}
    for word, cap, bit in re.findall(r"#define HWCAP(2?)_(\w+)\s+\(1(?:UL)? << (\d+)\)", header):
        bits[2 if word else 1, cap.upper()] = int(bit)
    bits |= {key: bit for key, bit in NEWER.get(name, {}).items() if key not in bits}
    # COMPAT_HWCAP_ISA_A: a letter's bit.
    for letter in re.findall(r"#define COMPAT_HWCAP_ISA_(\w)\s", header):
        bits[1, letter] = ord(letter) - ord("A")
    names = {"FASTMULT": "FAST_MULT"}
    for feature in arch.features:
        cap = feature.name.upper()
        assert bits[feature.word, names.get(cap, cap)] == feature.bit
    order = [(feature.word, feature.bit) for feature in arch.features]
    assert order == sorted(order)


def flavour_stack(flavour: Flavour) -> str:
    """The name of its stack pointer."""
    return {S390X: "r15", PPC: "r1", X86_64: "rsp", I386: "esp"}.get(flavour, "sp")


def test_feature_bits_of_ppc_are_the_kernels() -> None:
    header = Path("/usr/powerpc-linux-gnu/include/asm/cputable.h").read_text()
    found = re.findall(r"#define PPC_FEATURE(2?)_(\w+)\s+(0x[0-9a-f]+)", header)
    bits = {(word, name): int(value, 16).bit_length() - 1 for word, name, value in found}
    names = {
        "PPC32": "32", "MMU": "HAS_MMU", "FPU": "HAS_FPU", "ALTIVEC": "HAS_ALTIVEC",
        "VSX": "HAS_VSX", "DFP": "HAS_DFP",
    }  # fmt: skip
    for feature in ppc.PPC.features:
        cap = feature.name.upper()
        word = "2" if feature.word == 2 else ""
        assert bits[word, names.get(cap, cap)] == feature.bit


def test_feature_bits_of_s390x_are_the_c_librarys() -> None:
    """The kernel's are in no header for programs."""
    header = Path("/usr/s390x-linux-gnu/include/bits/hwcap.h").read_text()
    found = re.findall(r"#define HWCAP_S390_(\w+)\s+(\d+)", header)
    bits = {name: int(value).bit_length() - 1 for name, value in found}
    names = {"EDAT": "HPAGE", "HIGHGPRS": "HIGH_GPRS", "VXE2": "VXRS_EXT2"}
    for feature in s390x.S390X.features:
        cap = feature.name.upper()
        assert bits[names.get(cap, cap)] == feature.bit


def probe(arch: Arch, model: CpuModel, feature: Feature) -> str:
    """What an instruction of the feature leads to; "breakpoint" when it is executed."""
    flavour = FLAVOURS[arch.name]
    stop = BREAKPOINTS.get(arch.name, "ebreak")
    stack = {flavour_stack(flavour): DATA}
    machine = Machine(flavour, f"{feature.probe}\n{stop}", model.name, **stack)
    if flavour is AARCH64:
        machine["x29"] = DATA
    elif ".thumb" in feature.probe:
        machine["pc"] |= 1
    return machine.cpu.run()["reason"]


@pytest.mark.parametrize(("arch", "model"), MODELS, ids=lambda x: x.name)
def test_features_are_what_the_core_executes(arch: Arch, model: CpuModel) -> None:
    known = {feature.name for feature in arch.features}
    assert model.features <= known
    wrong = []
    for feature in arch.features:
        advertised = feature.name in model.features
        if not feature.probe or (not advertised and feature.name in LENIENT):
            continue
        reason = probe(arch, model, feature)
        # An ARMv6 takes a T32 instruction for two T16 ones, and so not always for an undefined one.
        if (reason == "breakpoint") != advertised:
            wrong.append((feature.name, advertised, reason))
    assert not wrong
    # Both kinds were seen.
    assert model.features
    assert known - model.features


@pytest.mark.parametrize(
    "model",
    [m for m in aarch64.AARCH64.models if m.unicorn != NATIVE_ONLY],
    ids=lambda m: m.name,
)
def test_id_registers(model: CpuModel) -> None:
    """What a program reads is what HWCAP says (Documentation/arch/arm64/elf_hwcaps.rst)."""
    names = ("midr_el1", "id_aa64pfr0_el1", "id_aa64isar0_el1", "id_aa64isar1_el1")
    # What the kernel shows whatever there is: sizes of pages, and the debug architecture.
    safe = ("id_aa64mmfr0_el1", "id_aa64dfr0_el1")
    zero = (*safe, "id_aa64zfr0_el1", "revidr_el1", "s3_0_c0_c7_7")
    code = "\n".join(f"mrs x{n}, {name}" for n, name in enumerate((*names, *zero, "mpidr_el1")))
    machine = Machine(AARCH64, f"{code}\nmrs xzr, midr_el1\nbrk #0", model.name)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    midr, pfr0, isar0, isar1 = (machine[f"x{n}"] for n in range(4))
    assert midr == model.ident
    assert [machine[f"x{n}"] for n in range(4, 9)] == [0xFF000000, 6, 0, 0, 0]
    assert machine["x9"] == 1 << 31

    def field(value: int, low: int) -> int:
        return value >> low & 15

    hwcap, hwcap2 = aarch64.AARCH64.hwcap(model)
    assert hwcap2 is not None
    said = {  # name: (is the bit set, what the ID register says)
        "fp": (hwcap & 1, field(pfr0, 16) != 15),
        "fphp": (hwcap >> 9 & 1, field(pfr0, 16) == 1),
        "asimdhp": (hwcap >> 10 & 1, field(pfr0, 20) == 1),
        "aes": (hwcap >> 3 & 1, field(isar0, 4) >= 1),
        "pmull": (hwcap >> 4 & 1, field(isar0, 4) >= 2),
        "sha1": (hwcap >> 5 & 1, field(isar0, 8) >= 1),
        "sha2": (hwcap >> 6 & 1, field(isar0, 12) >= 1),
        "sha512": (hwcap >> 21 & 1, field(isar0, 12) >= 2),
        "crc32": (hwcap >> 7 & 1, field(isar0, 16) >= 1),
        "atomics": (hwcap >> 8 & 1, field(isar0, 20) >= 2),
        "asimdrdm": (hwcap >> 12 & 1, field(isar0, 28) >= 1),
        "sha3": (hwcap >> 17 & 1, field(isar0, 32) >= 1),
        "sm3": (hwcap >> 18 & 1, field(isar0, 36) >= 1),
        "sm4": (hwcap >> 19 & 1, field(isar0, 40) >= 1),
        "asimddp": (hwcap >> 20 & 1, field(isar0, 44) >= 1),
        "asimdfhm": (hwcap >> 23 & 1, field(isar0, 48) >= 1),
        "flagm": (hwcap >> 27 & 1, field(isar0, 52) >= 1),
        "flagm2": (hwcap2 >> 7 & 1, field(isar0, 52) >= 2),
        "dcpop": (hwcap >> 16 & 1, field(isar1, 0) >= 1),
        "dcpodp": (hwcap2 & 1, field(isar1, 0) >= 2),
        "jscvt": (hwcap >> 13 & 1, field(isar1, 12) >= 1),
        "fcma": (hwcap >> 14 & 1, field(isar1, 16) >= 1),
        "lrcpc": (hwcap >> 15 & 1, field(isar1, 20) >= 1),
        "ilrcpc": (hwcap >> 26 & 1, field(isar1, 20) >= 2),
        "frint": (hwcap2 >> 8 & 1, field(isar1, 32) >= 1),
        "sb": (hwcap >> 29 & 1, field(isar1, 36) >= 1),
    }
    assert not {name for name, (bit, register) in said.items() if bool(bit) != register}
    # No pointer authentication, no SVE.
    assert (field(isar1, 4), field(isar1, 8), field(pfr0, 32)) == (0, 0, 0)


def test_cpuinfo_aarch64() -> None:
    model = aarch64.AARCH64.model("cortex-a53")
    assert model is not None
    assert aarch64.AARCH64.cpuinfo(model, [0, 1]).splitlines()[9:] == [
        "processor\t: 1",
        "BogoMIPS\t: 125.00",
        "Features\t: fp asimd aes pmull sha1 sha2 crc32 cpuid",
        "CPU implementer\t: 0x41",
        "CPU architecture: 8",
        "CPU variant\t: 0x0",
        "CPU part\t: 0xd03",
        "CPU revision\t: 4",
        "",
    ]


def test_cpuinfo_arm() -> None:
    model = arm.ARM.model("cortex-a7")
    assert model is not None
    lines = arm.ARM.cpuinfo(model, [0]).splitlines()
    assert lines[0] == "processor\t: 0"
    assert lines[1] == "model name\t: ARMv7 Processor rev 5 (v7l)"
    assert "neon" in lines[3].split()
    assert "CPU part\t: 0xc07" in lines
    assert lines[-3].startswith("Hardware\t: ")


def test_cpuinfo_riscv() -> None:
    model = riscv.RISCV64.model("sifive-e51")
    assert model is not None
    assert riscv.RISCV64.cpuinfo(model, [0, 1]).splitlines()[8:12] == [
        "processor\t: 1",
        "hart\t\t: 1",
        "isa\t\t: rv64imac_zicntr_zicsr_zifencei",
        "mmu\t\t: sv48",
    ]
    assert riscv.RISCV64.hwcap(model) == (1 << 8 | 1 << 12 | 1 << 0 | 1 << 2, None)


def test_cpuinfo_s390x() -> None:
    model = s390x.S390X.model("z800")
    assert model is not None
    assert s390x.S390X.cpuinfo(model, [0, 1]).splitlines() == [
        "vendor_id       : IBM/S390",
        "# processors    : 2",
        "bogomips per cpu: 100.00",
        "max thread id   : 0",
        "features\t: esan3 zarch highgprs ",
        "processor 0: version = 00,  identification = 000000,  machine = 2066",
        "processor 1: version = 00,  identification = 000001,  machine = 2066",
        "",
        "cpu number      : 0",
        "",
        "cpu number      : 1",
        "",
    ]
    assert s390x.S390X.hwcap(model) == (1 << 0 | 1 << 1 | 1 << 9, None)


def test_cpuinfo_ppc() -> None:
    """As arch/powerpc/kernel/setup-common.c writes it; the names are of cpu_specs_book3s_32.h."""
    names = {
        "604": ("604", "1.3 (pvr 0004 0103)"),
        "750": ("740/750", "3.1 (pvr 0008 0301)"),
        "750cxe": ("745/755", "51.17 (pvr 0008 3311)"),
        "755": ("745/755", "50.8 (pvr 0008 3208)"),
        "740p": ("740P/750P", "-1.0 (pvr 1008 0000)"),
        "7400": ("7400, altivec supported", "2.9 (pvr 000c 0209)"),
        "7447a": ("7447A, altivec supported", "1.2 (pvr 8003 0102)"),
    }
    for name, (cpu, revision) in names.items():
        model = ppc.PPC.model(name)
        assert model is not None
        assert ppc.PPC.cpuinfo(model, [0, 1]).splitlines() == [
            *(
                line
                for number in (0, 1)
                for line in (
                    f"processor\t: {number}",
                    f"cpu\t\t: {cpu}",
                    f"revision\t: {revision}",
                    "bogomips\t: 50.00",
                    "",
                )
            ),
            "timebase\t: 25000000",
        ]
    assert ppc.PPC.hwcap(ppc.PPC.models[0]) == (0x9C000000, 0)


def test_platforms() -> None:
    v6 = arm.ARMEB.model("arm1176")
    assert v6 is not None
    assert (arm.ARMEB.uname_of(v6), arm.ARMEB.platform_of(v6)) == ("armv6b", "v6b")
    assert arm.ARM.uname_of(arm.ARM.default_model) == "armv7l"
    assert aarch64.AARCH64.uname_of(aarch64.AARCH64.default_model) == "aarch64"


@pytest.mark.parametrize("arch", ALL, ids=str)
def test_registers(arch: Arch) -> None:
    registers = arch.registers
    assert sorted(registers.numbers.values()) == list(range(len(registers.numbers)))
    # What else there is is behind them.
    assert list(registers.numbers)[: len(registers.gdb)] == list(registers.gdb)


# The helpers at 0xffff0f60 to 0xffff0fff, by Documentation/arch/arm/kernel_user_helpers.rst


def test_kuser_page_is_up_to_date() -> None:
    assert Path(kuser_page.__file__).read_text() == generate.module()


def kuser_machine(flavour: Flavour, source: str, **registers: int) -> Machine:
    machine = Machine(flavour, source, **registers)
    assert isinstance(machine.arch, arm.Arm)
    [(address, name, page)] = machine.arch.kernel_pages(flavour.variant)
    assert (address, name) == (VECTORS, "[vectors]")
    assert len(page) == 4096
    machine.map(VECTORS, 4096, READ | 2)
    machine.space.write(VECTORS, page)
    machine.space.mprotect(VECTORS, 4096, READ | EXEC)
    machine["sp"] = DATA + 0x1000
    return machine


CALL = """
    ldr ip, =HELPER
    blx ip
    mov r8, #0
    movcs r8, #1
    bkpt #0
"""


def call(flavour: Flavour, helper: int, **registers: int) -> Machine:
    machine = kuser_machine(flavour, CALL.replace("HELPER", f"{helper:#x}"), **registers)
    if len(registers) == 3:
        order = "big" if flavour is not ARM else "little"
        for addr, value in ((DATA, 7), (DATA + 8, 5), (DATA + 16, 7), (DATA + 24, 2**63 + 9)):
            size = 4 if helper == 0xFFFF0FC0 else 8
            data = (value % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]
            machine.space.write(addr, data)
    machine["r4"], machine["r7"] = 44, 77
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    # What is not in the helpers' lists of clobbered registers.
    assert (machine["r4"], machine["r7"], machine["sp"]) == (44, 77, DATA + 0x1000)
    return machine


@pytest.mark.parametrize("flavour", A32S, ids=str)
def test_kuser_cmpxchg(flavour: Flavour) -> None:
    machine = call(flavour, 0xFFFF0FC0, r0=7, r1=9, r2=DATA)
    assert (machine["r0"], machine["r8"], machine.word(DATA)) == (0, 1, 9)
    machine = call(flavour, 0xFFFF0FC0, r0=8, r1=9, r2=DATA)
    assert machine["r0"] != 0
    assert (machine["r8"], machine.word(DATA)) == (0, 7)


@pytest.mark.parametrize("flavour", A32S, ids=str)
@pytest.mark.parametrize(("old", "swapped"), [(DATA + 16, True), (DATA + 8, False)])
def test_kuser_cmpxchg64(flavour: Flavour, old: int, swapped: bool) -> None:
    machine = call(flavour, 0xFFFF0F60, r0=old, r1=DATA + 24, r2=DATA)
    assert (machine["r0"] == 0, machine["r8"]) == (swapped, int(swapped))
    assert machine.word(DATA, 8) == (2**63 + 9 if swapped else 7)
    assert machine["r1"] == DATA + 24


@pytest.mark.parametrize("flavour", A32S, ids=str)
def test_kuser_get_tls_and_barrier(flavour: Flavour) -> None:
    machine = call(flavour, 0xFFFF0FE0, tpidruro=0x12345678)
    assert machine["r0"] == 0x12345678
    machine = call(flavour, 0xFFFF0FA0, r0=5)
    assert machine["r0"] == 5


@pytest.mark.parametrize("flavour", [ARM, ARM_BE8, ARM_BE32], ids=str)
def test_kuser_version_and_rest(flavour: Flavour) -> None:
    machine = kuser_machine(flavour, "bx r1", r1=VECTORS + 0x100)
    assert machine.word(0xFFFF0FFC) == 5
    assert machine.cpu.run() == {"reason": "undefined"}
    assert machine["pc"] == VECTORS + 0x100


@pytest.mark.parametrize("model", [m for a, m in MODELS if a is arm.ARM], ids=lambda m: m.name)
def test_kuser_on_every_model(model: CpuModel) -> None:
    """Each model has what the helpers are made of: exclusives, barriers, the thread register."""
    source = CALL.replace("HELPER", f"{0xFFFF0FC0:#x}")
    machine = Machine(ARM, source, model.name, r0=0, r1=9, r2=DATA)
    machine.map(VECTORS, 4096, READ | 2)
    machine.space.write(VECTORS, arm.ARM.kernel_pages("")[0][2])
    machine.space.mprotect(VECTORS, 4096, READ | EXEC)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine.word(DATA) == 9


def test_the_page_of_guests_is_current() -> None:
    assert gen_guest_docs.PAGE.read_text() == gen_guest_docs.text()


@pytest.mark.parametrize(
    ("processor", "model"),
    [(processor, model) for processor in x86.ARCHES for model in processor.models],
    ids=lambda x: x.name,
)
def test_models_of_x86_are_what_cpuid_says(processor: x86.X86Arch, model: x86.X86Model) -> None:
    """The instruction is the library's: programs and C libraries go by it, not by HWCAP."""
    flavour, letter = (X86_64, "r") if processor is x86.X86_64 else (I386, "e")

    def cpuid(leaf: int) -> list[int]:
        source = f"mov ${leaf:#x}, %eax\nxor %ecx, %ecx\ncpuid\nint3"
        machine = Machine(flavour, source, model.name, **{f"{letter}sp": DATA})
        assert machine.cpu.run()["reason"] == "breakpoint"
        return [machine[f"{letter}{name}x"] for name in "abcd"]

    def text(*words: int) -> str:
        return b"".join(word.to_bytes(4, "little") for word in words).strip(b"\0 ").decode()

    level, ebx, ecx, edx = cpuid(0)
    assert (level, text(ebx, edx, ecx)) == (model.level, model.vendor)
    signature, _, ecx, edx = cpuid(1)
    assert signature == model.ident
    highest = cpuid(0x80000000)[0]
    # Old processors have no such leaves, and answer with those of another one.
    extended = highest >> 16 == 0x8000
    ext_ecx, ext_edx = cpuid(0x80000001)[2:] if extended else [0, 0]
    words = {x86.EDX_1: edx, x86.ECX_1: ecx, x86.EXT_ECX: ext_ecx, x86.EXT_EDX: ext_edx}
    for feature in processor.features:
        told = bool(words[feature.word] >> feature.bit & 1)
        assert told == (feature.name in model.features), feature
    assert processor.hwcap(model) == (edx, 0)
    if extended and highest >= 0x80000004:
        brand = [word for leaf in (0x80000002, 0x80000003, 0x80000004) for word in cpuid(leaf)]
        assert text(*brand) == model.brand
    if extended and highest >= 0x80000008:
        eax = cpuid(0x80000008)[0]
        assert (eax & 0xFF, eax >> 8 & 0xFF) == model.sizes
    # XSAVE and AVX: the core would execute them wrongly (docs/guests.md).
    assert ecx >> 26 & 7 == 0
    if level >= 7:
        assert cpuid(7)[1] >> 5 & 1 == 0


def test_cpuinfo_x86() -> None:
    """The numbers are those that x86_family() and x86_model() make of the signature."""
    model = x86.X86_64.model("Penryn")
    assert model is not None
    lines = x86.X86_64.cpuinfo(model, [0, 1]).splitlines()
    assert lines[:6] == [
        "processor\t: 0",
        "vendor_id\t: GenuineIntel",
        "cpu family\t: 6",
        "model\t\t: 23",
        "model name\t: Intel Core 2 Duo P9xxx (Penryn Class Core 2)",
        "stepping\t: 3",
    ]
    flags = next(line for line in lines if line.startswith("flags")).split()[2:]
    assert flags[0] == "fpu"
    assert {"ssse3", "sse4_1", "cx16", "syscall", "lm"} <= set(flags)
    assert not {"sse4_2", "avx", "xsave"} & set(flags)
    assert [line for line in lines if line.startswith("processor")] == [
        "processor\t: 0",
        "processor\t: 1",
    ]
