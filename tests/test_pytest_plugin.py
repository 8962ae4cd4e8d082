"""The plugin for pytest: each case of a test program of another machine is an item."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import pytest

from qusr.pytest_plugin import formats, programs
from tests import emulators

HERE = Path(__file__).parent / "pipelines" / "pytest"
TRIPLETS = {"aarch64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf"}
RUST = {"aarch64": "aarch64-unknown-linux-gnu", "arm": "armv7-unknown-linux-gnueabihf"}
GO = {"aarch64": "arm64", "arm": "arm"}
MACHINES = {"aarch64": "aarch64", "arm": "armv7l"}
BOTH = pytest.mark.parametrize("arch", emulators.ARCHES)
#: Debian 13's, the last of its version in one source file.
CATCH_3 = "pool/main/c/catch2/catch2_3.7.1.orig.tar.gz"


def run_pytest(folder: Path, *words: str | Path, **variables: str) -> tuple[int, str, set[str]]:
    """Its status, what it printed, and of each item `OUTCOME FILE::NAME`."""
    env = {**os.environ, **emulators.QUSR_ENVIRONMENT, **variables}
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    plugins: tuple[str, ...] = ("-p", "no:cacheprovider")
    if not installed():
        plugins += ("-p", "qusr.pytest_plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-rs", "--rootdir", folder, *plugins, *words],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=500,
    )  # fmt: skip
    found = re.findall(r"^(\S+?::.*?) (PASSED|FAILED|SKIPPED|ERROR)\b", done.stdout, re.MULTILINE)
    return done.returncode, done.stdout, {f"{outcome} {item}" for item, outcome in found}


def installed() -> bool:
    """Whether pytest finds the plugin by its entry point."""
    return any(
        point.value == "qusr.pytest_plugin" for point in metadata.entry_points(group="pytest11")
    )


def compiled(words: Sequence[str | Path]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr


def root_of(arch: str) -> Path:
    return Path("/usr", TRIPLETS[arch])


def plain(folder: Path, arch: str, name: str, status: int) -> Path:
    gcc = emulators.need(f"{TRIPLETS[arch]}-gcc")
    program = folder / name
    compiled([gcc, "-O2", f"-DSTATUS={status}", HERE / "plain.c", "-o", program])
    return program


def test_it_is_an_entry_point() -> None:
    """Of the installed package: `make build` again, if not."""
    assert installed()


@BOTH
def test_programs_without_cases(arch: str, tmp_path: Path) -> None:
    """One item each: status 0 passes, 77 skips. Of which files: by name, kind and permission."""
    folder = tmp_path / "some tests"
    folder.mkdir()
    for name, status in (("test_none", 0), ("test_skip", 77), ("test_bad", 3), ("other", 0)):
        plain(folder, arch, name, status)
    shutil.copy(folder / "test_none", folder / "test_library.so")
    shutil.copyfile(folder / "test_none", folder / "test_data")
    shutil.copy(sys.executable, folder / "test_own")
    (folder / "test_text").write_text("#!/bin/sh\n")
    (folder / "test_text").chmod(0o755)
    status, shown, items = run_pytest(folder)
    expected = {
        "PASSED test_none::test_none", "SKIPPED test_skip::test_skip", "FAILED test_bad::test_bad",
    }  # fmt: skip
    assert (status, items) == (1, expected), shown
    assert "status 3" in shown and "no engine, today" in shown, shown
    status, shown, items = run_pytest(folder, "other")
    assert (status, items) == (0, {"PASSED other::other"}), shown
    ini = "[pytest]\nqusr_files = oth*\n"
    (folder / "pytest.ini").write_text(ini)
    assert run_pytest(folder)[2] == {"PASSED other::other"}


@BOTH
def test_fixtures(arch: str, tmp_path: Path) -> None:
    program = plain(tmp_path, arch, "program", 77)
    shutil.copy(HERE / "guests.py", tmp_path / "test_guests.py")
    root = root_of(arch)
    given = {"PROGRAM": str(program), "ROOT": str(root)}
    status, shown, items = run_pytest(tmp_path, f"--qusr-root={root}", **given)
    assert (status, len(items)) == (0, 2), shown
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nqusr_root = {root}\n")
    assert run_pytest(tmp_path, **given)[0] == 0
    # Of xdist's workers, too.
    assert run_pytest(tmp_path, "-n", "2", **given)[0] == 0


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    status, shown, _ = run_pytest(tmp_path, "--qusr-root=none")
    assert status == 4 and f"ERROR: --qusr-root: {tmp_path}/none is no folder" in shown, shown
    (tmp_path / "pytest.ini").write_text("[pytest]\nqusr_timeout = soon\n")
    status, shown, _ = run_pytest(tmp_path)
    assert status == 4 and "ERROR: qusr_timeout: 'soon' is no number of seconds" in shown, shown


def test_a_program_that_does_not_end(tmp_path: Path) -> None:
    """The time is up, and it is told of what it had said."""
    main = 'int main(void) { puts("so far"); fflush(stdout); pause(); }'
    (tmp_path / "wait.c").write_text(f"#include <stdio.h>\n#include <unistd.h>\n{main}\n")
    gcc = emulators.need("aarch64-linux-gnu-gcc")
    compiled([gcc, tmp_path / "wait.c", "-o", tmp_path / "test_wait"])
    (tmp_path / "pytest.ini").write_text("[pytest]\nqusr_timeout = 3\n")
    status, shown, items = run_pytest(tmp_path)
    assert (status, items) == (1, {"FAILED test_wait::test_wait"}), shown
    assert "not done after 3 s" in shown and "so far" in shown, shown


@BOTH
def test_rust(arch: str, tmp_path: Path) -> None:
    emulators.need_rust_library(RUST[arch])
    gcc = emulators.need(f"{TRIPLETS[arch]}-gcc")
    compiled([
        "rustc", "--test", "--edition=2024", "--target", RUST[arch], f"-Clinker={gcc}",
        HERE / "rust.rs", "-o", tmp_path / "test_rust",
    ])  # fmt: skip
    status, shown, items = run_pytest(tmp_path)
    assert (status, items) == (1, {
        "PASSED test_rust::words_are_of_the_target", "FAILED test_rust::sums::are_wrong",
        "PASSED test_rust::sums::panic_as_they_should", "SKIPPED test_rust::sums::need_an_engine",
    }), shown  # fmt: skip
    assert "no engine, today" in shown and "left: 4" in shown, shown
    # One of them, as pytest names it.
    status, shown, items = run_pytest(tmp_path, "test_rust::words_are_of_the_target")
    assert (status, items) == (0, {"PASSED test_rust::words_are_of_the_target"}), shown


@BOTH
def test_go(arch: str, tmp_path: Path) -> None:
    go = emulators.need("go")
    shutil.copytree(HERE / "go", tmp_path / "go")
    env = {**os.environ, "GOARCH": GO[arch], "CGO_ENABLED": "0", "GOPROXY": "off"}
    words = [go, "test", "-c", "-o", "cases.test"]
    subprocess.run(words, cwd=tmp_path / "go", env=env, check=True, timeout=500)
    status, shown, items = run_pytest(tmp_path)
    assert (status, items) == (1, {
        "PASSED go/cases.test::TestFolder", "FAILED go/cases.test::TestSums",
        "PASSED go/cases.test::TestSumsOfAll", "SKIPPED go/cases.test::TestEngine",
        "PASSED go/cases.test::Example",
    }), shown  # fmt: skip
    assert "no engine, today" in shown and "2 + 2 is not 5" in shown, shown


@pytest.mark.slow
@BOTH
def test_googletest(arch: str, tmp_path: Path) -> None:
    """Debian's sources of it (package googletest)."""
    gcc = emulators.need(f"{TRIPLETS[arch]}-g++")
    library = Path("/usr/src/googletest/googletest")
    if not library.is_dir():
        emulators.lack("no sources of GoogleTest: tools/install-packages")
    sources = [library / "src/gtest-all.cc", library / "src/gtest_main.cc", HERE / "google.cpp"]
    compiled([
        gcc, "-O0", f'-DMACHINE="{MACHINES[arch]}"', f"-I{library}", f"-I{library}/include",
        *sources, "-pthread", "-o", tmp_path / "google_test",
    ])  # fmt: skip
    status, shown, items = run_pytest(tmp_path)
    assert (status, {item.replace("google_test::", "") for item in items}) == (1, {
        "PASSED Machine.IsTheTargets", "SKIPPED Machine.HasNoEngine", "FAILED Sums.AreWrong",
        "FAILED Sums.EndInASignal", "SKIPPED Sums.DISABLED_AreForTomorrow",
        "PASSED Sizes/0.AreSome", "PASSED Sizes/1.AreSome", "PASSED Some/Numbers.AreOdd/0",
        "FAILED Some/Numbers.AreOdd/1", "PASSED Some/Numbers.AreOdd/2",
    }), shown  # fmt: skip
    assert "no engine, today" in shown and "killed by SIG" in shown and "2 + 2" in shown, shown


def _catch_2(folder: Path) -> list[str | Path]:
    if not Path("/usr/include/catch2/catch.hpp").exists():
        emulators.lack("no Catch2: tools/install-packages")
    # Its headers are no cross compiler's to find.
    shutil.copytree("/usr/include/catch2", folder / "include/catch2")
    return [f"-I{folder}/include"]


def _catch_3(folder: Path) -> list[str | Path]:
    """In Debian 13: its sources, from the archive that this machine's apt uses."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    (folder / "include").mkdir()
    archive = folder / "catch.tar.gz"
    uri = (listed.stdout.split() or ["http://deb.debian.org/debian/"])[0]
    words = ["curl", "-sSfLo", str(archive), f"{uri.rstrip('/')}/{CATCH_3}"]
    if shutil.which("curl") is None or subprocess.run(words, check=False).returncode != 0:
        emulators.lack("Catch2 3 cannot be fetched")
    only = ["--strip-components=2", "--wildcards", "*/extras/catch_amalgamated.*"]
    subprocess.run(["tar", "-xzf", archive, "-C", folder / "include", *only], check=True)
    return [f"-I{folder}/include", folder / "include/catch_amalgamated.cpp"]


@pytest.mark.slow
@pytest.mark.parametrize("arch, major, fetched", [
    ("aarch64", 2, _catch_2), ("arm", 2, _catch_2), ("aarch64", 3, _catch_3), ("arm", 3, _catch_3),
])  # fmt: skip
def test_catch2(
    arch: str, major: int, fetched: Callable[[Path], list[str | Path]], tmp_path: Path
) -> None:
    gcc = emulators.need(f"{TRIPLETS[arch]}-g++")
    word = 8 if arch == "aarch64" else 4
    tests = tmp_path / "tests"
    tests.mkdir()
    compiled([
        gcc, "-O0", "-std=c++17", f"-DCATCH={major}", f"-DWORD={word}", *fetched(tmp_path),
        HERE / "catch.cpp", "-o", tests / "test_catch",
    ])  # fmt: skip
    status, shown, items = run_pytest(tests)
    skipped = {"SKIPPED no engine"} if major > 2 else set()
    assert (status, {item.replace("test_catch::", "") for item in items}) == (1, {
        "PASSED a vector, of some [length]", 'PASSED *starred* "and" \\ back',
        "FAILED sums are wrong", "PASSED sizes - char", "PASSED sizes - long", *skipped,
    }), shown  # fmt: skip
    assert "2 + 2 == 5" in shown, shown


def test_kinds_are_told_apart() -> None:
    """A program has a format by its bytes; most have none."""
    hello = (Path(__file__).parents[1] / "testbins/prebuilt/hello-arm").read_bytes()
    assert formats.format_of(hello) is None
    assert not programs.is_foreign(Path(sys.executable)) and not programs.is_foreign(Path("/"))
