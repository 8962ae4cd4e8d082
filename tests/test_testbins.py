"""Every self-checking program of testbins/: its exit status (or signal), its output."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qusr import _native
from testbins import build
from tests.emulators import SAMPLED, Emulator, Result, TooLongError, is_sampled_out

# The emulators' names for the targets that are variants of one ISA.
ISA = {"armel": "arm", "thumb": "arm", "armeb32": "armeb", "amd64": "x86_64"}


def _programs() -> Iterator[object]:
    for source in build.sources():
        if source.name.startswith("hello/"):
            continue
        for program in source.programs():
            # Its root is only there where the slow tests are run.
            guest = "" if program.arch == build.NATIVE else ISA.get(program.arch, program.arch)
            late = program.dynamic and guest in SAMPLED
            slow = late or "slow" in source.settings or is_sampled_out(guest, source.name)
            name = str(program.path.relative_to(build.BUILD))
            yield pytest.param(program, id=name, marks=[pytest.mark.slow] if slow else [])


def _run(
    emulator: Emulator, program: build.Program, folder: Path, timeout: float | None = None
) -> Result:
    source = program.source
    folder.mkdir()
    limit = timeout or (900 if "slow" in source.settings else 120)
    return emulator(program.path, *source.args, cwd=folder, timeout=limit)


def _reference(emulator: Emulator, program: build.Program, folder: Path) -> Result | None:
    """qemu-user's run, unless it hangs on this program."""
    if not program.source.has_reference:
        return None
    try:
        return _run(emulator, program, folder, timeout=20)
    except TooLongError:
        name = program.source.name
        warnings.warn(f"{name} hangs under qemu-user: // no-reference?", stacklevel=1)
        return None


@pytest.mark.parametrize("program", list(_programs()))
def test_program(
    program: build.Program,
    qusr: Callable[[str], Emulator],
    qemu: Callable[[str], Emulator],
    native: Emulator,
    core: str | None,
    testbin: Callable[..., Path],
    root: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    # Unicorn is the default where the processor lacks what the native core wants (QUSR_MASK_CPU).
    refused = core is None and _native.Machine("aarch64", "").native_options is None
    if (core == "unicorn" or refused) and "native-core" in program.source.settings:
        pytest.skip("has instructions that only the native core executes")
    testbin(program.source.name, program.arch, dynamic=program.dynamic)
    if program.arch == build.NATIVE:
        # The program itself is right only if it finds no fault with a real kernel.
        _run(native, program, tmp_path / "native").check(program.source.status)
        return
    isa = ISA.get(program.arch, program.arch)
    emulator, reference = qusr(isa), qemu(isa)
    if program.dynamic:
        prefix = ("-L", str(root(isa)))
        emulator = Emulator((*emulator.prefix, *prefix), emulator.environment)
        reference = Emulator((*reference.prefix, *prefix), reference.environment)
    result = _run(emulator, program, tmp_path / "qusr").check(program.source.status)
    expected = _reference(reference, program, tmp_path / "qemu")
    # Some programs find faults in qemu-user: their own verdict on qusr is then all there is.
    if expected is None:
        return
    if expected.status == program.source.status and "varies" not in program.source.settings:
        assert result.out == expected.out
