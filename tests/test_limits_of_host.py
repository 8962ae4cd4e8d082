"""Guests in a process of little memory are told ENOMEM; the emulator does not end."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import ENVIRONMENT, Emulator, qusr_command


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


@pytest.mark.parametrize("which", [resource.RLIMIT_DATA, resource.RLIMIT_AS])
def test_an_inherited_limit_of_200_mb(
    which: int, qusr: Callable[[str], Emulator], root: Callable[..., Path]
) -> None:
    """Which is enough: for a shell with children, for Python's start (-strace), without a store."""
    sysroot = root("aarch64")
    emulator = qusr("aarch64")
    limit = 200 << 20
    script = f"ulimit -{'d' if which == resource.RLIMIT_DATA else 'v'}; (echo sub); ls / | wc -l"
    for words in ((), ("-strace",)):
        for store in ({}, {"QUSR_CACHE_DIR": "/nonexistent"}):
            command = [*emulator.prefix, *words, "-L", str(sysroot)]
            run = subprocess.run(
                [*command, f"{sysroot}/bin/bash", "-c", script],
                capture_output=True, text=True, check=False,
                env={**ENVIRONMENT, **emulator.environment, **store},
                preexec_fn=lambda: resource.setrlimit(which, (limit, limit)),
            )  # fmt: skip
            assert run.returncode == 0, run.stderr
            assert run.stdout.split()[:2] == [f"{limit >> 10}", "sub"]


@pytest.mark.parametrize(
    ("core", "megabytes", "says"),
    [("native", 18, "-opt cache=2M takes less"), ("unicorn", 500, "takes more than 1 GiB")],
)
def test_too_little_is_told_in_one_line(
    core: str, megabytes: int, says: str, testbin: Callable[..., Path]
) -> None:
    limit = megabytes << 20
    run = subprocess.run(
        [qusr_command("qusr-aarch64"), "-core", core, str(testbin("c/misc/itself", "aarch64"))],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("qusr-aarch64: ") and says in run.stderr


def test_less_code_is_kept_where_there_is_less_room(testbin: Callable[..., Path]) -> None:
    """Its usual 64 MiB count as a whole: by RLIMIT_DATA, and where nothing is overcommitted."""
    limit = 60 << 20
    run = subprocess.run(
        [qusr_command("qusr-aarch64"), str(testbin("c/misc/itself", "aarch64"))],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
