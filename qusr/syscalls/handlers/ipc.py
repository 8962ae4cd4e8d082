"""System V messages, which begin with a long, and mq_notify."""

from __future__ import annotations

import errno
import struct

from qusr.arch.abi import HOST
from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.ipc import IPC_64, IPC_STAT, SEMID_DS
from qusr.syscalls.structs import SIGEVENT

SIGEV_THREAD = 2
SETVAL, SETALL = 16, 17
MSG_MAX = 1 << 26
"""More than net memory limits let kernel.msgmax be in practice; the kernel checks the real one."""


def _long(ctx: Context) -> struct.Struct:
    order = ">" if ctx.abi.big_endian else "<"
    return struct.Struct(order + ("q" if ctx.abi.word == 8 else "i"))


def _signed(value: int, ctx: Context) -> int:
    bits = 8 * ctx.abi.word
    return value - (1 << bits) if value >> bits - 1 else value


def msgsnd(ctx: Context, queue: int, address: int, size: int, flags: int) -> int:
    """The type as a host's long, then the text."""
    if not 0 <= size <= MSG_MAX:
        raise fail(errno.EINVAL)
    head = _long(ctx)
    (kind,) = head.unpack(ctx.read(address, head.size))
    text = ctx.read(address + head.size, size)
    return ctx.host_call("msgsnd", queue, struct.pack("<q", kind) + text, size, flags)


def msgrcv(ctx: Context, queue: int, address: int, size: int, kind: int, flags: int) -> int:
    """Like msgsnd; the wanted type may be negative."""
    if not 0 <= size <= MSG_MAX:
        raise fail(errno.EINVAL)
    message = bytearray(8 + size)
    length = ctx.host_call("msgrcv", queue, message, size, _signed(kind, ctx), flags)
    (found,) = struct.unpack("<q", message[:8])
    head = _long(ctx)
    mask = (1 << 8 * head.size - 1) - 1
    ctx.write(address, head.pack(found & mask) + bytes(message[8 : 8 + length]))
    return length


def semctl(ctx: Context, group: int, number: int, command: int, arg: int) -> int:
    """GETALL, SETALL and SETVAL of big-endian guests."""
    command &= ~IPC_64
    if command == SETVAL:
        # union semun's int is the first half of the word (ipc/sem.c).
        value = arg >> 32 if ctx.abi.word == 8 else arg
        return ctx.host_call("semctl", group, number, command, value & 0xFFFFFFFF)
    size = 2 * _semaphores(ctx, group)
    if command == SETALL:
        data = struct.pack(f"<{size // 2}H", *struct.unpack(f">{size // 2}H", ctx.read(arg, size)))
        return ctx.host_call("semctl", group, number, command, data)
    found = bytearray(size)
    result = ctx.host_call("semctl", group, number, command, found)
    ctx.write(arg, struct.pack(f">{size // 2}H", *struct.unpack(f"<{size // 2}H", found)))
    return result


def _semaphores(ctx: Context, group: int) -> int:
    """How many a set has, if the caller may know."""
    status = bytearray(SEMID_DS.size(HOST))
    ctx.host_call("semctl", group, 0, IPC_STAT, status)
    return int(unpack(SEMID_DS, bytes(status), HOST)["sem_nsems"])


def mq_notify(ctx: Context, queue: int, address: int) -> int:
    """With SIGEV_THREAD the value is the address of 32 bytes to send (ipc/mqueue.c)."""
    if not address:
        return ctx.host_call("mq_notify", queue, 0)
    values = ctx.read_struct(SIGEVENT, address)
    if values["sigev_notify"] == SIGEV_THREAD:
        values["sigev_value"] = ctx.pointer(values["sigev_value"])
    return ctx.host_call("mq_notify", queue, pack(SIGEVENT, values, HOST))
