"""The qusr commands: qemu-user's options with qemu's meaning.

`qusr-aarch64 ./hello` and its like; `qusr ./hello` takes the guest from the ELF
header. The guest's exit status is ours, and a guest that dies by a signal makes us
die by it.

How options are read is Rust's, for most starts do without Python
(`native/machine/src/start/options.rs`); which there are, `qusr/options.py` says.
Nothing is imported here that a plain start does not need: each start of a guest pays for
it.
"""

from __future__ import annotations

# `signal` would import `enum`, which takes longer than all of this module.
import _signal  # type: ignore[import-not-found]
import os
import sys

from qusr import _native, installed

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
        self._values: dict[str, Any] = {}
        self._changes: list[tuple[bytes, bytes | None]] = []

    def parse(self, words: Sequence[str]) -> None:
        """Takes in the variables, then the options, up to the program."""

        def find(name: bytes) -> bytes | None:
            value = self.environ.get(os.fsdecode(name))
            return None if value is None else os.fsencode(value)

        try:
            found = _native.parse_options([os.fsencode(word) for word in words], find)
        except ValueError as error:
            raise CommandError(os.fsdecode(error.args[0])) from None
        self._values, self._changes, self.show, argv = found
        self.argv = [os.fsdecode(word) for word in argv]

    def text(self, option: str) -> str | None:
        """The text that an option has."""
        value = self._values.get(option)
        return None if value is None else os.fsdecode(value)

    def flag(self, option: str) -> bool:
        """Whether an option without a value is there."""
        return option in self._values

    def number(self, option: str) -> int | None:
        """The number that an option has."""
        value = self._values.get(option)
        assert value is None or isinstance(value, int)
        return value

    # --- what comes of it ---

    def environment(self, inherited: Mapping[bytes, bytes]) -> list[bytes] | None:
        """The guest's environment; None: the inherited one."""
        if not self._changes:
            return None
        env = dict(inherited)
        for name, value in self._changes:
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return [name + b"=" + value for name, value in env.items()]

    def options(self) -> Options:
        """For `Process`."""
        from qusr.options import Options

        log, strace = None, self.flag("strace")
        items, ranges = self.text("d"), self.text("dfilter")
        if items is not None or strace:
            from qusr.debug.log import Log, LogError

            try:
                log = Log(
                    items.split(",") if items else [],
                    file=self.text("D"),
                    ranges=ranges,
                )
            except LogError as error:
                raise CommandError(str(error)) from None
            strace = strace or "strace" in log.items
        elif ranges:
            from qusr.debug.log import LogError, parse_ranges

            try:
                parse_ranges(ranges)
            except LogError as error:
                raise CommandError(str(error)) from None
        argv0 = self._values.get("0")
        return Options(
            sysroot=self.text("L"),
            core=self.text("core"),
            opt=self.text("opt") or "",
            cpu=self.text("cpu"),
            argv0=argv0,
            stack_size=self.number("s"),
            uname_release=self.text("r") or None,
            # As in qemu, 0 is no wish: page 0 of the host cannot be mapped.
            guest_base=self.number("B") or None,
            reserved_va=self.number("R") or None,
            seed=self.number("seed"),
            strace=strace,
            log=log,
        )


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
    if early is None:
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
    early: EarlyStart | None,
) -> None:
    if command.name == "qusr" and words[:1] == ["binfmt"]:
        from qusr.binfmt import cli as binfmt

        _whole_python()
        binfmt.main(list(words[1:]))
    if command.name == "qusr" and words[:1] == ["gdb"]:
        from qusr.debug.gdb import client

        client.main(words[1:], lambda rest: execute("qusr", rest, os.environ))
    command.parse(words)
    if command.show == "threads":
        _show_threads(command.number("threads") or 0)
    if command.show:
        from qusr import usage

        usage.show(command.show, command.name, command.guest, command.text("L"))
    if not command.argv:
        raise CommandError("no program to run (-help shows how)")
    if command.argv[0] == "info" and command.guest is None:
        _show_info(command)
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
        early: EarlyStart | None = None,
    ) -> NoReturn:
        process = Process(
            argv, env=env, guest=command.guest, options=options, fd=program, early=early
        )
        if early is None:
            process.publish()
        process.on_exit = leave
        if loaded is not None:
            loaded(process)
        leave(process.run())
        raise AssertionError("leave() came back")

    loaded = None
    gdb = command.text("g")
    if gdb is not None:
        loaded = _debugged(gdb, command, environment, run)
    run(command.argv, environment, loaded, program=fd, early=early)


def _debugged(
    gdb: str,
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

    words = [os.fsencode(word) for word in command.argv]
    variables = environment or [k + b"=" + v for k, v in os.environb.items()]
    return launch.begin(gdb, launch.Programs(words, variables, begin)).meet


def _whole_python() -> None:
    """Does what a start for a guest leaves out: learns which environment this Python is of."""
    if sys.flags.no_site and installed.FOLDER is not None:
        import site

        site.main()


def _show_info(command: Command) -> NoReturn:
    """Prints what a loader sees of programs (`qusr info`); 1: something is missing."""
    from qusr import info, loader

    if len(command.argv) < 2:
        raise CommandError("info: no program named")
    asked = loader.explicit(command.text("L"), os.environ)
    found = [info.describe(path, asked, os.environ) for path in command.argv[1:]]
    sys.stdout.write("\n".join(text for text, _ in found))
    sys.stdout.flush()
    sys.exit(0 if all(whole for _, whole in found) else 1)


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
    if isinstance(error, MemoryError):
        # No module is imported here, and nothing else that needs memory is done.
        os.write(2, b"%s: no memory left (ulimit -d or -v permits more)\n" % os.fsencode(name))
        os._exit(USAGE)
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
