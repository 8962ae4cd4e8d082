"""Starting qusr anew for a guest's execve, with all that an execve keeps.

A process whose memory is also another one's leaves it by a real execve(2) of what it was started
with (Python, or the extension), with a command line that the extension understands
(`native/machine/src/start/command.rs`) and `interp.executed` does:

    FD EXECFN PATH N STATE... N ARGUMENT... VARIABLE...

FD is the open program. Each STATE is `name=value`: options, and what the host kernel does not
keep. The host's environment is not the guest's, so nothing in it could change Python's start.
"""

from __future__ import annotations

import os
import sys

from qusr import _native, installed
from qusr.cpu import unicorn
from qusr.execution import Command
from qusr.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.running import Process
    from qusr.syscalls.context import Context

MARK = "#qusr-start exec\n"
#: argv[0] for an executable with all in it (native/static), which is to understand the rest.
NAME = b"qusr-again"
_CODE = "import sys\nsys.path[:] = %r\nfrom qusr import interp\ninterp.executed()\n"

#: Options that are told if they are not as usual: attribute of Options, and what reads them.
_TEXTS = ("core", "opt", "cpu", "uname_release")
_NUMBERS = ("stack_size", "guest_base", "reserved_va", "seed")

#: Signals that Python ignores at its start, and how they are called in the state (as in interp.py).
_PYTHONS = {13: "p", 25: "x"}


class State:
    """What a start after an execve is told."""

    def __init__(self, words: Sequence[str]) -> None:
        fd, execfn, self.path, count = words[:4]
        self.fd = int(fd)
        self.execfn = os.fsencode(execfn)
        middle = 4 + int(count)
        told = dict(word.split("=", 1) for word in words[4:middle])
        end = middle + 1 + int(words[middle])
        self.argv = [os.fsencode(word) for word in words[middle + 1 : end]]
        self.envp = [os.fsencode(word) for word in words[end:]]
        self.store = told.get("store")
        self.ignored = told.get("ignored", "")
        self.traced = "traced" in told
        self.read_implies_exec = "read_implies_exec" in told
        limits = [item.split(":") for item in told.get("limits", "").split()]
        self.limits = [(int(which), int(soft), int(hard)) for which, soft, hard in limits]
        if "unicorn" in told:  # the host's environment is empty
            os.environ[unicorn.VARIABLE] = told["unicorn"]
        self.options = Options(sysroot=told.get("sysroot", ""))
        for name in _TEXTS:
            if name in told:
                setattr(self.options, name, told[name])
        for name in _NUMBERS:
            if name in told:
                setattr(self.options, name, int(told[name]))


def command(ctx: Context, prepared: _native.Prepared, environment: list[bytes]) -> Command | None:
    """The execve that starts `prepared`; None: it has to be run in this host process."""
    process = ctx.process
    if ctx.thread.is_bound or _is_watched(process) or not _is_installed(process):
        return None
    ignored = ctx.thread.signal_sets()[1]
    state = _state(process, ignored)
    fd = os.dup(prepared.fd)
    os.set_inheritable(fd, True)
    embedded = installed.FOLDER is None
    words: list[bytes] = [
        NAME if embedded else os.fsencode(sys.executable),
        b"-I", b"-S", b"-c", (MARK if embedded else MARK + _CODE % sys.path).encode(),
        b"%d" % fd, prepared.execfn, os.fsencode(prepared.path),
        b"%d" % len(state), *state,
        b"%d" % len(prepared.argv), *prepared.argv, *environment,
    ]  # fmt: skip
    path, shown = _host()
    if "QUSR_DEBUG" in os.environ:
        shown.append(b"QUSR_DEBUG=" + os.environb[b"QUSR_DEBUG"])
    return Command(path, words, shown, [fd])


def _host() -> tuple[bytes, list[bytes]]:
    """What is executed, and its environment: where the other half is."""
    late = _native.late_python()
    if late is not None:
        return late[0], [b"QUSR_LIBPYTHON=" + late[1]]
    preloaded = [] if installed.FOLDER is None else [b"LD_PRELOAD=" + _extension()]
    return os.fsencode(sys.executable), preloaded


def _extension() -> bytes:
    late = _native.late_python()
    if late is not None:
        return late[0]
    assert _native.__file__ is not None
    return os.fsencode(_native.__file__)


def _is_watched(process: Process) -> bool:
    """Whether somebody in this process sees what the guest does."""
    options = process.options
    return bool(process.hooks) or options.strace or options.log is not None


def _is_installed(process: Process) -> bool:
    """Whether qusr can be started from here: the guest may have changed its root or its user."""
    path, _ = _host()
    try:
        if not process.is_own_exe(os.stat(path)):
            return False
    except OSError:
        return False
    if not os.access(path, os.X_OK, effective_ids=True):
        return False
    if installed.FOLDER is None:
        return True
    readable = (_extension(), __file__, os.__file__, "/proc/self/exe")
    return all(os.access(path, os.R_OK, effective_ids=True) for path in readable)


def _state(process: Process, ignored: int) -> list[bytes]:
    options, state = process.options, []

    def tell(name: str, value: object) -> None:
        state.append(os.fsencode(f"{name}={value}"))

    tell("sysroot", process.sysroot.root or "")
    if process.store.path is not None:
        tell("store", process.store.path)
    core = options.core or os.environ.get("QUSR_CORE")
    for name in _TEXTS + _NUMBERS:
        value = core if name == "core" else getattr(options, name)
        if value not in (None, ""):
            tell(name, value)
    letters = "".join(sign for number, sign in _PYTHONS.items() if ignored >> (number - 1) & 1)
    if letters:
        tell("ignored", letters)
    if os.environ.get(unicorn.VARIABLE):
        tell("unicorn", os.environ[unicorn.VARIABLE])
    if process.traced_from_exec:
        tell("traced", 1)
    if process.read_implies_exec:
        tell("read_implies_exec", 1)
    limits = process.native.own_limits()
    if limits:
        tell("limits", " ".join(f"{which}:{soft}:{hard}" for which, soft, hard in limits))
    return state
