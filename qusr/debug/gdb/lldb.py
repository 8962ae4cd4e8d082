"""What LLDB asks beside gdb's packets (lldb/docs/lldb-gdb-remote.txt): of host and process, and
for memory to execute expressions in.
"""

from __future__ import annotations

from qusr import arch
from qusr.debug.gdb.reports import Event
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
    """qHostInfo. Watchpoints stop before the access, on every guest."""
    more = ["ostype:linux", "watchpoint_exceptions_received:before"]
    return "".join(f"{fact};" for fact in [*_facts(session), *more]).encode()


def process(session: Session, _: bytes) -> bytes:
    """qProcessInfo."""
    pid = session.need().tgid
    return "".join(f"{fact};" for fact in [f"pid:{pid:x}", *_facts(session)]).encode()


def stop_info(session: Session, text: bytes) -> bytes:
    """`qThreadStopInfotid`: why one of the threads is stopped. That has been told then: LLDB steps
    over breakpoints itself that it finds a thread at.
    """
    tid = session.real(int(text, 16))
    tracee = session.thread(tid)
    if tracee is None:
        return ERROR
    event = session.last
    if event is None or event.tid != tid:
        event = next((one for one in session.waiting if one.tid == tid and not one.child), None)
        if event is None or event.reply[:1] != b"T" or not session.still_holds(event):
            return session.stop_reply(Event(tid, tracee.tgid, b"T00"))
        session.waiting.remove(event)
    return session.stop_reply(event)


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
    (b"qHostInfo", host), (b"qProcessInfo", process),
    (b"qThreadStopInfo", stop_info), (b"qWatchpointSupportInfo", watchpoints),
    (b"_M", allocate), (b"_m", release),
)  # fmt: skip
