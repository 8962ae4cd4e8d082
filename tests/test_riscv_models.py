"""RISC-V's CPU models beside a newer qemu's (tools/newer-qemu), and vectors of all lengths."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qusr.arch.riscv.cpu import RISCV64
from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.arch.base import CpuModel
    from tests.emulators import Emulator


#: Bits of RISCV_HWPROBE_KEY_IMA_EXT_0 that qemu's models have and no core of ours: total store
#: order; pointer masking; counters of events.
_LACKING = {33: "Ztso", 49: "Supm", 51: "Zihpm"}
#: Subsets of I, M, A, F, D, C and V, of which qemu tells for some processors only. The kernel
#: takes them from the whole (`riscv_isa_ext` of cpufeature.c).
_PARTS = {37, 38, 39, 40, 41, 43, 45, 46, 56, 57}
#: Bits beyond those that the kernel had in 6.12.
_LATER = {59, 60, 61, 62}
#: Processors that have instructions of their makers' own, which no core of ours has. Programs take
#: mvendorid for the right to use them, so it is 0.
_OWN = {"thead-c906", "thead-c908", "thead-c908v", "veyron-v1", "mips-p8700"}
_TELLS = """
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
	struct { long key; unsigned long value; } pairs[] = {
		{ 4 }, { 0 }, { 3 }, { 5 }, { 6 }, { 12 },
	};
	long answer = syscall(258, pairs, 6, 0, 0, 0);
	printf("%ld %lx %lx", answer, pairs[0].value, getauxval(AT_HWCAP));
	for (int n = 1; n < 6; n++)
		printf(" %ld:%lx", pairs[n].key, pairs[n].value);
	printf("\\n");
}
"""


@pytest.fixture(scope="module")
def newer_qemu() -> str:
    """Its path."""
    return emulators.newer_qemu("riscv64")


@pytest.fixture(scope="module")
def tells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints what hwprobe(2) and AT_HWCAP say."""
    folder = tmp_path_factory.mktemp("tells")
    (folder / "tells.c").write_text(_TELLS)
    program = folder / "tells"
    compiler = emulators.need("riscv64-linux-gnu-gcc")
    subprocess.run([compiler, "-static", "-o", program, folder / "tells.c"], check=True)
    return program


@pytest.fixture
def emulator(qusr: Callable[[str], Emulator], core: str | None) -> Emulator:
    if core is not None and not core.startswith("native"):
        pytest.skip("about the native core")
    return qusr("riscv64")


def _bits(value: int) -> set[int]:
    return {bit for bit in range(64) if value >> bit & 1}


def _named(model: CpuModel) -> bool:
    """It is qemu's, and has the compressed instructions that the C library is made of."""
    return model.name.split(",")[0] != "any" and "f" in model.features


@pytest.mark.parametrize("model", [m for m in RISCV64.models if _named(m)], ids=lambda m: m.name)
def test_extensions(model: CpuModel, tells: Path, newer_qemu: str, emulator: Emulator) -> None:
    ours = emulator(tells, options=["-cpu", model.name]).check().out
    name = model.name.replace("=on", "=true").replace("=off", "=false")
    run = subprocess.run(
        [newer_qemu, "-cpu", name, tells],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    answer, told, hwcap, vendor, *rest = run.stdout.split()
    ours_answer, ours_told, ours_hwcap, ours_vendor, *ours_rest = ours.split()
    assert answer == ours_answer == "0"
    assert hwcap == ours_hwcap
    # Whether I, M and A are there, whether misaligned accesses are fast, the blocks of CBO.*.
    assert rest == ours_rest
    assert vendor == ours_vendor or (model.name in _OWN and ours_vendor == "0:0")
    aside = set(_LACKING) | _PARTS | _LATER
    if model.name.endswith(",v=off"):
        # qemu leaves cryptography with vectors when it takes these away.
        aside |= set(range(17, 27)) | {30, 31, 53, 54}
    assert _bits(int(told, 16)) - aside == _bits(int(ours_told, 16)) - aside


@pytest.mark.parametrize("length", [128, 256, 512, 1024])
def test_lengths_of_vectors(length: int, emulator: Emulator, testbin: Callable[..., Path]) -> None:
    program = testbin("c/riscv/vectors", "riscv64")
    for checked in ((), ("--core", "native,check")):
        result = emulator(program, options=["-cpu", f"rv64,v=on,vlen={length}", *checked])
        assert "FAIL" not in result.check().out


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ("rv64,vlen=100", "'vlen=100' is not PROPERTY=on|off"),
        ("rv64,v=off,vlen=256", "these exclude each other"),
        ("sifive-u54,v=on", "sifive-u54 has no property 'v'"),
    ],
)
def test_refusals(asked: str, wrong: str, tells: Path, emulator: Emulator) -> None:
    result = emulator(tells, options=["-cpu", asked])
    assert result.status != 0
    assert wrong in result.err
    assert len(result.err.splitlines()) == 1
