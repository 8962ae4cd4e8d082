"""A small store of bytes on disk: load plans, thunk tables, starts, translations.

It is Rust's (`native/store`), which starts programs without Python. A cache may be damaged,
out of date, or put there by someone else: whatever does not fit is a miss, and the
contents are parsed by their owners with `struct`, never unpickled. No failure of the store is an
error of the program.
"""

from __future__ import annotations

import os
import time

from qusr import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .plan import LoadPlan


def directory(environ: Mapping[str, str]) -> str | None:
    """Where the cache is: QUSR_CACHE_DIR, else below XDG_CACHE_HOME or ~/.cache.

    An empty QUSR_CACHE_DIR means no cache.
    """
    return _native.store_directory(environ.get)


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

    def get(self, kind: str, key: bytes) -> bytes | None:
        """The value put under this kind and key, if it is there and whole."""
        if self.path is None:
            return None
        return _native.store_get(os.fsencode(self.path), kind, key)

    def put(self, kind: str, key: bytes, value: bytes) -> bool:
        """Keeps `value`; False when it could not be (which is nothing to worry about)."""
        if self.path is None:
            return False
        return _native.store_put(os.fsencode(self.path), kind, key, value)

    def trim(
        self,
        total: int = _native.STORE_MAX_TOTAL,
        entries: int = _native.STORE_MAX_ENTRIES,
    ) -> None:
        """Removes the oldest entries of a store with more than `total` bytes, or `entries`, down
        to three quarters.
        """
        if self.path is not None:
            _native.store_trim(os.fsencode(self.path), total, entries)


def settled(info: os.stat_result) -> bool:
    """Whether the last change is so long ago that a further one would show in ctime.

    File times advance with the kernel's clock tick (10 ms at most), so something that
    changed just now may change again with the same times.
    """
    age = time.time_ns() - max(info.st_ctime_ns, info.st_mtime_ns)
    return age > 50_000_000
