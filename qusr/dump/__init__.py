"""Core files: the guest as it is when a signal kills it, for `gdb`.

Written when RLIMIT_CORE allows one, as the kernel would write the core of a process of the
guest's own machine (core(5), fs/coredump.c, fs/binfmt_elf.c). The host kernel would dump
the emulator.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.running import Process, Thread

#: SIGQUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV, XCPU, XFSZ and SYS: those that dump core (signal(7)).
SIGNALS = frozenset((3, 4, 5, 6, 7, 8, 11, 24, 25, 31))

_RLIMIT_CORE = 4
_LEAST = 4096
"""A smaller limit allows none (fs/coredump.c, `min_coredump`)."""

_PATIENCE = 5.0
"""Seconds that a thread may take to stop; one that does not is left out."""


def dump(process: Process, thread: Thread, number: int, info: bytes) -> bytes | None:
    """Writes the core of `process`, which `thread` dies of signal `number` with siginfo_t `info`.

    The other threads are ended. The file's name, None when there is no core.
    """
    from qusr import _native

    limit = min(_native.getrlimit(_RLIMIT_CORE)[0], 1 << 63)
    if limit < _LEAST or not _native.is_dumpable():
        return None
    from qusr.dump import core, filename

    # The kernel, too, lets nothing but SIGKILL interrupt this.
    _native.Thread.block_signals()
    threads = [thread, *_stop_others(process, thread)]
    name = filename.expand(process, thread, number, limit)
    if not name:
        return None
    try:
        file = filename.create(name)
    except OSError:
        return None
    try:
        core.write(file, limit, process, threads, (number, info))
    except OSError:
        pass  # no room: what there is may still be of use, and the kernel leaves it as well
    finally:
        os.close(file)
    return name


def _stop_others(process: Process, thread: Thread) -> list[Thread]:
    """Ends the other threads; they keep their registers. They come in the order of creation."""
    import time

    stopped: list[Thread] = []
    end = time.monotonic() + _PATIENCE
    while True:
        others = [other for other in list(process.threads.values()) if other is not thread]
        for other in others:
            if other not in stopped:
                stopped.append(other)
                other.doom()
        if not others or time.monotonic() > end:
            return [other for other in stopped if other.is_here]
        time.sleep(0.0005)
