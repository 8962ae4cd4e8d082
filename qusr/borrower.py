"""A process that lives in another one's memory: clone(2) with CLONE_VM, vfork(2), posix_spawn(3).

It is a process of its own to the host, too (`native/kernel/src/process/share.rs`), and runs the
same interpreter as its parent. It must not end in the midst of Python, whose locks others wait for.
So whatever ends it, exit or execve, first comes back to where it began, and Rust does the rest.
"""

from __future__ import annotations

from qusr.options import Exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr import _native
    from qusr.running import Process

    End = tuple[object, ...]


def live(process: Process, loan: _native.Loan, begin: Callable[[], None]) -> End:
    """The life of `process`, on its own host thread; how it ends, for `python/share.rs`.

    `begin` is done first: what the parent is to see when its clone returns.
    """
    process.loan = loan
    process.native.die_orderly()
    process.main.native.adopt()
    begin()
    loan.has_begun()
    return _go_on(process)


def is_gone(process: Process, memory: _native.AddressSpace, in_order: bool) -> None:
    """Lets go of what a process had for itself: its CPU, and of a program that was executed in the
    lender's memory the address space above all, whose mappings also say that it still runs
    (ETXTBSY). Who was not `in_order` in the end leaves all but that: it may be half changed.

    Runs in the lender, whose `memory` it was: nothing may be closed that was the process's.
    """
    process.native.runs_no_more()
    if in_order or process.memory is not memory:
        # There is a circle: the process and its threads know one another.
        vars(process).clear()


def _go_on(process: Process) -> End:
    while process.exited is None and process.leaving is None:
        process.main.loop()
        process.main.wait_for_others()
    if process.leaving is not None:
        leaving, process.leaving = process.leaving, None

        def failed(number: int) -> End:
            leaving.failed(number)
            return _go_on(process)

        native = process.main.native
        return "exec", native, leaving.path, leaving.argv, leaving.envp, failed
    assert process.exited is not None
    while process.threads:
        process.gone.wait()
    process.main.native.ends()
    # The others' memory keeps what says that it runs.
    process.native.runs_no_more()
    return _end(process.exited)


def _end(exited: Exited) -> End:
    if exited.signal is not None:
        return "killed", exited.signal
    return "exit", exited.status
