"""The rarer ones of the files of /proc that a guest reads about itself.

The formats are those of fs/proc, with the guest's facts. What programs read in their ordinary life
`native/kernel/src/process/proctext.rs` makes.
"""

from __future__ import annotations

from qusr.syscalls.handlers import procstate
from qusr.syscalls.handlers.procstate import host_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.running import Process
    from qusr.syscalls.context import Context


def of_process(ctx: Context, name: bytes, fd: int) -> bytes | None:
    """The guest's text of /proc/self/`name`, or None where the kernel's is right.

    `fd` is the kernel's file.
    """
    if name in (b"limits", b"numa_maps", b"syscall"):
        return procstate.text(ctx, name, fd)
    if name == b"smaps_rollup":
        return _smaps_rollup(ctx.process, fd)
    text: bytes | None = ctx.thread.proc_text(name, fd)
    return text


def _smaps_rollup(process: Process, fd: int) -> bytes:
    """The sums of smaps, for the fields that the kernel's file has."""
    regions = process.memory.regions()
    start, end = (regions[0][0], regions[-1][1]) if regions else (0, 0)
    head = b"%08x-%08x ---p 00000000 00:00 0 " % (start, end)
    lines = [head.ljust(25 + 6 * process.abi.word) + b"[rollup]"]
    labels = [line.split()[0].decode() for line in host_text(fd).splitlines()[1:]]
    for label, size in zip(labels, process.memory.smaps_sums(labels), strict=True):
        lines.append(label.encode().ljust(16) + b"%8d kB" % (size // 1024))
    return b"\n".join(lines) + b"\n"
