"""What a Python system-call handler works with.

A handler is a function `handler(ctx, *args) -> int`: `args` are the declared
arguments as integers (pointers are guest addresses), the result is the call's.
An error is an `OSError` with an errno, raised or from a failed host call.
"""

from __future__ import annotations

import struct

from qusr.arch.abi import HOST, Abi
from qusr.syscalls import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qusr.running import Process, Thread
    from qusr.syscalls import layout

    Values = dict[str, Any]

__all__ = [
    "NO_RESULT", "RESTART_SYSCALL", "Context", "Restart", "fail", "find_handler", "pack", "unpack",
]  # fmt: skip

_WORD = (1 << 64) - 1
"""Arguments come as signed numbers; addresses are not."""


class Restart(Exception):
    """A guest signal waits: the call is to be made again after its handler."""


NO_RESULT = 1 << 62
"""What a handler gives when the registers are already as they are to be (execve)."""

RESTART_SYSCALL = -512
"""ERESTARTSYS, as the Rust side returns it."""


class Context:
    """The calling guest thread and its process."""

    __slots__ = ("abi", "caller", "process", "thread")

    def __init__(self, process: Process, thread: Any, caller: Thread) -> None:
        self.process = process
        self.thread = thread
        self.caller = caller
        self.abi: Abi = process.abi

    # --- guest memory: every failure is EFAULT ---

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of guest memory."""
        return self.process.memory.read(address & _WORD, size)

    def write(self, address: int, data: bytes) -> None:
        """Stores bytes into guest memory."""
        self.process.memory.write(address & _WORD, data)

    def read_path(self, address: int) -> bytes:
        """The path at `address`; ENAMETOOLONG when it has no end within PATH_MAX."""
        return self.process.memory.read_cstr(address & _WORD, 4096)

    def host_path(self, dirfd: int, address: int, *, follow: bool = True) -> bytes:
        """The guest's path with the sysroot applied, as the host is to see it."""
        resolved: bytes = self.thread.resolve_path(dirfd, self.read_path(address), follow)
        return resolved

    def read_struct(self, ctype: layout.CType, address: int) -> Values:
        """The scalars of the guest's struct, by dotted name."""
        return unpack(ctype, self.read(address, ctype.size(self.abi)), self.abi)

    def write_struct(self, ctype: layout.CType, address: int, values: Values) -> None:
        """Stores a struct in the guest's layout; missing scalars are zero."""
        self.write(address, pack(ctype, values, self.abi))

    # --- the host ---

    def host_call(self, name: str, *args: int | bytes | bytearray) -> int:
        """Makes a host system call by name, interruptible by guest signals.

        A `bytes` argument is passed as a pointer to it, a `bytearray` one may be filled.
        Guest addresses go through :meth:`pointer`. Raises OSError.
        """
        from qusr.syscalls.table import numbers

        result: int = self.thread.host_call(numbers(HOST)[name], args)
        if result == RESTART_SYSCALL:
            raise Restart
        if result < 0:
            raise fail(-result)
        return result

    def pointer(self, address: int) -> int:
        """The host address of a guest address, for :meth:`host_call` (null stays null)."""
        return self.process.memory.host_pointer(address & _WORD)


_handlers: dict[str, Callable[..., int]] = {}


def find_handler(name: str) -> Callable[..., int]:
    """The function named "module:function" below qusr.syscalls.handlers."""
    found = _handlers.get(name)
    if found is None:
        module, _, function = name.partition(":")
        # Not importlib.import_module: every program's start comes here, and importlib (with what
        # it imports) takes longer than the handlers.
        handlers = __import__(f"qusr.syscalls.handlers.{module}", fromlist=[function])
        found = _handlers[name] = getattr(handlers, function)
    return found


def pack(ctype: layout.CType, values: Values, abi: Abi = HOST) -> bytes:
    """`values` (as :func:`unpack` gives them) as a struct's bytes."""
    from qusr.syscalls import layout

    data = bytearray(ctype.size(abi))
    for leaf in layout.leaves(ctype, abi):
        value = values.get(leaf.path.split("~")[0])
        if value is not None:
            size = leaf.ctype.size(abi)
            encoded = _encode(leaf, value, abi)
            data[leaf.offset : leaf.offset + size * leaf.count] = encoded
    return bytes(data)


def unpack(ctype: layout.CType, data: bytes, abi: Abi = HOST) -> Values:
    """The scalars of a struct's bytes: ints, lists of ints, or bytes."""
    from qusr.syscalls import layout

    values: Values = {}
    order = abi.byte_order
    for leaf in layout.leaves(ctype, abi):
        size = leaf.ctype.size(abi)
        part = data[leaf.offset : leaf.offset + size * leaf.count]
        if not isinstance(leaf.ctype, layout.Int):
            values[leaf.path] = part
            continue
        numbers = [
            int.from_bytes(part[at : at + size], order, signed=leaf.ctype.signed)
            for at in range(0, len(part), size)
        ]
        values[leaf.path] = numbers[0] if leaf.count == 1 else numbers
    return values


def _encode(leaf: layout.Leaf, value: Any, abi: Abi) -> bytes:
    from qusr.syscalls import layout

    size = leaf.ctype.size(abi)
    if not isinstance(leaf.ctype, layout.Int):
        return bytes(value)[: size * leaf.count].ljust(size * leaf.count, b"\0")
    order = ">" if abi.big_endian else "<"
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    mask = (1 << size * 8) - 1
    items = [value] if isinstance(value, int) else list(value)[: leaf.count]
    items += [0] * (leaf.count - len(items))
    return struct.pack(f"{order}{leaf.count}{code}", *(item & mask for item in items))
