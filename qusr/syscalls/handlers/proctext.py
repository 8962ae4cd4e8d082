"""What a guest reads in its files of /proc: the formats of fs/proc with the guest's facts."""

from __future__ import annotations

import _thread

from qusr.syscalls.handlers import procstate
from qusr.syscalls.handlers.procstate import host_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.running import Process
    from qusr.syscalls.context import Context

_PAGE = 4096
_PROT_WRITE, _PROT_EXEC = 2, 4

# Fields of /proc/PID/stat, counted from 1 as in proc(5).
_VSIZE, _START_CODE, _BLOCKED, _SIGIGNORE, _START_DATA = 23, 26, 32, 33, 45


def of_process(ctx: Context, name: bytes, fd: int) -> bytes | None:
    """The guest's text of /proc/self/`name`, or None where the kernel's is right.

    `fd` is the kernel's file.
    """
    thread_file = _THREAD_FILES.get(name)
    if thread_file is not None:
        return thread_file(ctx, fd)
    if name in (b"limits", b"numa_maps", b"syscall"):
        return procstate.text(ctx, name, fd)
    make = _FILES.get(name)
    return None if make is None else make(ctx.process, fd)


def _smaps_rollup(process: Process, fd: int) -> bytes:
    """The sums of smaps, for the fields that the kernel's file has."""
    sums = _sums(process)
    regions = process.memory.regions()
    start, end = (regions[0][0], regions[-1][1]) if regions else (0, 0)
    head = b"%08x-%08x ---p 00000000 00:00 0 " % (start, end)
    lines = [head.ljust(25 + 6 * process.abi.word) + b"[rollup]"]
    for line in host_text(fd).splitlines()[1:]:
        key = line.split()[0]
        lines.append(key.ljust(16) + b"%8d kB" % sums.get(key, 0))
    return b"\n".join(lines) + b"\n"


def _sums(process: Process) -> dict[bytes, int]:
    """The sum of each number of smaps, in kB, by its name with the colon."""
    sums: dict[bytes, int] = {}
    for line in process.memory.smaps_text(None).splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == b"kB":
            sums[words[0]] = sums.get(words[0], 0) + int(words[1])
    return sums


def _cmdline(process: Process, fd: int) -> bytes:
    """The strings as they are in the guest's memory now (get_mm_cmdline of fs/proc/base.c).

    A program that overwrote its last NUL has set its title: one string, which may run on into the
    environment.
    """
    stack = process.stack
    text = _memory(process, stack.arg_start, stack.arg_end)
    if not text or text[-1] == 0:
        return text
    text += _memory(process, stack.env_start, stack.env_end)
    return text.split(b"\0", 1)[0]


def _environ(process: Process, fd: int) -> bytes:
    return _memory(process, process.stack.env_start, process.stack.env_end)


def _memory(process: Process, start: int, end: int) -> bytes:
    try:
        return process.memory.peek(start, end - start)
    except OSError:
        return b""


class _Sizes:
    """Sizes of the guest's memory in bytes, as fs/proc/task_mmu.c counts them."""

    def __init__(self, process: Process) -> None:
        self.total = self.data = self.stack = executable = 0
        sp = process.stack.sp
        for start, end, prot, flags, kind, _, _ in process.memory.regions():
            size = end - start
            self.total += size
            if start <= sp < end:
                self.stack += size
            elif prot & _PROT_WRITE and kind != "shared" and not flags & 1:
                self.data += size
            if prot & _PROT_EXEC:
                executable += size
        start_code, end_code = process.image.code_range()
        self.text = -(-end_code // _PAGE) * _PAGE - start_code // _PAGE * _PAGE
        self.libraries = max(executable - self.text, 0)


def _signal_sets(ctx: Context, task: int) -> tuple[int | None, int, int]:
    """Blocked (of the calling thread, else None), ignored and caught signals."""
    blocked, ignored, caught = map(ctx.abi.mask_to_guest, ctx.thread.signal_sets())
    return blocked if task == _thread.get_native_id() else None, ignored, caught


def _stat(ctx: Context, fd: int) -> bytes:
    """/proc/PID/stat: the kernel's line with the fields that concern memory and signals."""
    process = ctx.process
    line = host_text(fd)
    head, _, tail = line.rpartition(b") ")
    fields = tail.split()  # from the third on: the name may hold spaces and brackets
    sizes = _Sizes(process)

    def put(first: int, *values: int) -> None:
        for index, value in enumerate(values, first - 3):
            if index < len(fields):
                fields[index] = b"%d" % value

    put(_VSIZE, sizes.total, _sums(process).get(b"Rss:", 0) * 1024 // _PAGE)
    put(_START_CODE, *process.image.code_range(), process.stack.sp)
    blocked, ignored, caught = _signal_sets(ctx, int(line.split(None, 1)[0]))
    # As many bits as a 32-bit number holds, without its sign (do_task_stat of fs/proc/array.c).
    put(_SIGIGNORE, ignored & 0x7FFFFFFF, caught & 0x7FFFFFFF)
    if blocked is not None:
        put(_BLOCKED, blocked & 0x7FFFFFFF)
    stack = process.stack
    put(
        _START_DATA, *process.image.data_range(), process.memory.brk_range()[0],
        stack.arg_start, stack.arg_end, stack.env_start, stack.env_end,
    )  # fmt: skip
    return head + b") " + b" ".join(fields) + b"\n"


def _statm(process: Process, fd: int) -> bytes:
    sizes = _Sizes(process)
    sums = _sums(process)
    total = sizes.total // _PAGE
    resident = sums.get(b"Rss:", 0) * 1024 // _PAGE
    shared = resident - sums.get(b"Anonymous:", 0) * 1024 // _PAGE
    data = (sizes.data + sizes.stack) // _PAGE
    return b"%d %d %d %d 0 %d 0\n" % (total, resident, shared, sizes.text // _PAGE, data)


def _status(ctx: Context, fd: int) -> bytes:
    """/proc/PID/status: the kernel's lines with the guest's sizes and signals, without the
    host CPU's.
    """
    process = ctx.process
    sizes = _Sizes(process)
    sums = _sums(process)
    resident, anonymous = sums.get(b"Rss:", 0) * 1024, sums.get(b"Anonymous:", 0) * 1024
    guest = {
        b"VmPeak": sizes.total, b"VmSize": sizes.total, b"VmData": sizes.data,
        b"VmStk": sizes.stack, b"VmExe": sizes.text, b"VmLib": sizes.libraries,
        b"VmHWM": resident, b"VmRSS": resident, b"RssAnon": anonymous,
        b"RssFile": resident - anonymous, b"RssShmem": 0,
    }  # fmt: skip
    text = host_text(fd)
    task = int(text.partition(b"\nPid:")[2].split(None, 1)[0])
    mode, filters = ctx.thread.seccomp_state(task) or (0, 0)
    sets = dict(zip((b"SigBlk", b"SigIgn", b"SigCgt"), _signal_sets(ctx, task), strict=True))
    lines = []
    for line in text.splitlines(keepends=True):
        key = line.partition(b":")[0]
        if key in guest:
            lines.append(b"%s:\t%8d kB\n" % (key, guest[key] // 1024))
        elif key == b"Seccomp":
            lines.append(b"%s:\t%d\n" % (key, max(mode, int(line.split()[1]))))
        elif key == b"Seccomp_filters":
            # The host's filters are those that the guest was started under.
            lines.append(b"%s:\t%d\n" % (key, filters + int(line.split()[1])))
        elif (mask := sets.get(key)) is not None:
            lines.append(b"%s:\t%016x\n" % (key, mask))
        elif not key.startswith(b"x86_"):
            lines.append(line)
    return b"".join(lines)


_FILES = {
    b"cmdline": _cmdline,
    b"environ": _environ,
    b"smaps_rollup": _smaps_rollup,
    b"statm": _statm,
}
_THREAD_FILES = {b"stat": _stat, b"status": _status}
