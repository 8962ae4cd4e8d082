#!/usr/bin/env python3
"""Generate a guest's module ``constants`` from measured values of the kernel's constants.

``tools/gen_constants.py VALUES ABI`` prints the module for one ABI. VALUES is a JSON file of
{"ABI:group": {name: value}} with the host as ``x86_64``, made by compiling the kernel's headers of
each ABI; a value may be an expression of C that the preprocessor left.
"""

from __future__ import annotations

import argparse
import errno
import json
import re
import sys
from pathlib import Path

HOST = "x86_64"
ABSENT = -1

#: Family of qusr (`Abi.differing`): groups of the file, and the names in them that are meant.
FAMILIES = {
    "errno": (("errno",), ""),
    "signal": (("signals",), r"SIG(?!RT)\w+"),
    "sigaction": (("sa_flags",), r"SA_\w+"),
    "sighow": (("sa_flags",), r"SIG_\w+"),
    "open": (("O_*",), r"O_\w+"),
    "fcntl": (("F_*",), r"F_\w+"),
    "mmap": (("MAP/PROT/MADV",), r"(MAP|PROT|MADV|MS|MCL)_\w+"),
    "socket": (("SO_*",), r"(SO|SOL|SCM)_\w+"),
    "rlimit": (("RLIMIT",), r"RLIM(IT)?_\w+"),
    "ioctl": (("SIOC/FIO", "TC ioctls"), r"(TC|TIOC|FIO|SIOC)\w+"),
    "ioc": (("_IOC",), r"_IOC_(NONE|READ|WRITE|SIZEBITS)"),
    "poll": (("POLL",), r"POLL\w+"),
    "termios": (("termios", "errno"), r"(?!E[A-Z0-9]+$|NCCS)\w+|ECHO\w*"),
}
#: Those that are the same number as another of the family, whatever that is (the headers say so).
SAME = {
    "open": {
        "O_NONBLOCK": ("SOCK", "EFD", "SFD", "TFD", "IN", "PIDFD"),
        "O_CLOEXEC": ("EPOLL", "SOCK", "EFD", "SFD", "TFD", "IN", "UFFD"),
    },
}
#: What no header of those that were measured has, by the ABI's begin.
EXTRA: dict[str, dict[str, dict[str, int]]] = {
    "mips": {
        # SIGEMT, which the host does not have, stands for the one that MIPS does not have.
        "signal": {"SIGSTKFLT": 7},
        # arch/mips/include/asm/socket.h
        "socktype": {
            "SOCK_DGRAM": 1, "SOCK_STREAM": 2, "SOCK_NONBLOCK": 0x80,
        },
        # arch/mips/include/uapi/asm/fcntl.h
        "open": {"FASYNC": 0x1000},
        # arch/mips/include/uapi/asm/ioctls.h: with the size of a struct.
        "ioctl": {
            "TIOCGWINSZ": 0x40087468, "TIOCSWINSZ": 0x80087467, "TIOCGRS485": 0x4020542E,
            "TIOCSRS485": 0xC020542F,
        },
        # arch/mips/include/uapi/asm/siginfo.h
        "sicode": {"SI_ASYNCIO": -2, "SI_TIMER": -3, "SI_MESGQ": -4},
    },
    "ppc": {
        # arch/powerpc/include/uapi/asm/ioctls.h: with the size of a struct.
        "ioctl": {
            "TCGETS2": ABSENT, "TCSETS2": ABSENT, "TCSETSW2": ABSENT, "TCSETSF2": ABSENT,
            "TCGETS": 0x402C7413, "TCSETS": 0x802C7414, "TCSETSW": 0x802C7415,
            "TCSETSF": 0x802C7416, "TCGETA": 0x40147417, "TCSETA": 0x80147418,
            "TCSETAW": 0x80147419, "TCSETAF": 0x8014741C, "TIOCGWINSZ": 0x40087468,
            "TIOCSWINSZ": 0x80087467, "FIOQSIZE": 0x40086680,
        },
        # arch/powerpc/include/uapi/asm/termbits.h
        "termios": {
            "NLDLY": 0x300, "TABDLY": 0xC00, "TAB1": 0x400, "TAB2": 0x800, "TAB3": 0xC00,
            "CRDLY": 0x3000, "CR1": 0x1000, "CR2": 0x2000, "CR3": 0x3000, "FFDLY": 0x4000,
            "FF1": 0x4000, "BSDLY": 0x8000, "BS1": 0x8000, "BOTHER": 0x1F, "CSTOPB": 0x400,
            "PARENB": 0x1000, "PARODD": 0x2000, "XCASE": 0x4000, "NOFLSH": 0x80000000,
            "FLUSHO": 0x800000, "PENDIN": 0x20000000, "EXTPROC": 0x10000000,
        },
    },
}  # fmt: skip
#: Names for the same number as another name's, which is the one that declarations use.
ALIASES = {"SIGIOT", "SIGPOLL", "SIGCLD", "O_NDELAY"}


def number(value: int | str) -> int | None:
    """A value of the file; None for an expression with the size of a struct."""
    if isinstance(value, int):
        return value
    text = re.sub(r"sizeof\((?:int|unsigned int|pid_t|unsigned)\)", "4", value)
    text = re.sub(r"'(.)'", lambda match: str(ord(match[1])), text)
    if not re.fullmatch(r"[0-9a-fA-FxX()<>|+\- ]+", text):
        return None
    return int(eval(text, {"__builtins__": {}}))  # of digits and operators only


def differing(values: dict[str, dict[str, int | str]], abi: str) -> dict[str, dict[str, int]]:
    """The constants by family that `abi` has other values for than the host."""
    found: dict[str, dict[str, int]] = {}
    for family, (groups, pattern) in FAMILIES.items():
        rows: dict[str, int] = {}
        for group in groups:
            host, guest = values[f"{HOST}:{group}"], values[f"{abi}:{group}"]
            for name, ours in host.items():
                meant = hasattr(errno, name) if family == "errno" else re.fullmatch(pattern, name)
                if not meant or name in ALIASES or number(ours) is None:
                    continue
                theirs = ABSENT if name not in guest else number(guest[name])
                if theirs is not None and theirs != number(ours):
                    rows[name] = theirs
        for name, prefixes in SAME.get(family, {}).items():
            if name in rows:
                short = name.removeprefix("O")
                rows.update((prefix + short, rows[name]) for prefix in prefixes)
        if rows:
            found[family] = dict(sorted(rows.items()))
    for begin, families in EXTRA.items():
        if abi.startswith(begin):
            for family, rows in families.items():
                found[family] = dict(sorted((found.get(family, {}) | rows).items()))
    return found


def render(values: dict[str, dict[str, int | str]], abi: str) -> str:
    """The text of the module."""
    lines = [
        f'"""Constants of {abi} that are others than the host\'s: generated by'
        " tools/gen_constants.py.",
        "",
        "Do not edit. -1: there is none (`ABSENT`).",
        '"""',
        "",
        "CONSTANTS: dict[str, dict[str, int]] = {",
    ]
    for family, rows in differing(values, abi).items():
        lines.append(f'    "{family}": {{')
        for name, value in rows.items():
            shown = hex(value) if value > 0xFFF else str(value)
            lines.append(f'        "{name}": {shown},')
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="print the module of an ABI's own constants")
    parser.add_argument("values", type=Path, help="JSON file of measured values")
    parser.add_argument("abi", help="the ABI's name in that file")
    options = parser.parse_args()
    values = json.loads(options.values.read_text())
    if f"{options.abi}:errno" not in values:
        known = sorted({key.partition(":")[0] for key in values} - {HOST})
        print(f"gen_constants: no {options.abi}: there are {', '.join(known)}", file=sys.stderr)
        return 1
    sys.stdout.write(render(values, options.abi))
    return 0


if __name__ == "__main__":
    sys.exit(main())
