"""Sockets. Options whose data depends on the ABI are listed in :data:`OPTIONS`."""

from __future__ import annotations

import errno

from qusr.arch.abi import Abi
from qusr.syscalls.common import TIMESPEC, TIMESPEC64, TIMEVAL
from qusr.syscalls.decl import (
    IN,
    INOUT,
    OUT,
    Arg,
    Array,
    Buf,
    Case,
    Constant,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Forward,
    Hex,
    Host,
    Int,
    Mmsghdr,
    Msghdr,
    Named,
    Ptr,
    Size,
    SockaddrIn,
    SockaddrOut,
    Switch,
    Syscall,
    UInt,
    words,
)
from qusr.syscalls.layout import (
    Bytes,
    CType,
    FlagInt,
    Struct,
    be32,
    errno32,
    ptr,
    s32,
    s64,
    u16,
    u32,
    u64,
)

AF_NETLINK = 16
DOMAINS = {
    0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 3: "AF_AX25", 4: "AF_IPX", 5: "AF_APPLETALK",
    9: "AF_X25", 10: "AF_INET6", 15: "AF_KEY", 16: "AF_NETLINK", 17: "AF_PACKET", 21: "AF_RDS",
    24: "AF_PPPOX", 29: "AF_CAN", 30: "AF_TIPC", 31: "AF_BLUETOOTH", 38: "AF_ALG",
    40: "AF_VSOCK", 41: "AF_KCM", 42: "AF_QIPCRTR", 43: "AF_SMC", 44: "AF_XDP", 45: "AF_MCTP",
}  # fmt: skip
TYPES = FlagTable(
    {"SOCK_NONBLOCK": 0o4000, "SOCK_CLOEXEC": 0o2000000},
    fields=[
        (
            0xF,
            {
                1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 4: "SOCK_RDM",
                5: "SOCK_SEQPACKET", 6: "SOCK_DCCP", 10: "SOCK_PACKET",
            },
        )
    ],
    family="socktype",
)  # fmt: skip
SHUT = {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}
MSG = FlagTable(
    {
        "MSG_OOB": 1, "MSG_PEEK": 2, "MSG_DONTROUTE": 4, "MSG_CTRUNC": 8, "MSG_PROBE": 0x10,
        "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40, "MSG_EOR": 0x80, "MSG_WAITALL": 0x100,
        "MSG_FIN": 0x200, "MSG_SYN": 0x400, "MSG_CONFIRM": 0x800, "MSG_RST": 0x1000,
        "MSG_ERRQUEUE": 0x2000, "MSG_NOSIGNAL": 0x4000, "MSG_MORE": 0x8000,
        "MSG_WAITFORONE": 0x10000, "MSG_BATCH": 0x40000, "MSG_ZEROCOPY": 0x4000000,
        "MSG_FASTOPEN": 0x20000000, "MSG_CMSG_CLOEXEC": 0x40000000,
    }
)  # fmt: skip
SOL_IP, SOL_SOCKET, SOL_TCP, SOL_UDP, SOL_IPV6 = 0, 1, 6, 17, 41
LEVELS = {
    SOL_IP: "SOL_IP", SOL_SOCKET: "SOL_SOCKET", SOL_TCP: "SOL_TCP", SOL_UDP: "SOL_UDP",
    SOL_IPV6: "SOL_IPV6", 58: "SOL_ICMPV6", 132: "SOL_SCTP", 255: "SOL_RAW", 263: "SOL_PACKET",
    270: "SOL_NETLINK", 271: "SOL_TIPC", 279: "SOL_ALG", 280: "SOL_NFC", 283: "SOL_XDP",
    284: "SOL_MPTCP", 287: "SOL_VSOCK", 282: "SOL_TLS",
}  # fmt: skip
# asm-generic/socket.h
SO = {
    1: "SO_DEBUG", 2: "SO_REUSEADDR", 3: "SO_TYPE", 4: "SO_ERROR", 5: "SO_DONTROUTE",
    6: "SO_BROADCAST", 7: "SO_SNDBUF", 8: "SO_RCVBUF", 9: "SO_KEEPALIVE", 10: "SO_OOBINLINE",
    11: "SO_NO_CHECK", 12: "SO_PRIORITY", 13: "SO_LINGER", 14: "SO_BSDCOMPAT",
    15: "SO_REUSEPORT", 16: "SO_PASSCRED", 17: "SO_PEERCRED", 18: "SO_RCVLOWAT",
    19: "SO_SNDLOWAT", 20: "SO_RCVTIMEO_OLD", 21: "SO_SNDTIMEO_OLD", 25: "SO_BINDTODEVICE",
    26: "SO_ATTACH_FILTER", 27: "SO_DETACH_FILTER", 28: "SO_PEERNAME", 29: "SO_TIMESTAMP_OLD",
    30: "SO_ACCEPTCONN", 31: "SO_PEERSEC", 32: "SO_SNDBUFFORCE", 33: "SO_RCVBUFFORCE",
    34: "SO_PASSSEC", 35: "SO_TIMESTAMPNS_OLD", 36: "SO_MARK", 37: "SO_TIMESTAMPING_OLD",
    38: "SO_PROTOCOL", 39: "SO_DOMAIN", 40: "SO_RXQ_OVFL", 41: "SO_WIFI_STATUS",
    42: "SO_PEEK_OFF", 43: "SO_NOFCS", 44: "SO_LOCK_FILTER", 45: "SO_SELECT_ERR_QUEUE",
    46: "SO_BUSY_POLL", 47: "SO_MAX_PACING_RATE", 48: "SO_BPF_EXTENSIONS",
    49: "SO_INCOMING_CPU", 50: "SO_ATTACH_BPF", 51: "SO_ATTACH_REUSEPORT_CBPF",
    52: "SO_ATTACH_REUSEPORT_EBPF", 53: "SO_CNX_ADVICE", 55: "SO_MEMINFO",
    56: "SO_INCOMING_NAPI_ID", 57: "SO_COOKIE", 59: "SO_PEERGROUPS", 60: "SO_ZEROCOPY",
    61: "SO_TXTIME", 62: "SO_BINDTOIFINDEX", 63: "SO_TIMESTAMP_NEW", 64: "SO_TIMESTAMPNS_NEW",
    65: "SO_TIMESTAMPING_NEW", 66: "SO_RCVTIMEO_NEW", 67: "SO_SNDTIMEO_NEW",
    68: "SO_DETACH_REUSEPORT_BPF", 69: "SO_PREFER_BUSY_POLL", 70: "SO_BUSY_POLL_BUDGET",
    71: "SO_NETNS_COOKIE", 72: "SO_BUF_LOCK", 73: "SO_RESERVE_MEM", 74: "SO_TXREHASH",
    75: "SO_RCVMARK", 76: "SO_PASSPIDFD", 77: "SO_PEERPIDFD",
}  # fmt: skip
IP_OPTIONS = {
    1: "IP_TOS", 2: "IP_TTL", 3: "IP_HDRINCL", 4: "IP_OPTIONS", 5: "IP_ROUTER_ALERT",
    6: "IP_RECVOPTS", 7: "IP_RETOPTS", 8: "IP_PKTINFO", 9: "IP_PKTOPTIONS",
    10: "IP_MTU_DISCOVER", 11: "IP_RECVERR", 12: "IP_RECVTTL", 13: "IP_RECVTOS", 14: "IP_MTU",
    15: "IP_FREEBIND", 18: "IP_PASSSEC", 19: "IP_TRANSPARENT", 20: "IP_ORIGDSTADDR",
    21: "IP_MINTTL", 23: "IP_CHECKSUM", 24: "IP_BIND_ADDRESS_NO_PORT", 25: "IP_RECVFRAGSIZE",
    26: "IP_RECVERR_RFC4884", 32: "IP_MULTICAST_IF", 33: "IP_MULTICAST_TTL",
    34: "IP_MULTICAST_LOOP", 35: "IP_ADD_MEMBERSHIP", 36: "IP_DROP_MEMBERSHIP",
    37: "IP_UNBLOCK_SOURCE", 38: "IP_BLOCK_SOURCE", 39: "IP_ADD_SOURCE_MEMBERSHIP",
    40: "IP_DROP_SOURCE_MEMBERSHIP", 41: "IP_MSFILTER", 42: "MCAST_JOIN_GROUP",
    43: "MCAST_BLOCK_SOURCE", 44: "MCAST_UNBLOCK_SOURCE", 45: "MCAST_LEAVE_GROUP",
    46: "MCAST_JOIN_SOURCE_GROUP", 47: "MCAST_LEAVE_SOURCE_GROUP", 48: "MCAST_MSFILTER",
    49: "IP_MULTICAST_ALL", 50: "IP_UNICAST_IF", 51: "IP_LOCAL_PORT_RANGE", 52: "IP_PROTOCOL",
    64: "IPT_SO_SET_REPLACE", 65: "IPT_SO_SET_ADD_COUNTERS",
    66: "IPT_SO_GET_REVISION_MATCH", 67: "IPT_SO_GET_REVISION_TARGET",
}  # fmt: skip
IPV6_OPTIONS = {
    1: "IPV6_ADDRFORM", 6: "IPV6_2292PKTOPTIONS", 7: "IPV6_CHECKSUM", 16: "IPV6_UNICAST_HOPS",
    17: "IPV6_MULTICAST_IF", 18: "IPV6_MULTICAST_HOPS", 19: "IPV6_MULTICAST_LOOP",
    20: "IPV6_ADD_MEMBERSHIP", 21: "IPV6_DROP_MEMBERSHIP", 22: "IPV6_ROUTER_ALERT",
    23: "IPV6_MTU_DISCOVER", 24: "IPV6_MTU", 25: "IPV6_RECVERR", 26: "IPV6_V6ONLY",
    27: "IPV6_JOIN_ANYCAST", 28: "IPV6_LEAVE_ANYCAST", 29: "IPV6_MULTICAST_ALL",
    33: "IPV6_FLOWINFO_SEND", 34: "IPV6_IPSEC_POLICY", 36: "IPV6_HDRINCL",
    49: "IPV6_RECVPKTINFO", 50: "IPV6_PKTINFO", 51: "IPV6_RECVHOPLIMIT", 52: "IPV6_HOPLIMIT",
    53: "IPV6_RECVHOPOPTS", 54: "IPV6_HOPOPTS", 56: "IPV6_RECVRTHDR", 57: "IPV6_RTHDR",
    58: "IPV6_RECVDSTOPTS", 59: "IPV6_DSTOPTS", 60: "IPV6_RECVPATHMTU", 61: "IPV6_PATHMTU",
    62: "IPV6_DONTFRAG", 66: "IPV6_RECVTCLASS", 67: "IPV6_TCLASS", 68: "IPV6_AUTOFLOWLABEL",
    70: "IPV6_ADDR_PREFERENCES", 72: "IPV6_MINHOPCOUNT", 74: "IPV6_RECVORIGDSTADDR",
    75: "IPV6_TRANSPARENT", 76: "IPV6_UNICAST_IF", 77: "IPV6_RECVFRAGSIZE", 78: "IPV6_FREEBIND",
    **{number: name for number, name in IP_OPTIONS.items() if name.startswith("MCAST_")},
    64: "IP6T_SO_SET_REPLACE", 65: "IP6T_SO_SET_ADD_COUNTERS",
}  # fmt: skip
TCP = {
    1: "TCP_NODELAY", 2: "TCP_MAXSEG", 3: "TCP_CORK", 4: "TCP_KEEPIDLE", 5: "TCP_KEEPINTVL",
    6: "TCP_KEEPCNT", 7: "TCP_SYNCNT", 8: "TCP_LINGER2", 9: "TCP_DEFER_ACCEPT",
    10: "TCP_WINDOW_CLAMP", 11: "TCP_INFO", 12: "TCP_QUICKACK", 13: "TCP_CONGESTION",
    14: "TCP_MD5SIG", 16: "TCP_THIN_LINEAR_TIMEOUTS", 17: "TCP_THIN_DUPACK",
    18: "TCP_USER_TIMEOUT", 19: "TCP_REPAIR", 20: "TCP_REPAIR_QUEUE", 21: "TCP_QUEUE_SEQ",
    22: "TCP_REPAIR_OPTIONS", 23: "TCP_FASTOPEN", 24: "TCP_TIMESTAMP", 25: "TCP_NOTSENT_LOWAT",
    26: "TCP_CC_INFO", 27: "TCP_SAVE_SYN", 28: "TCP_SAVED_SYN", 29: "TCP_REPAIR_WINDOW",
    30: "TCP_FASTOPEN_CONNECT", 31: "TCP_ULP", 32: "TCP_MD5SIG_EXT", 33: "TCP_FASTOPEN_KEY",
    34: "TCP_FASTOPEN_NO_COOKIE", 35: "TCP_ZEROCOPY_RECEIVE", 36: "TCP_INQ", 37: "TCP_TX_DELAY",
}  # fmt: skip
NAMES = {SOL_SOCKET: SO, SOL_IP: IP_OPTIONS, SOL_IPV6: IPV6_OPTIONS, SOL_TCP: TCP}

LINGER = Struct("linger", [("l_onoff", s32), ("l_linger", s32)])
UCRED = Struct("ucred", [("pid", s32), ("uid", u32), ("gid", u32)])
TIMEVAL64 = Struct("__kernel_sock_timeval", [("tv_sec", s64), ("tv_usec", s64)])
SOCK_FILTER = Struct("sock_filter", [("code", u16), ("jt", Bytes(1)), ("jf", Bytes(1)), ("k", u32)])
SOCK_FPROG = Struct("sock_fprog", [("len", u16), ("filter", ptr)])


class _Storage(Bytes):
    """struct sockaddr_storage: aligned like a pointer (linux/socket.h)."""

    def __init__(self) -> None:
        super().__init__(128)

    def align(self, abi: Abi) -> int:
        """That of a pointer."""
        return abi.word


STORAGE = _Storage()
GROUP_REQ = Struct("group_req", [("gr_interface", u32), ("gr_group", STORAGE)])
GROUP_SOURCE_REQ = Struct(
    "group_source_req", [("gsr_interface", u32), ("gsr_group", STORAGE), ("gsr_source", STORAGE)]
)
IPV6_MREQ = Struct("ipv6_mreq", [("ipv6mr_multiaddr", Bytes(16, 4)), ("ipv6mr_interface", s32)])
IP_MREQN = Struct(
    "ip_mreqn", [("imr_multiaddr", be32), ("imr_address", be32), ("imr_ifindex", s32)]
)

OPTIONS: dict[tuple[int, int], CType] = {
    (SOL_SOCKET, 20): TIMEVAL,
    (SOL_SOCKET, 21): TIMEVAL,
    **{(level, option): GROUP_REQ for level in (SOL_IP, SOL_IPV6) for option in (42, 45)},
    **{
        (level, option): GROUP_SOURCE_REQ
        for level in (SOL_IP, SOL_IPV6)
        for option in (43, 44, 46, 47)
    },
}
"""Options whose data 32-bit guests lay out in another way. (SO_RCVTIMEO of the y2038
form has its own number and one layout.)"""

BE_OPTIONS: dict[tuple[int, int], CType] = {
    **OPTIONS,
    (SOL_SOCKET, 17): UCRED,
    (SOL_SOCKET, 57): u64,
    (SOL_SOCKET, 71): u64,
    (SOL_SOCKET, 66): TIMEVAL64,
    (SOL_SOCKET, 67): TIMEVAL64,
    (SOL_IP, 32): IP_MREQN,
    (SOL_IP, 35): IP_MREQN,
    (SOL_IP, 36): IP_MREQN,
    (SOL_IPV6, 20): IPV6_MREQ,
    (SOL_IPV6, 21): IPV6_MREQ,
}
"""Of big-endian guests: options that are not (arrays of) 32-bit integers."""
BYTES = {
    (SOL_SOCKET, 25), (SOL_SOCKET, 28), (SOL_SOCKET, 31), (SOL_IP, 4), (SOL_IP, 7),
    (SOL_IP, 32), (SOL_IP, 35), (SOL_IP, 36), (SOL_IP, 37), (SOL_IP, 38), (SOL_IP, 39),
    (SOL_IP, 40), (SOL_TCP, 11), (SOL_TCP, 13),
    (SOL_TCP, 28), (SOL_TCP, 31), (SOL_TCP, 33),
    *((SOL_IPV6, option) for option in (50, 54, 55, 57, 59)),
}  # fmt: skip
"""Options of bytes or network-order addresses (and TCP_INFO, which stays the host's)."""

# The structs of iptables and ip6tables hold pointers and counters aligned by the host's rules.
_TABLES = {(SOL_IP, 64), (SOL_IP, 65), (SOL_IPV6, 64), (SOL_IPV6, 65)}
_FILTERS = {(SOL_SOCKET, 26), (SOL_SOCKET, 51)}
"""Options that attach a classic BPF program: its address is in the struct."""

_ADDRLEN = Ptr("addrlen", u32, INOUT)
_ADDR_OUT = SockaddrOut("addr", size="addrlen")
_ADDR_IN = (SockaddrIn("addr", size="addrlen"), Int("addrlen"))
_LEVEL = Enum("level", LEVELS)
_BE = "options not listed in sockets.py keep the host's byte order"
_UNIX = "the path of a unix socket is looked up on the host, not in the sysroot"


def _options(
    name: str, cases: dict[tuple[int, int], Case], default: Case, *families: str
) -> Syscall:
    """getsockopt or setsockopt: a choice by level, then by option."""

    def level(number: int) -> Case:
        names = NAMES[number]
        family = "socket" if number == SOL_SOCKET else ""
        mine: list[tuple[Constant, Case]] = [
            (Named(option, family, names[option]) if family else option, case)
            for (where, option), case in cases.items()
            if where == number
        ]
        return Case(
            Switch(
                "optname", mine, default=default, names=names, family=family,
                unknown=errno.ENOPROTOOPT,
            )
        )  # fmt: skip

    levels: list[tuple[Constant, Case]] = [
        (Named(number, "socket", LEVELS[number]), level(number)) for number in NAMES
    ]
    rest = Case(Int("optname"), *default.args, handler=default.handler)
    switch = Switch("level", levels, default=rest, names=LEVELS, family="socket")
    return Syscall(name, Fd("fd"), switch, families=families or None)


_TYPED: dict[tuple[int, int], CType] = {
    (SOL_SOCKET, 3): FlagInt(32, TYPES),
    (SOL_SOCKET, 4): errno32,
}
"""SO_TYPE and SO_ERROR: numbers that ABIs may have otherwise."""


def _setsockopt() -> tuple[Syscall, ...]:
    data = Case(Buf("optval", IN, size="optlen"), Int("optlen"))
    program = Case(Ptr("optval", SOCK_FPROG, IN), Int("optlen"))
    other = Case(*data.args, handler="sockets:setsockopt")
    refused = Case(*data.args, errno=errno.ENOPROTOOPT)
    narrow = {
        **dict.fromkeys(OPTIONS, other), **dict.fromkeys(_FILTERS, other),
        **dict.fromkeys(_TABLES, refused),
    }  # fmt: skip
    return (
        _options("setsockopt", dict.fromkeys(_FILTERS, program), data),
        _options("setsockopt", narrow, data, "32"),
        _options("setsockopt", {}, other, "irix_be", "ppc32"),
        Syscall("setsockopt", Fd("fd"), _LEVEL, Int("optname"), *data.args,
                handler="sockets:setsockopt", partial=_BE, families=("be",)),
    )  # fmt: skip


def _getsockopt() -> tuple[Syscall, ...]:
    data = Case(Buf("optval", OUT, size="*optlen"), Ptr("optlen", s32, INOUT))
    other = Case(*data.args, handler="sockets:getsockopt")
    refused = Case(*data.args, errno=errno.ENOPROTOOPT)
    narrow = {**dict.fromkeys(OPTIONS, other), **dict.fromkeys(_TABLES, refused)}
    typed = {
        option: Case(Ptr("optval", ctype, OUT), Ptr("optlen", s32, INOUT))
        for option, ctype in _TYPED.items()
    }
    return (
        _options("getsockopt", {}, data),
        _options("getsockopt", narrow, data, "32"),
        _options("getsockopt", {**narrow, **typed}, data, "irix32"),
        _options("getsockopt", typed, data, "irix64"),
        _options("getsockopt", typed, other, "irix_be", "ppc32"),
        Syscall("getsockopt", Fd("fd"), _LEVEL, Int("optname"), *data.args,
                handler="sockets:getsockopt", partial=_BE, families=("be",)),
    )  # fmt: skip


def _recvmmsg(name: str, timespec: CType) -> Syscall:
    return Syscall(
        name, Fd("sockfd"), Mmsghdr("msgvec", OUT, count="vlen"), UInt("vlen"),
        Flags("flags", MSG), Ptr("timeout", timespec, INOUT), host=Host("recvmmsg"),
    )  # fmt: skip


_PAIR: tuple[Arg, ...] = (Enum("domain", DOMAINS), Flags("type", TYPES), Int("protocol"))
_SEND: tuple[Arg, ...] = (
    Fd("sockfd"), Buf("buf", IN, size="len"), Size("len"), Flags("flags", MSG),
)  # fmt: skip
_RECEIVE: tuple[Arg, ...] = (
    Fd("sockfd"), Buf("buf", OUT, size="len"), Size("len"), Flags("flags", MSG),
)  # fmt: skip

# net/socket.c: all calls behind one number, their arguments in memory.
_SOCKETCALL = {
    1: ("SYS_SOCKET", Forward("socket", *words(1, 3))),
    2: ("SYS_BIND", Forward("bind", *words(1, 3))),
    3: ("SYS_CONNECT", Forward("connect", *words(1, 3))),
    4: ("SYS_LISTEN", Forward("listen", *words(1, 2))),
    5: ("SYS_ACCEPT", Forward("accept", *words(1, 3))),
    6: ("SYS_GETSOCKNAME", Forward("getsockname", *words(1, 3))),
    7: ("SYS_GETPEERNAME", Forward("getpeername", *words(1, 3))),
    8: ("SYS_SOCKETPAIR", Forward("socketpair", *words(1, 4))),
    9: ("SYS_SEND", Forward("send", *words(1, 4))),
    10: ("SYS_RECV", Forward("recv", *words(1, 4))),
    11: ("SYS_SENDTO", Forward("sendto", *words(1, 6))),
    12: ("SYS_RECVFROM", Forward("recvfrom", *words(1, 6))),
    13: ("SYS_SHUTDOWN", Forward("shutdown", *words(1, 2))),
    14: ("SYS_SETSOCKOPT", Forward("setsockopt", *words(1, 5))),
    15: ("SYS_GETSOCKOPT", Forward("getsockopt", *words(1, 5))),
    16: ("SYS_SENDMSG", Forward("sendmsg", *words(1, 3))),
    17: ("SYS_RECVMSG", Forward("recvmsg", *words(1, 3))),
    18: ("SYS_ACCEPT4", Forward("accept4", *words(1, 4))),
    19: ("SYS_RECVMMSG", Forward("recvmmsg", *words(1, 5))),
    20: ("SYS_SENDMMSG", Forward("sendmmsg", *words(1, 4))),
}

CALLS = (
    Syscall(
        "socketcall",
        Switch(
            "call",
            [(call, Case(Hex("args"), forward=forward))
             for call, (_, forward) in _SOCKETCALL.items()],
            default=Case(Hex("args"), errno=errno.EINVAL),
            names={call: name for call, (name, _) in _SOCKETCALL.items()},
        ),
    ),
    Syscall("socket", *_PAIR),
    # Without it C libraries ask for interfaces and addresses in other ways.
    Syscall(
        "socket",
        Switch("domain", [(AF_NETLINK, Case(*_PAIR[1:], errno=errno.EAFNOSUPPORT))],
               default=Case(*_PAIR[1:]), names=DOMAINS),
        partial="netlink, whose messages would be in the host's byte order, is not there",
        families=("be",),
    ),
    Syscall("socketpair", *_PAIR, Array("sv", s32, OUT, count=2)),
    Syscall("bind", Fd("sockfd"), *_ADDR_IN, partial=_UNIX),
    Syscall("connect", Fd("sockfd"), *_ADDR_IN, partial=_UNIX),
    Syscall("listen", Fd("sockfd"), Int("backlog")),
    Syscall("accept", Fd("sockfd"), _ADDR_OUT, _ADDRLEN),
    Syscall("accept4", Fd("sockfd"), _ADDR_OUT, _ADDRLEN, Flags("flags", TYPES)),
    Syscall("getsockname", Fd("sockfd"), _ADDR_OUT, _ADDRLEN),
    Syscall("getpeername", Fd("sockfd"), _ADDR_OUT, _ADDRLEN),
    Syscall("shutdown", Fd("sockfd"), Enum("how", SHUT)),
    Syscall("sendto", *_SEND, *_ADDR_IN),
    Syscall("send", *_SEND, host=Host("sendto", "sockfd", "buf", "len", "flags", 0, 0)),
    Syscall("recvfrom", *_RECEIVE, _ADDR_OUT, _ADDRLEN),
    Syscall("recv", *_RECEIVE, host=Host("recvfrom", "sockfd", "buf", "len", "flags", 0, 0)),
    Syscall("sendmsg", Fd("sockfd"), Msghdr("msg", IN), Flags("flags", MSG)),
    Syscall("recvmsg", Fd("sockfd"), Msghdr("msg", OUT), Flags("flags", MSG)),
    Syscall("sendmmsg", Fd("sockfd"), Mmsghdr("msgvec", IN, count="vlen"), UInt("vlen"),
            Flags("flags", MSG)),
    _recvmmsg("recvmmsg", TIMESPEC),
    _recvmmsg("recvmmsg_time64", TIMESPEC64),
    *_setsockopt(),
    *_getsockopt(),
)  # fmt: skip
