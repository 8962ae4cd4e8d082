"""Runs a command whose system calls of some numbers fail, as under a sandbox or on another kernel.

python3 -m tests.sandbox NUMBER=ERRNO... -- COMMAND...
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
"""BPF_LD | BPF_W | BPF_ABS; BPF_JMP | BPF_JEQ | BPF_K; BPF_RET | BPF_K (linux/filter.h)"""


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse(errors: dict[int, int]) -> None:
    """Has calls of these (x86-64) numbers give these errnos, here and in what is executed."""
    code = struct.pack("<HBBI", LOAD, 0, 0, 0)
    for number, error in errors.items():
        code += struct.pack("<HBBI", EQUAL, 0, 1, number)
        code += struct.pack("<HBBI", RETURN, 0, 0, SECCOMP_RET_ERRNO | error)
    code += struct.pack("<HBBI", RETURN, 0, 0, SECCOMP_RET_ALLOW)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), "seccomp")


def main(words: list[str]) -> None:
    """See the module."""
    end = words.index("--")
    refuse({int(number): int(error) for number, error in (w.split("=") for w in words[:end])})
    os.execvp(words[end + 1], words[end + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
