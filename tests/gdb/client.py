"""A client of our own, for what no debugger sends."""

from __future__ import annotations

import select
import socket
from pathlib import Path

from qusr.debug.gdb.packets import checksum


class Client:
    """Sends packets, and gives the answers."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self._data = b""
        self._notifications: list[bytes] = []

    def send(self, contents: bytes) -> None:
        """Sends a packet."""
        self.socket.sendall(b"$" + contents + b"#" + checksum(contents))

    def receive(self) -> bytes:
        """The contents of the next packet, which is acknowledged."""
        while True:
            found = self._next()
            if found is None:
                self._more()
            elif found[:1] == b"%":
                self._notifications.append(found[1:])
            else:
                self.socket.sendall(b"+")
                return found[1:]

    def notification(self) -> bytes:
        """The contents of the next notification."""
        while not self._notifications:
            found = self._next()
            if found is None:
                self._more()
            else:
                assert found[:1] == b"%", found
                self._notifications.append(found[1:])
        return self._notifications.pop(0)

    def _more(self) -> None:
        part = self.socket.recv(1 << 16)
        if not part:
            raise EOFError
        self._data += part

    def _next(self) -> bytes | None:
        """The next packet or notification that has come, with its first sign."""
        starts = [at for at in (self._data.find(sign) for sign in (b"$", b"%")) if at >= 0]
        if not starts:
            return None
        start = min(starts)
        end = self._data.find(b"#", start)
        if end < 0 or len(self._data) < end + 3:
            return None
        found = self._data[start:end]
        self._data = self._data[end + 3 :]
        return found

    def ask(self, contents: bytes) -> bytes:
        """The answer to a packet."""
        self.send(contents)
        return self.receive()

    def drain(self) -> None:
        """Waits for an answer for a moment, and throws it away with all else that is there."""
        while select.select([self.socket], [], [], 0.02)[0] and self.socket.recv(1 << 16):
            pass

    def resume(self, packet: bytes) -> None:
        """After nonsense: sends a packet until it is understood."""
        self.socket.sendall(b"#00")
        for _ in range(20):
            self.drain()
            self.send(packet)
            ready = select.select([self.socket], [], [], 10)[0]
            if ready and b"PacketSize=" in self.socket.recv(1 << 16):
                break
        self.drain()
        self.socket.sendall(b"+")

    def close(self) -> None:
        """Goes away without a word."""
        self.socket.close()
