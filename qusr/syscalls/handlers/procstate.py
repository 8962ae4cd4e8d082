"""Files of /proc about what the kernel keeps of a process: its calls, limits, memory policy."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from qusr.running import Process
    from qusr.syscalls.context import Context

_RLIM_INFINITY = (1 << 64) - 1
#: The limits that the host process has other values of, by their names in fs/proc/base.c.
_OWN_LIMITS = {b"Max data size": 2, b"Max stack size": 3, b"Max address space": 9}
_CALL_ARGUMENTS = 6


def text(ctx: Context, name: bytes, fd: int) -> bytes | None:
    """The guest's text of /proc/PID/`name`, or None where the kernel's is right."""
    host = host_text(fd)
    if name == b"syscall":
        return _syscall(ctx, host, task_of(fd))
    if name == b"limits":
        return _limits(ctx.process, host)
    return _numa_maps(ctx.process, host)


def host_text(fd: int) -> bytes:
    """All of the kernel's file."""
    parts = []
    at = 0
    while part := os.pread(fd, 1 << 16, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def task_of(fd: int) -> int:
    """Whose /proc/TID or /proc/PID/task/TID an open file is in."""
    return int(os.readlink(b"/proc/self/fd/%d" % fd).split(b"/")[-2])


def _syscall(ctx: Context, host: bytes, tid: int) -> bytes:
    """The call that a thread is in, as the guest has it: number, arguments, sp, pc.

    One that reads its own file is told of the call that opened it.
    """
    call = ctx.thread.call_of(tid)
    if host == b"running\n" or call is None:
        return b"running\n"
    number, arguments, sp, pc = call
    if ctx.abi.word == 4:
        sp, pc = sp & 0xFFFFFFFF, pc & 0xFFFFFFFF
    words = (*arguments[:_CALL_ARGUMENTS], sp, pc)
    return b"%d %s\n" % (number, b" ".join(b"0x%x" % word for word in words))


def _limits(process: Process, host: bytes) -> bytes:
    """proc_pid_limits: columns of 25, 20, 20 and 10."""
    lines = []
    for line in host.splitlines(keepends=True):
        number = _OWN_LIMITS.get(line[:25].rstrip())
        if number is not None:
            values = process.native.limit(number)
            shown = [b"unlimited" if n == _RLIM_INFINITY else b"%d" % n for n in values]
            columns = b"".join(word.ljust(21) for word in shown)
            lines.append(line[:26] + columns + line[68:])
        else:
            lines.append(line)
    return b"".join(lines)


# --- numa_maps ---------------------------------------------------------------------


def _numa_maps(process: Process, host: bytes) -> bytes:
    """A line for each of the guest's mappings (show_numa_map), with the host's counts of pages."""
    lines = dict(_by_start(host))
    spans = sorted(_spans(lines.keys()))
    base = process.memory.base
    out = []
    names = _names(process)
    for (start, end, *_), name in zip(process.memory.regions(), names, strict=False):
        policy = b"default"
        counts: dict[bytes, int] = {}
        for first, behind in _meeting(spans, base + start, base + end):
            found, numbers = lines[first]
            policy = found if not counts else policy
            part = min(behind, base + end) - max(first, base + start)
            for key, number in numbers.items():
                _add(counts, key, number, part, behind - first)
        words = [b"%08x %s" % (start, policy), *name]
        if any(key.startswith(b"N") for key in counts):
            words += [b"%s=%d" % item for item in counts.items()]
        out.append(b" ".join(words) + b"\n")
    return b"".join(out)


def _add(counts: dict[bytes, int], key: bytes, number: int, part: int, whole: int) -> None:
    if key in (b"mapmax", b"kernelpagesize_kB"):
        counts[key] = max(counts.get(key, 0), number)
    else:
        # A mapping of the host that covers more than the guest's gives its share.
        counts[key] = counts.get(key, 0) + -(-number * part // whole)


def _by_start(text: bytes) -> Iterator[tuple[int, tuple[bytes, dict[bytes, int]]]]:
    """Policy and numbers of the host's mappings."""
    for line in text.splitlines():
        start, policy, *words = line.split(b" ")
        pairs = (word.partition(b"=") for word in words if not word.startswith(b"file="))
        numbers = {key: int(value) for key, _, value in pairs if value.isdigit()}
        yield int(start, 16), (policy, numbers)


def _spans(starts: object) -> Iterator[tuple[int, int]]:
    """Where the host's mappings with such starts end."""
    with open("/proc/self/maps", "rb") as file:
        for line in file:
            first, _, rest = line.partition(b"-")
            start, end = int(first, 16), int(rest.split(b" ", 1)[0], 16)
            if start in starts:  # type: ignore[operator]
                yield start, end


def _meeting(spans: list[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    from bisect import bisect_right

    at = bisect_right(spans, (start, 1 << 64)) - 1
    for span in spans[max(at, 0) :]:
        if span[0] >= end:
            return
        if span[1] > start:
            yield span


def _names(process: Process) -> Iterator[list[bytes]]:
    """What stands behind the policy: the file, the heap or the stack of each mapping."""
    root = os.fsencode(process.sysroot.root or "")
    for line in process.memory.maps_text(root).splitlines():
        *_, inode, name = line.split(None, 5) if line.count(b" ") > 5 else (line, b"0", b"")
        if name in (b"[heap]", b"[stack]"):
            yield [name.strip(b"[]")]
        elif inode not in (b"0", b""):
            # seq_path escapes what would end the word.
            for byte, escaped in ((b" ", b"\\040"), (b"=", b"\\075"), (b"\t", b"\\011")):
                name = name.replace(byte, escaped)
            yield [b"file=" + name]
        else:
            yield []
