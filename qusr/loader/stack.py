"""The initial stack: its limits, and what of it Python keeps.

It is laid out by `native/kernel/src/loader/stack.rs`.
"""

from __future__ import annotations

import errno
import os

from qusr import _native

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

    @classmethod
    def of_early(cls, early: _native.EarlyStart) -> Stack:
        """That of a program that was started without Python, stored already."""
        sp, arg_start, arg_end, env_end = early.stack
        return cls(
            sp=sp,
            data=b"",
            arg_start=arg_start,
            arg_end=arg_end,
            env_end=env_end,
            execfn=env_end,
            auxv=early.auxv,
            auxv_bytes=early.auxv_bytes,
        )

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
    template = auxv.entries(facts, platform=bool(platform), base_platform=bool(base_platform))
    mask = (1 << bits) - 1
    try:
        sp, data, arg_start, arg_end, env_end, vector, auxv_bytes = _native.build_stack(
            top,
            argv,
            envp,
            execfn,
            [(type_, value & mask) for type_, value in template],
            bits=bits,
            big_endian=big_endian,
            platform=platform,
            base_platform=base_platform,
            random=random if random is not None else os.urandom(16),
        )
    except ValueError as error:
        raise LoadError(str(error), errno.EINVAL) from None
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
