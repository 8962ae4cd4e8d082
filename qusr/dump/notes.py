"""The notes of a core file: registers, signal, process, auxiliary vector, mapped files.

Layouts are those of include/linux/elfcore.h and include/uapi/linux/elfcore.h; which register
sets a core has is in arch/arm64/kernel/ptrace.c (`user_aarch64_view`) and
arch/arm/kernel/ptrace.c (`user_arm_view`).
"""

from __future__ import annotations

import os
import struct

from qusr.syscalls.context import pack
from qusr.syscalls.layout import Bytes, CType, PerAbi, Struct, long, s8, s16, s32, u16, u32, ulong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.arch.abi import Abi
    from qusr.dump.memory import Segment
    from qusr.process import Process
    from qusr.thread import Thread

    #: A register set: the note's owner and type, and its bytes.
    Set = tuple[bytes, int, bytes]

# include/uapi/linux/elf.h
NT_PRSTATUS, NT_PRFPREG, NT_PRPSINFO, NT_AUXV = 1, 2, 3, 6
NT_SIGINFO, NT_FILE = 0x53494749, 0x46494C45
NT_ARM_VFP, NT_ARM_TLS = 0x400, 0x401

_TIMEVAL = Struct("__kernel_old_timeval", [("tv_sec", long), ("tv_usec", long)])
_GREGS: dict[str, CType] = {"aarch64": ulong * 34, "arm": ulong * 18}
_PRSTATUS = Struct(
    "elf_prstatus",
    [
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
        ("pr_reg", PerAbi("elf_gregset_t", _GREGS)),
        ("pr_fpvalid", s32),
    ],
)
_OLD_ID = PerAbi("__kernel_uid_t", {"arm": u16, "*": u32})
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
    names = process.arch.registers.numbers
    try:
        values = {name: thread.native.reg(at) for name, at in names.items()}
        blocked = thread.native.signal_sets()[0]
    except RuntimeError:
        values, blocked = dict.fromkeys(names, 0), 0  # it is still running, see dump._PATIENCE
    family = "aarch64" if process.abi.word == 8 else "arm"
    general, others = _KINDS[family](process.abi, values)
    # All threads get the number of the signal, and no more of its siginfo (fill_prstatus).
    status = {
        "si_signo": number,
        "pr_cursig": number,
        "pr_sighold": blocked,
        "pr_pid": thread.tid,
        "pr_ppid": os.getppid(),
        "pr_pgrp": os.getpgrp(),
        "pr_sid": os.getsid(0),
        "pr_reg": general,
        "pr_fpvalid": 1,
    }
    return [(b"CORE", NT_PRSTATUS, pack(_PRSTATUS, status, process.abi)), *others]


def _aarch64(abi: Abi, values: dict[str, int]) -> tuple[list[int], list[Set]]:
    big = abi.byte_order
    general = [values[f"x{n}"] for n in range(31)]
    general += [values["sp"], values["pc"], values["cpsr"]]
    # struct user_fpsimd_state
    vectors = b"".join(values[f"v{n}"].to_bytes(16, big) for n in range(32))
    fp = vectors + struct.pack(f"{order(abi)}4I", values["fpsr"], values["fpcr"], 0, 0)
    tls = struct.pack(f"{order(abi)}Q", values["tpidr"])
    return general, [(b"CORE", NT_PRFPREG, fp), (b"LINUX", NT_ARM_TLS, tls)]


def _arm(abi: Abi, values: dict[str, int]) -> tuple[list[int], list[Set]]:
    names = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "cpsr")
    # ORIG_r0 is -1 outside a system call.
    general = [*(values[name] for name in names), 0xFFFFFFFF]
    # struct user_fp of the FPA, which no machine has any more: the kernel writes zeros.
    fpa = bytes(116)
    vfp = struct.pack(f"{order(abi)}32QI", *(values[f"d{n}"] for n in range(32)), values["fpscr"])
    return general, [(b"CORE", NT_PRFPREG, fpa), (b"LINUX", NT_ARM_VFP, vfp)]


_KINDS = {"aarch64": _aarch64, "arm": _arm}


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
