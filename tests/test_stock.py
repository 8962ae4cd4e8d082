"""Translations that outlive the process (`native/translator/src/engine/stock.rs`)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import Emulator, Result

_PROGRAM = """
#include <stdio.h>
extern int answer(int), other(int);
int main(void) { printf("%d %d\\n", answer(20), other(1)); return 0; }
"""
_LIBRARY = "int answer(int n) { return n %c %d; } int other(int n) { return n + 5; }\n"


def _compile(source: str, target: Path, *options: str) -> None:
    gcc = emulators.need("aarch64-linux-gnu-gcc")
    command = [gcc, "-O1", "-x", "c", "-", "-o", str(target), *options]
    subprocess.run(command, input=source.encode(), check=True)


def _library(folder: Path, sign: str, number: int) -> None:
    _compile(_LIBRARY % (sign, number), folder / "libanswer.so", "-shared", "-fPIC")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program with a library of its own, both in the test's folder."""
    _library(tmp_path, "+", 3)
    _compile(_PROGRAM, tmp_path / "program", f"-L{tmp_path}", "-lanswer", f"-Wl,-rpath,{tmp_path}")
    time.sleep(0.06)
    return tmp_path / "program"


@pytest.fixture
def run(qusr: Callable[[str], Emulator], core: str | None, tmp_path: Path) -> Callable[..., Result]:
    """Runs a program with a store in the test's folder."""
    if core == "unicorn":
        pytest.skip("translations are the native core's")
    store = {"QUSR_CACHE_DIR": str(tmp_path / "store")}
    return lambda *words, **more: qusr("aarch64")(*words, env=store, **more).check()


def _stocks(program: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in program.parent.glob("store/code-*")}


def test_a_file_for_a_program(run: Callable[..., Result], program: Path) -> None:
    assert run(program).stdout == b"23 6\n"
    kept = _stocks(program)
    assert len(kept) == 1
    for _ in range(2):
        assert run(program).stdout == b"23 6\n"
        assert _stocks(program) == kept, "a run with nothing new has written it again"


def test_programs_share_what_they_have_of_libraries(
    run: Callable[..., Result], program: Path
) -> None:
    """The second program finds the C library's code that the first one had translated; a long one
    has a file with its own, too.
    """
    run(program)
    kept = _stocks(program)
    other = program.with_name("other")
    folder = program.parent
    link = (f"-L{folder}", "-lanswer", f"-Wl,-rpath,{folder}")
    _compile(_PROGRAM.replace("answer(20)", "answer(30)"), other, *link)
    assert run(other).stdout == b"33 6\n"
    assert _stocks(program) == kept
    functions = "".join(f"void f{n}(int *n) {{ *n += {n}; }}\n" for n in range(100))
    calls = "".join(f"f{n}(&n); " for n in range(100))
    long = f"int printf(const char *, ...);\n{functions}int main(void) {{ int n = 0; {calls}"
    long = long.replace("void f", "__attribute__((noinline)) void f")
    _compile(long + 'printf("%d\\n", n); return 0; }', program.with_name("long"), *link)
    for _ in range(2):
        assert run(program.with_name("long")).stdout == b"4950\n"
        more = _stocks(program)
        assert {file: more[file] for file in kept} == kept
        assert len(more) == 2


def test_other_code_at_the_same_place(run: Callable[..., Result], program: Path) -> None:
    """The program is the same file; its library is not."""
    run(program)
    run(program)
    for sign, number, expected in (("-", 3, b"17 6\n"), ("*", 9, b"180 6\n"), ("+", 3, b"23 6\n")):
        _library(program.parent, sign, number)
        for _ in range(2):
            assert run(program).stdout == expected


def test_damaged_records_are_not_used(run: Callable[..., Result], program: Path) -> None:
    run(program)
    (file,) = _stocks(program)
    whole = file.read_bytes()
    # Behind the head and the key, in the index and in the records.
    for start in (120, 200, len(whole) // 8, len(whole) // 3, len(whole) // 2):
        data = bytearray(whole)
        for at in range(start, len(whole), 97):
            data[at] ^= 0x5A
        file.write_bytes(data)
        assert run(program).stdout == b"23 6\n"
    for size in (0, 10, 100, len(whole) // 2):
        file.write_bytes(whole[:size])
        assert run(program).stdout == b"23 6\n"


def test_a_limit_of_file_sizes(
    qusr: Callable[[str], Emulator], run: Callable[..., Result], program: Path
) -> None:
    """What is too large to be written is not, and the program does not end by SIGXFSZ."""
    limited = Emulator(
        ("sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *qusr("aarch64").prefix),
        {**qusr("aarch64").environment, "QUSR_CACHE_DIR": str(program.parent / "store")},
    )
    for _ in range(2):
        assert limited(program).check().stdout == b"23 6\n"
    assert not _stocks(program)


def test_it_can_be_switched_off(run: Callable[..., Result], program: Path) -> None:
    for options in (("--opt", "no-stock"), ("--core", "native,check"), ("-d", "in_asm")):
        assert run(program, options=options).stdout == b"23 6\n"
        assert not _stocks(program)
    # Code of other options is another stock.
    run(program)
    run(program, options=("--opt", "no-chain"))
    assert len(_stocks(program)) == 2
