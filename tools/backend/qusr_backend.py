"""The build backend that pyproject.toml names: maturin, behind a look at what Rust there is.

By itself maturin fetches a Rust where there is none, and shows the errors of one that is too old.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maturin
from maturin import build_sdist, get_requires_for_build_sdist

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None

_NEED_RUST = Path(__file__).parent.parent / "need-rust"


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """The first that a tool asks for: here it ends if there is nothing to build with."""
    # By its name, as a source distribution keeps no file's permission to be executed.
    if subprocess.run(["sh", _NEED_RUST], check=False).returncode != 0:
        sys.exit(1)
    needed: list[str] = maturin.get_requires_for_build_wheel(config_settings)
    return needed


get_requires_for_build_editable = get_requires_for_build_wheel
build_wheel = maturin.build_wheel
build_editable = maturin.build_editable
prepare_metadata_for_build_wheel = maturin.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = maturin.prepare_metadata_for_build_editable
