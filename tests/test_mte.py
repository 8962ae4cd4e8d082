"""Memory tagging: what programs see of it, compared with a newer qemu (tools/newer-qemu)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulators import Emulator

_SOURCE = Path(__file__).parent / "mte" / "program.c"
_ON = ["-cpu", "max,mte=on"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It does all that programs can do with tags."""
    found = tmp_path_factory.mktemp("mte") / "program"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    options = ["-O1", "-static", "-march=armv8.5-a+memtag"]
    subprocess.run([compiler, *options, "-o", str(found), str(_SOURCE)], check=True)
    return found


@pytest.fixture
def ours(qusr: Callable[[str], Emulator], core: str | None) -> Emulator:
    if core is not None and not core.startswith("native"):
        pytest.skip("Unicorn has no tags in memory")
    return qusr("aarch64")


def _judged(program: Path) -> str:
    command = [emulators.newer_qemu("aarch64"), "-cpu", "max", str(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("options", [[], ["-opt", "no-all"]])
def test_programs(options: list[str], program: Path, ours: Emulator) -> None:
    judged = _judged(program)
    assert judged.count("code 9") > 100
    assert ours(program, options=[*_ON, *options]).check().out == judged


def test_the_kernel_s_part(program: Path, ours: Emulator) -> None:
    """What qemu does not do of Documentation/arch/arm64/memory-tagging-extension.rst."""
    lines = ours(program, "more", options=_ON).check().out.splitlines()
    first = lines.index("right dc zva, x0:  base 0")
    assert lines[first : first + 6] == [
        "right dc zva, x0:  base 0",
        "wrong dc zva, x0: signal 11 code 9 at 2048 base 0",
        "write 16",
        "write -1 14",
        "read -1 14",
        "writev 16",
    ]
    assert lines[-10:] == [
        "still: 11 11 11 11",
        "moved: 11 11 11 11",
        "tail: 0 0",
        "dropped: 0 0 0 0",
        "kept: 4 4 4 4",
        "replaced: 0 0",
        "read-only stg x0, [x0]: signal 11 code 2 at 0 base 0",
        "read-only strb w1, [x0]: signal 11 code 2 at 0 base 0",
        "read-only ldrb w1, [x0]: signal 11 code 9 at 0 base 0",
        "file 22",
    ]


def test_without_it_is_undefined(program: Path, ours: Emulator) -> None:
    run = ours(program)
    # PR_SET_TAGGED_ADDR_CTRL knows no checks; IRG is SIGILL.
    assert run.status == -4
    assert "control 2: -1, then 1" in run.out
