"""Where qusr's own modules are: in a folder each, or all in one executable (`make static`).

Modules of such an executable are frozen into it and have no files.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The folder of the package; None: it is a part of the executable.
FOLDER = os.path.dirname(__file__) if "__file__" in globals() else None

#: Where `qusr-binfmt bind` shows the host's files inside a root, and the cache in there.
CARRIED = "/run/qusr"
CACHE = CARRIED + "/cache"

#: How the executable with all in it is named by itself; there may be no other way to it.
EXECUTABLE = "/proc/self/exe"


def folders(names: Sequence[str]) -> list[bytes]:
    """The folders of subpackages, for `_native.stamp_sources`.

    None for an executable: all of it is known by its build ID.
    """
    if FOLDER is None:
        return []
    return [os.fsencode(f"{FOLDER}/{name}") for name in names]
