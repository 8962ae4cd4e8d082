"""Real programs: those of a Debian root, and natively those of this host."""

from __future__ import annotations

import gzip
import lzma
import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.build import BUILD, COMPILERS, HERE
from bench.run import RunError, Runner
from bench.workload import CPU, WALL, Command, Figure, Setting, Workload, check, inner

PROGRAMS = HERE / "programs"
TRIPLETS = {guest: compiler.removesuffix("-gcc") for guest, compiler in COMPILERS.items()}


def _installed(setting: Setting, program: str, *args: str, host: str | None = None) -> Command:
    def command(runner: Runner) -> list[str]:
        path = Path("/", host or program) if runner.native else setting.root / program
        if not path.exists():
            raise RunError(f"{path} is not installed")
        return [*runner.prefix, str(path), *args]

    return command


def _text(size: int) -> Path:
    """A file of words, the same every time; made once."""
    path = BUILD / f"text-{size}"
    if not path.exists():
        rng = random.Random(size)
        words = [
            "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9)))
            for _ in range(3000)
        ]
        parts = []
        total = 0
        while total < size:
            line = " ".join(rng.choices(words, k=12)) + "\n"
            parts.append(line)
            total += len(line)
        path.write_text("".join(parts)[:size])
    return path


def _packed_as(unpack: Callable[[bytes], bytes], original: Path) -> Callable[[bytes], object]:
    def result(output: bytes) -> object:
        try:
            right = unpack(output) == original.read_bytes()
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise RunError(f"what it packed cannot be unpacked: {error}") from None
        if not right:
            raise RunError("what it packed unpacks to something else")
        return True

    return result


CHILDREN = 500
_BASH_CHILDREN = """
n=$2 failed=0 from=${EPOCHREALTIME/./}
for ((i = 0; i < n; i++)); do "$1" || failed=$((failed + 1)); done
to=${EPOCHREALTIME/./}
echo "0 $(( (to - from) * 1000 )) $n-$failed"
"""
#: What each does is next to nothing, and the same everywhere.
COREUTILS = (
    "true", "echo a", "printf b", "cat /dev/null", "head -c0 /dev/zero", "tail -c0 /dev/null",
    "wc -c /dev/null", "sort /dev/null", "uniq /dev/null", "cut -c1 /dev/null", "tr a b",
    "basename /a/b", "dirname /a/b", "seq 3", "expr 1 + 1", "factor 12", "test a", "sleep 0",
    'env "$1"/true', 'nice "$1"/true', 'nohup "$1"/true', 'timeout 9 "$1"/true',
    'stdbuf -o0 "$1"/true', "tee", "paste /dev/null", "fold /dev/null", "fmt /dev/null",
    "pr /dev/null", "nl /dev/null", "od /dev/null",
    "comm /dev/null /dev/null", "join /dev/null /dev/null", "expand /dev/null",
    "unexpand /dev/null", "tsort /dev/null", "cksum /dev/null", "sum /dev/null",
    "md5sum /dev/null", "sha1sum /dev/null", "sha256sum /dev/null", "b2sum /dev/null",
    "base64 /dev/null", "base32 /dev/null", "shuf -n0 -e a", "tac /dev/null", "numfmt 1",
    "realpath /", "readlink -f /", "stat -c %F /", "date -u -d @0 +%s",
)  # fmt: skip
_COREUTILS = "\n".join(
    (
        "cd / && n=0",
        *(f'"$1"/{line} </dev/null && n=$((n + 1))' for line in COREUTILS),
        'echo "$n"',
    )
)
_BASH_LOOP = """
declare -A seen
for ((i = 0, x = 1; i < $1; i++)); do
    x=$(( (x * 1103515245 + 12345) & 0x7fffffff )) k=$((x % 97)); ((seen[$k]++)); s=${s: -20}$k
done
echo "$x ${#seen[@]} $s"
"""


def real_programs(setting: Setting) -> list[Workload]:
    """One for each program: its first run, and (short ones) one like those that follow."""
    first = _programs(setting)
    short = ("python3", "bash", "cc1", "gzip")
    again = [replace(w, group="again", first=False, before=2) for w in first if w.name in short]
    return first + again


def _programs(setting: Setting) -> list[Workload]:
    text = str(_text(setting.count(1_000_000)))
    large = str(_text(setting.count(16_000_000)))
    scale = str(setting.count(8))
    triplet = TRIPLETS[setting.guest]
    source = str(_preprocessed(setting))
    cc1 = ("-O2", "-quiet", "-fno-ident", "-fpreprocessed", source, "-o", "-")

    def program(name: str, *args: str, stdin: Path | None = None) -> Workload:
        command = _installed(setting, f"usr/bin/{name}", *args)
        return _program(name, command, lambda output: output, stdin=stdin)

    return [
        program("python3", "-S", str(PROGRAMS / "mixed.py"), scale),
        program("perl", str(PROGRAMS / "mixed.pl"), scale),
        program("sqlite3", ":memory:", stdin=_sql(setting)),
        program("bash", "--norc", "-c", _BASH_LOOP, "bash", str(setting.count(10_000))),
        program("openssl", "dgst", "-sha256", "-r", large),
        _program(
            "cc1",
            # The host's cross compiler is the same program.
            _installed(
                setting,
                f"usr/lib/gcc/{triplet}/12/cc1",
                *cc1,
                host=f"usr/lib/gcc-cross/{triplet}/12/cc1",
            ),
            lambda output: output,
        ),
        _program(
            "gzip",
            _installed(setting, "usr/bin/gzip", "-6", "-c", text),
            _packed_as(gzip.decompress, Path(text)),
        ),
        _program(
            "xz",
            _installed(setting, "usr/bin/xz", "-2", "-T1", "-c", text),
            _packed_as(lzma.decompress, Path(text)),
        ),
    ]


def _program(
    name: str,
    command: Command,
    result: Callable[[bytes], object],
    stdin: Path | None = None,
) -> Workload:
    return Workload("program", name, command, (CPU, WALL), result, stdin=stdin, first=True)


def child_programs(setting: Setting) -> list[Workload]:
    """A shell that starts one program after the other: fork, execve, wait."""
    count = setting.count(CHILDREN)

    def command(runner: Runner) -> list[str]:
        bash = _installed(setting, "usr/bin/bash", "--norc", "-c", _BASH_CHILDREN, "bash")
        true = "/usr/bin/true" if runner.native else str(setting.root / "usr/bin/true")
        return [*bash(runner), true, str(count)]

    def result(output: bytes) -> bytes:
        found = check(output)
        if found != f"{count}-0".encode():
            raise RunError(f"children failed: {output[:60]!r}")
        return found

    figures = (
        Figure("wall", "ms", lambda sample: inner(sample, 1) / 1e6 / count),
        Figure("cpu", "ms", lambda sample: sample.cpu * 1e3 / count),
    )
    return [
        Workload("children", "bash-true", command, figures, result, children=True),
        _coreutils(setting),
    ]


def _coreutils(setting: Setting) -> Workload:
    """`sh -c` of fifty programs of coreutils, each once, with nothing kept of any."""

    def command(runner: Runner) -> list[str]:
        folder = "/usr/bin" if runner.native else str(setting.root / "usr/bin")
        shell = _installed(setting, "usr/bin/dash", "-c", _COREUTILS, "sh")
        return [*shell(runner), folder]

    def result(output: bytes) -> bytes:
        if output.split()[-1:] != [b"%d" % len(COREUTILS)]:
            raise RunError(f"programs failed: {output[-60:]!r}")
        return output

    return Workload(
        "children", "coreutils", command, (WALL, CPU), result, children=True, first=True
    )


def _sql(setting: Setting) -> Path:
    """A script of inserts, index look-ups, joins, updates and deletes."""
    rows = setting.count(20_000)
    path = BUILD / f"script-{rows}.sql"
    path.write_text(
        f"""
create table t(a integer primary key, b integer, c text);
begin;
with recursive n(i) as (select 1 union all select i+1 from n where i < {rows})
insert into t select i, i * 7919 % 10007, printf('row %d of many', i * 31 % 1009) from n;
commit;
create index tb on t(b);
select count(*), sum(b), min(c), max(c) from t;
select count(*) from t x join t y on x.b = y.a where x.a % 3 = 0;
update t set c = c || '!' where b between 1000 and 3000;
delete from t where a % 5 = 0;
select c, count(*) k from t group by c order by k desc, c limit 5;
select group_concat(a) from (select a from t where c like '%99%' order by b, a limit 20);
"""
    )
    return path


def _preprocessed(setting: Setting) -> Path:
    """A C file with its headers in it, so that every compiler compiles the same text."""
    path = BUILD / setting.guest / ("quick.i" if setting.quick else "full.i")
    source = HERE / "src" / ("hello.c" if setting.quick else "floating.c")
    command = [COMPILERS[setting.guest], "-E", "-o", str(path), str(source)]
    subprocess.run(command, check=True)
    return path
