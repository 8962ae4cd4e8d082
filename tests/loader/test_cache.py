"""The store: what is put comes back whole or not at all, and nothing foreign is believed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qusr import _native
from qusr.loader import cache
from qusr.loader.cache import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "a" / "cache"))


def only_file(store: Store) -> Path:
    assert store.path is not None
    (found,) = Path(store.path).iterdir()
    return found


def test_round_trip(store: Store) -> None:
    assert store.get("plan", b"key") is None
    assert store.put("plan", b"key", b"value")
    assert store.get("plan", b"key") == b"value"
    assert store.get("thunks", b"key") is None
    assert store.get("plan", b"other") is None
    assert store.put("plan", b"key", b"")
    assert store.get("plan", b"key") == b""
    assert only_file(store).stat().st_mode & 0o777 == 0o600


def test_any_damage_is_a_miss(store: Store) -> None:
    store.put("plan", b"key", b"some value")
    path = only_file(store)
    good = path.read_bytes()
    for at in range(len(good)):
        for changed in (good[:at], good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :]):
            path.write_bytes(changed)
            assert store.get("plan", b"key") is None
    path.write_bytes(good + b"x")
    assert store.get("plan", b"key") is None
    path.write_bytes(good)
    assert store.get("plan", b"key") == b"some value"


def test_an_entry_under_another_name_is_a_miss(store: Store) -> None:
    store.put("plan", b"one", b"value of one")
    first = only_file(store)
    store.put("plan", b"two", b"value of two")
    assert store.path is not None
    (second,) = [p for p in Path(store.path).iterdir() if p != first]
    first.replace(second)
    assert store.get("plan", b"two") is None


@pytest.mark.parametrize("who", ["group", "others", "entry"])
def test_what_others_can_write_is_not_believed(store: Store, who: str) -> None:
    store.put("plan", b"key", b"value")
    assert store.path is not None
    match who:
        case "group":
            os.chmod(store.path, 0o770)
        case "others":
            os.chmod(store.path, 0o707)
        case _:
            only_file(store).chmod(0o666)
    assert store.get("plan", b"key") is None
    if who != "entry":
        assert not store.put("plan", b"key", b"value")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_foreign_owner(store: Store) -> None:
    store.put("plan", b"key", b"value")
    assert store.path is not None
    os.chown(only_file(store), 1234, 1234)
    assert store.get("plan", b"key") is None
    os.chown(only_file(store), 0, 0)
    os.chown(store.path, 1234, 1234)
    assert store.get("plan", b"key") is None


def test_links_and_pipes_are_not_followed(store: Store, tmp_path: Path) -> None:
    store.put("plan", b"key", b"value")
    path = only_file(store)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert store.get("plan", b"key") is None
    path.unlink()
    os.mkfifo(path)
    assert store.get("plan", b"key") is None


def test_no_cache_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (None, str(tmp_path / "file"), str(tmp_path / "file/x"), "/proc/nothing/here"):
        store = Store(path)
        assert not store.put("plan", b"key", b"value")
        assert store.get("plan", b"key") is None
        store.trim()


def test_size_is_bounded(store: Store) -> None:
    for number in range(120):
        store.put("plan", b"%d" % number, bytes(1000))
    store.trim(total=50_000, entries=100)
    assert store.path is not None
    files = list(Path(store.path).iterdir())
    assert sum(f.stat().st_size for f in files) <= 50_000
    assert len(files) <= 100
    # The newest is kept.
    assert store.get("plan", b"119") is not None
    assert not store.put("plan", b"huge", bytes(_native.STORE_MAX_VALUE + 1))


def test_concurrent_writers(store: Store) -> None:
    """Readers see one of the written values, never a mixture."""
    values = [bytes([n]) * 50_000 for n in range(8)]

    def write(value: bytes) -> set[bytes]:
        seen = set()
        for _ in range(40):
            store.put("plan", b"key", value)
            got = store.get("plan", b"key")
            assert got is not None
            seen.add(got)
        return seen

    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(write, values):
            assert seen <= set(values)
    assert only_file(store)


def test_directory() -> None:
    where = cache.directory
    assert where({"QUSR_CACHE_DIR": "/x", "XDG_CACHE_HOME": "/y", "HOME": "/z"}) == "/x"
    assert where({"QUSR_CACHE_DIR": "", "HOME": "/z"}) is None
    assert where({"QUSR_CACHE_DIR": "x", "HOME": "/z"}) == os.path.abspath("x")
    assert where({"XDG_CACHE_HOME": "/y", "HOME": "/z"}) == "/y/qusr"
    assert where({"XDG_CACHE_HOME": "relative", "HOME": "/z"}) == "/z/.cache/qusr"
    assert where({}) is None
