"""C data models: how a guest's compiler and kernel lay out data.

An :class:`Abi` holds only what struct layouts and system-call conversion need.
`HOST` describes the host, so that "guest to host" is always a pair of ABIs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

#: The host's signals (signal(7)); those from 32 on have no names and the same numbers everywhere.
SIGNALS = {
    "SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7,
    "SIGFPE": 8, "SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13,
    "SIGALRM": 14, "SIGTERM": 15, "SIGSTKFLT": 16, "SIGCHLD": 17, "SIGCONT": 18, "SIGSTOP": 19,
    "SIGTSTP": 20, "SIGTTIN": 21, "SIGTTOU": 22, "SIGURG": 23, "SIGXCPU": 24, "SIGXFSZ": 25,
    "SIGVTALRM": 26, "SIGPROF": 27, "SIGWINCH": 28, "SIGIO": 29, "SIGPWR": 30, "SIGSYS": 31,
}  # fmt: skip

#: As an ABI's number for a constant: it has none.
ABSENT = -1


class Abi:
    """The binary interface of one guest ISA and byte order.

    Attributes:
        name: the ABI's name.
        numbers: the module below `qusr.arch` with the numbers of its system calls.
        constants: the module below `qusr.arch` with the constants that differ from the host's;
            "" when all are the same.
        word: size of `long` and of a pointer, in bytes.
        register: size of the registers with a call's arguments: a word, or 8 where programs with
            short pointers run on a 64-bit kernel (mips' n32).
        big_endian: byte order of data.
        align64: alignment of a 64-bit integer inside a struct, in bytes.
        pair_align: whether a 64-bit argument in two registers starts at an
            even register (AAPCS section 6.4.2; also mips o32 and ppc32).
        families: struct families, most specific first; see
            :class:`qusr.syscalls.layout.PerAbi`.
        nargs: how many argument registers a system call can use.
        core: what the Rust side calls guests with it (native/guests/src/lib.rs): how they enter the
            kernel, signal frames and the like are its.
    """

    __slots__ = (
        "align64",
        "big_endian",
        "constants",
        "core",
        "families",
        "name",
        "nargs",
        "numbers",
        "pair_align",
        "register",
        "word",
    )

    def __init__(
        self,
        name: str,
        *,
        numbers: str,
        word: int,
        register: int = 0,
        families: tuple[str, ...],
        constants: str = "",
        big_endian: bool = False,
        align64: int = 8,
        pair_align: bool = False,
        nargs: int = 6,
        core: str = "",
    ) -> None:
        self.name = name
        self.numbers = numbers
        self.constants = constants
        self.word = word
        self.register = register or word
        self.big_endian = big_endian
        self.align64 = align64
        self.pair_align = pair_align
        self.families = families
        self.nargs = nargs
        self.core = core

    @property
    def sigset_size(self) -> int:
        """Bytes of the sets of signals that calls take."""
        return 16 if "sigset128" in self.families else 8

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """The byte order of data, as :meth:`int.from_bytes` calls it."""
        return "big" if self.big_endian else "little"

    def differing(self, family: str) -> Mapping[str, int]:
        """The constants of a family that have other values than on the host, by name.

        `ABSENT` is the value of those that only the host has. Families: errno, signal, open, fcntl,
        mmap, socket, socktype, rlimit, ioctl, ioc (the bit fields of _IOC). Modules with many are
        made by tools/gen_constants.py.
        """
        if not self.constants:
            return {}
        module = __import__(f"qusr.arch.{self.constants}", fromlist=["CONSTANTS"])
        found: Mapping[str, int] = module.CONSTANTS.get(family, {})
        return found

    def signal_to_host(self, number: int) -> int:
        """The host's number of a signal; -1 for one that it does not have."""
        differing = self.differing("signal")
        if not differing or not 0 < number < 32:
            return number
        for name, host in SIGNALS.items():
            if differing.get(name, host) == number:
                return host
        return -1

    def signal_to_guest(self, number: int) -> int:
        """The guest's number of a signal of the host."""
        differing = self.differing("signal")
        if differing:
            for name, host in SIGNALS.items():
                if host == number:
                    return differing.get(name, host)
        return number

    def mask_to_guest(self, mask: int) -> int:
        """A set of signals by the guest's numbers."""
        return self._moved(mask, self.signal_to_guest)

    def mask_to_host(self, mask: int) -> int:
        """A set of signals by the host's numbers."""
        return self._moved(mask, self.signal_to_host)

    def _moved(self, mask: int, place: Callable[[int], int]) -> int:
        if not self.differing("signal"):
            return mask
        found = 0
        for number in range(1, 65):
            if mask >> number - 1 & 1 and place(number) > 0:
                found |= 1 << place(number) - 1
        return found

    def wait_status_to_guest(self, status: int) -> int:
        """What wait4(2) stores, with the guest's numbers of signals."""
        if status == 0xFFFF or status & 0x7F == 0:
            return status
        if status & 0xFF == 0x7F:
            return status & ~0x7F00 | self.signal_to_guest(status >> 8 & 0x7F) << 8
        return status & ~0x7F | self.signal_to_guest(status & 0x7F)

    def wait_status_to_host(self, status: int) -> int:
        """The way back, of a stop's status."""
        if status & 0xFF != 0x7F:
            return status
        return status & ~0x7F00 | self.signal_to_host(status >> 8 & 0x7F) << 8


HOST = Abi("x86_64", numbers="x86.numbers_64", word=8, families=("x64", "64"))
