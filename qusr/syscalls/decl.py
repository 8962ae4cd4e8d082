"""How a system call is declared.

A declaration names the call's arguments by kind, in the order of the kernel's
signature (as in its man page). The thunk compiler
(:mod:`qusr.syscalls.compiler`) turns it into a conversion for each ABI, strace
prints it, and the compatibility page is generated from it::

    Syscall("read", Fd("fd"), Buf("buf", OUT, size="count"), Size("count"))
    Syscall("fstat", Fd("fd"), Ptr("statbuf", STAT, OUT))

A call that needs a decision in Python names its handler, "module:function"
below `qusr.syscalls.handlers`; the function is imported when the call is first
made. A call done by Rust itself (memory mapping, signal actions) names the
`builtin`. See `docs/adding-a-syscall.md`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence

from qusr.arch.abi import ABSENT, Abi
from qusr.syscalls.layout import CType

IN, OUT, INOUT = 1, 2, 3
INTERRUPTED = 4
"""Or'ed to a :class:`Ptr`'s direction: also written back when the call fails with
EINTR, as nanosleep and select do with the time that is left."""
RET = "return value"
"""As a count: the call's result says how many elements were written."""

Constant = int | Callable[[Abi], int]
"""A number that is the same everywhere, a :class:`Named` one, or one that is computed for an
ABI (ioctl codes).
"""


class Named(int):
    """A constant that an ABI may have another number for: the host's, its family and its name."""

    family: str
    title: str

    def __new__(cls, value: int, family: str, title: str) -> Named:
        """As the host has it."""
        made = super().__new__(cls, value)
        made.family = family
        made.title = title
        return made

    def of(self, abi: Abi) -> int:
        """The number in `abi`, ABSENT when it has none."""
        return abi.differing(self.family).get(self.title, int(self))


def constant(value: Constant, abi: Abi) -> int:
    """The number of a constant in `abi`."""
    if isinstance(value, Named):
        return value.of(abi)
    return value if isinstance(value, int) else value(abi)


def numbered(names: Mapping[int, str], family: str, abi: Abi) -> Mapping[int, str]:
    """Names by the numbers of `abi` instead of the host's."""
    differing = abi.differing(family) if family else {}
    if not differing:
        return names
    found = {differing.get(name, number): name for number, name in names.items()}
    found.pop(ABSENT, None)
    return found


class Arg:
    """One argument. Subclasses say how it is converted and printed."""

    def __init__(self, name: str) -> None:
        self.name = name


# --- scalars -----------------------------------------------------------------


class Scalar(Arg):
    """An integer in one register: `bits` 0 is a word of the ABI."""

    bits = 32
    signed = True


class Int(Scalar):
    """C `int`."""


class UInt(Scalar):
    """C `unsigned int`."""

    signed = False


class Long(Scalar):
    """C `long`: sign-extended for 32-bit guests."""

    bits = 0


class ULong(Scalar):
    """C `unsigned long`, or a pointer that the kernel does not follow."""

    bits = 0
    signed = False


class Size(ULong):
    """C `size_t`."""


class Short(Scalar):
    """A 16-bit id of the old uid16 calls: unsigned, but 0xffff means -1, "leave alone"
    (`low2highuid` of linux/highuid.h).
    """

    bits = 16
    signed = False


class Fd(Int):
    """A file descriptor."""


class DirFd(Fd):
    """A directory descriptor or AT_FDCWD."""


class Pid(Int):
    """A process, thread or process-group id."""


class Uid(UInt):
    """A user or group id."""


class Signal(Int):
    """A signal number."""


#: asm-generic/siginfo.h: those that not all ABIs number alike.
SI_CODES = {"SI_TIMER": -2, "SI_MESGQ": -3, "SI_ASYNCIO": -4}


class Mode(UInt):
    """File permission bits, printed in octal."""


class Word32(UInt):
    """A value that the kernel compares with a 32-bit word of guest memory (futex): given
    in the byte order of that memory.
    """


class Hex(ULong):
    """A word printed in hexadecimal."""


class Address(ULong):
    """A guest address that the kernel does not follow (mmap's hint)."""


class Loff(Arg):
    """A 64-bit value: one register, or a register pair on 32-bit ABIs."""


class LoHi(Arg):
    """A 64-bit value in two `long` arguments, low one first, on every ABI (preadv)."""


class HiLo(Arg):
    """A 64-bit value in two `long` arguments, high one first (_llseek)."""


class Flags(Scalar):
    """A bit set; `table` gives names (and per-ABI values) of its bits."""

    signed = False

    def __init__(self, name: str, table: FlagTable, bits: int = 32) -> None:
        super().__init__(name)
        self.table = table
        self.bits = bits


class Enum(Scalar):
    """A number with names, printed symbolically; `family` is that of its constants, where ABIs
    may number them differently (`Abi.differing`).
    """

    def __init__(
        self, name: str, names: Mapping[int, str], bits: int = 32, *, family: str = ""
    ) -> None:
        super().__init__(name)
        self.names = names
        self.bits = bits
        self.family = family


class FlagTable:
    """The bits of a flag argument.

    Args:
        bits: name to value, for the host.
        family: of the constants in which a guest may have other values (`Abi.differing`).
        fields: multi-bit fields: (mask, {value: name}), such as O_ACCMODE.
    """

    def __init__(
        self,
        bits: Mapping[str, int],
        *,
        family: str = "",
        fields: Sequence[tuple[int, Mapping[int, str]]] = (),
    ) -> None:
        self.bits = dict(bits)
        self.family = family
        self.fields = tuple(fields)

    def for_abi(self, abi: Abi) -> dict[str, int]:
        """Name to value in `abi`."""
        values = dict(self.bits)
        if self.family:
            differing = abi.differing(self.family)
            values.update((name, differing[name]) for name in values if name in differing)
        return {name: 0 if value == ABSENT else value for name, value in values.items()}

    def fields_for(self, abi: Abi) -> tuple[tuple[int, Mapping[int, str]], ...]:
        """The fields in `abi`."""
        return tuple(
            (constant(mask, abi), numbered(names, self.family, abi)) for mask, names in self.fields
        )


ACTION_FLAGS = FlagTable(
    {
        "SA_NOCLDSTOP": 1, "SA_NOCLDWAIT": 2, "SA_SIGINFO": 4, "SA_UNSUPPORTED": 0x400,
        "SA_EXPOSE_TAGBITS": 0x800, "SA_THIRTYTWO": 0x02000000, "SA_RESTORER": 0x04000000,
        "SA_ONSTACK": 0x08000000, "SA_RESTART": 0x10000000, "SA_NODEFER": 0x40000000,
        "SA_RESETHAND": 0x80000000,
    },
    family="sigaction",
)  # fmt: skip
"""sa_flags of sigaction(2)."""

# --- pointers ----------------------------------------------------------------


class Pointer(Arg):
    """A guest address that the kernel follows."""


class Raw(Pointer):
    """A pointer handed on without conversion or known length."""


class Str(Raw):
    """A NUL-terminated string that is not a path (xattr names…)."""


class Path(Pointer):
    """A path, subject to the sysroot.

    Args:
        at: the argument with the directory descriptor, if any.
        follow: True or False: whether a final symlink is followed; or
            (argument, bits): not followed when any of `bits` (host values) is set;
            or (argument, bits, "if"): followed only when any is set.
        mount: `/` is the host's root: a sysroot is no mount point.
    """

    def __init__(
        self,
        name: str,
        *,
        at: str | None = None,
        follow: bool | tuple[str, int] | tuple[str, int, str] = True,
        mount: bool = False,
    ) -> None:
        super().__init__(name)
        self.at = at
        self.follow = follow
        self.mount = mount


class Buf(Pointer):
    """Raw bytes: `size` is a number, the name of a size argument, or "*arg" (an
    `unsigned *` argument that holds the size).
    """

    def __init__(self, name: str, direction: int, *, size: int | str) -> None:
        super().__init__(name)
        self.direction = direction
        self.size = size


class FdData(Buf):
    """What read and write move: bytes, but from descriptors such as an eventfd records in
    the reader's byte order.
    """

    def __init__(self, name: str, direction: int, *, fd: str, size: str) -> None:
        super().__init__(name, direction, size=size)
        self.fd = fd


class Ptr(Pointer):
    """A pointer to one `ctype`; `host` is the host's type where it is another."""

    def __init__(
        self, name: str, ctype: CType, direction: int, *, host: CType | None = None
    ) -> None:
        super().__init__(name)
        self.ctype = ctype
        self.direction = direction
        self.host = host or ctype


class Array(Pointer):
    """A pointer to `count` elements; `filled` of them are written back (OUT)."""

    def __init__(
        self,
        name: str,
        ctype: CType,
        direction: int,
        *,
        count: int | str,
        filled: str | None = None,
        host: CType | None = None,
    ) -> None:
        super().__init__(name)
        self.ctype = ctype
        self.direction = direction
        self.count = count
        self.filled = filled
        self.host = host or ctype


class Bits(Pointer):
    """A bit set kept in longs; `size` in bytes, `in_bits` if it counts bits (select)."""

    def __init__(
        self, name: str, direction: int, *, size: int | str, in_bits: bool = False
    ) -> None:
        super().__init__(name)
        self.direction = direction
        self.size = size
        self.in_bits = in_bits


class Sigset(Bits):
    """A signal mask that the kernel sets for the time of the call (ppoll…), `size` bytes."""

    def __init__(self, name: str, direction: int = IN, *, size: int | str = 8) -> None:
        super().__init__(name, direction, size=size)


class Iovec(Pointer):
    """An array of `count` struct iovec; `direction` IN: the kernel reads the buffers."""

    def __init__(self, name: str, direction: int, *, count: str) -> None:
        super().__init__(name)
        self.direction = direction
        self.count = count


class SockaddrIn(Pointer):
    """A socket address given to the kernel, `size` bytes long."""

    def __init__(self, name: str, *, size: str) -> None:
        super().__init__(name)
        self.size = size


class SockaddrOut(Pointer):
    """A socket address filled by the kernel; `size` names the value-result length."""

    def __init__(self, name: str, *, size: str) -> None:
        super().__init__(name)
        self.size = size


class Msghdr(Pointer):
    """struct msghdr with its name, vectors and control messages."""

    def __init__(self, name: str, direction: int) -> None:
        super().__init__(name)
        self.direction = direction


class Mmsghdr(Pointer):
    """An array of `count` struct mmsghdr."""

    def __init__(self, name: str, direction: int, *, count: str) -> None:
        super().__init__(name)
        self.direction = direction
        self.count = count


# --- choice ------------------------------------------------------------------


class Word:
    """Of a :class:`Forward`: a word of memory, the `index`th where argument `pointer` points."""

    def __init__(self, pointer: int, index: int) -> None:
        self.pointer = pointer
        self.index = index


class Masked:
    """Of a :class:`Forward`: the bits `mask` of an argument."""

    def __init__(self, arg: int, mask: int) -> None:
        self.arg = arg
        self.mask = mask


class Fixed:
    """Of a :class:`Forward`: a number."""

    def __init__(self, value: int) -> None:
        self.value = value


def words(pointer: int, count: int) -> tuple[Word, ...]:
    """All arguments in memory, as old calls with many of them have it."""
    return tuple(Word(pointer, index) for index in range(count))


class Forward:
    """That a call, or a case of one, is another call with its arguments elsewhere.

    Args:
        call: the other call, or the name of one of the same ABI.
        sources: its argument registers: the number of an argument of this call, or one of
            :class:`Word`, :class:`Masked` and :class:`Fixed`.
    """

    def __init__(self, call: str | Syscall, *sources: int | Word | Masked | Fixed) -> None:
        self.call = call
        self.sources = sources

    def target(self, calls: Mapping[str, Syscall]) -> Syscall:
        """The other call; `calls` are those of the ABI."""
        return calls[self.call] if isinstance(self.call, str) else self.call


class Case:
    """The arguments behind one value of a :class:`Switch`."""

    def __init__(
        self,
        *args: Arg,
        host: Constant | None = None,
        handler: str | None = None,
        builtin: str | None = None,
        ret: type[Ret] | Ret | None = None,
        name: str = "",
        enosys: str | None = None,
        errno: int | None = None,
        forward: Forward | None = None,
    ) -> None:
        self.args = args
        self.host = host
        self.handler = handler
        self.builtin = builtin
        self.ret = ret
        self.name = name
        self.enosys = enosys
        self.forward = forward
        self.errno = errno
        """Fail with this errno (EINVAL for an unknown prctl option…)."""


class Switch(Scalar):
    """An argument whose value decides how the arguments after it are converted.

    fcntl's and ioctl's commands, prctl's option, futex's operation. `mask` is
    applied before the comparison. Keys may be computed for each ABI; `host` of a case is
    the value that the host expects where it differs. `of` names an argument before this
    one whose value decides instead. `family` is that of `names`, for values without a case; numbers
    that are the host's alone fail with the errno `unknown`.
    """

    def __init__(
        self,
        name: str,
        cases: Sequence[tuple[Constant, Case]],
        *,
        default: Case,
        mask: int = 0xFFFFFFFF,
        names: Mapping[int, str] | None = None,
        of: str | None = None,
        family: str = "",
        unknown: int = errno.EINVAL,
    ) -> None:
        super().__init__(name)
        self.family = family
        self.unknown = unknown
        self.of = of or name
        self.cases = tuple(cases)
        self.default = default
        self.mask = mask
        self.names = names or {}


# --- results and the call itself ----------------------------------------------


class Ret:
    """What a call returns."""


class RetLong(Ret):
    """A number; a 32-bit guest sees its low half."""


class RetFd(Ret):
    """A new file descriptor; looked at for files of /proc that need the guest's view."""


class RetOff(Ret):
    """An offset: EOVERFLOW when a 32-bit guest's `long` cannot hold it."""


class RetFlags(Ret):
    """A flag word, converted back to the guest's values (F_GETFL)."""

    def __init__(self, table: FlagTable) -> None:
        self.table = table


class RetSignal(Ret):
    """The number of a signal."""


class RetPath(Ret):
    """readlink's length; a link that names the emulator is looked at again."""


class RetStat(Ret):
    """0; the file is compared with the emulator's own executable (stat of /proc/self/exe)."""


class RetStore(Ret):
    """A 64-bit number that is stored where the argument `pointer` points; the call gives 0."""

    def __init__(self, pointer: str) -> None:
        self.pointer = pointer


class Host:
    """The host call to make: its name and arguments (argument names or constants).

    Without it the host's call of the same name gets all arguments in order.
    """

    def __init__(self, name: str, *args: str | int) -> None:
        self.name = name
        self.args = args


class Syscall:
    """A system call; see the module's text.

    Args:
        name: the kernel's name in the syscall tables.
        args: in the order of the kernel's signature.
        host: the host's call where it is another.
        ret: kind of the result.
        handler: Python function "module:function".
        file: the argument with the path of a file that must be there: without it the call gives
            ENOENT and the handler is not asked.
        builtin: name of the Rust function that does it.
        forward: the call that it is in another form.
        partial: why the call is only partly supported.
        enosys: why the call is not there at all (the guest gets ENOSYS).
        families: struct families for which this declaration holds; None: all. A
            declaration for a family replaces a general one.
    """

    def __init__(
        self,
        name: str,
        *args: Arg,
        host: Host | None = None,
        ret: type[Ret] | Ret = RetLong,
        handler: str | None = None,
        file: str | None = None,
        builtin: str | None = None,
        partial: str | None = None,
        enosys: str | None = None,
        families: Sequence[str] | None = None,
        forward: Forward | None = None,
    ) -> None:
        self.name = name
        self.args = args
        self.host = host
        self.ret = ret() if isinstance(ret, type) else ret
        self.handler = handler
        self.file = file
        self.builtin = builtin
        self.partial = partial
        self.enosys = enosys
        self.families = families
        self.forward = forward

    @property
    def status(self) -> str:
        """`supported`, `partial: why` or `enosys: why`."""
        if self.enosys is not None:
            return f"enosys: {self.enosys}"
        return f"partial: {self.partial}" if self.partial is not None else "supported"
