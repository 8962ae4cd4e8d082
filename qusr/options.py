"""How a guest is run, and how it ended."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.log import Log


class Option:
    """An option of the commands.

    Attributes:
        name: without its hyphen.
        variable: the variable that stands for it, without QUSR_ or QEMU_; "" for none.
        kind: what its value is, by which `native/machine/src/start/command.rs` reads it.
        value, meaning: for -help; an option without a meaning is not shown there.
    """

    __slots__ = ("kind", "meaning", "name", "value", "variable")

    def __init__(
        self, name: str, variable: str, kind: str, value: str = "", meaning: str = ""
    ) -> None:
        self.name = name
        self.variable = variable
        self.kind = kind
        self.value = value
        self.meaning = meaning


#: In the order in which the variables are looked at. What an option means is what it means to
#: qemu-user (linux-user/main.c of QEMU).
OPTIONS = (
    Option("h", "", "help", "", "show this help (also -help)"),
    Option("help", "", "help"),
    Option(
        "g", "GDB", "python", "WHERE",
        "wait for a debugger at PORT, HOST:PORT or the path of a socket",
    ),
    Option(
        "L", "LD_PREFIX", "sysroot", "PATH",
        "sysroot: a folder whose files go before the host's",
    ),
    Option(
        "s", "STACK_SIZE", "stack", "SIZE",
        "size of the guest's stack in bytes, or with suffix k, M or G",
    ),
    Option("cpu", "CPU", "cpu", "MODEL", "CPU model (-cpu help lists them)"),
    Option(
        "E", "SET_ENV", "set", "NAME=VALUE",
        "set a variable of the guest's environment (several with commas)",
    ),
    Option("U", "UNSET_ENV", "unset", "NAME", "remove a variable from it (several with commas)"),
    Option("0", "ARGV0", "text", "ARGV0", "the guest's argv[0]"),
    Option("r", "UNAME", "text", "RELEASE", "kernel release that uname(2) tells"),
    Option("B", "GUEST_BASE", "page", "ADDRESS", "host address of guest address 0"),
    Option(
        "R", "RESERVED_VA", "pages", "SIZE",
        "size of the guest's address space in bytes, or with k, M, G, T",
    ),
    Option("d", "LOG", "items", "ITEM,...", "write logs (-d help lists them)"),
    Option(
        "dfilter", "DFILTER", "python", "RANGE,...",
        "only of code at START..END, START+SIZE or END-SIZE",
    ),
    Option(
        "D", "LOG_FILENAME", "text", "FILE",
        "write them into FILE, %d standing for the process id",
    ),
    Option("p", "PAGESIZE", "pagesize", "SIZE", "nothing: pages have 4096 bytes"),
    Option("singlestep", "SINGLESTEP", "missing-flag"),
    Option("one-insn-per-tb", "ONE_INSN_PER_TB", "missing-flag"),
    Option("tb-size", "TB_SIZE", "missing"),
    Option("strace", "STRACE", "flag", "", "log system calls"),
    Option(
        "seed", "RAND_SEED", "number", "NUMBER",
        "makes the guest's AT_RANDOM the same in every run",
    ),
    Option("trace", "TRACE", "missing"),
    Option("plugin", "PLUGIN", "missing"),
    Option("perfmap", "PERFMAP", "missing-flag"),
    Option("jitdump", "JITDUMP", "missing-flag"),
    Option("version", "VERSION", "version", "", "show the version and exit"),
    Option(
        "threads", "", "threads", "PID",
        "show where each thread of a running guest process is, and exit",
    ),
    Option("core", "CORE", "core", "CORE", "CPU core: unicorn, native or direct"),
    Option(
        "opt", "OPT", "text", "no-NAME,...",
        "optimisations that the native core leaves out; cache=SIZE of its code",
    ),
)  # fmt: skip


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
