"""Writes the module kuser_page from kuser.S: the helpers for each byte order of arm."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

_SOURCE = Path(__file__).with_name("kuser.S")
_PREFIX = "arm-linux-gnueabihf-"
#: Offset of the helpers and of the version word in the page.
_HELPERS = 0xF60
_VERSION = 0xFFC
#: Name, assembler option, linker options: with --be8 code becomes little-endian, data not.
_VARIANTS = (
    ("LITTLE", ["-EL"], ["-EL"]),
    ("BE8", ["-EB"], ["-EB", "--be8"]),
    ("BE32", ["-EB"], ["-EB"]),
)


def page_tail(as_options: list[str], ld_options: list[str]) -> bytes:
    """The page from the first helper to its end."""
    with tempfile.TemporaryDirectory() as folder:
        obj, elf, out = (f"{folder}/kuser{suffix}" for suffix in (".o", ".elf", ".bin"))
        subprocess.run([f"{_PREFIX}as", *as_options, "-o", obj, str(_SOURCE)], check=True)
        sections = [f"-Ttext={0xFFFF0000 + _HELPERS:#x}", f"-Tdata={0xFFFF0000 + _VERSION:#x}"]
        options = [*ld_options, "-N", "--no-warn-rwx-segments", "-e", "0", *sections]
        subprocess.run([f"{_PREFIX}ld", *options, "-o", elf, obj], check=True)
        tail = bytearray()
        for section, offset in ((".text", 0), (".data", _VERSION - _HELPERS)):
            command = [f"{_PREFIX}objcopy", "-O", "binary", "-j", section, elf, out]
            subprocess.run(command, check=True)
            tail = tail.ljust(offset, b"\0") + Path(out).read_bytes()
        return bytes(tail)


def module() -> str:
    """The text of the module."""
    lines = [
        '"""Generated from kuser/kuser.S by kuser/generate.py; do not edit."""',
        "",
        "#: The page at 0xffff0000 from this offset to its end.",
        f"OFFSET = 0x{_HELPERS:X}",
    ]
    for name, as_options, ld_options in _VARIANTS:
        text = page_tail(as_options, ld_options).hex()
        lines += ["", f"{name} = bytes.fromhex("]
        lines += [f'    "{text[at : at + 64]}"' for at in range(0, len(text), 64)]
        lines += [")"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(module(), end="")
