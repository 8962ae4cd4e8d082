"""The notes of a core file: registers, signal, process, auxiliary vector, mapped files.

Layouts are those of include/linux/elfcore.h and include/uapi/linux/elfcore.h; which register
sets a core has, the guest declares (`Tracing.core`).
"""

from __future__ import annotations

import os
import struct

from qusr import _native, arch
from qusr.arch.tracing import NT_PRSTATUS
from qusr.syscalls.context import pack
from qusr.syscalls.layout import Bytes, CType, PerAbi, Struct, long, s8, s16, s32, u16, u32, ulong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.arch.abi import Abi
    from qusr.arch.tracing import RegisterSet
    from qusr.dump.memory import Segment
    from qusr.running import Process, Thread

    #: A register set: the note's owner and type, and its bytes.
    Set = tuple[bytes, int, bytes]

# include/uapi/linux/elf.h
NT_PRPSINFO, NT_AUXV, NT_SIGINFO, NT_FILE = 3, 6, 0x53494749, 0x46494C45

_TIMEVAL = Struct("__kernel_old_timeval", [("tv_sec", long), ("tv_usec", long)])


def _prstatus(general: RegisterSet) -> Struct:
    """struct elf_prstatus with its elf_gregset_t."""
    return Struct("elf_prstatus", [*_STATUS, ("pr_reg", Bytes(general.size, general.unit)),
                                   ("pr_fpvalid", s32)])  # fmt: skip


_STATUS: list[tuple[str, CType]] = [
    ("si_signo", s32),
    ("si_code", s32),
    ("si_errno", s32),
    ("pr_cursig", s16),
    ("pr_sigpend", ulong),
    ("pr_sighold", ulong),
    ("pr_pid", s32),
    ("pr_ppid", s32),
    ("pr_pgrp", s32),
    ("pr_sid", s32),
    ("pr_utime", _TIMEVAL),
    ("pr_stime", _TIMEVAL),
    ("pr_cutime", _TIMEVAL),
    ("pr_cstime", _TIMEVAL),
]
_OLD_ID = PerAbi("__kernel_uid_t", {"ids16": u16, "*": u32})
_PRPSINFO = Struct(
    "elf_prpsinfo",
    [
        ("pr_state", s8),
        ("pr_sname", s8),
        ("pr_zomb", s8),
        ("pr_nice", s8),
        ("pr_flag", ulong),
        ("pr_uid", _OLD_ID),
        ("pr_gid", _OLD_ID),
        ("pr_pid", s32),
        ("pr_ppid", s32),
        ("pr_pgrp", s32),
        ("pr_sid", s32),
        ("pr_fname", Bytes(16)),
        ("pr_psargs", Bytes(80)),
    ],
)
_PSARGS = 79
_PAGE = 4096


def order(abi: Abi) -> str:
    """The byte order as `struct` wants it."""
    return ">" if abi.big_endian else "<"


def note(abi: Abi, owner: bytes, kind: int, data: bytes) -> bytes:
    """One note: names and data are padded to 4 bytes."""
    name = owner + b"\0"
    head = struct.pack(f"{order(abi)}3I", len(name), len(data), kind)
    return head + name + bytes(-len(name) % 4) + data + bytes(-len(data) % 4)


def notes(
    process: Process, threads: Sequence[Thread], signal: tuple[int, bytes], files: Sequence[Segment]
) -> bytes:
    """All notes, in the order of `fill_note_info`: what there is once follows the first
    thread's NT_PRSTATUS.
    """
    abi = process.abi
    once = [
        (b"CORE", NT_PRPSINFO, _prpsinfo(process)),
        (b"CORE", NT_SIGINFO, signal[1]),
        (b"CORE", NT_AUXV, process.stack.auxv_bytes),
    ]
    if files:
        once.append((b"CORE", NT_FILE, _files(abi, files)))
    out = b""
    for thread in threads:
        sets = _registers(process, thread, signal[0])
        for owner, kind, data in [*sets[:1], *once, *sets[1:]]:
            out += note(abi, owner, kind, data)
        once = []
    return out


def _registers(process: Process, thread: Thread, number: int) -> list[Set]:
    abi = process.abi
    known = arch.tracing_of(abi.core)
    native = thread.native
    values: Sequence[int]
    try:
        values = known.all_of(lambda count: [native.reg(at) for at in range(count)])
        blocked = thread.native.signal_sets()[0]
    except RuntimeError:
        values, blocked = [0] * known.count, 0  # it is still running, see dump._PATIENCE

    def data(registers: RegisterSet) -> bytes:
        # Outside of a system call there is no first argument (ORIG_r0): it is -1.
        return registers.pack(values, -1, abi.byte_order)

    general = known.sets[NT_PRSTATUS]
    # All threads get the number of the signal, and no more of its siginfo (fill_prstatus).
    status = {
        "si_signo": number,
        "pr_cursig": number,
        "pr_sighold": blocked,
        "pr_pid": thread.tid,
        "pr_ppid": os.getppid(),
        "pr_pgrp": os.getpgrp(),
        "pr_sid": os.getsid(0),
        "pr_reg": data(general),
        "pr_fpvalid": 1,
    }
    first = b"CORE", NT_PRSTATUS, pack(_prstatus(general), status, abi)
    there = (one for one in known.core if one[2].is_there(values))
    sets = [first, *((owner, kind, data(others)) for owner, kind, others in there)]
    areas = known.areas
    # Last of x86_32_regsets that programs have (regset_tls_active of arch/x86/kernel/tls.c).
    if areas is not None and any(values[register] for register in areas.registers):
        shown = (
            _native.shown_segment(areas.first + n, values[register])
            for n, register in enumerate(areas.registers)
        )
        sets.append((b"LINUX", areas.note, b"".join(shown)))
    return sets


def _prpsinfo(process: Process) -> bytes:
    memory, stack = process.memory, process.stack
    length = min(stack.arg_end - stack.arg_start, _PSARGS)
    try:
        words = memory.read(stack.arg_start, length).replace(b"\0", b" ")
    except OSError:
        words = b""
    with open("/proc/self/comm", "rb") as file:
        name = file.read().rstrip(b"\n")
    with open("/proc/self/stat", "rb") as file:
        flags = int(file.read().rpartition(b")")[2].split()[6])
    high = 65534  # high2lowuid
    uid, gid = os.getuid(), os.getgid()
    if process.abi.word == 4:
        uid, gid = (value if value < 0x10000 else high for value in (uid, gid))
    return pack(
        _PRPSINFO,
        {
            "pr_sname": ord("R"),
            "pr_nice": os.nice(0) & 0xFF,
            "pr_flag": flags,
            "pr_uid": uid,
            "pr_gid": gid,
            "pr_pid": os.getpid(),
            "pr_ppid": os.getppid(),
            "pr_pgrp": os.getpgrp(),
            "pr_sid": os.getsid(0),
            "pr_fname": name[:15],
            "pr_psargs": words,
        },
        process.abi,
    )


def _files(abi: Abi, files: Sequence[Segment]) -> bytes:
    """NT_FILE: count, page size, (start, end, offset in pages) of each, their names."""
    numbers = [len(files), _PAGE]
    for item in files:
        numbers += [item.start, item.end, item.offset // _PAGE]
    code = "Q" if abi.word == 8 else "I"
    names = b"".join(item.name + b"\0" for item in files)
    return struct.pack(f"{order(abi)}{len(numbers)}{code}", *numbers) + names
