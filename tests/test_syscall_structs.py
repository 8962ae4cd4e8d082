"""Structs of all but the file calls against the kernel's headers; ioctl and other numbers too."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

import pytest

from qusr.arch import abi_named
from qusr.arch.abi import ABSENT
from qusr.syscalls import (
    common,
    decl,
    futexes,
    identity,
    ioctl,
    ioctl_block,
    ioctl_misc,
    ioctl_net,
    ioctl_tty,
    ipc,
    poll,
    prctl,
    process,
    scheduling,
    signals,
    sockets,
    structs,
    system,
    time,
)
from qusr.syscalls.layout import leaves
from tests.layouts import ALL, COMPILERS, N32, WORD64, Known, parameters

# These headers include the C library's, which has none for the others.
LIBC = tuple(name for name in ALL if name not in ("aarch64_be", "riscv32"))
_IFREQ = ("linux/if.h",)
_SIGEVENT = ("linux/signal.h",)
_PERM = {
    f"{prefix}_perm.mode.mode": f"{prefix}_perm.mode" for prefix in ("msg", "sem", "shm")
}  # fmt: skip

KNOWN = (
    Known(structs.ITIMERSPEC, "struct itimerspec", ("linux/time.h",)),
    Known(structs.ITIMERSPEC64, "struct __kernel_itimerspec", ("linux/time_types.h",), WORD64),
    Known(structs.ITIMERVAL, "struct itimerval", ("linux/time.h",)),
    Known(structs.TIMEZONE, "struct timezone", ("linux/time.h",)),
    Known(structs.RLIMIT, "struct rlimit", ("linux/resource.h",)),
    Known(structs.RUSAGE, "struct rusage", ("linux/resource.h",)),
    Known(structs.SIGEVENT, "struct sigevent", _SIGEVENT,
          renamed={"sigev_notify_thread_id": "_sigev_un._tid"}),
    Known(structs.SIGINFO_QUEUE, "struct siginfo", _SIGEVENT,
          renamed={"si_pid": "_sifields._rt._pid", "si_uid": "_sifields._rt._uid",
                   "si_value": "_sifields._rt._sigval"}),
    Known(time.TIMEX, "struct timex", ("linux/timex.h",)),
    Known(time.TIMEX64, "struct __kernel_timex", ("linux/timex.h",)),
    Known(time.TMS, "struct tms", ("linux/times.h",)),
    Known(poll.POLLFD, "struct pollfd", ("linux/poll.h",)),
    Known(poll.EPOLL_EVENT, "struct epoll_event", ("linux/eventpoll.h",)),
    Known(futexes.FUTEX_WAITV, "struct futex_waitv", ("linux/futex.h",),
          renamed={"reserved": "__reserved"}),
    Known(identity.CAP_HEADER, "struct __user_cap_header_struct", ("linux/capability.h",)),
    Known(identity.CAP_DATA, "struct __user_cap_data_struct", ("linux/capability.h",)),
    Known(process.RLIMIT64, "struct rlimit64", ("linux/resource.h",)),
    Known(process.CLONE_ARGS, "struct clone_args", ("linux/sched.h",)),
    Known(signals.STACK, "struct sigaltstack", _SIGEVENT),
    Known(signals.SIGACTION, "struct sigaction", _SIGEVENT,
          ("aarch64", "aarch64_be", "riscv64", "riscv32")),
    Known(scheduling.SCHED_PARAM, "struct sched_param", ("sched.h",), LIBC),
    Known(system.UTSNAME, "struct new_utsname", ("linux/utsname.h",)),
    Known(system.SYSINFO, "struct sysinfo", ("linux/sysinfo.h",)),
    # struct compat_msqid64_ds of arch/mips/include/asm/compat.h has the gaps of o32's.
    Known(ipc.MSQID_DS, "struct msqid64_ds", ("linux/msg.h",),
          tuple(name for name in ALL if name not in N32), renamed=_PERM),
    Known(ipc.SEMID_DS, "struct semid64_ds", ("linux/sem.h",), renamed=_PERM),
    Known(ipc.SHMID_DS, "struct shmid64_ds", ("linux/shm.h",), LIBC, renamed=_PERM),
    Known(ipc.SHMINFO, "struct shminfo64", ("linux/shm.h",), LIBC),
    Known(ipc.SHM_INFO, "struct shm_info", ("linux/shm.h",), LIBC),
    Known(ipc.MSGINFO, "struct msginfo", ("linux/msg.h",)),
    Known(ipc.SEMINFO, "struct seminfo", ("linux/sem.h",)),
    Known(ipc.SEMBUF, "struct sembuf", ("linux/sem.h",)),
    Known(ipc.MQ_ATTR, "struct mq_attr", ("linux/mqueue.h",)),
    Known(sockets.LINGER, "struct linger", ("sys/socket.h",), LIBC),
    Known(sockets.UCRED, "struct ucred", ("sys/socket.h",), LIBC),
    Known(sockets.SOCK_FILTER, "struct sock_filter", ("linux/filter.h",)),
    Known(sockets.SOCK_FPROG, "struct sock_fprog", ("linux/filter.h",)),
    Known(sockets.GROUP_REQ, "struct group_req", ("linux/in.h",)),
    Known(sockets.GROUP_SOURCE_REQ, "struct group_source_req", ("linux/in.h",)),
    Known(sockets.IPV6_MREQ, "struct ipv6_mreq", ("linux/in6.h",),
          renamed={"ipv6mr_interface": "ipv6mr_ifindex"}),
    Known(sockets.IP_MREQN, "struct ip_mreqn", ("linux/in.h",)),
    Known(ioctl_tty.TERMIO, "struct termio", ("asm/termios.h",)),
    Known(ioctl_tty.TERMIOS, "struct termios", ("asm/termbits.h",)),
    Known(ioctl_tty.TERMIOS2, "struct termios2", ("asm/termbits.h",),
          tuple(name for name in LIBC if name != "ppc")),
    Known(ioctl_tty.WINSIZE, "struct winsize", ("asm/termios.h",)),
    Known(ioctl_tty.SERIAL_STRUCT, "struct serial_struct", ("linux/serial.h",)),
    Known(ioctl_tty.SERIAL_ICOUNTER, "struct serial_icounter_struct", ("linux/serial.h",)),
    Known(ioctl_tty.SERIAL_RS485, "struct serial_rs485", ("linux/serial.h",),
          renamed={"addr": "padding"}),
    Known(ioctl_tty.VT_MODE, "struct vt_mode", ("linux/vt.h",)),
    Known(ioctl_tty.VT_STAT, "struct vt_stat", ("linux/vt.h",)),
    Known(ioctl_net.IFREQ_FLAGS, "struct ifreq", _IFREQ, LIBC),
    Known(ioctl_net.IFREQ_INT, "struct ifreq", _IFREQ, LIBC),
    Known(ioctl_net.IFREQ_ADDR, "struct ifreq", _IFREQ, LIBC),
    Known(ioctl_net.IFREQ_NAME, "struct ifreq", _IFREQ, LIBC),
    Known(ioctl_net.IFREQ_MAP, "struct ifreq", _IFREQ, LIBC),
    Known(ioctl_net.IFREQ_DATA, "struct ifreq", _IFREQ, LIBC),
    Known(ioctl_net.IFCONF, "struct ifconf", _IFREQ, LIBC, renamed={"ifc_buf": "ifc_req"}),
    Known(ioctl_net.RTENTRY, "struct rtentry", ("linux/route.h",), LIBC),
    Known(ioctl_net.ARPREQ, "struct arpreq", ("linux/if_arp.h",), LIBC),
    Known(ioctl_net.IN6_IFREQ, "struct in6_ifreq", ("linux/ipv6.h",)),
    Known(ioctl_block.FSXATTR, "struct fsxattr", ("linux/fs.h",)),
    Known(ioctl_block.FIEMAP, "struct fiemap", ("linux/fiemap.h",)),
    Known(ioctl_block.FSTRIM_RANGE, "struct fstrim_range", ("linux/fs.h",)),
    Known(ioctl_block.CLONE_RANGE, "struct file_clone_range", ("linux/fs.h",)),
    Known(ioctl_block.DEDUPE_RANGE, "struct file_dedupe_range", ("linux/fs.h",)),
    Known(ioctl_block.HD_GEOMETRY, "struct hd_geometry", ("linux/hdreg.h",)),
    Known(ioctl_block.BLKPG_IOCTL_ARG, "struct blkpg_ioctl_arg", ("linux/blkpg.h",)),
    Known(ioctl_block.LOOP_INFO, "struct loop_info", ("linux/loop.h",)),
    Known(ioctl_block.LOOP_INFO64, "struct loop_info64", ("linux/loop.h",)),
    Known(ioctl_block.LOOP_CONFIG, "struct loop_config", ("linux/loop.h",)),
    Known(ioctl_block.CDROM_TOCHDR, "struct cdrom_tochdr", ("linux/cdrom.h",)),
    Known(ioctl_block.DM_IOCTL, "struct dm_ioctl", ("linux/dm-ioctl.h",)),
    Known(ioctl_misc.RTC_TIME, "struct rtc_time", ("linux/rtc.h",)),
    Known(ioctl_misc.RTC_WKALRM, "struct rtc_wkalrm", ("linux/rtc.h",)),
    Known(ioctl_misc.INPUT_ID, "struct input_id", ("linux/input.h",), LIBC),
)  # fmt: skip


@pytest.mark.parametrize(("known", "abi_name"), parameters(KNOWN))
def test_layout(known: Known, abi_name: str) -> None:
    assert known.complaints(abi_name) == ""


def test_32_bit_forms_of_time64() -> None:
    """Their headers' structs hold the padding in the field (include/uapi/linux/time_types.h)."""
    for name, low_half in (("arm", 8), ("armeb", 12)):
        assert common.TIMESPEC64.size(abi_named(name)) == 16
        offsets = {leaf.path: leaf.offset for leaf in leaves(common.TIMESPEC64, abi_named(name))}
        assert offsets == {"tv_sec": 0, "tv_nsec": low_half}


def _complaints(abi_name: str, headers: tuple[str, ...], values: Mapping[str, int]) -> str:
    lines = ["#include <stddef.h>", *(f"#include <{header}>" for header in headers)]
    for name, value in values.items():
        # An enumerator is no macro, so what the headers lack has to be listed below.
        lines.append(f'_Static_assert((unsigned)({name}) == {value}u, "{name} is not {value:#x}");')
    command = [*COMPILERS[abi_name], "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"]
    run = subprocess.run(
        command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
    )
    return run.stderr


# Newer than the headers of Debian 12, or names of our own (the members of a family of commands).
_NOT_IN_HEADERS = {"PROCMAP_QUERY",
    "FS_IOC_GETFSUUID", "BLKGETDISKSEQ", "NS_GET_MNTNS_ID", "NS_GET_PID_FROM_PIDNS",
    "NS_GET_TGID_FROM_PIDNS", "NS_GET_PID_IN_PIDNS", "NS_GET_TGID_IN_PIDNS",
}  # fmt: skip
_HEADERS = (
    "linux/serial.h", "asm/ioctls.h", "asm/termbits.h", "asm/sockios.h", "linux/types.h",
    "linux/sockios.h",
    "linux/if_tun.h", "linux/filter.h", "linux/fs.h", "linux/fiemap.h", "linux/msdos_fs.h",
    "linux/blkpg.h", "linux/hdreg.h", "linux/loop.h", "linux/cdrom.h", "linux/nsfs.h",
    "linux/random.h", "linux/rtc.h", "linux/input.h", "linux/kd.h", "linux/vt.h",
    "linux/fuse.h", "linux/inotify.h", "linux/perf_event.h",
)  # fmt: skip


@pytest.mark.parametrize("abi_name", LIBC)
def test_ioctl_numbers(abi_name: str) -> None:
    target = abi_named(abi_name)
    values = {}
    for number, case in ioctl.TABLE:
        name = case.name
        if name in _NOT_IN_HEADERS or name.startswith(("DM_", "PIDFD_")):
            continue
        values[name] = decl.constant(number, target)
    values = {name: number for name, number in values.items() if number != ABSENT}
    assert len(values) > 200
    assert _complaints(abi_name, _HEADERS, values) == ""


_SO_NEWER = {75, 76, 77}
CONSTANTS: dict[str, tuple[tuple[str, ...], dict[int, str], set[int]]] = {
    "prctl": (
        ("linux/prctl.h",),
        {number: name for number, (name, _) in prctl.OPTIONS.items()},
        {65, 66, 67, 68, 69, 70, 0x41555856},
    ),
    "SO": (("asm/socket.h",), sockets.SO, _SO_NEWER),
    "IP": (("linux/in.h", "linux/netfilter_ipv4/ip_tables.h"), sockets.IP_OPTIONS, {51, 52}),
    "TCP": (("linux/tcp.h",), sockets.TCP, set()),
    "futex": (("linux/futex.h",), futexes.OPERATIONS, set()),
    "keyctl": (
        ("linux/keyctl.h",), {number: name for number, (name, _) in system.KEYCTL.items()}, set(),
    ),
    "rlimit": (("linux/resource.h", "asm/resource.h"), process.RLIMITS, set()),
    "clocks": (("linux/time.h",), time.CLOCKS, set()),
    "membarrier": (("linux/membarrier.h",), scheduling.MEMBARRIER, {512}),
    "kcmp": (("linux/kcmp.h",), process.KCMP, set()),
    "clone": (
        ("linux/sched.h",),
        {value: name for name, value in process.CLONE.bits.items()}, set(),
    ),
    "signal actions": (
        _SIGEVENT,
        {value: name for name, value in signals.SA.bits.items()}, {0x02000000, 0x04000000},
    ),
}  # fmt: skip


_FAMILIES = {"SO": "socket", "rlimit": "rlimit", "signal actions": "sigaction"}
"""Those that ABIs may have otherwise (`Abi.differing`)."""


@pytest.mark.parametrize("abi_name", LIBC)
@pytest.mark.parametrize("kind", CONSTANTS)
def test_constants(kind: str, abi_name: str) -> None:
    headers, names, newer = CONSTANTS[kind]
    own = abi_named(abi_name).differing(_FAMILIES.get(kind, ""))
    values = {
        name: own.get(name, number)
        for number, name in names.items()
        if number not in newer and own.get(name) != ABSENT
    }
    assert len(values) > 5
    assert _complaints(abi_name, headers, values) == ""
