"""`LoadPlan`: what an ELF file asks of the kernel, as plain data.

A plan holds link-time addresses only; where a position-independent file ends up
is decided by `image.py`. Plans are cached on disk, so they have a binary form,
and a plan that comes from the cache passes the same checks as a fresh one.
"""

from __future__ import annotations

import errno
import struct

from qusr import arch
from qusr.arch.base import Unknown

from .errors import LoadError
from .identify import ET_DYN, ET_EXEC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.base import Guest

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4

#: What PT_GNU_STACK said (enum EXSTACK_* of the kernel).
STACK_DEFAULT, STACK_NX, STACK_X = 0, 1, 2

#: The limit of the kernel: the table of program headers is at most 64 KiB
#: (load_elf_phdrs in fs/binfmt_elf.c).
MAX_PHDR_BYTES = 65536
PATH_MAX = 4096

#: Changes whenever the binary form or the meaning of a field does.
FORMAT = 1

_HEAD = struct.Struct("<HHBBBBIQQHHQIIHH")
_SEGMENT = struct.Struct("<QQQQQB")


def page_start(address: int, page: int) -> int:
    """`address` rounded down to a page of so many bytes."""
    return address & ~(page - 1)


def page_align(address: int, page: int) -> int:
    """`address` rounded up to a page of so many bytes."""
    return (address + page - 1) & ~(page - 1)


class Segment:
    """One PT_LOAD program header."""

    __slots__ = ("align", "filesz", "memsz", "offset", "prot", "vaddr")

    def __init__(
        self, *, vaddr: int, memsz: int, offset: int, filesz: int, prot: int, align: int
    ) -> None:
        self.vaddr = vaddr
        self.memsz = memsz
        self.offset = offset
        self.filesz = filesz
        self.prot = prot
        self.align = align

    def _key(self) -> tuple[int, ...]:
        return (self.vaddr, self.memsz, self.offset, self.filesz, self.align, self.prot)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segment) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        prot = "".join(c if self.prot & b else "-" for c, b in (("r", 1), ("w", 2), ("x", 4)))
        return (
            f"Segment({self.vaddr:#x}+{self.memsz:#x} {prot} "
            f"file {self.offset:#x}+{self.filesz:#x} align {self.align:#x})"
        )


class LoadPlan:
    """What the loader has to know of one ELF file."""

    __slots__ = (
        "big_endian",
        "bits",
        "entry",
        "features",
        "flags",
        "interp",
        "machine",
        "phdr_vaddr",
        "phentsize",
        "phnum",
        "phoff",
        "segments",
        "stack",
        "type",
    )

    def __init__(
        self,
        *,
        machine: int,
        bits: int,
        big_endian: bool,
        type: int,
        flags: int,
        entry: int,
        phoff: int,
        phentsize: int,
        phnum: int,
        segments: tuple[Segment, ...],
        interp: bytes | None,
        stack: int,
        features: int = 0,
    ) -> None:
        self.machine = machine
        self.bits = bits
        self.big_endian = big_endian
        self.type = type
        self.flags = flags
        self.entry = entry
        self.phoff = phoff
        self.phentsize = phentsize
        self.phnum = phnum
        self.segments = segments
        self.interp = interp
        self.stack = stack
        #: Bits of PT_GNU_PROPERTY (`Guest.feature_property`).
        self.features = features
        self.phdr_vaddr = self._phdr_vaddr()

    # ---- derived ----
    @property
    def rules(self) -> Guest:
        """How Linux loads programs of this machine."""
        found = arch.guest_of(self.machine, self.bits, self.big_endian)
        return found or Unknown(self.machine, self.bits, self.big_endian)

    @property
    def guest(self) -> str | None:
        """qusr's name of the guest."""
        return self.rules.name or None

    @property
    def variant(self) -> str:
        """Which of the guest's kinds of programs it is (`Guest.variant`)."""
        return self.rules.variant(self.flags)

    @property
    def page(self) -> int:
        """The size of the guest's pages, in bytes."""
        return self.rules.page_size

    @property
    def is_dyn(self) -> bool:
        """Whether the file may be loaded anywhere (ET_DYN)."""
        return self.type == ET_DYN

    @property
    def start(self) -> int:
        """The lowest page of all segments."""
        return min(page_start(s.vaddr, self.page) for s in self.segments)

    @property
    def end(self) -> int:
        """The end of the highest segment: here the heap starts (page-aligned)."""
        return max(s.vaddr + s.memsz for s in self.segments)

    @property
    def alignment(self) -> int:
        """The largest sensible p_align, at least a page (maximum_alignment of the kernel)."""
        best = self.page
        for segment in self.segments:
            align = segment.align
            if align > best and align & (align - 1) == 0:
                best = align
        return best

    def _phdr_vaddr(self) -> int:
        """Where the program headers are in memory: in the last segment that holds them."""
        found = 0
        for segment in self.segments:
            if segment.offset <= self.phoff < segment.offset + segment.filesz:
                found = self.phoff - segment.offset + segment.vaddr
        return found

    def code_range(self) -> tuple[int, int]:
        """start_code and end_code of /proc/PID/stat, before the bias."""
        code = [s for s in self.segments if s.prot & PROT_EXEC]
        if not code:
            return 0, 0
        return min(s.vaddr for s in code), max(s.vaddr + s.filesz for s in code)

    def data_range(self) -> tuple[int, int]:
        """start_data and end_data of /proc/PID/stat, before the bias."""
        return (
            max(s.vaddr for s in self.segments),
            max(s.vaddr + s.filesz for s in self.segments),
        )

    # ---- checks ----
    def check(self, path: str, file_size: int) -> None:
        """Refuses what the kernel would refuse, and files that are cut off.

        The kernel finds most of these only when the old image is gone, and then
        kills the process; here they are found before anything is mapped.
        """
        if self.type not in (ET_EXEC, ET_DYN):
            raise LoadError(f"{path}: not a program (ELF type {self.type})", errno.ENOEXEC)
        if not self.segments:
            raise LoadError(f"{path}: bad ELF file: nothing to load (no PT_LOAD)", errno.ENOEXEC)
        top = 1 << self.bits
        for number, s in enumerate(self.segments):
            what = f"{path}: bad ELF file: segment {number}"
            if s.filesz > s.memsz:
                raise LoadError(f"{what} is larger in the file than in memory", errno.EINVAL)
            if s.vaddr + s.memsz > top:
                raise LoadError(f"{what} does not fit into {self.bits} bits", errno.EINVAL)
            if s.filesz == 0:
                continue
            if (s.offset ^ s.vaddr) & (self.page - 1):
                raise LoadError(f"{what} has an offset that does not fit its address", errno.EINVAL)
            if s.offset + s.filesz > file_size:
                raise LoadError(
                    f"{path}: truncated: segment {number} ends at byte "
                    f"{s.offset + s.filesz} and the file at {file_size}",
                    errno.ENOEXEC,
                )

    # ---- binary form ----
    def to_bytes(self) -> bytes:
        """The form that the cache holds."""
        interp = self.interp or b""
        parts = [
            _HEAD.pack(
                FORMAT,
                self.machine,
                self.bits,
                self.big_endian,
                self.type,
                self.stack,
                self.flags,
                self.entry,
                self.phoff,
                self.phentsize,
                self.phnum,
                self.phdr_vaddr,
                self.features,
                0,
                len(self.segments),
                len(interp),
            )
        ]
        parts += [_SEGMENT.pack(*segment._key()) for segment in self.segments]
        parts.append(interp)
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> LoadPlan:
        """Undoes `to_bytes`. Raises ValueError for anything else."""
        if len(data) < _HEAD.size:
            raise ValueError("too short for a load plan")
        (
            version,
            machine,
            bits,
            big_endian,
            type_,
            stack,
            flags,
            entry,
            phoff,
            phentsize,
            phnum,
            phdr_vaddr,
            features,
            zero,
            count,
            interp_size,
        ) = _HEAD.unpack_from(data)
        if version != FORMAT or bits not in (32, 64) or big_endian > 1 or stack > 2 or zero:
            raise ValueError("not a load plan of this version")
        if len(data) != _HEAD.size + count * _SEGMENT.size + interp_size:
            raise ValueError("a load plan of the wrong length")
        segments = []
        at = _HEAD.size
        for _ in range(count):
            vaddr, memsz, offset, filesz, align, prot = _SEGMENT.unpack_from(data, at)
            if prot > 7:
                raise ValueError("a load plan with a bad protection")
            segments.append(
                Segment(
                    vaddr=vaddr, memsz=memsz, offset=offset, filesz=filesz, prot=prot, align=align
                )
            )
            at += _SEGMENT.size
        plan = cls(
            machine=machine,
            bits=bits,
            big_endian=bool(big_endian),
            type=type_,
            flags=flags,
            entry=entry,
            phoff=phoff,
            phentsize=phentsize,
            phnum=phnum,
            segments=tuple(segments),
            interp=data[at:] or None,
            stack=stack,
            features=features,
        )
        if plan.phdr_vaddr != phdr_vaddr:
            raise ValueError("a load plan that contradicts itself")
        return plan

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LoadPlan) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return (
            f"LoadPlan({self.guest or self.machine}, "
            f"{'ET_DYN' if self.is_dyn else 'ET_EXEC'}, entry {self.entry:#x}, "
            f"interp {self.interp!r}, {list(self.segments)})"
        )
