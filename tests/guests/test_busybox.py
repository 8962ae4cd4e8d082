"""Busybox applets that fork nothing, of the static and of the dynamic program."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pytest

from tests.guests.compare import Case, Guest, blob, each, numbers, words

_BLOB_MD5 = hashlib.md5(blob()).hexdigest()

APPLETS = [
    Case(""),
    Case("echo hello", "hello\n"),
    Case("ls -lR"),
    Case("cat words", words()),
    Case("sort -n numbers", "".join(f"{n}\n" for n in sorted(numbers()))),
    Case("wc words"),
    Case("head -c 100 blob"),
    Case("tail -n 3 words"),
    Case("md5sum blob", f"{_BLOB_MD5}  blob\n"),
    Case("sha3sum words"),
    Case("crc32 blob", f"{zlib.crc32(blob()):08x} blob\n"),
    Case("od -A d -t x2 -N 100 blob"),
    Case("hexdump -C tree/a/b/c/secret"),
    Case("xxd -l 64 blob"),
    Case("grep -c alpha words", f"{sum('alpha' in line for line in words().splitlines())}\n"),
    Case("sed -n 's/alpha/ALPHA/gp' words"),
    Case("awk '{{ n += NF }} END {{ print n, NR }}' words", f"{len(words().split())} 300\n"),
    Case("tr -d aeiou", stdin=words().encode()),
    Case("cut -c 1-5 words"),
    Case("uniq words"),
    Case("expr 7 '*' 6", "42\n"),
    Case("seq 5", "1\n2\n3\n4\n5\n"),
    Case("factor 1234567", "1234567: 127 9721\n"),
    Case("printf '%s-%d\\n' a 7", "a-7\n"),
    Case("date -u -d @86400 +%F", "1970-01-02\n"),
    Case("cal 2 2024"),
    Case("bc", "3.33333\n", stdin=b"scale=5\n10/3\n"),
    Case("dc", "1024\n", stdin=b"2 10 ^ p\n"),
    Case("stat -c '%n %s %F' words tree"),
    Case("find tree -type f"),
    Case("cp -a tree copy"),
    Case("mv words moved"),
    Case("rm -r tree"),
    Case("mkdir -p p/q/r"),
    Case("ln -s words soft"),
    Case("chmod 640 words"),
    Case("dd if=blob of=out bs=512 skip=2 count=5"),
    Case("truncate -s 12345 words"),
    Case("tar -cf out.tar tree"),
    Case("gzip -9 words"),
    Case("bzip2 blob"),
    Case("base64 words"),
    Case("uuencode x", stdin=b"uuencode this"),
    Case("diff words numbers", status=1),
    Case("cmp words words", ""),
    Case("du -k tree"),
    Case("realpath tree/link"),
    Case("env -i"),
    Case("id"),
    Case("uname -s", "Linux\n"),
    Case("ash -c 'i=0; while [ $i -lt 5 ]; do echo $i; i=$((i+1)); done'", "0\n1\n2\n3\n4\n"),
    Case("vi --help"),
    Case("nosuchapplet", status=127),
    Case("ipcalc -n 192.168.7.9/20", "NETWORK=192.168.0.0\n"),
    Case("strings blob"),
    Case("rev words"),
    Case("fold -w 30 words"),
    Case("sleep 0"),
]


def _cases(program: str) -> list[Case]:
    return [
        Case(
            f"{program} {case.command}", case.expect, case.stdin, case.status, case.files,
            case.compare_output, case.compare_files,
        )
        for case in APPLETS
    ]  # fmt: skip


CASES = _cases("busybox-static") + _cases("busybox")


@each(CASES)
def test_applet(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)


@pytest.mark.parametrize("program", ["gzip", "bzip2"])
def test_round_trip(guest: Guest, program: str, tmp_path: Path) -> None:
    packed = guest.check(Case(f"busybox {program} -c blob"), tmp_path).stdout
    assert len(packed) < len(blob())
    back = guest.check(Case(f"busybox {program} -dc", stdin=packed), tmp_path / "back")
    assert back.stdout == blob()
