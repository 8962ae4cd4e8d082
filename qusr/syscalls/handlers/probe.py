"""What a program asks of the processors: riscv_hwprobe(2) (arch/riscv/kernel/sys_hwprobe.c)."""

from __future__ import annotations

import errno
import os

from qusr.syscalls.context import Context, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WHICH_CPUS = 1
#: Keys whose values are bit masks: of the base behaviour, of extensions.
_MASKS = (3, 4)
#: struct riscv_hwprobe: key and value.
_PAIR = 16


def hardware_probe(
    ctx: Context, pairs: int, count: int, cpu_bytes: int, cpus: int, flags: int
) -> int:
    """Fills in values for keys, or says which CPUs have some; all CPUs here are alike."""
    process = ctx.process
    known = process.arch.hardware_probe(process.cpu_model)
    online = (1 << (os.cpu_count() or 1)) - 1
    # cpumask_size(): in longs.
    kept = min(cpu_bytes, (online.bit_length() + 63) // 64 * 8)
    if flags & ~_WHICH_CPUS:
        raise fail(errno.EINVAL)
    if flags:
        return _which(ctx, known, (pairs, count), (cpus, cpu_bytes, kept), online)
    if cpu_bytes or cpus:
        asked = int.from_bytes(ctx.read(cpus, kept), "little")
        if not asked & online:
            raise fail(errno.EINVAL)
    for at, key, _ in _pairs(ctx, pairs, count):
        there = key in known
        _put(ctx, at, key if there else -1, known[key] if there else 0)
    return 0


def _which(
    ctx: Context,
    known: Mapping[int, int],
    asked: tuple[int, int],
    mask: tuple[int, int, int],
    online: int,
) -> int:
    cpus, cpu_bytes, kept = mask
    if not cpu_bytes or not cpus:
        raise fail(errno.EINVAL)
    found = int.from_bytes(ctx.read(cpus, kept), "little") or online
    found &= online
    for at, key, value in _pairs(ctx, *asked):
        if key not in known:
            ctx.write(at, (-1).to_bytes(8, "little", signed=True))
            found = 0
        elif key in _MASKS:
            found = found if known[key] & value == value else 0
        elif known[key] != value:
            found = 0
    ctx.write(cpus, found.to_bytes(kept, "little"))
    return 0


def _pairs(ctx: Context, address: int, count: int) -> Iterator[tuple[int, int, int]]:
    for at in range(address, address + count * _PAIR, _PAIR):
        key = int.from_bytes(ctx.read(at, 8), "little", signed=True)
        yield at, key, int.from_bytes(ctx.read(at + 8, 8), "little")


def _put(ctx: Context, at: int, key: int, value: int) -> None:
    ctx.write(at, key.to_bytes(8, "little", signed=True) + value.to_bytes(8, "little"))
