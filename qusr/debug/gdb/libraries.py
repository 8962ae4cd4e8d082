"""`qXfer:libraries-svr4`: what the dynamic linker has loaded, out of its own list (<link.h>)."""

from __future__ import annotations

from qusr import arch
from qusr.debug.gdb.xml import text as xml_text
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.gdb.session import Session
    from qusr.ptrace.tracee import Tracee

_AT_PHDR, _AT_PHENT, _AT_PHNUM = 3, 4, 5
_PT_DYNAMIC, _PT_PHDR = 2, 6
_DT_DEBUG = 21
#: A list that is longer goes round in a circle.
_MOST = 4096
_LONGEST_NAME = 4096


class _Memory:
    """Words of a guest's memory."""

    def __init__(self, tracee: Tracee) -> None:
        guest = arch.on_core(tracee.header().guest)
        self.tracee = tracee
        self.size = guest.bits // 8
        self.big = guest.big_endian
        self.debug_map = arch.tracing_of(tracee.header().guest).debug_map or (None, None)

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, "big" if self.big else "little")

    def word(self, address: int) -> int:
        data = self.tracee.peek(address, self.size)
        if len(data) < self.size:
            raise OSError(14, "no memory")
        return self.number(data)

    def text(self, address: int) -> bytes:
        if not address:
            return b""
        try:
            return self.tracee.peek(address, _LONGEST_NAME).partition(b"\0")[0]
        except OSError:
            return b""


def svr4(session: Session) -> bytes:
    """The list for the process of the chosen thread. ValueError: no thread is stopped."""
    tracee = session.need()
    memory = _Memory(tracee)
    try:
        debug = _r_debug(memory, session.debugger.ask(tracee, b.ASK_AUXV) or b"")
        entries, main = _entries(memory, debug) if debug else ([], 0)
    except OSError:
        entries, main = [], 0
    head = '<library-list-svr4 version="1.0"' + (f' main-lm="{main:#x}"' if main else "") + ">"
    return "\n".join([head, *entries, "</library-list-svr4>", ""]).encode()


def list_of(session: Session) -> int:
    """The address of the dynamic linker's r_debug; 0: there is none yet. OSError: it cannot be
    read.
    """
    tracee = session.need()
    return _r_debug(_Memory(tracee), session.debugger.ask(tracee, b.ASK_AUXV) or b"")


def _entries(memory: _Memory, debug: int) -> tuple[list[str], int]:
    """The libraries, and where the program's own entry is, which is none of them."""
    size = memory.size
    main = memory.word(debug + size)
    lines = []
    for space in _namespaces(memory, debug):
        at = memory.word(space + size)
        for _ in range(_MOST):
            if not at:
                break
            # struct link_map: l_addr, l_name, l_ld, l_next
            base, name, dynamic = (memory.word(at + index * size) for index in range(3))
            path = memory.text(name).decode(errors="replace")
            if at != main and path:
                lines.append(
                    f'<library name="{xml_text(path)}" lm="{at:#x}" l_addr="{base:#x}" '
                    f'l_ld="{dynamic:#x}" lmid="{space:#x}"/>'
                )
            at = memory.word(at + 3 * size)
    return lines, main


def _namespaces(memory: _Memory, debug: int) -> list[int]:
    """The lists: of the program, and of what dlmopen(3) has loaded. struct r_debug: r_version,
    r_map, r_brk, r_state, r_ldbase; from version 2 on r_next.
    """
    found: list[int] = []
    at = debug
    while at and len(found) < _MOST:
        found.append(at)
        version = memory.number(memory.tracee.peek(at, 4))
        at = memory.word(at + 5 * memory.size) if version >= 2 else 0
    return found


def _r_debug(memory: _Memory, auxv: bytes) -> int:
    """Where the dynamic linker keeps its list; 0: nowhere yet."""
    size = memory.size
    words = [memory.number(auxv[at : at + size]) for at in range(0, len(auxv), size)]
    known = dict(zip(words[::2], words[1::2], strict=False))
    headers = known.get(_AT_PHDR, 0)
    found: dict[int, int] = {}
    for index in range(min(known.get(_AT_PHNUM, 0), 64)):
        at = headers + index * known.get(_AT_PHENT, 0)
        kind = memory.number(memory.tracee.peek(at, 4))
        # p_vaddr: behind p_type, p_offset and on 64 bits p_flags.
        found[kind] = memory.word(at + 2 * size)
    if _PT_DYNAMIC not in found:
        return 0
    load = headers - found[_PT_PHDR] if _PT_PHDR in found else 0
    dynamic = load + found[_PT_DYNAMIC]
    absolute, relative = memory.debug_map
    for at in range(dynamic, dynamic + _MOST * 2 * size, 2 * size):
        tag = memory.word(at)
        value = memory.word(at + size)
        if tag == 0:
            break
        if tag == _DT_DEBUG and value:
            return value
        if tag == absolute:
            return memory.word(value)
        if tag == relative:
            return memory.word((at + value) & ((1 << 8 * size) - 1))
    return 0
