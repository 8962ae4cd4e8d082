"""What binfmt_misc knows, and entries of it (Documentation/admin-guide/binfmt-misc.rst)."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from qusr import arch
from qusr.binfmt import BinfmtError

#: Where Linux has a place for it.
MOUNT_POINT = Path("/proc/sys/fs/binfmt_misc")

#: By their names.
GUESTS = {guest.name: guest for guest in arch.guests()}

# elf(5); BINPRM_BUF_SIZE of include/uapi/linux/binfmts.h is how much of a file the kernel looks at.
_ELF_MAGIC = b"\x7fELF"
ET_EXEC, ET_DYN = 2, 3
BINPRM_BUF_SIZE = 256

_INTERPRETER_MAX = 127
_DELIMITERS = ":|;,"


def guests(names: list[str]) -> list[str]:
    """qusr's names of guests; for an empty list all of them whose programs the host does not run.

    The host's own programs would all go to the emulator, which is one of them.
    """
    chosen = []
    for name in names:
        found = arch.guest(name)
        if found is None:
            raise BinfmtError(f"no guest '{name}': there are {', '.join(arch.names())}")
        chosen.append(found.name)
    return list(dict.fromkeys(chosen)) or [
        name for name, guest in GUESTS.items() if not guest.of_host
    ]


def entry_name(guest: str, *, as_qemu: bool = False) -> str:
    """What our entry is called. Some programs look for one of qemu's names (mmdebstrap does)."""
    return f"{'qemu' if as_qemu else 'qusr'}-{guest}"


def header(guest: str, *, kind: int = ET_EXEC, osabi: int = 0) -> bytes:
    """The start of a guest program's ELF header, up to e_machine (elf(5)), or to e_flags where
    these tell whose it is.
    """
    its = GUESTS[guest]
    ident = _ELF_MAGIC + bytes((its.bits // 32, 2 if its.big_endian else 1, 1, osabi))
    order = ">" if its.big_endian else "<"
    head = ident.ljust(16, b"\0") + struct.pack(order + "HH", kind, its.machine)
    return head + _flags(guest, its.flags[1])


def _flags(guest: str, value: int) -> bytes:
    """What is behind e_machine, with e_flags as the end."""
    its = GUESTS[guest]
    if not its.flags[0]:
        return b""
    between = 16 if its.bits == 32 else 28
    return bytes(between) + value.to_bytes(4, "big" if its.big_endian else "little")


def magic(guest: str) -> bytes:
    """What a program of the guest begins with, where `mask` has ones."""
    return header(guest)


def mask(guest: str) -> bytes:
    """The bits of `magic` that count.

    As the kernel's own loader (fs/binfmt_elf.c) we look neither at EI_OSABI nor at what is
    behind it; AppImages keep their mark there. ET_EXEC is 2 and ET_DYN 3.
    """
    its = GUESTS[guest]
    ident = b"\xff" * 7 + b"\0" * 9
    head = ident + struct.pack((">" if its.big_endian else "<") + "HH", 0xFFFE, 0xFFFF)
    return head + _flags(guest, its.flags[0])


def escaped(data: bytes) -> str:
    """As the register file takes bytes that could be its delimiter, NUL or newline."""
    return "".join(f"\\x{byte:02x}" for byte in data)


def line(guest: str, interpreter: str, flags: str, *, as_qemu: bool = False) -> str:
    """What is written to `register`.

    Raises:
        BinfmtError: the kernel would not take it, or could start no program any more.
    """
    if GUESTS[guest].of_host and GUESTS[guest].bits == 64:
        raise BinfmtError(f"{guest} is this machine: its interpreter would need an interpreter")
    if len(os.fsencode(interpreter)) > _INTERPRETER_MAX:
        raise BinfmtError(
            f"{interpreter}: the kernel takes an interpreter's path of at most "
            f"{_INTERPRETER_MAX} bytes (--interpreter chooses another)"
        )
    free = [mark for mark in _DELIMITERS if mark not in interpreter]
    if not free or "\n" in interpreter:
        raise BinfmtError(f"{interpreter!r}: not a path that can be registered")
    name = entry_name(guest, as_qemu=as_qemu)
    fields = ("", name, "M", "", escaped(magic(guest)), escaped(mask(guest)))
    return free[0].join((*fields, interpreter, flags))


def can_be_registered(interpreter: str) -> bool:
    """Whether the kernel takes a path for every guest."""
    try:
        for guest in GUESTS:
            line(guest, interpreter, "")
    except BinfmtError:
        return False
    return True


@dataclass(frozen=True)
class Entry:
    """A handler that the kernel knows."""

    name: str
    enabled: bool
    interpreter: str
    flags: str
    offset: int = 0
    magic: bytes = b""
    mask: bytes = b""

    @classmethod
    def parse(cls, name: str, text: str) -> Entry:
        """From what the kernel shows in the entry's file."""
        fields: dict[str, str] = {}
        for row in text.splitlines():
            key, _, value = row.partition(" ")
            fields[key.rstrip(":")] = value
        found = bytes.fromhex(fields.get("magic", ""))
        return cls(
            name=name,
            enabled="enabled" in fields,
            interpreter=fields.get("interpreter", ""),
            flags=fields.get("flags", ""),
            offset=int(fields.get("offset", "0")),
            magic=found,
            mask=bytes.fromhex(fields["mask"]) if "mask" in fields else b"\xff" * len(found),
        )

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins with `head` is for this handler."""
        part = head.ljust(BINPRM_BUF_SIZE, b"\0")[self.offset :][: len(self.magic)]
        rows = zip(part, self.magic, self.mask, strict=True)
        return bool(self.magic) and all((a ^ b) & bits == 0 for a, b, bits in rows)

    def handles(self, guest: str) -> bool:
        """Whether it is for programs of the guest: executables or position-independent ones."""
        kinds = (ET_EXEC, ET_DYN)
        # 3 is ELFOSABI_GNU: programs with indirect functions or unique symbols.
        return any(
            self.matches(header(guest, kind=kind, osabi=osabi))
            for kind in kinds
            for osabi in (0, 3)
        )


class Registry:
    """A mounted binfmt_misc."""

    def __init__(self, folder: Path = MOUNT_POINT) -> None:
        self.folder = folder

    @property
    def mounted(self) -> bool:
        """Whether it is there."""
        return (self.folder / "register").exists()

    @property
    def enabled(self) -> bool:
        """Whether handlers are used at all."""
        return (self.folder / "status").read_text().strip() == "enabled"

    def entries(self) -> list[Entry]:
        """What is registered."""
        found: list[Entry] = []
        if not self.mounted:
            return found
        for file in sorted(self.folder.iterdir()):
            if file.name in ("register", "status"):
                continue
            try:
                found.append(Entry.parse(file.name, file.read_text()))
            except FileNotFoundError:
                continue  # removed meanwhile
        return found

    def handlers(self, guest: str) -> list[Entry]:
        """The entries for programs of a guest."""
        return [entry for entry in self.entries() if entry.handles(guest)]

    def add(self, guest: str, interpreter: str, flags: str, *, as_qemu: bool = False) -> None:
        """Registers."""
        text = line(guest, interpreter, flags, as_qemu=as_qemu)
        try:
            (self.folder / "register").write_text(text)
        except OSError as error:
            raise BinfmtError(_why(error, interpreter)) from None

    def remove(self, entry: Entry) -> None:
        """Takes an entry away."""
        try:
            (self.folder / entry.name).write_text("-1")
        except OSError as error:
            raise BinfmtError(_why(error, entry.name)) from None


def _why(error: OSError, what: str) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "only root may change binfmt_misc (or use 'qusr-binfmt run', which needs no root)"
    if error.errno == errno.EROFS:
        return f"{MOUNT_POINT} is mounted read-only: this looks like a container's"
    return f"the kernel refuses {what}: {error.strerror}"
