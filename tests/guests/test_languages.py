"""perl, lua and python3."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guests.compare import DATA, TRIPLET, Case, Guest, blob, each, populate
from tests.guests.programs import program

_PERL = (DATA / "program.pl").read_text()
_LUA = (DATA / "program.lua").read_text()

PERL_AND_LUA = [
    Case("perl -e 'print \"$^O $]\\n\"'"),
    Case("perl program", status=9, files={"program": _PERL}),
    Case("perl -ne 'print if /^mu/ .. /^nu/' words"),
    Case("perl -pi.orig -e 's/alpha/ALPHA/g' words"),
    Case("perl -MDigest::SHA=sha256_hex -0777 -ne 'print sha256_hex($_)' blob"),
    Case("perl -MJSON::PP -e 'print JSON::PP->new->canonical->encode({{a => [1, 2.5, undef]}})'",
         '{"a":[1,2.5,null]}'),
    Case("perl -Mbigint -e 'print 2 ** 128'", f"{2**128}"),
    Case("perl -e 'die \"no\\n\"'", "", status=255),
    Case("lua program", status=6, files={"program": _LUA}),
    Case("lua -e 'print(_VERSION, #arg)'"),
    Case("lua -e 'error(\"no\")'", "", status=1),
]  # fmt: skip


@each(PERL_AND_LUA)
def test_perl_and_lua(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)


def test_perl_finds_its_modules_in_the_root(guest: Guest, tmp_path: Path) -> None:
    # qemu-arm does not: its statx ignores -L.
    case = Case("perl -MList::Util=sum -e 'print sum(1 .. 10), $INC{{q(List/Util.pm)}}'")
    result = guest.run(guest.qusr, case, tmp_path / "work").check()
    triplet = TRIPLET[guest.arch]
    found = rf"55/usr/lib/{triplet}/(perl/5\.\d+|perl-base)/List/Util\.pm"
    assert re.fullmatch(found, result.out), result.out


# Short programs; each prints the same under any Python 3.11 or 3.13, on a 64-bit or a 32-bit machine, so
# the host's own tells what is right.
PYTHON = sorted(path.stem for path in (DATA / "python").glob("*.py"))


@pytest.mark.parametrize("name", PYTHON)
def test_python(guest: Guest, name: str, tmp_path: Path) -> None:
    code = (DATA / "python" / f"{name}.py").read_text()
    case = Case("python3 -sP program", files={"program": code}, compare_files=name != "sqlite3")
    result = guest.check(case, tmp_path)
    assert result.out == _on_host(case, tmp_path / "host")


def _on_host(case: Case, folder: Path) -> str:
    populate(folder, case)
    run = subprocess.run(
        [sys.executable, "-I", "program"], cwd=folder, capture_output=True, check=True,
        env={"LC_ALL": "C", "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"},
    )  # fmt: skip
    return run.stdout.decode()


def test_python_runs_a_program_of_1000_lines(guest: Guest, tmp_path: Path) -> None:
    text = program()
    assert 900 < text.count("\n") < 1500
    case = Case("python3 program", files={"program": text})
    assert guest.check(case, tmp_path).out == _on_host(case, tmp_path / "host")


PYTHON_COMMANDS = [
    Case("python3 -c 'print(6 * 7)'", "42\n"),
    Case("python3 -c 'import sys; print(sys.argv, sys.flags.isolated)' a 'b c'"),
    Case("python3 -c 'import sys; sys.exit(3)'", "", status=3),
    Case("python3 -c '1/0'", "", status=1),
    Case("python3 -", "from stdin\n", stdin=b"print('from stdin')\n"),
    Case("python3 -m json.tool", '{\n    "a": 1\n}\n', stdin=b'{"a":1}'),
    Case("python3 -m base64 -e tree/a/one", "b25lCg==\n"),
    Case("python3 -m calendar 2024 2"),
    Case("python3 -m py_compile program", files={"program": program()}, compare_files=False),
    Case("python3 -X importtime -c 'import email, http, xml.dom.minidom, argparse, unittest'", ""),
    Case(
        "python3 -c 'import platform as p; print(p.machine(), p.libc_ver(), p.architecture()[0])'"
    ),
]


@each(PYTHON_COMMANDS)
def test_python_command(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)


def test_python_reads_what_the_guest_wrote(guest: Guest, tmp_path: Path) -> None:
    code = "import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d[::-1])"
    result = guest.check(Case(f'python3 -c "{code}"', stdin=blob()), tmp_path)
    assert result.stdout == blob()[::-1]
