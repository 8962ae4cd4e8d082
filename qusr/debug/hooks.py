"""Python functions that are called at guest addresses, for who embeds a process.

The guest is then executed one instruction at a time, which is a hundred times slower and
more: nothing else lets a function see, and change, the registers at an exact place on any core.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qusr.options import Exited
    from qusr.running import Process

    #: With the process, as `qusr.Process`.
    AddressHook = Callable[[Any], None]
    CodeHook = Callable[[Any, int], None]


class CodeHooks:
    """The hooks of one process, and the loop that serves them."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.at: dict[int, list[AddressHook]] = {}
        self.everywhere: list[CodeHook] = []

    def __bool__(self) -> bool:
        return bool(self.at or self.everywhere)

    def run(self, until: int | None) -> Exited | None:
        """Runs to the guest's end, or to the address `until` (None then)."""
        process = self.process
        first = True
        while process.exited is None:
            pc = process.pc
            if pc == until and not first:
                return None
            first = False
            for at_hook in tuple(self.at.get(pc, ())):
                at_hook(process)
            for hook in tuple(self.everywhere):
                hook(process, pc)
            process.step()
            if process.main.ended:
                process.main.wait_for_others()
        return process.exited
