"""Pointer authentication as tracers see it (what programs do with it is in testbins/c/cpu)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulators import Emulator


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It traces a child of its own."""
    found = tmp_path_factory.mktemp("pauth") / "keys"
    source = Path(__file__).parent / "pauth" / "keys.c"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    subprocess.run([compiler, "-O2", "-static", "-o", str(found), str(source)], check=True)
    return found


@pytest.mark.parametrize("model", ["max", "max,pauth-qarma5=on", "neoverse-v1"])
def test_tracers_see_the_keys(
    model: str, program: Path, qusr: Callable[[str], Emulator], core: str | None
) -> None:
    if core is not None and not core.startswith("native"):
        pytest.skip("Unicorn has no keys")
    assert qusr("aarch64")(program, options=["-cpu", model]).check().out == "ok\n"


def test_without_there_are_none(program: Path, qusr: Callable[[str], Emulator]) -> None:
    run = qusr("aarch64")(program, options=["-cpu", "cortex-a72"])
    # PTRACE_GETREGSET of the masks: EINVAL.
    assert (run.status, "MASK" in run.out, "errno 22" in run.out) == (1, True, True)
