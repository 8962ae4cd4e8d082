"""qusr runs Linux ELF programs built for another processor.

`qusr.run` runs one as `subprocess.run` would, `qusr.Process` in this process, to be looked
into and steered; see docs/python-api.md. All names are imported when they are used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.api import run
    from qusr.embed.process import Process
    from qusr.loader import LoadError
    from qusr.options import Exited, Options, UsageError

__all__ = ["Exited", "LoadError", "Options", "Process", "UsageError", "run"]

_WHERE = {
    "Exited": "options",
    "LoadError": "loader.errors",
    "Options": "options",
    "Process": "embed.process",
    "UsageError": "options",
    "run": "api",
}


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'qusr' has no attribute {name!r}")
    return getattr(__import__(f"qusr.{module}", fromlist=[name]), name)


def __dir__() -> list[str]:
    # Not the subpackages that happen to be imported.
    return [*__all__, *(name for name in globals() if name[:2] == "__")]
