"""The recipes of docs/pipelines.md, each run by the tool that it is for."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests import emulators

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
FROM_PYPI = ("cmake", "meson", "ninja", "tox", "nox", "pyyaml")
TRIPLETS = {"aarch64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf"}
DEBIAN = {"aarch64": "arm64", "arm": "armhf"}
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


@BOTH
def test_cargo(project: Path, path: str, arch: str) -> None:
    triplet = need_compiler(arch)
    target = {"aarch64": "aarch64-unknown-linux-gnu", "arm": "armv7-unknown-linux-gnueabihf"}[arch]
    emulators.need_rust_library(target)
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


@BOTH
def test_debian(project: Path, path: str, arch: str) -> None:
    """`meson env2mfile` makes `TRIPLET-cross-exe-wrapper`, if it is in PATH, the exe_wrapper."""
    triplet = need_compiler(arch)
    emulators.need("dpkg-buildpackage")
    commands = project.parent / "bin"
    commands.mkdir()
    wrapper = commands / f"{triplet}-cross-exe-wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec qusr-{arch} "$@"\n')
    wrapper.chmod(0o755)
    words = ("dpkg-buildpackage", f"-a{DEBIAN[arch]}", "-b", "-d", "-uc", "-us", "--no-sign")
    shown = run(f"{commands}:{path}", project, *words)
    assert re.search(r"^Ok: +8", shown, re.MULTILINE), shown
    assert f"exe_wrapper = ['{wrapper}']" in (project / "cross.ini").read_text(), shown
    (package,) = project.parent.glob(f"pipeline_1_{DEBIAN[arch]}.deb")
    run(path, project, "dpkg-deb", "--extract", package, "unpacked")
    run(path, project, f"qusr-{arch}", "unpacked/usr/bin/pipeline-check", "1")


@pytest.mark.parametrize("tool", ["tox", "nox"])
def test_tox(project: Path, path: str, tool: str) -> None:
    for arch in emulators.ARCHES:
        need_compiler(arch)
    shown = run(path, project, tool)
    assert shown.count("1 passed") == 2, shown


@BOTH
def test_coverage(project: Path, path: str, arch: str) -> None:
    """The program writes its counts when it ends, a forked child its own; lcov reads them."""
    triplet = need_compiler(arch)
    emulators.need("lcov")
    run(path, project, f"{triplet}-gcc", "--coverage", "-O0", "shapes.c", "-o", "shapes")
    run(path, project, f"qusr-{arch}", "./shapes")
    words = ("lcov", "--gcov-tool", f"{triplet}-gcov", "-c", "-d", ".", "-o", "shapes.info")
    run(path, project, *words)
    counts = re.findall(r"^FNDA:(\d+),(\w+)$", (project / "shapes.info").read_text(), re.MULTILINE)
    # The parent's and the child's flow through main together.
    assert {name: int(count) for count, name in counts} == {
        "main": 1, "never": 0, "of_the_child": 1,
    }  # fmt: skip


FAULTS = {
    "address": {
        1: "AddressSanitizer: heap-buffer-overflow", 2: "AddressSanitizer: heap-use-after-free",
        4: "LeakSanitizer: detected memory leaks",
    },
    "undefined": {3: "signed integer overflow"},
    "thread": {5: "ThreadSanitizer: data race"},
}  # fmt: skip


@pytest.mark.parametrize("arch, sanitizer", [
    ("aarch64", "address"), ("aarch64", "undefined"), ("aarch64", "thread"),
    ("arm", "address"), ("arm", "undefined"),  # gcc has no ThreadSanitizer for it
])  # fmt: skip
def test_sanitizers(project: Path, path: str, arch: str, sanitizer: str) -> None:
    triplet = need_compiler(arch)
    gcc = (f"{triplet}-gcc", "-g", "-O0", f"-fsanitize={sanitizer}", "-pthread")
    run(path, project, *gcc, "faults.c", "-o", "faults")
    variables = {**os.environ, **emulators.QUSR_ENVIRONMENT, "PATH": path}
    for kind in range(6):
        words = (f"qusr-{arch}", "./faults", str(kind))
        done = subprocess.run(
            words, cwd=project, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
        )  # fmt: skip
        said = FAULTS[sanitizer].get(kind)
        if said is not None:
            assert said in done.stdout and "faults.c:" in done.stdout, done.stdout
            assert (done.returncode != 0) == (sanitizer != "undefined"), done
        else:
            # A use of freed memory ends as it ends, where nothing looks.
            assert kind == 2 or (done.returncode, done.stdout) == (0, "done\n"), done


def steps_of(path: str, file: Path) -> dict[str, list[str]]:
    """The variables and the commands of a runner's configuration."""
    code = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))['{}']))"
    python = shutil.which("python3", path=path.split(":", 1)[1])
    assert python is not None
    if file.name == "github.yml":
        job = json.loads(run(path, file.parent, python, "-c", code.format("jobs"), file))["test"]
        # Of a step without `run`, an action does the work.
        return {
            "variables": [job["env"]["QUSR_CACHE_DIR"], job["steps"][1]["with"]["path"]],
            "commands": [step["run"] for step in job["steps"] if "run" in step],
        }
    job = json.loads(run(path, file.parent, python, "-c", code.format("test"), file))
    return {
        "variables": [job["variables"]["QUSR_CACHE_DIR"], *job["cache"]["paths"]],
        "commands": [*job["before_script"], *job["script"]],
    }


@BOTH
@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_ci(project: Path, path: str, arch: str, service: str) -> None:
    """Its commands in two jobs; the second one has nothing but what the cache of the first kept.

    Without the commands that install: that is done.
    """
    triplet = need_compiler(arch)
    job = steps_of(path, project / f"{service}.yml")
    commands = [line for line in job["commands"] if not re.search("apt-get|pip|/opt", line)]
    names = {
        "${{ matrix.machine }}": triplet, "$MACHINE": triplet,
        "${{ github.workspace }}": "$PWD", "$CI_PROJECT_DIR": "$PWD",
    }  # fmt: skip
    variable, kept = job["variables"]

    def filled(text: str) -> str:
        for name, value in names.items():
            text = text.replace(name, value)
        assert "$" not in text.replace("$PWD", ""), text
        return text

    def work(folder: Path) -> dict[str, int]:
        """Runs the job; the files in its cache and when they were made."""
        script = f'set -e; export QUSR_CACHE_DIR="{filled(variable)}"\n'
        shown = run(path, folder, "bash", "-c", script + "\n".join(map(filled, commands)))
        assert shown == f"{MACHINES[arch]}\n", shown
        files = [file for file in (folder / kept).rglob("*") if file.is_file()]
        return {str(file.relative_to(folder)): file.stat().st_mtime_ns for file in files}

    first = work(project)
    assert any(file.endswith(".code") or "code" in file for file in first), first
    second = Path(
        shutil.copytree(
            project,
            project.parent / "another job",
            ignore=shutil.ignore_patterns(".qusr", "machine"),
        )
    )
    archive = shlex.join(["tar", "-cf", "../cache.tar", kept])
    run(path, project, "bash", "-c", archive)
    run(path, second, "tar", "-xf", "../cache.tar")
    before = {file: (second / file).stat().st_mtime_ns for file in first}
    after = work(second)
    new = {file for file in after if after[file] != before.get(file)}
    assert not new, (new, first)
