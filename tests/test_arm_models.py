"""32-bit ARM's CPU models on the translator: what each executes, and what it says of itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from qusr.arch.arm import cpu as arm
from qusr.arch.base import NATIVE_ONLY, CpuModel
from tests.emulators import need, qusr_command

PREFIX = "arm-linux-gnueabi-"
QUSR_ARM = qusr_command("qusr-arm")
#: What shows the features that AT_HWCAP does not tell of, and versions of the architecture:
#: with the models that have them, by the reference manuals.
_V5 = {"arm926", "arm946", "arm1026"}
_V6 = {*_V5, "arm1136-r2"}
_V6K = {*_V6, "arm1136", "arm1176", "arm11mpcore"}
_ALL = {model.name for model in arm.ARM.models}
_V7 = _ALL - _V6K
_V8 = _V7 - {f"cortex-a{n}" for n in (5, 7, 8, 9, 15, 17)}
_V81 = {"cortex-a55", "cortex-a76", "max"}
OTHERS = {
    "v5te": ("clz r0, r1", _ALL),
    "v6": ("rev r0, r1", _ALL - _V5),
    "v6k": ("clrex", _ALL - _V6),
    "v6t2": ("movw r0, #1", _V7),
    "v7": ("dmb ish", _V7),
    "v8": ("lda r0, [sp]", _V8),
    "fpv8": ("vrinta.f32 s0, s1", _V8),
    "mp": ("pldw [sp]", _V7 - {"cortex-a8"}),
    "halfconv": ("vcvtb.f32.f16 s0, s1", _V7 - {"cortex-a8"}),
    "rdm": ("vqrdmlah.s16 q0, q1, q2", _V81),
    "fcma": ("vcadd.f32 q0, q1, q2, #90", {"max"}),
    "jscvt": ("vjcvt.s32.f64 s0, d1", {"max"}),
}
#: Told of by the kernel, but executed (or emulated) by all.
_EVERYWHERE = {"swp", "half", "fastmult", "edsp"}

PROBES = {f.name: f.probe for f in arm.ARM.features if f.probe} | {
    name: code for name, (code, _) in OTHERS.items()
}

SOURCE = r"""
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

static sigjmp_buf back;

static void caught(int sig) { siglongjmp(back, sig); }

PROBES

static const struct { const char *name; void (*run)(void); } probes[] = { LIST };

int main(void)
{
    int signals[] = { SIGILL, SIGSEGV, SIGBUS };
    struct sigaction act = { .sa_handler = caught, .sa_flags = SA_NODEFER };
    for (int n = 0; n < 3; n++)
        sigaction(signals[n], &act, NULL);
    for (unsigned n = 0; n < sizeof probes / sizeof *probes; n++) {
        int sig = sigsetjmp(back, 1);
        if (!sig)
            probes[n].run();
        printf("%s %d\n", probes[n].name, sig);
    }
    /* The helpers, on processors that lack what they are made of, too. */
    int word = 7, (*cmpxchg)(int, int, volatile int *) = (void *)0xffff0fc0;
    void *(*get_tls)(void) = (void *)0xffff0fe0;
    int swapped = !cmpxchg(7, 9, &word) && word == 9 && cmpxchg(7, 8, &word) && word == 9;
    printf("helpers %d\n", !swapped || !get_tls());
    struct utsname u;
    uname(&u);
    printf("says %lx %lx %s %s\n", getauxval(AT_HWCAP), getauxval(AT_HWCAP2),
           (char *)getauxval(AT_PLATFORM), u.machine);
    return 0;
}
"""
# lr is 0, for an old processor to which a T32 instruction is the end of a T16 call: it leads to
# where nothing is mapped.
PROBE = """
.align 2
.arm
.global probe_NAME
.type probe_NAME, %function
probe_NAME:
push {r0, r1, r4, lr}
mov lr, #0
CODE
add sp, #8
pop {r4, pc}
"""
THUMB = "adr r0, 1f + 1\nbx r0\n.thumb\n1:\nCODE\nbx pc\nnop\n.arm"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program for Armv5TE that tries all probes."""
    folder = tmp_path_factory.mktemp("models")
    text = ".syntax unified\n"
    for name, code in PROBES.items():
        thumb = code.startswith(".thumb\n")
        body = THUMB.replace("CODE", code.removeprefix(".thumb\n")) if thumb else code
        text += PROBE.replace("NAME", name).replace("CODE", body)
    asm, source, out = (folder / name for name in ("probes.s", "models.c", "models"))
    asm.write_text(text)
    rows = ", ".join(f'{{ "{name}", probe_{name} }}' for name in PROBES)
    declarations = "\n".join(f"void probe_{name}(void);" for name in PROBES)
    source.write_text(SOURCE.replace("PROBES", declarations).replace("LIST", rows))
    march = ["-march=armv8.6-a", "-mfpu=crypto-neon-fp-armv8.1", "-mno-warn-deprecated"]
    subprocess.run([f"{PREFIX}as", *march, "-o", str(asm) + ".o", str(asm)], check=True)
    command = [f"{PREFIX}gcc", "-static", "-marm", "-march=armv5te", "-O1", "-o", str(out)]
    subprocess.run([*command, str(source), str(asm) + ".o"], check=True)
    return out


def output(*command: str) -> dict[str, str]:
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


@pytest.mark.parametrize("model", arm.ARM.models, ids=lambda m: m.name)
def test_executes_what_it_has(program: Path, model: CpuModel) -> None:
    found = output(QUSR_ARM, "-core", "native", "-cpu", model.name, str(program))
    has = model.on_native().features | _EVERYWHERE
    has |= {name for name, (_, models) in OTHERS.items() if model.name in models}
    ran = {name for name in PROBES if found[name] == "0"}
    assert ran == has & set(PROBES)
    assert found["helpers"] == "0"
    hwcap, hwcap2 = arm.ARM.hwcap(model.on_native())
    names = f"{arm.ARM.platform_of(model)} {arm.ARM.uname_of(model)}"
    assert found["says"] == f"{hwcap:x} {hwcap2:x} {names}"


#: Bits on which qusr differs, by what the kernel does: it takes SWP back where there is LDREXB
#: (elf_hwcap_fixup) and reports EDSP on ARMv5TE; ThumbEE is in no kernel of today.
_SWP, _THUMBEE = 1 << 0, 1 << 11


@pytest.mark.parametrize("model", arm.ARM.models, ids=lambda m: m.name)
def test_says_what_qemu_says(program: Path, model: CpuModel) -> None:
    """And executes what it executes, of features that AT_HWCAP tells of."""
    qemu = need("qemu-arm")
    known = subprocess.run([qemu, "-cpu", "help"], capture_output=True, text=True, check=False)
    if model.name not in known.stdout.split() or model is arm.ARM.default_model:
        pytest.skip("not a CPU of qemu's, or one that is what its emulator can")
    theirs = output(qemu, "-cpu", model.name, str(program))
    ours = output(QUSR_ARM, "-cpu", model.name, str(program))
    for name in PROBES:
        assert (name, ours[name] == "0") == (name, theirs[name] == "0")
    [hwcap, hwcap2, *_], [mine, mine2, *_] = theirs["says"].split(), ours["says"].split()
    assert int(hwcap, 16) & ~_THUMBEE | _SWP == int(mine, 16) | _SWP
    assert hwcap2.lstrip("0") == mine2.lstrip("0")


def test_cpuinfo_of_old_ones() -> None:
    """By a kernel's output on an ARM926EJ-S: model name, features, architecture of the MIDR."""
    model = arm.ARM.model("arm926")
    assert model is not None
    lines = arm.ARM.cpuinfo(model, [0]).splitlines()
    assert lines[1] == "model name\t: ARM926EJ-S rev 5 (v5l)"
    assert lines[3] == "Features\t: swp half thumb fastmult vfp edsp "
    assert "CPU architecture: 5TEJ" in lines
    assert "CPU part\t: 0x926" in lines


def test_unicorn_lacks_some(program: Path) -> None:
    """One line says so."""
    for model in arm.ARM.models:
        if model.unicorn != NATIVE_ONLY:
            continue
        command = [QUSR_ARM, "-core", "unicorn", "-cpu", model.name, str(program)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode != 0
        assert re.fullmatch(rf".*{model.name}: only the core native has this CPU\n", run.stderr)
