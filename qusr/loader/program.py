"""From a path to something that can be put into an address space.

`prepare` does all that can fail while the old image still stands: it follows `#!`
lines, finds out the guest, reads the load plans (from the cache if they are there) and
finds the interpreter. `Prepared.install` then fills an empty address space.
"""

from __future__ import annotations

import errno
import os
import stat

from qusr import _native

from . import cache, identify
from .errors import LoadError, from_oserror
from .plan import LoadPlan
from .sysroot import Sysroot, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .image import AddressSpace, Image
    from .stack import Stack

_PLAN_KIND = "plan"
_MOST_PLANS = 64


class Prepared:
    """A program that is ready to be loaded."""

    __slots__ = (
        "argv",
        "execfn",
        "fd",
        "host_path",
        "ident",
        "interp",
        "interp_fd",
        "interp_path",
        "path",
        "plan",
        "sysroot",
    )

    def __init__(
        self,
        *,
        path: str,
        host_path: str,
        argv: list[bytes],
        execfn: bytes,
        ident: identify.ElfIdent,
        fd: int,
        plan: LoadPlan | None,
        sysroot: Sysroot,
    ) -> None:
        #: The ELF program's path as the guest knows it, and the file on the host.
        self.path = path
        self.host_path = host_path
        self.argv = argv
        #: AT_EXECFN: the path as it was given to execve, also for a script.
        self.execfn = execfn
        self.ident = ident
        self.fd = fd
        #: None for a program of the host itself: run it with a real execve.
        self.plan = plan
        #: The one that was given, or the one found for the program.
        self.sysroot = sysroot
        self.interp: LoadPlan | None = None
        self.interp_fd = -1
        self.interp_path = ""

    @property
    def guest(self) -> str | None:
        """qusr's name of the guest; None for a host program."""
        return self.ident.guest

    def close(self) -> None:
        """Closes the files; mappings stay."""
        for fd in (self.fd, self.interp_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self.interp_fd = -1

    def check_arguments(self, envp: Sequence[bytes], stack_limit: int) -> None:
        """E2BIG, while the old image still stands; `stack_limit` is RLIMIT_STACK."""
        from . import stack

        stack.check_limits(
            self.argv, envp, self.execfn, word=self.ident.bits // 8, stack_limit=stack_limit
        )

    def install(self, space: AddressSpace, *, stack_size: int) -> Image:
        """Maps everything into an empty address space. The files stay open."""
        from . import image

        if self.plan is None:
            raise LoadError(f"{self.path}: built for {self.ident.title}", errno.ENOEXEC)
        interp = None
        if self.interp is not None:
            interp = image.ElfFile(self.interp, self.interp_fd, self.interp_path)
        return image.load(
            space,
            image.ElfFile(self.plan, self.fd, self.path),
            interp,
            stack_size=stack_size,
        )

    def build_stack(
        self,
        image: Image,
        envp: Sequence[bytes],
        *,
        hwcap: int,
        hwcap2: int | None,
        platform: bytes,
        minsigstksz: int = 0,
        aux_flags: int = 0,
        random: bytes | None = None,
    ) -> Stack:
        """The initial stack; the caller writes `data` to `sp`."""
        from . import auxv, stack

        plan = image.plan
        facts = auxv.AuxFacts(
            phdr=image.phdr,
            phent=plan.phentsize,
            phnum=plan.phnum,
            base=image.base,
            entry=image.entry,
            hwcap=hwcap,
            hwcap2=hwcap2,
            page_size=plan.page,
            minsigstksz=minsigstksz,
            flags=aux_flags,
        )
        return stack.build(
            image.stack_top,
            self.argv,
            envp,
            self.execfn,
            facts,
            bits=plan.bits,
            big_endian=plan.big_endian,
            platform=platform,
            random=random,
        )


def open_exec(host_path: str, path: str, *, check_mode: bool = True) -> int:
    """Opens a file for execution, with the errors of execve(2)."""
    try:
        fd = os.open(host_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise from_oserror(path, error) from None
    except ValueError:
        raise LoadError(f"{path!r}: a path with a NUL", errno.ENOENT) from None
    try:
        check_executable(fd, host_path, path, check_mode=check_mode)
        _check_refusal(fd, path, check_mode=check_mode)
    except LoadError:
        os.close(fd)
        raise
    return fd


def _check_refusal(fd: int, path: str, *, check_mode: bool) -> None:
    refusal = _native.exec_refusal(fd)
    if refusal == errno.ETXTBSY:
        raise LoadError(f"{path}: somebody writes to it (text file busy)", refusal)
    if refusal and check_mode:
        raise LoadError(f"{path}: {os.strerror(refusal).lower()}", refusal)


def check_executable(fd: int, host_path: str, path: str, *, check_mode: bool = True) -> None:
    """Whether the kernel would execute this open file."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        # execve(2) gives EACCES; shells say "Is a directory", with 126 as well.
        raise LoadError(f"{path}: is a directory", errno.EACCES)
    if not stat.S_ISREG(mode):
        raise LoadError(f"{path}: not a regular file", errno.EACCES)
    if check_mode and not os.access(host_path, os.X_OK, effective_ids=True):
        raise LoadError(
            f"{path}: permission denied: not executable (chmod +x makes it so)", errno.EACCES
        )


def plan_for(fd: int, path: str, store: cache.Store | None = None) -> LoadPlan:
    """The load plan of an open ELF file, from the cache when it is known."""
    if store is None:
        return _read_plan(fd, path)
    info = os.fstat(fd)
    key = _native.file_identity(fd)
    plan = store.plans.get(key)
    if plan is not None:
        return plan
    kept = store.get(_PLAN_KIND, key)
    if kept is not None:
        try:
            plan = LoadPlan.from_bytes(kept)
            plan.check(path, info.st_size)
        except (ValueError, LoadError):
            pass
        else:
            _remember(store, key, plan)
            return plan
    plan = _read_plan(fd, path)
    # A file that is still being written could keep its identity: within the clock
    # tick of a change, a second change need not show in ctime.
    if cache.settled(info):
        store.put(_PLAN_KIND, key, plan.to_bytes())
        _remember(store, key, plan)
    return plan


def _remember(store: cache.Store, key: bytes, plan: LoadPlan) -> None:
    if len(store.plans) >= _MOST_PLANS:
        store.plans.clear()
    store.plans[key] = plan


def _read_plan(fd: int, path: str) -> LoadPlan:
    from . import elf

    return elf.read_plan(fd, path)


def prepare(
    path: str,
    argv: Sequence[bytes],
    sysroot: Sysroot,
    *,
    store: cache.Store | None = None,
    fd: int = -1,
    triplets: Callable[[str], Iterable[str]] | None = None,
    wanted: Callable[[str], bool] | None = None,
    check_mode: bool = True,
    execfn: bytes | None = None,
) -> Prepared:
    """Everything about running `path` with `argv`, short of touching guest memory.

    `fd` is an open file to be used instead of opening `path` (binfmt_misc's O flag,
    execveat with AT_EMPTY_PATH). `triplets(guest)` is given when nobody asked for a
    sysroot: one is then looked for in /usr/TRIPLET, and is in `Prepared.sysroot`.
    `wanted(guest)` says whether the caller runs that guest. Raises LoadError with the
    errno of execve(2).
    """
    first = path
    try:
        path, host_path, args, head, fd = _follow_scripts(path, argv, sysroot, fd, check_mode)
    except LoadError as error:
        if not error.message.startswith(first):
            error.message = f"{first}: interpreter {error.message}"
        raise
    prepared = None
    try:
        ident = _ident(head, path)
        plan = None
        if ident.guest is not None and (wanted is None or wanted(ident.guest)):
            plan = plan_for(fd, path, store)
        elif not ident.is_host or wanted is not None:
            raise foreign(ident, path)
        prepared = Prepared(
            path=path,
            host_path=host_path,
            argv=args,
            execfn=os.fsencode(first) if execfn is None else execfn,
            ident=ident,
            fd=fd,
            plan=plan,
            sysroot=sysroot,
        )
        if plan is not None:
            if triplets is not None and ident.guest is not None:
                interp = None if plan.interp is None else os.fsdecode(plan.interp)
                prepared.sysroot = Sysroot(found(triplets(ident.guest), interp))
            if plan.interp is not None:
                _find_interpreter(prepared, plan, store)
    except LoadError as error:
        if prepared is not None:
            prepared.close()
        else:
            os.close(fd)
        if not error.message.startswith(first):
            error.message = f"{first}: interpreter {error.message}"
        raise
    return prepared


def _follow_scripts(
    path: str, argv: Sequence[bytes], sysroot: Sysroot, fd: int, check_mode: bool
) -> tuple[str, str, list[bytes], bytes, int]:
    """(path, host path, argv, first bytes, descriptor) of what is at the end of `#!` lines."""
    first = path
    args = list(argv)
    name = os.fsencode(path)
    depth = 0
    while True:
        host_path = _located(sysroot, path)
        opened = fd < 0
        if opened:
            fd = open_exec(host_path, path, check_mode=check_mode or depth > 0)
        try:
            if not opened:
                _check_refusal(fd, path, check_mode=check_mode)
            head = _head(fd, path)
            if not head.startswith(b"#!"):
                return path, host_path, args, head, fd
            from . import script  # most starts are of programs

            interpreter, args = script.apply(name, head, args, path)
        except LoadError:
            os.close(fd)
            raise
        os.close(fd)
        fd = -1
        name, path = interpreter, os.fsdecode(interpreter)
        depth += 1
        if depth > script.MAX_DEPTH:
            raise LoadError(f"{first}: too many levels of #! interpreters", errno.ELOOP)


def _located(sysroot: Sysroot, path: str) -> str:
    try:
        return sysroot.resolve(path)
    except OSError as error:
        raise from_oserror(path, error) from None


def _head(fd: int, path: str) -> bytes:
    try:
        return os.pread(fd, identify.BINPRM_BUF_SIZE, 0)
    except OSError as error:
        raise from_oserror(path, error) from None


def _ident(head: bytes, path: str) -> identify.ElfIdent:
    ident = identify.parse_ident(head)
    if ident is None:
        what = {
            "empty": "empty file",
            "bad-elf": "bad or truncated ELF header",
            "text": "a text file without a #! line: run it with its interpreter",
            "data": "not an ELF file",
        }[identify.kind(head)]
        raise LoadError(f"{path}: cannot execute: {what}", errno.ENOEXEC)
    if ident.type not in (identify.ET_EXEC, identify.ET_DYN):
        raise LoadError(f"{path}: cannot execute: {ident.type_title}", errno.ENOEXEC)
    return ident


def foreign(ident: identify.ElfIdent, path: str) -> LoadError:
    """The error for a program of another machine, naming who runs it."""
    if ident.guest is not None:
        advice = f"use qusr-{ident.guest}"
    elif ident.is_host:
        advice = "this machine runs it without qusr"
    else:
        advice = "no qusr command runs it"
    return LoadError(f"{path}: built for {ident.title}: {advice}", errno.ENOEXEC)


def wrong_guest(prepared: Prepared) -> LoadError:
    """The error when a program is not for the guest that the caller runs."""
    return foreign(prepared.ident, prepared.path)


def _find_interpreter(prepared: Prepared, plan: LoadPlan, store: cache.Store | None) -> None:
    """Opens the dynamic linker that the program names and reads its plan."""
    name = os.fsdecode(plan.interp or b"")
    if not name:
        # As in a #! line: to the kernel this is the current directory.
        raise LoadError(f"{prepared.path}: bad ELF file: an empty interpreter path", errno.EACCES)
    sysroot = prepared.sysroot
    try:
        host_path = _located(sysroot, name)
        prepared.interp_fd = open_exec(host_path, name)
    except LoadError as error:
        if error.errno != errno.ENOENT:
            raise LoadError(f"{prepared.path}: interpreter {error.message}", error.errno) from None
        packages = plan.rules.libraries
        advice = f"install {packages}, or pass -L SYSROOT" if packages else "pass -L SYSROOT"
        where = f" (also not in {sysroot.root})" if sysroot else ""
        raise LoadError(
            f"{prepared.path}: no interpreter {name}{where}: {advice}", errno.ENOENT
        ) from None
    ident = identify.parse_ident(_head(prepared.interp_fd, name))
    if ident is None or (ident.machine, ident.bits, ident.big_endian) != (
        plan.machine,
        plan.bits,
        plan.big_endian,
    ):
        what = f"is built for {ident.title}" if ident else "is no ELF file"
        raise LoadError(
            f"{prepared.path}: interpreter {host_path} {what}: pass the right -L SYSROOT",
            errno.ELIBBAD,
        )
    try:
        prepared.interp = plan_for(prepared.interp_fd, host_path, store)
    except LoadError as error:
        raise LoadError(f"{prepared.path}: interpreter {error.message}", errno.ELIBBAD) from None
    prepared.interp_path = host_path
