"""The qusr commands: qemu-user's options with qemu's meaning.

`qusr-aarch64 ./hello` and its like; `qusr ./hello` takes the guest from the ELF
header. The guest's exit status is ours, and a guest that dies by a signal makes us
die by it.

An option means what it means to qemu-user (linux-user/main.c of QEMU), its variable is
QUSR_NAME or QEMU_NAME; options go before variables, QUSR_NAME before QEMU_NAME.
Nothing is imported here that a plain start does not need: each start of a guest pays for
it.
"""

from __future__ import annotations

# `signal` would import `enum`, which takes longer than all of this module.
import _signal  # type: ignore[import-not-found]
import os
import sys

from qusr import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from qusr._native import EarlyStart
    from qusr.options import Options
    from qusr.process import Process

#: Status of a command line that cannot be (qemu's EXIT_FAILURE), and of our own mistakes
#: (EX_SOFTWARE of sysexits.h).
USAGE, INTERNAL = 1, 70

#: What Python changes when it starts: it ignores the first two, which a guest must not
#: inherit, and catches the third. Whether they were ignored before is not to be known,
#: but for SIGINT: Python leaves that alone when it is ignored.
_PYTHONS_SIGNALS = (_signal.SIGPIPE, _signal.SIGXFSZ)

#: Option, variable (without QEMU_ or QUSR_), whether it has a value. In the order in which
#: the variables are looked at.
OPTIONS = (
    ("h", "", False),
    ("help", "", False),
    ("g", "GDB", True),
    ("L", "LD_PREFIX", True),
    ("s", "STACK_SIZE", True),
    ("cpu", "CPU", True),
    ("E", "SET_ENV", True),
    ("U", "UNSET_ENV", True),
    ("0", "ARGV0", True),
    ("r", "UNAME", True),
    ("B", "GUEST_BASE", True),
    ("R", "RESERVED_VA", True),
    ("d", "LOG", True),
    ("dfilter", "DFILTER", True),
    ("D", "LOG_FILENAME", True),
    ("p", "PAGESIZE", True),
    ("singlestep", "SINGLESTEP", False),
    ("one-insn-per-tb", "ONE_INSN_PER_TB", False),
    ("strace", "STRACE", False),
    ("seed", "RAND_SEED", True),
    ("trace", "TRACE", True),
    ("plugin", "PLUGIN", True),
    ("perfmap", "PERFMAP", False),
    ("jitdump", "JITDUMP", False),
    ("version", "VERSION", False),
    ("threads", "", True),
    ("core", "CORE", True),
    ("opt", "OPT", True),
)

_NOT_YET = ("singlestep", "one-insn-per-tb", "trace", "plugin", "perfmap", "jitdump")
_CORES = ("unicorn", "native")
_PAGE = 4096


class CommandError(Exception):
    """The command line cannot be; the message says why."""


class Command:
    """A command line, understood.

    Attributes:
        name: of the command, for messages.
        guest: the guest ISA that the command is for; None: the program's.
        argv: the program and its arguments.
    """

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self.guest = _native.guest_of_command(name)
        self.environ = environ
        self.argv: list[str] = []
        self.show = ""
        self.pid = 0
        self.sysroot: str | None = None
        self.core: str | None = None
        self.opt = ""
        self.cpu: str | None = None
        self.argv0: str | None = None
        self.stack_size: int | None = None
        self.uname: str | None = None
        self.guest_base: int | None = None
        self.reserved_va: int | None = None
        self.seed: int | None = None
        self.strace = False
        self.log_items: str | None = None
        self.log_file: str | None = None
        self.log_filter: str | None = None
        self.gdb: str | None = None
        self._changes: list[tuple[str, str | None]] = []

    # --- reading ---

    def parse(self, words: Sequence[str]) -> None:
        """Takes in the variables, then the options, up to the program."""
        for option, variable, _ in OPTIONS:
            # The loader looks at LD_PREFIX itself, for all its users.
            if variable and option != "L":
                value = self.environ.get("QUSR_" + variable)
                if value is None:
                    value = self.environ.get("QEMU_" + variable)
                if value is not None:
                    self._set(option, value)
        takes = {option: has_value for option, _, has_value in OPTIONS}
        at = 0
        while at < len(words) and words[at].startswith("-"):
            word = words[at]
            at += 1
            if word == "--":
                break
            # As in qemu: --option is -option.
            option = word[2:] if word.startswith("--") else word[1:]
            if option not in takes:
                raise CommandError(f"unknown option '{word}' (-help lists them)")
            value = ""
            if takes[option]:
                if at == len(words):
                    raise CommandError(f"missing argument for option '{word}'")
                value = words[at]
                at += 1
            self._set(option, value)
            if self.show:
                return
        self.argv = list(words[at:])

    def _set(self, option: str, value: str) -> None:
        if option in _NOT_YET:
            raise CommandError(f"qemu's option -{option} is not supported by qusr")
        setter = getattr(self, "_set_" + option, None)
        if setter is not None:
            setter(value)
        elif option == "E":
            self._set_environment(value)
        elif option == "U":
            self._unset_environment(value)
        elif option == "0":
            self.argv0 = value
        elif option == "strace":
            self.strace = True
        else:  # h, help, version
            self.show = "version" if option == "version" else "help"

    def _set_g(self, value: str) -> None:
        self.gdb = value

    def _set_L(self, value: str) -> None:
        self.sysroot = value

    def _set_s(self, value: str) -> None:
        size, suffix = number(value, "-s")
        shift = {"": 0, "k": 10, "K": 10, "M": 20}.get(suffix)
        if shift is None or size <= 0:
            raise CommandError(f"-s {value}: not a stack size (bytes, or with suffix k or M)")
        self.stack_size = size << shift

    def _set_cpu(self, value: str) -> None:
        self.cpu = value
        if value in ("help", "?"):
            self.show = "cpu"

    def _set_r(self, value: str) -> None:
        # As to qemu, nothing is no wish.
        self.uname = value or None

    def _set_B(self, value: str) -> None:
        base, suffix = number(value, "-B")
        if suffix or base % _PAGE:
            raise CommandError(f"-B {value}: not the address of a page")
        # As in qemu, 0 is no wish: page 0 of the host cannot be mapped.
        self.guest_base = base or None

    def _set_R(self, value: str) -> None:
        size, suffix = number(value, "-R")
        shift = {"": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}.get(suffix)
        if shift is None:
            raise CommandError(f"-R {value}: unknown suffix '{suffix}' (k, M, G or T)")
        size <<= shift
        if size >= 1 << 64 or size % _PAGE:
            raise CommandError(f"-R {value}: not a number of whole pages")
        self.reserved_va = size or None

    def _set_seed(self, value: str) -> None:
        seed, rest = number(value, "-seed")
        if rest:
            raise CommandError(f"-seed {value}: not a number")
        self.seed = seed

    def _set_threads(self, value: str) -> None:
        pid, rest = number(value, "-threads")
        if rest or not 0 < pid < 1 << 31:
            raise CommandError(f"-threads {value}: not a process id")
        self.pid = pid
        self.show = "threads"

    def _set_p(self, value: str) -> None:
        if number(value, "-p") != (_PAGE, ""):
            raise CommandError(f"-p {value}: pages have {_PAGE} bytes")

    def _set_d(self, value: str) -> None:
        self.log_items = value
        if value in ("help", "?"):
            self.show = "log items"

    def _set_D(self, value: str) -> None:
        self.log_file = value

    def _set_dfilter(self, value: str) -> None:
        self.log_filter = value

    def _set_core(self, value: str) -> None:
        # Behind a comma: what the core itself understands (native,check).
        if value.partition(",")[0] not in _CORES:
            raise CommandError(f"no CPU core '{value}': there are {' and '.join(_CORES)}")
        self.core = value

    def _set_opt(self, value: str) -> None:
        self.opt = value

    def _set_environment(self, value: str) -> None:
        for item in value.split(","):
            name, equals, text = item.partition("=")
            if not equals or not name:
                raise CommandError(f"-E {value}: '{item}' is not NAME=VALUE")
            self._changes.append((name, text))

    def _unset_environment(self, value: str) -> None:
        for name in value.split(","):
            if "=" in name or not name:
                raise CommandError(f"-U {value}: '{name}' is not a variable's name")
            self._changes.append((name, None))

    # --- what comes of it ---

    def environment(self, inherited: Mapping[bytes, bytes]) -> list[bytes] | None:
        """The guest's environment; None: the inherited one."""
        if not self._changes:
            return None
        env = dict(inherited)
        for name, value in self._changes:
            if value is None:
                env.pop(os.fsencode(name), None)
            else:
                env[os.fsencode(name)] = os.fsencode(value)
        return [name + b"=" + value for name, value in env.items()]

    def options(self) -> Options:
        """For `Process`."""
        from qusr.options import Options

        log = None
        if self.log_items is not None or self.strace:
            from qusr.debug.log import Log, LogError

            items = self.log_items.split(",") if self.log_items else []
            try:
                log = Log(items, file=self.log_file, ranges=self.log_filter)
            except LogError as error:
                raise CommandError(str(error)) from None
            self.strace = self.strace or "strace" in log.items
        return Options(
            sysroot=self.sysroot,
            core=self.core,
            opt=self.opt,
            cpu=self.cpu,
            argv0=None if self.argv0 is None else os.fsencode(self.argv0),
            stack_size=self.stack_size,
            uname_release=self.uname,
            guest_base=self.guest_base,
            reserved_va=self.reserved_va,
            seed=self.seed,
            strace=self.strace,
            log=log,
        )


def number(text: str, option: str) -> tuple[int, str]:
    """A number at the start of an option's value, and the rest."""
    from qusr import numerals

    try:
        return numerals.number(text)
    except ValueError as error:
        raise CommandError(f"{option} {error}") from None


def main() -> None:
    """Entry point of every command."""
    name = os.path.basename(sys.argv[0])
    if name in ("__main__.py", "-c", "-m", ""):
        name = "qusr"
    execute(name, sys.argv[1:], os.environ)


def execute(
    name: str,
    words: Sequence[str],
    variables: Mapping[str, str],
    *,
    fd: int = -1,
    ignored: Sequence[int] = (),
    cache: str | None = None,
) -> None:
    """What the command `name` does.

    `variables` are looked at for options. `fd` is the program, already open. The signals
    `ignored` are known to have been ignored before Python started. `cache` takes the place
    of the cache below the home directory.
    """
    early = _native.early_start()
    if not isinstance(early, _native.EarlyStart):
        restore_signals(ignored)
    # For a mistake in a thread that is not the first one.
    sys.unraisablehook = lambda mistake: explain(name, mistake.exc_value or AssertionError())
    try:
        _main(Command(name, variables), words, fd, cache, early)
    except SystemExit:
        raise
    except BaseException as error:
        explain(name, error)


def restore_signals(ignored: Sequence[int]) -> None:
    """Takes back what Python's start changes; `ignored` were ignored before."""
    for inherited in _PYTHONS_SIGNALS:
        action = _signal.SIG_IGN if inherited in ignored else _signal.SIG_DFL
        _signal.signal(inherited, action)
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def _main(
    command: Command,
    words: Sequence[str],
    fd: int,
    cache: str | None,
    early: EarlyStart | bytes | None,
) -> None:
    if command.name == "qusr" and words[:1] == ["gdb"]:
        from qusr.debug.gdb import client

        client.main(words[1:], lambda rest: execute("qusr", rest, os.environ))
    command.parse(words)
    if command.show == "threads":
        _show_threads(command.pid)
    if command.show:
        from qusr import usage

        variables = {option: variable for option, variable, _ in OPTIONS}
        usage.show(command.show, command.name, command.guest, command.sysroot, variables)
    if not command.argv:
        raise CommandError("no program to run (-help shows how)")
    from qusr.process import Process
    from qusr.thread import leave

    environment = command.environment(os.environb)
    if cache is not None and "QUSR_CACHE_DIR" not in os.environ:
        # For us, not for the guest.
        environment = environment or [k + b"=" + v for k, v in os.environb.items()]
        os.environ["QUSR_CACHE_DIR"] = cache
    options = command.options()

    def run(
        argv: Sequence[str | bytes],
        env: list[bytes] | None,
        loaded: Callable[[Process], None] | None,
        *,
        program: int = -1,
        early: EarlyStart | bytes | None = None,
    ) -> NoReturn:
        process = Process(
            argv, env=env, guest=command.guest, options=options, fd=program, early=early
        )
        if not isinstance(early, _native.EarlyStart):
            process.publish()
        process.on_exit = leave
        if loaded is not None:
            loaded(process)
        leave(process.run())
        raise AssertionError("leave() came back")

    loaded = None
    if command.gdb is not None:
        loaded = _debugged(command, environment, run)
    run(command.argv, environment, loaded, program=fd, early=early)


def _debugged(
    command: Command,
    environment: list[bytes] | None,
    run: Callable[[list[bytes], list[bytes], Callable[[Any], None]], None],
) -> Callable[[Any], None]:
    """Starts the server of -g; what to do when the program is loaded."""
    from qusr.debug.gdb import launch

    def begin(argv: list[bytes], env: list[bytes], loaded: Callable[[Any], None]) -> None:
        try:
            run(argv, env, loaded)
        except BaseException as error:
            explain(command.name, error)

    assert command.gdb is not None
    words = [os.fsencode(word) for word in command.argv]
    variables = environment or [k + b"=" + v for k, v in os.environb.items()]
    return launch.begin(command.gdb, launch.Programs(words, variables, begin)).meet


def _show_threads(pid: int) -> NoReturn:
    """Prints where the threads of another process are."""
    from qusr.debug import threads

    try:
        sys.stdout.write(threads.report(pid))
    except threads.UnknownError as error:
        raise CommandError(str(error)) from None
    sys.stdout.flush()
    sys.exit(0)


def explain(name: str, error: BaseException) -> NoReturn:
    """Ends with one line on stderr for an exception, and the status that fits it."""
    status = _status(error)
    if status == INTERNAL and os.environ.get("QUSR_DEBUG"):
        from qusr.debug import evidence

        evidence.of_error(name, error)
        os._exit(status)
    message = str(error)
    if status == INTERNAL:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = ""
        if place is not None:
            file = os.path.basename(place.tb_frame.f_code.co_filename)
            where = f" ({file}, line {place.tb_lineno})"
        message = (
            f"internal error: {type(error).__name__}: {message}{where}; "
            "please report it, with what QUSR_DEBUG=1 in the environment shows"
        )
    line = " ".join(f"{name}: {message}".split("\n"))
    os.write(2, line.encode(errors="surrogateescape") + b"\n")
    os._exit(status)


def _status(error: BaseException) -> int:
    if isinstance(error, CommandError):
        return USAGE
    from qusr.loader import LoadError

    if isinstance(error, LoadError):
        return error.status
    from qusr.cpu.unicorn import UnicornNotFoundError
    from qusr.options import UsageError

    if isinstance(error, UsageError | UnicornNotFoundError):
        return USAGE
    return INTERNAL
