"""`#!` scripts, by the rules of the kernel's fs/binfmt_script.c."""

from __future__ import annotations

import errno

from .errors import LoadError
from .identify import BINPRM_BUF_SIZE

#: How many interpreters may follow one another: exec_binprm gives ELOOP at the sixth.
MAX_DEPTH = 5

_BLANKS = b" \t"
_TERMINATORS = b" \t\0"


def _find(buffer: bytes, wanted: bytes, start: int, last: int, *, inverted: bool) -> int | None:
    """The first index in start..last (inclusive) whose byte is, or is not, in `wanted`."""
    for at in range(start, last + 1):
        if (buffer[at] in wanted) != inverted:
            return at
    return None


def parse(head: bytes) -> tuple[bytes, bytes | None] | None:
    """(interpreter, its one argument) of a script's first bytes.

    None when the kernel would say ENOEXEC: no `#!`, nothing behind it, or a line
    so long that the interpreter's name may be cut off. (An argument may be.)
    """
    if not head.startswith(b"#!"):
        return None
    # The kernel's buffer is padded with NULs.
    buffer = head[:BINPRM_BUF_SIZE].ljust(BINPRM_BUF_SIZE, b"\0")
    last = BINPRM_BUF_SIZE - 1
    end = buffer.find(b"\n")
    if end < 0:
        name = _find(buffer, _BLANKS, 2, last, inverted=True)
        if name is None or _find(buffer, _TERMINATORS, name, last, inverted=False) is None:
            return None
        end = last
    while buffer[end - 1] in _BLANKS:
        end -= 1
    name = _find(buffer, _BLANKS, 2, end, inverted=True)
    if name is None or name == end:
        return None
    argument = None
    separator = _find(buffer, _TERMINATORS, name, end, inverted=False)
    if separator is not None and buffer[separator] in _BLANKS:
        argument = _find(buffer, _BLANKS, separator, end, inverted=True)

    def text(start: int, stop: int) -> bytes:
        return buffer[start:stop].split(b"\0", 1)[0]

    if argument is None or separator is None:
        return text(name, end if separator is None else separator), None
    return text(name, separator), text(argument, end)


def apply(script: bytes, head: bytes, argv: list[bytes], path: str) -> tuple[bytes, list[bytes]]:
    """(interpreter, argv) to run instead of `script` called with `argv`.

    argv[0] is dropped: the interpreter finds the script's path in its place.
    """
    parsed = parse(head)
    if parsed is None:
        raise LoadError(f"{path}: bad #! line", errno.ENOEXEC)
    interpreter, argument = parsed
    if not interpreter:
        # To the kernel an empty name is the current directory here, not ENOENT.
        raise LoadError(f"{path}: bad #! line: no interpreter", errno.EACCES)
    new = [interpreter]
    if argument is not None:
        new.append(argument)
    return interpreter, [*new, script, *argv[1:]]
