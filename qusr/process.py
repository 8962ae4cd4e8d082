"""A guest process: put together from a program, and run.

`Process` is also the interface for embedding; `docs/python-api.md` shows it. One
loop serves every CPU core: the Rust side runs guest code and makes most system
calls, and comes back here with what needs a decision.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from qusr import _native, arch, loader
from qusr.arch.abi import Abi, abi
from qusr.syscalls.context import Context, Restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qusr.arch.base import Arch, CpuModel
    from qusr.debug.log import Log

    SyscallHook = Callable[["Process", str, tuple[int, ...]], int | None]
    Stop = tuple[object, ...]

DEFAULT_STACK = 8 << 20
MINSIGSTKSZ = {8: 4720}
"""AT_MINSIGSTKSZ by word size: AArch64's frame without SVE (arch/arm64/kernel/signal.c)."""

MMAP_MIN_ADDR = {4: 0x8000}
"""Where an arm kernel's lowest mapping may be: old toolchains link programs at 0x8000."""


class Options:
    """How a guest is run; the defaults are those of the command line.

    Attributes:
        sysroot: the directory that stands for `/`, or None.
        core: the CPU core, "unicorn", "native" or "native,check" (each translation compared
            with the interpreter); None: QUSR_CORE, else unicorn.
        opt: optimisations of the native core to leave out, as "no-chain,no-fold".
        cpu: the CPU model's name; None: the best one.
        argv0: replaces argv[0].
        stack_size: of the guest's stack, in bytes; None: from RLIMIT_STACK.
        uname_release: what uname(2) gives as the kernel's release; None: the host's.
        guest_base: host address of guest address 0; None: wherever there is room.
        reserved_va: size of the guest's address space in bytes; None: all of it.
        seed: makes AT_RANDOM the same in every run.
        strace: print each system call.
        log: where logs (-d, -strace) go.
    """

    def __init__(
        self,
        *,
        sysroot: str | None = None,
        core: str | None = None,
        opt: str = "",
        cpu: str | None = None,
        argv0: bytes | None = None,
        stack_size: int | None = None,
        uname_release: str | None = None,
        guest_base: int | None = None,
        reserved_va: int | None = None,
        seed: int | None = None,
        strace: bool = False,
        log: Log | None = None,
    ) -> None:
        self.sysroot = sysroot
        self.core = core
        self.opt = opt
        self.cpu = cpu
        self.argv0 = argv0
        self.stack_size = stack_size
        self.uname_release = uname_release
        self.guest_base = guest_base
        self.reserved_va = reserved_va
        self.seed = seed
        self.strace = strace
        self.log = log


class UsageError(Exception):
    """An option that cannot be; the message says what can."""


class Exited:
    """How a guest ended: by `status` (0-255), or by `signal` when that is not None."""

    __slots__ = ("signal", "status")

    def __init__(self, status: int, signal: int | None = None) -> None:
        self.status = status
        self.signal = signal

    @property
    def returncode(self) -> int:
        """As `subprocess` has it: negative for a signal."""
        return self.status if self.signal is None else -self.signal

    def __repr__(self) -> str:
        if self.signal is None:
            return f"Exited({self.status})"
        return f"Exited(signal={self.signal})"


class Process:
    """One guest process, loaded and ready to run.

    Args:
        argv: the program (a path) and its arguments.
        env: the guest's environment; None: this process's.
        guest: the guest ISA's name; None: whichever the program is for.
        options: how to run it.

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
    ) -> None:
        self.options = options or Options()
        self.exited: Exited | None = None
        self.uname_release = self.options.uname_release
        self.log = self.options.log
        self._hooks: list[SyscallHook] = []
        self._handlers: dict[str, Callable[..., int]] = {}
        self._strace: object | None = None
        words = [os.fsencode(word) for word in argv]
        self.envp = _environment(env)
        asked = loader.explicit(self.options.sysroot, os.environ)
        store = loader.Store.default()
        prepared = loader.prepare(
            os.fsdecode(words[0]),
            words,
            loader.Sysroot(asked[0] if asked else None),
            store=store,
            triplets=None if asked else _triplets,
            wanted=lambda name: guest is None or name == guest,
        )
        self.sysroot = prepared.sysroot
        try:
            self._load(prepared, store)
        finally:
            prepared.close()

    # --- building ---

    def _load(self, prepared: loader.Prepared, store: loader.Store) -> None:
        name = prepared.guest
        found = None if name is None else arch.by_name(name)
        assert name is not None and found is not None and prepared.plan is not None
        self.arch: Arch = found
        self.abi: Abi = abi(name)
        self.cpu_model = self._cpu_model()
        be8 = prepared.plan.be8
        if self.options.argv0 is not None:
            prepared.argv[0] = self.options.argv0
        self.argv = prepared.argv
        self.exe = os.fsencode(os.path.realpath(prepared.host_path))
        self.comm = os.path.basename(prepared.execfn)[:15]
        self.memory = _native.AddressSpace(
            self.abi.word * 8,
            self.options.guest_base,
            self.options.reserved_va,
            MMAP_MIN_ADDR.get(self.abi.word, 0x1_0000),
        )
        self.image = prepared.install(self.memory, stack_size=self._stack_size())
        kuser = self.arch.kuser_page(be8=be8)
        if kuser:
            loader.map_kuser(self.memory, kuser)
        hwcap, hwcap2 = self.arch.hwcap(self.cpu_model)
        self.stack = prepared.build_stack(
            self.image,
            self.envp,
            hwcap=hwcap,
            hwcap2=hwcap2,
            platform=self.arch.platform_of(self.cpu_model).encode(),
            minsigstksz=MINSIGSTKSZ.get(self.abi.word, 0),
            random=self._random(),
        )
        self.stack.store(self.memory)
        self.auxv = self.stack.auxv
        self._start_thread(thunk_table(self.abi, store), be8)

    def _start_thread(self, table: bytes, be8: bool) -> None:
        from qusr.cpu import unicorn  # noqa: PLC0415

        regs = self.arch.registers
        numbers = (regs.syscall, regs.args[0], regs.pc, regs.sp, regs.tls, regs.status)
        self._native = _native.Process(
            self.memory,
            table,
            numbers,
            list(regs.args),
            self.abi.thumb_bit,
            self.abi.frame if be8 or not self.abi.big_endian else "arm",
        )
        if self.sysroot:
            self._native.set_sysroot(self.sysroot.root)
        own = os.stat("/proc/self/exe")
        self._native.set_own_exe(os.readlink(b"/proc/self/exe"), own.st_dev, own.st_ino)
        core = unicorn.arguments(self.arch, self.cpu_model, be8=be8)
        self.thread = _native.Thread(self._native, *core, native=self._native_options())
        self.thread.set_reg(regs.sp, self.stack.sp)
        self.thread.set_reg(regs.pc, self.image.start)

    def _native_options(self) -> str | None:
        """What `_native.Thread` takes for the native core; None when another core is asked for."""
        asked = self.options.core or os.environ.get("QUSR_CORE") or "unicorn"
        name, _, rest = asked.partition(",")
        if name == "unicorn":
            return None
        if name != "native":
            raise UsageError(f"no core {name!r}: there are unicorn and native")
        return ",".join(word for word in (rest, self.options.opt) if word)

    def _cpu_model(self) -> CpuModel:
        if self.options.cpu is None:
            return self.arch.default_model
        model = self.arch.model(self.options.cpu)
        if model is None:
            raise UsageError(
                f"no CPU {self.options.cpu!r} for {self.arch.name}: -cpu help lists them"
            )
        return model

    def _stack_size(self) -> int:
        if self.options.stack_size is not None:
            return self.options.stack_size
        import resource  # noqa: PLC0415

        soft = resource.getrlimit(resource.RLIMIT_STACK)[0]
        return DEFAULT_STACK if soft == resource.RLIM_INFINITY else soft

    def _random(self) -> bytes | None:
        if self.options.seed is None:
            return None
        import random  # noqa: PLC0415

        return random.Random(self.options.seed).randbytes(16)

    # --- running ---

    def run(self) -> Exited:
        """Runs the guest to its end."""
        self._set_trace()
        while self.exited is None:
            self._dispatch(self.thread.run())
        return self.exited

    def step(self) -> Exited | None:
        """Executes one guest instruction, with its system call if it is one."""
        if self.exited is None:
            self._set_trace()
            self._dispatch(self.thread.step())
        return self.exited

    def add_syscall_hook(self, hook: SyscallHook) -> None:
        """Has `hook(process, name, args)` called before each system call.

        `args` are the raw argument registers. An int that the hook returns becomes the
        call's result (negative: -errno) and the call is not made; None lets it be made.
        """
        self._hooks.append(hook)

    def read_reg(self, name: str) -> int:
        """The register called `name` ("x0", "sp", "pc", "r7", "v3"…)."""
        return self.thread.reg(self.arch.registers.numbers[name])

    def write_reg(self, name: str, value: int) -> None:
        """Sets a register."""
        self.thread.set_reg(self.arch.registers.numbers[name], value)

    def read(self, address: int, size: int) -> bytes:
        """Guest memory; OSError (EFAULT) where there is none."""
        return self.memory.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Stores into guest memory."""
        self.memory.write(address, data)

    def call_name(self, number: int) -> str | None:
        """The name of a system call, by the guest's number."""
        return self._native.call_name(number)

    def add_memory_file(self, dev: int, ino: int) -> None:
        """Says which file stands for /proc/self/mem (handlers/procmem.py)."""
        self._native.add_memory_file(dev, ino)

    # --- stops of the Rust loop ---

    def _set_trace(self) -> None:
        self.thread.trace = bool(self._hooks) or self.options.strace

    def _dispatch(self, stop: Stop) -> None:
        match stop:
            case ("syscall", str(handler), tuple(args)):
                self._finish(self._call_handler(handler, args))
            case ("review", int(number), str(kind), int(result)):
                self._finish(self._review(kind, number, result))
            case ("trace", int(number), tuple(args)):
                self._traced(number, args)
            case ("enosys", int(number)):
                self._unimplemented(number)
            case ("exit", int(status), bool()):
                self.exited = Exited(status & 0xFF)
            case ("killed", int(number)):
                self.exited = Exited(0, number)
            case ("interrupted",):
                pass
            case ("fault", _, _, _, bool(bus), _):
                self.exited = Exited(0, signal.SIGBUS if bus else signal.SIGSEGV)
            case ("undefined",):
                self.exited = Exited(0, signal.SIGILL)
            case ("breakpoint", _):
                self.exited = Exited(0, signal.SIGTRAP)
            case _:
                raise AssertionError(f"unknown stop {stop!r}")

    def _finish(self, result: int | None) -> None:
        if result is None:
            self.thread.restart_call()
        else:
            self.thread.finish_call(result)

    def _call_handler(self, name: str, args: Sequence[int]) -> int | None:
        """The handler's result, -errno, or None when the call is to be made again."""
        handler = self._handlers.get(name)
        if handler is None:
            handler = self._handlers[name] = _find_handler(name)
        return self._guarded(lambda ctx: handler(ctx, *args))

    def _guarded(self, function: Callable[[Context], int]) -> int | None:
        try:
            return function(Context(self, self.thread))
        except Restart:
            return None
        except OSError as error:
            return -(error.errno or errno.EIO)

    def _review(self, kind: str, number: int, result: int) -> int | None:
        from qusr.syscalls.handlers import procfs  # noqa: PLC0415

        _, args = self.thread.call_registers()
        return self._guarded(lambda ctx: procfs.review(ctx, kind, number, args, result))

    def _traced(self, number: int, args: tuple[int, ...]) -> None:
        name = self._native.call_name(number) or f"syscall_{number}"
        tracer = self._tracer() if self.options.strace else None
        if tracer is not None:
            tracer.enter(name, args)
        for hook in self._hooks:
            result = hook(self, name, args)
            if result is not None:
                self.thread.finish_call(result)
                break
        else:
            stop = self.thread.make_call(number, args)
            if stop is not None:
                self._dispatch(stop)
        if tracer is not None:
            if self.exited is None:
                tracer.leave(name, args, self.thread.reg(self.arch.registers.args[0]))
            else:
                tracer.gone(name)

    def _tracer(self) -> object:
        if self._strace is None:
            from qusr.syscalls.strace import Strace  # noqa: PLC0415

            self._strace = Strace(self)
        return self._strace

    def _unimplemented(self, number: int) -> None:
        if self.log is not None:
            name = self._native.call_name(number) or "unknown"
            self.log.unimp(f"system call {name} ({number}): not implemented, ENOSYS")
        self.thread.finish_call(-errno.ENOSYS)


def _find_handler(name: str) -> Callable[..., int]:
    """The function named "module:function" below qusr.syscalls.handlers."""
    from importlib import import_module  # noqa: PLC0415

    module, _, function = name.partition(":")
    handlers = import_module(f"qusr.syscalls.handlers.{module}")
    found: Callable[..., int] = getattr(handlers, function)
    return found


def thunk_table(target: Abi, store: loader.Store) -> bytes:
    """The compiled declarations of an ABI, from the cache if they are there."""
    key = _table_key(target)
    kept: bytes | None = store.get("thunks", key)
    if kept is not None:
        return kept
    from qusr.syscalls.table import compile_for  # noqa: PLC0415

    table = compile_for(target)
    store.put("thunks", key, table)
    return table


def _table_key(target: Abi) -> bytes:
    """Changes with the ABI and with every file that declarations come from."""
    folder = os.path.join(os.path.dirname(__file__), "syscalls")
    stamp = [target.name, _native.VERSION, sys.version]
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        if entry.name.endswith(".py"):
            info = entry.stat()
            stamp.append(f"{entry.name}:{info.st_mtime_ns}:{info.st_size}")
    return "\n".join(stamp).encode()


def _triplets(guest: str) -> tuple[str, ...]:
    """Where a guest's libraries may be, when no sysroot was asked for."""
    found = arch.by_name(guest)
    return () if found is None else found.triplets


def _environment(env: Mapping[str, str] | Sequence[bytes] | None) -> list[bytes]:
    if env is None:
        return [key + b"=" + value for key, value in os.environb.items()]
    if isinstance(env, (list, tuple)):
        return list(env)
    items = dict(env).items()  # type: ignore[arg-type]
    return [os.fsencode(key) + b"=" + os.fsencode(value) for key, value in items]
