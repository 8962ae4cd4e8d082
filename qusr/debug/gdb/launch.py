"""`-g`: the server's process, and what a guest does for it before its first instruction.

The guest keeps the process that was started, with its id, its parent and its terminal; the server
is a child of init that nobody waits for. It listens before the guest is loaded, so whoever has
started the command can connect at once, and it ends with the last of its processes.
"""

from __future__ import annotations

import errno
import os
import signal
import socket

from qusr import _native
from qusr.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from qusr.debug.gdb.session import Session
    from qusr.running import Process

_TRACED = b"traced"
#: How the name of a folder begins that is there for one socket.
PRIVATE = "qusr-gdb-"
_MOST_FDS = 1 << 20
#: Of the path of a socket, in bytes (unix(7)).
_LONGEST_SOCKET = 107


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
        is_port = port.isdigit() and "/" not in place
        if is_port and int(port) < 1 << 16:
            self.host, self.port = (host.strip("[]") if colon else ""), int(port)
        elif place and not is_port and ("/" in place or not colon):
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
    # Who sees the socket can connect: it gets its name when it listens.
    unnamed = f"{path}.{os.getpid()}"
    if len(os.fsencode(unnamed)) > _LONGEST_SOCKET:
        unnamed = path
    listener.bind(unnamed)
    listener.listen(4)
    if unnamed != path:
        os.rename(unnamed, path)
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
        self._channel.sendall(root + b"\0")
        said = self._channel.recv(1024)
        self._channel.close()
        if said != _TRACED:
            why = said.decode(errors="replace") or "the server has ended"
            raise UsageError(f"-g: the program cannot be traced: {why}")
        process.main.native.become_tracee()
        process.main.native.has_executed()


class Programs:
    """Begins the programs that a debugger asks for (vRun, R).

    Args:
        argv: the first program and its arguments.
        environ: the environment of programs, before the debugger changes it.
        run: runs a program with its arguments and an environment, which does not come back; calls
            what it is given when the program is loaded.
    """

    def __init__(
        self,
        argv: list[bytes],
        environ: list[bytes],
        run: Callable[[list[bytes], list[bytes], Callable[[Process], None]], None],
    ) -> None:
        self.argv = argv
        self.environ = environ
        self.run = run

    def start(self, session: Session, words: list[bytes] | None) -> int:
        """Begins a program, the last one for None; its process id. OSError: it cannot be."""
        self.argv = words or self.argv
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            self._child(session, theirs)
        theirs.close()
        meet(session, pid, ours)
        return pid

    def _child(self, session: Session, channel: socket.socket) -> NoReturn:
        try:
            # Its SIGCHLD has nothing to do with the server's.
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, stream in enumerate(session.streams):
                os.dup2(stream, number)
            # The server's descriptors are not the program's.
            os.closerange(3, channel.fileno())
            os.closerange(channel.fileno() + 1, _MOST_FDS)
            if session.options.directory is not None:
                os.chdir(session.options.directory)
            environ = dict(entry.partition(b"=")[::2] for entry in self.environ)
            for name, value in session.options.environment.items():
                environ.pop(name, None)
                if value is not None:
                    environ[name] = value
            entries = [name + b"=" + value for name, value in environ.items()]
            self.run(self.argv, entries, Waiting(os.getppid(), channel).meet)
        finally:
            os._exit(1)


def meet(session: Session, pid: int, channel: socket.socket) -> None:
    """Traces a process that waits for that. OSError: it is gone, or may not be traced."""
    root = b""
    while not root.endswith(b"\0"):
        part = channel.recv(4096)
        if not part:
            raise OSError(errno.ENOENT, "the program could not be loaded")
        root += part
    try:
        session.debugger.begin(pid, os.fsdecode(root[:-1]) or None, attached=False)
    except OSError as error:
        _say(channel, (error.strerror or str(error)).encode())
        raise
    _say(channel, _TRACED)
    channel.close()
    session.first_stop(pid)


def _say(channel: socket.socket, words: bytes) -> None:
    """Tells the guest, if it is still there."""
    try:
        channel.sendall(words, socket.MSG_NOSIGNAL)
    except OSError:
        pass


def begin(text: str, programs: Programs) -> Waiting:
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
            _serve(guest, address, listener, theirs, programs)
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
    programs: Programs,
) -> NoReturn:
    from qusr.debug.gdb.server import Server

    try:
        with _Ends(address):
            channel.sendall(str(os.getpid()).encode())
            _leave_everything({listener.fileno(), channel.fileno()})
            session = Server(listener, programs.start)
            meet(session, guest, channel)
            if not address.suspended:
                session.go()
            session.run()
    finally:
        os._exit(0)


def serve_running(pid: int, address: Address, ready: Callable[[], None]) -> None:
    """Serves a debugger for a guest process that runs already, and calls `ready` when it can
    come. OSError: the process cannot be traced, or is no guest.
    """
    from qusr.debug.gdb.server import Server
    from qusr.ptrace.tracee import is_guest

    session = Server(address.listen())
    with _Ends(address):
        if os.path.isdir(f"/proc/{pid}") and not is_guest(pid):
            raise OSError(errno.EPERM, "it is no guest process of this qusr")
        session.attach(pid)
        ready()
        session.run()


class _Ends:
    """Around what a server does: takes its socket away in the end."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None and os.environ.get("QUSR_DEBUG"):
            import traceback

            with open(f"/tmp/qusr-gdb-{os.getpid()}.log", "x") as file:
                traceback.print_exception(error, file=file)
        path = self._address.path
        if path is not None:
            try:
                os.unlink(path)
                if os.path.basename(os.path.dirname(path)).startswith(PRIVATE):
                    os.rmdir(os.path.dirname(path))
            except OSError:
                pass


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
