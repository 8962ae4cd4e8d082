"""A running guest, as the layers below the process see it.

System-call handlers, ptrace, core files, logs and strace work on a process and its threads
without knowing `qusr.process` and `qusr.thread`, which are above them. Only for type checkers:
nothing imports this at run time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from qusr import _native
from qusr.arch.abi import Abi
from qusr.arch.base import Arch, CpuModel
from qusr.debug.log import Log
from qusr.execution import Leaving
from qusr.loader.cache import Store
from qusr.loader.sysroot import Sysroot
from qusr.options import Exited, Options
from qusr.ptrace.tracer import Tracer


class Thread(Protocol):
    """A guest thread (`qusr.thread.Thread`).

    Attributes:
        native: its Rust half.
        tid: its id, which is the host's.
        ended: it is not to go on.
        exec_request: what the first thread does when it is the only one left (execve(2)).
        tracer: the books of what it traces.
    """

    native: _native.Thread
    tid: int
    ended: bool
    exec_request: Callable[[], None] | None
    tracer: Tracer | None

    @property
    def process(self) -> Process:
        """Whose thread it is."""

    @property
    def is_here(self) -> bool:
        """Whether its registers can be read."""

    def start_sibling(self, request: _native.CloneRequest) -> int:
        """Starts another thread of the process; its tid."""

    def loop(self) -> None:
        """Runs until this thread or the whole process ends."""

    def become_first(self) -> None:
        """After a fork, in the child: the calling thread is the only one here."""

    def doom(self) -> None:
        """Makes another thread end soon."""

    def leave(self) -> None:
        """Ends without any of what exit(2) does: the process ends, or another program begins."""

    def wait_for_others(self) -> None:
        """The first thread's end: it stays until the last one is gone."""


class Process(Protocol):
    """A guest process (`qusr.process.Process`), which says what the attributes are."""

    arch: Arch
    abi: Abi
    cpu_model: CpuModel
    memory: _native.AddressSpace
    native: _native.Process
    image: _native.Image
    stack: _native.Stack
    store: Store
    sysroot: Sysroot
    argv: list[bytes]
    envp: list[bytes]
    exe: bytes
    comm: bytes
    log: Log | None
    exited: Exited | None
    read_implies_exec: bool
    shares_files: bool
    uname_release: str | None
    gone: Any
    loan: _native.Loan | None
    leaving: Leaving | None
    traced_from_exec: bool
    vforked: bool
    options: Options
    hooks: list[Callable[[Any, str, tuple[int, ...]], int | None]]

    @property
    def main(self) -> Thread:
        """The first thread."""

    @property
    def threads(self) -> Mapping[int, Thread]:
        """Those that run, by tid."""

    @property
    def pc(self) -> int:
        """The address of the next instruction."""

    @property
    def mmap_min_addr(self) -> int:
        """The lowest address that the guest may map."""

    def load(self, prepared: _native.Prepared) -> None:
        """Makes a program the one of this process."""

    def step(self) -> Exited | None:
        """Executes one instruction."""

    def ends(self, exited: Exited) -> None:
        """The whole process ends so."""

    def publish(self) -> None:
        """Shows the host the guest program."""

    @property
    def shares_memory(self) -> bool:
        """Whether the host memory that this process lives in is also another one's."""

    @property
    def parent_waits(self) -> bool:
        """Whether it is a vfork's child that has not executed a program yet."""

    def lend(self, native: _native.Thread) -> Process:
        """A process like this one in the same memory."""

    def trace_me(self) -> None:
        """PTRACE_TRACEME, by a process that is about to begin a program."""

    def is_own_exe(self, info: os.stat_result) -> bool:
        """Whether a file is the emulator's executable."""

    def owns_fd(self, fd: int) -> bool:
        """Whether a descriptor is the emulator's."""

    def set_read_implies_exec(self, on: bool) -> None:
        """Whether what is mapped readable is executable, too."""

    def call_name(self, number: int) -> str | None:
        """The name of a system call, by the guest's number."""

    def add_memory_file(self, dev: int, ino: int) -> None:
        """Says which file stands for /proc/self/mem."""
