"""Guests in a process of little memory are told ENOMEM; the emulator does not end."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import Emulator


@pytest.mark.parametrize("megabytes", [300, 450, 600])
def test_address_space(
    qusr: Callable[[str], Emulator],
    testbin: Callable[..., Path],
    tmp_path: Path,
    megabytes: int,
) -> None:
    """Of RLIMIT_AS half is the guest's; the records of its mappings come out of the other half."""
    program = testbin("c/memory/exhausted", "aarch64")
    emulator = qusr("aarch64")
    limit = megabytes << 20
    run = subprocess.run(
        [*emulator.prefix, str(program), "small"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "ok small\n", "")
