"""A wheel out of the tree, and one out of a source distribution: do their commands start?"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import REPO

MATURIN = Path(sys.executable).parent / "maturin"
#: Debian's names are those with an hf or a 64.
COMMANDS = {
    "qusr", "qusr-aarch64", "qusr-aarch64_be", "qusr-arm", "qusr-arm64", "qusr-armeb",
    "qusr-armel", "qusr-armhf", "qusr-binfmt", "qusr-mips", "qusr-mips64",
    "qusr-mips64el", "qusr-mipsel", "qusr-riscv32", "qusr-riscv64",
}  # fmt: skip
DATA = "qusr-0.1.0.data/scripts/"

# Elsewhere the extension would have to be compiled first, which takes minutes.
pytestmark = pytest.mark.skipif(
    Path(sys.prefix) != REPO / ".venv", reason="needs the environment that 'make build' makes"
)


def maturin(*words: str | Path, cwd: Path = REPO) -> None:
    env = {**os.environ, "CARGO_TARGET_DIR": str(REPO / "native" / "target")}
    run = subprocess.run([MATURIN, *words], cwd=cwd, env=env, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


def build(folder: Path, out: Path) -> Path:
    """The wheel that maturin makes of a tree."""
    # The interpreter of `make build`: for another one all is compiled again.
    maturin("build", "--release", "-i", sys.executable, "-o", out, cwd=folder)
    (wheel,) = out.glob("*.whl")
    return wheel


def check(wheel: Path, prefix: Path) -> None:
    """Installs a wheel with pip and starts what it has brought."""
    with zipfile.ZipFile(wheel) as archive:
        modes = {
            entry.filename.removeprefix(DATA): entry.external_attr >> 16
            for entry in archive.infolist()
            if entry.filename.startswith(DATA)
        }
    assert set(modes) == COMMANDS
    assert all(mode & 0o111 == 0o111 for mode in modes.values()), modes
    # An environment without the packages that qusr needs: not all that it does needs them.
    venv.create(prefix, symlinks=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        prefix,
    ]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    for name in COMMANDS:
        done = subprocess.run(
            [prefix / "bin" / name, "-h"], capture_output=True, text=True, check=False,
            env={**emulators.ENVIRONMENT, **emulators.QUSR_ENVIRONMENT}, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, (name, done.stderr)
        assert name in done.stdout


def test_wheel(tmp_path: Path) -> None:
    check(build(REPO, tmp_path), tmp_path / "installed")


@pytest.mark.slow
def test_wheel_out_of_a_source_distribution(tmp_path: Path) -> None:
    maturin("sdist", "-o", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "sources", filter="data")
    (folder,) = (tmp_path / "sources").iterdir()
    check(build(folder, tmp_path / "dist"), tmp_path / "installed")
