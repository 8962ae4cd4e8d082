"""The Rust extension (native/python)."""

from collections.abc import Callable, Sequence
from typing import Literal, NoReturn, NotRequired, Protocol, TypedDict, final

VERSION: str
STORE_MAX_VALUE: int
"""The largest value that the store keeps, in bytes."""
STORE_MAX_TOTAL: int
STORE_MAX_ENTRIES: int

def launcher() -> bytes:
    """The executable that binfmt_misc starts, not yet set up (qusr/binfmt/launcher.py)."""

@final
class AddressSpace:
    """The guest's memory.

    Calls raise OSError with the errno that the guest's system call would give; a bad
    guest address in a copy is EFAULT. Protections and mmap flags are the host's numbers.
    """

    def __new__(
        cls,
        va_bits: int,
        guest_base: int | None = None,
        reserved_va: int | None = None,
        mmap_min_addr: int = 0x10000,
        page_size: int = 4096,
        executes: bool = False,
    ) -> AddressSpace: ...
    @property
    def base(self) -> int:
        """Host address of guest address 0."""
    @property
    def limit(self) -> int:
        """The first address that can never be the guest's."""
    @property
    def map_window(self) -> int:
        """The end of where things without an address of their own are placed."""
    @property
    def mmap_base(self) -> int:
        """Where mappings are placed downwards from."""
    def set_mmap_base(self, addr: int) -> None: ...
    def mmap(
        self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int: ...
    def munmap(self, addr: int, len: int) -> None: ...
    def mprotect(self, addr: int, len: int, prot: int) -> None: ...
    def brk(self, addr: int) -> int:
        """Move the break as brk(2) does; the break as it is then."""
    def set_brk(self, start: int) -> None:
        """Say where the heap starts."""
    def prot_at(self, addr: int) -> int | None: ...
    def read(self, addr: int, len: int) -> bytes: ...
    def write(self, addr: int, data: bytes) -> None: ...
    def peek(self, addr: int, len: int) -> bytes:
        """Read whatever the protection is, as a debugger does."""
    def poke(self, addr: int, data: bytes) -> None:
        """Write whatever the protection is."""
    def fill_zero(self, addr: int, len: int) -> None: ...
    def read_cstr(self, addr: int, max: int = 4096) -> bytes:
        """Read a NUL-terminated string; ENAMETOOLONG if there is no NUL within max bytes."""
    def host_pointer(self, addr: int) -> int:
        """The host address of a guest address for a system call: null stays null."""
    def regions(self) -> list[tuple[int, int, int, int, str, bytes, int]]:
        """All mappings: (start, end, prot, flags, kind, name, offset).

        kind is anonymous, shared, file, shm or special; flags are those of memory/region.rs.
        """
    def maps_text(self, root: bytes | None = None) -> bytes:
        """/proc/self/maps; paths below root (the sysroot) are shown without it."""
    def smaps_sums(self, labels: list[str]) -> list[int]:
        """What smaps has behind labels like "Rss:", each summed, in bytes."""
    def smaps_text(self, root: bytes | None = None) -> bytes:
        """/proc/self/smaps, likewise."""
    def set_name(self, addr: int, len: int, name: str) -> None:
        """Show private anonymous memory as "[stack]", "[vdso]" ..."""
    def set_anon_name(self, addr: int, len: int, name: bytes | None) -> None:
        """PR_SET_VMA_ANON_NAME of prctl(2)."""
    def mremap(
        self, addr: int, old_len: int, new_len: int, flags: int, new_addr: int = 0
    ) -> int: ...
    def madvise(self, addr: int, len: int, advice: int) -> None: ...
    def msync(self, addr: int, len: int, flags: int) -> None: ...
    def mincore(self, addr: int, len: int) -> bytes: ...
    def mlock2(self, addr: int, len: int, flags: int = 0) -> None: ...
    def munlock(self, addr: int, len: int) -> None: ...
    def mlockall(self, flags: int) -> None: ...
    def munlockall(self) -> None: ...
    def shmat(self, id: int, addr: int, flags: int, shmlba: int = 4096) -> int:
        """shmat(2); shmlba is the guest's alignment (16384 on 32-bit ARM)."""
    def shmdt(self, addr: int) -> None: ...
    def set_rlimits(
        self, space: int | None = None, data: int | None = None, stack: int | None = None
    ) -> None:
        """Set the guest's RLIMIT_AS, RLIMIT_DATA and RLIMIT_STACK (None: unlimited)."""
    def set_read_implies_exec(self, on: bool) -> None:
        """READ_IMPLIES_EXEC of personality(2)."""
    def is_accessible(self, addr: int, len: int, prot: int) -> bool: ...
    def fault(self, addr: int) -> bool:
        """Grow the stack down to a faulting address; True to try the access again."""
    def notify_code_write(self, start: int, end: int) -> None:
        """Tell the cores that code was changed by other means than guest stores."""
    def brk_range(self) -> tuple[int, int]:
        """The heap's start and the break."""
    def clear(self) -> None:
        """Unmap everything (execve)."""
    def after_fork_in_child(self) -> None:
        """To be called in a forked child."""

@final
class CallRegs:
    """The registers during a system-call callback."""

    def get(self, id: int) -> int: ...
    def set(self, id: int, value: int) -> None: ...

@final
class Interrupter:
    """Stops a CPU from another thread."""

    def interrupt(self) -> None:
        """Makes the CPU leave `run` soon, or its next `run` at once."""

class CpuExit(TypedDict):
    """What stopped a CPU."""

    reason: Literal["syscall", "fault", "undefined", "breakpoint", "interrupted"]
    imm: NotRequired[int]
    """Of a syscall or breakpoint: the instruction's immediate."""
    addr: NotRequired[int]
    access: NotRequired[Literal["read", "write", "fetch"]]
    mapped: NotRequired[bool]
    """Of a fault: the page is mapped, but not for this access."""
    bus: NotRequired[bool]
    align: NotRequired[bool]

@final
class Cpu:
    """One guest CPU, for tests and tools. Register numbers: docs/internals.md."""

    def __new__(
        cls,
        library: str,
        guest: str,
        model: int,
        system_registers: list[tuple[int, int]],
        features: list[str],
        space: AddressSpace,
    ) -> Cpu: ...
    def get(self, id: int) -> int: ...
    def set(self, id: int, value: int) -> None: ...
    def run(self, on_syscall: Callable[[CallRegs, int], bool] | None = None) -> CpuExit:
        """Runs until something stops it; `on_syscall(regs, imm)` is tried first at each call."""
    def step(self) -> CpuExit:
        """Executes one instruction; "interrupted" is the reason when nothing special happened."""
    def interrupter(self) -> Interrupter: ...
    def invalidate(self, start: int, end: int) -> None:
        """Forgets translations of guest code in start..end."""
    def duplicate(self) -> Cpu:
        """A new CPU over the same memory with the same registers."""

@final
class Table:
    """The declarations of an ABI, ready for use."""

    def __new__(cls, data: bytes) -> Table:
        """Take them from the thunk compiler's bytes. ValueError: they are damaged."""

class Process:
    """What the threads of one guest process share."""

    def __new__(cls, space: AddressSpace, table: Table, guest: str) -> Process:
        """One without a program, for tests; `guest` is its name in the list (`Abi.core`)."""
    def calls_for_clocks(self) -> None:
        """From now on clocks are read by system calls, which the vDSO needs none for."""
    def runs_no_more(self) -> None: ...
    def set_stops(
        self, code: Sequence[int], data: Sequence[tuple[int, int, bool, bool]], blocks: bool
    ) -> None:
        """Has its threads come back with "stop" before these instructions, with "watched",
        "written" or "read" for accesses to these ranges (start, size, reads, writes), and with
        "block" before each block.
        """
    def add_memory_file(self, dev: int, ino: int) -> None:
        """Reviews reads and writes of this file, kind "memory", instead of making them."""
    def set_preloaded(self) -> None:
        """Python has imported what it may need when its files are out of reach."""
    def set_listened(self) -> None:
        """The emulator opens no file any more that a guest can listen to."""
    def give_up_robust_futexes(self) -> None:
        """The process ends: who waits for a robust futex of its threads is told."""
    def watch_deaths(self) -> None:
        """Stops with "killed" also for signals whose default action kills (but SIGKILL)."""
    def watch_quit(self) -> None:
        """So does SIGQUIT, where its default action kills."""
    def die_orderly(self) -> None:
        """From now on it dies of signals where it holds no lock that others wait for."""
    def reset_actions(self) -> None:
        """Handlers become SIG_DFL."""
    def own_limits(self) -> list[tuple[int, int, int]]:
        """The limits that the guest has set and the host does not keep: (number, soft, hard)."""
    def set_own_limits(self, limits: list[tuple[int, int, int]]) -> None: ...
    def set_tracing(self, on: bool) -> None:
        """Whether waits for children and so on are reviewed (kind "tracer") instead of made."""
    def limit(self, resource: int) -> tuple[int, int]:
        """A limit of the guest: (soft, hard)."""
    def call_name(self, number: int) -> str | None: ...

@final
class Pause:
    """The wish that a thread's `run` come back."""

    def __new__(cls) -> Pause: ...
    def ask(self) -> None:
        """It comes back before the next instruction, once; a bell has it notice."""

@final
class Thread:
    """One guest thread."""

    trace: bool
    watch_enosys: bool
    watch_signals: bool
    def set_pause(self, pause: Pause) -> None:
        """`run` comes back where this says so."""
    def __new__(
        cls,
        process: Process,
        library: str,
        guest: str,
        model: int,
        system_registers: list[tuple[int, int]],
        features: list[str],
    ) -> Thread: ...
    def watch_blocks(
        self,
        watcher: Callable[[int, int, list[int]], None],
        numbers: list[int],
        once: bool,
        ranges: list[tuple[int, int]] | None,
    ) -> bool:
        """Have watcher(pc, size, registers) called before each block; False: the core cannot."""
    def run(self) -> tuple[object, ...]:
        """Run until Python has to decide something; the first item says what."""
    def step(self) -> tuple[object, ...]: ...
    def access(self) -> tuple[object, ...] | None:
        """Executes the instruction that has stopped with "watched"; None: it is done."""
    @property
    def passes_stop(self) -> bool:
        """The next instruction is executed without a look whether it is one to stop at."""
    def pass_stop(self) -> None:
        """Has it executed so."""
    def make_call(self, number: int, args: tuple[int, ...]) -> tuple[object, ...] | None: ...
    def finish_call(self, result: int) -> None: ...
    def restart_call(self) -> None: ...
    def call_registers(self) -> tuple[int, list[int]]: ...
    def host_call(self, number: int, args: tuple[int | bytes | bytearray, ...]) -> int: ...
    def resolve_path(self, dirfd: int, path: bytes, follow: bool) -> bytes: ...
    def review_fd(self, fd: int) -> bool:
        """Put the guest's file behind a descriptor, where the kernel's would tell of the emulator.

        True: that is left to be done here. OSError: the descriptor is closed.
        """
    def refresh(self) -> None: ...
    def reg(self, id: int) -> int: ...
    def set_reg(self, id: int, value: int) -> None: ...
    def clone_request(self, name: str, values: Sequence[int]) -> CloneRequest:
        """What a call to the handler `name` asks for. OSError: the kernel refuses it."""
    def prepare_exec(
        self, name: str, values: Sequence[int], exe: bytes
    ) -> tuple[Prepared, list[bytes]]:
        """The program and the environment that a call to the handler `name` executes.

        `exe` is the program that runs. OSError: why there is none.
        """
    def begin_clone(self, request: CloneRequest) -> None:
        """Set the registers of a thread that a clone has made."""
    def begin_fork(self, request: CloneRequest) -> None:
        """In a forked child: what the kernel gives it anew, and its registers."""
    def fork(self, request: CloneRequest) -> int:
        """Make a child process: its pid, 0 in the child, or -errno."""
    def share(
        self,
        request: CloneRequest,
        borrower: Thread,
        body: Callable[[Loan], tuple[object, ...]],
        after: Callable[[bool], None],
    ) -> Borrower | int:
        """Make a process in the same memory; -errno if that fails."""
    def wait_for_child(self, pid: int) -> None: ...
    def wait_for_borrower(self, child: Borrower) -> None:
        """As a vfork's parent: wait until it execs or ends."""
    def lend(self, flags: int) -> Thread:
        """The first thread of such a process, which a clone with these flags makes."""
    @property
    def process(self) -> Process: ...
    @property
    def is_bound(self) -> bool:
        """Whether only this host process can go on with it."""
    def take_mask(self, other: Thread) -> None: ...
    def sibling(self, request: CloneRequest) -> Thread:
        """The thread that a clone asks for, not started yet. OSError: it cannot be had."""
    def start(
        self,
        request: CloneRequest,
        sibling: Thread,
        enter: Callable[[int], None],
        life: Callable[[], None],
    ) -> int:
        """Make a host thread for `sibling`; its tid. OSError: there is none.

        It calls `enter(tid)` before either thread goes on, and then `life()`.
        """
    @staticmethod
    def block_signals() -> None:
        """Block all host signals of the calling thread."""
    def adopt(self) -> None: ...
    def ends(self) -> None: ...
    def leave(self) -> None:
        """The calling host thread is no guest thread's any more."""
    def leave_for_exec(self, shared: bool) -> int:
        """Reset what an execve resets; gives the signal mask, which stays."""
    def exec_host(self, path: bytes, argv: list[bytes], envp: list[bytes]) -> int:
        """Execute a program of the host; comes back with -errno if that fails."""
    def set_mask(self, mask: int) -> None: ...
    def siginfo_to_guest(self, host: bytes) -> bytes:
        """A host's siginfo_t in the layout of the thread's guest."""
    def signal_sets(self) -> tuple[int, int, int]:
        """The guest's blocked, ignored and caught signals, as masks."""
    def inherit(self, other: Thread) -> None: ...
    def proc_text(self, name: bytes, fd: int) -> bytes | None:
        """The guest's text of a file of /proc/self whose own one is open as `fd`.

        None: it is made elsewhere.
        """
    @staticmethod
    def call_of(tid: int) -> tuple[int, list[int], int, int] | None:
        """The system call that the process's thread makes: number, arguments, sp, pc."""
    def become_tracee(self) -> None:
        """PTRACE_TRACEME was called."""
    def has_executed(self) -> None:
        """The program is the one that an execve of a tracee has begun."""
    def follow_exec(self, old: Thread) -> None:
        """Take over that `old` is traced: this thread's program replaces its own."""
    def announce_clone(self, event: int) -> None:
        """Say which PTRACE_EVENT the clone is that is about to be made; 0: it is made."""
    def trace_event(self, event: int, message: int) -> None:
        """Stop for a PTRACE_EVENT if a tracer wants to know of it."""

@final
class CloneRequest:
    """What clone(2) and its like ask for, in guest terms."""

    kind: Literal["thread", "borrower", "fork"]
    flags: int
    parent_tid: int
    child_tid: int
    event: int
    """The PTRACE_EVENT that it is."""

@final
class Borrower:
    """A child that lives in this memory, for its parent."""

    pid: int
    def begin(self) -> None:
        """Let it begin, and wait until it has."""
    def leave(self) -> None: ...

@final
class Loan:
    """The child's side."""

    def has_begun(self) -> None: ...
    def release_parent(self) -> None: ...

def leave_memory(status: int, signal: int | None) -> None:
    """End this process, whose memory others live in, without the interpreter's lock."""

def memory_is_shared() -> bool:
    """Whether other processes live in this memory."""

@final
class SharedLock:
    """A lock that threads and forked children share."""

    def __new__(cls) -> SharedLock: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *args: object) -> None: ...

@final
class SharedNumber:
    """A number that threads and forked children share, at first 0."""

    def __new__(cls) -> SharedNumber: ...
    value: int

def mount(source: bytes, target: bytes, kind: bytes, flags: int, data: bytes) -> None:
    """mount(2)."""

def umount(target: bytes, flags: int) -> None:
    """umount2(2)."""

def unshare(flags: int) -> None:
    """unshare(2)."""

def doom_thread(tid: int) -> None:
    """Make a guest thread of this process end soon."""

def exec_refusal(fd: int) -> int:
    """The errno with which the kernel would refuse to execute an open file; 0: it would not.

    ETXTBSY when somebody writes to it, EPERM when a listener of fanotify says so.
    """

def forget_stocks() -> None:
    """Read nothing from the store for translations any more, and keep nothing."""

class EarlyStart:
    """A guest that was started without Python and has stopped for it; see `Process`."""

    memory: AddressSpace
    machine: Machine
    process: Process
    arrival: Arrival
    """The thread that has started Python."""
    others: list[int]
    """The tids of those that run besides."""
    last_status: int
    """The status of the thread that has ended last."""
    argv: list[bytes]
    envp: list[bytes]
    execfn: bytes
    exe: bytes
    own_exe: tuple[bytes, int, int]
    """The emulator's own executable: path, st_dev, st_ino."""
    sysroot: bytes
    guest: str
    image: Image
    stack: Stack
    read_implies_exec: bool
    forked: bool
    """It is a forked child that has not executed a program yet."""
    def open(self, arrive: Callable[[Arrival], None]) -> None:
        """Have `arrive(arrival)` called for each other thread that needs Python, in its host one.

        The thread has ended when that returns.
        """

@final
class Arrival:
    """A thread that has run without Python and needs it."""

    thread: Thread
    borrowed: Borrowed | None
    """A vfork's child that needs Python while its parent, which the thread is, waits for it."""
    def resume(self) -> tuple[object, ...]:
        """Let signals come again; the stop, as `Thread.run` gives it."""

@final
class Borrowed:
    """A vfork's child that was made without Python and has stopped for it."""

    made: Borrower
    thread: Thread
    def stop(self) -> tuple[object, ...]:
        """What it has stopped for, as `Thread.run` gives it."""
    def take_over(
        self, body: Callable[[Loan], tuple[object, ...]], after: Callable[[bool], None]
    ) -> None:
        """It goes on: `body(loan)` is its life, and `after(in_order)` is called when it is gone."""

def end_thread() -> NoReturn:
    """End the calling host thread, which has started Python and is not the first."""

def kept_modules() -> tuple[MappedEntry, str] | None:
    """The modules' code and the extension's path, where Python began without its files."""

def kept_key(package: bytes, python: bytes) -> bytes | None:
    """The key of what is kept; None: the package or Python cannot be looked at."""

def late_python() -> tuple[bytes, bytes] | None:
    """The paths of this library, which another start like this process's executes, and of Python's.

    None: Python was there first.
    """

def early_start() -> EarlyStart | None:
    """The guest that was started without Python, once."""

def store_get(folder: bytes, kind: str, key: bytes) -> bytes | None:
    """What is in the store at `folder` under a kind and key, if it is there, whole, and ours."""

def store_put(folder: bytes, kind: str, key: bytes, value: bytes) -> bool:
    """Put a value into the store, whole or not at all; whether it could be kept."""

def store_trim(folder: bytes, total: int, entries: int) -> None:
    """Remove the oldest entries of a store with more than so many bytes or entries."""

def store_directory(find: Callable[[str], str | None]) -> str | None:
    """Where the store is, by the environment's variables; None: nowhere."""

def guest_of_command(name: str) -> str | None:
    """The guest that a command's name (qusr-NAME, qemu-NAME-static) is for; None: any."""

def guest_of_audit(number: int) -> str | None:
    """The guest whose calls have this AUDIT_ARCH_*."""

def watches_behind(number: int) -> bool:
    """Whether debuggers of the guest with this AUDIT_ARCH_* take it that watchpoints stop behind
    the access.
    """

def file_identity(fd: int) -> bytes:
    """What tells an open file from every other one and from what it was before."""

def unshare_files() -> None:
    """Ends CLONE_FILES of clone(2)."""

def keep_stocks() -> None:
    """Keeps what was translated for the next process that runs the program."""

def die_by(signal: int) -> None:
    """Die of a signal as a guest did."""

def die_dumped(signal: int, name: bytes) -> None:
    """Die likewise, with WCOREDUMP where that can be had: the guest's core was written.

    name is the core file's as core_pattern gives it.
    """

def is_dumpable() -> bool:
    """PR_GET_DUMPABLE of prctl(2) gives 1."""

def publish(comm: bytes, arg: tuple[int, int] | None, env: tuple[int, int] | None) -> bool:
    """Name the thread, and tell the kernel where arguments and environment lie (host addresses)."""

def lookup_in(root: bytes, path: bytes, follow: bool) -> bytes | None:
    """The host path of what an absolute path names in a sysroot; None when it is not there.

    OSError: any other outcome of the look-up.
    """

@final
class Segment:
    """One PT_LOAD program header; `prot` are PROT_* bits."""

    vaddr: int
    memsz: int
    offset: int
    filesz: int
    prot: int
    align: int

@final
class Plan:
    """What an ELF file asks of the kernel, with link-time addresses."""

    machine: int
    bits: int
    big_endian: bool
    is_dyn: bool
    flags: int
    entry: int
    phoff: int
    phentsize: int
    phnum: int
    phdr_vaddr: int
    """Where the program headers are in memory."""
    segments: list[Segment]
    interp: bytes | None
    stack: Literal["default", "not executable", "executable"]
    """What PT_GNU_STACK says."""
    features: int
    """Bits of the guest's GNU property."""
    guest: str | None
    variant: str

@final
class Image:
    """Where the parts of a program ended up."""

    plan: Plan
    bias: int
    entry: int
    """The program's own, AT_ENTRY."""
    interp_entry: int | None
    start: int
    """Where execution starts."""
    base: int
    """The interpreter's bias, AT_BASE."""
    phdr: int
    brk: int
    stack_bottom: int
    stack_top: int
    read_implies_exec: bool
    """The READ_IMPLIES_EXEC personality."""
    def code_range(self) -> tuple[int, int]:
        """start_code and end_code of /proc/PID/stat."""

    def data_range(self) -> tuple[int, int]:
        """start_data and end_data of /proc/PID/stat."""

class Space(Protocol):
    """An address space as the loader needs it; `AddressSpace` is one."""

    @property
    def limit(self) -> int: ...
    @property
    def map_window(self) -> int: ...
    def mmap(
        self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int: ...
    def munmap(self, addr: int, len: int) -> None: ...
    def mprotect(self, addr: int, len: int, prot: int) -> None: ...
    def write(self, addr: int, data: bytes) -> None: ...
    def set_mmap_base(self, addr: int) -> None: ...
    def set_brk(self, start: int) -> None: ...
    def set_name(self, addr: int, len: int, name: str) -> None: ...

@final
class Stack:
    """An initial stack: `data` goes to address `sp`.

    The other addresses are those of /proc/PID/stat.
    """

    sp: int
    data: bytes
    arg_start: int
    arg_end: int
    env_start: int
    env_end: int
    auxv: list[tuple[int, int]]
    auxv_bytes: bytes
    def store(self, space: Space) -> None:
        """Puts it into guest memory. LoadError: it does not fit."""

@final
class Prepared:
    """A program that is ready to be loaded."""

    path: str
    """As the guest knows it."""
    host_path: str
    argv: list[bytes]
    execfn: bytes
    root: str | None
    """The sysroot that was given, or found for the program."""
    fd: int
    guest: str | None
    plan: Plan | None
    """None for a program of the host."""
    interp: Plan | None
    interp_fd: int
    interp_path: str
    def close(self) -> None:
        """Closes the files; mappings stay."""

    def install(self, space: Space, *, stack_size: int) -> Image:
        """Maps everything into an empty address space. LoadError: it does not fit."""

    def build_stack(
        self,
        image: Image,
        envp: Sequence[bytes],
        *,
        hwcap: int,
        hwcap2: int | None,
        platform: bytes,
        random: bytes,
    ) -> Stack:
        """The initial stack; `random` are the 16 bytes of AT_RANDOM."""

def prepare(
    path: bytes,
    argv: Sequence[bytes],
    root: bytes | None = None,
    *,
    seeks: bool = False,
    fd: int = -1,
    guest: str | None = None,
    caller: int | None = None,
    check_mode: bool = True,
    execfn: bytes | None = None,
) -> Prepared:
    """See `qusr.loader.prepare`."""

@final
class Loaded:
    """A process with its program, ready to run."""

    image: Image
    stack: Stack
    process: Process
    thread: Thread
    exe: bytes
    """The program's path on the host."""

def load(
    prepared: Prepared,
    envp: Sequence[bytes],
    machine: Machine,
    space: AddressSpace,
    *,
    stack_size: int,
    library: str,
    own_exe: tuple[bytes, int, int],
    release: bytes | None,
    seed: int | None,
    store: bytes | None,
    before: Process | None,
    log: Callable[[str, str], None] | None,
) -> Loaded:
    """Fills an empty address space.

    `library` is Unicorn's, `own_exe` the emulator's executable (path, st_dev, st_ino), `before`
    what ran here until an execve; `log(item, text)` gets what the native core logs.

    LoadError: it does not fit. ValueError: there is no such core.
    """

def read_plan(fd: int, path: bytes, page_size: int | None = None) -> Plan:
    """The plan of an open ELF file; `path` is for messages. LoadError: it is no program.

    `page_size` takes the place of the guest's.
    """

def load_image(
    space: Space,
    program: tuple[Plan, int, bytes],
    interp: tuple[Plan, int, bytes] | None,
    stack_size: int,
    pie_base: int | None = None,
) -> Image:
    """Maps plans (with the descriptors of their files, and paths for messages) into an empty space.

    `pie_base` takes the place of where position-independent programs go.
    """

def map_kernel_page(space: Space, address: int, name: str, page: bytes) -> None:
    """Maps a page that the kernel maps into each process (`Arch.kernel_pages`)."""

def build_stack(
    top: int,
    argv: Sequence[bytes],
    envp: Sequence[bytes],
    execfn: bytes,
    *,
    bits: int,
    big_endian: bool,
    platform: bytes,
    random: bytes,
    phdr: int = 0,
    phent: int = 0,
    phnum: int = 0,
    base: int = 0,
    entry: int = 0,
    hwcap: int = 0,
    hwcap2: int | None = None,
    minsigstksz: int = 0,
    vdso: int = 0,
    rseq: tuple[int, int] | None = None,
    page_size: int = 4096,
) -> Stack:
    """An initial stack of any shape; the auxiliary vector is the kernel's with these values.

    LoadError: it cannot be made.
    """

def check_limits(
    argv: Sequence[bytes], envp: Sequence[bytes], execfn: bytes, *, word: int, stack_limit: int
) -> None:
    """LoadError (E2BIG) by the rules of execve(2); `word` is the size of a pointer."""

def file_kind(head: bytes) -> Literal["elf", "bad-elf", "script", "empty", "text", "data"]:
    """What the first bytes of a file look like."""

def parse_script(head: bytes) -> tuple[bytes, bytes | None] | None:
    """The interpreter and its argument of a `#!` line; None: the kernel would say ENOEXEC."""

def machine_title(machine: int, bits: int, big_endian: bool, flags: int = 0) -> str:
    """The name people know an ELF machine by, for programs with these e_flags."""

def found_sysroot(triplets: Sequence[bytes], interp: bytes | None = None) -> bytes | None:
    """See `qusr.loader.found`."""

@final
class Machine:
    """What a program sees of the machine. ValueError: there is no such CPU or core."""

    def __new__(
        cls,
        guest: str,
        variant: str,
        *,
        cpu: str | None = None,
        core: str = "",
        opt: str = "",
        logs: str = "",
    ) -> Machine: ...
    model: str
    native_options: str | None
    """The options of the native core; None when another one runs the guest."""
    direct: bool
    """Whether the host's processor runs the guest."""
    executes: bool
    """Whether its memory is to be at the host's addresses."""
    hwcap: tuple[int, int | None]
    uname: bytes
    platform: bytes
    kernel_pages: list[tuple[int, str, bytes]]
    core: tuple[str, int, list[tuple[int, int]], list[str]]
    """The guest's name in the cores, the model's number in Unicorn, system registers, features."""

def facts() -> bytes:
    """What Python declared when the extension was built (qusr/facts.py)."""

def parse_options(
    words: Sequence[bytes], find: Callable[[bytes], bytes | None]
) -> tuple[dict[str, bytes | int], list[tuple[bytes, bytes | None]], str, list[bytes]]:
    """Values by option, changes of the environment, what to show, the program with arguments.

    `find` gives a variable's value. ValueError with bytes: why the command line cannot be.
    """

def number(text: str) -> tuple[int, str]:
    """A number at the start of a text, as strtoul(3) with base 0 reads it, and the rest.

    ValueError: there is none.
    """

def crc32(data: bytes) -> int:
    """CRC-32 as in zlib."""

class MappedEntry:
    """An entry of the store, mapped: only what is looked at is read, and nothing is checked."""

    def __new__(cls, folder: bytes, kind: str, key: bytes) -> MappedEntry:
        """KeyError: it is not there."""
    def read(self, start: int, size: int) -> bytes:
        """IndexError: it is shorter."""

class Buffer:
    """Memory for a host call that takes a struct with a pointer."""

    def __new__(cls, data: bytes) -> Buffer: ...
    @property
    def address(self) -> int:
        """Good as long as this lives."""
    def read(self) -> bytes:
        """What is in it."""

def stamp_sources(folders: Sequence[bytes]) -> int:
    """A number that changes with every file `*.py` in these folders, and with this library.

    OSError: a folder cannot be read.
    """

def is_running(dirfd: int, path: bytes) -> bool:
    """Whether a path leads to a program that a guest runs."""

def own_proc_file(path: bytes) -> bytes | None:
    """The name of a file in our own /proc/PID; None: `path` is something else."""

def stand_in(fd: int, name: bytes, text: bytes) -> None:
    """Put a file with this text behind a descriptor that was opened for reading.

    Its close-on-exec stays; links in /proc show `name`. The descriptor is closed on OSError.
    """

def leads_to_own_exe(dirfd: int, path: bytes, hops: int = 40) -> bool:
    """Whether a path ends at our /proc/PID/exe, itself or by symbolic links.

    An empty path is the file `dirfd`. At most `hops` - 1 links are followed.
    """

def getrlimit(which: int) -> tuple[int, int]:
    """A limit of this process: (soft, hard). OSError (EINVAL): there is no such limit."""

def close_on_exec() -> list[int]:
    """The open descriptors that an execve closes."""

def siginfo_to_guest(host: bytes, guest: str) -> bytes:
    """A host's siginfo_t in the layout, and with the numbers, of a guest (`Abi.core`)."""

def shown_segment(entry: int, descriptor: int) -> bytes:
    """A descriptor of x86's segments as the struct user_desc of an entry."""

def stored_segment(desc: bytes) -> int | None:
    """The descriptor that a struct user_desc stands for; None: the kernel takes no such one."""

# native/python/src/tracer.rs: none of these blocks; they raise OSError.

def ptrace(request: int, pid: int, addr: int, data: int) -> int: ...
def allow_tracer(pid: int) -> None: ...
def ptrace_get(request: int, pid: int, addr: int, size: int) -> bytes: ...
def ptrace_peek_siginfo(pid: int, args: bytes) -> tuple[int, bytes]:
    """PTRACE_PEEKSIGINFO for one signal: how many there were, and its siginfo_t."""

def ptrace_set(request: int, pid: int, addr: int, data: bytes) -> None: ...
def process_read(pid: int, address: int, size: int) -> bytes:
    """Memory of another process, as much as can be read."""

def process_write(pid: int, address: int, data: bytes) -> int:
    """Write memory of another process; how many bytes it was."""

def wait_child(pid: int, options: int) -> tuple[int, int, bytes]:
    """wait4(2) with WNOHANG among the options: (pid, status, rusage)."""

def own_signals() -> int:
    """The set of signals that this emulator never blocks and always catches."""

def queue_signal(tgid: int, tid: int, signal: int, info: bytes) -> None:
    """rt_tgsigqueueinfo(2)."""

def whereabouts_table() -> int:
    """The address of native/kernel/src/process/whereabouts.rs, TABLE."""

def own_library() -> str | None:
    """Device and inode of the extension as /proc/PID/maps shows them."""
