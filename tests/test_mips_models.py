"""MIPS' CPU models: which instructions they have, beside a newer qemu; DSP's state in frames."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulators import Emulator

# A program that executes one instruction, and leaves with status 7.
_PROGRAM = """
\t.set noreorder
\t.globl __start
__start:
\t.word {word:#x}
\tli $4, 7
\tli $2, {exit}
\tsyscall
"""
_COMPILERS = {
    "mipsel": ("mipsel-linux-gnu-gcc", ["-mips32r2"], 4001),
    "mips64el": ("mips64el-linux-gnuabi64-gcc", ["-mips3", "-mabi=64"], 5058),
}
_WORDS = {
    "movz $2, $4, $5": 0x0085100A,
    "clz $2, $4": 0x70821020,
    "ext $2, $4, 0, 8": 0x7C823800,
    "recip.d $f0, $f2": 0x46201015,
    "lwxc1 $f0, $0($29)": 0x4FA00000,
    "addq.ph $2, $4, $5": 0x7C851290,
    "addqh.ph $2, $4, $5": 0x7C851218,
    "mult $ac1, $4, $5": 0x00850818,
    "extr.w $2, $ac0, 3": 0x7C620038,
    "append $2, $4, 3": 0x7C821831,
}
_MODELS = [
    *(("mipsel", name) for name in ("24Kf", "34Kf", "74Kf")),
    *(("mips64el", name) for name in ("R4000", "VR5432", "5Kf", "20Kc", "5KEf")),
]
#: Where qemu is not as the processor under Linux is: RECIP is of MIPS IV (its manual), which Linux
#: enables (ST0_XX in configure_status() of arch/mips/kernel/traps.c).
_OTHERWISE = {
    "R4000": {"recip.d $f0, $f2": -signal.SIGILL},
    "VR5432": {"lwxc1 $f0, $0($29)": 7},
}
_FRAME = """
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
static long scale(void) { long v; __asm__ volatile("rddsp %0, 63" : "=r"(v)); return v; }
static long high(void) { long v; __asm__ volatile("mfhi %0, $ac3" : "=r"(v)); return v; }
static void handler(int number)
{
	__asm__ volatile("wrdsp %0, 63; mthi %0, $ac3; mtlo %0, $ac1" : : "r"(number));
}
int main(void)
{
	long low;
	signal(SIGUSR1, handler);
	__asm__ volatile("wrdsp %0, 63; mthi %0, $ac3; mtlo %0, $ac1" : : "r"(0x01230a15));
	raise(SIGUSR1);
	__asm__ volatile("mflo %0, $ac1" : "=r"(low));
	printf("%lx %lx %lx %lx\\n", getauxval(AT_HWCAP), scale(), high(), low);
}
"""


@pytest.fixture
def emulator(qusr: Callable[[str], Emulator], core: str | None) -> Callable[[str], Emulator]:
    if core is not None and not core.startswith("native"):
        pytest.skip("about the native core")
    return qusr


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """By guest and instruction."""
    folder = tmp_path_factory.mktemp("instructions")
    made = {}
    for guest, (compiler, options, number) in _COMPILERS.items():
        for text, word in _WORDS.items():
            source = folder / f"{guest}-{word:x}.s"
            source.write_text(_PROGRAM.format(word=word, exit=number))
            program = source.with_suffix("")
            command = [emulators.need(compiler), *options, "-nostdlib", "-static"]
            command += ["-mno-abicalls", "-fno-pic", "-o", str(program), str(source)]
            subprocess.run(command, check=True)
            made[guest, text] = program
    return made


@pytest.mark.parametrize(("guest", "model"), _MODELS)
def test_instructions(
    guest: str,
    model: str,
    programs: dict[tuple[str, str], Path],
    emulator: Callable[[str], Emulator],
) -> None:
    newer = emulators.newer_qemu(guest)
    ours, theirs = {}, {}
    for text in _WORDS:
        program = programs[guest, text]
        run = subprocess.run([newer, "-cpu", model, program], check=False, timeout=60)
        theirs[text] = run.returncode
        ours[text] = emulator(guest)(program, options=["-cpu", model]).status
    assert set(theirs.values()) <= {7, -signal.SIGILL}
    for text, status in _OTHERWISE.get(model, {}).items():
        assert theirs.pop(text) != ours.pop(text) == status
    assert ours == theirs


@pytest.mark.parametrize("checked", [False, True], ids=["", "checked"])
def test_frames(tmp_path: Path, emulator: Callable[[str], Emulator], checked: bool) -> None:
    """A handler's DSPControl and accumulators are its own."""
    (tmp_path / "frame.c").write_text(_FRAME)
    compiler = emulators.need("mipsel-linux-gnu-gcc")
    program = tmp_path / "frame"
    command = [compiler, "-mips32r2", "-mdspr2", "-static", "-O1", "-o", str(program)]
    subprocess.run([*command, str(tmp_path / "frame.c")], check=True)
    options = ["-cpu", "74Kf", *(("--core", "native,check") if checked else ())]
    done = emulator("mipsel")(program, options=options).check()
    # HWCAP_MIPS_DSP and _DSP2.
    assert done.out == "180 1230a15 1230a15 1230a15\n"
