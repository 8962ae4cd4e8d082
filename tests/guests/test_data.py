"""sqlite3, compressors and openssl."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
import sqlite3
from pathlib import Path

import pytest

from tests.guests.compare import Case, Guest, blob, each, numbers, words

_SQL = """
create table t (id integer primary key, n integer, w text);
.mode csv
.import --csv rows t
select count(*), sum(n), min(n), max(n) from t;
create index by_n on t (n);
.mode list
select w, count(*) as c, avg(n) from t group by w order by c desc, w limit 5;
with recursive fib(a, b) as (select 0, 1 union all select b, a + b from fib limit 50) select max(a) from fib;
begin; update t set n = -n where id % 2; delete from t where n > 900000; commit;
select count(*), total(n), printf('%.6f', sqrt(2)), json_extract('{"a":[1,2]}', '$.a[1]') from t;
explain query plan select * from t where n = 5;
pragma journal_mode = wal;
insert into t values (null, 1, 'new');
vacuum;
pragma integrity_check;
"""
_ROWS = "".join(f"{i},{n},{words().split()[i % 700]}\n" for i, n in enumerate(numbers(), 1))

CASES = [
    Case("sqlite3 test.db", stdin=_SQL.encode(), files={"rows": _ROWS}, compare_files=False),
    Case(
        "sqlite3 :memory: 'select 1 + 1, upper(\"a\"), 1e300 * 10, 7 / 2.0'", "2|A|1.0e+301|3.5\n"
    ),
    Case("sqlite3 :memory: 'select nothing from nowhere'", "", status=1),
    Case("gzip -9n blob"),
    Case("gzip -l packed.gz", files={"packed.gz": gzip.compress(blob(), mtime=0)}),
    Case("gzip -t bad.gz", "", status=1, files={"bad.gz": gzip.compress(blob())[:1000]}),
    Case("bzip2 -k blob"),
    Case("xz -T1 -k blob"),
    Case("xz -T1 -9e --check=sha256 -k words"),
    Case("xz -l packed.xz", files={"packed.xz": lzma.compress(blob())}),
    Case("zstd -q --no-asyncio --single-thread -19 blob"),
    Case("zstd -q --no-asyncio --single-thread -1 --check words"),
    *(
        Case(f"openssl dgst -{name} -r blob", f"{hashlib.new(name, blob()).hexdigest()} *blob\n")
        for name in ("md5", "sha1", "sha256", "sha512", "sha3-256")
    ),
    Case("openssl dgst -sha256 -hmac key words"),
    Case("openssl base64 -in tree/a/one", "b25lCg==\n"),
    Case("openssl enc -aes-256-cbc -K 00112233 -iv 44556677 -in blob -out blob.enc"),
    Case("openssl enc -chacha20 -K 00112233 -iv 44556677 -in blob -out blob.enc"),
    Case(
        "openssl prime 18446744073709551557", "FFFFFFFFFFFFFFC5 (18446744073709551557) is prime\n"
    ),
    Case("openssl version -v"),
    Case("openssl list -digest-algorithms"),
]


@each(CASES)
def test_command(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)


UNPACK = {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}


@pytest.mark.parametrize(
    "program", ["gzip", "bzip2", "xz -T1", "zstd -q --no-asyncio --single-thread"]
)
def test_round_trip(guest: Guest, program: str, tmp_path: Path) -> None:
    """What one emulator packs, the host unpacks, and the guest again."""
    packed = guest.check(Case(f"{program} -c blob"), tmp_path).stdout
    name = program.split(maxsplit=1)[0]
    if name in UNPACK:
        assert UNPACK[name](packed) == blob()
    back = guest.check(Case(f"{program} -dc", stdin=packed), tmp_path / "back")
    assert back.stdout == blob()


def test_the_host_reads_the_guests_database(guest: Guest, tmp_path: Path) -> None:
    case = Case("sqlite3 test.db", stdin=_SQL.encode(), files={"rows": _ROWS})
    guest.run(guest.qusr, case, tmp_path / "work").check()
    with sqlite3.connect(tmp_path / "work" / "test.db") as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        kept = [-n if i % 2 else n for i, n in enumerate(numbers(), 1)]
        kept = [n for n in kept if n <= 900_000]
        row = db.execute("select count(*), sum(n) from t where w <> 'new'").fetchone()
        assert row == (len(kept), sum(kept))
    db.close()


def test_openssl_speed(guest: Guest, tmp_path: Path) -> None:
    # Its figures are times: only their form can be checked. It stops itself by an alarm.
    case = Case("openssl speed -seconds 1 -bytes 16 sha256")
    result = guest.run(guest.qusr, case, tmp_path / "work").check()
    assert re.search(r"^sha256 +\d+\.\d+k *$", result.out, re.M), result.describe()
    count = re.search(r"Doing sha256 (?:ops )?for 1s on 16 size blocks: (\d+) ", result.err)
    assert count, result.describe()
    assert int(count[1]) > 100
