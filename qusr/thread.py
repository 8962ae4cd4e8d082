"""A guest thread: the loop between the Rust side and Python's decisions.

A guest thread is a host thread. Those that the guest starts are made by the Rust side
(`native/kernel/src/process/newborn.rs`); the first one runs wherever `Process.run` is called. A
thread that was made without Python comes here when it needs Python (`Process.arrives`).
"""

from __future__ import annotations

import _thread
import errno
import os

from qusr import _native
from qusr.options import Exited
from qusr.syscalls.context import NO_RESULT, Context, Restart, find_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from qusr.options import Options
    from qusr.ptrace.tracer import Tracer
    from qusr.running import Process
    from qusr.syscalls.strace import Strace

    Stop = tuple[object, ...]

    class Owner(Process, Protocol):
        """A process as its threads need it (`qusr.process.Process`)."""

        options: Options
        gone: Gone
        hooks: list[Callable[[Any, str, tuple[int, ...]], int | None]]
        result_hooks: list[Callable[[str, tuple[int, ...], int], object]]
        signal_hooks: list[Callable[[int, bytes], object]]
        stop_hook: Callable[[Thread, Stop], None] | None
        pause: _native.Pause | None
        threads: dict[int, Thread]
        last_status: int

        @property
        def main(self) -> Thread:
            """The first thread."""

        def become_child(self, thread: Thread) -> None:
            """After a fork, in the child: `thread` is the only one here."""

        def take_over_child(self, parent: Thread, borrowed: _native.Borrowed) -> None:
            """Goes on with a vfork that was made without Python."""

        def begin_to_die(self) -> bool:
            """From now on only the calling thread can end the process. False: another one can."""

        def preload(self) -> None:
            """Keeps what may be needed when the guest has put it out of reach."""

        def listens(self) -> None:
            """The guest is asked whether files may be opened: the emulator opens none any more."""

        def tracer(self) -> Strace | None:
            """What prints system calls, when that is asked for."""


_SIGQUIT = 3


class Gone:
    """Lets the first thread sleep until one of the others has ended.

    A bare lock, since importing `threading` would cost every start 2 ms.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def notify(self) -> None:
        """A thread has ended."""
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:
                pass  # another one was faster

    def wait(self) -> None:
        """Until the next `notify`; one that came before counts."""
        self._lock.acquire()


class Thread:
    """One guest thread of `process`, with its Rust half `native`.

    Without one it runs elsewhere, on its own, until it arrives.
    """

    __slots__ = (
        "_borrowed", "_first", "ended", "exec_request", "native", "process", "tid", "tracer",
    )  # fmt: skip

    native: _native.Thread

    def __init__(self, process: Owner, native: _native.Thread | None) -> None:
        self.process = process
        if native is not None:
            self.native = native
        self.ended = False
        self.tid = 0
        self.exec_request: Callable[[], None] | None = None
        self.tracer: Tracer | None = None
        self._first: Callable[[], Stop] | None = None
        self._borrowed: _native.Borrowed | None = None

    def arrives(self, arrival: _native.Arrival) -> None:
        """It has run without Python and goes on here, with what it has stopped for."""
        self.native, self._borrowed = arrival.thread, arrival.borrowed
        self.goes_on(arrival.resume)

    def goes_on(self, first: Callable[[], Stop]) -> None:
        """It runs already, and `first()` gives what it has stopped for."""
        self._first = first

    @property
    def is_here(self) -> bool:
        """Whether its registers can be read."""
        return hasattr(self, "native")

    # --- running ---

    def loop(self, paused: Callable[[], bool] | None = None) -> None:
        """Runs until this thread or the whole process ends, or `paused`; then it stays one of the
        process's threads.
        """
        process = self.process
        self.tid = _thread.get_native_id()
        process.threads[self.tid] = self
        self.set_trace()
        first, self._first = self._first, None
        if first is not None:
            self.dispatch(first())
        while not self.ended and process.exited is None:
            if paused is not None and paused():
                return
            self.dispatch(self.native.run())
        process.threads.pop(self.tid, None)
        process.gone.notify()

    def step(self) -> None:
        """Executes one instruction."""
        self.set_trace()
        self.dispatch(self.native.step())

    def start_sibling(self, request: _native.CloneRequest) -> int:
        """Starts another thread of the process; its tid. OSError: there is none."""
        native = self.native.sibling(request)
        child = Thread(self.process, native)
        return self.native.start(request, native, child.enters, child.live)

    def enters(self, tid: int) -> None:
        """It is one of the process's threads, as soon as anybody can know of it."""
        self.tid = tid
        process = self.process
        process.threads[tid] = self
        if process.exited is not None or process.main.exec_request is not None:
            _native.doom_thread(tid)  # who ends all threads may have looked before

    def live(self) -> None:
        """The life of a thread on a host thread that was made for it."""
        self.loop()
        process = self.process
        if process.main is self:
            # It has forked, and is the first one of the child process; or has come late.
            while process.exited is None:
                self.wait_for_others()
                if process.exited is None:
                    process.main.loop()

    def become_first(self) -> None:
        """After a fork, in the child: the calling thread is the only one here."""
        self.process.become_child(self)

    def doom(self) -> None:
        """Makes another thread end soon, without any of what exit(2) does for it."""
        if self.tid != _thread.get_native_id():
            _native.doom_thread(self.tid)

    def wait_for_others(self) -> None:
        """The first thread's end: it stays until the last one is gone, as a zombie leader
        does, or until another thread's execve makes it the only one again.
        """
        process = self.process
        while process.exited is None and process.threads:
            process.gone.wait()
        request, self.exec_request = self.exec_request, None
        if process.exited is not None:
            return
        if request is not None:
            self.ended = False
            request()
        else:
            process.ends(Exited(process.last_status))

    # --- stops of the Rust loop ---

    def set_trace(self) -> None:
        """Tells the Rust half what Python wants to see."""
        process = self.process
        traced = process.hooks or process.result_hooks or process.options.strace
        self.native.trace = bool(traced)
        if process.hooks or process.result_hooks:
            # A hook of clock_gettime is to be called, though the vDSO needs no call for it.
            process.native.calls_for_clocks()
        log = process.log
        self.native.watch_enosys = log is not None and log.wants("unimp")
        self.native.watch_signals = (
            process.options.strace
            or bool(process.signal_hooks)
            or (log is not None and log.wants("int"))
        )
        if process.pause is not None and process.main is self:
            self.native.set_pause(process.pause)

    def dispatch(self, stop: Stop) -> None:
        """Does what the stop asks for."""
        log = self.process.log
        if log is not None and log.wants("python") and stop[0] != "interrupted":
            log.write(f"[{os.getpid()}] python: {' '.join(map(str, stop[:2]))}\n")
        match stop:
            case ("borrowed",):
                borrowed, self._borrowed = self._borrowed, None
                assert borrowed is not None
                self.process.take_over_child(self, borrowed)
            case ("syscall", str(handler), tuple(args)):
                self._finish(self._call_handler(handler, args))
            case ("review", int(number), str(kind), int(result)):
                self._finish(self._review(kind, number, result))
            case ("trace", int(number), tuple(args)):
                self._traced(number, args)
            case ("enosys", int(number)):
                self._unimplemented(number)
            case ("preload",):
                self._preload()
            case ("exit", int(status), bool(whole)):
                self._exit(status & 0xFF, whole)
            case ("killed", int(number), bytes(info)):
                self._killed(number, info)
            case ("signal", int(number), bytes(info), killed):
                self._signalled(number, info, killed)
            case ("doomed",):
                self.leave()
            case ("interrupted",):
                pass
            case ("stop" | "block" | "watched" | "written" | "read", *_):
                # One that was taken out a moment ago may still come.
                if self.process.stop_hook is not None:
                    self.process.stop_hook(self, stop)
            case _:
                raise AssertionError(f"unknown stop {stop!r}")

    def _signalled(self, number: int, info: bytes, killed: object) -> None:
        """A signal was delivered while somebody wants to know."""
        process = self.process
        tracer = process.tracer()
        if tracer is not None:
            tracer.signalled(number, info)
        if process.log is not None:
            pc = self.native.reg(process.arch.registers.pc)
            process.log.signalled(number, pc)
        for hook in process.signal_hooks:
            hook(number, info)
        match killed:
            case (int(fatal), bytes(about)):
                self._killed(fatal, about)

    def _killed(self, number: int, info: bytes) -> None:
        """A signal ends the process, perhaps with a core file; `info` is its siginfo_t."""
        from qusr import dump

        process = self.process
        if number == _SIGQUIT and os.environ.get("QUSR_DEBUG"):
            from qusr.debug import evidence

            evidence.of_signal(process.log)
        if number not in dump.SIGNALS:
            process.ends(Exited(0, number))
        elif process.begin_to_die():
            process.ends(Exited(0, number, dump.dump(process, self, number, info)))
        else:
            self.leave()  # it is another thread's signal that counts

    def leave(self) -> None:
        """Ends without any of what exit(2) does: the process ends, or another program begins."""
        self.ended = True
        self.native.leave()

    def _preload(self) -> None:
        """Makes a call behind which nothing may be left to import from."""
        self.process.preload()
        number, args = self.native.call_registers()
        if self.process.call_name(number) == "fanotify_mark":
            self.process.listens()
        stop = self.native.make_call(number, tuple(args))
        if stop is not None:
            self.dispatch(stop)

    def _exit(self, status: int, whole: bool) -> None:
        process = self.process
        if process.main.exec_request is not None:
            # All threads are being ended for a program that has won (kernel/exit.c, do_group_exit).
            self.leave()
            return
        process.last_status = status
        if whole or (process.main is self and len(process.threads) <= 1):
            process.ends(Exited(status))
            return
        self.ended = True
        self.native.ends()

    def _finish(self, result: int | None) -> None:
        if result is None:
            self.native.restart_call()
        elif result != NO_RESULT:
            self.native.finish_call(result)

    def _call_handler(self, name: str, args: Sequence[int]) -> int | None:
        """The handler's result, -errno, or None when the call is to be made again."""
        handler = find_handler(name)
        return self._guarded(lambda ctx: handler(ctx, *args))

    def _guarded(self, function: Callable[[Context], int]) -> int | None:
        try:
            return function(Context(self.process, self.native, self))
        except Restart:
            return None
        except OSError as error:
            return -(error.errno or errno.EIO)

    def _review(self, kind: str, number: int, result: int) -> int | None:
        from qusr.syscalls.handlers import procfs

        _, args = self.native.call_registers()
        return self._guarded(lambda ctx: procfs.review(ctx, kind, number, args, result))

    def _traced(self, number: int, args: tuple[int, ...]) -> None:
        process = self.process
        name = process.call_name(number) or f"syscall_{number}"
        tracer = process.tracer()
        if tracer is not None:
            tracer.enter(self.native, name, args)
        native = self.native
        for hook in process.hooks:
            result = hook(process, name, args)
            if result is not None:
                native.finish_call(result)
                break
        else:
            stop = native.make_call(number, args)
            if stop is not None:
                self.dispatch(stop)
        if process.exited is None and not self.ended:
            result = self.native.reg(process.arch.registers.result)
            if tracer is not None:
                tracer.leave(self.native, name, result)
            for result_hook in process.result_hooks:
                result_hook(name, args, result)
        elif tracer is not None:
            tracer.gone(name)

    def _unimplemented(self, number: int) -> None:
        log = self.process.log
        if log is not None:
            name = self.process.call_name(number) or "unknown"
            log.unimp(f"system call {name} ({number}): not implemented, ENOSYS")
        self.native.finish_call(-errno.ENOSYS)


def leave(exited: Exited) -> None:
    """Ends this host process as the guest ended."""
    import sys

    sys.stdout.flush()
    sys.stderr.flush()
    if _native.memory_is_shared():
        _native.leave_memory(exited.status, exited.signal)
    if exited.signal is None:
        _native.keep_stocks()
    if exited.core is not None and exited.signal is not None:
        _native.die_dumped(exited.signal, exited.core)
    if exited.signal is not None:
        _native.die_by(exited.signal)
    os._exit(exited.status)
