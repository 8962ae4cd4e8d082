"""Registration with the kernel's binfmt_misc: the command `qusr-binfmt`.

`registry` is what the kernel knows and how to tell it, `launcher` the executable that is
registered, `namespace` a private registration, `carry` the host's files inside a root.
"""

from __future__ import annotations


class BinfmtError(Exception):
    """Something that the user can act on, in one line."""
