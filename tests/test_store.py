"""The store where it cannot be used: full, read-only, somebody else's, where renames fail."""

from __future__ import annotations

import ast
import errno
import importlib
import importlib.machinery
import importlib.util
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qusr import _native, kept, preload
from qusr.loader import Store
from tests import emulators
from tests.emulators import Emulator
from tests.test_sysroot import unshare

#: A dynamic program, whose translations are worth keeping.
PROGRAM = "/bin/echo hello"
WRITE, RENAME, RENAMEAT, RENAMEAT2, LINK, OPENAT = 1, 82, 264, 316, 86, 257


@pytest.fixture
def hello(
    qusr: Callable[[str], Emulator], root: Callable[..., Path], tmp_path: Path
) -> Iterator[tuple[Emulator, Path]]:
    """qusr with a store of its own, which is not there yet, and that store."""
    store = tmp_path / "store"
    emulator = qusr("aarch64")
    yield (
        Emulator(
            emulator.prefix,
            {
                **emulator.environment,
                "QUSR_CACHE_DIR": str(store),
                "QUSR_LD_PREFIX": str(root("aarch64")),
            },
        ),
        store,
    )


def _greets(emulator: Emulator, *before: str) -> None:
    for _ in range(2):
        run = Emulator((*before, *emulator.prefix), emulator.environment)(*PROGRAM.split())
        assert (run.check().err, "ello" in run.out) == ("", True)


def _kept(store: Path) -> list[str]:
    return sorted(entry.name for entry in store.iterdir())


def test_it_is_used(hello: tuple[Emulator, Path]) -> None:
    emulator, store = hello
    _greets(emulator)
    assert {name.partition("-")[0] for name in _kept(store)} == {"code"}
    assert not [name for name in _kept(store) if name.startswith(".")]


@pytest.mark.parametrize("pages", [0, 1, 40])
def test_full_disk(hello: tuple[Emulator, Path], pages: int, tmp_path: Path) -> None:
    """On a tmpfs of so many pages: nothing half-written is left, and no error is the guest's."""
    emulator, store = hello
    store.mkdir(0o700)
    script = f"""
        mount -t tmpfs -o size={max(pages, 1) * 4096},mode=700 none {store} || exit 77
        [ {pages} != 0 ] || head -c 4096 /dev/zero > {store}/full
        for i in 1 2 3; do {" ".join(emulator.prefix)} {PROGRAM} || exit 1; done
        ls -A {store}
    """
    run = subprocess.run(
        [*unshare(), "sh", "-c", script],
        env={**emulators.ENVIRONMENT, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if run.returncode == 77:
        pytest.skip("no right to mount a tmpfs")
    assert (run.returncode, run.stderr) == (0, "")
    names = run.stdout.split("\n")
    assert not [name for name in names if name.startswith(".")], names


@pytest.mark.parametrize("mode", [0o500, 0o000, 0o777])
def test_rights(hello: tuple[Emulator, Path], mode: int) -> None:
    emulator, store = hello
    store.mkdir()
    store.chmod(mode)
    _greets(emulator)
    store.chmod(0o700)
    # Where others can write nothing is kept; root may write to all that is its own.
    assert mode == 0o777 or os.geteuid() == 0 or _kept(store) == []
    if mode == 0o777:
        assert _kept(store) == []


def test_read_only_file_system(hello: tuple[Emulator, Path]) -> None:
    emulator, store = hello
    _greets(emulator)
    before = _kept(store)
    script = f"""
        mount --bind {store} {store} && mount -o remount,bind,ro {store} || exit 77
        for i in 1 2; do {" ".join(emulator.prefix)} {PROGRAM} || exit 1; done
    """
    run = subprocess.run(
        [*unshare(), "sh", "-c", script],
        env={**emulators.ENVIRONMENT, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if run.returncode == 77:
        pytest.skip("no right to mount")
    assert (run.returncode, run.stderr) == (0, "")
    assert _kept(store) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses(hello: tuple[Emulator, Path]) -> None:
    emulator, store = hello
    _greets(emulator)
    for path in store.iterdir():
        os.chown(path, 65534, 65534)
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    os.chown(store, 65534, 65534)
    _greets(emulator)
    # Neither believed nor touched.
    assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before


@pytest.mark.parametrize("error", [errno.EIO, errno.EXDEV, errno.ENOSYS, errno.ESTALE])
def test_renames_fail(hello: tuple[Emulator, Path], error: int) -> None:
    """As on file systems over a network, or in a sandbox: neither the entry is there nor a rest."""
    emulator, store = hello
    refused = [f"{number}={error}" for number in (RENAME, RENAMEAT, RENAMEAT2, LINK)]
    environment = {**emulator.environment, "PYTHONPATH": str(emulators.REPO)}
    sandboxed = Emulator(emulator.prefix, environment)
    _greets(sandboxed, sys.executable, "-m", "tests.sandbox", *refused, "--")
    assert _kept(store) == []


def test_what_is_left_by_others_is_in_nobodys_way(tmp_path: Path) -> None:
    """A temporary file of a process of our id that died in another container."""
    store = Store(str(tmp_path))
    assert store.put("kind", b"key", b"value")
    (name,) = os.listdir(tmp_path)
    for left in (f".{name}.{os.getpid():x}", f"{name}.{os.getpid():x}"):
        (tmp_path / left).write_bytes(b"left")
    assert store.put("kind", b"key", b"other")
    assert store.get("kind", b"key") == b"other"


def test_kept_modules_are_all_that_is_needed(tmp_path: Path) -> None:
    """With the code of the modules kept, none of them needs a file any more."""
    script = f"""
import os, sys
from qusr import _native, kept, preload
from qusr.loader import Store
preload.everything(Store({str(tmp_path)!r}))
print(isinstance(sys.meta_path[0], kept.Kept))
before = set(sys.modules)
if isinstance(sys.meta_path[0], kept.Kept):
    names = list(sys.meta_path[0].names())
    os.open = None
    sys.path[:] = []
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, "__name__", "") != "PathFinder"]
    for name in names:
        if name.startswith("qusr.") and ".strace" not in name and ".debug" not in name:
            __import__(name)
    print(len(set(sys.modules) - before) > 50)
"""
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(emulators.REPO)}
    runs = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [run.stderr for run in runs] == ["", ""]
    assert [run.stdout.split() for run in runs] == [["True", "True"]] * 2


def test_the_extension_has_a_build_id() -> None:
    """By which its entries are known: a note of type 3 of the name GNU, a SHA-1."""
    library = _native.__file__
    assert library is not None
    note = struct.pack("<III4s", 4, 20, 3, b"GNU")
    assert note in Path(library).read_bytes()


@pytest.mark.parametrize("damage", [b"", b"\0" * 8, b"\xff" * 64])
def test_damaged_modules_are_a_miss(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises((ValueError, EOFError, TypeError, IndexError)):
        kept.Kept(_reader(damage), _native.crc32)


def _reader(data: bytes) -> Callable[[int, int], bytes]:
    def read(start: int, size: int) -> bytes:
        if start + size > len(data):
            raise IndexError
        return data[start : start + size]

    return read


def _standard_imports(path: Path) -> set[str]:
    """What a module of ours imports of the standard library, at whatever level of its text."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name for name in found if name.partition(".")[0] in sys.stdlib_module_names}


def test_all_that_may_be_imported_later_is_kept() -> None:
    """Of what a guest's calls need: the command line has been read by then."""
    data = preload.learn()
    found = kept.Kept(lambda at, size: data[at : at + size], _native.crc32)
    folder = Path(preload.__file__).parent
    modules = ["cli", "api", "info", "interp", "usage", "__main__", "debug/gdb/client"]
    over = {folder / f"{name}.py" for name in modules}
    missing = {}
    for package in ("", *preload._packages()):
        for path in (folder / package).glob("*.py"):
            for name in _standard_imports(path) if path not in over else ():
                spec = importlib.util.find_spec(name)
                source = spec is not None and str(spec.origin).endswith(".py")
                if source and name not in found.names():
                    missing[name] = path
    assert missing == {}
    assert {"qusr", "qusr.process", "qusr.arch.arm", "re._parser"} <= set(found.names())


def test_what_is_kept_is_what_python_compiled() -> None:
    data = preload.learn()
    found = kept.Kept(lambda at, size: data[at : at + size], _native.crc32)
    for name in ("qusr.process", "re._parser", "socket"):
        # As pytest does not see it, which compiles what a package with a plugin of its own has.
        package = name.rpartition(".")[0]
        path = importlib.import_module(package).__path__ if package else None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None and spec.loader is not None
        assert found.get_code(name) == spec.loader.get_code(name)  # type: ignore[attr-defined]
