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

    def send(self, contents: bytes) -> None:
        """Sends a packet."""
        self.socket.sendall(b"$" + contents + b"#" + checksum(contents))

    def receive(self) -> bytes:
        """The contents of the next packet, which is acknowledged."""
        while True:
            start = self._data.find(b"$")
            end = self._data.find(b"#", start)
            if start >= 0 and len(self._data) >= end + 3 > 3:
                contents = self._data[start + 1 : end]
                self._data = self._data[end + 3 :]
                self.socket.sendall(b"+")
                return contents
            part = self.socket.recv(1 << 16)
            if not part:
                raise EOFError
            self._data += part

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
