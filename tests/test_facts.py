"""What the extension has of Python's declarations is what they say now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from qusr import _native, arch, facts
from qusr.options import OPTIONS
from tests.emulators import REPO


def test_the_extension_was_built_from_these_declarations() -> None:
    """Where this fails, the extension is older than the sources: build it again."""
    assert _native.facts() == facts.everything()


def test_they_are_written_without_the_extension(tmp_path: Path) -> None:
    """The build does it before there is one, and always in the same order."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.modules['qusr._native'] = None;"
        "from qusr import facts; facts.main()"
    )
    out = tmp_path / "facts"
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-S", "-c", code, str(REPO), str(out)],
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        assert out.read_bytes() == _native.facts()


def test_machines_are_what_their_declarations_compute() -> None:
    for guest in arch.guests():
        found = arch.by_name(guest.name)
        assert found is not None
        for model in found.models:
            for variant in guest.abis:
                if found.lacks(model, variant):
                    continue
                machine = _native.Machine(guest.name, variant, cpu=model.name)
                native = machine.native_options is not None
                seen = model.on_native() if native else model
                assert machine.hwcap == found.hwcap(seen)
                assert machine.uname == found.uname_of(seen).encode()
                assert machine.platform == found.platform_of(seen).encode()
                assert machine.kernel_pages == found.kernel_pages(variant)
                *known, features = machine.core
                assert known == [
                    guest.abis[variant].core,
                    model.unicorn,
                    found.system_registers(seen),
                ]
                # The core is told by what length programs begin, too.
                lengths = ("sve1", "sve2", "sve3", "sve5", "sve6", "sve7", "sve8", "sve-")
                more = [name for name in features if name.startswith(lengths)]
                rest = [name for name in found.core_features(seen) if name not in more]
                assert [name for name in features if name not in more] == rest


def test_titles_are_for_any_machine() -> None:
    assert _native.machine_title(183, 64, True) == "big-endian AArch64"
    assert _native.machine_title(183, 32, False) == "AArch64 ILP32"
    assert _native.machine_title(8, 64, False) == "little-endian MIPS64"
    assert _native.machine_title(8, 32, True) == "MIPS"
    assert _native.machine_title(8, 32, True, 0x20) == "MIPS N32"
    assert _native.machine_title(15, 32, True) == "PA-RISC"
    assert _native.machine_title(22, 64, True) == "s390x"
    assert _native.machine_title(0x1234, 64, False) == "unknown machine 4660 (64-bit)"


def test_options_have_their_own_names() -> None:
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
