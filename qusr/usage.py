"""What the commands print of themselves: -help, -version, -cpu help, -d help."""

from __future__ import annotations

import os
import sys

from qusr import _native, arch, loader
from qusr.options import OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def show(what: str, name: str, guest: str | None, sysroot: str | None) -> NoReturn:
    """Prints what was asked for ("help", "version", "cpu", "log items") and ends.

    `name` is the command's, `guest` the one that it is for, `sysroot` the one that was asked
    for.
    """
    if what == "help":
        text = _help(name, guest, sysroot)
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


def _help(name: str, guest: str | None, sysroot: str | None) -> str:
    what = f"{guest} programs" if guest else "programs of any guest it has"
    lines = [
        f"usage: {name} [OPTION...] PROGRAM [ARGUMENT...]",
        *(
            []
            if guest
            else [f"       {name} [-L PATH] info PROGRAM...   what a loader sees of them"]
        ),
        f"Runs Linux {what} ({', '.join(_all())}) on this machine."
        if not guest
        else f"Runs Linux {what} on this machine.",
        "",
        f"{'Option':<20}{'Variable':<19}Meaning",
    ]
    for option in OPTIONS:
        if option.meaning:
            shown = f"QUSR_{option.variable}" if option.variable else ""
            lines.append(
                f"{f'-{option.name} {option.value}'.rstrip():<20}{shown:<19}{option.meaning}"
            )
    lines += [
        f"{'--':<39}the program follows, whatever its name begins with",
        "",
        "Options go before variables. Where QUSR_NAME is not set, QEMU_NAME is looked at.",
        "QUSR_CACHE_DIR: where translations are kept (empty: nowhere).",
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
        # Properties can be combined.
        for model in (model for model in found.models if model.name.count(",") < 2):
            default = ", the default" if model is found.default_model else ""
            lines.append(f"  {model.name:<14} {model.description}{default}")
    return "\n".join(lines) + "\n"


def _items() -> str:
    from qusr.debug.log import ITEMS

    lines = ["Log items (comma separated):"]
    lines += [f"{name:<15} {meaning}" for name, meaning in ITEMS.items()]
    return "\n".join(lines) + "\n"
