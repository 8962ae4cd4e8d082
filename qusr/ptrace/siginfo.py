"""A guest's siginfo_t in the host's layout: the way back of signal/siginfo.rs, `bytes_to_guest`."""

from __future__ import annotations

import struct

from qusr.ptrace.block import INFO_SIZE

_CAUSED = (4, 5, 7, 8, 11)
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV."""
_SIGCHLD, _SIGPOLL, _SIGSYS = 17, 29, 31


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


def from_guest(data: bytes, bits: int, *, big_endian: bool) -> bytes:
    """The host's bytes for those of a guest with words of `bits` bits. ValueError: too few."""
    order, word, size = ">" if big_endian else "<", "Q" if bits == 64 else "I", bits // 8
    if len(data) < 12:
        raise ValueError("no siginfo_t")
    signal, errno, code = struct.unpack_from(order + "3i", data)
    out = bytearray(struct.pack("<3i4x", signal, errno, code))
    at = 16 if bits == 64 else 12
    for kind in _fields(signal, code):
        is_word = kind == "w"
        if is_word:
            at += -at % size
            out += bytes(-len(out) % 8)
        (value,) = struct.unpack_from(order + (word if is_word else kind), data, at)
        at += size if is_word else 4
        out += struct.pack("<" + ("Q" if is_word else kind), value)
    return bytes(out).ljust(INFO_SIZE, b"\0")
