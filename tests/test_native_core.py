"""The native core as a whole: memory order, checking itself, independence of Unicorn."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testbins import build
from tests import emulators
from tests.emulators import Emulator

LITMUS = pytest.mark.parametrize(
    ("arch", "litmus"),
    [
        ("aarch64", "c/threads/litmus"),
        ("arm", "c/threads/litmus"),
        ("arm", "c/threads/litmus_a32"),
        ("riscv64", "c/threads/litmus"),
    ],
)


def native_core(settings: str = "", arch: str = "aarch64") -> Emulator:
    """qusr on the native core, whatever --core says."""
    return emulators.qusr(arch, "native" + settings)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
@pytest.mark.parametrize("settings", ["", ",no-all"])
@LITMUS
def test_litmus_tests_can_fail(
    testbin: Callable[..., Path], arch: str, litmus: str, settings: str
) -> None:
    """Store buffering without its barriers gives the weak outcome, which x86 hosts can show."""
    program = testbin(litmus, arch)
    for _ in range(10):
        result = native_core(settings, arch)(program, "-n", "200000", "weak_SB")
        if result.status == 0:
            return
    pytest.fail("SB without barriers was always sequentially consistent: threads do not overlap")


@pytest.mark.slow
@LITMUS
def test_litmus_ten_million_rounds(testbin: Callable[..., Path], arch: str, litmus: str) -> None:
    native_core(arch=arch)(testbin(litmus, arch), "-n", "10000000", "-v", timeout=1800).check()


_REPLACED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int library(int);

__attribute__((noinline)) static int program(int x)
{
    return x * 3 + NUMBER;
}

/* What is left of the arguments: files to be renamed to a name, and then this name is executed. */
int main(int argc, char **argv)
{
    printf("%d %d\n", program(argc), library(argc));
    fflush(stdout);
    if (argc < 3)
        return 0;
    if (rename(argv[1], argv[2]) || access("program", X_OK))
        return 1;
    argv[2] = argv[0];
    execv("./program", argv + 2);
    return 1;
}
"""
_LIBRARY = "int library(int x) { return x * 5 + NUMBER; }"


def test_exec_of_changed_files(tmp_path: Path) -> None:
    """Translations outlive an execve, and are not used for other code of the same size."""
    compiler = build.LIBC_TARGETS["aarch64"].compiler
    emulators.need(compiler)

    def make(source: str, output: str, number: int, *flags: str) -> None:
        command = [compiler, "-O2", f"-DNUMBER={number}", "-xc", "-", "-o", str(tmp_path / output)]
        subprocess.run([*command, *flags], input=source.encode(), check=True)

    for number in (1, 2, 3):
        make(_LIBRARY, f"library{number}", number, "-shared", "-fPIC", "-Wl,-soname,library.so")
    (tmp_path / "library1").rename(tmp_path / "library.so")
    for number in (1, 2, 3):
        where = (str(tmp_path / "library.so"), f"-Wl,-rpath,{tmp_path}", "-xnone")
        make(_REPLACED, f"program{number}", number, *where[1:], where[0])
    (tmp_path / "program1").rename(tmp_path / "program")
    for kind in ("program", "library"):
        sizes = {path.stat().st_size for path in tmp_path.glob(f"{kind}*")}
        assert len(sizes) == 1
    files = [("program2", "program"), ("library2", "library.so")]
    files += [("program3", "program"), ("library3", "library.so")]
    words = [word for pair in files for word in pair]
    result = native_core()(tmp_path / "program", *words, cwd=tmp_path)
    numbers = [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]
    counts = range(len(words) + 1, 0, -2)
    expected = [f"{c * 3 + p} {c * 5 + q}" for c, (p, q) in zip(counts, numbers, strict=True)]
    assert (result.status, result.stdout.decode().split("\n")[:-1]) == (0, expected)


def test_programs_of_known_instructions_need_no_unicorn(
    testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """Neither the Python package nor its library is loaded, as the process itself shows."""
    program = testbin("c/threads/sync", "aarch64")
    seen = tmp_path / "opened"
    need_strace = emulators.need("strace")
    emulator = native_core()
    traced = Emulator(
        (
            need_strace,
            "-f",
            "-qq",
            "-e",
            "trace=openat,open,execve",
            "-o",
            str(seen),
            *emulator.prefix,
        ),
        emulator.environment,
    )
    traced(program, timeout=120).check()
    opened = seen.read_text(errors="replace")
    # Preloaded, or executed itself.
    assert "_native" in opened
    assert "unicorn/" not in opened
    assert "libunicorn" not in opened


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("/bin/bash", ["-c", "for i in 1 2 3; do echo $((i * i)) | cat; done"]),
        (
            "/usr/bin/python3",
            ["-c", "print(sum(i * i for i in range(999)), 2**0.5, '%.3g' % 1e-9)"],
        ),
    ],
    ids=["bash", "python3"],
)
def test_check_finds_no_difference(
    root: Callable[..., Path], program: str, arguments: list[str]
) -> None:
    """Each block of real programs against the interpreter; a difference aborts."""
    wanted = emulators.NATIVE(program.rsplit("/", 1)[-1], *arguments).check()
    result = native_core(",check")(program, *arguments, root=root("aarch64"), timeout=120).check()
    assert result.out == wanted.out
    assert "differs" not in result.err


def test_check_with_threads(testbin: Callable[..., Path]) -> None:
    """What other threads store does not look like a difference."""
    native_core(",check")(testbin("c/threads/sync", "aarch64"), timeout=120).check()
