"""Opening, reading and writing files, and what moves bytes between descriptors."""

from __future__ import annotations

from qusr.syscalls.common import O_EXCL, O_NOFOLLOW, OPEN
from qusr.syscalls.decl import (
    IN,
    INOUT,
    OUT,
    Address,
    Array,
    Buf,
    Case,
    DirFd,
    Enum,
    Fd,
    FdData,
    Flags,
    FlagTable,
    HiLo,
    Host,
    Iovec,
    Loff,
    LoHi,
    Long,
    Mode,
    Path,
    Ptr,
    Raw,
    RetFd,
    RetOff,
    RetStore,
    Size,
    Switch,
    Syscall,
    UInt,
    ULong,
)
from qusr.syscalls.layout import Struct, long, s32, s64, u64

CLOSE_RANGE = FlagTable({"CLOSE_RANGE_UNSHARE": 2, "CLOSE_RANGE_CLOEXEC": 4})
RWF = FlagTable(
    {
        "RWF_HIPRI": 1, "RWF_DSYNC": 2, "RWF_SYNC": 4, "RWF_NOWAIT": 8, "RWF_APPEND": 0x10,
        "RWF_NOAPPEND": 0x20, "RWF_ATOMIC": 0x40, "RWF_DONTCACHE": 0x80,
    }
)  # fmt: skip
SPLICE = FlagTable(
    {"SPLICE_F_MOVE": 1, "SPLICE_F_NONBLOCK": 2, "SPLICE_F_MORE": 4, "SPLICE_F_GIFT": 8}
)
FALLOC = FlagTable(
    {
        "FALLOC_FL_KEEP_SIZE": 1, "FALLOC_FL_PUNCH_HOLE": 2, "FALLOC_FL_NO_HIDE_STALE": 4,
        "FALLOC_FL_COLLAPSE_RANGE": 8, "FALLOC_FL_ZERO_RANGE": 0x10,
        "FALLOC_FL_INSERT_RANGE": 0x20, "FALLOC_FL_UNSHARE_RANGE": 0x40,
        "FALLOC_FL_WRITE_ZEROES": 0x80,
    }
)  # fmt: skip
SYNC_FILE_RANGE = FlagTable(
    {
        "SYNC_FILE_RANGE_WAIT_BEFORE": 1, "SYNC_FILE_RANGE_WRITE": 2,
        "SYNC_FILE_RANGE_WAIT_AFTER": 4,
    }
)  # fmt: skip
WHENCE = {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END", 3: "SEEK_DATA", 4: "SEEK_HOLE"}
ADVICE = {
    0: "POSIX_FADV_NORMAL", 1: "POSIX_FADV_RANDOM", 2: "POSIX_FADV_SEQUENTIAL",
    3: "POSIX_FADV_WILLNEED", 4: "POSIX_FADV_DONTNEED", 5: "POSIX_FADV_NOREUSE",
}  # fmt: skip
_ADVICE = Enum("advice", ADVICE, family="fadvise")

OPEN_HOW = Struct("open_how", [("flags", u64), ("mode", u64), ("resolve", u64)])

_NO_AIO = "the kernel puts the ring where the guest cannot reach it; libaio's users fall back"
_NO_URING = "entries and rings hold host addresses; liburing's users fall back"


def _open(name: str, *directory: DirFd) -> Syscall:
    return Syscall(
        name, *directory,
        Path("pathname", at="dirfd" if directory else None,
             follow=("flags", O_NOFOLLOW | O_EXCL)),
        Flags("flags", OPEN), Mode("mode"), ret=RetFd,
    )  # fmt: skip


def _vector(name: str, direction: int, *more: LoHi | Flags) -> Syscall:
    return Syscall(name, Fd("fd"), Iovec("iov", direction, count="iovcnt"), ULong("iovcnt"), *more)


_UPPER_HALF = 0xFFFF_FFFF_0000_0000


def _seek(builtin: str, upper: int = 0) -> Switch:
    """lseek's last argument, for guests that see large directory offsets as numbers of
    1 GiB and more (native/kernel/src/process/directory.rs): only there must be asked whether it is
    one. `upper`: the bits above a word that the register of an offset has, too.
    """
    return Switch(
        "whence", [(0x4000_0000, Case(builtin=builtin))],
        mask=0xC000_0000 | upper, of="offset", default=Case(), names=WHENCE,
    )  # fmt: skip


CALLS = (
    # --- descriptors ---
    _open("open"),
    _open("openat", DirFd("dirfd")),
    Syscall("openat2", DirFd("dirfd"), Path("pathname", at="dirfd"),
            Ptr("how", OPEN_HOW, IN), Size("size"), ret=RetFd, handler="files:openat2"),
    Syscall("creat", Path("pathname"), Mode("mode"), ret=RetFd),
    Syscall("close", Fd("fd")),
    Syscall("close_range", UInt("first"), UInt("last"), Flags("flags", CLOSE_RANGE)),
    Syscall("dup", Fd("oldfd")),
    Syscall("dup2", Fd("oldfd"), Fd("newfd")),
    Syscall("dup3", Fd("oldfd"), Fd("newfd"), Flags("flags", OPEN)),
    Syscall("pipe", Array("pipefd", s32, OUT, count=2)),
    # Both descriptors are results.
    Syscall("pipe", builtin="pipe", families=("irix",)),
    Syscall("pipe2", Array("pipefd", s32, OUT, count=2), Flags("flags", OPEN)),
    # --- reading and writing ---
    Syscall("read", Fd("fd"), FdData("buf", OUT, fd="fd", size="count"), Size("count")),
    Syscall("write", Fd("fd"), FdData("buf", IN, fd="fd", size="count"), Size("count")),
    Syscall("pread64", Fd("fd"), Buf("buf", OUT, size="count"), Size("count"), Loff("offset")),
    Syscall("pwrite64", Fd("fd"), Buf("buf", IN, size="count"), Size("count"), Loff("offset")),
    _vector("readv", OUT),
    _vector("writev", IN),
    _vector("preadv", OUT, LoHi("offset")),
    _vector("pwritev", IN, LoHi("offset")),
    _vector("preadv2", OUT, LoHi("offset"), Flags("flags", RWF)),
    _vector("pwritev2", IN, LoHi("offset"), Flags("flags", RWF)),
    Syscall("lseek", Fd("fd"), Long("offset"), Enum("whence", WHENCE), ret=RetOff),
    Syscall("lseek", Fd("fd"), Long("offset"), _seek("lseek"), ret=RetOff, families=("32",)),
    Syscall("lseek", Fd("fd"), Long("offset"), _seek("lseek", _UPPER_HALF), ret=RetOff,
            families=("n32",)),
    Syscall("_llseek", Fd("fd"), HiLo("offset"), Address("result"), _seek("llseek"),
            host=Host("lseek", "fd", "offset", "whence"), ret=RetStore("result")),
    # --- between descriptors ---
    Syscall("sendfile", Fd("out_fd"), Fd("in_fd"), Ptr("offset", long, INOUT), Size("count")),
    Syscall("sendfile64", Fd("out_fd"), Fd("in_fd"), Ptr("offset", s64, INOUT), Size("count"),
            host=Host("sendfile")),
    Syscall("copy_file_range", Fd("fd_in"), Ptr("off_in", s64, INOUT), Fd("fd_out"),
            Ptr("off_out", s64, INOUT), Size("len"), UInt("flags")),
    Syscall("splice", Fd("fd_in"), Ptr("off_in", s64, INOUT), Fd("fd_out"),
            Ptr("off_out", s64, INOUT), Size("len"), Flags("flags", SPLICE)),
    Syscall("tee", Fd("fd_in"), Fd("fd_out"), Size("len"), Flags("flags", SPLICE)),
    Syscall("vmsplice", Fd("fd"), Iovec("iov", IN, count="nr_segs"), ULong("nr_segs"),
            Flags("flags", SPLICE)),
    # --- size and space ---
    Syscall("truncate", Path("path"), Long("length")),
    Syscall("truncate64", Path("path"), Loff("length"), host=Host("truncate")),
    Syscall("ftruncate", Fd("fd"), Long("length")),
    Syscall("ftruncate64", Fd("fd"), Loff("length"), host=Host("ftruncate")),
    Syscall("fallocate", Fd("fd"), Flags("mode", FALLOC), Loff("offset"), Loff("len")),
    # --- caching ---
    Syscall("sync"),
    Syscall("syncfs", Fd("fd")),
    Syscall("fsync", Fd("fd")),
    Syscall("fdatasync", Fd("fd")),
    Syscall("sync_file_range", Fd("fd"), Loff("offset"), Loff("nbytes"),
            Flags("flags", SYNC_FILE_RANGE)),
    # The 32-bit form has the flags second, to save a register (sync_file_range(2)).
    Syscall("sync_file_range2", Fd("fd"), Flags("flags", SYNC_FILE_RANGE), Loff("offset"),
            Loff("nbytes"), host=Host("sync_file_range", "fd", "offset", "nbytes", "flags")),
    Syscall("fadvise64", Fd("fd"), Loff("offset"), Loff("len"), _ADVICE),
    # The older form of 32-bit ABIs has a length of a word (mm/fadvise.c).
    Syscall("fadvise64", Fd("fd"), Loff("offset"), Size("len"), _ADVICE,
            families=("ppc32", "ia32")),
    Syscall("fadvise64_64", Fd("fd"), Loff("offset"), Loff("len"), _ADVICE,
            host=Host("fadvise64")),
    *(
        Syscall(name, Fd("fd"), _ADVICE, Loff("offset"), Loff("len"),
                host=Host("fadvise64", "fd", "offset", "len", "advice"), families=families)
        for name, families in (("arm_fadvise64_64", None), ("fadvise64_64", ("ppc32",)))
    ),
    Syscall("readahead", Fd("fd"), Loff("offset"), Size("count")),
    # --- rings ---
    Syscall("io_setup", UInt("nr_events"), Raw("ctx_idp"), enosys=_NO_AIO),
    Syscall("io_destroy", ULong("ctx_id"), enosys=_NO_AIO),
    Syscall("io_submit", ULong("ctx_id"), Long("nr"), Raw("iocbpp"), enosys=_NO_AIO),
    Syscall("io_cancel", ULong("ctx_id"), Raw("iocb"), Raw("result"), enosys=_NO_AIO),
    Syscall("io_getevents", ULong("ctx_id"), Long("min_nr"), Long("nr"), Raw("events"),
            Raw("timeout"), enosys=_NO_AIO),
    Syscall("io_pgetevents", ULong("ctx_id"), Long("min_nr"), Long("nr"), Raw("events"),
            Raw("timeout"), Raw("sig"), enosys=_NO_AIO),
    Syscall("io_pgetevents_time64", ULong("ctx_id"), Long("min_nr"), Long("nr"), Raw("events"),
            Raw("timeout"), Raw("sig"), enosys=_NO_AIO),
    Syscall("io_uring_setup", UInt("entries"), Raw("params"), enosys=_NO_URING),
    Syscall("io_uring_enter", UInt("fd"), UInt("to_submit"), UInt("min_complete"),
            UInt("flags"), Raw("arg"), Size("argsz"), enosys=_NO_URING),
    Syscall("io_uring_register", UInt("fd"), UInt("opcode"), Raw("arg"), UInt("nr_args"),
            enosys=_NO_URING),
)  # fmt: skip
