"""The requests of ptrace(2). Each function has the tracee and the words `addr` and `data`."""

from __future__ import annotations

import errno
import struct

from qusr import _native, arch
from qusr.arch.tracing import ThreadAreas, UserArea, UserRegisters
from qusr.ptrace import block as b
from qusr.ptrace import registers, siginfo
from qusr.ptrace import tracee as kinds
from qusr.ptrace.tracee import Report, Tracee
from qusr.ptrace.tracer import Tracer
from qusr.syscalls.context import Context, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Request = Callable[["Context", "Tracer", Tracee, int, int], int]

_MAX_SIGNAL = 64
_MAX_SIGINFOS = 32


def _put_word(ctx: Context, address: int, value: int) -> None:
    order = ctx.abi.byte_order
    word = ctx.abi.word
    ctx.write(address, (value & (1 << word * 8) - 1).to_bytes(word, order))


def _word(ctx: Context, data: bytes) -> int:
    return int.from_bytes(data, ctx.abi.byte_order)


def _report(tracee: Tracee) -> Report:
    if tracee.report is None:
        raise fail(errno.ESRCH)
    return tracee.report


# --- memory ---


def peek(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_PEEKTEXT and PEEKDATA."""
    word = ctx.abi.word
    found = tracee.peek(addr, word)
    if len(found) < word:
        raise fail(errno.EIO)
    ctx.write(data, found)
    return 0


def poke(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_POKETEXT and POKEDATA."""
    order = ctx.abi.byte_order
    word = ctx.abi.word
    tracee.poke(addr, (data & (1 << word * 8) - 1).to_bytes(word, order))
    return 0


def _user_area(ctx: Context, tracee: Tracee, addr: int) -> UserArea | UserRegisters:
    """The `struct user` of a guest that has it. EIO for others, and between two words."""
    own, word = arch.tracing_of(ctx.abi.core), ctx.abi.word
    area = own.user
    if registers.tracing(tracee.header()) is not own or area is None:
        raise fail(errno.EIO)
    if isinstance(area, UserArea) and addr & word - 1:
        raise fail(errno.EIO)
    return area


def peek_user(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_PEEKUSR, which not all guests have."""
    _put_word(ctx, data, _user_word(ctx, tracee, addr))
    return 0


def _user_word(ctx: Context, tracee: Tracee, addr: int) -> int:
    area = _user_area(ctx, tracee, addr)
    if isinstance(area, UserRegisters):
        if addr not in area.readable:
            raise fail(errno.EIO)
        register = area.readable[addr]
        return 0 if register is None else registers.all_registers(tracee)[register]
    if (addr not in area.words and addr >= area.size) or addr in area.gaps:
        raise fail(errno.EIO)
    part = area.part(addr)
    if part is None:
        return 0
    at, note = part
    return _word(ctx, registers.read(tracee, note)[0][addr - at : addr - at + ctx.abi.word])


def poke_user(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_POKEUSR."""
    _set_user_word(ctx, tracee, addr, data)
    return 0


def _set_user_word(ctx: Context, tracee: Tracee, addr: int, value: int) -> None:
    area = _user_area(ctx, tracee, addr)
    if isinstance(area, UserRegisters):
        register = area.readable[addr] if addr in area.writable else None
        if register is None:
            raise fail(errno.EIO)
        registers.store(tracee, register, value)
        return
    if addr >= area.size or addr in area.gaps or addr in area.constant:
        raise fail(errno.EIO)
    part = area.part(addr)
    if part is None or area.writable <= addr < area.readable:
        return
    at, note = part
    word = ctx.abi.word
    data = (value & (1 << word * 8) - 1).to_bytes(word, ctx.abi.byte_order)
    registers.write(tracee, note, data, addr - at)


# --- registers ---


def get_set(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_GETREGSET (kernel/ptrace.c, ptrace_regset)."""
    base, size = _iovec(ctx, data)
    if size % registers.unit(tracee.header(), addr & 0xFFFFFFFF):
        raise fail(errno.EINVAL)
    note = addr & 0xFFFFFFFF
    found = registers.read(tracee, note)[0]
    ctx.write(base, found[:size])
    _put_word(ctx, data + ctx.abi.word, min(size, registers.most(tracee.header(), note, found)))
    return 0


def set_set(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_SETREGSET."""
    base, size = _iovec(ctx, data)
    note = addr & 0xFFFFFFFF
    if size % registers.unit(tracee.header(), note):
        raise fail(errno.EINVAL)
    size = min(size, registers.most(tracee.header(), note, registers.read(tracee, note)[0]))
    registers.write(tracee, note, ctx.read(base, size))
    _put_word(ctx, data + ctx.abi.word, size)
    return 0


def _iovec(ctx: Context, address: int) -> tuple[int, int]:
    word = ctx.abi.word
    data = ctx.read(address, 2 * word)
    return _word(ctx, data[:word]), _word(ctx, data[word:])


# --- requests that only one guest has (`Tracing.requests`) ---


def _get(ctx: Context, tracee: Tracee, note: int, data: int) -> None:
    ctx.write(data, registers.read(tracee, note)[0])


def _set(ctx: Context, tracee: Tracee, note: int, data: int) -> None:
    size = len(registers.read(tracee, note)[0])
    registers.write(tracee, note, ctx.read(data, size))


def _first_word(ctx: Context, tracee: Tracee, note: int, data: int) -> None:
    ctx.write(data, registers.read(tracee, note)[0][: ctx.abi.word])


def _register(ctx: Context, tracee: Tracee, register: int, data: int) -> None:
    _put_word(ctx, data, registers.all_registers(tracee)[register])


def _change_call(ctx: Context, tracee: Tracee, _: int, data: int) -> None:
    number = data & 0xFFFFFFFF
    registers.set_call(tracee, number - (number >> 31 << 32))


def _zeros(ctx: Context, tracee: Tracee, size: int, data: int) -> None:
    ctx.write(data, bytes(size))


def _area(ctx: Context, address: int) -> tuple[range, int]:
    """A struct ptrace_area: words of the user area, and where they are in the tracer's memory."""
    word = ctx.abi.word
    data = ctx.read(address, 3 * word)
    size = int.from_bytes(data[:4], ctx.abi.byte_order)
    start, memory = _word(ctx, data[word : 2 * word]), _word(ctx, data[2 * word :])
    return range(start, start + size, word), memory


def _peek_area(ctx: Context, tracee: Tracee, _: int, addr: int) -> None:
    words, memory = _area(ctx, addr)
    for at in words:
        _put_word(ctx, memory + at - words.start, _user_word(ctx, tracee, at))


def _poke_area(ctx: Context, tracee: Tracee, _: int, addr: int) -> None:
    words, memory = _area(ctx, addr)
    for at in words:
        value = _word(ctx, ctx.read(memory + at - words.start, ctx.abi.word))
        _set_user_word(ctx, tracee, at, value)


def _get_thread_area(ctx: Context, tracee: Tracee, entry: int, data: int) -> None:
    ctx.write(data, registers.thread_area(tracee, entry))


def _set_thread_area(ctx: Context, tracee: Tracee, entry: int, data: int) -> None:
    registers.set_thread_area(tracee, entry, ctx.read(data, ThreadAreas.SIZE))


_BY_ENTRY = {"get thread area": _get_thread_area, "set thread area": _set_thread_area}
"""Those with the number of an entry in `addr` (arch/x86/kernel/ptrace.c)."""
_OWN = {
    "get": _get, "set": _set, "word": _first_word, "register": _register, "call": _change_call,
    "zeros": _zeros, "peek area": _peek_area, "poke area": _poke_area,
}  # fmt: skip
_BY_ADDR = frozenset({"peek area", "poke area"})
"""Those that have their pointer in `addr`."""


def _own_request(request: int) -> Request:
    """A request that only the tracer's guest has."""

    def function(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
        own = arch.tracing_of(ctx.abi.core)
        found = own.requests.get(request)
        if found is None or registers.tracing(tracee.header()) is not own:
            raise fail(errno.EIO)
        what, about = found
        if what in _BY_ENTRY:
            if addr >> 31:
                raise fail(errno.EIO)
            _BY_ENTRY[what](ctx, tracee, addr, data)
            return 0
        _OWN[what](ctx, tracee, about, addr if what in _BY_ADDR else data)
        return 0

    return function


def find(request: int) -> Request:
    """What does the request with this number."""
    return REQUESTS.get(request) or _own_request(request)


# --- signals ---


def get_siginfo(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_GETSIGINFO; EINVAL in a group-stop."""
    info = _report(tracee).info
    if info is None:
        raise fail(errno.EINVAL)
    ctx.write(data, ctx.thread.siginfo_to_guest(info))
    return 0


def set_siginfo(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_SETSIGINFO."""
    report = _report(tracee)
    if report.info is None:
        raise fail(errno.EINVAL)
    given = ctx.read(data, b.INFO_SIZE)
    report.info = siginfo.from_guest(given, ctx.abi)
    return 0


def peek_siginfo(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_PEEKSIGINFO: the queue is the host's."""
    offset, flags, count = struct.unpack(
        (">" if ctx.abi.big_endian else "<") + "QIi", ctx.read(addr, 16)
    )
    if flags & ~1 or count < 0:
        raise fail(errno.EINVAL)
    done = 0
    while done < min(count, _MAX_SIGINFOS):
        args = struct.pack("<QIi", offset + done, flags, 1)
        info = _peek_one(tracee, args)
        if info is None:
            break
        guest = ctx.thread.siginfo_to_guest(info)
        ctx.write(data + done * b.INFO_SIZE, guest)
        done += 1
    return done


def _peek_one(tracee: Tracee, args: bytes) -> bytes | None:
    found, info = _native.ptrace_peek_siginfo(tracee.tid, args)
    return info if found else None


def get_mask(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_GETSIGMASK."""
    if addr != ctx.abi.sigset_size:
        raise fail(errno.EINVAL)
    ctx.write(data, _sigset(ctx, tracee.header().blocked))
    return 0


def set_mask(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_SETSIGMASK."""
    if addr != ctx.abi.sigset_size:
        raise fail(errno.EINVAL)
    given = ctx.read(data, 8)
    mask = ctx.abi.mask_to_host(int.from_bytes(_swapped(ctx, given), "little"))
    mask &= ~(1 << 8 | 1 << 18)
    tracee.write(tracee.block + b.BLOCKED_AT, mask.to_bytes(8, "little"))
    tracee.dirty |= b.DIRTY_MASK
    # The host's at once: a signal could come before the tracee itself sees to it.
    host = (mask & ~_native.own_signals()).to_bytes(8, "little")
    _native.ptrace_set(b.SETSIGMASK, tracee.tid, 8, host)
    return 0


def _sigset(ctx: Context, mask: int) -> bytes:
    mask = ctx.abi.mask_to_guest(mask)
    return _swapped(ctx, mask.to_bytes(8, "little")).ljust(ctx.abi.sigset_size, b"\0")


def _swapped(ctx: Context, data: bytes) -> bytes:
    """A sigset_t is an array of words: the lowest one first, in the guest's byte order."""
    if not ctx.abi.big_endian:
        return data
    word = ctx.abi.word
    return b"".join(data[at : at + word][::-1] for at in range(0, 8, word))


# --- options and events ---


def check_options(data: int) -> int:
    """The options, if all of them are known."""
    if data & ~b.O_ALL:
        raise fail(errno.EINVAL)
    return data


def set_options(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_SETOPTIONS."""
    tracee.options = check_options(data)
    _native.ptrace(b.SETOPTIONS, tracee.tid, 0, tracee.host_options())
    return 0


def event_message(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_GETEVENTMSG."""
    _put_word(ctx, data, _report(tracee).message)
    return 0


def syscall_info(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_GET_SYSCALL_INFO (kernel/ptrace.c, ptrace_get_syscall_info)."""
    header = tracee.header()
    report = _report(tracee)
    known = registers.tracing(header).registers
    values = registers.all_registers(tracee)
    pc, sp = values[known.pc], values[known.sp]
    good = report.signal == b.SIGTRAP | 0x80
    kind = {kinds.ENTRY: 1, kinds.EXIT: 2}.get(report.kind, 0) if good else 0
    out = ">" if ctx.abi.big_endian else "<"
    info = struct.pack(out + "BxxxIQQ", kind, header.audit, pc, sp)
    if kind == 1:
        args = registers.call_arguments(tracee)
        info += struct.pack(out + "7Q", header.number & 0xFFFFFFFFFFFFFFFF, *args)
    elif kind == 2:
        result = registers.call_result(tracee)
        info += struct.pack(out + "qB", result, -4096 < result < 0)
    ctx.write(data, info[: min(addr, len(info))])
    return len(info)


# --- going on ---


def _signal(ctx: Context, data: int) -> int:
    if data < 0 or data > _MAX_SIGNAL:
        raise fail(errno.EIO)
    return ctx.abi.signal_to_host(data)


def _resume(mode: int) -> Request:
    def request(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
        tracer.resume(tracee, mode, _signal(ctx, data))
        return 0

    return request


def detach(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_DETACH."""
    tracer.resume(tracee, b.DETACHED, _signal(ctx, data), b.DETACH)
    return 0


def listen(ctx: Context, tracer: Tracer, tracee: Tracee, addr: int, data: int) -> int:
    """PTRACE_LISTEN: the host kernel's, which is in the same stop."""
    if not tracee.seized or _report(tracee).kind != kinds.TRAP:
        raise fail(errno.EIO)
    tracee.prepare(b.CONTINUE, 0)
    _native.ptrace(b.LISTEN, tracee.tid, 0, 0)
    tracee.report = None
    return 0


REQUESTS: dict[int, Request] = {
    b.PEEKTEXT: peek, b.PEEKDATA: peek, b.POKETEXT: poke, b.POKEDATA: poke,
    b.PEEKUSR: peek_user, b.POKEUSR: poke_user,
    b.CONT: _resume(b.CONTINUE), b.SYSCALL: _resume(b.CALLS), b.SINGLESTEP: _resume(b.STEP),
    31: _resume(b.EMULATE),
    b.DETACH: detach, b.SETOPTIONS: set_options, b.GETEVENTMSG: event_message,
    b.GETSIGINFO: get_siginfo, b.SETSIGINFO: set_siginfo, b.PEEKSIGINFO: peek_siginfo,
    b.GETREGSET: get_set, b.SETREGSET: set_set, b.LISTEN: listen,
    b.GETSIGMASK: get_mask, b.SETSIGMASK: set_mask, b.GET_SYSCALL_INFO: syscall_info,
}  # fmt: skip
"""What needs a stopped tracee, and every guest has; ESRCH without one."""
