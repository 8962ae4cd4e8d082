"""What brings a running guest back to Python: signals of Python's own, a time, `stop()`."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time

from qusr import _native
from qusr.ptrace import block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

#: Above what guests use: `open` is to give them the lowest free descriptor, as it does elsewhere.
_HIGH = 700


class Pause:
    """The wish that a run come back, which may be uttered anywhere."""

    def __init__(self) -> None:
        self.native = _native.Pause()
        self._tid = 0
        self.wanted = False

    def begin(self) -> int:
        """The calling thread is about to run the guest; which one does already, as in a hook."""
        before, self._tid = self._tid, threading.get_native_id()
        self.wanted = False
        return before

    def end(self, before: int) -> None:
        """It is back."""
        self._tid = before

    def ask(self) -> None:
        """Has the run come back for good."""
        self.wanted = True
        self.look()

    def look(self) -> None:
        """Has the run come to Python for a moment. A system call that waits ends with EINTR."""
        tid = self._tid
        if not tid:
            return
        self.native.ask()
        if tid != threading.get_native_id():
            try:
                _native.queue_signal(os.getpid(), tid, block.SIGSEGV, block.bell(0))
            except OSError:
                pass  # it has ended


class Watch:
    """Around a run: a thread that waits for signals and for the time."""

    def __init__(self, pause: Pause, timeout: float | None) -> None:
        self._pause = pause
        self._end = None if timeout is None else time.monotonic() + timeout
        self._owner = os.getpid()

    def __enter__(self) -> None:
        self._reader, self._writer = map(_high, os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
        self._before: int | None = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._over = False
        self._thread = threading.Thread(target=self._live, name="qusr-watch", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
        if os.getpid() == self._owner:
            os.write(self._writer, b"\0")
            self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _live(self) -> None:
        while not self._over:
            left = None if self._end is None else max(self._end - time.monotonic(), 0)
            ready, _, _ = select.select([self._reader], [], [], left)
            if self._over:
                return
            if ready:
                os.read(self._reader, 4096)
                self._pause.look()
            else:
                self._end = None
                self._pause.ask()


def _high(fd: int) -> int:
    import fcntl

    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return fd  # RLIMIT_NOFILE is lower
    os.close(fd)
    return moved


class Streams:
    """Around a run: the guest's standard streams are others than this process's. What Python prints
    meanwhile, in hooks, goes where it went before.
    """

    def __init__(self, files: dict[int, int]) -> None:
        self._files = files
        self._saved: dict[int, int] = {}
        self._own: dict[str, TextIO] = {}

    def __enter__(self) -> None:
        for number, fd in self._files.items():
            self._saved[number] = _high(os.dup(number))
            self._keep(number)
            os.dup2(fd, number)

    def _keep(self, number: int) -> None:
        name = {1: "stdout", 2: "stderr"}.get(number, "")
        before: TextIO | None = getattr(sys, name, None)
        try:
            if before is None or before.fileno() != number:
                return
        except (OSError, ValueError):
            return  # a notebook's, say
        before.flush()
        self._own[name] = before
        where = os.dup(self._saved[number])
        setattr(
            sys, name, os.fdopen(_high(where), "w", encoding=before.encoding, errors=before.errors)
        )

    def __exit__(self, *_: object) -> None:
        for name, before in self._own.items():
            getattr(sys, name).close()
            setattr(sys, name, before)
        self._own.clear()
        for number, fd in self._saved.items():
            os.dup2(fd, number)
            os.close(fd)
        self._saved.clear()
