"""The qusr commands: qemu-user's options with qemu's meaning.

`qusr-aarch64 ./hello` and its like; `qusr ./hello` takes the guest from the ELF
header. The guest's exit status is ours, and a guest that dies by a signal makes us
die by it.
"""

from __future__ import annotations

import os
import signal
import sys

COMMANDS = {
    "qusr-arm": "arm", "qusr-armhf": "arm", "qusr-armel": "arm", "qusr-armeb": "armeb",
    "qusr-aarch64": "aarch64", "qusr-arm64": "aarch64", "qusr-aarch64_be": "aarch64_be",
}  # fmt: skip


def main() -> None:
    """Entry point of every command."""
    # Python ignores SIGPIPE and catches SIGINT; the guest must not inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    guest = COMMANDS.get(os.path.basename(sys.argv[0]))
    from qusr.loader import LoadError  # noqa: PLC0415
    from qusr.process import Options, Process  # noqa: PLC0415
    from qusr.thread import leave  # noqa: PLC0415

    argv = sys.argv[1:]
    options = Options()
    while argv and argv[0].startswith("-"):
        option = argv.pop(0)
        if option == "--":
            break
        if option == "-L":
            options.sysroot = argv.pop(0)
        elif option == "--core":
            options.core = argv.pop(0)
        elif option == "--opt":
            options.opt = argv.pop(0)
        elif option == "-strace":
            options.strace = True
    try:
        process = Process(argv, guest=guest, options=options)
    except LoadError as error:
        print(f"qusr: {error}", file=sys.stderr)
        sys.exit(error.status)
    with open("/proc/self/comm", "wb", buffering=0) as comm:
        comm.write(process.comm)
    process.on_exit = leave
    process.run()
