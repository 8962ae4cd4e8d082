"""Recipes: what a start has worked out, so that the next one needs no Python.

Programs are not loaded at random addresses, so loading one makes the same calls of the
address space each time. A `Recorder` stands before the address space and writes them
down. `native/machine/src/start/` reads a recipe (`recipe.rs` has its fields), checks that the
files are still the same, and makes the calls again.

A recipe is numbers of 8 bytes, strings with their length before them, and lists with
their number of items before them.
"""

from __future__ import annotations

import os
from struct import Struct

from qusr import _native
from qusr.loader import cache
from qusr.loader.image import Image
from qusr.loader.plan import LoadPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qusr.loader.image import AddressSpace
    from qusr.loader.program import Prepared
    from qusr.machine import Machine
    from qusr.running import Process

KIND = "start"
FORMAT = 2

_NUMBER = Struct("<Q")
_MASK = (1 << 64) - 1
_MMAP, _MUNMAP, _MPROTECT, _WRITE, _ZERO, _MMAP_BASE, _BRK, _NAME = range(8)
_PROGRAM, _INTERPRETER = 1, 2


def _number(value: int) -> bytes:
    return _NUMBER.pack(value & _MASK)


def _bytes(data: bytes) -> bytes:
    return _number(len(data)) + data


def _numbers(*values: int) -> bytes:
    return b"".join(map(_number, values))


def _list(items: Sequence[bytes]) -> bytes:
    return _number(len(items)) + b"".join(items)


class Recorder:
    """Stands before an address space and writes down what is done to it.

    Args:
        prepared: the program that is going to be loaded.
    """

    __slots__ = ("_files", "_ops", "_prepared", "_space")

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._space: AddressSpace
        self._files = {-1: 0, prepared.fd: _PROGRAM}
        if prepared.interp_fd >= 0:
            self._files[prepared.interp_fd] = _INTERPRETER
        self._ops: list[bytes] = []

    def before(self, space: AddressSpace) -> AddressSpace:
        """What takes the place of `space`."""
        self._space = space
        return self

    @property
    def limit(self) -> int:
        """As the address space's."""
        return self._space.limit

    @property
    def map_window(self) -> int:
        """As the address space's."""
        return self._space.map_window

    def mmap(  # noqa: PLR0917 - as mmap(2)
        self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int:
        """mmap(2)."""
        at = self._space.mmap(addr, len, prot, flags, fd, offset)
        self._ops.append(_numbers(_MMAP, addr, len, prot, flags, self._files[fd], offset, at))
        return at

    def munmap(self, addr: int, len: int) -> None:
        """munmap(2)."""
        self._space.munmap(addr, len)
        self._ops.append(_numbers(_MUNMAP, addr, len))

    def mprotect(self, addr: int, len: int, prot: int) -> None:
        """mprotect(2)."""
        self._space.mprotect(addr, len, prot)
        self._ops.append(_numbers(_MPROTECT, addr, len, prot))

    def write(self, addr: int, data: bytes) -> None:
        """Copies bytes to the guest."""
        self._space.write(addr, data)
        if data.strip(b"\0"):
            self._ops.append(_numbers(_WRITE, addr) + _bytes(data))
        else:
            self._ops.append(_numbers(_ZERO, addr, len(data)))

    def set_mmap_base(self, addr: int) -> None:
        """Where mappings without an address are placed downwards from."""
        self._space.set_mmap_base(addr)
        self._ops.append(_numbers(_MMAP_BASE, addr))

    def set_brk(self, start: int) -> None:
        """Where the heap starts."""
        self._space.set_brk(start)
        self._ops.append(_numbers(_BRK, start))

    def set_name(self, addr: int, len: int, name: str) -> None:
        """Names a range for /proc/self/maps."""
        self._space.set_name(addr, len, name)
        self._ops.append(_numbers(_NAME, addr, len) + _bytes(name.encode()))

    def keep(
        self,
        process: Process,
        machine: Machine,
        keys: tuple[bytes, bytes],
        absent: Iterable[str],
        *,
        opened: bool = False,
    ) -> None:
        """Puts the recipe of `process`, which was loaded and has not run yet, into its store.

        Nothing is kept when another start could go otherwise: the program is a script's
        interpreter, a file may still be changing, or another core than usual runs the guest. `keys`
        are the recipe's and the thunk table's. `absent` are the files that would have been used
        if they were there. `opened`: the program's file is given, whatever it was called.
        """
        prepared, interp = self._prepared, b""
        key, table_key = keys
        named = opened or prepared.execfn == os.fsencode(prepared.path)
        if not machine.has_usual_core or not named:
            return
        if prepared.interp_fd >= 0 and not prepared.interp_path.startswith("/"):
            return
        for fd in (prepared.fd, prepared.interp_fd):
            if fd >= 0 and not cache.settled(os.fstat(fd)):
                return
        if prepared.interp_fd >= 0:
            interp = _native.file_identity(prepared.interp_fd)
        fields = [
            _number(FORMAT),
            _bytes(os.fsencode(prepared.sysroot.root or "")),
            _bytes(os.fsencode(prepared.interp_path)),
            _bytes(interp),
            _list([_bytes(os.fsencode(path)) for path in absent]),
            _numbers(machine.abi.word * 8, process.mmap_min_addr),
            _machine(machine),
            _bytes(table_key),
            _list(self._ops),
            _numbers(process.image.start, process.image.code_range()[0]),
            _numbers(process.image.stack_top, machine.abi.big_endian),
            _bytes(machine.platform),
            _bytes(machine.uname),
            _list([_numbers(*pair) for pair in process.stack.auxv]),
            _bytes(_for_python(process.image, machine.abi.name)),
        ]
        process.store.put(KIND, key, b"".join(fields))


def _machine(machine: Machine) -> bytes:
    library, guest, model, registers, features = machine.core
    return b"".join(
        [
            _bytes(os.fsencode(library)),
            _bytes(guest.encode()),
            _number(model),
            _list([_numbers(*register) for register in registers]),
            _list([_bytes(feature.encode()) for feature in features]),
        ]
    )


# ---- what Python reads when it takes the program over ----
_IMAGE = Struct("<9Q")


def _for_python(image: Image, guest: str) -> bytes:
    numbers = _IMAGE.pack(
        image.bias & _MASK,
        image.entry,
        0 if image.interp_entry is None else 1,
        image.interp_entry or 0,
        image.base & _MASK,
        image.phdr,
        image.brk,
        image.stack_bottom,
        image.stack_top,
    )
    return numbers + guest.encode() + b"\0" + image.plan.to_bytes()


def image_of(data: bytes) -> tuple[str, Image]:
    """The guest's name and the image, from a recipe's part for Python."""
    bias, entry, has_interp, interp, base, phdr, brk, bottom, top = _IMAGE.unpack_from(data)
    name, _, plan = data[_IMAGE.size :].partition(b"\0")
    image = Image(
        plan=LoadPlan.from_bytes(plan),
        bias=_signed(bias),
        entry=entry,
        interp_entry=interp if has_interp else None,
        base=_signed(base),
        phdr=phdr,
        brk=brk,
        stack_bottom=bottom,
        stack_top=top,
        read_implies_exec=False,
    )
    return name.decode(), image


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
