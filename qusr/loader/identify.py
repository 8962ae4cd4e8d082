"""What a file is, from its first bytes.

`qusr PROGRAM` and execve(2) pick the guest with this before anything heavier is
imported.
"""

from __future__ import annotations

import struct

ELF_MAGIC = b"\x7fELF"
#: The kernel looks at this much of a file before it chooses a binary format
#: (include/uapi/linux/binfmts.h).
BINPRM_BUF_SIZE = 256

ET_EXEC, ET_DYN = 2, 3
EM_ARM, EM_AARCH64, EM_X86_64 = 40, 183, 62

# e_flags of arm: "ELF for the Arm Architecture" (IHI 0044), section 5.2, and the
# older bits of the GNU toolchain that the kernel's arch/arm/kernel/elf.c looks at.
EF_ARM_EABI_MASK = 0xFF000000
EF_ARM_BE8 = 0x00800000
EF_ARM_ABI_FLOAT_HARD = 0x00000400
EF_ARM_ABI_FLOAT_SOFT = 0x00000200
EF_ARM_APCS_26 = 0x00000008

#: (e_machine, class, big-endian) -> (what people call it, qusr's name of the guest).
#: A class of 0 stands for either, a byte order of None too. Machines without a guest
#: are listed so that the message can say what the file is built for.
_MACHINES: dict[tuple[int, int, bool | None], tuple[str, str | None]] = {
    (40, 32, False): ("ARM", "arm"),
    (40, 32, True): ("big-endian ARM", "armeb"),
    (183, 64, False): ("AArch64", "aarch64"),
    (183, 64, True): ("big-endian AArch64", "aarch64_be"),
    (183, 32, None): ("AArch64 ILP32", None),
    (62, 64, False): ("x86-64", None),
    (62, 32, False): ("x32", None),
    (3, 32, False): ("i386", None),
    (243, 64, None): ("RISC-V 64", None),
    (243, 32, None): ("RISC-V 32", None),
    (8, 64, False): ("little-endian MIPS64", None),
    (8, 64, True): ("MIPS64", None),
    (8, 32, False): ("little-endian MIPS", None),
    (8, 32, True): ("MIPS", None),
    (20, 32, None): ("PowerPC", None),
    (21, 64, False): ("little-endian PowerPC64", None),
    (21, 64, True): ("PowerPC64", None),
    (22, 64, None): ("S/390x", None),
    (22, 32, None): ("S/390", None),
    (2, 32, None): ("SPARC", None),
    (18, 32, None): ("SPARC32+", None),
    (43, 64, None): ("SPARC64", None),
    (4, 32, None): ("m68k", None),
    (15, 0, None): ("PA-RISC", None),
    (42, 32, None): ("SuperH", None),
    (50, 64, None): ("Itanium", None),
    (88, 32, None): ("M32R", None),
    (92, 32, None): ("OpenRISC", None),
    (93, 32, None): ("ARC", None),
    (94, 32, None): ("Xtensa", None),
    (113, 32, None): ("Nios II", None),
    (164, 32, None): ("Hexagon", None),
    (189, 32, None): ("MicroBlaze", None),
    (195, 32, None): ("ARCv2", None),
    (247, 64, None): ("BPF", None),
    (252, 32, None): ("C-SKY", None),
    (258, 64, None): ("LoongArch64", None),
    (258, 32, None): ("LoongArch32", None),
    (0x9026, 64, None): ("Alpha", None),
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


def _lookup(machine: int, bits: int, big_endian: bool) -> tuple[str, str | None] | None:
    for key in (
        (machine, bits, big_endian),
        (machine, bits, None),
        (machine, 0, None),
    ):
        found = _MACHINES.get(key)
        if found is not None:
            return found
    return None


def machine_title(machine: int, bits: int, big_endian: bool) -> str:
    """The name people know an ELF machine by."""
    found = _lookup(machine, bits, big_endian)
    return found[0] if found else f"unknown machine {machine} ({bits}-bit)"


def guest_name(machine: int, bits: int, big_endian: bool) -> str | None:
    """qusr's name of the guest for an ELF machine."""
    found = _lookup(machine, bits, big_endian)
    return found[1] if found else None


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


def describe_arm_flags(flags: int) -> str:
    """`EABI5, hard float` and the like, for messages and logs."""
    version = (flags & EF_ARM_EABI_MASK) >> 24
    words = [f"EABI{version}" if version else "OABI"]
    if flags & EF_ARM_BE8:
        words.append("BE8")
    if version >= 5:
        if flags & EF_ARM_ABI_FLOAT_HARD:
            words.append("hard float")
        elif flags & EF_ARM_ABI_FLOAT_SOFT:
            words.append("soft float")
    return ", ".join(words)
