"""AArch64 beyond Debian 12's qemu, compared with a newer one (tools/newer-qemu)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qusr.arch.aarch64.cpu import AARCH64
from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.arch.base import CpuModel
    from tests.emulators import Emulator

    Ours = Callable[[CpuModel, Path], str]


#: Reads each register that emulate_sys_reg() of the kernel knows of.
_REGISTERS = {
    "midr": "s3_0_c0_c0_0",
    "pfr0": "s3_0_c0_c4_0",
    "pfr1": "s3_0_c0_c4_1",
    "zfr0": "s3_0_c0_c4_4",
    "dfr0": "s3_0_c0_c5_0",
    "isar0": "s3_0_c0_c6_0",
    "isar1": "s3_0_c0_c6_1",
    "isar2": "s3_0_c0_c6_2",
    "isar3": "s3_0_c0_c6_3",
    "mmfr0": "s3_0_c0_c7_0",
    "mmfr1": "s3_0_c0_c7_1",
    "mmfr2": "s3_0_c0_c7_2",
    "mmfr3": "s3_0_c0_c7_3",
}
#: Fields (register, lowest bit) of what qemu's models have and no core of ours.
_LACKING = {
    ("zfr0", 0): "SVE2.1, in the field of SVE2",
    ("zfr0", 4): "AES2, in the field of AES",
    ("zfr0", 20): "EBF16, in the field of BF16",
    ("zfr0", 24): "B16B16",
    ("pfr1", 8): "MTE, and its asymmetric checks",
    ("pfr1", 24): "SME",
    ("isar1", 44): "EBF16, in the field of BF16",
    ("isar2", 4): "RPRES",
    ("isar3", 4): "FAMINMAX",
    ("isar3", 28): "FPRCVT",
    ("mmfr1", 44): "AFP",
}
#: Properties of `max` that qemu's has not: one model of each is enough.
_OWN = ("bti=off", "mte=on")
_MODELS = [
    model
    for model in AARCH64.models
    if not any(word in model.name for word in _OWN) or model.name == "max,mte=on"
]
#: The models that have SVE in qemu.
_WITH_SVE = ("max", "cortex-a710", "neoverse-n2", "neoverse-v1", "a64fx")


@pytest.fixture(scope="module")
def newer_qemu() -> str:
    """Its path."""
    return emulators.newer_qemu("aarch64")


@pytest.fixture(scope="module")
def identify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints the registers."""
    folder = tmp_path_factory.mktemp("identify")
    lines = "".join(
        f'__asm__ volatile("mrs %0, {register}" : "=r"(v)); printf("{name} %lx\\n", v);\n'
        for name, register in _REGISTERS.items()
    )
    source = folder / "identify.c"
    source.write_text(f"#include <stdio.h>\nint main(void) {{ unsigned long v;\n{lines} }}\n")
    program = folder / "identify"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    subprocess.run([compiler, "-static", "-o", str(program), str(source)], check=True)
    return program


@pytest.fixture
def ours_of(qusr: Callable[[str], Emulator], core: str | None) -> Ours:
    """What a program prints on a model of ours."""
    if core is not None and not core.startswith("native"):
        pytest.skip("about the native core")
    emulator = qusr("aarch64")
    return lambda model, program: emulator(program, options=["-cpu", model.name]).check().out


def _without_sve(model: CpuModel) -> str:
    """What qemu has to be told where it has SVE of itself and the model does not."""
    lacks = "sve" not in model.on_native().features and "sve=" not in model.name
    return ",sve=off" if lacks and model.name.startswith(_WITH_SVE) else ""


def _theirs(model: CpuModel) -> str:
    """The model as qemu calls it."""
    name = model.name.replace(",mte=on", "") + _without_sve(model)
    return name + (",sme=off" if name.startswith("max") else "")


def _output(*command: str | Path) -> str:
    run = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=120
    )
    return run.stdout


@pytest.mark.parametrize("model", _MODELS, ids=lambda m: m.name)
def test_id_registers(model: CpuModel, identify: Path, newer_qemu: str, ours_of: Ours) -> None:
    theirs = _output(newer_qemu, "-cpu", _theirs(model), identify)
    ours = ours_of(model, identify)
    wrong = []
    for their, our in zip(theirs.splitlines(), ours.splitlines(), strict=True):
        name = their.split()[0]
        values = [int(line.split()[1], 16) for line in (their, our)]
        if name == "midr":
            assert values[0] == values[1] == model.ident
            continue
        for low in range(0, 64, 4):
            want, got = (value >> low & 15 for value in values)
            if want != got and (name, low) not in _LACKING:
                wrong.append((name, low, want, got))
    assert not wrong


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that tries an instruction of each feature, and says which signal it got."""
    folder = tmp_path_factory.mktemp("probes")
    known = [feature for feature in AARCH64.features if feature.probe and feature.name != "cpuid"]
    vectors = "sve2+sve2-aes+sve2-bitperm+sve2-sha3+sve2-sm4+f32mm"
    scalar = "armv8.6-a+crypto+sha3+sm4+fp16fml+ssbs+sb+memtag+flagm+pauth"
    asm = [f".arch {scalar}+{vectors}", ".text"]
    for feature in known:
        asm += [f".globl probe_{feature.name}", f"probe_{feature.name}:"]
        # An address, and a size.
        asm += ["stp x29, x30, [sp, #-48]!", "add x29, sp, #16", "mov x2, #0", feature.probe]
        asm += ["nop", "nop", "ldp x29, x30, [sp], #48", "ret"]
    (folder / "probes.s").write_text("\n".join([*asm, ""]))
    calls = "".join(f"TRY({feature.name})\n" for feature in known)
    (folder / "main.c").write_text(
        f"""#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static sigjmp_buf back;
static void on_ill(int number) {{ siglongjmp(back, number); }}
#define TRY(name) do {{ \\
    extern void probe_##name(void); \\
    int number = sigsetjmp(back, 1); \\
    if (number == 0) probe_##name(); \\
    printf(#name " %d\\n", number); }} while (0);
int main(void) {{ signal(SIGILL, on_ill); {calls} }}
"""
    )
    program = folder / "probes"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    sources = [str(folder / name) for name in ("main.c", "probes.s")]
    subprocess.run([compiler, "-static", "-o", str(program), *sources], check=True)
    return program


def _tried(output: str) -> dict[str, str]:
    return dict(line.split() for line in output.splitlines())


@pytest.mark.parametrize("model", _MODELS, ids=lambda m: m.name)
def test_executes_what_it_has(
    model: CpuModel, probes: Path, newer_qemu: str, ours_of: Ours
) -> None:
    ours = _tried(ours_of(model, probes))
    # Cache maintenance is the same on every model.
    always = {"dcpop", "dcpodp"}
    ran = {name for name, number in ours.items() if number == "0"}
    assert ran | always == (model.on_native().features & set(ours)) | always
    theirs = _tried(_output(newer_qemu, "-cpu", _theirs(model), probes))
    differ = {name for name in ours if ours[name] != theirs[name]}
    # MSR of SSBS needs the field of ID_AA64PFR1_EL1 to be 2 (Arm ARM D23.2.86); qemu takes 1.
    assert differ <= {"mte", *always, *({"ssbs"} if "ssbs1" in model.hidden else ())}


#: What qemu fails of them.
_QEMU_FAILS = {
    # It has no PR_PAC_SET_ENABLED_KEYS.
    "pauth": {"keys_that_are_not_used"},
    "mops": set(),
    "hwcap": set(),
}


@pytest.mark.parametrize("program", _QEMU_FAILS)
def test_programs_are_right(
    program: str,
    newer_qemu: str,
    testbin: Callable[..., Path],
    tmp_path: Path,
) -> None:
    command = [newer_qemu, "-cpu", "max", str(testbin(f"c/cpu/{program}", "aarch64"))]
    run = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    lines = [line.split(":")[0].split() for line in run.stdout.splitlines()]
    assert lines
    assert {name for verdict, name in lines if verdict == "FAIL"} == _QEMU_FAILS[program]
