"""What the commands print of themselves: -help, -version, -cpu help, -d help."""

from __future__ import annotations

import os
import sys

from qusr import _native, arch, loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

_HELP = (
    ("h", "", "show this help (also -help)"),
    ("g", "WHERE", "wait for a debugger at PORT, HOST:PORT or the path of a socket"),
    ("L", "PATH", "sysroot: a folder whose files go before the host's"),
    ("s", "SIZE", "size of the guest's stack in bytes, or with suffix k or M"),
    ("cpu", "MODEL", "CPU model (-cpu help lists them)"),
    ("E", "NAME=VALUE", "set a variable of the guest's environment (several with commas)"),
    ("U", "NAME", "remove a variable from it (several with commas)"),
    ("0", "ARGV0", "the guest's argv[0]"),
    ("r", "RELEASE", "kernel release that uname(2) tells"),
    ("B", "ADDRESS", "host address of guest address 0"),
    ("R", "SIZE", "size of the guest's address space in bytes, or with k, M, G, T"),
    ("d", "ITEM,...", "write logs (-d help lists them)"),
    ("dfilter", "RANGE,...", "only of code at START..END, START+SIZE or END-SIZE"),
    ("D", "FILE", "write them into FILE, %d standing for the process id"),
    ("strace", "", "log system calls"),
    ("seed", "NUMBER", "makes the guest's AT_RANDOM the same in every run"),
    ("p", "SIZE", "accepted when it is 4096, the size of a page"),
    ("core", "CORE", "CPU core: unicorn or native"),
    ("opt", "no-NAME,...", "optimisations that the native core leaves out; cache=SIZE of its code"),
    ("threads", "PID", "show where each thread of a running guest process is, and exit"),
    ("version", "", "show the version and exit"),
    ("-", "", "the program follows, whatever its name begins with"),
)


def show(
    what: str, name: str, guest: str | None, sysroot: str | None, variables: Mapping[str, str]
) -> NoReturn:
    """Prints what was asked for ("help", "version", "cpu", "log items") and ends.

    `name` is the command's, `guest` the one that it is for, `sysroot` the one that was asked
    for; `variables` are those that stand for options, without their prefix.
    """
    if what == "help":
        text = _help(name, guest, sysroot, variables)
    elif what == "version":
        text = _version(name)
    else:
        text = _cpus(guest) if what == "cpu" else _items()
    sys.stdout.write(text)
    sys.stdout.flush()
    # qemu-user, too, calls "-d help" a failure, but no other one.
    sys.exit(1 if what == "log items" else 0)


def _all() -> list[str]:
    return [guest.name for guest in arch.guests()]


def _version(name: str) -> str:
    return (
        f"{name} version {_native.VERSION}\n"
        "User-mode emulator of Linux programs; GPL-2.0-or-later.\n"
    )


def _help(name: str, guest: str | None, sysroot: str | None, variables: Mapping[str, str]) -> str:
    what = f"{guest} programs" if guest else "programs of any guest it has"
    lines = [
        f"usage: {name} [OPTION...] PROGRAM [ARGUMENT...]",
        f"Runs Linux {what} ({', '.join(_all())}) on this machine."
        if not guest
        else f"Runs Linux {what} on this machine.",
        "",
        f"{'Option':<20}{'Variable':<19}Meaning",
    ]
    for option, value, meaning in _HELP:
        variable = variables.get(option, "")
        shown = f"QUSR_{variable}" if variable else ""
        lines.append(f"{f'-{option} {value}'.rstrip():<20}{shown:<19}{meaning}")
    lines += [
        "",
        "Options go before variables. Where QUSR_NAME is not set, QEMU_NAME is looked at.",
        "QUSR_CACHE_DIR: where load plans and translations are kept (empty: nowhere).",
        "QUSR_DEBUG=1: traces of errors inside qusr.",
        "",
        "In use:",
        *_defaults(guest, sysroot),
    ]
    return "\n".join(lines) + "\n"


def _defaults(guest: str | None, sysroot: str | None) -> list[str]:
    """Values in use; pwntools reads the line `QEMU_LD_PREFIX = ` of it."""
    if guest or loader.explicit(sysroot, os.environ):
        root, why = _sysroot(guest or _all()[0], sysroot)
        return [f"QUSR_LD_PREFIX = {root}  ({why})", f"QEMU_LD_PREFIX = {root}"]
    lines = []
    for name in _all():
        root, why = _sysroot(name, None)
        lines.append(f"QUSR_LD_PREFIX = {root}  (for {name}, {why})")
    return lines


def _sysroot(guest: str, asked: str | None) -> tuple[str, str]:
    """The sysroot of a guest's programs, and where it comes from."""
    explicit = loader.explicit(asked, os.environ)
    if explicit is not None:
        return explicit[0] or "/", f"by {explicit[1]}"
    found = arch.guest(guest)
    root = None if found is None else loader.found(found.triplets)
    return ("/", "none") if root is None else (root, "found")


def _cpus(guest: str | None) -> str:
    lines = []
    for name in (guest,) if guest else _all():
        found = arch.by_name(name)
        if found is None:
            continue
        lines.append("Available CPUs:" if guest else f"Available CPUs of {name}:")
        for model in found.models:
            default = ", the default" if model is found.default_model else ""
            lines.append(f"  {model.name:<14} {model.description}{default}")
    return "\n".join(lines) + "\n"


def _items() -> str:
    from qusr.debug.log import ITEMS

    lines = ["Log items (comma separated):"]
    lines += [f"{name:<15} {meaning}" for name, meaning in ITEMS.items()]
    return "\n".join(lines) + "\n"
