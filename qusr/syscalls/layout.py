"""C types and struct layouts, declared once and computed for each ABI.

A struct is declared in C terms (`ulong`, `ptr`, `s64`). :func:`leaves` computes
where each scalar of it lies for one ABI; the thunk compiler pairs the leaves of
guest and host by their names to get a conversion. Names that begin with an
underscore are padding: they are never converted, and read as zero. What follows
a `~` in a name is not compared: a guest struct that holds a value twice has
fields `st_ino` and `st_ino~old`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qusr.arch.abi import Abi

    Fields = Sequence[tuple[str, "CType"]]
else:
    Fields = tuple  # for those who import it; only annotations use it


class CType:
    """A C type whose size and alignment depend on the ABI."""

    def size(self, abi: Abi) -> int:
        """Size in bytes."""
        raise TypeError(f"{type(self).__name__} has no size")

    def align(self, abi: Abi) -> int:
        """Alignment inside a struct, in bytes."""
        raise TypeError(f"{type(self).__name__} has no alignment")

    def __mul__(self, count: int) -> Array:
        """`u32 * 4` is the array type `u32[4]`."""
        return Array(self, count)


class Int(CType):
    """An integer; `bits` 0 means the ABI's word (`long`, pointers)."""

    def __init__(self, bits: int, *, signed: bool) -> None:
        self.bits = bits
        self.signed = signed

    def size(self, abi: Abi) -> int:
        """Size in bytes."""
        return self.bits // 8 or abi.word

    def align(self, abi: Abi) -> int:
        """Natural, but on ABIs that align nothing so much."""
        return min(self.size(abi), abi.align64)


class Uid16(Int):
    """A user or group id of the old calls: a larger one becomes 65534 for the guest, 0xffff
    from it means -1 (linux/highuid.h).
    """

    def __init__(self) -> None:
        super().__init__(16, signed=False)


class UserPtr(Int):
    """A pointer that the kernel follows: converted by adding the guest base."""

    def __init__(self) -> None:
        super().__init__(0, signed=False)


class UserPtr64(Int):
    """A pointer kept in a 64-bit field whatever the word size (clone_args…)."""

    def __init__(self) -> None:
        super().__init__(64, signed=False)


class Signo(Int):
    """An `int` that is the number of a signal."""

    def __init__(self) -> None:
        super().__init__(32, signed=True)


class Errno(Int):
    """An `int` that is an errno."""

    def __init__(self) -> None:
        super().__init__(32, signed=True)


class SiCode(Int):
    """An `int` that says why a signal came (si_code)."""

    def __init__(self) -> None:
        super().__init__(32, signed=True)


class WaitStatus(Int):
    """What wait4(2) stores: the number of a signal is among its bits."""

    def __init__(self) -> None:
        super().__init__(32, signed=True)


class ChildStatus(Int):
    """si_status of SIGCHLD: an exit status, or the number of a signal, as the host's si_code, at
    byte 8, says.
    """

    def __init__(self) -> None:
        super().__init__(32, signed=True)


class FlagInt(Int):
    """An integer of flags; `table` says which (:class:`qusr.syscalls.decl.FlagTable`)."""

    def __init__(self, bits: int, table: object, *, signed: bool = False) -> None:
        super().__init__(bits, signed=signed)
        self.table = table


class SigsetPack(CType):
    """The last argument of pselect6(2): a pointer to a set of signals and its size, two words."""

    def size(self, abi: Abi) -> int:
        """Two words; on the host with room for the set."""
        return 2 * abi.word + (8 if "x64" in abi.families else 0)

    def align(self, abi: Abi) -> int:
        """That of a pointer."""
        return min(abi.word, abi.align64)


class Bytes(CType):
    """`count` bytes copied as they are: text, network byte order, opaque data."""

    def __init__(self, count: int, align: int = 1) -> None:
        self.count = count
        self._align = align

    def size(self, abi: Abi) -> int:
        """Size in bytes."""
        return self.count

    def align(self, abi: Abi) -> int:
        """Alignment as declared, as far as the ABI has it."""
        return min(self._align, abi.align64)


class Bitmap(CType):
    """A bit set kept in `long`s (sigset_t, fd_set, cpu masks): `count` bytes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def size(self, abi: Abi) -> int:
        """Size in bytes."""
        return self.count

    def align(self, abi: Abi) -> int:
        """That of `long`."""
        return min(abi.word, abi.align64)


class Array(CType):
    """A C array."""

    def __init__(self, element: CType, count: int) -> None:
        self.element = element
        self.count = count

    def size(self, abi: Abi) -> int:
        """Size in bytes."""
        return self.element.size(abi) * self.count

    def align(self, abi: Abi) -> int:
        """That of an element."""
        return self.element.align(abi)


class Struct(CType):
    """A struct; `packed` lists struct families for which it is packed.

    `pad_to` gives the minimal size in bytes (for unions whose largest member
    is not declared). A call fails with EOVERFLOW when a value of a `checked` field (True:
    of any field) does not fit the guest's (fs/stat.c, cp_new_stat); others are cut off.
    """

    def __init__(
        self,
        name: str,
        fields: Fields,
        *,
        packed: Sequence[str] = (),
        pad_to: int = 0,
        checked: bool | Sequence[str] = False,
    ) -> None:
        self.name = name
        self.fields = tuple(fields)
        self.packed = frozenset(packed)
        self.pad_to = pad_to
        self.checked = checked if isinstance(checked, bool) else frozenset(checked)

    def _is_packed(self, abi: Abi) -> bool:
        return not self.packed.isdisjoint(abi.families) or "*" in self.packed

    def checks(self, path: str) -> bool:
        """Whether the scalar field `path` must fit."""
        if isinstance(self.checked, bool):
            return self.checked
        return path in self.checked

    def align(self, abi: Abi) -> int:
        """The largest alignment of a field."""
        if self._is_packed(abi):
            return 1
        return max((ctype.align(abi) for _, ctype in self.fields), default=1)

    def size(self, abi: Abi) -> int:
        """Size in bytes, rounded up to the alignment."""
        offset = 0
        for _, ctype, at in self.placed(abi):
            offset = at + ctype.size(abi)
        align = self.align(abi)
        return (max(offset, self.pad_to) + align - 1) // align * align

    def placed(self, abi: Abi) -> Iterator[tuple[str, CType, int]]:
        """Each field with its offset in bytes."""
        offset = 0
        packed = self._is_packed(abi)
        for name, ctype in self.fields:
            align = 1 if packed else ctype.align(abi)
            offset = (offset + align - 1) // align * align
            yield name, ctype, offset
            offset += ctype.size(abi)


class PerAbi(CType):
    """A type that the kernel defines differently for struct families.

    The first of `abi.families` that is a key of `variants` is taken, then the
    key "*".
    """

    def __init__(self, name: str, variants: Mapping[str, CType]) -> None:
        self.name = name
        self.variants = dict(variants)

    def pick(self, abi: Abi) -> CType:
        """The variant for `abi`; KeyError when there is none."""
        for family in (*abi.families, "*"):
            if family in self.variants:
                return self.variants[family]
        raise KeyError(f"{self.name} has no layout for {abi.name}")

    def size(self, abi: Abi) -> int:
        """Size in bytes."""
        return self.pick(abi).size(abi)

    def align(self, abi: Abi) -> int:
        """Alignment in bytes."""
        return self.pick(abi).align(abi)


class Leaf:
    """A scalar (or array of scalars) inside a struct, at `offset` bytes."""

    __slots__ = ("count", "ctype", "offset", "path")

    def __init__(self, path: str, offset: int, ctype: CType, count: int) -> None:
        self.path = path
        self.offset = offset
        self.ctype = ctype
        self.count = count


def leaves(ctype: CType, abi: Abi, path: str = "", offset: int = 0) -> Iterator[Leaf]:
    """The scalars of `ctype` in `abi`, with dotted names; padding is left out."""
    if isinstance(ctype, PerAbi):
        yield from leaves(ctype.pick(abi), abi, path, offset)
    elif isinstance(ctype, Struct):
        for name, field, at in ctype.placed(abi):
            if not name.startswith("_"):
                yield from leaves(field, abi, f"{path}.{name}" if path else name, offset + at)
    elif isinstance(ctype, Array):
        element = ctype.element
        if isinstance(element, PerAbi):
            element = element.pick(abi)
        if isinstance(element, Int):
            yield Leaf(path, offset, element, ctype.count)
        else:
            step = element.size(abi)
            for index in range(ctype.count):
                yield from leaves(element, abi, f"{path}[{index}]", offset + index * step)
    else:
        yield Leaf(path, offset, ctype, 1)


uid16 = Uid16()
s8, u8 = Int(8, signed=True), Int(8, signed=False)
s16, u16 = Int(16, signed=True), Int(16, signed=False)
s32, u32 = Int(32, signed=True), Int(32, signed=False)
s64, u64 = Int(64, signed=True), Int(64, signed=False)
long, ulong = Int(0, signed=True), Int(0, signed=False)
ptr, ptr64 = UserPtr(), UserPtr64()
be32 = Bytes(4, 4)
signo, si_code, wait_status, child_status = Signo(), SiCode(), WaitStatus(), ChildStatus()
errno32 = Errno()
