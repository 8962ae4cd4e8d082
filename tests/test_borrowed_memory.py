"""What a child leaves in borrowed memory (`native/kernel/src/process/share.rs`) is dropped by its
parent, where the numbers of its descriptors are the parent's own: so only what does not outlive
one call of the emulator's owns descriptors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[1] / "native"
CRATES = (
    "cpu",
    "guests",
    "kernel",
    "machine",
    "memory",
    "python",
    "store",
    "translator",
    "unicorn",
)

#: Structs that own descriptors, and why none of them is left behind.
OWNERS = {
    # On the stack while a call is made.
    "kernel/src/process/exec.rs": {"Named"},
    "kernel/src/thunk/pin.rs": {"Pinned"},
    # A program to be: a child drops it before it executes the program (`handlers/exec.py`).
    "kernel/src/loader/program.rs": {"Request", "Prepared", "Interpreter", "Opened"},
}

_STRUCT = re.compile(r"^(?:pub(?:\([^)]*\))? )?struct (\w+)[^;{(]*(\{.*?^\}|\(.*?\);)", re.M | re.S)
_OWNING = re.compile(r"\b(?:OwnedFd|File|DirEntry|ReadDir|\w+Stream|\w+Listener|PidFd)\b")


def owners(source: str) -> Iterator[str]:
    """Structs with a field of a type of the standard library that owns a descriptor."""
    if "std::fs" not in source and "OwnedFd" not in source and "std::net" not in source:
        return
    for name, fields in _STRUCT.findall(source):
        code = re.sub(r"//.*", "", fields)
        if _OWNING.search(code):
            yield name


def test_what_is_left_behind_owns_no_descriptor() -> None:
    found = {}
    for crate in CRATES:
        for path in sorted((NATIVE / crate / "src").rglob("*.rs")):
            names = set(owners(path.read_text()))
            if names and "tests" not in path.parts:
                found[str(path.relative_to(NATIVE))] = names
    assert found == OWNERS


def test_an_owner_is_seen() -> None:
    source = """use std::os::fd::OwnedFd;
pub(crate) struct Log {
    /// Open.
    file: Option<OwnedFd>,
}
struct Two(u32, OwnedFd);
struct None { count: u32 }
"""
    assert list(owners(source)) == ["Log", "Two"]
