"""Python's own tests of processes, signals, threads and sockets, in Debian roots under qusr.

What they should find is what they find on the host itself, in an amd64 root of the same
packages: the same tests pass, and the same ones are skipped. docs/programs.md has the figures.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import ARCHES, DEBIAN, REPO

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "scripts" / "python_suite.py"

FILES = (
    "test_subprocess", "test_os", "test_signal", "test_threading", "test_fcntl", "test_select",
    "test_mmap", "test_socket", "test_multiprocessing_main_handling", "test_asyncio",
)  # fmt: skip

#: What differs from the host, and why.
EXPLAINED: dict[tuple[str, str], str] = {
    ("arm", "test.test_mmap.LargeMmapTests.test_around_2GB"): "skipped on machines of 32 bits",
    ("arm", "test.test_mmap.LargeMmapTests.test_around_4GB"): "skipped on machines of 32 bits",
    ("arm", "test.test_fcntl.TestFcntl.test_fcntl_64_bit"): "skipped on machines called arm...",
    ("arm", "test.test_socket.NonBlockingTCPTests.testSetBlocking_overflow"): (
        "skipped where int and long have one size"
    ),
}


def _root(debian: str) -> Path:
    run = subprocess.run(
        [REPO / "tools" / "debian-root", debian, "python"], stdout=subprocess.PIPE, check=True
    )
    return Path(os.fsdecode(run.stdout.strip()))


def _run(
    emulator: str, debian: str, names: Sequence[str], folder: Path, core: str | None = None
) -> dict[str, tuple[str, str]]:
    """Outcome and message of each test. A run that ends early has no outcome for the rest."""
    tmp = folder / f"{emulator}-{debian}-{names[0]}"
    tmp.mkdir()
    tmp.chmod(0o1777)
    shutil.copy(SCRIPT, tmp)
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += [sys.executable, "-m", "tests.programs.rooted", emulator, str(_root(debian))]
    command += [str(tmp), "env", "-u", "PYTHONPATH", "python3", f"/tmp/{SCRIPT.name}", "/tmp/out"]
    env = {**emulators.ENVIRONMENT, **emulators.QUSR_ENVIRONMENT, "PYTHONPATH": str(REPO)}
    env["LC_ALL"] = "C.UTF-8"
    if core:
        env["QUSR_CORE"] = core
    with (tmp / "log").open("wb") as log:
        subprocess.run(
            [*command, *names], cwd=REPO, env=env, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, timeout=3600, check=False, start_new_session=True,
        )  # fmt: skip
    found = {}
    out = tmp / "out"
    for row in out.read_text().splitlines() if out.exists() else ():
        result = json.loads(row)
        found[result["test"]] = (result["outcome"], result["text"])
    if not found:
        tail = (tmp / "log").read_text(errors="replace")[-3000:]
        pytest.fail(f"{emulator} {debian} {' '.join(names)}: no test has ended\n{tail}")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid() != 0:
        pytest.skip("takes more than one user id: run as root")
    if platform.machine() != "x86_64":
        pytest.skip("the host's own results come from a root for amd64")
    return tmp_path_factory.mktemp("python")


@functools.cache
def _on_the_host(name: str, folder: Path) -> dict[str, tuple[str, str]]:
    return _run("native", "amd64", [name], folder)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", FILES)
def test_same_results_as_on_the_host(name: str, arch: str, folder: Path, core: str | None) -> None:
    host = _on_the_host(name, folder)
    guest = _run("qusr", DEBIAN[arch], [name], folder, core)

    def different() -> dict[str, tuple[str, tuple[str, str]]]:
        return {
            test: (outcome, guest.get(test, ("none", "it did not end")))
            for test, (outcome, _) in host.items()
            if outcome != guest.get(test, ("none", ""))[0] and (arch, test) not in EXPLAINED
        }

    # Many have time limits, which a busy machine makes too short: they get a second chance, alone.
    again = [test.removeprefix("test.") for test in different()]
    if again:
        guest.update(_run("qusr", DEBIAN[arch], again, folder, core))
    assert not different()
