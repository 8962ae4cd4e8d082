"""A private user and mount namespace with a binfmt_misc of its own.

Since Linux 6.7 each user namespace may mount one; without root, and with no change to the
host. It ends with the last process in it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from qusr import _native
from qusr.binfmt import BinfmtError

# linux/sched.h, linux/mount.h
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

#: Signals of somebody who wants the command to stop; those of the terminal reach it anyway.
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def mount(source: str, target: str | Path, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    where = os.fsencode(target)
    try:
        _native.mount(os.fsencode(source), where, kind.encode(), flags, data.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fsdecode(where)) from None


def unmount(target: Path) -> None:
    """umount2(2), lazily: whoever still uses it keeps it."""
    _native.umount(os.fsencode(target), 2)


def bind(source: Path, target: Path, *, recursive: bool = True) -> None:
    """A bind mount; mounts below come along, as they must in a user namespace."""
    mount(str(source), target, "", MS_BIND | (MS_REC if recursive else 0))


def _unshare(flags: int) -> None:
    try:
        _native.unshare(flags)
    except OSError as error:
        raise BinfmtError(
            f"no user namespace: {error.strerror} (sysctl user.max_user_namespaces and "
            "kernel.unprivileged_userns_clone allow them)"
        ) from None


def run(setup: Callable[[], None], command: list[str], *, become_root: bool) -> int:
    """Runs `command` in a namespace that `setup` has prepared; the wait status.

    Root, who could do more, keeps every user id; others keep only their own, which inside
    is also root's while `setup` runs, and afterwards with `become_root`.
    """
    asks, answers = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(asks[0])
        os.close(answers[1])
        _inside(setup, command, become_root, asks[1], answers[0])
    os.close(asks[1])
    os.close(answers[0])
    for number in _PASSED_ON:
        signal.signal(number, lambda caught, _: os.kill(child, caught))
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    if os.read(asks[0], 1):
        try:
            _map_ids(child)
            os.write(answers[1], b"1")
        except OSError as error:
            print(f"qusr-binfmt: no user ids: {error.strerror}", file=sys.stderr)
    os.close(asks[0])
    os.close(answers[1])
    return os.waitpid(child, 0)[1]


def _map_ids(child: int) -> None:
    """Writes the maps of a process in a new user namespace, from outside (user_namespaces(7))."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        for name in ("uid_map", "gid_map"):
            rows = Path(f"/proc/self/{name}").read_text().split("\n")
            ranges = [row.split() for row in rows if row]
            text = "".join(f"{first} {first} {count}\n" for first, _, count in ranges)
            Path(f"/proc/{child}/{name}").write_text(text)
        return
    Path(f"/proc/{child}/setgroups").write_text("deny")
    Path(f"/proc/{child}/uid_map").write_text(f"0 {uid} 1\n")
    Path(f"/proc/{child}/gid_map").write_text(f"0 {gid} 1\n")


def _inside(
    setup: Callable[[], None], command: list[str], become_root: bool, ask: int, answer: int
) -> NoReturn:
    status = 1
    try:
        uid, gid = os.geteuid(), os.getegid()
        _unshare(CLONE_NEWUSER | CLONE_NEWNS)
        os.write(ask, b"1")
        if os.read(answer, 1):
            mount("none", "/", "", MS_REC | MS_PRIVATE)
            setup()
            if not become_root and uid != 0:
                _be_again(uid, gid)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            status = 127
            os.execvp(command[0], command)
    except BinfmtError as error:
        print(f"qusr-binfmt: {error}", file=sys.stderr)
    except OSError as error:
        if status == 127 and error.errno != errno.ENOENT:
            status = 126
        name = command[0] if status >= 126 else error.filename
        print(f"qusr-binfmt: {name}: {error.strerror}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _be_again(uid: int, gid: int) -> None:
    """Takes back one's own ids, in a namespace inside: it uses its parent's binfmt_misc."""
    _unshare(CLONE_NEWUSER)
    Path("/proc/self/uid_map").write_text(f"{uid} 0 1\n")
    Path("/proc/self/gid_map").write_text(f"{gid} 0 1\n")
