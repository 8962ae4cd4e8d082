"""The initial stack, laid out as the kernel does.

From the top: a zero word, the execfn string, the environment strings, the
argument strings (fs/exec.c), then, 16-aligned, the platform string, 16 random bytes
and the vectors with the stack pointer at argc (create_elf_tables in fs/binfmt_elf.c).
"""

from __future__ import annotations

import errno
import os
import struct

from . import auxv
from .errors import LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .image import AddressSpace

# include/uapi/linux/{binfmts,limits}.h and include/uapi/linux/resource.h.
MAX_ARG_STRLEN = 32 * 4096
ARG_MAX = 131072
_STK_LIM = 8 << 20


class Stack:
    """A finished initial stack: `data` goes to address `sp`."""

    __slots__ = (
        "arg_end",
        "arg_start",
        "auxv",
        "auxv_bytes",
        "data",
        "env_end",
        "env_start",
        "execfn",
        "sp",
    )

    def __init__(
        self,
        *,
        sp: int,
        data: bytes,
        arg_start: int,
        arg_end: int,
        env_end: int,
        execfn: int,
        auxv: list[tuple[int, int]],
        auxv_bytes: bytes,
    ) -> None:
        self.sp = sp
        self.data = data
        #: mm->arg_start and friends, for /proc/PID/{cmdline,environ,stat}.
        self.arg_start = arg_start
        self.arg_end = arg_end
        self.env_start = arg_end
        self.env_end = env_end
        self.execfn = execfn
        self.auxv = auxv
        self.auxv_bytes = auxv_bytes

    def store(self, space: AddressSpace) -> None:
        """Puts it into guest memory.

        LoadError when that fails: the arguments are larger than the stack, or a segment of
        an odd program lies over it.
        """
        try:
            space.write(self.sp, self.data)
        except OSError as error:
            raise LoadError(
                f"the initial stack does not fit: {len(self.data)} bytes at {self.sp:#x}",
                error.errno or errno.EFAULT,
            ) from None


def check_limits(
    argv: Sequence[bytes],
    envp: Sequence[bytes],
    execfn: bytes,
    *,
    word: int,
    stack_limit: int,
) -> None:
    """E2BIG by the rules of execve(2) (bprm_stack_limits and copy_strings in fs/exec.c).

    A string may have 128 KiB with its NUL. All together, with their pointers,
    may fill a quarter of the stack limit, at most 6 MiB and always 128 KiB.
    """
    for text in (*argv, *envp):
        if len(text) + 1 > MAX_ARG_STRLEN:
            raise LoadError(
                f"an argument or environment string of {len(text)} bytes: "
                f"at most {MAX_ARG_STRLEN - 1} are allowed",
                errno.E2BIG,
            )
    limit = max(min(_STK_LIM // 4 * 3, stack_limit // 4), ARG_MAX)
    # An empty argv is given one empty string.
    size = (max(len(argv), 1) + len(envp)) * word
    size += len(execfn) + 1 + (not argv)
    size += sum(map(len, argv)) + len(argv) + sum(map(len, envp)) + len(envp)
    if size > limit:
        raise LoadError(
            f"arguments and environment take {size} bytes: the limit is {limit}", errno.E2BIG
        )


def build(
    top: int,
    argv: Sequence[bytes],
    envp: Sequence[bytes],
    execfn: bytes,
    facts: auxv.AuxFacts,
    *,
    bits: int,
    big_endian: bool,
    platform: bytes = b"",
    base_platform: bytes = b"",
    random: bytes | None = None,
) -> Stack:
    """Lays the stack out below `top`, the end of the stack's mapping."""
    word = bits // 8
    # Since Linux 5.18 a program never sees argc == 0 (do_execveat_common).
    argv = argv or [b""]
    for text in (execfn, *argv, *envp):
        if b"\0" in text:
            raise LoadError("an argument or environment string contains a NUL", errno.EINVAL)
    strings = b"".join([s + b"\0" for s in (*argv, *envp)])
    env_end = top - word - len(execfn) - 1
    arg_start = env_end - len(strings)
    arg_end = arg_start + sum(map(len, argv)) + len(argv)

    at = arg_start & ~15
    blocks = [bytes(arg_start - at), strings, execfn + b"\0", bytes(word)]

    def push(data: bytes) -> int:
        nonlocal at
        at -= len(data)
        blocks.insert(0, data)
        return at

    platform_at = push(platform + b"\0") if platform else 0
    base_platform_at = push(base_platform + b"\0") if base_platform else 0
    random_at = push(random if random is not None else os.urandom(16))

    vector = auxv.entries(
        facts,
        random=random_at,
        execfn=env_end,
        platform=platform_at,
        base_platform=base_platform_at,
    )
    order = (">" if big_endian else "<") + "{}" + ("Q" if word == 8 else "I")
    mask = (1 << bits) - 1
    flat = [number & mask for pair in vector for number in pair]
    auxv_bytes = struct.pack(order.format(len(flat)), *flat)

    pointers = [len(argv)]
    address = arg_start
    for texts in (argv, envp):
        for text in texts:
            pointers.append(address)
            address += len(text) + 1
        pointers.append(0)
    table = struct.pack(order.format(len(pointers)), *pointers) + auxv_bytes
    # STACK_ROUND: the pointer is 16-aligned, so some bytes above the vectors stay unused.
    sp = (at - len(table)) & ~15
    data = b"".join([table, bytes(at - len(table) - sp), *blocks])
    return Stack(
        sp=sp,
        data=data,
        arg_start=arg_start,
        arg_end=arg_end,
        env_end=env_end,
        execfn=env_end,
        auxv=vector,
        auxv_bytes=auxv_bytes,
    )
