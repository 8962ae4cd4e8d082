"""gdb's numbers of signals (include/gdb/signals.def of gdb), which are no system's, and Linux's."""

from __future__ import annotations

_LINUX = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9,
    "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16,
    "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24,
    "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "PWR": 30, "SYS": 31,
}  # fmt: skip
_GDB = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "FPE": 8, "KILL": 9, "BUS": 10,
    "SEGV": 11, "SYS": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "URG": 16, "STOP": 17, "TSTP": 18,
    "CONT": 19, "CHLD": 20, "TTIN": 21, "TTOU": 22, "IO": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26,
    "PROF": 27, "WINCH": 28, "USR1": 30, "USR2": 31, "PWR": 32,
}  # fmt: skip
_UNKNOWN = 143
"""GDB_SIGNAL_UNKNOWN."""

_TO_GDB = {number: _GDB.get(name, _UNKNOWN) for name, number in _LINUX.items()}
# GDB_SIGNAL_REALTIME_33 is 45, and those up to 63 follow; 32 and 64 came later.
_TO_GDB.update({number: number + 12 for number in range(33, 64)})
_TO_GDB.update({32: 77, 64: 78})
_FROM_GDB = {gdb: number for number, gdb in _TO_GDB.items() if gdb != _UNKNOWN}


def to_gdb(number: int) -> int:
    """The debugger's number of a host's signal."""
    return _TO_GDB.get(number, _UNKNOWN)


def from_gdb(number: int) -> int:
    """The host's number of a debugger's; 0 for what Linux has not."""
    return _FROM_GDB.get(number, 0)
