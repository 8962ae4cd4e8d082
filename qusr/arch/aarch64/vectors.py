"""Scalable vectors (SVE) as debuggers see them: NT_ARM_SVE, and gdb's feature.

Sources: arch/arm64/kernel/ptrace.c (sve_get_common, sve_set_common), include/uapi/asm/ptrace.h;
gdb's manual, "AArch64 Features". The registers' numbers are those of
native/guests/src/aarch64/registers.rs.
"""

from __future__ import annotations

import errno
import struct

from qusr.arch.tracing import GdbFeature, GdbRegister, RegisterSet, Vectors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qusr.arch.tracing import ByteOrder

_V0, _FPSR, _FPCR = 34, 66, 67
#: The lengths that there are (bit n - 1: n quadwords), the present one in quadwords, what
#: prctl(2) or a tracer said of it, whether vectors are in use; predicates and FFR, four words
#: each; what is above V, fifteen quadwords each.
_LENGTHS, _QUADS, _CONTROL, _USED = 76, 77, 78, 79
_P0 = 80
_Z0 = _P0 + 17 * 4
_COUNT = _Z0 + 32 * 15

#: Of the control register: the next program's length, and that it stays beyond that.
_STAYS = 1 << 8

#: SVE_PT_REGS_SVE, SVE_PT_VL_INHERIT, SVE_PT_VL_ONEXEC.
_SVE, _INHERIT, _ON_EXEC = 1, 2, 4
#: struct user_sve_header: size, max_size, vl, max_vl, flags.
_HEADER = struct.Struct("IIHHHH")
#: SVE_VL_MAX
_LONGEST = 8192
#: struct user_fpsimd_state, and the zeros at its end.
_FPSIMD = 32 * 16 + 8 + 8


def _pieces(n: int, quads: int) -> list[int]:
    """The registers with Z`n`, from its lowest quadword on."""
    return [_V0 + n, *range(_Z0 + 15 * n, _Z0 + 15 * n + quads - 1)]


def _size(quads: int, flags: int) -> int:
    """SVE_PT_SIZE"""
    if not flags & _SVE:
        return _HEADER.size + _FPSIMD
    registers = 32 * 16 * quads + 17 * 2 * quads
    return _HEADER.size + (-(-registers // 16) * 16) + 16


class _Lengths(Vectors):
    """How long Z registers are is in quadwords, where a model has them."""

    __slots__ = ()

    def size(self, values: Sequence[int]) -> int:
        """The bytes of a vector register."""
        return 16 * values[_QUADS] if values[_LENGTHS] else 0

    def pieces(self, values: Sequence[int]) -> range:
        """Predicates and what is above V."""
        return range(_P0, _COUNT if values[_LENGTHS] else _P0)


class ScalableSet(RegisterSet):
    """NT_ARM_SVE. Behind its header are all registers or, before a thread uses vectors, V."""

    __slots__ = ()

    def __init__(self) -> None:
        # The size with the longest vectors that the kernel has numbers for.
        super().__init__(16, most=-(-_size(_LONGEST // 16, _SVE) // 16) * 16)

    def is_there(self, values: Sequence[int]) -> bool:
        """On a model with vectors, used or not."""
        return len(values) > _LENGTHS and values[_LENGTHS] != 0

    def pack(self, values: Sequence[int], original: int, order: ByteOrder) -> bytes:
        """The set's bytes."""
        quads, most = values[_QUADS], values[_LENGTHS].bit_length()
        flags = _SVE if values[_USED] else 0
        kept = _INHERIT if values[_CONTROL] & _STAYS else 0
        sign = "<" if order == "little" else ">"
        size = _size(quads, flags)
        data = struct.pack(
            sign + _HEADER.format,
            size, _size(most, _SVE), 16 * quads, 16 * most, flags | kept, 0,
        )  # fmt: skip
        status = b"".join(values[n].to_bytes(4, order) for n in (_FPSR, _FPCR))
        if not flags:
            data += b"".join(values[_V0 + n].to_bytes(16, order) for n in range(32))
            return (data + status).ljust(size, b"\0")
        # Bytes in the order of LDR and STR, whatever that of data is.
        for n in range(32):
            data += b"".join(values[at].to_bytes(16, "little") for at in _pieces(n, quads))
        for n in range(17):
            words = values[_P0 + 4 * n : _P0 + 4 * n + 4]
            data += b"".join(word.to_bytes(8, "little") for word in words)[: 2 * quads]
        data += b"\0" * (-len(data) % 16)
        return (data + status).ljust(size, b"\0")

    def _header(
        self, data: bytes, order: ByteOrder, values: Sequence[int]
    ) -> tuple[int, int, int] | None:
        """The length that was asked for and the one that it becomes, in quadwords; flags. None:
        EINVAL.
        """
        if len(data) < _HEADER.size:
            return None
        sign = "<" if order == "little" else ">"
        _, _, length, _, flags, _ = struct.unpack_from(sign + _HEADER.format, data)
        if length % 16 or not 16 <= length <= _LONGEST or flags & ~(_SVE | _INHERIT | _ON_EXEC):
            return None
        asked = length // 16
        quads = (values[_LENGTHS] & (1 << min(asked, 16)) - 1).bit_length()
        return asked, quads, flags

    def refused(self, data: bytes, order: ByteOrder, values: Sequence[int]) -> int:
        """EINVAL for a wrong header; EIO for registers of a length that there is not."""
        header = self._header(data, order, values)
        if header is None:
            return errno.EINVAL
        asked, quads, flags = header
        other = flags & _SVE and len(data) > _HEADER.size and asked != quads
        return errno.EIO if other else 0

    def unpack(
        self, data: bytes, order: ByteOrder, values: Sequence[int], start: int = 0
    ) -> Iterator[tuple[int, int]]:
        """The length and the registers. Tracers store a set from its beginning."""
        header = self._header(data, order, values)
        if header is None:
            return
        asked, quads, flags = header
        kept = flags & (_INHERIT | _ON_EXEC)
        yield _CONTROL, (quads if kept else 0) | (_STAYS if flags & _INHERIT else 0)
        if not flags & _ON_EXEC:
            yield _QUADS, quads
        else:
            quads = values[_QUADS]
        if not (flags & _SVE and values[_USED] and quads == values[_QUADS]):
            yield from _nothing_above()
        if not flags & _SVE:
            yield _USED, 0
            yield from _words(data, _HEADER.size, [*range(_V0, _V0 + 32)], 16, order)
            yield from _words(data, _HEADER.size + 32 * 16, [_FPSR, _FPCR], 4, order)
            return
        if asked != quads:
            return
        yield _USED, 1
        at = _HEADER.size
        for n in range(32):
            yield from _words(data, at, _pieces(n, quads), 16, "little")
            at += 16 * quads
        for n in range(17):
            part = data[at : at + 2 * quads]
            if len(part) == 2 * quads:
                yield from _words(
                    part.ljust(32, b"\0"), 0, range(_P0 + 4 * n, _P0 + 4 * n + 4), 8, "little"
                )
            at += 2 * quads
        at += -at % 16
        yield from _words(data, at, [_FPSR, _FPCR], 4, order)


def _nothing_above() -> Iterator[tuple[int, int]]:
    """All of vectors but V becomes 0, and predicates do."""
    return ((number, 0) for number in range(_P0, _COUNT))


class FloatingSet(RegisterSet):
    """NT_PRFPREG (struct user_fpsimd_state). What a tracer stores becomes the lowest quadwords of
    vectors in use, of which nothing else remains (sve_sync_from_fpsimd_zeropad).
    """

    __slots__ = ()

    def __init__(self) -> None:
        registers = ((_V0 + n, 16) for n in range(32))
        super().__init__(4, *registers, (_FPSR, 4), (_FPCR, 4), (None, 8))

    def unpack(
        self, data: bytes, order: ByteOrder, values: Sequence[int], start: int = 0
    ) -> Iterator[tuple[int, int]]:
        """The registers that `data` has whole."""
        if values[_USED]:
            yield from _nothing_above()
        yield from super().unpack(data, order, values, start)


def _words(
    data: bytes, at: int, registers: Iterable[int], size: int, order: ByteOrder
) -> Iterator[tuple[int, int]]:
    """Registers of so many bytes that follow each other, as far as there are."""
    for number in registers:
        part = data[at : at + size]
        at += size
        if len(part) == size:
            yield number, int.from_bytes(part, order)


def _gdb(length: int) -> tuple[GdbFeature, ...]:
    """The feature of a processor with vectors of `length` bytes."""
    quads = length // 16
    views = (
        ("q", 128, (("u", "uint128"), ("s", "int128"))),
        ("d", 64, (("f", "ieee_double"), ("u", "uint64"), ("s", "int64"))),
        ("s", 32, (("f", "ieee_single"), ("u", "uint32"), ("s", "int32"))),
        ("h", 16, (("f", "ieee_half"), ("u", "uint16"), ("s", "int16"))),
        ("b", 8, (("u", "uint8"), ("s", "int8"))),
    )
    types, union = "", ""
    for letter, bits, kinds in views:
        count = 8 * length // bits
        fields = ""
        for kind, of in kinds:
            types += f'<vector id="sv{letter}{kind}" type="{of}" count="{count}"/>'
            fields += f'<field name="{kind}" type="sv{letter}{kind}"/>'
        types += f'<union id="sv{letter}">{fields}</union>'
        union += f'<field name="{letter}" type="sv{letter}"/>'
    types += f'<union id="svev">{union}</union>'
    types += f'<vector id="svep" type="uint8" count="{2 * quads}"/>'

    def predicate(name: str, n: int) -> GdbRegister:
        first = _P0 + 4 * n
        pieces = range(first, first + 4), 64
        return GdbRegister(name, first, 16 * quads, "svep", "vector", pieces=pieces)

    registers = [
        GdbRegister(f"z{n}", _V0 + n, 8 * length, "svev", "vector", pieces=(_pieces(n, quads), 128))
        for n in range(32)
    ]
    registers += [
        GdbRegister("fpsr", _FPSR, 32, group="float"),
        GdbRegister("fpcr", _FPCR, 32, group="float"),
        *(predicate(f"p{n}", n) for n in range(16)),
        predicate("ffr", 16),
        # The length, in words of 64 bits.
        GdbRegister("vg", None, 64, "int", constant=2 * quads),
    ]
    return (GdbFeature("org.gnu.gdb.aarch64.sve", registers, types),)


VECTORS = _Lengths(_P0, _QUADS, _gdb, "org.gnu.gdb.aarch64.fpu")
