"""Shell scripts as root of a user namespace that has a binfmt_misc of its own (Linux 6.7)."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import emulators
from tests.emulators import REPO, Result

MISC = "/proc/sys/fs/binfmt_misc"
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")

PRELUDE = f"""
set -u
mount -t binfmt_misc none {MISC}
binfmt() {{ "{sys.executable}" -m qusr.binfmt "$@"; }}
"""

OVERLAY = """
    mount -t tmpfs none "$2" && mkdir "$2"/up "$2"/work "$2"/root
    mount -t overlay none -o lowerdir="$1",upperdir="$2"/up,workdir="$2"/work "$2"/root
"""
"""`$2`/root is what is in `$1`, and can be written to."""


@functools.cache
def _refusal() -> str:
    """Why there is no binfmt_misc in a user namespace; nothing if there is."""
    run = subprocess.run(
        [*_NAMESPACE, "mount", "-t", "binfmt_misc", "none", MISC], capture_output=True, check=False
    )
    return run.stderr.decode().strip() if run.returncode else ""


def need_binfmt() -> None:
    """Skips where the kernel is too old or does not let us; in CI that is a failure."""
    why = _refusal()
    if why:
        emulators.lack(f"no binfmt_misc in a user namespace: {why}")


_ALL_USERS = (
    sys.executable, "-c", """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert libc.unshare(0x10000000 | 0x00020000) == 0, os.strerror(ctypes.get_errno())
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.execvp(sys.argv[1], sys.argv[1:])
os.read(ready[0], 1)
for kind in ("uid_map", "gid_map"):
    with open(f"/proc/{child}/{kind}", "w") as file:
        file.write("0 0 65536")
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
)  # fmt: skip


def shell(
    script: str,
    *args: str | Path,
    prelude: str = PRELUDE,
    users: bool = False,
    more: Sequence[str] = (),
    timeout: float = 100,
) -> Result:
    """Runs a script as root of a namespace with an empty binfmt_misc; `binfmt` is the command.

    `users`: the namespace has all users, not only root; this takes root. `more`: a command that
    executes the shell.
    """
    namespace = _ALL_USERS if users else _NAMESPACE
    command = (*namespace, *more, "bash", "-c", prelude + script, "bash", *map(str, args))
    env = {
        **emulators.ENVIRONMENT,
        **emulators.QUSR_ENVIRONMENT,
        "PYTHONPATH": str(REPO),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(command, capture_output=True, check=False, env=env, timeout=timeout)
    return Result(command, run.returncode, run.stdout, run.stderr)
