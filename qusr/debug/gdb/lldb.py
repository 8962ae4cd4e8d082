"""What LLDB asks beside gdb's packets (lldb/docs/lldb-gdb-remote.txt): of host and process, and
for memory to execute expressions in.
"""

from __future__ import annotations

import os

from qusr import _native, arch
from qusr.debug.gdb import libraries, state
from qusr.debug.gdb import lldb_threads as threads
from qusr.debug.gdb.resuming import ERROR
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.session import Session

#: As many as fit into what a process is told (block.py, ORDERS_ROOM), with room for breakpoints.
_WATCHPOINTS = 1024
_RIGHTS = {"r": 1, "w": 2, "x": 4}


def _facts(session: Session) -> list[str]:
    guest = arch.on_core(session.need().header().guest)
    # LLVM has the same names. No ABI behind them: LLDB would find programs of another foreign.
    triple = f"{guest.name}--linux"
    return [
        f"triple:{triple.encode().hex()}",
        f"ptrsize:{guest.bits // 8}",
        f"endian:{'big' if guest.big_endian else 'little'}",
    ]


def host(session: Session, _: bytes) -> bytes:
    """qHostInfo."""
    behind = _native.watches_behind(session.need().header().audit)
    side = "after" if behind else "before"
    more = ["ostype:linux", f"watchpoint_exceptions_received:{side}"]
    return "".join(f"{fact};" for fact in [*_facts(session), *more]).encode()


def process(session: Session, _: bytes) -> bytes:
    """qProcessInfo."""
    pid = session.need().tgid
    return "".join(f"{fact};" for fact in [f"pid:{pid:x}", *_facts(session)]).encode()


def region(session: Session, text: bytes) -> bytes:
    """`qMemoryRegionInfo:ADDRESS`: the mapping there, or how far there is none."""
    address = int(text, 16)
    tracee = session.need()
    bits = arch.on_core(tracee.header().guest).bits
    if not 0 <= address < 1 << bits:
        return ERROR
    before, behind = 0, 1 << bits
    for line in (session.debugger.ask(tracee, b.ASK_MAPS) or b"").splitlines():
        found = state.mapping(line.decode(errors="replace"))
        if found.start <= address < found.end:
            name = f"name:{found.name.encode().hex()};" if found.name else ""
            rights = "".join(right for right in found.rights[:3] if right != "-")
            size = found.end - found.start
            said = f"start:{found.start:x};size:{size:x};permissions:{rights};{name}"
            return said.encode()
        if found.end <= address:
            before = max(before, found.end)
        elif found.start < behind:
            behind = found.start
    return f"start:{before:x};size:{behind - before:x};permissions:;".encode()


def libraries_list(session: Session, _: bytes) -> bytes:
    """qShlibInfoAddr: where the dynamic linker keeps its list."""
    found = libraries.list_of(session)
    return b"%x" % found if found else ERROR


def directory(session: Session, _: bytes) -> bytes:
    """qGetWorkingDir."""
    where = os.readlink(f"/proc/{session.need().tgid}/cwd")
    return os.fsencode(where).hex().encode()


def version(_: Session, __: bytes) -> bytes:
    """qGDBServerVersion."""
    return f"name:qusr;version:{_native.VERSION};".encode()


def watchpoints(_: Session, __: bytes) -> bytes:
    """qWatchpointSupportInfo: how many there can be. Without it LLDB takes it that they stop behind
    the access, whatever qHostInfo says.
    """
    return b"num:%d;" % _WATCHPOINTS


def allocate(session: Session, text: bytes) -> bytes:
    """`_Msize,rights`: where the new memory is."""
    size, _, rights = text.partition(b",")
    protection = sum(_RIGHTS[right] for right in rights.decode())
    wanted = int(size, 16)
    if wanted <= 0 or wanted >= 1 << 63:
        return ERROR
    got = session.debugger.ask(session.need(), b.ASK_ALLOCATE, wanted, protection)
    if not got:
        return ERROR
    address = int.from_bytes(got, "little")
    session.allocated[address] = wanted
    return b"%x" % address


def release(session: Session, text: bytes) -> bytes:
    """`_maddress`"""
    address = int(text, 16)
    size = session.allocated.pop(address, 0)
    done = session.debugger.ask(session.need(), b.ASK_RELEASE, address, size)
    return b"OK" if done else ERROR


PACKETS: tuple[tuple[bytes, Callable[[Session, bytes], bytes]], ...] = (
    (b"qHostInfo", host), (b"qProcessInfo", process), (b"qGDBServerVersion", version),
    (b"qGetWorkingDir", directory), (b"qMemoryRegionInfo:", region),
    (b"qShlibInfoAddr", libraries_list),
    (b"qThreadStopInfo", threads.stop_info), (b"jThreadsInfo", threads.infos),
    (b"QListThreadsInStopReply", threads.lists),
    (b"QEnableErrorStrings", threads.errors), (b"qRegisterInfo", threads.register_info),
    (b"QSaveRegisterState", threads.save), (b"QRestoreRegisterState:", threads.restore),
    (b"qWatchpointSupportInfo", watchpoints), (b"_M", allocate), (b"_m", release),
)  # fmt: skip
