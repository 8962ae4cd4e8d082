"""Ioctls of network interfaces, routes and tun devices: linux/{sockios,if,route,if_tun}.h."""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMEVAL
from qusr.syscalls.decl import INOUT, Case, Ptr, Raw, Str
from qusr.syscalls.ioctl_codes import (
    Command,
    changes,
    group,
    io,
    ior,
    iow,
    plain,
    plains,
    raw,
    reads,
    stores,
)
from qusr.syscalls.layout import (
    Bytes,
    CType,
    Fields,
    PerAbi,
    Struct,
    ptr,
    s16,
    s32,
    s64,
    u8,
    u16,
    u32,
    ulong,
)
from qusr.syscalls.sockets import SOCK_FPROG

SOCKADDR = Struct("sockaddr", [("sa_family", u16), ("sa_data", Bytes(14))])


def _ifreq(*use: tuple[str, CType]) -> PerAbi:
    """struct ifreq with one member of its union, whose size is that of ifmap or sockaddr."""
    members: Fields = [("ifr_name", Bytes(16)), *use]
    return PerAbi(
        "ifreq",
        {"64": Struct("ifreq", members, pad_to=40), "32": Struct("ifreq", members, pad_to=32)},
    )


IFMAP = Struct(
    "ifmap",
    [
        ("mem_start", ulong), ("mem_end", ulong), ("base_addr", u16), ("irq", u8), ("dma", u8),
        ("port", u8),
    ],
)  # fmt: skip
IFREQ_FLAGS = _ifreq(("ifr_flags", s16))
IFREQ_INT = _ifreq(("ifr_ifindex", s32))
IFREQ_ADDR = _ifreq(("ifr_addr", SOCKADDR))
IFREQ_NAME = _ifreq(("ifr_newname", Bytes(16)))
IFREQ_MAP = _ifreq(("ifr_map", IFMAP))
IFREQ_DATA = _ifreq(("ifr_data", ptr))
IFCONF = Struct("ifconf", [("ifc_len", s32), ("ifc_buf", ptr)])
IN6_IFREQ = Struct(
    "in6_ifreq",
    [("ifr6_addr", Bytes(16, 4)), ("ifr6_prefixlen", u32), ("ifr6_ifindex", s32)],
)
RTENTRY = Struct(
    "rtentry",
    [
        ("_pad1", ulong), ("rt_dst", SOCKADDR), ("rt_gateway", SOCKADDR),
        ("rt_genmask", SOCKADDR), ("rt_flags", u16), ("_pad2", s16), ("_pad3", ulong),
        ("_pad4", ulong), ("rt_metric", s16), ("rt_dev", ptr), ("rt_mtu", ulong),
        ("rt_window", ulong), ("rt_irtt", u16),
    ],
)  # fmt: skip
ARPREQ = Struct(
    "arpreq",
    [
        ("arp_pa", SOCKADDR), ("arp_ha", SOCKADDR), ("arp_flags", s32),
        ("arp_netmask", SOCKADDR), ("arp_dev", Bytes(16)),
    ],
)  # fmt: skip
_LONGS = Struct("longs", [("_longs", s64 * 2)])

TABLE: list[Command] = [
    *group(stores, {"FIOGETOWN": 0x8903, "SIOCGPGRP": 0x8904, "SIOCATMARK": 0x8905}, s32),
    *group(reads, {"FIOSETOWN": 0x8901, "SIOCSPGRP": 0x8902}, s32),
    stores("SIOCGSTAMP_OLD", 0x8906, TIMEVAL),
    stores("SIOCGSTAMPNS_OLD", 0x8907, TIMESPEC),
    stores("SIOCGSTAMP_NEW", ior(0x89, 6, _LONGS), s64 * 2),
    stores("SIOCGSTAMPNS_NEW", ior(0x89, 7, _LONGS), s64 * 2),
    *group(reads, {"SIOCADDRT": 0x890B, "SIOCDELRT": 0x890C}, RTENTRY),
    (0x8912, Case(Ptr("arg", IFCONF, INOUT), name="SIOCGIFCONF")),
    changes("SIOCGIFFLAGS", 0x8913, IFREQ_FLAGS),
    reads("SIOCSIFFLAGS", 0x8914, IFREQ_FLAGS),
    *group(
        changes,
        {
            "SIOCGIFADDR": 0x8915, "SIOCGIFDSTADDR": 0x8917, "SIOCGIFBRDADDR": 0x8919,
            "SIOCGIFNETMASK": 0x891B, "SIOCGIFHWADDR": 0x8927,
        },
        IFREQ_ADDR,
    ),
    *group(
        reads,
        {
            "SIOCSIFADDR": 0x8916, "SIOCSIFDSTADDR": 0x8918, "SIOCSIFBRDADDR": 0x891A,
            "SIOCSIFNETMASK": 0x891C, "SIOCSIFHWADDR": 0x8924, "SIOCADDMULTI": 0x8931,
            "SIOCDELMULTI": 0x8932, "SIOCSIFHWBROADCAST": 0x8937, "SIOCDIFADDR": 0x8936,
        },
        IFREQ_ADDR,
    ),
    *group(
        changes,
        {
            "SIOCGIFNAME": 0x8910, "SIOCGIFMETRIC": 0x891D, "SIOCGIFMTU": 0x8921,
            "SIOCGIFINDEX": 0x8933, "SIOCGIFPFLAGS": 0x8935, "SIOCGIFTXQLEN": 0x8942,
        },
        IFREQ_INT,
    ),
    *group(
        reads,
        {
            "SIOCSIFMETRIC": 0x891E, "SIOCSIFMTU": 0x8922, "SIOCSIFPFLAGS": 0x8934,
            "SIOCSIFTXQLEN": 0x8943, "SIOCBRADDIF": 0x89A2, "SIOCBRDELIF": 0x89A3,
        },
        IFREQ_INT,
    ),
    reads("SIOCSIFNAME", 0x8923, IFREQ_NAME),
    changes("SIOCGIFMAP", 0x8970, IFREQ_MAP),
    reads("SIOCSIFMAP", 0x8971, IFREQ_MAP),
    # What ifr_data points to has a layout without words.
    *group(
        reads,
        {
            "SIOCETHTOOL": 0x8946, "SIOCGMIIPHY": 0x8947, "SIOCSHWTSTAMP": 0x89B0,
            "SIOCGHWTSTAMP": 0x89B1,
        },
        IFREQ_DATA,
    ),
    *group(reads, {"SIOCDARP": 0x8953, "SIOCSARP": 0x8955}, ARPREQ),
    changes("SIOCGARP", 0x8954, ARPREQ),
    (0x89A0, Case(Str("name"), name="SIOCBRADDBR")),
    (0x89A1, Case(Str("name"), name="SIOCBRDELBR")),
    *(
        raw(name, number)
        for name, number in {"SIOCGIFVLAN": 0x8982, "SIOCSIFVLAN": 0x8983}.items()
    ),
    plain("SIOCGSKNS", 0x894C),
    # ifreq by another number: tun devices.
    *group(
        changes,
        {"TUNSETIFF": iow("T", 202, s32), "TUNSETQUEUE": iow("T", 217, s32),
         "TUNGETIFF": ior("T", 210, u32)},
        IFREQ_FLAGS,
    ),
    *plains(
        {
            "TUNSETNOCSUM": iow("T", 200, s32), "TUNSETDEBUG": iow("T", 201, s32),
            "TUNSETPERSIST": iow("T", 203, s32), "TUNSETOWNER": iow("T", 204, s32),
            "TUNSETLINK": iow("T", 205, s32), "TUNSETGROUP": iow("T", 206, s32),
            "TUNSETOFFLOAD": iow("T", 208, u32), "TUNGETDEVNETNS": io("T", 227),
        }
    ),
    *group(
        stores,
        {
            "TUNGETFEATURES": ior("T", 207, u32), "TUNGETSNDBUF": ior("T", 211, s32),
            "TUNGETVNETHDRSZ": ior("T", 215, s32), "TUNGETVNETLE": ior("T", 221, s32),
            "TUNGETVNETBE": ior("T", 223, s32),
        },
        s32,
    ),
    *group(
        reads,
        {
            "TUNSETSNDBUF": iow("T", 212, s32), "TUNSETVNETHDRSZ": iow("T", 216, s32),
            "TUNSETIFINDEX": iow("T", 218, u32), "TUNSETVNETLE": iow("T", 220, s32),
            "TUNSETVNETBE": iow("T", 222, s32), "TUNSETSTEERINGEBPF": ior("T", 224, s32),
            "TUNSETFILTEREBPF": ior("T", 225, s32), "TUNSETCARRIER": iow("T", 226, s32),
        },
        s32,
    ),
    reads("TUNATTACHFILTER", iow("T", 213, SOCK_FPROG), SOCK_FPROG),
    reads("TUNDETACHFILTER", iow("T", 214, SOCK_FPROG), SOCK_FPROG),
]  # fmt: skip

NARROW: list[Command] = [
    (0x8912, Case(Raw("arg"), handler="ioctl:siocgifconf", name="SIOCGIFCONF")),
]
"""Of 32-bit and of big-endian guests: an array of as many struct ifreq as fit."""
