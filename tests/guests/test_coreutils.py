"""GNU coreutils, findutils, diffutils and tar."""

from __future__ import annotations

import hashlib
import shlex
import zlib
from pathlib import Path

from tests.guests.compare import TRIPLET, Case, Guest, blob, each, numbers, words

_LINES = words().splitlines()


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


CASES = [
    Case("true", ""),
    Case("false", "", status=1),
    Case("echo -e 'a\\tb\\x41'", "a\tbA\n"),
    Case("printf '%05d|%-6s|%x|%.3f|%q\\n' 42 ab 255 3.14159 'a b'", "00042|ab    |ff|3.142|'a b'\n"),
    Case("pwd"),
    Case("uname -s -o", "Linux GNU/Linux\n"),
    Case("arch"),
    Case("nproc"),
    Case("id"),
    Case("whoami"),
    Case("groups"),
    Case("hostname"),
    Case("tty", "not a tty\n", status=1),
    Case("env -i"),
    Case("printenv LC_ALL TZ", "C\nCET-1CEST,M3.5.0,M10.5.0/3\n"),
    Case("ls"),
    Case("ls -lR"),
    Case("ls -la --time-style=full-iso tree"),
    Case("ls -1 --sort=size tree/many"),
    Case("ls -CF --width=70 tree/many"),
    Case("ls no/such", "", status=2),
    Case("dir tree"),
    Case("cat words", words()),
    Case("cat -A tree/a/b/c/secret", "^@^A^BM-^?"),
    Case("cat - words", "first\n" + words(), stdin=b"first\n"),
    Case("tac words", _text(_LINES[::-1])),
    Case("head -n 3 words", _text(_LINES[:3])),
    Case("tail -n 4 words", _text(_LINES[-4:])),
    Case("tail -c 10 blob"),
    Case("rev words", _text([line[::-1] for line in _LINES])),
    Case("nl words"),
    Case("wc words numbers blob"),
    Case("wc -c blob", "100003 blob\n"),
    Case("sort words", _text(sorted(_LINES))),
    Case("sort -n numbers", _text([str(n) for n in sorted(numbers())])),
    Case("sort --parallel=1 -k2,2 -k1,1r -u words"),
    Case("sort -c words", "", status=1),
    Case("uniq -c words"),
    Case("comm words numbers", status=1),
    Case("cut -d ' ' -f 2,4- words"),
    Case("paste words numbers"),
    Case("join -t : sorted sorted", files={"sorted": "".join(sorted(words().splitlines(True)))}),
    Case("tr a-z A-Z", words().upper(), stdin=words().encode()),
    Case("fold -s -w 20 words"),
    Case("fmt -w 40 words"),
    Case("pr -t -2 words"),
    Case("expand words"),
    Case("shuf -i 1-50 --random-source=blob"),
    Case("split -n 7 blob part."),
    Case("csplit -s words 10 20"),
    Case("od -A x -t x1z -v tree/a/b/c/secret"),
    Case("od -t d4 -N 64 blob"),
    Case("od -t f8 -N 64 blob"),
    Case("base64 blob"),
    Case("base32 tree/a/one", "N5XGKCQ=\n"),
    Case("basenc --z85 tree/a/one", "z/fa[\n"),
    Case("cksum blob"),
    Case("sum blob"),
    Case("md5sum blob", hashlib.md5(blob()).hexdigest() + "  blob\n"),
    Case("sha1sum blob", hashlib.sha1(blob()).hexdigest() + "  blob\n"),
    Case("sha256sum blob", hashlib.sha256(blob()).hexdigest() + "  blob\n"),
    Case("sha512sum blob", hashlib.sha512(blob()).hexdigest() + "  blob\n"),
    Case("b2sum blob", hashlib.blake2b(blob()).hexdigest() + "  blob\n"),
    Case("sha256sum -c sums", "words: OK\n", files={
        "sums": hashlib.sha256(words().encode()).hexdigest() + "  words\n"}),
    Case("factor 360 18446744073709551557 1000000007",
         "360: 2 2 2 3 3 5\n18446744073709551557: 18446744073709551557\n1000000007: 1000000007\n"),
    Case("factor 18446744073709551617", "18446744073709551617: 274177 67280421310721\n"),
    Case("seq 1 3 20", "1\n4\n7\n10\n13\n16\n19\n"),
    Case("seq -f %.2f 0 0.25 1", "0.00\n0.25\n0.50\n0.75\n1.00\n"),
    Case("expr 12 '*' 12 + 1", "145\n"),
    Case("expr abcde : '.*c'", "3\n"),
    Case("test -d tree -a -x tree/a/b/run"),
    Case("[ words -nt nothing ]"),
    Case("numfmt --to=iec 1048576 3000", "1.0M\n3.0K\n"),
    Case("date -u -d @1234567890", "Fri Feb 13 23:31:30 UTC 2009\n"),
    Case("date -d '2024-03-31 01:59:59 CET 1 second' +%FT%T%z", "2024-03-31T03:00:00+0200\n"),
    Case("date -d '2040-02-29 12:00' '+%A %j %s'", "Wednesday 060 2214126000\n"),
    Case("date -r words +%s", "1600000000\n"),
    Case("basename /a/b/c.txt .txt", "c\n"),
    Case("dirname /a/b/c.txt", "/a/b\n"),
    Case("realpath tree/link ."),
    Case("realpath --relative-to=tree/a tree/link", "one\n"),
    Case("readlink tree/dangling", "nowhere\n"),
    Case("readlink -f tree/link"),
    Case("stat -c '%n %s %f %A %h %u %g %F %Y %b %B %t %T' words tree tree/link tree/a/b/run"),
    Case("stat -c '%n %s %h' tree/hard", "tree/hard 4 2\n"),
    Case("stat -L -c %F tree/link /dev/null", "regular file\ncharacter special file\n"),
    Case("stat -f -c '%T %s %S %l' ."),
    Case("df --output=source,fstype,target ."),
    Case("df .", compare_output=False),
    Case("du -a tree"),
    Case("du -sb tree"),
    Case("touch -d '2001-02-03 04:05:06' new words"),
    Case("mkdir -p x/y/z -m 700"),
    Case("rmdir tree/empty"),
    Case("rm -r tree"),
    Case("mv tree/a tree/moved"),
    Case("cp -a tree copy"),
    Case("cp -r --preserve=mode words tree/a copy", status=1),
    Case("cp --sparse=always blob copy"),
    Case("cp --reflink=auto blob copy"),
    Case("install -m 640 words installed"),
    Case("ln -s words soft"),
    Case("ln words hard"),
    Case("link words hard2"),
    Case("unlink words"),
    Case("chmod -R u=rwX,g=rX,o= tree"),
    Case("chmod -v 4755 words"),
    Case("chown -c 12:34 words"),
    Case("truncate -s 3G big", compare_files=False),
    Case("dd if=blob of=out bs=1000 skip=3 count=7"),
    Case("dd if=blob of=blob bs=1 seek=10 count=20 conv=notrunc,fsync"),
    Case("dd if=/dev/zero of=out bs=4k count=3 conv=sparse"),
    Case("tee copy1 copy2", "some text\n", stdin=b"some text\n"),
    Case("mktemp -u XXXXXX", compare_output=False),
    Case("mkfifo pipe", compare_files=False),
    Case("mknod null c 1 3", compare_files=False),
    Case("shred -n 1 --random-source=blob words"),
    Case("sync words"),
    Case("sleep 0.05", ""),
    Case("pathchk -p 'name with space'", "", status=1),
    Case("tsort", "a\nb\nc\n", stdin=b"a b\nb c\n"),
    Case("ptx -w 50 tree/a/one"),
    Case("cmp blob words", status=1),
    Case("diff -u words changed", status=1, files={"changed": words().replace("alpha", "ALPHA")}),
    Case("diff -r tree tree", ""),
    Case("find tree"),
    Case("find tree -name 'file?[0-5]' -newer words"),
    Case("find tree -type f -size -20c -printf '%p %s %m %y %T@\\n'"),
    Case("find tree -depth -delete"),
    Case("tar -cf out.tar --sort=name --owner=me:1 --group=us:2 tree"),
    Case("tar -tvf - ", stdin=b"\0" * 10240),
    Case("file words blob tree/a/b/run tree/link"),
]  # fmt: skip


@each(CASES)
def test_command(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)


def test_absolute_paths_are_those_of_the_root(guest: Guest, tmp_path: Path) -> None:
    # Not compared with qemu-user, whose statx looks at the host's files.
    libc = f"/usr/lib/{TRIPLET[guest.arch]}/libc.so.6"
    case = Case(f"stat -c '%s %Y %i' {libc} /etc/passwd /usr/bin/perl")
    result = guest.run(guest.qusr, case, tmp_path / "work").check()
    stats = [(guest.root / name[1:]).stat() for name in shlex.split(case.command)[3:]]
    assert result.out == "".join(
        f"{s.st_size} {s.st_mtime_ns // 10**9} {s.st_ino}\n" for s in stats
    )


def test_cksum_is_the_posix_crc(guest: Guest, tmp_path: Path) -> None:
    # POSIX's cksum is CRC-32 (not reflected) over the data and its length; check it against
    # zlib's reflected one of bit-reversed bytes.
    data = blob()
    size = len(data)
    tail = bytes(size >> 8 * i & 0xFF for i in range((size.bit_length() + 7) // 8))
    flipped = bytes(int(f"{b:08b}"[::-1], 2) for b in data + tail)
    crc = zlib.crc32(flipped, 0xFFFFFFFF) ^ 0xFFFFFFFF
    value = int(f"{crc:032b}"[::-1], 2) ^ 0xFFFFFFFF
    result = guest.check(Case("cksum blob"), tmp_path)
    assert result.out == f"{value} {size} blob\n"
