"""The symbols of a loaded program."""

from __future__ import annotations

import os
from typing import cast

from qusr.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from elftools.elf.sections import SymbolTableSection


def symbols(path: bytes, bias: int) -> dict[str, int]:
    """Functions and variables of an ELF file that is loaded `bias` beyond its own addresses; those
    of shared libraries are not among them.

    Raises:
        UsageError: the file cannot be read any more.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    found: dict[str, int] = {}
    try:
        with open(path, "rb") as file:
            for section in ELFFile(file).iter_sections():
                if section["sh_type"] not in ("SHT_SYMTAB", "SHT_DYNSYM"):
                    continue
                for symbol in cast("SymbolTableSection", section).iter_symbols():
                    kind, name = symbol["st_info"]["type"], symbol.name
                    wanted = kind in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE", "STT_LOOS")
                    if wanted and symbol["st_shndx"] != "SHN_UNDEF" and name[:1] not in ("", "$"):
                        found.setdefault(name, int(symbol["st_value"]) + bias)
    except (OSError, ELFError) as error:
        raise UsageError(f"no symbols of {os.fsdecode(path)}: {error}") from None
    return found
