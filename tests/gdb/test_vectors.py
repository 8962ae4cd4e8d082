"""Registers that are as long as the processor has them (RISC-V's vectors): gdb, and core files."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.emulators import ENVIRONMENT, Emulator, need
from tests.gdb.conftest import Begin, in_order

NT_RISCV_VECTOR = 0x901
"""include/uapi/linux/elf.h"""


@pytest.fixture(autouse=True)
def _with_vectors(core: str | None) -> None:
    if core is not None and not core.startswith("native"):
        pytest.skip("Unicorn has no vectors")


@pytest.mark.parametrize("length", [128, 256, 1024])
def test_gdb_shows_and_sets_them(begin: Begin, length: int) -> None:
    size = length // 8
    program = begin("riscv64", "vectors", cpu=f"rv64,v=on,vlen={length}")
    text = program.gdb(
        "print $vlenb\nbreak here\ncontinue\nprint $vl\nprint/x $vtype\nprint/x $v9.b\n"
        "print/x $v9.l[0]\nset var $v9.b[0] = 0x77\nprint/x $v9.w[0]\ninfo registers vcsr\n"
        "continue\n"
    )
    first = sum((size + n & 0xFF) << 8 * n for n in range(8))
    in_order(
        text, rf"\$1 = {size}\n", r"Breakpoint 1, ", rf"\$2 = {8 * size}\n", r"\$3 = 0xc3\n",
        rf"\$4 = {{{size & 0xFF:#x}, {size + 1 & 0xFF:#x}, ", rf"\$5 = {first:#x}\n",
        rf"\$6 = 0x{first & 0xFFFFFF00 | 0x77:x}\n", r"vcsr +0x0", "exited normally",
    )  # fmt: skip
    assert program.end()[0] == 0


def test_without_vectors_there_are_none(begin: Begin) -> None:
    program = begin("riscv64", "plain", cpu="rv64,v=off")
    in_order(program.gdb("info registers v1\n"), "Invalid register `v1'")


@pytest.mark.parametrize("length", [128, 1024])
def test_core_files_have_them(
    qusr: Callable[[str], Emulator], built: Callable[[str, str], Path], tmp_path: Path, length: int
) -> None:
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith(("/", "|", "@")):
        pytest.skip("core files go to one place for all")
    size = length // 8
    emulator = qusr("riscv64")
    words = [need("prlimit"), f"--core={resource.RLIM_INFINITY & (1 << 64) - 1}:unlimited"]
    words += [*emulator.prefix, "-cpu", f"rv64,v=on,vlen={length}"]
    subprocess.run(
        [*words, str(built("riscv64", "vectors")), "dies"],
        cwd=tmp_path, env={**ENVIRONMENT, **emulator.environment}, check=False, timeout=60,
    )  # fmt: skip
    (core,) = tmp_path.glob("*core*")
    with core.open("rb") as file:
        notes = [
            note["n_descdata"]
            for segment in ELFFile(file).iter_segments("PT_NOTE")
            for note in segment.iter_notes()  # type: ignore[attr-defined]
            if (note["n_name"], note["n_type"]) == ("LINUX", NT_RISCV_VECTOR)
        ]
    (data,) = notes
    # struct __riscv_v_regset_state: vstart, vl, vtype, vcsr, vlenb, then the registers.
    status = [int.from_bytes(data[at : at + 8], "little") for at in range(0, 40, 8)]
    assert status == [0, 8 * size, 0xC3, 0, size]
    assert data[40 + 8 * size : 40 + 16 * size] == bytes(n & 0xFF for n in range(8 * size))
    assert len(data) == 40 + 32 * size
