"""Debian's sources, built here for the guests that have no Debian: lua, dash, sqlite, and gcc's torture tests.

Right is what qemu-user says of the same program. `tools/debian-source` fetches the sources; nothing of
them is in the repository.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testbins.build import FREESTANDING_TARGETS, LIBC_TARGETS
from tests.emulators import REPO, Emulator, Result, TooLongError, need
from tests.guests.compare import DATA, Case, populate

pytestmark = pytest.mark.slow

Qusr = Callable[[str], Emulator]

ARCHES = ("mips", "ppc", "m68k")
PARTS = 16
"""Into how many tests the torture tests are divided."""


@functools.cache
def _sources(package: str) -> Path:
    """The folder with the sources of a package."""
    command = [str(REPO / "tools" / "debian-source"), package]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Path(run.stdout.strip())


@functools.cache
def _judge(arch: str) -> Emulator:
    """qemu-user; for ppc a newer one: 7.2 has no mffsl, which the C library uses."""
    if arch != "ppc":
        return Emulator((need(f"qemu-{arch}"),), {})
    command = [str(REPO / "tools" / "newer-qemu"), arch]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Emulator((run.stdout.strip(),), {})


def _compile(arch: str, out: Path, *words: str | Path) -> None:
    target = LIBC_TARGETS[arch]
    command = [need(target.compiler), *target.flags, "-O1", "-w", "-static", "-o", out, *words]
    subprocess.run([*command, *target.libs], check=True)


def _both(
    arch: str, qusr: Qusr, program: Path, *args: str, stdin: bytes = b"", script: str = ""
) -> Result:
    """A run under qusr that is as qemu's, in a folder with `script` as `program`."""
    case, work, runs = Case("", files={"program": script}), program.parent / "work", []
    for emulator in (qusr(arch), _judge(arch)):
        populate(work, case)
        runs.append(emulator(program, *args, cwd=work, stdin=stdin, timeout=120))
        shutil.rmtree(work)
    assert (runs[0].status, runs[0].out) == (runs[1].status, runs[1].out), runs[0].describe()
    return runs[0]


@pytest.mark.parametrize("arch", ARCHES)
def test_lua(arch: str, qusr: Qusr, tmp_path: Path) -> None:
    sources = [path for path in (_sources("lua5.4") / "src").glob("*.c") if path.name != "luac.c"]
    program = tmp_path / "lua"
    _compile(arch, program, "-std=gnu99", "-DLUA_USE_POSIX", *sources, "-lm")
    script = (DATA / "program.lua").read_text()
    assert _both(arch, qusr, program, "program", script=script).status == 6
    assert _both(arch, qusr, program, "-e", "print(2^53, 7 // 2, math.type(1))").out == (
        "9.007199254741e+15\t3\tinteger\n"
    )


@pytest.mark.parametrize("arch", ARCHES)
def test_dash(arch: str, qusr: Qusr, tmp_path: Path) -> None:
    tree = tmp_path / "dash"
    shutil.copytree(_sources("dash"), tree)
    # The tarball's files are of one second: nothing is to be made anew.
    for name in ("aclocal.m4", "Makefile.in", "src/Makefile.in", "config.h.in", "configure"):
        (tree / name).touch()
    host = LIBC_TARGETS[arch].compiler.removesuffix("-gcc")
    need(LIBC_TARGETS[arch].compiler)
    for command in (
        ["sh", "configure", f"--host={host}", "CFLAGS=-O1 -w", "LDFLAGS=-static"],
        [need("make"), "-s"],
    ):
        made = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr[-2000:]
    program = tmp_path / "dash.run"
    shutil.copy(tree / "src" / "dash", program)
    script = (
        "i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; echo $i | (read n; echo $((n * 2)))"
    )
    assert _both(arch, qusr, program, "-c", script).out == "4000\n"
    script = (
        'trap "echo gone" EXIT; f() { return 3; }; f; echo $? $(echo a b | { read x y; echo $y; })'
    )
    assert _both(arch, qusr, program, "-c", script).out == "3 b\ngone\n"


@pytest.fixture(scope="session")
def amalgamation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with sqlite's sqlite3.c and shell.c."""
    need("tclsh")
    folder = tmp_path_factory.mktemp("amalgamation")
    configure = [str(_sources("sqlite3") / "configure"), "--disable-tcl", "--disable-shared"]
    for command in (configure, [need("make"), "-s", "sqlite3.c", "shell.c"]):
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder


_SQL = b"""\
create table t (id integer primary key, name text, value real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
insert into t select i, printf('name %05d', i * 7919 % 2000), i / 7.0 from n;
create index by_name on t (name);
select count(*), sum(id), round(sum(value), 6) from t;
select id, name from t where name between 'name 00010' and 'name 00013' order by name;
select hex(zeroblob(4)), typeof(1.5), abs(-9223372036854775807);
pragma integrity_check;
"""


@pytest.mark.parametrize("arch", ARCHES)
def test_sqlite(arch: str, qusr: Qusr, amalgamation: Path, tmp_path: Path) -> None:
    program = tmp_path / "sqlite3"
    options = ("-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION")
    _compile(arch, program, *options, amalgamation / "sqlite3.c", amalgamation / "shell.c", "-lm")
    result = _both(arch, qusr, program, ":memory:", stdin=_SQL).check()
    lines = result.out.splitlines()
    assert lines[0] == "2000|2001000|285857.142857"
    assert lines[-2:] == ["00000000|real|9223372036854775807", "ok"]


def _torture(arch: str, source: Path, program: Path) -> bool:
    """Builds a torture test; False: it is not for this guest."""
    text = source.read_text(errors="replace")
    options = re.findall(r'dg-(?:additional-)?options "([^"]*)"\s*}', text)
    target = LIBC_TARGETS.get(arch) or FREESTANDING_TARGETS[arch]
    command = [need(target.compiler), *target.flags, "-O2", "-w", "-static", *options]
    words: list[str | Path] = [*" ".join(map(str, command)).split(), source]
    if arch not in LIBC_TARGETS:
        words += ["-Dmain=torture_main", "-nostdlib", "-ffreestanding", DATA / "torture32.c"]
    else:
        words.append("-lm")
    run = subprocess.run([*words, "-o", program], capture_output=True, check=False)
    return run.returncode == 0


def _ends_well(emulator: Emulator, program: Path) -> bool:
    """One that is not for this machine may be an endless loop."""
    try:
        return emulator(program, cwd=program.parent, timeout=60).status == 0
    except TooLongError:
        return False


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("arch", [*ARCHES, "riscv64", "riscv32"])
def test_torture(arch: str, part: int, qusr: Qusr, tmp_path: Path) -> None:
    """Those that end well under qemu end well. (The others are for other machines, or want more of a C
    library; riscv32 has no library with its division of 64 bits.)"""
    folder = _sources("gcc-12") / "gcc/testsuite/gcc.c-torture/execute"
    sources = sorted(folder.glob("*.c"))[part::PARTS]
    program, failed, judged = tmp_path / "program", [], 0
    for source in sources:
        if not _torture(arch, source, program):
            continue
        if not _ends_well(_judge(arch), program):
            continue
        judged += 1
        if not _ends_well(qusr(arch), program):
            failed.append(source.name)
    assert not failed
    assert judged > 0.7 * len(sources)
