"""Where a program that binfmt_misc hands over begins: what `qusr-interp` executes.

The launcher (`native/launcher/`) makes this command line of the kernel's:

    FD FLAGS N HIDDEN... PROGRAM [ARGV0] [ARGUMENT...]

FD is the open program (flag O) or `-`. FLAGS is `-` with letters behind it: P, argv[0] was
kept and follows the program's path; S, the program has other credentials than its caller
(AT_SECURE); p and x, SIGPIPE and SIGXFSZ are ignored. The N HIDDEN are variables that would
have changed Python's own start.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

from qusr import cli

#: Where `qusr-binfmt bind` shows the host's files inside a root, and the cache in there.
CARRIED = "/run/qusr"
CACHE = CARRIED + "/cache"

_OPTION_VARIABLES = ("QUSR_", "QEMU_")


def main(*, carried: bool = False) -> None:
    """Runs the program. `carried`: in a root, with the host's files below `CARRIED`."""
    fd, flags, count = sys.argv[1:4]
    program = 4 + int(count)
    for variable in sys.argv[4:program]:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    if "S" in flags:
        # Who runs a set-user-ID program must not choose its libraries or log files.
        for name in [name for name in os.environ if name.startswith(_OPTION_VARIABLES)]:
            del os.environ[name]
    # The root is the guest's own: nothing to look for elsewhere. The cache does not go
    # below the guest's home directory, which may become part of an image.
    words = ["-L", ""] if carried else []
    path, arguments = sys.argv[program], sys.argv[program + 1 :]
    if not os.path.lexists("/proc/self/exe"):
        os.write(2, f"qusr: {path}: qusr needs a mounted /proc in this root\n".encode())
        os._exit(126)
    if "P" in flags:
        words += ["-0", arguments.pop(0)]
    signals = {"p": _signal.SIGPIPE, "x": _signal.SIGXFSZ}
    cli.execute(
        "qusr",
        [*words, "--", path, *arguments],
        os.environ,
        cache=CACHE if carried else None,
        fd=-1 if fd == "-" else int(fd),
        ignored=[number for letter, number in signals.items() if letter in flags],
    )
