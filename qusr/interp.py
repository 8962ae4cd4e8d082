"""Where Python begins for the launcher (`native/launcher/`): the commands, and binfmt_misc's.

The launcher makes this command line:

    FD FLAGS N HIDDEN... NAME [WORD...]                    of a command
    FD FLAGS N HIDDEN... PROGRAM [ARGV0] [ARGUMENT...]     of the kernel's

FD is the open program (flag O) or `-`. FLAGS is `-` with letters behind it: P, argv[0] was
kept and follows the program's path; S, the program has other credentials than its caller
(AT_SECURE); p and x, SIGPIPE and SIGXFSZ are ignored. The N HIDDEN are variables that would
have changed Python's own start. NAME is the command's.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

from qusr import _native, cli, installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_OPTION_VARIABLES = ("QUSR_", "QEMU_")

#: Packages that qusr imports, but not on every start.
_OTHERS = ("elftools", "unicorn", "capstone")


class _LateSite:
    """Finds, when nothing else does, packages in places that only `site` knows.

    Python is started without `site`, for that takes longer than the rest of its start, and the
    launcher names only the folder that qusr is in. A dependency may be elsewhere: a virtual
    environment can show the system's packages, and those of Debian and of the user are apart.
    """

    def __init__(self, *, user: bool) -> None:
        self._user = user

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by `import` as the last of `sys.meta_path`."""
        if path is not None or name not in _OTHERS:
            return None
        sys.meta_path.remove(self)
        import site
        from importlib.machinery import PathFinder

        if self._user:
            # Isolated Python leaves that folder out; a virtual environment still may.
            site.ENABLE_USER_SITE = True
        site.main()
        return PathFinder.find_spec(name)


def _begin() -> tuple[int, str, list[str]]:
    """Takes in the launcher's words: the descriptor, the flags, and those that are left."""
    fd, flags, count = sys.argv[1:4]
    end = 4 + int(count)
    # The launcher's own, and what Python sets where there is no locale (PEP 538).
    for name in ("LD_PRELOAD", "LC_CTYPE"):
        os.environ.pop(name, None)
    for variable in sys.argv[4:end]:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    if sys.flags.no_site and installed.FOLDER is not None:
        # HOME is the caller's, who must not choose what a program with more rights imports.
        sys.meta_path.append(_LateSite(user="S" not in flags))
    return -1 if fd == "-" else int(fd), flags, sys.argv[end:]


def _ignored(flags: str) -> list[int]:
    signals = {"p": _signal.SIGPIPE, "x": _signal.SIGXFSZ}
    return [number for letter, number in signals.items() if letter in flags]


def command() -> None:
    """Does what a command does."""
    _, flags, (name, *words) = _begin()
    cli.execute(name, words, os.environ, ignored=_ignored(flags))


def executed() -> None:
    """Goes on with the program of an execve (qusr/again.py)."""
    from qusr.again import State
    from qusr.process import Process
    from qusr.thread import leave

    state = State(sys.argv[1:])
    early = _native.early_start()
    if early is None:
        cli.restore_signals(_ignored(state.ignored))
    sys.unraisablehook = lambda mistake: cli.explain("qusr", mistake.exc_value or AssertionError())
    try:
        process = Process(state.argv, options=state.options, early=early, state=state)
        if early is None:
            process.publish()
        process.on_exit = leave
        if state.traced:
            process.trace_me()
            process.main.native.has_executed()
        leave(process.run())
    except SystemExit:
        raise
    except BaseException as error:
        cli.explain("qusr", error)


def main(*, carried: bool = False) -> None:
    """Runs the kernel's program.

    `carried`: in a root, with the host's files below `installed.CARRIED` (qusr-static needs none).
    """
    fd, flags, (path, *arguments) = _begin()
    if "S" in flags:
        # Who runs a set-user-ID program must not choose its libraries or log files.
        for name in [name for name in os.environ if name.startswith(_OPTION_VARIABLES)]:
            del os.environ[name]
    # The root is the guest's own: nothing to look for elsewhere. The cache does not go
    # below the guest's home directory, which may become part of an image: where nobody has made
    # another place for it, there is none.
    cache = installed.CACHE if os.path.isdir(installed.CACHE) else ""
    words = ["-L", ""] if carried else []
    if "P" in flags:
        words += ["-0", arguments.pop(0)]
    cli.execute(
        "qusr",
        [*words, "--", path, *arguments],
        os.environ,
        cache=cache if carried else None,
        fd=fd,
        ignored=_ignored(flags),
    )
