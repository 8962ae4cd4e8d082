"""SVE: what programs see of it, on models with different vector lengths."""

from __future__ import annotations

import signal
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests import emulators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulators import Emulator

_SOURCE = Path(__file__).parent / "sve" / "program.c"
#: include/uapi/linux/elf.h
_NT_ARM_SVE = 0x405
_PAUTH = (0x406, 0x407, 0x408, 0x40A)
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


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It traces a child of its own; its argument is the longest length."""
    found = tmp_path_factory.mktemp("sve") / "traced"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    options = ["-O2", "-static", "-march=armv8.2-a+sve"]
    source = _SOURCE.with_name("traced.c")
    subprocess.run([compiler, *options, "-o", str(found), str(source)], check=True)
    return found


@pytest.mark.parametrize("model", [model for model in _LENGTHS if model != "cortex-a710"])
def test_tracers_see_them(model: str, traced: Path, ours: Emulator) -> None:
    run = ours(traced, str(_LENGTHS[model][-1]), options=["-cpu", model])
    assert run.check().out == "ok\n"


@pytest.mark.parametrize("bits", [128, 512])
def test_core_files_have_them(bits: int, traced: Path, ours: Emulator, tmp_path: Path) -> None:
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith(("/", "|", "@")):
        pytest.skip("core files go to one place for all")
    words = [emulators.need("prlimit"), f"--core={(1 << 64) - 1}:unlimited", *ours.prefix]
    options = ["-cpu", f"max,sve{bits}=on,sve-default-vector-length={bits // 8}"]
    subprocess.run(
        [*words, *options, str(traced)],
        cwd=tmp_path, env={**emulators.ENVIRONMENT, **ours.environment}, check=False, timeout=60,
    )  # fmt: skip
    (core,) = tmp_path.glob("*core*")
    with core.open("rb") as file:
        notes = {
            note["n_type"]: note["n_descdata"]
            for segment in ELFFile(file).iter_segments("PT_NOTE")
            for note in segment.iter_notes()  # type: ignore[attr-defined]
            if note["n_name"] == "LINUX"
        }
    data, length = notes[_NT_ARM_SVE], bits // 8
    # struct user_sve_header: size, max_size, vl, max_vl, flags (SVE_PT_REGS_SVE).
    assert struct.unpack_from("<IIHHH", data) == (len(data), len(data), length, length, 1)
    assert data[16 + 5 * length : 16 + 6 * length] == bytes([42]) * length
    predicate = 16 + 32 * length + 3 * length // 8
    assert data[predicate : predicate + length // 8] == b"\xff" * (length // 8)
    assert set(_PAUTH) <= set(notes)


def test_gdb_shows_and_sets_them(traced: Path, ours: Emulator, tmp_path: Path) -> None:
    gdb = emulators.need("gdb-multiarch")
    socket = tmp_path / "socket"
    words = [*ours.prefix, "-cpu", "max,sve256=on", "-g", str(socket), str(traced), "32"]
    # Of the parent, which has no vectors of its own yet.
    commands = [
        f"target remote {socket}", "break main", "continue", "print $vg",
        "set var $z3.b.u[17] = 0x5a", "print/x $z3.s.u[4]", "set var $p2[3] = 0x7e",
        "print/x $p2[3]", "print sizeof($z3)", "print sizeof($p2)", "set var $v3.b.u[0] = 1",
        "print $z3.b.u[0]", "kill",
    ]  # fmt: skip
    script = [word for command in commands for word in ("-ex", command)]
    with subprocess.Popen(words, env={**emulators.ENVIRONMENT, **ours.environment}) as program:
        out = subprocess.run(
            [gdb, "-nx", "-batch", "-ex", "set confirm off", *script, str(traced)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        program.kill()
    shown = [line.partition(" = ")[2] for line in out.stdout.splitlines() if line.startswith("$")]
    assert shown == ["4", "0x5a00", "0x7e", "32", "4", "1"], out.stdout + out.stderr


@pytest.mark.parametrize("length", [16, 32, 48, 256])
def test_big_endian_memory(
    length: int, qusr: Callable[[str], Emulator], core: str | None, tmp_path: Path
) -> None:
    """Each kind of load and store in a big-endian program, against a newer qemu."""
    if core is not None and not core.startswith("native"):
        pytest.skip("about the native core")
    program = tmp_path / "big_endian"
    compiler = emulators.need("aarch64-linux-gnu-gcc")
    options = ["-O2", "-mbig-endian", "-static", "-nostdlib", "-ffreestanding"]
    options += ["-fno-stack-protector", "-march=armv8.2-a+sve"]
    source = _SOURCE.with_name("big_endian.c")
    subprocess.run([compiler, *options, "-o", str(program), str(source)], check=True)
    first = f"sve-default-vector-length={length}"
    command = [emulators.newer_qemu("aarch64_be"), "-cpu", f"max,{first}", str(program)]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert len(judged.splitlines()) == 153
    run = qusr("aarch64_be")(program, options=["-cpu", f"max,sve=on,{first}"])
    assert run.check().out == judged
