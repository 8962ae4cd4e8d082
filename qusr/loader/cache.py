"""A small store of bytes on disk: translations, code of modules.

It is Rust's (`native/store`), which starts programs without Python. A cache may be damaged,
out of date, or put there by someone else: whatever does not fit is a miss, and the
contents are parsed by their owners with `struct`, never unpickled. No failure of the store is an
error of the program.
"""

from __future__ import annotations

import os

from qusr import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


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

    __slots__ = ("path",)

    def __init__(self, path: str | None) -> None:
        self.path = path

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
