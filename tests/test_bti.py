"""Branch target identification, compared with a newer qemu (tools/newer-qemu)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulators import Emulator

_HERE = Path(__file__).parent / "bti"
_BARE = ("-nostdlib", "-ffreestanding", "-fno-stack-protector")


def _built(source: str, folder: Path, *options: str) -> Path:
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    found = folder / source
    words = [compiler, "-O2", "-static", *options, "-o", str(found), str(_HERE / f"{source}.c")]
    subprocess.run(words, check=True)
    return found


@pytest.fixture
def ours(qusr: Callable[[str], Emulator], core: str | None) -> Emulator:
    if core is not None and not core.startswith("native"):
        pytest.skip("Unicorn has no such memory")
    return qusr("aarch64")


def _theirs(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [emulators.newer_qemu("aarch64"), "-cpu", "max", str(program), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("options", [[], ["-opt", "no-all"], ["-core", "native,check"]])
def test_which_branches_lead_where(options: list[str], ours: Emulator, tmp_path: Path) -> None:
    program = _built("matrix", tmp_path, "-pthread", "-march=armv8.5-a")
    judged = _theirs(program)
    refused = judged.stdout.count("signal 4 code 1 at 0 pc 0")
    assert (judged.returncode, refused) == (0, 79)
    assert ours(program, options=options).check().out == judged.stdout


@pytest.mark.parametrize("words", [[], ["1"]])
def test_marked_programs(words: list[str], ours: Emulator, tmp_path: Path) -> None:
    program = _built("marked", tmp_path, *_BARE, "-mbranch-protection=standard")
    judged = _theirs(program, *words)
    run = ours(program, *words)
    assert (run.status, run.out) == (judged.returncode, judged.stdout)
    assert run.status == (-4 if words else 0)
    # Translations that were kept, too.
    again = ours(program, *words)
    assert (again.status, again.out) == (run.status, run.out)


@pytest.mark.parametrize("model", ["max,bti=off", "cortex-a72"])
def test_processors_without_it_run_them(model: str, ours: Emulator, tmp_path: Path) -> None:
    program = _built("marked", tmp_path, *_BARE, "-mbranch-protection=standard")
    assert ours(program, "1", options=["-cpu", model]).status == 0
