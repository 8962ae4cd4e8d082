"""A small store of bytes on disk: load plans, thunk tables, starts, translations.

A cache may be damaged, out of date, written by another version, or put there by
someone else. So an entry carries its kind, its full key and a checksum; the directory
must be ours and nobody else's to write; and whatever does not fit is a miss. The
contents are parsed by their owners with `struct`, never unpickled. Reading is Rust's
(`native/store`), which starts programs without Python.

Entries are written to a temporary file and renamed, so that readers and other
writers see whole entries only. No failure of the store is an error of the program.
"""

from __future__ import annotations

import os
import stat
import time
from struct import Struct

from qusr import _native
from qusr._native import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .plan import LoadPlan

_MAGIC = b"qusrcach"
_HEAD_SIZE = 20
_RLIMIT_FSIZE = 1
MAX_VALUE = 16 << 20
MAX_KEY = 4096
#: All entries together; the oldest go first.
MAX_TOTAL = 256 << 20
MAX_ENTRIES = 4096


def directory(environ: Mapping[str, str]) -> str | None:
    """Where the cache is: QUSR_CACHE_DIR, else below XDG_CACHE_HOME or ~/.cache.

    An empty QUSR_CACHE_DIR means no cache.
    """
    chosen = environ.get("QUSR_CACHE_DIR")
    if chosen is not None:
        return os.path.abspath(chosen) if chosen else None
    base = environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        # The XDG base directory specification: a relative path is to be ignored.
        home = environ.get("HOME", "")
        if not home.startswith("/"):
            return None
        base = home + "/.cache"
    return base + "/qusr"


class Store:
    """Bytes by kind and key, in one directory. `Store(None)` keeps nothing.

    It holds no descriptor open: a guest that closes every descriptor it does not
    know could pull it away.
    """

    __slots__ = ("path", "plans")

    def __init__(self, path: str | None) -> None:
        self.path = path
        #: Load plans by file identity, without reading anything again: the programs that a process
        #: and its children execute one after the other nearly always have one dynamic linker.
        self.plans: dict[bytes, LoadPlan] = {}

    @classmethod
    def default(cls, environ: Mapping[str, str] | None = None) -> Store:
        """The user's store."""
        return cls(directory(os.environ if environ is None else environ))

    def _trusted(self, create: bool) -> str | None:
        """The directory, when it is there and nobody else can write to it."""
        path = self.path
        if path is None:
            return None
        try:
            try:
                info = os.stat(path)
            except FileNotFoundError:
                if not create:
                    return None
                os.makedirs(path, mode=0o700, exist_ok=True)
                info = os.stat(path)
        except OSError:
            return None
        if (
            not stat.S_ISDIR(info.st_mode)
            or info.st_uid != os.geteuid()
            or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            return None
        return path

    def get(self, kind: str, key: bytes) -> bytes | None:
        """The value put under this kind and key, if it is there and whole."""
        if self.path is None:
            return None
        return _native.store_get(os.fsencode(self.path), kind, key)

    def put(self, kind: str, key: bytes, value: bytes) -> bool:
        """Keeps `value`; False when it could not be (which is nothing to worry about)."""
        if len(value) > MAX_VALUE or len(key) > MAX_KEY:
            return False
        # A write beyond the limit would end the process (SIGXFSZ), and the limit is the guest's.
        if _HEAD_SIZE + len(kind) + len(key) + len(value) > _native.getrlimit(_RLIMIT_FSIZE)[0]:
            return False
        path = self._trusted(create=True)
        if path is None:
            return False
        name = _name(kind, key)
        temporary = f"{path}/.{name}.{os.getpid():x}.{os.urandom(4).hex()}"
        data = _wrap(kind.encode(), key, value)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            file = os.open(temporary, flags, 0o600)
        except OSError:
            return False
        try:
            try:
                whole = os.write(file, data) == len(data)
            finally:
                os.close(file)
            if whole:
                os.rename(temporary, f"{path}/{name}")
        except OSError:
            whole = False
        if not whole:
            _remove(temporary)
        elif os.urandom(1)[0] & 31 == 0:
            # Bounds the size of the store: one put in 32 looks.
            self.trim()
        return whole

    def trim(self) -> None:
        """Removes the oldest entries of a store that is too large, down to three quarters."""
        path = self._trusted(create=False)
        if path is None:
            return
        found = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    info = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(info.st_mode):
                        found.append((info.st_mtime_ns, entry.path, info.st_size))
        except OSError:
            # Another process trims at the same time.
            return
        total = sum(size for _, _, size in found)
        if total <= MAX_TOTAL and len(found) <= MAX_ENTRIES:
            return
        found.sort()
        count = len(found)
        for _, file, size in found:
            if total <= MAX_TOTAL * 3 // 4 and count <= MAX_ENTRIES * 3 // 4:
                break
            _remove(file)
            total -= size
            count -= 1


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        # Gone already, or not ours to remove: either way nothing is lost.
        return


def _name(kind: str, key: bytes) -> str:
    """The file name: two checksums of the key. A clash is a miss, for the key is compared."""
    return f"{kind}-{crc32(key):08x}{crc32(key, 0x5BD1E995):08x}"


def _wrap(kind: bytes, key: bytes, value: bytes) -> bytes:
    body = kind + key + value
    lengths = Struct("<HHI").pack(len(kind), len(key), len(value))
    return _MAGIC + Struct("<I").pack(crc32(lengths + body)) + lengths + body


# ---- keys made of files ----
_IDENTITY = Struct("<QQQQQ")


def file_identity(info: os.stat_result) -> bytes:
    """What tells a file from every other one and from what it was before.

    ctime is in it because a program can set mtime back, but not ctime.
    """
    mask = (1 << 64) - 1
    return _IDENTITY.pack(
        info.st_dev & mask,
        info.st_ino & mask,
        info.st_size & mask,
        info.st_mtime_ns & mask,
        info.st_ctime_ns & mask,
    )


def settled(info: os.stat_result) -> bool:
    """Whether the last change is so long ago that a further one would show in ctime.

    File times advance with the kernel's clock tick (10 ms at most), so something that
    changed just now may change again with the same times.
    """
    age = time.time_ns() - max(info.st_ctime_ns, info.st_mtime_ns)
    return age > 50_000_000
