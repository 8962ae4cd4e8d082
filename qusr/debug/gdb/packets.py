"""The connection with a debugger: packets out of bytes, and back."""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The longest packet that we take, as hexadecimal digits (`PacketSize`).
LONGEST = 0x20000
#: What the debugger sends outside of packets to have the program stop.
INTERRUPT = b"\x03"

#: So many bytes may wait until a debugger reads them.
_PATIENCE = 64 << 20
_ESCAPE = 0x7D
_ESCAPED = b"#$}*"


def checksum(data: bytes) -> bytes:
    """Two digits: the sum of the bytes modulo 256."""
    return b"%02x" % (sum(data) & 0xFF)


def escape(data: bytes) -> bytes:
    """Binary data as it may stand in a packet."""
    if not any(byte in data for byte in _ESCAPED):
        return data
    return b"".join(
        bytes((_ESCAPE, byte ^ 0x20)) if byte in _ESCAPED else bytes((byte,)) for byte in data
    )


def unescape(data: bytes) -> bytes:
    """The other way round. An escape at the end of the data is dropped."""
    if _ESCAPE not in data:
        return data
    out = bytearray()
    rest = iter(data)
    for byte in rest:
        if byte == _ESCAPE:
            following = next(rest, None)
            if following is None:
                break
            byte = following ^ 0x20  # noqa: PLW2901
        out.append(byte)
    return bytes(out)


class Splitter:
    """Finds packets in what was received so far."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The events in `data`: ("packet", contents as sent), ("bad", …) for a wrong checksum,
        ("interrupt", b""), ("resend", b"").
        """
        self._data += data
        while self._data:
            first = self._data[:1]
            if first == b"$":
                found = self._packet()
                if found is None:
                    return
                yield found
            else:
                del self._data[0]
                if first == INTERRUPT:
                    yield "interrupt", b""
                elif first == b"-":
                    yield "resend", b""

    def _packet(self) -> tuple[str, bytes] | None:
        end = self._data.find(b"#")
        # A packet that begins anew was cut off before.
        again = self._data.find(b"$", 1, None if end < 0 else end)
        if again > 0:
            del self._data[:again]
            return "bad", b""
        if end < 0 or len(self._data) < end + 3:
            if len(self._data) > 2 * LONGEST:
                self._data.clear()
                return "bad", b""
            return None
        contents, given = bytes(self._data[1:end]), bytes(self._data[end + 1 : end + 3])
        del self._data[: end + 3]
        right = given.lower() == checksum(contents)
        return ("packet" if right else "bad"), contents


class Link:
    """A connected debugger."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.setblocking(False)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.acknowledges = True
        self.gone = False
        self._splitter = Splitter()
        self._last = b""
        self._unsent = bytearray()

    def receive(self) -> Iterator[tuple[str, bytes]]:
        """What came since the last time: ("packet", contents) or ("interrupt", b"")."""
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.gone = True
                return
            for kind, contents in self._splitter.feed(data):
                if kind == "resend":
                    self._write(self._last)
                elif kind == "bad":
                    if self.acknowledges:
                        self._write(b"-")
                else:
                    if kind == "packet" and self.acknowledges:
                        self._write(b"+")
                    yield kind, contents

    def send(self, contents: bytes) -> None:
        """Sends a packet; binary parts are escaped already."""
        self._last = b"$" + contents + b"#" + checksum(contents)
        self._write(self._last)

    def notify(self, contents: bytes) -> None:
        """Sends a notification, which nobody acknowledges."""
        self._write(b"%" + contents + b"#" + checksum(contents))

    def _write(self, data: bytes) -> None:
        self._unsent += data
        self.flush()

    @property
    def behind(self) -> bool:
        """Whether something waits until the debugger reads."""
        return bool(self._unsent) and not self.gone

    def flush(self) -> None:
        """Sends what can be sent now."""
        while self.behind:
            try:
                # SIGPIPE would end the server.
                sent = self.socket.send(self._unsent, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                # One that reads nothing any more is no debugger.
                self.gone = len(self._unsent) > _PATIENCE
                return
            except OSError:
                self.gone = True
                return
            del self._unsent[:sent]

    def close(self) -> None:
        """Ends the connection."""
        self.gone = True
        self.socket.close()
