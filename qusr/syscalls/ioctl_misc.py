"""Ioctls of namespaces, process descriptors, random numbers, clocks and input devices."""

from __future__ import annotations

from qusr.syscalls.decl import Case, Raw
from qusr.syscalls.ioctl_codes import (
    Command,
    changes,
    fields,
    group,
    io,
    ior,
    iow,
    iowr,
    plain,
    plains,
    raw,
    reads,
    stores,
)
from qusr.syscalls.layout import Bytes, Struct, s32, u8, u16, u32, u64, ulong

RTC_TIME = fields(
    "rtc_time", s32, "tm_sec tm_min tm_hour tm_mday tm_mon tm_year tm_wday tm_yday tm_isdst"
)
RTC_WKALRM = Struct("rtc_wkalrm", [("enabled", u8), ("pending", u8), ("time", RTC_TIME)])
INPUT_ID = fields("input_id", u16, "bustype vendor product version")
NS, PIDFD = 0xB7, 0xFF
PIDFD_INFO = Struct("pidfd_info", [("_all", Bytes(64, 8))])
# linux/fs.h
PROCMAP_QUERY = Struct(
    "procmap_query",
    [
        *((name, u64) for name in (
            "size", "query_flags", "query_addr", "vma_start", "vma_end", "vma_flags",
            "vma_page_size", "vma_offset", "inode",
        )),
        *((name, u32) for name in ("dev_major", "dev_minor", "vma_name_size", "build_id_size")),
        ("vma_name_addr", u64), ("build_id_addr", u64),
    ],
)  # fmt: skip

TABLE: list[Command] = [
    (iowr("f", 17, PROCMAP_QUERY), Case(Raw("arg"), handler="procmap:query", name="PROCMAP_QUERY")),
    # linux/nsfs.h
    *(
        plain(name, io(NS, number))
        for name, number in {"NS_GET_USERNS": 1, "NS_GET_PARENT": 2, "NS_GET_NSTYPE": 3}.items()
    ),
    stores("NS_GET_OWNER_UID", io(NS, 4), u32),
    stores("NS_GET_MNTNS_ID", ior(NS, 5, u64), u64),
    *(
        plain(name, ior(NS, number, s32))
        for name, number in {
            "NS_GET_PID_FROM_PIDNS": 6, "NS_GET_TGID_FROM_PIDNS": 7, "NS_GET_PID_IN_PIDNS": 8,
            "NS_GET_TGID_IN_PIDNS": 9,
        }.items()
    ),
    # linux/pidfd.h
    *(
        plain(f"PIDFD_GET_{name}_NAMESPACE", io(PIDFD, number))
        for number, name in enumerate(
            ("CGROUP", "IPC", "MNT", "NET", "PID", "PID_FOR_CHILDREN", "TIME",
             "TIME_FOR_CHILDREN", "USER", "UTS"), 1,
        )
    ),
    raw("PIDFD_GET_INFO", iowr(PIDFD, 11, PIDFD_INFO)),
    # linux/random.h
    stores("RNDGETENTCNT", ior("R", 0, s32), s32),
    reads("RNDADDTOENTCNT", iow("R", 1, s32), s32),
    raw("RNDADDENTROPY", iow("R", 3, s32 * 2)),
    plain("RNDZAPENTCNT", io("R", 4)),
    plain("RNDCLEARPOOL", io("R", 6)),
    plain("RNDRESEEDCRNG", io("R", 7)),
    # linux/rtc.h
    *(
        plain(name, io("p", number))
        for name, number in {
            "RTC_AIE_ON": 1, "RTC_AIE_OFF": 2, "RTC_UIE_ON": 3, "RTC_UIE_OFF": 4,
            "RTC_PIE_ON": 5, "RTC_PIE_OFF": 6, "RTC_WIE_ON": 15, "RTC_WIE_OFF": 16,
        }.items()
    ),
    *group(stores, {"RTC_ALM_READ": ior("p", 8, RTC_TIME), "RTC_RD_TIME": ior("p", 9, RTC_TIME)},
           RTC_TIME),
    *group(reads, {"RTC_ALM_SET": iow("p", 7, RTC_TIME), "RTC_SET_TIME": iow("p", 10, RTC_TIME)},
           RTC_TIME),
    *group(stores, {"RTC_IRQP_READ": ior("p", 11, ulong), "RTC_EPOCH_READ": ior("p", 13, ulong)},
           ulong),
    plain("RTC_IRQP_SET", iow("p", 12, ulong)),
    plain("RTC_EPOCH_SET", iow("p", 14, ulong)),
    reads("RTC_WKALM_SET", iow("p", 15, RTC_WKALRM), RTC_WKALRM),
    stores("RTC_WKALM_RD", ior("p", 16, RTC_WKALRM), RTC_WKALRM),
    # linux/input.h; those whose size varies are in the handler.
    stores("EVIOCGVERSION", ior("E", 1, s32), s32),
    stores("EVIOCGID", ior("E", 2, INPUT_ID), INPUT_ID),
    stores("EVIOCGREP", ior("E", 3, u32 * 2), u32 * 2),
    reads("EVIOCSREP", iow("E", 3, u32 * 2), u32 * 2),
    changes("EVIOCGKEYCODE", ior("E", 4, u32 * 2), u32 * 2),
    reads("EVIOCSKEYCODE", iow("E", 4, u32 * 2), u32 * 2),
    plain("EVIOCRMFF", iow("E", 0x81, s32)),
    plain("EVIOCGRAB", iow("E", 0x90, s32)),
    plain("EVIOCREVOKE", iow("E", 0x91, s32)),
    reads("EVIOCSCLOCKID", iow("E", 0xA0, s32), s32),
    # linux/perf_event.h
    *plains(
        {
            "PERF_EVENT_IOC_ENABLE": io("$", 0), "PERF_EVENT_IOC_DISABLE": io("$", 1),
            "PERF_EVENT_IOC_REFRESH": io("$", 2), "PERF_EVENT_IOC_RESET": io("$", 3),
            "PERF_EVENT_IOC_SET_OUTPUT": io("$", 5),
            "PERF_EVENT_IOC_PAUSE_OUTPUT": iow("$", 9, u32),
        }
    ),
    reads("PERF_EVENT_IOC_PERIOD", iow("$", 4, u64), u64),
    # The sizes in these two are those of pointers.
    raw("PERF_EVENT_IOC_SET_FILTER", iow("$", 6, ulong)),
    stores("PERF_EVENT_IOC_ID", ior("$", 7, ulong), u64),
    # Others.
    plain("INOTIFY_IOC_SETNEXTWD", iow("I", 0, s32)),
    reads("FUSE_DEV_IOC_CLONE", ior(229, 0, u32), u32),
]  # fmt: skip
