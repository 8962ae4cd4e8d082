"""`-g`: the server's process, and what a guest does for it before its first instruction.

The guest keeps the process that was started, with its id, its parent and its terminal; the server is a child of
init that nobody waits for. It listens before the guest is loaded, so whoever has started the command can
connect at once, and it ends with the last of its processes.
"""

from __future__ import annotations

import os
import socket

from qusr import _native
from qusr.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.session import Session
    from qusr.process import Process

_NOTHING, _READY, _TRACED = b"", b"r", b"t"
_MOST_FDS = 1 << 20


class Address:
    """`-g`'s value: PORT, HOST:PORT or PATH, then perhaps `,suspend=y` or `n`."""

    def __init__(self, text: str) -> None:
        place, *options = text.split(",")
        self.suspended = True
        for option in options:
            if option not in ("suspend=y", "suspend=n"):
                raise UsageError(f"-g {text}: unknown option '{option}' (suspend=y or suspend=n)")
            self.suspended = option == "suspend=y"
        self.path: str | None = None
        self.host, self.port = "", 0
        host, colon, port = place.rpartition(":")
        if port.isdigit() and "/" not in place and int(port) < 1 << 16:
            self.host, self.port = (host.strip("[]") if colon else ""), int(port)
        elif place and not (colon and "/" not in place):
            self.path = place.replace("%d", str(os.getpid()))
        else:
            raise UsageError(f"-g {text}: not PORT, HOST:PORT or a path")
        self.text = text

    def listen(self) -> socket.socket:
        """A socket that listens there. UsageError: there cannot be one."""
        try:
            if self.path is not None:
                return _listen_unix(self.path)
            if self.host:
                family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            else:
                family = socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(4)
        except OSError as error:
            raise UsageError(f"-g {self.text}: {error.strerror or error}") from None
        return listener


def _listen_unix(path: str) -> socket.socket:
    import stat

    try:
        # As qemu does; but nothing else than a socket goes.
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(4)
    return listener


class Waiting:
    """The guest's end of its agreement with the server."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self._server = pid
        self._channel = channel

    def meet(self, process: Process) -> None:
        """The program is loaded: from here on the server traces it. UsageError: it may not."""
        _native.allow_tracer(self._server)
        root = os.fsencode(process.sysroot.root or "")
        self._channel.sendall(_READY + root + b"\0")
        said = self._channel.recv(1024)
        self._channel.close()
        if not said.startswith(_TRACED):
            why = said.decode(errors="replace") or "the server has ended"
            raise UsageError(f"-g: the program cannot be traced: {why}")
        process.main.native.become_tracee()
        process.main.native.has_executed()


def begin(text: str, start: Callable[[Session, list[bytes] | None], int] | None = None) -> Waiting:
    """Starts a server at an address. UsageError: it cannot be there."""
    address = Address(text)
    listener = address.listen()
    ours, theirs = socket.socketpair()
    guest = os.getpid()
    first = os.fork()
    if first == 0:
        ours.close()
        # Nobody's child: the guest's wait(2) has nothing to do with it.
        os.setsid()
        if os.fork() == 0:
            _serve(guest, address, listener, theirs, start)
        os._exit(0)
    theirs.close()
    listener.close()
    os.waitpid(first, 0)
    pid = int(ours.recv(32) or b"0")
    return Waiting(pid, ours)


def _serve(
    guest: int,
    address: Address,
    listener: socket.socket,
    channel: socket.socket,
    start: Callable[[Session, list[bytes] | None], int] | None,
) -> None:
    status = 1
    try:
        channel.sendall(str(os.getpid()).encode())
        _leave_everything({listener.fileno(), channel.fileno()})
        root = b""
        while not root.endswith(b"\0"):
            part = channel.recv(4096)
            if not part:
                return  # the program could not be loaded
            root += part
        serve(guest, os.fsdecode(root[1:-1]) or None, address, listener, channel, start)
        status = 0
    except BaseException:
        if os.environ.get("QUSR_DEBUG"):
            import traceback

            with open(f"/tmp/qusr-gdb-{os.getpid()}.log", "w") as file:  # noqa: S108
                traceback.print_exc(file=file)
    finally:
        if address.path is not None:
            try:
                os.unlink(address.path)
            except OSError:
                pass
        os._exit(status)


def serve(
    guest: int,
    sysroot: str | None,
    address: Address,
    listener: socket.socket,
    channel: socket.socket,
    start: Callable[[Session, list[bytes] | None], int] | None,
) -> None:
    """Traces a process that waits for that, and serves debuggers."""
    from qusr.debug.gdb.session import Session

    session = Session(listener, start)
    try:
        session.debugger.begin(guest, sysroot, attached=False)
    except OSError as error:
        channel.sendall((error.strerror or str(error)).encode())
        return
    channel.sendall(_TRACED)
    channel.close()
    session.first_stop(guest, go_on=not address.suspended)
    session.run()


def _leave_everything(kept: set[int]) -> None:
    """Closes what the guest's caller gave it: a pipe must not stay open for our sake."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    at = 3
    for fd in sorted(kept):
        os.closerange(at, fd)
        at = fd + 1
    os.closerange(at, _MOST_FDS)
