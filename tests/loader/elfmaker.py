"""Makes small ELF files byte by byte, for cases that no linker produces."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR = 1, 2, 3, 4, 6
PT_GNU_STACK, PT_GNU_PROPERTY = 0x6474E551, 0x6474E553
R, W, X = 4, 2, 1
ET_EXEC, ET_DYN = 2, 3
EM_ARM, EM_X86_64, EM_AARCH64 = 40, 62, 183


@dataclass
class Phdr:
    type: int = PT_LOAD
    flags: int = R
    offset: int = 0
    vaddr: int = 0
    filesz: int = 0
    memsz: int = 0
    align: int = 0x1000


@dataclass
class Elf:
    """An ELF file; `contents` are put at offsets of the file."""

    machine: int = EM_X86_64
    bits: int = 64
    big_endian: bool = False
    type: int = ET_EXEC
    entry: int = 0
    flags: int = 0
    phdrs: list[Phdr] = field(default_factory=list)
    contents: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    phoff: int | None = None
    phentsize: int | None = None
    phnum: int | None = None
    shoff: int = 0

    def bytes(self) -> bytes:
        order = ">" if self.big_endian else "<"
        wide = self.bits == 64
        ehsize, phsize = (64, 56) if wide else (52, 32)
        phoff = ehsize if self.phoff is None else self.phoff
        word = "Q" if wide else "I"
        header = b"\x7fELF" + bytes([2 if wide else 1, 2 if self.big_endian else 1, 1])
        header = header.ljust(16, b"\0") + struct.pack(
            f"{order}HHI{word}{word}{word}IHHHHHH",
            self.type,
            self.machine,
            1,
            self.entry,
            phoff,
            self.shoff,
            self.flags,
            ehsize,
            phsize if self.phentsize is None else self.phentsize,
            len(self.phdrs) if self.phnum is None else self.phnum,
            0,
            0,
            0,
        )
        table = b""
        for p in self.phdrs:
            if wide:
                table += struct.pack(
                    order + "IIQQQQQQ",
                    p.type,
                    p.flags,
                    p.offset,
                    p.vaddr,
                    p.vaddr,
                    p.filesz,
                    p.memsz,
                    p.align,
                )
            else:
                table += struct.pack(
                    order + "IIIIIIII",
                    p.type,
                    p.offset,
                    p.vaddr,
                    p.vaddr,
                    p.filesz,
                    p.memsz,
                    p.flags,
                    p.align,
                )
        end = max([len(header), phoff + len(table), self.size])
        end = max([end, *(at + len(data) for at, data in self.contents.items())])
        out = bytearray(end)
        # What is not given is a pattern, so that bytes at the wrong place are noticed.
        for at in range(end):
            out[at] = (at * 7 + (at >> 8)) & 0xFF
        for at, data in self.contents.items():
            out[at : at + len(data)] = data
        out[0 : len(header)] = header
        out[phoff : phoff + len(table)] = table
        return bytes(out)
