"""The recipes of docs/pipelines.md, each run by the tool that it is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests import emulators

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
FROM_PYPI = ("cmake", "meson", "ninja")
TRIPLETS = {"aarch64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf"}
MACHINES = {"aarch64": "aarch64", "arm": "armv7l"}
BOTH = pytest.mark.parametrize("arch", emulators.ARCHES)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PATH with qusr's commands and the tools that PyPI has."""
    tools = tmp_path_factory.mktemp("tools")
    venv.create(tools, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(tools), "install", "-q", *FROM_PYPI]
    subprocess.run(pip, check=True)
    return f"{Path(sys.executable).parent}:{tools}/bin:{os.environ['PATH']}"


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the project that the test is named after, in a path with a blank."""
    name = request.function.__name__.split("_")[1]
    copy = tmp_path / "a project" if name != "automake" else tmp_path / "project"
    return Path(shutil.copytree(HERE / name, copy))


def run(path: str, cwd: Path, *words: str | Path, **variables: str) -> str:
    """What a command has written."""
    env = {**os.environ, **emulators.QUSR_ENVIRONMENT, "PATH": path, **variables}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def need_compiler(arch: str) -> str:
    emulators.need(f"{TRIPLETS[arch]}-gcc")
    return TRIPLETS[arch]


@BOTH
def test_cmake(project: Path, path: str, arch: str) -> None:
    triplet = need_compiler(arch)
    shown = run(
        path, project, "cmake", "-B", "build", "--toolchain", "toolchain.cmake",
        f"-DMACHINE={arch}", f"-DTRIPLET={triplet}",
    )  # fmt: skip
    wide = {"aarch64": "8 bytes: 1", "arm": "8 bytes: \n"}[arch]
    assert wide in shown, shown
    run(path, project, "cmake", "--build", "build")
    assert f'"{MACHINES[arch]}"' in (project / "build/machine.h").read_text()
    tests = ("ctest", "--test-dir", "build", "-j", "4", "--output-on-failure")
    shown = run(path, project, *tests)
    assert "100% tests passed" in shown and "out of 9" in shown, shown


@BOTH
def test_meson(project: Path, path: str, arch: str) -> None:
    triplet = need_compiler(arch)
    (project / "cross.ini").write_text(f"""
[binaries]
c = '{triplet}-gcc'
strip = '{triplet}-strip'
exe_wrapper = 'qusr-{arch}'
[host_machine]
system = 'linux'
cpu_family = '{arch}'
cpu = '{MACHINES[arch]}'
endian = 'little'
""")
    shown = run(path, project, "meson", "setup", "build", "--cross-file", "cross.ini")
    assert f"8 bytes: {str(arch == 'aarch64').lower()}" in shown, shown
    shown = run(path, project, "meson", "test", "-C", "build")
    assert "Ok:" in shown and "Fail:" in shown and "Expected Fail:" in shown, shown
    assert f'"{MACHINES[arch]}"' in (project / "build/machine.h").read_text()


@BOTH
def test_automake(project: Path, path: str, arch: str) -> None:
    triplet = need_compiler(arch)
    emulators.need("autoreconf")
    run(path, project, "autoreconf", "-i")
    run(path, project, "./configure", f"--host={triplet}", f"EMULATOR=qusr-{arch}")
    assert "# PASS:  2" in run(path, project, "make", "-j4", "check")
    assert (project / "one.log").read_text().startswith(MACHINES[arch])


def need_standard_library(target: str) -> None:
    """Rust's for a target, which rustup installs where it is that which Rust came by."""
    rustc = emulators.need("rustc")
    sysroot = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, check=True)
    library = Path(sysroot.stdout.decode().strip(), "lib/rustlib", target)
    if not library.is_dir() and (rustup := shutil.which("rustup")):
        subprocess.run([rustup, "target", "add", target], check=False)
    if not library.is_dir():
        emulators.lack(f"no standard library of Rust for {target}: rustup target add {target}")


@BOTH
def test_cargo(project: Path, path: str, arch: str) -> None:
    triplet = need_compiler(arch)
    target = {"aarch64": "aarch64-unknown-linux-gnu", "arm": "armv7-unknown-linux-gnueabihf"}[arch]
    need_standard_library(target)
    name = target.upper().replace("-", "_")
    variables = {
        f"CARGO_TARGET_{name}_RUNNER": f"qusr-{arch}",
        f"CARGO_TARGET_{name}_LINKER": f"{triplet}-gcc",
        "CARGO_TARGET_DIR": str(project / "target"),
    }
    shown = run(path, project, "cargo", "test", "--target", target, "--lib", **variables)
    assert "2 passed; 0 failed" in shown, shown


@BOTH
def test_go(project: Path, path: str, arch: str) -> None:
    """Go looks for `go_linux_ARCH_exec` in PATH."""
    emulators.need("go")
    name = {"aarch64": "arm64", "arm": "arm"}[arch]
    commands = project.parent / "bin"
    commands.mkdir()
    command = Path(sys.executable).parent / f"qusr-{arch}"
    (commands / f"go_linux_{name}_exec").write_text(f'#!/bin/sh\nexec "{command}" "$@"\n')
    (commands / f"go_linux_{name}_exec").chmod(0o755)
    variables = {"GOARCH": name, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    shown = run(f"{commands}:{path}", project, "go", "test", "-v", "./...", **variables)
    assert shown.count("--- PASS: ") == 2, shown
    shown = run(path, project, "go", "test", "-exec", str(command), "./...", **variables)
    assert shown.startswith("ok"), shown
