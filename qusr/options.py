"""How a guest is run, and how it ended."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.log import Log


class Options:
    """How a guest is run; the defaults are those of the command line.

    Attributes:
        sysroot: the directory that stands for `/`, or None.
        core: the CPU core, "unicorn", "native" or "native,check" (each translation compared
            with the interpreter); None: QUSR_CORE, else native where it runs the guest.
        opt: optimisations of the native core to leave out, as "no-chain,no-fold".
        cpu: the CPU model's name; None: the best one.
        argv0: replaces argv[0].
        stack_size: of the guest's stack, in bytes; None: from RLIMIT_STACK.
        uname_release: what uname(2) gives as the kernel's release; None: the host's.
        guest_base: host address of guest address 0; None: wherever there is room.
        reserved_va: size of the guest's address space in bytes; None: all of it.
        seed: makes AT_RANDOM the same in every run.
        strace: print each system call.
        log: where logs (-d, -strace) go.
    """

    def __init__(
        self,
        *,
        sysroot: str | None = None,
        core: str | None = None,
        opt: str = "",
        cpu: str | None = None,
        argv0: bytes | None = None,
        stack_size: int | None = None,
        uname_release: str | None = None,
        guest_base: int | None = None,
        reserved_va: int | None = None,
        seed: int | None = None,
        strace: bool = False,
        log: Log | None = None,
    ) -> None:
        self.sysroot = sysroot
        self.core = core
        self.opt = opt
        self.cpu = cpu
        self.argv0 = argv0
        self.stack_size = stack_size
        self.uname_release = uname_release
        self.guest_base = guest_base
        self.reserved_va = reserved_va
        self.seed = seed
        self.strace = strace
        self.log = log


class UsageError(Exception):
    """An option that cannot be; the message says what can."""


class Exited:
    """How a guest ended: by `status` (0-255), or by `signal` when that is not None.

    `core` is the name of its core file, if one was written.
    """

    __slots__ = ("core", "signal", "status")

    def __init__(self, status: int, signal: int | None = None, core: bytes | None = None) -> None:
        self.status = status
        self.signal = signal
        self.core = core

    @property
    def returncode(self) -> int:
        """As `subprocess` has it: negative for a signal."""
        return self.status if self.signal is None else -self.signal

    def __repr__(self) -> str:
        if self.signal is None:
            return f"Exited({self.status})"
        return f"Exited(signal={self.signal})"
