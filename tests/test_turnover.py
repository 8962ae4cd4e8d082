"""The native core's code cache when it is full, again and again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import Emulator

CACHE = 128 << 10
MOST_ARENAS = 8
"""One of the cache, and what threads that were just running may keep."""


def _arenas(pid: int) -> int:
    """The mappings of the size of a code cache that can be written and executed."""
    count = 0
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights = line.split()[:2]
        start, end = (int(part, 16) for part in span.split("-"))
        if rights.startswith("rwx"):
            # Neighbours are one mapping to the kernel.
            count += (end - start) // CACHE
    return count


def test_old_generations_go(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path], core: str | None, tmp_path: Path
) -> None:
    """Threads asleep in system calls keep no generation of translated code; faults, signals and
    children beside the turnover do no harm (the program checks that itself)."""
    if core is not None and not core.startswith("native"):
        pytest.skip("about the native core")
    emulator = qusr("aarch64")
    command = [*map(str, emulator.prefix), "-opt", f"cache={CACHE >> 10}K"]
    environment = {**os.environ, **emulator.environment, "TURNOVER_WAIT": "1"}
    with subprocess.Popen(
        [*command, str(testbin("c/cpu/turnover", "aarch64"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            assert 1 <= _arenas(process.pid) <= MOST_ARENAS
            out, _ = process.communicate("x", timeout=100)
            assert (process.returncode, out) == (0, "ok beside_threads\n")
        finally:
            process.kill()
