"""`qusr.Process`: what `docs/python-api.md` shows. What the emulator itself needs of a process is
`qusr.process.Process`, which this one holds.
"""

from __future__ import annotations

import _thread
import errno
import os

from qusr import process as emulator
from qusr.embed import calls, program
from qusr.embed.hooks import Hook, Places, fault_address
from qusr.embed.registers import Names, wrapped
from qusr.embed.watch import Pause, Streams, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO, Any

    from qusr import _native
    from qusr.arch.base import Arch
    from qusr.loader import Sysroot
    from qusr.options import Exited, Options

    Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    Stream = int | IO[Any] | None

#: No system call has a higher number but for a few of one ABI's own.
_MANY_CALLS = 7000


class Process:
    """One guest process, loaded, standing before its first instruction.

    Args:
        argv: the program (a path) and its arguments, or the path alone.
        env: the guest's environment, exactly; None: this process's.
        guest: the guest ISA's name; None: whichever the program is for.
        options: how to run it.
        stdin, stdout, stderr: descriptors or files of the host that the guest has as its standard
            streams while it runs; None: this process's.

    Raises:
        qusr.LoadError: the program cannot be run; the message says why.
        qusr.UsageError: an option that cannot be.
    """

    __slots__ = (
        "_calls", "_faults", "_inner", "_names", "_pause", "_places", "_replaced", "_results",
        "_signals", "_streams", "_symbols",
    )  # fmt: skip

    def __init__(
        self,
        argv: Path | Sequence[Path],
        *,
        env: Mapping[str, str] | None = None,
        guest: str | None = None,
        options: Options | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
    ) -> None:
        words = [argv] if isinstance(argv, str | bytes | os.PathLike) else list(argv)
        if not words:
            raise ValueError("argv is empty: no program to run")
        files = (stdin, stdout, stderr)
        self._streams = {
            number: file if isinstance(file, int) else file.fileno()
            for number, file in enumerate(files)
            if file is not None
        }
        self._inner = emulator.Process(
            [os.fsencode(word) for word in words], env=env, guest=guest, options=options
        )
        self._places = Places(self._inner)
        self._names = Names(self._inner.arch)
        self._pause = Pause()
        self._inner.pause = self._pause.native
        self._replaced: dict[str, Callable[..., int]] = {}
        self._calls: list[Callable[..., Any]] = []
        self._results: list[Callable[..., Any]] = []
        self._signals: list[Callable[..., Any]] = []
        self._faults: list[Callable[..., Any]] = []
        self._symbols: dict[str, int] | None = None

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if name[:1] != "_" or name[:2] == "__"]

    def __repr__(self) -> str:
        name = os.path.basename(os.fsdecode(self.argv[0]))
        if self.exited is not None:
            return f"<qusr.Process {name} ({self.arch.name}): {self.exited!r}>"
        try:
            where = f"pc={self.pc:#x} sp={self.read_reg('sp'):#x}"
            next_one = "".join(self.disassemble(count=1)).partition("  ")[2]
        except (RuntimeError, OSError):
            return f"<qusr.Process {name} ({self.arch.name}): runs>"
        return (
            f"<qusr.Process {name} ({self.arch.name}): {where}; next {' '.join(next_one.split())}>"
        )

    # --- what was loaded ---

    @property
    def arch(self) -> Arch:
        """The guest's processor."""
        return self._inner.arch

    @property
    def argv(self) -> list[bytes]:
        """The guest's arguments."""
        return self._inner.argv

    @property
    def envp(self) -> list[bytes]:
        """Its environment: NAME=VALUE."""
        return self._inner.envp

    @property
    def auxv(self) -> Any:
        """Its auxiliary vector."""
        return self._inner.auxv

    @property
    def sysroot(self) -> Sysroot:
        """What stands for `/`."""
        return self._inner.sysroot

    @property
    def options(self) -> Options:
        """How it is run."""
        return self._inner.options

    @property
    def base(self) -> int:
        """How far beyond the addresses in its file the program is loaded; 0 unless it is a PIE."""
        return self._inner.image.bias

    @property
    def entry(self) -> int:
        """The program's own entry point; the dynamic linker runs before it."""
        return self._inner.image.entry

    @property
    def symbols(self) -> dict[str, int]:
        """Addresses of the program's functions and variables, by name."""
        if self._symbols is None:
            self._symbols = program.symbols(self._inner.exe, self._inner.image.bias)
        return self._symbols

    def address_of(self, name: str) -> int:
        """The address of a symbol as a pointer to it has it: of a Thumb function with bit 0.
        KeyError: the program has none of this name.
        """
        if name not in self.symbols:
            raise KeyError(f"{os.fsdecode(self.argv[0])} has no symbol {name!r}")
        return self.symbols[name]

    # --- running ---

    @property
    def exited(self) -> Exited | None:
        """How it ended; None while it lives."""
        return self._inner.exited

    def run(self, *, until: int | str | None = None, timeout: float | None = None) -> Exited | None:
        """Runs the guest to its end.

        Signals of Python's own (Ctrl-C, `signal.alarm`) reach their handlers meanwhile; when one
        raises, the guest stands between two instructions and can be run on. A system call that
        waits ends with EINTR then, and for `timeout` and :meth:`stop`, as for a signal of the
        guest's own.

        Args:
            until: an address, or a symbol: comes back before it is executed.
            timeout: seconds after which it comes back.

        Returns:
            None when it has not ended: because of `until`, `timeout` or :meth:`stop`.
        """
        address = self._address(until) if until is not None else None
        inner, pause = self._inner, self._pause
        before = pause.begin()
        try:
            with Streams(self._streams), Watch(pause, timeout):
                inner.main.set_trace()
                return self._places.run(address, lambda: pause.wanted)
        finally:
            pause.end(before)

    def stop(self) -> None:
        """Has :meth:`run` come back with None, before the next instruction. For hooks and other
        threads; without a run nothing happens.
        """
        self._pause.ask()

    def step(self) -> Exited | None:
        """Executes one guest instruction, with its system call if it is one."""
        with Streams(self._streams):
            return self._inner.step()

    def call(self, function: int | str, *arguments: int | bytes | str) -> int:
        """Calls a guest function as C code would, and gives what it returns, as an unsigned word.

        Args:
            function: its address, or its symbol.
            arguments: integers and addresses; bytes and text (with a NUL) are put on the guest's
                stack, and the function gets their address.

        Raises:
            RuntimeError: the guest ended meanwhile, or was stopped.
        """
        return calls.call(self, self._address(function), arguments)

    # --- registers and memory ---

    @property
    def pc(self) -> int:
        """The address of the next instruction. It may be set."""
        return int(self._thread.reg(self.arch.registers.pc))

    @pc.setter
    def pc(self, address: int) -> None:
        self.write_reg("pc", address)

    @property
    def registers(self) -> dict[str, int]:
        """All registers by name, in gdb's order."""
        numbers = self.arch.registers.numbers
        return {name: self._thread.reg(numbers[name]) for name in self.arch.registers.gdb}

    def read_reg(self, name: str) -> int:
        """A register: "x0", "w0", "lr", "fp", "sp", "pc", "r7", "v3"… KeyError: there is none."""
        number, bits = self._names.find(name)
        return self._thread.reg(number) & (1 << bits) - 1

    def write_reg(self, name: str, value: int) -> None:
        """Sets a register; a negative value is taken as its complement. One that is a part of
        another ("w0") clears the rest, as instructions do.

        Raises:
            KeyError: there is no such register.
            OverflowError: the value has more bits than it.
        """
        number, bits = self._names.find(name)
        self._thread.set_reg(number, wrapped(value, bits))

    def read(self, address: int, size: int) -> bytes:
        """Guest memory; OSError (EFAULT) where there is none."""
        return self.memory.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Stores into guest memory; OSError (EFAULT) where that is not possible."""
        self.memory.write(address, data)

    def read_string(self, address: int) -> bytes:
        """The C string at `address`, without its NUL."""
        return self.memory.read_cstr(address)

    @property
    def memory(self) -> _native.AddressSpace:
        """The address space."""
        return self._inner.memory

    def maps(self) -> str:
        """The guest's mappings, as its /proc/self/maps shows them."""
        root = self.sysroot.root
        return os.fsdecode(self.memory.maps_text(None if root is None else os.fsencode(root)))

    def disassemble(self, address: int | str | None = None, count: int = 8) -> list[str]:
        """`count` instructions from `address` on, or from the next one; as capstone writes them."""
        from qusr.debug.blocks import disassembler

        arch, variant = self.arch, self._inner.image.plan.variant
        name = arch.registers.status_name
        mode = arch.mode(self.read_reg(name)) if name else ""
        at = self.pc if address is None else self._address(address)
        code = self._readable(at, 16 * count)
        lines = disassembler(*arch.capstone(variant, mode))(at, code)
        return [line for _, line in zip(range(count), lines, strict=False)]

    # --- hooks ---

    def hook_syscalls(self, hook: Callable[[Process, str, tuple[int, ...]], int | None]) -> Hook:
        """Has `hook(process, name, args)` called before each system call.

        `args` are the raw argument registers. An int that the hook returns becomes the
        call's result (negative: -errno) and the call is not made; None lets it be made.
        """
        if not self._calls:
            self._inner.hooks.append(self._call)
        return self._hook(self._calls, hook)

    add_syscall_hook = hook_syscalls

    def hook_syscall_results(
        self, hook: Callable[[Process, str, tuple[int, ...], int], object]
    ) -> Hook:
        """Has `hook(process, name, args, result)` called behind each system call that comes back;
        `result` is the raw result register.
        """
        if not self._inner.result_hooks:
            self._inner.result_hooks.append(self._result)
        return self._hook(self._results, hook)

    def set_syscall(self, name: str, function: Callable[..., int]) -> None:
        """Has `function(process, *args)` do the system call `name` ("openat"…).

        `args` are the raw argument registers; the result is the call's (negative: -errno).
        An OSError that it raises is its errno. ValueError: the guest has no such call.
        """
        if name not in {self._inner.call_name(number) for number in range(_MANY_CALLS)}:
            raise ValueError(f"{self.arch.name} has no system call {name!r}")
        if not self._replaced:
            self._inner.hooks.append(self._replace)
        self._replaced[name] = function

    def hook_address(self, address: int | str, hook: Callable[[Process], object]) -> Hook:
        """Has `hook(process)` called each time before the instruction at an address or symbol.

        It may change registers and memory, `pc` too. OSError (EFAULT): nothing is there.
        """
        at = self._address(address)
        self.memory.peek(at, 1)
        return self._places.at(at, lambda: hook(self))

    def hook_blocks(self, hook: Callable[[Process, int, int], object]) -> Hook:
        """Has `hook(process, address, size)` called before each block of code: what is executed
        up to a jump, a call or a system call. An instruction with a hook of its
        own is a block by itself.
        """
        return self._places.each_block(lambda pc, size: hook(self, pc, size))

    def hook_reads(
        self, start: int | str, size: int, hook: Callable[[Process, int, int, bytes], object]
    ) -> Hook:
        """Has `hook(process, pc, address, data)` called before each load from `size` bytes
        of memory by the instruction at `pc`; `address` and `data` are all of what it loads.

        What a system call reads there is told behind it, its first byte. ValueError: too long.
        """
        return self._places.accesses(
            self._address(start), size, lambda *told: hook(self, *told), writes=False
        )

    def hook_writes(
        self,
        start: int | str,
        size: int,
        hook: Callable[[Process, int, int, bytes, bytes], object],
    ) -> Hook:
        """Has `hook(process, pc, address, before, after)` called behind each store to `size` bytes
        of memory by the instruction at `pc`; `before` and `after` are what
        was, and is, at `address`.

        Of a system call those bytes are told that it has changed; the `pc` is behind it.
        """
        return self._places.accesses(
            self._address(start), size, lambda *told: hook(self, *told), writes=True
        )

    def hook_code(self, hook: Callable[[Process, int], object]) -> Hook:
        """Has `hook(process, pc)` called before each instruction of the first thread. As long
        as there is such a hook one instruction is executed at a time, and no blocks are told.
        """
        return Hook(self._places.everywhere, lambda pc: hook(self, pc))

    def hook_signals(self, hook: Callable[[Process, int], object]) -> Hook:
        """Has `hook(process, number)` called when a signal is delivered to the guest: its handler
        runs next, or it dies.
        """
        self._watch_signals()
        return self._hook(self._signals, hook)

    def hook_faults(self, hook: Callable[[Process, int, int], object]) -> Hook:
        """The same for signals that an instruction causes: `hook(process, number, address)` with
        si_addr.
        """
        self._watch_signals()
        return self._hook(self._faults, hook)

    # --- what hooks need ---

    @property
    def _thread(self) -> _native.Thread:
        """The guest thread that hooks are called for; elsewhere the first one."""
        inner = self._inner
        return inner.threads.get(_thread.get_native_id(), inner.main).native

    def _address(self, where: int | str) -> int:
        return self.address_of(where) if isinstance(where, str) else where

    def _readable(self, address: int, size: int) -> bytes:
        while True:
            try:
                return self.memory.peek(address, size)
            except OSError:
                if size <= 1:
                    raise
                size //= 2

    def _hook(self, hooks: list[Callable[..., Any]], hook: Callable[..., Any]) -> Hook:
        return Hook(hooks, lambda *arguments: hook(self, *arguments))

    def _call(self, _: object, name: str, args: tuple[int, ...]) -> int | None:
        for hook in tuple(self._calls):
            result = hook(name, args)
            if result is not None:
                return int(result)
        return None

    def _result(self, name: str, args: tuple[int, ...], result: int) -> None:
        for hook in tuple(self._results):
            hook(name, args, result)

    def _replace(self, _: object, name: str, args: tuple[int, ...]) -> int | None:
        function = self._replaced.get(name)
        if function is None:
            return None
        try:
            return function(self, *args)
        except OSError as error:
            return -(error.errno or errno.EIO)

    def _watch_signals(self) -> None:
        if not self._inner.signal_hooks:
            self._inner.signal_hooks.append(self._signalled)

    def _signalled(self, number: int, info: bytes) -> None:
        for hook in tuple(self._signals):
            hook(number)
        abi = self._inner.abi
        address = fault_address(number, info, big_endian=abi.big_endian, word=abi.word)
        if address is not None:
            for hook in tuple(self._faults):
                hook(number, address)
