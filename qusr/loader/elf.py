"""ELF file -> `LoadPlan`, checked as the kernel's fs/binfmt_elf.c does.

Only the ELF header and the program headers are looked at, for only they matter to
Linux: a file whose sections and symbols are garbage runs. They are read in bounded amounts, so
a corrupt file can neither make this slow nor lead it anywhere.

It is not pyelftools that reads them, since to import that takes 34 ms, more than a small program
and qemu-user's start together, and every program's first start comes here. The tests ask readelf.
"""

from __future__ import annotations

import errno
import os
from struct import Struct, unpack_from

from qusr import arch

from .errors import LoadError, from_oserror
from .identify import ET_DYN, ET_EXEC, ElfIdent, kind, parse_ident
from .plan import (
    MAX_PHDR_BYTES,
    PATH_MAX,
    STACK_DEFAULT,
    STACK_NX,
    STACK_X,
    LoadPlan,
    Segment,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.base import Guest

    Header = dict[str, int]

# elf(5): the ELF header behind e_ident, and a program header, by word size.
_EHDR_FIELDS = (
    "e_type", "e_machine", "e_version", "e_entry", "e_phoff", "e_shoff", "e_flags", "e_ehsize",
    "e_phentsize", "e_phnum", "e_shentsize", "e_shnum", "e_shstrndx",
)  # fmt: skip
_EHDR = {32: "16xHHIIIIIHHHHHH", 64: "16xHHIQQQIHHHHHH"}
_PHDR_FIELDS = {
    32: ("p_type", "p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz", "p_flags", "p_align"),
    64: ("p_type", "p_flags", "p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz", "p_align"),
}
_PHDR = {32: "IIIIIIII", 64: "IIQQQQQQ"}
_EHDR_SIZE = {32: 52, 64: 64}
_PHDR_SIZE = {32: 32, 64: 56}

PT_LOAD, PT_INTERP, PT_GNU_STACK, PT_GNU_PROPERTY = 1, 3, 0x6474E551, 0x6474E553
PF_X, PF_W, PF_R = 1, 2, 4

_NT_GNU_PROPERTY_TYPE_0 = 5
#: The kernel reads no longer property note than this (parse_elf_properties).
_MAX_PROPERTY_BYTES = 1024


def _read(fd: int, path: str, size: int, offset: int) -> bytes:
    """At most `size` bytes at `offset`; offsets no file can have read as the file's end."""
    if offset >= 1 << 63:
        return b""
    try:
        return os.pread(fd, size, offset)
    except OSError as error:
        # A seek beyond what the file system supports is the kernel's EINVAL.
        if error.errno in (errno.EINVAL, errno.EOVERFLOW):
            return b""
        raise from_oserror(path, error) from None


def read_plan(fd: int, path: str) -> LoadPlan:
    """The plan of the ELF file open at `fd`; `path` is for messages.

    Raises LoadError, and nothing else, for whatever the file holds.
    """
    try:
        size = os.fstat(fd).st_size
    except OSError as error:
        raise from_oserror(path, error) from None
    head = _read(fd, path, 64, 0)
    ident = parse_ident(head)
    if ident is None:
        raise LoadError(f"{path}: {_not_elf(head)}", errno.ENOEXEC)
    if ident.type not in (ET_EXEC, ET_DYN):
        raise LoadError(f"{path}: not a program: {ident.type_title}", errno.ENOEXEC)
    order = ">" if ident.big_endian else "<"
    if len(head) < _EHDR_SIZE[ident.bits]:
        raise LoadError(f"{path}: truncated ELF header", errno.ENOEXEC)
    header = dict(zip(_EHDR_FIELDS, unpack_from(order + _EHDR[ident.bits], head), strict=True))
    phdrs = _program_headers(fd, path, header, order, ident.bits)
    plan = LoadPlan(
        machine=ident.machine,
        bits=ident.bits,
        big_endian=ident.big_endian,
        type=ident.type,
        flags=header["e_flags"],
        entry=header["e_entry"],
        phoff=header["e_phoff"],
        phentsize=header["e_phentsize"],
        phnum=header["e_phnum"],
        segments=tuple(_segment(p) for p in phdrs if p["p_type"] == PT_LOAD),
        interp=_interp(fd, path, phdrs),
        stack=_stack(phdrs),
        features=_features(fd, path, ident, phdrs),
    )
    plan.check(path, size)
    refusal = plan.rules.refusal(plan.entry, plan.flags)
    if refusal:
        raise LoadError(f"{path}: {refusal}", errno.ENOEXEC)
    return plan


def _not_elf(head: bytes) -> str:
    what = kind(head)
    if what == "empty":
        return "empty file"
    if what == "bad-elf":
        short = len(head) < _EHDR_SIZE[32] or (head[4:5] == b"\2" and len(head) < _EHDR_SIZE[64])
        return "truncated ELF header" if short else "bad ELF header (class or byte order)"
    return {
        "text": "a text file, not a program",
        "script": "a script, not an ELF file",
    }.get(what, "not an ELF file")


def _program_headers(fd: int, path: str, header: Header, order: str, bits: int) -> list[Header]:
    """The program headers, with the limits of load_elf_phdrs."""
    entsize, count = header["e_phentsize"], header["e_phnum"]
    if count == 0:
        raise LoadError(f"{path}: not a program: no program headers", errno.ENOEXEC)
    if entsize != _PHDR_SIZE[bits]:
        raise LoadError(
            f"{path}: bad ELF file: program headers of {entsize} bytes instead of "
            f"{_PHDR_SIZE[bits]}",
            errno.ENOEXEC,
        )
    size = entsize * count
    if size > MAX_PHDR_BYTES:
        raise LoadError(f"{path}: bad ELF file: {count} program headers", errno.ENOEXEC)
    table = _read(fd, path, size, header["e_phoff"])
    if len(table) != size:
        raise LoadError(f"{path}: truncated: the program headers are missing", errno.ENOEXEC)
    fields, entry = _PHDR_FIELDS[bits], Struct(order + _PHDR[bits])
    return [dict(zip(fields, values, strict=True)) for values in entry.iter_unpack(table)]


def _segment(phdr: Header) -> Segment:
    flags = phdr["p_flags"]
    prot = (1 if flags & PF_R else 0) | (2 if flags & PF_W else 0) | (4 if flags & PF_X else 0)
    return Segment(
        vaddr=phdr["p_vaddr"],
        memsz=phdr["p_memsz"],
        offset=phdr["p_offset"],
        filesz=phdr["p_filesz"],
        prot=prot,
        align=phdr["p_align"],
    )


def _interp(fd: int, path: str, phdrs: list[Header]) -> bytes | None:
    """The interpreter's path: of the first PT_INTERP, others are not looked at."""
    for phdr in phdrs:
        if phdr["p_type"] != PT_INTERP:
            continue
        size = phdr["p_filesz"]
        if not 2 <= size <= PATH_MAX:
            raise LoadError(
                f"{path}: bad ELF file: an interpreter path of {size} bytes", errno.ENOEXEC
            )
        name = _read(fd, path, size, phdr["p_offset"])
        if len(name) != size:
            raise LoadError(f"{path}: truncated: the interpreter path is missing", errno.EIO)
        if name[-1] != 0:
            raise LoadError(f"{path}: bad ELF file: the interpreter path has no end", errno.ENOEXEC)
        return name.split(b"\0", 1)[0]
    return None


def _stack(phdrs: list[Header]) -> int:
    """What PT_GNU_STACK says; the last one counts, as in the kernel."""
    stack = STACK_DEFAULT
    for phdr in phdrs:
        if phdr["p_type"] == PT_GNU_STACK:
            stack = STACK_X if phdr["p_flags"] & PF_X else STACK_NX
    return stack


def _features(fd: int, path: str, ident: ElfIdent, phdrs: list[Header]) -> int:
    """The feature bits of PT_GNU_PROPERTY, by the rules of parse_elf_properties.

    For guests without the property the kernel does not look.
    """
    found = arch.guest_of(ident.machine, ident.bits, ident.big_endian)
    if found is None or not found.feature_property:
        return 0
    where = None
    for phdr in phdrs:
        if phdr["p_type"] == PT_GNU_PROPERTY:
            where = phdr
    if where is None:
        return 0
    bad = LoadError(f"{path}: bad ELF file: a malformed GNU property note", errno.ENOEXEC)
    size = where["p_filesz"]
    if size > _MAX_PROPERTY_BYTES:
        raise bad
    note = _read(fd, path, size, where["p_offset"])
    if len(note) < 16:
        raise LoadError(f"{path}: truncated: the GNU property note is missing", errno.EIO)
    order = ">" if ident.big_endian else "<"
    namesz, descsz, type_ = unpack_from(order + "III", note)
    if type_ != _NT_GNU_PROPERTY_TYPE_0 or namesz != 4 or note[12:16] != b"GNU\0":
        raise bad
    desc = note[16 : 16 + descsz]
    if len(desc) != descsz:
        raise bad
    return _feature_bits(found, desc, Struct(order + "II"), bad)


def _feature_bits(guest: Guest, desc: bytes, head: Struct, bad: LoadError) -> int:
    """Walks the properties, which must come in ascending order of their type."""
    align = guest.bits // 8
    at, previous, features = 0, -1, 0
    while at < len(desc):
        if len(desc) - at < head.size:
            raise bad
        type_, size = head.unpack_from(desc, at)
        at += head.size
        step = (size + align - 1) & ~(align - 1)
        if size > len(desc) - at or step > len(desc) - at or type_ <= previous:
            raise bad
        if type_ == guest.feature_property:
            if size != 4:
                raise bad
            (features,) = Struct(head.format[0] + "I").unpack_from(desc, at)
        previous = type_
        at += step
    return features
