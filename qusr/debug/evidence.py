"""What QUSR_DEBUG=1 has a process say when it dies of a mistake of qusr's, or of SIGQUIT.

Whatever cannot be said is left out: there may be no file left to import from.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.log import Log


def of_error(name: str, error: BaseException) -> None:
    """Writes the trace of a mistake inside qusr, and where all threads are, to stderr."""
    import traceback

    _write(2, "".join(traceback.format_exception(error)))
    _write(2, f"{name}: internal error; the threads:\n{_threads()}")


def of_signal(log: Log | None) -> None:
    """Writes where all threads are, to the log or else to stderr."""
    text = f"SIGQUIT; the threads of process {os.getpid()}:\n{_threads()}"
    if log is None:
        _write(2, text)
    else:
        log.write(text)


def _threads() -> str:
    try:
        from qusr.debug import threads

        return threads.report(os.getpid())
    except Exception as error:
        # The mistake that is being reported may be at work here too.
        return f"(not to be had: {type(error).__name__}: {error})\n"


def _write(fd: int, text: str) -> None:
    try:
        os.write(fd, text.encode(errors="surrogateescape"))
    except OSError:
        pass
