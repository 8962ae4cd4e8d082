"""SVE: what programs see of it, on models with different vector lengths."""

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

_SOURCE = Path(__file__).parent / "sve" / "program.c"
#: Models, and their vector lengths in bytes.
_LENGTHS = {
    "max,sve=on": range(16, 257, 16),
    "max,sve256=on": (16, 32),
    "max,sve-max-vq=3": (16, 32, 48),
    "max,sve512=on,sve256=on,sve-default-vector-length=32": (16, 32, 64),
    "a64fx": (16, 32, 64),
    "neoverse-v1": (16, 32),
    "cortex-a710": (16,),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It checks itself, at each length that there is."""
    found = tmp_path_factory.mktemp("sve") / "program"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    options = ["-O2", "-static", "-march=armv8.2-a+sve", "-pthread"]
    subprocess.run([compiler, *options, "-o", str(found), str(_SOURCE)], check=True)
    return found


@pytest.fixture
def ours(qusr: Callable[[str], Emulator], core: str | None) -> Emulator:
    """The native core."""
    if core is not None and not core.startswith("native"):
        pytest.skip("about the native core")
    return qusr("aarch64")


@pytest.mark.parametrize("model", _LENGTHS)
def test_a_program_on(model: str, program: Path, ours: Emulator) -> None:
    out = ours(program, options=["-cpu", model]).check().out
    assert out.split() == [*map(str, _LENGTHS[model]), "ok"]


@pytest.mark.parametrize("model", ["max", "a64fx,sve=off", "cortex-a72"])
def test_without(model: str, program: Path, ours: Emulator) -> None:
    # RDVL is the first thing that it does.
    assert ours(program, options=["-cpu", model]).status == -signal.SIGILL


@pytest.mark.parametrize(
    "model",
    ["a64fx,sve1024=on", "max,sve-max-vq=17", "max,sve512=on,sve256=off", "cortex-a72,sve256=on"],
)
def test_lengths_that_there_are_not(model: str, program: Path, ours: Emulator) -> None:
    run = ours(program, options=["-cpu", model])
    assert run.status != 0
    assert len(run.err.splitlines()) == 1
    assert "-cpu" in run.err
