"""Imports the modules that are packed in the executable (packed.c).

Frozen as `_packed`; to import it is to have it looked in, after what is built in and frozen.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec

import _packed_code  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class Packed:
    """Finder and loader, as importlib's own of frozen modules: a class without instances."""

    is_package = staticmethod(_packed_code.is_package)
    get_code = staticmethod(_packed_code.code)

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What `import` goes on with, or None."""
        is_package = _packed_code.is_package(name)
        if is_package is None:
            return None
        return ModuleSpec(name, cls, origin="packed", is_package=is_package)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """None: the ordinary kind of module."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Runs the module's code in it."""
        exec(_packed_code.code(module.__name__), module.__dict__)

    @staticmethod
    def get_source(name: str) -> None:
        """None: there is only the code."""


sys.meta_path.append(Packed)
