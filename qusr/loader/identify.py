"""What a file is, from its first bytes.

`qusr PROGRAM` and execve(2) pick the guest with this before anything heavier is
imported.
"""

from __future__ import annotations

import struct

from qusr import arch

ELF_MAGIC = b"\x7fELF"
#: The kernel looks at this much of a file before it chooses a binary format
#: (include/uapi/linux/binfmts.h).
BINPRM_BUF_SIZE = 256

ET_EXEC, ET_DYN = 2, 3
EM_X86_64 = 62

#: (e_machine, class, big-endian) -> what people call machines that are no guests, so that a
#: message can say what a file is built for. A class of 0 stands for either, a byte order of None
#: too.
_MACHINES: dict[tuple[int, int, bool | None], str] = {
    (62, 64, False): "x86-64",
    (62, 32, False): "x32",
    (3, 32, False): "i386",
    (8, 64, False): "little-endian MIPS64",
    (8, 64, True): "MIPS64",
    (8, 32, False): "little-endian MIPS",
    (8, 32, True): "MIPS",
    (20, 32, None): "PowerPC",
    (21, 64, False): "little-endian PowerPC64",
    (21, 64, True): "PowerPC64",
    (22, 32, None): "S/390",
    (2, 32, None): "SPARC",
    (18, 32, None): "SPARC32+",
    (43, 64, None): "SPARC64",
    (4, 32, None): "m68k",
    (15, 0, None): "PA-RISC",
    (42, 32, None): "SuperH",
    (50, 64, None): "Itanium",
    (88, 32, None): "M32R",
    (92, 32, None): "OpenRISC",
    (93, 32, None): "ARC",
    (94, 32, None): "Xtensa",
    (113, 32, None): "Nios II",
    (164, 32, None): "Hexagon",
    (189, 32, None): "MicroBlaze",
    (195, 32, None): "ARCv2",
    (247, 64, None): "BPF",
    (252, 32, None): "C-SKY",
    (258, 64, None): "LoongArch64",
    (258, 32, None): "LoongArch32",
    (0x9026, 64, None): "Alpha",
}

_TYPES = {0: "no type", 1: "an object file", 4: "a core dump"}


class ElfIdent:
    """The part of an ELF header that tells whom the file is for."""

    __slots__ = ("big_endian", "bits", "entry", "flags", "machine", "type")

    def __init__(
        self,
        *,
        machine: int,
        bits: int,
        big_endian: bool,
        type: int,
        flags: int,
        entry: int,
    ) -> None:
        self.machine = machine
        self.bits = bits
        self.big_endian = big_endian
        self.type = type
        self.flags = flags
        self.entry = entry

    @property
    def title(self) -> str:
        """What people call the machine: `RISC-V 64`."""
        return machine_title(self.machine, self.bits, self.big_endian)

    @property
    def guest(self) -> str | None:
        """qusr's name of the guest that runs it, if it has one."""
        return guest_name(self.machine, self.bits, self.big_endian)

    @property
    def is_host(self) -> bool:
        """Whether this x86-64 machine runs it without an emulator."""
        return (self.machine, self.bits) in {(EM_X86_64, 64), (EM_X86_64, 32), (3, 32)}

    @property
    def type_title(self) -> str:
        """For a message: what an ELF file is that is no program."""
        return _TYPES.get(self.type, f"ELF type {self.type}")


def machine_title(machine: int, bits: int, big_endian: bool) -> str:
    """The name people know an ELF machine by."""
    return (
        arch.title_of(machine, bits, big_endian)
        or _MACHINES.get((machine, bits, big_endian))
        or _MACHINES.get((machine, bits, None))
        or _MACHINES.get((machine, 0, None))
        or f"unknown machine {machine} ({bits}-bit)"
    )


def guest_name(machine: int, bits: int, big_endian: bool) -> str | None:
    """qusr's name of the guest for an ELF machine."""
    found = arch.guest_of(machine, bits, big_endian)
    return found.name if found else None


def parse_ident(head: bytes) -> ElfIdent | None:
    """Reads an ELF header's identity; None when `head` holds no complete ELF header."""
    if not head.startswith(ELF_MAGIC) or len(head) < 52:
        return None
    elf_class, data = head[4], head[5]
    if elf_class not in {1, 2} or data not in {1, 2} or (elf_class == 2 and len(head) < 64):
        return None
    order = ">" if data == 2 else "<"
    type_, machine = struct.unpack_from(order + "HH", head, 16)
    if elf_class == 2:
        (entry,) = struct.unpack_from(order + "Q", head, 24)
        (flags,) = struct.unpack_from(order + "I", head, 48)
    else:
        (entry,) = struct.unpack_from(order + "I", head, 24)
        (flags,) = struct.unpack_from(order + "I", head, 36)
    return ElfIdent(
        machine=machine,
        bits=64 if elf_class == 2 else 32,
        big_endian=data == 2,
        type=type_,
        flags=flags,
        entry=entry,
    )


def kind(head: bytes) -> str:
    """One of `elf`, `bad-elf`, `script`, `empty`, `text`, `data`."""
    if not head:
        return "empty"
    if head.startswith(ELF_MAGIC):
        return "elf" if parse_ident(head) else "bad-elf"
    if head.startswith(b"#!"):
        return "script"
    # The test shells use for "is this a script?": no NUL before the first newline
    # (POSIX, Command Search and Execution).
    line = head.split(b"\n", 1)[0]
    return "data" if b"\0" in line else "text"
