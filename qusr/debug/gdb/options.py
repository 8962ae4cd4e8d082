"""What a debugger says of itself."""

from __future__ import annotations

#: What of both sides' abilities the debugger must have said that it has, too.
MUTUAL = (
    "multiprocess", "fork-events", "vfork-events", "exec-events", "swbreak", "hwbreak",
    "no-resumed",
)  # fmt: skip


class Options:
    """What a debugger has said about itself and asked for.

    Attributes:
        features: those of `MUTUAL` that both have.
        extended: it may start programs, and outlives them.
        passed: signals that the program gets without a stop.
        program: signals that a program gets when it is let go; None: all.
        thread_events: the begin and the end of threads are stops.
        environment: changes for the next program: a value, or None to take the variable away.
        directory: where the next program begins.
        lists: stop replies name all threads.
        words: errors are told in words, too.
    """

    def __init__(self) -> None:
        self.features: set[str] = set()
        self.extended = False
        self.passed: frozenset[int] = frozenset()
        self.program: frozenset[int] | None = None
        self.thread_events = False
        self.environment: dict[bytes, bytes | None] = {}
        self.directory: bytes | None = None
        self.lists = False
        self.words = False

    @property
    def multiprocess(self) -> bool:
        """Thread-ids name the process."""
        return "multiprocess" in self.features
