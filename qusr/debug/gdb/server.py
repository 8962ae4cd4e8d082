"""The server: the conversation with all that it is about."""

from __future__ import annotations

import socket

from qusr.debug.gdb import commands
from qusr.debug.gdb.events import Events
from qusr.debug.gdb.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.reports import Event
    from qusr.ptrace.tracer import Ready


class Server(Session):
    """Arguments as those of `Session`."""

    def __init__(
        self,
        listener: socket.socket,
        start: Callable[[Session, list[bytes] | None], int] | None = None,
    ) -> None:
        super().__init__(listener, start)
        self._events = Events(self)

    def take(self, item: Ready) -> Event | None:
        """Looks at a change of state."""
        return self._events.take(item)

    def answer(self, packet: bytes) -> bytes | None:
        """Does what a packet asks for."""
        return commands.answer(self, packet)
