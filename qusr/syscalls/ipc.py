"""System V IPC and POSIX message queues. (shmat and shmdt change the memory map: `memory`.)"""

from __future__ import annotations

import errno

from qusr.arch.abi import Abi
from qusr.syscalls.common import OPEN, TIMESPEC, TIMESPEC64
from qusr.syscalls.decl import (
    IN,
    OUT,
    Address,
    Arg,
    Array,
    Buf,
    Case,
    Constant,
    Fd,
    Flags,
    FlagTable,
    Forward,
    Hex,
    Host,
    Int,
    Masked,
    Mode,
    Ptr,
    Raw,
    Size,
    Str,
    Switch,
    Syscall,
    UInt,
    ULong,
    Word,
)
from qusr.syscalls.layout import (
    CType,
    Fields,
    FlagInt,
    PerAbi,
    Struct,
    long,
    s16,
    s32,
    u16,
    u32,
    u64,
    ulong,
)
from qusr.syscalls.memory import SHM
from qusr.syscalls.structs import SIGEVENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

IPC = FlagTable({"IPC_CREAT": 0o1000, "IPC_EXCL": 0o2000, "IPC_NOWAIT": 0o4000})
MSG_FLAGS = FlagTable({"IPC_NOWAIT": 0o4000, "MSG_NOERROR": 0o10000, "MSG_EXCEPT": 0o20000,
                       "MSG_COPY": 0o40000})  # fmt: skip
SHM_GET = FlagTable({"IPC_CREAT": 0o1000, "IPC_EXCL": 0o2000, "SHM_HUGETLB": 0o4000,
                     "SHM_NORESERVE": 0o10000})  # fmt: skip
IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO = 0, 1, 2, 3
IPC_64 = 0x100
"""Or'ed to the commands by the C libraries of ABIs that once had smaller structs."""

# asm-generic/ipcbuf.h; the width of __kernel_mode_t is in asm/posix_types.h.
_MODE: dict[str, CType] = {
    "ids16": Struct("mode", [("mode", u16), ("_pad", u16)]),
    "*": Struct("mode", [("mode", u32)]),
}
_IDS: Fields = [("key", s32), ("uid", u32), ("gid", u32), ("cuid", u32), ("cgid", u32)]
_PERM_REST: Fields = [("_unused1", ulong), ("_unused2", ulong)]
IPC_PERM = PerAbi(
    "ipc64_perm",
    {
        # arch/powerpc/include/uapi/asm/ipcbuf.h
        "ppc32": Struct(
            "ipc64_perm",
            [
                *_IDS, ("mode", PerAbi("mode", _MODE)), ("seq", u32), ("_pad1", u32),
                ("_unused", u64 * 2),
            ],
        ),
        # arch/s390/include/uapi/asm/ipcbuf.h
        "s390": Struct(
            "ipc64_perm",
            [
                *_IDS, ("mode", PerAbi("mode", _MODE)), ("_pad1", u16), ("seq", u16),
                *_PERM_REST,
            ],
        ),
        "*": Struct(
            "ipc64_perm",
            [
                *_IDS, ("mode", PerAbi("mode", _MODE)), ("seq", u16), ("_pad2", u16),
                *_PERM_REST,
            ],
        ),
    },
)  # fmt: skip


def _times(*names: str, gap_on_64: bool = False) -> Fields:
    """Times of the IPC structs: a long, on 32-bit ABIs followed by the upper half (0 until
    2106), on x86-64 by nothing or an unused long.
    """
    fields: list[tuple[str, CType]] = []
    for name in names:
        fields.append((name, ulong))
        if gap_on_64:
            fields.append((f"_{name}_high", ulong))
    return fields


_MSG_REST: Fields = [
    ("msg_cbytes", ulong), ("msg_qnum", ulong), ("msg_qbytes", ulong), ("msg_lspid", s32),
    ("msg_lrpid", s32), ("_unused4", ulong), ("_unused5", ulong),
]  # fmt: skip
_MSG_TIMES = ("msg_stime", "msg_rtime", "msg_ctime")


def _high_first(*names: str) -> Fields:
    """The same with the upper halves first."""
    return [field for name in names for field in ((f"_{name}_high", ulong), (name, ulong))]


_MSQID_HIGH_FIRST = Struct(
    "msqid64_ds", [("msg_perm", IPC_PERM), *_high_first(*_MSG_TIMES), *_MSG_REST]
)
MSQID_DS = PerAbi(
    "msqid64_ds",
    {
        # arch/mips/include/uapi/asm/msgbuf.h; little-endian it is as on other 32-bit ABIs.
        "irix32be": _MSQID_HIGH_FIRST,
        # arch/powerpc/include/uapi/asm/msgbuf.h
        "ppc32": _MSQID_HIGH_FIRST,
        **{
            family: Struct(
                "msqid64_ds",
                [("msg_perm", IPC_PERM), *_times(*_MSG_TIMES, gap_on_64=gap), *_MSG_REST],
            )
            for family, gap in (("32", True), ("*", False))
        },
    },
)
_SEM_REST: Fields = [("sem_nsems", ulong), ("_unused3", ulong), ("_unused4", ulong)]
# x86 has the gaps in its 64-bit form too (arch/x86/include/uapi/asm/sembuf.h).
SEMID_DS = PerAbi(
    "semid64_ds",
    {
        # arch/powerpc/include/uapi/asm/sembuf.h
        "ppc32": Struct(
            "semid64_ds",
            [("sem_perm", IPC_PERM), *_high_first("sem_otime", "sem_ctime"), *_SEM_REST],
        ),
        # arch/mips/include/uapi/asm/sembuf.h
        "irix32": Struct(
            "semid64_ds",
            [
                ("sem_perm", IPC_PERM),
                ("sem_otime", ulong),
                ("sem_ctime", ulong),
                ("sem_nsems", ulong),
                ("_sem_otime_high", ulong),
                ("_sem_ctime_high", ulong),
            ],
        ),
        **{
            family: Struct(
                "semid64_ds",
                [
                    ("sem_perm", IPC_PERM),
                    *_times("sem_otime", "sem_ctime", gap_on_64=gap),
                    *_SEM_REST,
                ],
            )
            for family, gap in (("x64", True), ("32", True), ("*", False))
        },
    },
)
_SHM_REST: Fields = [
    ("shm_cpid", s32), ("shm_lpid", s32), ("shm_nattch", ulong), ("_unused4", ulong),
    ("_unused5", ulong),
]  # fmt: skip
_SHM_TIMES = ("shm_atime", "shm_dtime", "shm_ctime")
SHMID_DS = PerAbi(
    "shmid64_ds",
    {
        # arch/powerpc/include/uapi/asm/shmbuf.h
        "ppc32": Struct(
            "shmid64_ds",
            [
                ("shm_perm", IPC_PERM), *_high_first(*_SHM_TIMES), ("_unused0", ulong),
                ("shm_segsz", ulong), *_SHM_REST,
            ],
        ),
        # arch/mips/include/uapi/asm/shmbuf.h
        "irix32": Struct(
            "shmid64_ds",
            [
                ("shm_perm", IPC_PERM), ("shm_segsz", ulong), ("shm_atime", ulong),
                ("shm_dtime", ulong), ("shm_ctime", ulong), ("shm_cpid", s32),
                ("shm_lpid", s32), ("shm_nattch", ulong), ("_times_high", u16 * 3),
                ("_unused1", u16),
            ],
        ),
        **{
            family: Struct(
                "shmid64_ds",
                [
                    ("shm_perm", IPC_PERM), ("shm_segsz", ulong),
                    *_times(*_SHM_TIMES, gap_on_64=gap), *_SHM_REST,
                ],
            )
            for family, gap in (("32", True), ("*", False))
        },
    },
)  # fmt: skip
SHMINFO = Struct(
    "shminfo64",
    [(name, ulong) for name in ("shmmax", "shmmin", "shmmni", "shmseg", "shmall")]
    + [(f"_unused{index}", ulong) for index in range(1, 5)],
)
SHM_INFO = Struct(
    "shm_info",
    [
        ("used_ids", s32), ("shm_tot", ulong), ("shm_rss", ulong), ("shm_swp", ulong),
        ("swap_attempts", ulong), ("swap_successes", ulong),
    ],
)  # fmt: skip
MSGINFO = Struct(
    "msginfo",
    [
        *((name, s32) for name in (
            "msgpool", "msgmap", "msgmax", "msgmnb", "msgmni", "msgssz", "msgtql")),
        ("msgseg", u16),
    ],
)  # fmt: skip
SEMINFO = Struct(
    "seminfo",
    [
        (name, s32)
        for name in (
            "semmap", "semmni", "semmns", "semmnu", "semmsl", "semopm", "semume", "semusz",
            "semvmx", "semaem",
        )
    ],
)  # fmt: skip
SEMBUF = Struct("sembuf", [("sem_num", u16), ("sem_op", s16), ("sem_flg", s16)])
MQ_ATTR = Struct(
    "mq_attr",
    [
        ("mq_flags", FlagInt(0, OPEN, signed=True)), ("mq_maxmsg", long), ("mq_msgsize", long),
        ("mq_curmsgs", long),
        ("_reserved", long * 4),
    ],
)  # fmt: skip


def _flagged(command: int) -> Constant:
    """The command as C libraries of the ABI pass it."""

    def number(abi: Abi) -> int:
        return command | IPC_64 if "ipc64" in abi.families else command

    return number


def _control(
    name: str, first: tuple[Int, ...], data: str, cases: dict[int, tuple[str, CType | None, int]]
) -> Syscall:
    """A *ctl call: what it points to depends on the command.

    The host's commands have no IPC_64. Where a guest's have, those without it mean the small
    structs, which fail.
    """
    options: list[tuple[Constant, Case]] = []
    names = {}
    for command, (title, ctype, direction) in cases.items():
        argument = ULong(data) if ctype is None else Ptr(data, ctype, direction)
        options.append((_flagged(command), Case(argument, host=command, name=title)))
        names[command] = names[command | IPC_64] = title
        if ctype is None:
            # Commands without a struct work in both spellings.
            options.append((command, Case(argument, host=command, name=title)))
    switch = Switch("cmd", options, default=Case(ULong(data), errno=errno.EINVAL), names=names)
    return Syscall(name, *first, switch)


_MSG_COMMANDS: dict[int, tuple[str, CType | None, int]] = {
    IPC_RMID: ("IPC_RMID", None, IN), IPC_SET: ("IPC_SET", MSQID_DS, IN),
    IPC_STAT: ("IPC_STAT", MSQID_DS, OUT), IPC_INFO: ("IPC_INFO", MSGINFO, OUT),
    11: ("MSG_STAT", MSQID_DS, OUT), 12: ("MSG_INFO", MSGINFO, OUT),
    13: ("MSG_STAT_ANY", MSQID_DS, OUT),
}  # fmt: skip
_SHM_COMMANDS: dict[int, tuple[str, CType | None, int]] = {
    IPC_RMID: ("IPC_RMID", None, IN), IPC_SET: ("IPC_SET", SHMID_DS, IN),
    IPC_STAT: ("IPC_STAT", SHMID_DS, OUT), IPC_INFO: ("IPC_INFO", SHMINFO, OUT),
    11: ("SHM_LOCK", None, IN), 12: ("SHM_UNLOCK", None, IN),
    13: ("SHM_STAT", SHMID_DS, OUT), 14: ("SHM_INFO", SHM_INFO, OUT),
    15: ("SHM_STAT_ANY", SHMID_DS, OUT),
}  # fmt: skip
_SEM_COMMANDS: dict[int, tuple[str, CType | None, int]] = {
    IPC_RMID: ("IPC_RMID", None, IN), IPC_SET: ("IPC_SET", SEMID_DS, IN),
    IPC_STAT: ("IPC_STAT", SEMID_DS, OUT), IPC_INFO: ("IPC_INFO", SEMINFO, OUT),
    11: ("GETPID", None, IN), 12: ("GETVAL", None, IN), 14: ("GETNCNT", None, IN),
    15: ("GETZCNT", None, IN), 16: ("SETVAL", None, IN), 18: ("SEM_STAT", SEMID_DS, OUT),
    19: ("SEM_INFO", SEMINFO, OUT), 20: ("SEM_STAT_ANY", SEMID_DS, OUT),
}  # fmt: skip


def _semctl(*, big_endian: bool = False) -> Syscall:
    call = _control("semctl", (Int("semid"), Int("semnum")), "arg", _SEM_COMMANDS)
    switch = call.args[-1]
    assert isinstance(switch, Switch)
    # Arrays of as many shorts as the set has semaphores, which only the kernel knows.
    arrays: list[tuple[Constant, Case]] = [
        (key, Case(Raw("arg"), host=command))
        for command in (13, 17)
        for key in (command, command | IPC_64)
    ]
    if big_endian:
        # The array's numbers, and the int of a union, are elsewhere in it.
        arrays = [
            (key, Case(ULong("arg"), handler="ipc:semctl"))
            for command in (13, 16, 17)
            for key in (command, command | IPC_64)
        ]
    switch.cases = (*switch.cases, *arrays)
    switch.names = {**switch.names, 13: "GETALL", 17: "SETALL"}
    return call


_SEM = _semctl()
_MQ_DATA = (Fd("mqdes"), Buf("msg_ptr", OUT, size="msg_len"), Size("msg_len"))
_MQ_SEND = (Fd("mqdes"), Buf("msg_ptr", IN, size="msg_len"), Size("msg_len"), UInt("msg_prio"))
_SEMOPS = (Int("semid"), Array("sops", SEMBUF, IN, count="nsops"), UInt("nsops"))
_MSGSND = (Int("msqid"), Raw("msgp"), Size("msgsz"))


def _timed(name: str, base: str, timespec: CType) -> Syscall:
    args = {
        "semtimedop": (*_SEMOPS,),
        "mq_timedsend": (*_MQ_SEND,),
        "mq_timedreceive": (*_MQ_DATA, Ptr("msg_prio", u32, OUT)),
    }[base]
    return Syscall(name, *args, Ptr("timeout", timespec, IN), host=Host(base))


# ipc(2), all calls behind one number: call, first, second, third, ptr, fifth (ipc/syscall.c).
# Commands are as C libraries pass them to this call, with IPC_64.
_COMMAND = Masked(2, ~IPC_64 & 0xFFFFFFFF)
_SEMOP = Syscall("semop", *_SEMOPS)
_SEMTIMEDOP = _timed("semtimedop", "semtimedop", TIMESPEC)
# The address is not the result, as that could not be told from an error once.
_SHMAT = Syscall("shmat", Int("shmid"), Address("shmaddr"), Flags("shmflg", SHM), Raw("result"),
                 builtin="shmat")  # fmt: skip


def _behind_ipc(fifth: int) -> dict[int, tuple[str, Forward]]:
    """By the number `call`; `fifth` is the argument that has what is the fifth one of most ABIs."""
    return {
        1: ("SEMOP", Forward(_SEMOP, 1, 4, 2)),
        2: ("SEMGET", Forward("semget", 1, 2, 3)),
        3: ("SEMCTL", Forward("semctl", 1, 2, Masked(3, ~IPC_64 & 0xFFFFFFFF), Word(4, 0))),
        4: ("SEMTIMEDOP", Forward(_SEMTIMEDOP, 1, 4, 2, fifth)),
        11: ("MSGSND", Forward("msgsnd", 1, 4, 2, 3)),
        # In a struct ipc_kludge.
        12: ("MSGRCV", Forward("msgrcv", 1, Word(4, 0), 2, Word(4, 1), 3)),
        13: ("MSGGET", Forward("msgget", 1, 2)),
        14: ("MSGCTL", Forward("msgctl", 1, _COMMAND, 4)),
        21: ("SHMAT", Forward(_SHMAT, 1, 4, 2, 3)),
        22: ("SHMDT", Forward("shmdt", 4)),
        23: ("SHMGET", Forward("shmget", 1, 2, 3)),
        24: ("SHMCTL", Forward("shmctl", 1, _COMMAND, 4)),
    }


# Of another version than 0 of a call only msgrcv(2) has another form.
_MSGRCV_1 = ("MSGRCV", Forward("msgrcv", 1, 4, 2, 5, 3))
_VERSION_1 = 1 << 16
_IPC = _behind_ipc(5)
_IPC_BOTH = {
    **_IPC,
    **{
        _VERSION_1 | call: row for call, row in {**_IPC, 12: _MSGRCV_1}.items() if row[0] != "SHMAT"
    },
}
_IPC_ARGS = (Int("first"), ULong("second"), ULong("third"), Hex("ptr"))


def _ipc(
    calls: Mapping[int, tuple[str, Forward]], *more: Arg, families: tuple[str, ...] | None = None
) -> Syscall:
    args = (*_IPC_ARGS, *more)
    cases = [(call, Case(*args, forward=forward)) for call, (_, forward) in calls.items()]
    # A form of SHMAT that iBCS2 programs had.
    cases.append((_VERSION_1 | 21, Case(*args, errno=errno.EINVAL)))
    names = {call: name for call, (name, _) in calls.items()}
    wrong = Case(*args, errno=errno.ENOSYS)
    return Syscall(
        "ipc", Switch("call", cases, default=wrong, names=names), families=families or None
    )


CALLS = (
    _ipc(_IPC_BOTH, Hex("fifth")),
    # arch/s390/kernel/syscall.c: there are five arguments, and no versions.
    _ipc(_behind_ipc(3), families=("ipc5",)),
    Syscall("msgget", Hex("key"), Flags("msgflg", IPC)),
    Syscall("semget", Hex("key"), Int("nsems"), Flags("semflg", IPC)),
    Syscall("shmget", Hex("key"), Size("size"), Flags("shmflg", SHM_GET)),
    # struct msgbuf begins with a long.
    Syscall("msgsnd", *_MSGSND, Flags("msgflg", MSG_FLAGS)),
    Syscall("msgrcv", *_MSGSND, ULong("msgtyp"), Flags("msgflg", MSG_FLAGS)),
    *(
        call
        for family in ("32", "be")
        for call in (
            Syscall("msgsnd", *_MSGSND, Flags("msgflg", MSG_FLAGS), handler="ipc:msgsnd",
                    families=(family,)),
            Syscall("msgrcv", *_MSGSND, Hex("msgtyp"), Flags("msgflg", MSG_FLAGS),
                    handler="ipc:msgrcv", families=(family,)),
        )
    ),
    _control("msgctl", (Int("msqid"),), "buf", _MSG_COMMANDS),
    _control("shmctl", (Int("shmid"),), "buf", _SHM_COMMANDS),
    _SEM,
    Syscall("semctl", *_semctl(big_endian=True).args, families=("be",)),
    _SEMOP,
    _SEMTIMEDOP,
    _timed("semtimedop_time64", "semtimedop", TIMESPEC64),
    Syscall("mq_open", Str("name"), Flags("oflag", OPEN), Mode("mode"), Ptr("attr", MQ_ATTR, IN)),
    Syscall("mq_unlink", Str("name")),
    _timed("mq_timedsend", "mq_timedsend", TIMESPEC),
    _timed("mq_timedsend_time64", "mq_timedsend", TIMESPEC64),
    _timed("mq_timedreceive", "mq_timedreceive", TIMESPEC),
    _timed("mq_timedreceive_time64", "mq_timedreceive", TIMESPEC64),
    Syscall("mq_notify", Fd("mqdes"), Ptr("sevp", SIGEVENT, IN), handler="ipc:mq_notify"),
    Syscall("mq_getsetattr", Fd("mqdes"), Ptr("newattr", MQ_ATTR, IN),
            Ptr("oldattr", MQ_ATTR, OUT)),
)  # fmt: skip
