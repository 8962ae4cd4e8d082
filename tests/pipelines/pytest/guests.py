"""Tests in Python that run programs of the target, with qusr's fixtures."""

import os
from pathlib import Path

from qusr.pytest_plugin import Run


def test_status_and_output(guest_run: Run, guest_sysroot: Path) -> None:
    done = guest_run(os.environ["PROGRAM"], "an argument")
    assert (done.returncode, done.stdout) == (77, "no engine, today\n")
    assert str(guest_sysroot) == os.environ["ROOT"]


def test_what_subprocess_takes(guest_run: Run, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        done = guest_run(os.environ["PROGRAM"], stdout=out, env={"A": "B"}, timeout=100)
    assert done.stdout is None and (tmp_path / "out").read_bytes() == b"no engine, today\n"
