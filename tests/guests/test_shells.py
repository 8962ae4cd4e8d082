"""Bash and dash scripts that start no process."""

from __future__ import annotations

from pathlib import Path

from tests.guests.compare import DATA, Case, Guest, each

_BASH = (DATA / "script.bash").read_text()
_DASH = (DATA / "script.dash").read_text()

CASES = [
    Case("bash -c 'echo $BASH_VERSION $((6 * 7))'"),
    Case("bash script", status=7, files={"script": _BASH}),
    Case("bash -s one", "one 1\n", stdin=b"echo $1 $#\n"),
    Case("bash -n script", "", files={"script": _DASH}),
    Case("bash -c 'exit 300'", "", status=44),
    Case("bash -c 'for ((i = s = 0; i < 20000; i++)); do ((s += i)); done; echo $s'",
         "199990000\n"),
    Case("bash -c 'echo \"$PWD\" \"$OLDPWD\"; cd tree/a; pwd; cd -'"),
    Case("bash -c 'type cd test sort; help true' "),
    Case("bash -c 'ulimit -c; umask; times' ", compare_output=False),
    Case("bash -c 'set -o; shopt; declare -p BASHOPTS' "),
    Case("bash -c 'if then'", "", status=2),
    Case("bash --norc -c 'no_such_command_at_all'", "", status=127),
    Case("dash -c 'echo $0 $((6 * 7))'"),
    Case("dash script", status=5, files={"script": _DASH}),
    Case("bash script", status=5, files={"script": _DASH}),
    Case("dash -c 'i=0; while [ $i -lt 5000 ]; do i=$((i + 1)); done; echo $i'", "5000\n"),
    Case("dash -c 'unclosed \"'", "", status=2),
    Case("sh -c 'read a b; echo \"$b-$a\"'", "two three-one\n", stdin=b"one two three\n"),
]  # fmt: skip


@each(CASES)
def test_script(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)
