"""Terminal ioctls: asm-generic/ioctls.h and termbits.h, linux/{serial,kd,vt}.h."""

from __future__ import annotations

from qusr.arch.abi import HOST
from qusr.syscalls.common import OPEN
from qusr.syscalls.decl import IN, OUT, Case, Flags, FlagTable, Named, Ptr, Signal
from qusr.syscalls.ioctl_codes import (
    Command,
    case,
    changes,
    fields,
    group,
    io,
    ior,
    iow,
    plains,
    raw,
    reads,
    stores,
)
from qusr.syscalls.layout import (
    Bytes,
    CType,
    Fields,
    FlagInt,
    PerAbi,
    Struct,
    s8,
    s16,
    s32,
    s64,
    u8,
    u16,
    u32,
    ulong,
)

#: asm-generic/termbits.h: the modes, which some ABIs have elsewhere.
INPUT_MODES = FlagTable(
    {"IUCLC": 0x200, "IXON": 0x400, "IXANY": 0x800, "IXOFF": 0x1000, "IMAXBEL": 0x2000},
    family="termios",
)
OUTPUT_MODES = FlagTable(
    {"OLCUC": 2, "ONLCR": 4},
    family="termios",
    fields=[
        (Named(mask, "termios", name), values)
        for mask, name, values in (
            (0x100, "NLDLY", {0: "NL0", 0x100: "NL1"}),
            (0x600, "CRDLY", {0: "CR0", 0x200: "CR1", 0x400: "CR2", 0x600: "CR3"}),
            (0x1800, "TABDLY", {0: "TAB0", 0x800: "TAB1", 0x1000: "TAB2", 0x1800: "TAB3"}),
            (0x2000, "BSDLY", {0: "BS0", 0x2000: "BS1"}),
            (0x4000, "VTDLY", {0: "VT0", 0x4000: "VT1"}),
            (0x8000, "FFDLY", {0: "FF0", 0x8000: "FF1"}),
        )
    ],
)
_SLOW = "B0 B50 B75 B110 B134 B150 B200 B300 B600 B1200 B1800 B2400 B4800 B9600 B19200 B38400"
_FAST = (
    "B57600 B115200 B230400 B460800 B500000 B576000 B921600 B1000000 B1152000 B1500000 B2000000"
    " B2500000 B3000000 B3500000 B4000000"
)
SPEEDS = dict(enumerate(_SLOW.split())) | {
    0x1000 + place: name for place, name in enumerate(["BOTHER", *_FAST.split()])
}
CONTROL_MODES = FlagTable(
    {
        "CSTOPB": 0x40, "CREAD": 0x80, "PARENB": 0x100, "PARODD": 0x200, "HUPCL": 0x400,
        "CLOCAL": 0x800,
    },
    family="termios",
    fields=[
        (Named(0x100F, "termios", "CBAUD"), SPEEDS),
        (Named(0x30, "termios", "CSIZE"), {0: "CS5", 0x10: "CS6", 0x20: "CS7", 0x30: "CS8"}),
    ],
)  # fmt: skip
LOCAL_MODES = FlagTable(
    {
        "ISIG": 1, "ICANON": 2, "XCASE": 4, "ECHO": 8, "ECHOE": 0x10, "ECHOK": 0x20,
        "ECHONL": 0x40, "NOFLSH": 0x80, "TOSTOP": 0x100, "ECHOCTL": 0x200, "ECHOPRT": 0x400,
        "ECHOKE": 0x800, "FLUSHO": 0x1000, "PENDIN": 0x4000, "IEXTEN": 0x8000, "EXTPROC": 0x10000,
    },
    family="termios",
)  # fmt: skip


def _characters(names: str, rest: int) -> Fields:
    """c_cc: "-" is a place that is not used; `rest` more follow."""
    fields: list[tuple[str, CType]] = []
    for place, name in enumerate(names.split()):
        fields.append((f"_cc{place}" if name == "-" else f"c_cc[{name}]", u8))
    return [*fields, ("_cc", Bytes(rest))]


_GENERIC = (
    "VINTR VQUIT VERASE VKILL VEOF VTIME VMIN VSWTC VSTART VSTOP VSUSP VEOL VREPRINT VDISCARD"
    " VWERASE VLNEXT VEOL2"
)
# arch/mips/include/uapi/asm/termbits.h
_IRIX = (
    "VINTR VQUIT VERASE VKILL VMIN VTIME VEOL2 VSWTC VSTART VSTOP VSUSP - VREPRINT VDISCARD"
    " VWERASE VLNEXT VEOF VEOL"
)
# arch/powerpc/include/uapi/asm/termbits.h
_WITH_SPEEDS = (
    "VINTR VQUIT VERASE VKILL VEOF VMIN VEOL VTIME VEOL2 VSWTC VWERASE VREPRINT VSUSP VSTART"
    " VSTOP VLNEXT VDISCARD"
)


def _modes(width: int, *line: tuple[str, CType]) -> Fields:
    return [
        ("c_iflag", FlagInt(width, INPUT_MODES)), ("c_oflag", FlagInt(width, OUTPUT_MODES)),
        ("c_cflag", FlagInt(width, CONTROL_MODES)), ("c_lflag", FlagInt(width, LOCAL_MODES)),
        *line,
    ]  # fmt: skip


_LINE = ("c_line", u8)


_SPEEDS: Fields = [("c_ispeed", u32), ("c_ospeed", u32)]
TERMIO = PerAbi(
    "termio",
    {
        # The size of that c_cc is that of termios (arch/mips/include/uapi/asm/termios.h).
        "irix": Struct("termio", [*_modes(16, _LINE), *_characters(_IRIX, 5)]),
        "termios_speeds": Struct(
            "termio",
            [*_modes(16, _LINE), *_characters(" ".join(_WITH_SPEEDS.split()[:10]), 0)],
        ),
        "*": Struct(
            "termio", [*_modes(16, _LINE), *_characters(" ".join(_GENERIC.split()[:8]), 0)]
        ),
    },
)
TERMIOS = PerAbi(
    "termios",
    {
        "termios_speeds": Struct(
            "termios", [*_modes(32), *_characters(_WITH_SPEEDS, 2), _LINE, *_SPEEDS]
        ),
        "irix": Struct("termios", [*_modes(32, _LINE), *_characters(_IRIX, 5)]),
        "*": Struct("termios", [*_modes(32, _LINE), *_characters(_GENERIC, 2)]),
    },
)
TERMIOS2 = PerAbi(
    "termios2",
    {
        "irix": Struct("termios2", [*_modes(32, _LINE), *_characters(_IRIX, 5), *_SPEEDS]),
        "*": Struct("termios2", [*_modes(32, _LINE), *_characters(_GENERIC, 2), *_SPEEDS]),
    },
)
WINSIZE = fields("winsize", u16, "ws_row ws_col ws_xpixel ws_ypixel")
SERIAL_STRUCT = Struct(
    "serial_struct",
    [
        ("type", s32), ("line", s32), ("port", u32), ("irq", s32), ("flags", s32),
        ("xmit_fifo_size", s32), ("custom_divisor", s32), ("baud_base", s32),
        ("close_delay", u16), ("io_type", s8), ("_reserved_char", s8), ("hub6", s32),
        ("closing_wait", u16), ("closing_wait2", u16), ("iomem_base", ulong),
        ("iomem_reg_shift", u16), ("port_high", u32), ("iomap_base", ulong),
    ],
)  # fmt: skip
SERIAL_ICOUNTER = Struct(
    "serial_icounter_struct",
    [
        *fields(
            "counters", s32,
            "cts dsr rng dcd rx tx frame overrun parity brk buf_overrun",
        ).fields,
        ("_reserved", s32 * 9),
    ],
)  # fmt: skip
SERIAL_RS485 = Struct(
    "serial_rs485",
    [
        ("flags", u32), ("delay_rts_before_send", u32), ("delay_rts_after_send", u32),
        ("addr", Bytes(20, 4)),
    ],
)  # fmt: skip
VT_MODE = Struct(
    "vt_mode", [("mode", s8), ("waitv", s8), ("relsig", s16), ("acqsig", s16), ("frsig", s16)]
)
VT_STAT = fields("vt_stat", u16, "v_active v_signal v_state")


TABLE: list[Command] = [
    stores("TCGETS", 0x5401, TERMIOS),
    *group(reads, {"TCSETS": 0x5402, "TCSETSW": 0x5403, "TCSETSF": 0x5404}, TERMIOS),
    stores("TCGETA", 0x5405, TERMIO),
    *group(reads, {"TCSETA": 0x5406, "TCSETAW": 0x5407, "TCSETAF": 0x5408}, TERMIO),
    stores("TCGETS2", ior("T", 0x2A, TERMIOS2), TERMIOS2),
    *group(
        reads,
        {
            "TCSETS2": iow("T", 0x2B, TERMIOS2), "TCSETSW2": iow("T", 0x2C, TERMIOS2),
            "TCSETSF2": iow("T", 0x2D, TERMIOS2),
        },
        TERMIOS2,
    ),
    *plains(
        {
            "TCSBRK": 0x5409, "TCXONC": 0x540A, "TCFLSH": 0x540B, "TIOCEXCL": 0x540C,
            "TIOCNXCL": 0x540D, "TIOCSCTTY": 0x540E, "TIOCCONS": 0x541D, "TIOCNOTTY": 0x5422,
            "TCSBRKP": 0x5425, "TIOCSBRK": 0x5427, "TIOCCBRK": 0x5428, "TIOCVHANGUP": 0x5437,
            "FIONCLEX": 0x5450, "FIOCLEX": 0x5451,
            "TIOCMIWAIT": 0x545C, "KIOCSOUND": 0x4B2F, "KDMKTONE": 0x4B30, "KDSETLED": 0x4B32,
            "KDSETMODE": 0x4B3A, "KDSKBMODE": 0x4B45, "KDSKBLED": 0x4B65, "VT_RELDISP": 0x5605,
            "VT_ACTIVATE": 0x5606, "VT_WAITACTIVE": 0x5607, "VT_DISALLOCATE": 0x5608,
        }
    ),
    case("TIOCGPTPEER", io("T", 0x41), Flags("arg", OPEN)),
    case("TIOCSIG", iow("T", 0x36, s32), Signal("arg")),
    *group(
        stores,
        {
            "TIOCGPGRP": 0x540F, "TIOCOUTQ": 0x5411, "TIOCMGET": 0x5415, "TIOCGSOFTCAR": 0x5419,
            "FIONREAD": 0x541B, "TIOCGETD": 0x5424, "TIOCGSID": 0x5429,
            "TIOCGPTN": ior("T", 0x30, u32), "TIOCGDEV": ior("T", 0x32, u32),
            "TIOCGPKT": ior("T", 0x38, s32), "TIOCGPTLCK": ior("T", 0x39, s32),
            "TIOCGEXCL": ior("T", 0x40, s32), "TIOCSERGETLSR": 0x5459, "KDGETMODE": 0x4B3B,
            "KDGKBMODE": 0x4B44, "VT_OPENQRY": 0x5600,
        },
        s32,
    ),
    *group(
        reads,
        {
            "TIOCSPGRP": 0x5410, "TIOCMBIS": 0x5416, "TIOCMBIC": 0x5417, "TIOCMSET": 0x5418,
            "TIOCSSOFTCAR": 0x541A, "TIOCPKT": 0x5420, "FIONBIO": 0x5421, "TIOCSETD": 0x5423,
            "TIOCSPTLCK": iow("T", 0x31, s32), "FIOASYNC": 0x5452,
        },
        s32,
    ),
    reads("TIOCSTI", 0x5412, Bytes(1)),
    *group(stores, {"KDGETLED": 0x4B31, "KDGKBTYPE": 0x4B33, "KDGKBLED": 0x4B64}, Bytes(1)),
    stores("TIOCGWINSZ", 0x5413, WINSIZE),
    reads("TIOCSWINSZ", 0x5414, WINSIZE),
    raw("TIOCLINUX", 0x541C),
    stores("TIOCGSERIAL", 0x541E, SERIAL_STRUCT),
    reads("TIOCSSERIAL", 0x541F, SERIAL_STRUCT),
    stores("TIOCGICOUNT", 0x545D, SERIAL_ICOUNTER),
    stores("TIOCGRS485", 0x542E, SERIAL_RS485),
    changes("TIOCSRS485", 0x542F, SERIAL_RS485),
    stores("FIOQSIZE", 0x5460, s64),
    stores("VT_GETMODE", 0x5601, VT_MODE),
    reads("VT_SETMODE", 0x5602, VT_MODE),
    stores("VT_GETSTATE", 0x5603, VT_STAT),
]  # fmt: skip

#: Where struct termios has the speeds there is no termios2: commands are the host's for that.
WITH_SPEEDS: list[Command] = [
    (
        Named(0x5401 + place, "ioctl", name),
        Case(
            Ptr("arg", TERMIOS, direction, host=TERMIOS2),
            host=make("T", 0x2A + place, TERMIOS2)(HOST),
            name=name,
        ),
    )
    for place, name, direction, make in (
        (0, "TCGETS", OUT, ior), (1, "TCSETS", IN, iow), (2, "TCSETSW", IN, iow),
        (3, "TCSETSF", IN, iow),
    )
]  # fmt: skip
