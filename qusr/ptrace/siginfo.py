"""A guest's siginfo_t in the host's layout: the way back of signal/siginfo.rs, `bytes_to_guest`."""

from __future__ import annotations

import struct
from errno import errorcode

from qusr.ptrace.block import INFO_SIZE
from qusr.syscalls.decl import SI_CODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.abi import Abi

_CAUSED = (4, 5, 7, 8, 11)
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV."""
_SIGCHLD, _SIGPOLL, _SIGSYS = 17, 29, 31
_CLD_EXITED = 1
_STATUS_AT = 24
"""Where the host has si_status."""


def _fields(signal: int, code: int) -> str:
    """What follows si_code, w being a word (kernel/signal.c, `siginfo_layout`)."""
    if signal in _CAUSED and 1 <= code <= 15:
        return "w"
    if signal == _SIGCHLD and 1 <= code <= 6:
        return "iIiww"
    if signal == _SIGPOLL and 1 <= code <= 6:
        return "wi"
    if signal == _SIGSYS and 1 <= code <= 2:
        return "wiI"
    return "iIw"


def from_guest(data: bytes, abi: Abi) -> bytes:
    """The host's bytes for those of a guest. ValueError: too few."""
    size = abi.word
    order, word = ">" if abi.big_endian else "<", "Q" if size == 8 else "I"
    if len(data) < 12:
        raise ValueError("no siginfo_t")
    signal, errno, code = struct.unpack_from(order + "3i", data)
    if "code_first" in abi.families:
        errno, code = code, errno
    signal = abi.signal_to_host(signal)
    errnos = abi.differing("errno")
    errno = next((n for n, name in errorcode.items() if errnos.get(name, n) == errno), errno)
    codes = abi.differing("sicode")
    code = next((n for name, n in SI_CODES.items() if codes.get(name, n) == code), code)
    out = bytearray(struct.pack("<3i4x", signal, errno, code))
    at = 16 if size == 8 else 12
    for kind in _fields(signal, code):
        is_word = kind == "w"
        if is_word:
            at += -at % size
            out += bytes(-len(out) % 8)
        (value,) = struct.unpack_from(order + (word if is_word else kind), data, at)
        at += size if is_word else 4
        if signal == _SIGCHLD and code != _CLD_EXITED and kind == "i" and len(out) == _STATUS_AT:
            value = abi.signal_to_host(value)
        out += struct.pack("<" + ("Q" if is_word else kind), value)
    return bytes(out).ljust(INFO_SIZE, b"\0")
