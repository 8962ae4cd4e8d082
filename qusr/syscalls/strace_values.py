"""Values as strace(1) writes them: flags, strings, structs, socket addresses."""

from __future__ import annotations

import errno
import signal
import socket

from qusr.arch.abi import SIGNALS, Abi
from qusr.syscalls import common, decl, layout, memory, poll, process, signals
from qusr.syscalls.decl import FlagTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: How much of a buffer and of an array is shown (strace's -s 32, and its limit of arrays).
STRING_LIMIT = 32
ARRAY_LIMIT = 32

#: Structs of which the fields that matter are shown, as strace does without -v.
_SHORT = {
    "stat": ("st_mode", "st_size"),
    "stat64": ("st_mode", "st_size"),
    "statx": ("stx_mask", "stx_attributes", "stx_mode", "stx_size"),
    "rusage": ("ru_utime", "ru_stime"),
    "termios": ("c_iflag", "c_oflag", "c_cflag", "c_lflag"),
    "termios2": ("c_iflag", "c_oflag", "c_cflag", "c_lflag"),
    "sysinfo": ("uptime", "loads", "totalram", "freeram"),
}

_FILE_TYPES = {
    0o010000: "S_IFIFO", 0o020000: "S_IFCHR", 0o040000: "S_IFDIR", 0o060000: "S_IFBLK",
    0o100000: "S_IFREG", 0o120000: "S_IFLNK", 0o140000: "S_IFSOCK",
}  # fmt: skip
_SIGNALS = {number: name for name, number in SIGNALS.items()}
_LOCKS = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}
_WHENCE = {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END"}
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r",
            34: '\\"', 92: "\\\\"}  # fmt: skip


def quoted(data: bytes, limit: int | None = None) -> str:
    """A C string, cut after `limit` bytes."""
    more = ""
    if limit is not None and len(data) > limit:
        data, more = data[:limit], "..."
    parts = []
    for index, byte in enumerate(data):
        if byte in _ESCAPES:
            parts.append(_ESCAPES[byte])
        elif 32 <= byte < 127:
            parts.append(chr(byte))
        elif index + 1 < len(data) and data[index + 1] in b"01234567":
            parts.append(f"\\{byte:03o}")
        else:
            parts.append(f"\\{byte:o}")
    return '"' + "".join(parts) + '"' + more


def pointer(value: int) -> str:
    """An address."""
    return f"{value:#x}" if value else "NULL"


def flags(table: FlagTable, value: int, abi: Abi, *, fields: bool = True) -> str:
    """Names of bits joined by |, the guest's values; what has no name in hexadecimal.

    Without `fields` the bits alone count: O_RDONLY means nothing to dup3.
    """
    if value == 0 and table is memory.PROT:
        return "PROT_NONE"
    names = []
    rest = value
    for mask, members in table.fields_for(abi) if fields else ():
        field = value & mask
        if field in members and (field or members):
            names.append(members[field])
            rest &= ~mask
    bits = table.for_abi(abi)
    # Those made of several bits first: O_SYNC has O_DSYNC in it.
    for name, bit in sorted(bits.items(), key=lambda item: -item[1].bit_count()):
        if bit and rest & bit == bit:
            names.append(name)
            rest &= ~bit
    order = list(bits)
    head = [name for name in names if name not in bits]
    names = head + sorted((name for name in names if name in bits), key=order.index)
    if rest or not names:
        names.append(f"{rest:#x}" if rest else "0")
    return "|".join(names)


def enum(names: Mapping[int, str], value: int) -> str:
    """A name, or the number."""
    if value in names:
        return names[value]
    return str(value) if abs(value) < 1024 else f"{value & 0xFFFFFFFFFFFFFFFF:#x}"


def signal_name(number: int, abi: Abi) -> str:
    """SIGINT, SIGRT_2, by the number that `abi` has for it."""
    if number == 32:
        return "SIGRTMIN"
    if 32 < number < 65:
        return f"SIGRT_{number - 32}"
    names = decl.numbered(_SIGNALS, "signal", abi)
    return names.get(number, str(number))


def error(number: int, abi: Abi) -> str:
    """-1 with the name and text of an errno, by the number that `abi` has for it."""
    differing = abi.differing("errno")
    number = next(
        (getattr(errno, name, number) for name, its in differing.items() if its == number), number
    )
    name = errno.errorcode.get(number, f"ERRNO_{number}")
    if name == "ENOTSUP":
        name = "EOPNOTSUPP"
    import os

    return f"-1 {name} ({os.strerror(number)})"


def bit_numbers(data: bytes, abi: Abi) -> list[int]:
    """The bits of a set kept in longs."""
    order = abi.byte_order
    numbers = []
    for at in range(0, len(data), abi.word):
        word = int.from_bytes(data[at : at + abi.word], order)
        numbers += [at * 8 + bit for bit in range(abi.word * 8) if word >> bit & 1]
    return numbers


def sigset(data: bytes, abi: Abi) -> str:
    """[INT TERM], or ~[] with those that are missing."""
    present = [bit + 1 for bit in bit_numbers(data, abi)]
    total = len(data) * 8
    inverted = len(present) >= total * 2 // 3
    shown = [n for n in range(1, total + 1) if (n in present) != inverted]
    names = " ".join(signal_name(number, abi).removeprefix("SIG") for number in shown)
    return ("~" if inverted else "") + f"[{names}]"


def mode(value: int) -> str:
    """Permission bits."""
    return f"0{value:03o}" if value else "000"


def file_mode(value: int) -> str:
    """st_mode with its file type."""
    kind = value & 0o170000
    if kind in _FILE_TYPES:
        return f"{_FILE_TYPES[kind]}|{mode(value & 0o7777)}"
    return mode(value)


def wait_status(value: int, abi: Abi) -> str:
    """What wait4 stores."""
    low = value & 0x7F
    if value & 0xFFFF == 0xFFFF:
        return "{WIFCONTINUED(s)}"
    if low == 0x7F:
        return f"{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal_name(value >> 8 & 0xFF, abi)}}}"
    if low:
        core = " && WCOREDUMP(s)" if value & 0x80 else ""
        return f"{{WIFSIGNALED(s) && WTERMSIG(s) == {signal_name(low, abi)}{core}}}"
    return f"{{WIFEXITED(s) && WEXITSTATUS(s) == {value >> 8 & 0xFF}}}"


def sockaddr(data: bytes, abi: Abi) -> str:
    """A socket address; its family is in the guest's byte order."""
    if len(data) < 2:
        return quoted(data)
    family = int.from_bytes(data[:2], abi.byte_order)
    from qusr.syscalls.sockets import DOMAINS

    name = enum(DOMAINS, family)
    rest = data[2:]
    if family == socket.AF_UNIX:
        if rest.startswith(b"\0") and len(rest) > 1:
            return f"{{sa_family=AF_UNIX, sun_path=@{quoted(rest[1:])}}}"
        path = rest.partition(b"\0")[0]
        return f"{{sa_family=AF_UNIX, sun_path={quoted(path)}}}" if path else "{sa_family=AF_UNIX}"
    if family == socket.AF_INET and len(rest) >= 6:
        port = int.from_bytes(rest[:2], "big")
        host = socket.inet_ntoa(rest[2:6])
        return f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")}}'
    if family == socket.AF_INET6 and len(rest) >= 22:
        port = int.from_bytes(rest[:2], "big")
        flow = int.from_bytes(rest[2:6], "big")
        host = socket.inet_ntop(socket.AF_INET6, rest[6:22])
        order = abi.byte_order
        scope = int.from_bytes(rest[22:26], order)
        return (
            f"{{sa_family=AF_INET6, sin6_port=htons({port}), sin6_flowinfo=htonl({flow}), "
            f'inet_pton(AF_INET6, "{host}", &sin6_addr), sin6_scope_id={scope}}}'
        )
    if family == socket.AF_NETLINK and len(rest) >= 10:
        order = abi.byte_order
        pid = int.from_bytes(rest[2:6], order)
        groups = int.from_bytes(rest[6:10], order)
        return f"{{sa_family=AF_NETLINK, nl_pid={pid}, nl_groups={groups:08x}}}"
    return f"{{sa_family={name}, sa_data={quoted(rest, STRING_LIMIT)}}}"


# --- structs ------------------------------------------------------------------------


def _device(value: int) -> str:
    major = (value >> 8 & 0xFFF) | (value >> 32 & ~0xFFF)
    minor = (value & 0xFF) | (value >> 12 & ~0xFF)
    return f"makedev({major:#x}, {minor:#x})"


def _limit(value: int, size: int) -> str:
    if value == (1 << size * 8) - 1:
        return "RLIM_INFINITY" if size == 4 else "RLIM64_INFINITY"
    return f"{value // 1024}*1024" if value and value % 1024 == 0 else str(value)


def _epoll_data(value: int, abi: Abi) -> str:
    low = value >> 32 if abi.big_endian else value & 0xFFFFFFFF
    return f"{{u32={low}, u64={value}}}"


def _handler(value: int) -> str:
    return {0: "SIG_DFL", 1: "SIG_IGN"}.get(value, f"{value:#x}")


def _hex(value: int) -> str:
    return f"{value:#x}"


#: By struct and field, then by field alone. The functions get (value, abi, size).
_FIELDS: dict[str, Callable[[int, Abi, int], str]] = {
    "st_mode": lambda v, abi, size: file_mode(v),
    "stx_mode": lambda v, abi, size: file_mode(v),
    "st_dev": lambda v, abi, size: _device(v),
    "st_rdev": lambda v, abi, size: _device(v),
    "sa_flags": lambda v, abi, size: flags(signals.SA, v, abi),
    "sa_handler": lambda v, abi, size: _handler(v),
    "sa_restorer": lambda v, abi, size: _hex(v),
    "ss_flags": lambda v, abi, size: flags(signals.SS, v, abi),
    "ss_sp": lambda v, abi, size: pointer(v),
    "stx_mask": lambda v, abi, size: _hex(v),
    "si_signo": lambda v, abi, size: signal_name(v, abi),
    "sigev_signo": lambda v, abi, size: signal_name(v, abi),
    "rlim_cur": lambda v, abi, size: _limit(v, size),
    "rlim_max": lambda v, abi, size: _limit(v, size),
    "l_type": lambda v, abi, size: enum(_LOCKS, v),
    "l_whence": lambda v, abi, size: enum(_WHENCE, v),
    "c_iflag": lambda v, abi, size: _hex(v),
    "c_oflag": lambda v, abi, size: _hex(v),
    "c_cflag": lambda v, abi, size: _hex(v),
    "c_lflag": lambda v, abi, size: _hex(v),
    "pollfd.events": lambda v, abi, size: flags(poll.POLL, v & 0xFFFF, abi),
    "pollfd.revents": lambda v, abi, size: flags(poll.POLL, v & 0xFFFF, abi),
    "epoll_event.events": lambda v, abi, size: flags(poll.EPOLL, v, abi),
    "epoll_event.data": lambda v, abi, size: _epoll_data(v, abi),
    "open_how.flags": lambda v, abi, size: flags(common.OPEN, v, abi),
    "open_how.mode": lambda v, abi, size: mode(v),
    "open_how.resolve": lambda v, abi, size: _hex(v),
    "clone_args.flags": lambda v, abi, size: flags(process.CLONE, v, abi),
    "clone_args.exit_signal": lambda v, abi, size: signal_name(v, abi),
    "clone_args.stack": lambda v, abi, size: pointer(v),
    "clone_args.stack_size": lambda v, abi, size: _hex(v),
    "clone_args.tls": lambda v, abi, size: pointer(v),
    "f_owner_ex.type": lambda v, abi, size: enum({0: "F_OWNER_TID", 1: "F_OWNER_PID",
                                                  2: "F_OWNER_PGRP"}, v),
}  # fmt: skip


def ctype(kind: layout.CType, data: bytes, abi: Abi, *, owner: str = "", name: str = "") -> str:
    """Bytes of guest memory as the C type they are."""
    if isinstance(kind, layout.PerAbi):
        kind = kind.pick(abi)
    if isinstance(kind, layout.Struct):
        return _struct(kind, data, abi)
    if isinstance(kind, layout.Array):
        size = kind.element.size(abi)
        parts = [data[at : at + size] for at in range(0, len(data), size)] if size else []
        return sequence([ctype(kind.element, part, abi) for part in parts])
    if isinstance(kind, layout.Int):
        order = abi.byte_order
        value = int.from_bytes(data, order, signed=kind.signed)
        known = _FIELDS.get(f"{owner}.{name}") or _FIELDS.get(name)
        if known is not None:
            return known(value, abi, len(data))
        if isinstance(kind, layout.UserPtr | layout.UserPtr64):
            return pointer(value)
        return str(value)
    if isinstance(kind, layout.Bitmap):
        if len(data) == 8:
            return sigset(data, abi)
        return sequence([str(bit) for bit in bit_numbers(data, abi)], between=" ")
    if data.endswith(b"\0"):
        text = data.rstrip(b"\0")
        if all(32 <= byte < 127 for byte in text):
            return quoted(text)
    return quoted(data, STRING_LIMIT)


def _struct(kind: layout.Struct, data: bytes, abi: Abi) -> str:
    if kind.name in ("sigaction", signals.OLD_SIGACTION.name):
        return _sigaction(kind, data, abi)
    shown = []
    short = _SHORT.get(kind.name)
    hidden = False
    for name, field, at in kind.placed(abi):
        if name.startswith("_") or "~" in name:
            continue
        if short is not None and name not in short:
            hidden = True
            continue
        part = data[at : at + field.size(abi)]
        shown.append(f"{name}={ctype(field, part, abi, owner=kind.name, name=name)}")
    if hidden:
        shown.append("...")
    return "{" + ", ".join(shown) + "}"


def _sigaction(kind: layout.Struct, data: bytes, abi: Abi) -> str:
    """In strace's order; the restorer counts only with its flag."""
    parts: dict[str, str] = {}
    for name, field, at in kind.placed(abi):
        part = data[at : at + field.size(abi)]
        parts[name] = f"{name}={ctype(field, part, abi, owner=kind.name, name=name)}"
        if name == "sa_mask" and isinstance(field, layout.Int):
            parts[name] = f"sa_mask={sigset(part, abi)}"
    order = ["sa_handler", "sa_mask", "sa_flags"]
    if "SA_RESTORER" in parts["sa_flags"] and "sa_restorer" in parts:
        order.append("sa_restorer")
    return "{" + ", ".join(parts[name] for name in order) + "}"


#: si_code's names (include/uapi/asm-generic/siginfo.h), those of faults by signal.
_CODES = {
    0: "SI_USER", 0x80: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ",
    -4: "SI_ASYNCIO", -5: "SI_SIGIO", -6: "SI_TKILL",
}  # fmt: skip
_FAULT_CODES = {
    signal.SIGSEGV: {1: "SEGV_MAPERR", 2: "SEGV_ACCERR"},
    signal.SIGBUS: {1: "BUS_ADRALN", 2: "BUS_ADRERR", 3: "BUS_OBJERR"},
    signal.SIGILL: {1: "ILL_ILLOPC", 2: "ILL_ILLOPN", 4: "ILL_ILLTRP", 5: "ILL_PRVOPC"},
    signal.SIGTRAP: {1: "TRAP_BRKPT", 2: "TRAP_TRACE"},
    signal.SIGFPE: {1: "FPE_INTDIV", 2: "FPE_INTOVF", 3: "FPE_FLTDIV"},
}
_CHILD_CODES = {1: "CLD_EXITED", 2: "CLD_KILLED", 3: "CLD_DUMPED", 4: "CLD_TRAPPED",
                5: "CLD_STOPPED", 6: "CLD_CONTINUED"}  # fmt: skip


def siginfo(data: bytes, abi: Abi) -> str:
    """siginfo_t: the fields that its signal and code have."""
    order = abi.byte_order

    def number(index: int, size: int = 4, *, signed: bool = True) -> int:
        part = data[index : index + size]
        return int.from_bytes(part, order, signed=signed)

    signo, code = abi.signal_to_host(number(0)), number(4 if "code_first" in abi.families else 8)
    union = 16 if abi.word == 8 else 12
    by_signal = _FAULT_CODES.get(signo, {})  # type: ignore[call-overload]
    if signo == signal.SIGCHLD:
        by_signal = _CHILD_CODES
    differing = abi.differing("sicode")
    codes = {differing.get(name, host): name for host, name in _CODES.items()}
    text = (
        f"si_signo={signal_name(number(0), abi)},"
        f" si_code={by_signal.get(code) or enum(codes, code)}"
    )
    if code > 0 and signo == signal.SIGCHLD:
        status = number(union + 8)
        shown = str(status) if code == 1 else signal_name(status, abi)
        text += f", si_pid={number(union)}, si_uid={number(union + 4)}, si_status={shown}"
    elif code > 0 and code != 0x80 and by_signal:
        address = number(union, abi.word, signed=False)
        text += f", si_addr={pointer(address)}"
    elif codes.get(code) == "SI_TIMER":
        text += f", si_timerid={number(union)}, si_overrun={number(union + 4)}"
    elif code <= 0:
        text += f", si_pid={number(union)}, si_uid={number(union + 4)}"
        if code == -1:
            value = number(union + 8, abi.word, signed=False)
            text += f", si_int={number(union + 8)}, si_ptr={pointer(value)}"
    return "{" + text + "}"


def sequence(items: Sequence[str], between: str = ", ") -> str:
    """[a, b, ...]"""
    more = [*items[:ARRAY_LIMIT], "..."] if len(items) > ARRAY_LIMIT else list(items)
    return "[" + between.join(more) + "]"
