"""A guest process: put together from a program, and run.

What embeds a guest is `qusr.embed.process.Process`, which holds one of these. One
loop serves every CPU core: the Rust side runs guest code and makes most system
calls, and comes back here with what needs a decision.
"""

from __future__ import annotations

import _thread
import os

from qusr import _native, installed, loader
from qusr.machine import Machine
from qusr.options import Exited, Options, UsageError
from qusr.thread import Gone, Thread, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qusr.again import State
    from qusr.arch.abi import Abi
    from qusr.arch.base import Arch
    from qusr.debug.blocks import BlockLog
    from qusr.execution import Leaving
    from qusr.syscalls.strace import Strace

    SyscallHook = Callable[["Process", str, tuple[int, ...]], int | None]

__all__ = ["Exited", "Options", "Process", "UsageError"]

RLIMIT_STACK = 3
_SEED = (1 << 64) - 1

#: No device and no inode has this number.
_NO_FILE = (1 << 64) - 1


class _OccupiedError(Exception):
    """What the core direct needs of the memory is somebody else's."""


class Process:
    """One guest process, loaded and ready to run.

    Args:
        argv: the program (a path) and its arguments.
        env: the guest's environment; None: this process's.
        guest: the guest ISA's name; None: whichever the program is for.
        options: how to run it.
        fd: the program, already open (it need not be readable then); it will be closed.
        early: the guest, which was started without Python and runs, to be taken over.
        state: the program is that of an execve which has left another process's memory.

    Raises:
        qusr.loader.LoadError: the program cannot be run; the message says why.
    """

    def __init__(
        self,
        argv: Sequence[str | bytes],
        *,
        env: Mapping[str, str] | Sequence[bytes] | None = None,
        guest: str | None = None,
        options: Options | None = None,
        fd: int = -1,
        early: _native.EarlyStart | None = None,
        state: State | None = None,
    ) -> None:
        self.options = options or Options()
        self.exited: Exited | None = None
        self.read_implies_exec = False
        """READ_IMPLIES_EXEC of personality(2). The host process does not get it."""
        self.shares_files = False
        """Its descriptors are also another process's (clone's CLONE_FILES)."""
        self.uname_release = self.options.uname_release
        self.log = self.options.log
        self.hooks: list[SyscallHook] = []
        self.on_exit: Callable[[Exited], None] | None = None
        self.gone = Gone()
        self.native: _native.Process
        self._main: Thread | None = None
        self.threads: dict[int, Thread] = {}
        self.last_status = 0
        self.loan: _native.Loan | None = None
        """This process lives in another one's memory (qusr/borrower.py)."""
        self.leaving: Leaving | None = None
        """It is about to leave that memory, for another program."""
        self.vforked = False
        self.traced_from_exec = False
        """A vfork's child called PTRACE_TRACEME: it counts from its execve on."""
        self._strace: Strace | None = None
        self._is_first = state is None
        self.nobody_dies()
        self.result_hooks: list[Callable[[str, tuple[int, ...], int], object]] = []
        self.signal_hooks: list[Callable[[int, bytes], object]] = []
        self.stop_hook: Callable[[Thread, tuple[object, ...]], None] | None = None
        self._stops: tuple[list[int], list[tuple[int, int, bool, bool]], bool] | None = None
        self.pause: _native.Pause | None = None
        """What has the first thread come back; a child's is its own business."""
        # What an execve need not make again.
        self._machines: dict[tuple[str, str, bool], Machine] = {}
        # A forked child that has not executed a program yet, and what it had until then.
        self.forked = False
        self._inherited: _native.Thread | None = None
        self._starter: Thread | None = None
        """The thread that has started Python, and is not the first."""
        self.store = loader.Store.default() if state is None else loader.Store(state.store)
        self._limits = [] if state is None else state.limits
        if early is not None:
            self._adopt(early)
            return
        self._own_exe = _own_exe()
        words = [os.fsencode(word) for word in argv]
        if state is None:
            self.envp = _environment(env)
            asked = loader.explicit(self.options.sysroot, os.environ)
            path, execfn = os.fsdecode(words[0]), None
        else:
            self.envp, fd, path, execfn = state.envp, state.fd, state.path, state.execfn
            self.read_implies_exec = state.read_implies_exec
            asked = (self.options.sysroot or "", "")
        prepared = loader.prepare(
            path,
            words,
            loader.Sysroot((asked[0] if asked else "") or None),
            seeks=asked is None,
            guest=guest,
            fd=fd,
            execfn=execfn,
        )
        try:
            self.sysroot = loader.Sysroot(prepared.root)
            if self.options.argv0 is not None:
                prepared.argv = [self.options.argv0, *prepared.argv[1:]]
            self.load(prepared)
        finally:
            prepared.close()

    # --- building ---

    def _adopt(self, early: _native.EarlyStart) -> None:
        """Takes over a guest that was started without Python and runs."""
        self.envp = early.envp
        self._own_exe = early.own_exe
        self.sysroot = loader.Sysroot(os.fsdecode(early.sysroot) or None)
        self.image, self.read_implies_exec = early.image, early.read_implies_exec
        self.forked = early.forked
        self._set_machine(self._machine(early.guest, self.image.plan.variant, early.machine))
        self.argv, self.exe = early.argv, early.exe
        self.comm = os.path.basename(early.execfn)[:15]
        self.memory = early.memory
        self._memory_kind = self.abi.word * 8, early.machine.executes
        self.stack = early.stack
        self.auxv = self.stack.auxv
        self.native = early.process
        self.last_status = early.last_status
        own = Thread(self, None)
        own.arrives(early.arrival)
        self.threads = {tid: Thread(self, None) for tid in early.others}
        for tid, other in self.threads.items():
            other.tid = tid
        if _thread.get_native_id() == os.getpid():
            self._main = own
        else:
            # The first one may have ended: then it waits for the others.
            self._main = self.threads.get(os.getpid()) or Thread(self, None)
            self._starter = own
        early.open(self.arrives)

    def arrives(self, arrival: _native.Arrival) -> None:
        """Goes on with another thread that was started without Python, until it has ended."""
        tid = _thread.get_native_id()
        thread = self.main if tid == os.getpid() else self.threads[tid]
        thread.arrives(arrival)
        thread.live()
        if thread is self._main and self.exited is not None:
            leave(self.exited)

    def _set_machine(self, machine: Machine) -> None:
        self.machine = machine
        self.arch: Arch = machine.arch
        self.abi: Abi = machine.abi
        self.cpu_model = machine.model

    def load(self, prepared: _native.Prepared) -> None:
        """Makes `prepared` the program of this process, with one thread at its start.

        What was loaded before is gone (execve(2)); the caller has ended its threads.
        """
        assert prepared.guest is not None and prepared.plan is not None
        machine = self._machine(prepared.guest, prepared.plan.variant)
        self._set_machine(machine)
        self.argv = prepared.argv
        self.comm = os.path.basename(prepared.execfn)[:15]
        try:
            self.memory = self._empty_memory()
        except _OccupiedError as error:
            if self._main is None:
                raise UsageError(str(error)) from None
            # A program of the core direct is there, which has lent its memory (vfork).
            machine = self._machine(prepared.guest, prepared.plan.variant, usual=True)
            self._set_machine(machine)
            self.memory = self._empty_memory()
        # Of the program before only a 32-bit one inherits it (SET_PERSONALITY of arm64's elf.h).
        self.set_read_implies_exec(self.abi.word == 4 and self.read_implies_exec)
        release, store, seed = self.uname_release, self.store.path, self.options.seed
        blocks = self._block_log()
        try:
            loaded = _native.load(
                prepared,
                self.envp,
                machine.native,
                self.memory,
                stack_size=self._stack_size(),
                library=machine.library,
                own_exe=self._own_exe,
                release=None if release is None else os.fsencode(release),
                seed=None if seed is None else seed & _SEED,
                store=None if store is None else os.fsencode(store),
                before=None if self._main is None else self.native,
                log=None if blocks is None else blocks.native,
            )
        except ValueError as error:  # no memory for translated code, no such library
            raise UsageError(str(error)) from None
        self.image, self.stack, self.exe = loaded.image, loaded.stack, loaded.exe
        self.auxv = self.stack.auxv
        if self.image.read_implies_exec:
            self.read_implies_exec = True
        if self.log is not None and self.log.wants("page"):
            from qusr.debug.blocks import memory_map

            self.log.write(memory_map(self))
        if blocks is not None:
            own_logs = machine.native.native_options is not None
            blocks.watch(loaded.thread, self.image.plan.variant, own_logs=own_logs)
        self._begin(loaded.process, loaded.thread)

    def _machine(
        self,
        guest: str,
        variant: str,
        native: _native.Machine | None = None,
        *,
        usual: bool = False,
    ) -> Machine:
        key = guest, variant, usual
        machine = self._machines.get(key)
        if machine is None:
            logs = () if self.log is None else self.log.native_items()
            machine = Machine(guest, variant, self.options, logs, native, usual=usual)
            self._machines[key] = machine
        return machine

    @property
    def mmap_min_addr(self) -> int:
        """The lowest address that the guest may map."""
        return self.arch.guest.min_address

    def _empty_memory(self) -> _native.AddressSpace:
        bits = self.abi.word * 8
        base, size = self.options.guest_base, self.options.reserved_va
        executes = self.machine.native.executes
        kind = bits, executes
        if self._main is not None and self.shares_memory:
            # The old one is left to the others.
            base = None
        elif getattr(self, "_memory_kind", None) == kind:
            self.memory.clear()
            return self.memory
        if executes and (base, size) != (None, None):
            raise UsageError(
                "-core direct: guest addresses are host addresses, so -B and -R have no meaning"
            )
        try:
            page = self.arch.guest.page_size
            memory = _native.AddressSpace(bits, base, size, self.mmap_min_addr, page, executes)
        except ValueError as error:
            raise _OccupiedError(*error.args) from None
        except OSError as error:
            at = "" if base is None else f" at {base:#x}"
            of = "" if size is None else f" of {size:#x} bytes"
            raise UsageError(f"no room for guest memory{of}{at}: {error.strerror}") from None
        self._memory_kind = kind
        return memory

    def _begin(self, native: _native.Process, thread: _native.Thread) -> None:
        """The first thread of a program that was loaded takes the place of the one before it."""
        self.native = native
        if self._stops is not None:
            native.set_stops(*self._stops)
        if self._limits:
            native.set_own_limits(self._limits)
            self._limits = []
        if self.options.strace:
            native.watch_deaths()
        if os.environ.get("QUSR_DEBUG"):
            native.watch_quit()
        if self._main is None:
            self._main = Thread(self, thread)
            return
        # execve: the first thread goes on with the new program.
        if self.shares_memory:
            native.die_orderly()
        thread.follow_exec(self._main.native)
        native.set_tracing(self._main.tracer is not None)
        if self.forked:
            # Taking it apart would write to, and so copy, pages that the parent has as well.
            self.forked = False
            self._inherited = self._main.native
        self._main.native = thread
        self._main.set_trace()

    def _block_log(self) -> BlockLog | None:
        """What writes the items of -d that are about blocks, if any is wanted."""
        if self.log is None or not self.log.wants_blocks():
            return None
        from qusr.debug.blocks import BlockLog

        return BlockLog(self, self.log)

    def _stack_size(self) -> int:
        if self.options.stack_size is not None:
            return self.options.stack_size
        before = None if self._main is None else self.native
        limit = _native.getrlimit if before is None else before.limit
        for which, told, _ in self._limits:
            if which == RLIMIT_STACK:
                return told
        return limit(RLIMIT_STACK)[0]

    # --- running ---

    @property
    def main(self) -> Thread:
        """The first thread, whose tid is the process's id."""
        assert self._main is not None
        return self._main

    @property
    def thread(self) -> _native.Thread:
        """The main thread's registers and system calls."""
        return self.main.native

    def run(self) -> Exited:
        """Runs the guest to its end."""
        self.run_until(None)
        assert self.exited is not None
        return self.exited

    def run_until(self, paused: Callable[[], bool] | None) -> Exited | None:
        """The same, or until `paused` (None then)."""
        if self._starter is not None:
            starter, self._starter = self._starter, None
            starter.live()
            _native.end_thread()
        while self.exited is None:
            self.main.loop(paused)
            if paused is not None and paused():
                break
            self.main.wait_for_others()
        return self.exited

    def set_stops(
        self, code: list[int], data: list[tuple[int, int, bool, bool]], blocks: bool
    ) -> None:
        """Where threads come to `stop_hook`, from each one's next run on: before instructions, for
        accesses to ranges (start, size, reads, writes), before all blocks.
        """
        self._stops = code, data, blocks
        self.native.set_stops(code, data, blocks)

    def step(self) -> Exited | None:
        """Executes one guest instruction, with its system call if it is one."""
        if self.exited is None:
            self.main.step()
        return self.exited

    def ends(self, exited: Exited) -> None:
        """The whole process ends so: the first to say it wins."""
        if self._dying not in (0, _thread.get_ident()):
            return
        if self.exited is None:
            self.exited = exited
        self.native.give_up_robust_futexes()
        if self._strace is not None:
            self._strace.exited(self.exited)
        shared = self.shares_memory
        if self.on_exit is not None and not shared:
            self.on_exit(self.exited)
        for thread in list(self.threads.values()):
            thread.doom()
        if self.on_exit is not None and shared:
            # None of them may end with a lock in its hands that others wait for.
            own = _thread.get_native_id()
            while set(self.threads) - {own}:
                self.gone.wait()
            self.on_exit(self.exited)

    def nobody_dies(self) -> None:
        """No thread is in :meth:`begin_to_die`; in a forked child too, whatever its parent does."""
        self._dying = 0
        self._dying_lock = _thread.allocate_lock()

    def become_child(self, thread: Thread) -> None:
        """After a fork, in the child: `thread` is the only one here; the process is ours to end."""
        self._main = thread
        self.threads = {os.getpid(): thread}
        thread.tid = os.getpid()
        self.on_exit = leave
        self.loan = self.leaving = None
        self.traced_from_exec = self.vforked = False
        self.nobody_dies()
        self.forked = True
        thread.tracer = None
        self.native.set_tracing(False)

    def begin_to_die(self) -> bool:
        """From now on only the calling thread can end the process. False: another one can."""
        mine = self._dying_lock.acquire(blocking=False)
        if mine:
            self._dying = _thread.get_ident()
        return mine

    def preload(self) -> None:
        """Keeps what may be needed when the guest has put it out of reach."""
        from qusr import preload

        preload.everything(self.store)
        self.native.set_preloaded()

    def listens(self) -> None:
        """The guest is asked whether files may be opened (fanotify(7)).

        By the emulator none is any more: the guest could not answer what it waits for itself.
        """
        self.store = loader.Store(None)
        _native.forget_stocks()
        self.native.set_listened()

    def is_own_exe(self, info: os.stat_result) -> bool:
        """Whether a file is the emulator's executable (Python)."""
        return (info.st_dev, info.st_ino) == self._own_exe[1:]

    def set_read_implies_exec(self, on: bool) -> None:
        """Whether what is mapped readable from now on is executable, too."""
        self.read_implies_exec = on
        self.memory.set_read_implies_exec(on)

    def owns_fd(self, fd: int) -> bool:
        """Whether a descriptor is the emulator's, not the guest's (the log's)."""
        return self.log is not None and self.log.owns(fd)

    def publish(self) -> None:
        """Shows the host the guest program: /proc/PID/comm, cmdline and environ, so ps too."""
        base, stack = self.memory.base, self.stack
        # Where they are is known of the memory.
        alone = not self.shares_memory
        _native.publish(
            self.comm,
            (base + stack.arg_start, base + stack.arg_end) if alone else None,
            (base + stack.env_start, base + stack.env_end) if alone else None,
        )

    @property
    def shares_memory(self) -> bool:
        """Whether the host memory that this process lives in is also another one's."""
        return self.loan is not None or _native.memory_is_shared()

    @property
    def parent_waits(self) -> bool:
        """Whether it is a vfork's child that has not executed a program yet."""
        return self.loan is not None and self.vforked

    def lend(self, native: _native.Thread) -> Process:
        """A process like this one in the same memory, with `native` as its first thread."""
        child = object.__new__(type(self))
        vars(child).update(vars(self))
        child.native = native.process
        child._main = Thread(child, native)
        child.exited = child.on_exit = child.leaving = None
        child.traced_from_exec = False
        child.gone, child.threads = Gone(), {}
        child.last_status = 0
        child.hooks = list(self.hooks)
        child._strace = None if self._strace is None else self._strace.lend(child)
        child.pause = child._inherited = child._starter = None
        child.stop_hook = child._stops = None
        child.forked = False
        child.nobody_dies()
        return child

    def take_over_child(self, parent: Thread, borrowed: _native.Borrowed) -> None:
        """Goes on with a vfork of `parent` that was made without Python; its child needs it."""
        from qusr import borrower

        child = self.lend(borrowed.thread)
        child.vforked = True
        child.main.goes_on(borrowed.stop)
        memory = self.memory
        borrowed.take_over(
            lambda loan: borrower.live(child, loan, lambda: None),
            lambda in_order: borrower.is_gone(child, memory, in_order),
        )
        parent.native.wait_for_borrower(borrowed.made)
        borrowed.made.leave()
        parent.native.finish_call(borrowed.made.pid)

    def trace_me(self) -> None:
        """PTRACE_TRACEME, by a process that is about to begin a program."""
        self.traced_from_exec = False
        _native.ptrace(0, 0, 0, 0)
        self.main.native.become_tracee()

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.thread.reg(self.arch.registers.pc)

    def call_name(self, number: int) -> str | None:
        """The name of a system call, by the guest's number."""
        return self.native.call_name(number)

    def add_memory_file(self, dev: int, ino: int) -> None:
        """Says which file stands for /proc/self/mem (handlers/procmem.py)."""
        self.native.add_memory_file(dev, ino)

    def tracer(self) -> Strace | None:
        """What prints system calls, when that is asked for."""
        if self._strace is None and self.options.strace:
            from qusr.syscalls.strace import Strace

            self._strace = Strace(self)
            if self._is_first:
                self._strace.begins()
        return self._strace


def _own_exe() -> tuple[bytes, int, int]:
    """Path, device and inode of the emulator's executable.

    Where there is no /proc nobody can come by it: then numbers that no file has.
    """
    try:
        info = os.stat(installed.EXECUTABLE)
        return os.readlink(os.fsencode(installed.EXECUTABLE)), info.st_dev, info.st_ino
    except OSError:
        return b"", _NO_FILE, _NO_FILE


def _environment(env: Mapping[str, str] | Sequence[bytes] | None) -> list[bytes]:
    if env is None:
        return [key + b"=" + value for key, value in os.environb.items()]
    if isinstance(env, (list, tuple)):
        return list(env)
    items = dict(env).items()  # type: ignore[arg-type]
    return [os.fsencode(key) + b"=" + os.fsencode(value) for key, value in items]
