"""System-call declarations, the thunk compiler and the Python handlers."""

from __future__ import annotations

import os


def fail(number: int) -> OSError:
    """The exception for errno `number`: `raise fail(errno.EINVAL)`."""
    return OSError(number, os.strerror(number))
