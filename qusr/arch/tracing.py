"""How debuggers see a guest: register sets of ptrace(2) and core files, as declarations.

A guest's package has a `TRACING` in its module `tracing`. Registers go by the numbers of the
cores (docs/internals.md).
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from typing import Literal

    from qusr.arch.base import Registers

    ByteOrder = Literal["little", "big"]

# include/uapi/linux/elf.h: the sets that every guest has.
NT_PRSTATUS, NT_PRFPREG = 1, 2

ORIGINAL = -1
"""As a register: the first argument as it was before the system call (ORIG_r0, orig_gpr2…), or the
number (orig_rax), if that is the `call_register`."""


class RegisterSet:
    """The registers of one note type, as the kernel lays them out.

    Args:
        unit: the size that a length must be a multiple of (the regset's `size`), in bytes.
        fields: (register, its size in bytes), in their order. None stands for zeros.
        signed: how many bits the registers have, where longer fields have them with their sign.
        other: the set in another mode of the processor (as long as this one), and the register
            and its bit that say that it is in this mode.
        most: what PTRACE_GETREGSET says of the set's length at most, where that is not how long it
            is (kernel/ptrace.c, ptrace_regset: the regset's `n` times its `size`).
    """

    __slots__ = ("fields", "most", "other", "signed", "size", "unit")

    def __init__(
        self,
        unit: int,
        *fields: tuple[int | None, int],
        signed: int | None = None,
        other: tuple[RegisterSet, int, int] | None = None,
        most: int | None = None,
    ) -> None:
        self.most = most
        self.unit = unit
        self.fields = fields
        self.signed = signed
        self.other = other
        self.size = sum(size for _, size in fields)

    def parts(self, values: Sequence[int]) -> Iterable[tuple[int | None, int]]:
        """The fields, for a thread with these registers."""
        if self.other is not None:
            other, register, bit = self.other
            if values[register] & bit:
                return other.fields
        return self.fields

    def is_there(self, values: Sequence[int]) -> bool:
        """Whether a thread with these registers has the set."""
        return True

    def refused(self, data: bytes, order: ByteOrder, values: Sequence[int]) -> int:
        """The error that a thread with these registers answers to being given the set `data`, or 0.
        (What of it :meth:`unpack` gives is stored all the same, but for EINVAL.)
        """
        return 0

    def pack(self, values: Sequence[int], original: int, order: ByteOrder) -> bytes:
        """The set's bytes. `values` are the registers; `original` is what `ORIGINAL` has."""
        data = b""
        for number, size in self.parts(values):
            value = 0
            if number is not None:
                value = original if number == ORIGINAL else values[number]
            if self.signed is not None:
                value -= (value >> self.signed - 1 & 1) << self.signed
            data += (value & (1 << size * 8) - 1).to_bytes(size, order)
        return data

    def unpack(
        self, data: bytes, order: ByteOrder, values: Sequence[int], start: int = 0
    ) -> Iterator[tuple[int, int]]:
        """The registers that `data`, which may be the part that begins at `start`, has whole, and
        their new values; `values` are all registers as they are.
        """
        at = -start
        for number, size in self.parts(values):
            part = data[at : at + size] if at >= 0 else b""
            at += size
            if len(part) == size and number is not None:
                value = int.from_bytes(part, order)
                yield number, value if self.signed is None else value & (1 << self.signed) - 1


class Vectors:
    """Vector registers that are as long as the processor has them: 32, in pieces of 16 bytes that
    follow one another behind all that has a name.

    Attributes:
        count: how many registers of a core are before the pieces.
        length: the one with the bytes of a vector register; 0: there are none.
        gdb: the features of a processor with registers of so many bytes.
        instead: the feature of other processors that these come instead of.
    """

    __slots__ = ("count", "gdb", "instead", "length")

    def __init__(
        self,
        count: int,
        length: int,
        gdb: Callable[[int], tuple[GdbFeature, ...]],
        instead: str = "",
    ) -> None:
        self.count = count
        self.length = length
        self.gdb = gdb
        self.instead = instead

    def size(self, values: Sequence[int]) -> int:
        """The bytes of a vector register; 0: there are none."""
        return values[self.length]

    def pieces(self, values: Sequence[int]) -> range:
        """Their numbers."""
        return range(self.count, self.count + 2 * values[self.length])


class VectorSet(RegisterSet):
    """A set that has all vector registers behind its fields.

    Args:
        unit, fields: as for others; there is a field with the length.
        vectors: those.
        used: the register and its bit that say that the thread has used them.
    """

    __slots__ = ("used", "vectors")

    def __init__(
        self, unit: int, *fields: tuple[int | None, int], vectors: Vectors, used: tuple[int, int]
    ) -> None:
        super().__init__(unit, *fields)
        self.vectors = vectors
        self.used = used

    def parts(self, values: Sequence[int]) -> Iterable[tuple[int | None, int]]:
        """The fields, and the pieces of the registers."""
        yield from self.fields
        for number in self.vectors.pieces(values):
            yield number, 16

    def is_there(self, values: Sequence[int]) -> bool:
        """Only where they were used."""
        register, bit = self.used
        return values[self.vectors.length] != 0 and values[register] & bit != 0

    def refused(self, data: bytes, order: ByteOrder, values: Sequence[int]) -> int:
        """The length cannot be changed."""
        given = dict(self.unpack(data, order, values))
        length = self.vectors.length
        return 0 if given.get(length) == values[length] else errno.EINVAL


class GdbRegister:
    """A register as gdb's target descriptions have it.

    Attributes:
        name: gdb's.
        number: the cores', or `ORIGINAL`; None: it always reads as `constant`. Of what is longer
            than 128 bits, the first piece of so many.
        pieces: the cores' registers with parts of it, and how many bits each has.
        bits: its width.
        type: gdb's name of a type, or one of the feature's own.
        group: "general", "float", "vector", "system" or "".
    """

    __slots__ = ("bits", "constant", "group", "name", "number", "pieces", "type")

    def __init__(
        self,
        name: str,
        number: int | None,
        bits: int,
        type: str = "int",
        group: str = "",
        *,
        constant: int = 0,
        pieces: tuple[Sequence[int], int] | None = None,
    ) -> None:
        self.name = name
        self.number = number
        self.bits = bits
        self.type = type
        self.group = group
        self.constant = constant
        if pieces is None:
            first = 0 if number is None else number
            pieces = range(first, first + max(bits // 128, 1)), 128
        self.pieces = pieces


class GdbFeature:
    """A set of registers under a name that gdb knows ("Standard Target Features" of its manual).

    Attributes:
        name: the feature's.
        registers: in gdb's order.
        types: XML elements that define types.
    """

    __slots__ = ("name", "registers", "types")

    def __init__(self, name: str, registers: Sequence[GdbRegister], types: str = "") -> None:
        self.name = name
        self.registers = registers
        self.types = types


class UserArea:
    """What PTRACE_PEEKUSR and POKEUSR find by address: the kernel's `struct user`.

    Attributes:
        readable, writable: how many bytes of NT_PRSTATUS are at its start for either.
        size: of all of it. What is behind the registers reads as 0 and takes any store.
        words: addresses beyond that can be read, and are 0 (the start and end of the text).
        more: where other sets are behind the registers: (address, note type).
        gaps: addresses where there is nothing to be read.
        constant: addresses that cannot be stored to, besides the gaps.
    """

    __slots__ = ("constant", "gaps", "more", "readable", "size", "words", "writable")

    def __init__(
        self,
        *,
        readable: int,
        writable: int,
        size: int,
        words: tuple[int, ...],
        more: tuple[tuple[int, int], ...] = (),
        gaps: Container[int] = (),
        constant: Container[int] = (),
    ) -> None:
        self.gaps = gaps
        self.constant = constant
        self.readable = readable
        self.writable = writable
        self.size = size
        self.words = words
        self.more = more

    def part(self, addr: int) -> tuple[int, int] | None:
        """The set with the word at an address: (its address, note type)."""
        found = (0, NT_PRSTATUS) if addr < self.readable else None
        for at, note in self.more:
            found = (at, note) if at <= addr else found
        return found


class UserRegisters:
    """What PTRACE_PEEKUSR and POKEUSR find by number, where that is no address.

    Attributes:
        readable: the registers; None reads as 0.
        writable: the numbers of those that can be stored to.
    """

    __slots__ = ("readable", "writable")

    def __init__(self, readable: Mapping[int, int | None], writable: Container[int]) -> None:
        self.readable = readable
        self.writable = writable


class ThreadAreas:
    """A thread's own segment descriptors, which tracers see as x86's struct user_desc.

    Attributes:
        note: the note type of all.
        first: the number of the first one.
        registers: those that have them.
    """

    __slots__ = ("first", "note", "registers")

    #: Of a struct user_desc.
    SIZE = 16

    def __init__(self, note: int, first: int, registers: Sequence[int]) -> None:
        self.note = note
        self.first = first
        self.registers = registers


class Tracing:
    """What ptrace(2) and core files know of one ISA.

    Attributes:
        registers: the register file.
        sets: by note type.
        fixed: note types that always read the same: the first word, and the size in bytes. Zeros
            can be stored to them.
        call_note: the note type with the number of the system call; None: there is none.
        call_register: the register with that number, where storing to it before the call changes
            the call (syscall_get_nr() reads it again).
        core: what a core file has for each thread behind NT_PRSTATUS: (owner, note type, set).
        user: for PTRACE_PEEKUSR; None: the kernel has no such request for this guest.
        requests: the numbers of requests that this guest alone has, as ("get" or "set", note
            type of the whole set), ("word", note type whose first word is stored), ("register",
            the one that is stored), ("call", 0) that changes the system call, ("zeros", bytes that
            are stored), ("peek area" or "poke area", 0) for a piece of `user` that a struct
            ptrace_area names, or ("get thread area" or "set thread area", 0).
        whole: register sets that only these requests have, by numbers below 0 in the place of a
            note type.
        gdb: what gdb calls the architecture, and its features.
        areas: what the latter are about.
        vectors: registers that are as long as the processor has them.
        debug_map: tags of the dynamic section that lead to a pointer to the dynamic linker's
            r_debug, instead of DT_DEBUG: one with its address, and one with how far it is from
            the entry itself.
    """

    __slots__ = (
        "areas",
        "call_note",
        "call_register",
        "core",
        "debug_map",
        "fixed",
        "gdb",
        "registers",
        "requests",
        "sets",
        "user",
        "vectors",
        "whole",
    )

    def __init__(
        self,
        registers: Registers,
        *,
        sets: Mapping[int, RegisterSet],
        core: tuple[tuple[bytes, int, RegisterSet], ...],
        fixed: Mapping[int, tuple[int, int]] | None = None,
        call_note: int | None = None,
        call_register: int | None = None,
        user: UserArea | UserRegisters | None = None,
        requests: Mapping[int, tuple[str, int]] | None = None,
        whole: Mapping[int, RegisterSet] | None = None,
        gdb: tuple[str, tuple[GdbFeature, ...]] = ("", ()),
        areas: ThreadAreas | None = None,
        vectors: Vectors | None = None,
        debug_map: tuple[int, int] | None = None,
    ) -> None:
        self.registers = registers
        self.sets = sets
        self.core = core
        self.fixed = fixed or {}
        self.call_note = call_note
        self.call_register = call_register
        self.user = user
        self.requests = requests or {}
        self.whole = whole or {}
        self.gdb = gdb
        self.areas = areas
        self.vectors = vectors
        self.debug_map = debug_map

    @property
    def count(self) -> int:
        """How many registers each core has."""
        return len(self.registers.numbers) if self.vectors is None else self.vectors.count

    def all_of(self, read: Callable[[int], Sequence[int]]) -> Sequence[int]:
        """All registers of a thread, of which `read` gives the first ones, so many."""
        values = read(self.count)
        if self.vectors is not None and self.vectors.size(values):
            return read(self.vectors.pieces(values).stop)
        return values

    def gdb_features(self, length: int) -> tuple[GdbFeature, ...]:
        """gdb's features, where vector registers have so many bytes."""
        if self.vectors is None or not length:
            return self.gdb[1]
        others = (one for one in self.gdb[1] if one.name != self.vectors.instead)
        return *others, *self.vectors.gdb(length)

    def gdb_registers(self, length: int) -> list[GdbRegister]:
        """All registers by gdb's numbers, which are their places in the description."""
        return [one for feature in self.gdb_features(length) for one in feature.registers]
