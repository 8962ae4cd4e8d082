"""vFile packets: the guest's files, looked up as its own system calls would (in its sysroot).

So `gdb-multiarch -ex 'target remote …'` finds program and libraries without `file` or
`set sysroot`. Numbers and layouts are those of gdb's manual, "File-I/O Remote Protocol Extension".
"""

from __future__ import annotations

import os
import struct

from qusr.debug.gdb.packets import LONGEST, escape, unescape
from qusr.loader import Sysroot
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.gdb.session import Session

_FLAGS = ((0x8, os.O_APPEND), (0x200, os.O_CREAT), (0x400, os.O_TRUNC), (0x800, os.O_EXCL))
#: Errnos that the protocol knows; all others are EUNKNOWN.
_ERRNOS = {1, 2, 4, 9, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 29, 30, 91}
_EUNKNOWN = 9999


def answer(session: Session, text: bytes) -> bytes:
    """The answer to what stands behind `vFile:`; empty for an unknown operation."""
    name, _, rest = text.partition(b":")
    function = OPERATIONS.get(name)
    if function is None:
        return b""
    try:
        return function(session, rest)
    except OSError as error:
        number = {36: 91}.get(error.errno or 0, error.errno or 0)
        return b"F-1,%x" % (number if number in _ERRNOS else _EUNKNOWN)
    except (ValueError, IndexError):
        return b"F-1,16"


def _path(session: Session, digits: bytes, *, follow: bool = True) -> str:
    path = os.fsdecode(bytes.fromhex(digits.decode()))
    tracee = session.chosen()
    inferior = None if tracee is None else session.debugger.inferior_of(tracee)
    root = Sysroot(None if inferior is None else inferior.sysroot)
    return root.resolve(path, follow=follow)


def _number(text: bytes) -> int:
    return int(text, 16)


_MADE = {b"maps": b.ASK_MAPS, b"smaps": b.ASK_SMAPS, b"auxv": b.ASK_AUXV}


def _of_process(session: Session, path: bytes) -> int | None:
    """A descriptor of a file of /proc that tells of the guest; None: it is another file."""
    parts = path.split(b"/")
    if len(parts) != 4 or parts[:2] != [b"", b"proc"] or not parts[2].isdigit():
        return None
    threads = session.debugger.threads(session.real(int(parts[2])))
    tracee = next((found for found in threads if found.report is not None), None)
    question = _MADE.get(parts[3])
    if tracee is None or question is None:
        return None
    fd = os.memfd_create("qusr-gdb")
    os.write(fd, session.debugger.ask(tracee, question) or b"")
    return fd


def _open(session: Session, text: bytes) -> bytes:
    path, flags, mode = text.split(b",")
    wanted = _number(flags)
    made = _of_process(session, bytes.fromhex(path.decode()))
    if made is not None:
        session.files.add(made)
        return b"F%x" % made
    host = wanted & 3 | os.O_CLOEXEC
    for theirs, ours in _FLAGS:
        if wanted & theirs:
            host |= ours
    fd = os.open(_path(session, path), host, _number(mode))
    session.files.add(fd)
    return b"F%x" % fd


def _known(session: Session, text: bytes) -> int:
    fd = _number(text)
    if fd not in session.files:
        raise OSError(9, "no such descriptor")
    return fd


def _close(session: Session, text: bytes) -> bytes:
    fd = _known(session, text)
    session.files.discard(fd)
    os.close(fd)
    return b"F0"


def _pread(session: Session, text: bytes) -> bytes:
    fd, size, offset = text.split(b",")
    data = os.pread(_known(session, fd), min(_number(size), LONGEST // 3), _number(offset))
    return b"F%x;" % len(data) + escape(data)


def _pwrite(session: Session, text: bytes) -> bytes:
    fd, offset, data = text.split(b",", 2)
    return b"F%x" % os.pwrite(_known(session, fd), unescape(data), _number(offset))


def _stat(found: os.stat_result) -> bytes:
    data = struct.pack(
        ">7I3Q3I",
        found.st_dev & 0xFFFFFFFF, found.st_ino & 0xFFFFFFFF, found.st_mode, found.st_nlink,
        found.st_uid, found.st_gid, found.st_rdev & 0xFFFFFFFF, found.st_size,
        found.st_blksize, found.st_blocks, *(int(at) & 0xFFFFFFFF for at in (
            found.st_atime, found.st_mtime, found.st_ctime
        )),
    )  # fmt: skip
    return b"F%x;" % len(data) + escape(data)


def _fstat(session: Session, text: bytes) -> bytes:
    return _stat(os.fstat(_known(session, text)))


def _stat_path(session: Session, text: bytes) -> bytes:
    return _stat(os.stat(_path(session, text)))


def _unlink(session: Session, text: bytes) -> bytes:
    os.unlink(_path(session, text))
    return b"F0"


def _readlink(session: Session, text: bytes) -> bytes:
    data = os.fsencode(os.readlink(_path(session, text, follow=False)))
    return b"F%x;" % len(data) + escape(data)


def _setfs(_: Session, __: bytes) -> bytes:
    """Whose file system: all guests of a server see the same."""
    return b"F0"


OPERATIONS = {
    b"open": _open, b"close": _close, b"pread": _pread, b"pwrite": _pwrite, b"fstat": _fstat,
    b"stat": _stat_path, b"unlink": _unlink, b"readlink": _readlink, b"setfs": _setfs,
}  # fmt: skip
