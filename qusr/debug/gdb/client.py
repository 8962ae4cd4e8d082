"""`qusr gdb`: a debugger on a guest program, as gdb is started on one of the host's."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time

from qusr.debug.gdb import launch
from qusr.options import UsageError
from qusr.ptrace.tracee import status_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

USAGE = """usage: qusr gdb [--gdb COMMAND] [OPTION...] PROGRAM [ARGUMENT...]
       qusr gdb [--gdb COMMAND] -p PID
Starts gdb-multiarch, or COMMAND, on a guest program, or on a guest process that runs.
"""
_DEBUGGERS = ("gdb-multiarch", "gdb")


def main(words: Sequence[str], execute: Callable[[list[str]], None]) -> NoReturn:
    """What `qusr gdb` does; `execute` does what `qusr` does with words. UsageError: it cannot."""
    rest = list(words)
    debugger: list[str] = []
    if rest[:1] == ["--gdb"]:
        debugger = " ".join(rest[1:2]).split()
        if not debugger:
            raise UsageError("missing argument for option '--gdb'")
        rest = rest[2:]
    if not rest or rest[0] in ("-h", "-help", "--help"):
        sys.stdout.write(USAGE)
        sys.exit(0 if rest else 1)
    if not debugger:
        debugger = [path for path in map(shutil.which, _DEBUGGERS) if path][:1]
    if not debugger or shutil.which(debugger[0]) is None:
        missing = debugger[0] if debugger else _DEBUGGERS[0]
        raise UsageError(f"gdb: there is no {missing} here: install it, or say --gdb COMMAND")
    folder = tempfile.mkdtemp(prefix=launch.PRIVATE)
    socket = os.path.join(folder, "socket")
    if rest[0] == "-p":
        if len(rest) != 2 or not rest[1].isdecimal():
            os.rmdir(folder)
            raise UsageError("gdb -p: the id of a process is wanted")
        _attach(int(rest[1]), socket)
    else:
        _start(lambda: execute(["-g", socket, *rest]), socket)
    os.execvp(debugger[0], [*debugger, "-ex", f"target remote {socket}"])


def _start(execute: Callable[[], None], socket: str) -> None:
    """Begins the program, which waits for the debugger. Its server listens before it is loaded, and
    traces it when it is.
    """
    pid = os.fork()
    if pid == 0:
        # The terminal's signals are the debugger's.
        os.setsid()
        execute()
        os._exit(0)
    while not (os.path.exists(socket) and status_number(pid, b"TracerPid", 10)):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            shutil.rmtree(os.path.dirname(socket), ignore_errors=True)
            sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
        time.sleep(0.005)


def _attach(pid: int, socket: str) -> None:
    """Starts a server that traces a process."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        os.setsid()
        if os.fork():
            os._exit(0)
        try:
            launch.serve_running(pid, launch.Address(socket), lambda: os.close(writer))
        except OSError as error:
            os.write(writer, (error.strerror or str(error)).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    why = os.read(reader, 1024).decode(errors="replace")
    os.close(reader)
    if why:
        if os.path.isdir(os.path.dirname(socket)):
            os.rmdir(os.path.dirname(socket))
        if why == os.strerror(1):
            why += " (see ptrace(2) and /proc/sys/kernel/yama/ptrace_scope)"
        raise UsageError(f"gdb -p {pid}: {why}")
