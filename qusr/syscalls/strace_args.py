"""The arguments of one system call, as strace(1) writes them."""

from __future__ import annotations

import errno

from qusr.syscalls import decl, strace_clone
from qusr.syscalls import strace_values as values
from qusr.syscalls.common import OPEN
from qusr.syscalls.compiler import CallLeaf
from qusr.syscalls.futexes import CLOCK_REALTIME, OPERATIONS, PRIVATE
from qusr.syscalls.strace_values import ARRAY_LIMIT, STRING_LIMIT, pointer, quoted, sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qusr.running import Process

AT_FDCWD = -100
#: What is INOUT only since the kernel does not always store it.
_KEPT = {("wait4", "wstatus"), ("wait4", "rusage"), ("waitpid", "wstatus")}
_FUTEX_WAKE_IGNORES = ("timeout", "uaddr2", "val3")


def forwarded(
    process: Process,
    name: str,
    call: decl.Syscall | None,
    args: Sequence[int],
    calls: Mapping[str, decl.Syscall],
) -> tuple[str, decl.Syscall | None, Sequence[int]]:
    """The call that this one is in another form, as strace(1) shows it; itself, where it is none
    or its arguments cannot be read.
    """
    forward = None if call is None else _forward_of(call, args)
    if forward is None:
        return name, call, args
    target = forward.target(calls)
    found = []
    for source in forward.sources:
        match source:
            case decl.Word():
                at = args[source.pointer] + source.index * process.abi.word
                try:
                    data = process.memory.read(at, process.abi.word)
                except OSError:
                    return name, call, args
                found.append(int.from_bytes(data, process.abi.byte_order))
            case decl.Masked():
                found.append(args[source.arg] & source.mask)
            case decl.Fixed():
                found.append(source.value)
            case _:
                found.append(args[source])
    missing = max(0, len(args) - len(found))
    return target.name, target, [*found, *[0] * missing]


def _forward_of(call: decl.Syscall, args: Sequence[int]) -> decl.Forward | None:
    if call.forward is not None or not call.args:
        return call.forward
    first = call.args[0]
    if isinstance(first, decl.Switch):
        for key, case in first.cases:
            if key == args[0] & first.mask:
                return case.forward
    return None


class Printer:
    """The arguments of one call."""

    def __init__(
        self, process: Process, call: decl.Syscall | None, registers: Sequence[int]
    ) -> None:
        self.abi = process.abi
        self.memory = process.memory
        mask = (1 << self.abi.register * 8) - 1
        self.registers = [value & mask for value in registers]
        self.name = "" if call is None else call.name
        self._clone = strace_clone.printer(self.name, self.abi, self.registers, self._read)
        self.leaf = CallLeaf()
        self.ret: decl.Ret | type[decl.Ret] | None = None
        self.case_names: dict[str, str] = {}
        self.result: int | None = None
        self._printed = 0
        self._separator = ""
        self._half = False
        """Whether an argument was printed that the kernel changes."""
        if call is None:
            for index in range(len(registers)):
                self.leaf.add(decl.Hex(f"arg{index}"), self.abi)
        else:
            self.ret = call.ret
            self._resolve(call.args)

    def _resolve(self, args: Sequence[decl.Arg]) -> None:
        """Collects the arguments, through the switches that this call's values take."""
        for arg in args:
            self.leaf.add(arg, self.abi)
            if not isinstance(arg, decl.Switch):
                continue
            value = self.registers[self.leaf.slots[arg.of]] & arg.mask
            chosen = arg.default
            for key, case in arg.cases:
                if decl.constant(key, self.abi) & arg.mask == value:
                    chosen = case
                    if case.name:
                        self.case_names[arg.name] = case.name
                    break
            if chosen.ret is not None:
                self.ret = chosen.ret
            self._resolve(chosen.args)

    # --- in two parts ---

    def before(self) -> str:
        """The arguments up to the first one that the kernel stores into."""
        if self._clone is not None:
            return self._clone.before()
        text = ""
        for arg in self.leaf.args:
            direction = getattr(arg, "direction", decl.IN)
            null = isinstance(arg, decl.Pointer) and not self._value(arg)
            later = direction & (decl.OUT | decl.INTERRUPTED)
            if not null and (later or isinstance(arg, decl.SockaddrOut)):
                text += self._separator
                self._separator = ""
                kept = (self.name, arg.name) in _KEPT
                self._half = direction & decl.INOUT == decl.INOUT and not kept
                if self._half:
                    text += self._text(arg)
                break
            self._printed += 1
            shown = self._text(arg)
            if shown:
                text += self._separator + shown
                self._separator = ", "
        return text

    def rest(self, result: int) -> str:
        """The other arguments, when the call has returned."""
        self.result = result
        if self._clone is not None:
            return self._clone.after(result)
        text = ""
        for arg in self.leaf.args[self._printed :]:
            shown = self._text(arg)
            if self._half:
                # Of those behind it, the values before the call are gone by now.
                self._half = False
                text += f" => {shown}" if result >= 0 else ""
            elif shown:
                text += self._separator + shown
            self._separator = ", "
        return text

    # --- values ---

    def _value(self, arg: decl.Arg) -> int:
        slot = self.leaf.slots[arg.name]
        low = self.registers[slot] if slot < len(self.registers) else 0
        high = self.leaf.pair_high.get(arg.name)
        if high is not None and self.abi.word == 4 and high < len(self.registers):
            return low & 0xFFFFFFFF | (self.registers[high] & 0xFFFFFFFF) << 32
        return low

    def _named(self, name: str) -> int:
        """The value of the argument called `name`; `*name`: what it points to."""
        if name.startswith("*"):
            return self._number(self._slot_value(name[1:]), 4)
        return self._slot_value(name)

    def _slot_value(self, name: str) -> int:
        slot = self.leaf.slots.get(name, len(self.registers))
        return self.registers[slot] if slot < len(self.registers) else 0

    def _signed(self, arg: decl.Scalar, value: int) -> int:
        bits = arg.bits or self.abi.register * 8
        value &= (1 << bits) - 1
        if arg.signed and value >> bits - 1:
            value -= 1 << bits
        return value

    def _read(self, address: int, size: int) -> bytes | None:
        try:
            return self.memory.read(address, size)
        except (OSError, OverflowError):
            return None

    def _number(self, address: int, size: int) -> int:
        """An unsigned number of the guest's; 0 where nothing can be read."""
        data = self._read(address, size) or b""
        return int.from_bytes(data, self.abi.byte_order)

    def _text(self, arg: decl.Arg) -> str:
        """The argument, or nothing when the kernel does not look at it."""
        if arg.name.startswith("_"):
            return ""
        value = self._value(arg)
        if arg.name in _FUTEX_WAKE_IGNORES and self.name.startswith("futex"):
            operation = self._slot_value("op") & ~(PRIVATE | CLOCK_REALTIME)
            if OPERATIONS.get(operation) == "FUTEX_WAKE":
                return ""
        if isinstance(arg, decl.Pointer):
            return self._pointer(arg, value) if value else "NULL"
        if isinstance(arg, decl.Scalar):
            return self._scalar(arg, self._signed(arg, value))
        return str(value - (1 << 64) if value >> 63 else value)

    def _scalar(self, arg: decl.Scalar, value: int) -> str:
        match arg:
            case decl.Switch():
                return self._switch(arg, value)
            case decl.Flags():
                plain = arg.table is OPEN and not self.name.startswith(("open", "fcntl", "mq_open"))
                return values.flags(arg.table, value, self.abi, fields=not plain)
            case decl.Enum():
                names = decl.numbered(arg.names, arg.family, self.abi)
                return values.enum(names, self._signed_32(value) if arg.names else value)
            case decl.Mode() if self.name == "umask":
                return f"0{value:02o}"
            case decl.Mode():
                return "" if self._no_mode() else values.mode(value)
            case decl.DirFd() if value == AT_FDCWD:
                return "AT_FDCWD"
            case decl.Signal():
                return values.signal_name(value, self.abi)
            case decl.Address():
                return pointer(value)
            case decl.Hex():
                return f"{value:#x}"
            case decl.Uid() if value == 0xFFFFFFFF:
                return "-1"
        return str(value)

    def _signed_32(self, value: int) -> int:
        return value - (1 << 32) if value >> 31 == 1 else value

    def _no_mode(self) -> bool:
        """open's mode counts only when a file is made (open(2))."""
        for arg in self.leaf.args:
            if isinstance(arg, decl.Flags) and "O_CREAT" in arg.table.bits:
                bits = arg.table.for_abi(self.abi)
                made = self._slot_value(arg.name)
                return not (made & bits["O_CREAT"] or made & bits["O_TMPFILE"] == bits["O_TMPFILE"])
        return False

    def _switch(self, arg: decl.Switch, value: int) -> str:
        if arg.names is OPERATIONS:
            operation = value & ~(PRIVATE | CLOCK_REALTIME)
            text = values.enum(OPERATIONS, operation)
            text += "_PRIVATE" if value & PRIVATE else ""
            return text + ("|FUTEX_CLOCK_REALTIME" if value & CLOCK_REALTIME else "")
        unsigned = value & 0xFFFFFFFF
        names = decl.numbered(arg.names, arg.family, self.abi)
        name = self.case_names.get(arg.name) or names.get(value) or names.get(unsigned)
        if name:
            return name
        return f"{unsigned:#x}" if unsigned > 0xFFFF else str(value)

    def _pointer(self, arg: decl.Pointer, address: int) -> str:
        match arg:
            case decl.Path():
                return self._string(address, None)
            case decl.Str():
                return self._string(address, STRING_LIMIT)
            case decl.Raw() if arg.name == "argv" and self.name.startswith("execve"):
                return self._strings(address)
            case decl.Raw() if arg.name == "envp" and self.name.startswith("execve"):
                count = len(self._vector(address))
                return f"{address:#x} /* {count} var{'' if count == 1 else 's'} */"
            case decl.Raw():
                return pointer(address)
            case decl.SockaddrIn():
                data = self._read(address, min(self._named(arg.size), 128))
                return pointer(address) if data is None else values.sockaddr(data, self.abi)
            case decl.SockaddrOut():
                return self._sockaddr_out(arg, address)
        direction = getattr(arg, "direction", decl.IN)
        if direction & decl.INTERRUPTED and self.result is not None:
            if self.result != -errno.EINTR and not direction & decl.OUT:
                return pointer(address)
        elif self.result is not None and self.result < 0 and direction & decl.OUT:
            return pointer(address)
        text = self._data(arg, address)
        return pointer(address) if text is None else text

    def _data(self, arg: decl.Pointer, address: int) -> str | None:
        match arg:
            case decl.Buf():
                return self._buffer(arg, address)
            case decl.Ptr():
                data = self._read(address, arg.ctype.size(self.abi))
                if data is None:
                    return None
                if arg.name == "wstatus":
                    return f"[{values.wait_status(self._number(address, 4), self.abi)}]"
                text = values.ctype(arg.ctype, data, self.abi)
                return text if text.startswith(("{", "[", "~")) else f"[{text}]"
            case decl.Array():
                return self._array(arg, address)
            case decl.Bits():
                return self._bits(arg, address)
            case decl.Iovec():
                count = self._named(arg.count)
                return self._iovec(address, count, out=bool(arg.direction & decl.OUT))
            case decl.Msghdr():
                return self._msghdr(address, out=bool(arg.direction & decl.OUT))
            case decl.Mmsghdr():
                return self._mmsghdr(arg, address)
        return None

    # --- memory ---

    def _string(self, address: int, limit: int | None) -> str:
        try:
            return quoted(self.memory.read_cstr(address, 4096), limit)
        except (OSError, OverflowError):
            return pointer(address)

    def _word(self, address: int) -> int:
        return self._number(address, self.abi.word)

    def _vector(self, address: int) -> list[int]:
        """The pointers before a null one."""
        found: list[int] = []
        while (word := self._word(address)) and len(found) < 100_000:
            found.append(word)
            address += self.abi.word
        return found

    def _strings(self, address: int) -> str:
        return sequence([self._string(word, STRING_LIMIT) for word in self._vector(address)])

    def _length(self, size: int | str) -> int:
        """How many bytes or elements; of what the kernel stores, never more than it did."""
        if isinstance(size, int):
            return size
        if size == decl.RET:
            return max(self.result or 0, 0)
        return self._named(size)

    def _buffer(self, arg: decl.Buf, address: int) -> str | None:
        size = self._length(arg.size)
        if arg.direction & decl.OUT and self.result is not None:
            if isinstance(arg.size, int):
                return self._string(address, STRING_LIMIT)
            if not arg.size.startswith("*"):
                size = min(size, self.result)
        data = self._read(address, min(size, STRING_LIMIT + 1))
        return None if data is None else quoted(data, STRING_LIMIT)

    def _array(self, arg: decl.Array, address: int) -> str | None:
        count = self._length(arg.count)
        if self.result is not None and arg.filled is not None:
            count = min(count, self._length(arg.filled))
        size = arg.ctype.size(self.abi)
        data = self._read(address, min(count, ARRAY_LIMIT + 1) * size)
        if data is None:
            return None
        parts = [data[at : at + size] for at in range(0, len(data), size)] if size else []
        return sequence([values.ctype(arg.ctype, part, self.abi) for part in parts])

    def _bits(self, arg: decl.Bits, address: int) -> str | None:
        size = self._length(arg.size)
        count = size if arg.in_bits else size * 8
        word = self.abi.word * 8
        data = self._read(address, min((count + word - 1) // word * word // 8, 1024))
        if data is None:
            return None
        if isinstance(arg, decl.Sigset):
            return values.sigset(data, self.abi)
        numbers = [bit for bit in values.bit_numbers(data, self.abi) if bit < count]
        return sequence([str(bit) for bit in numbers], between=" ")

    def _iovec(self, address: int, count: int, *, out: bool, total: int | None = None) -> str:
        left = self.result if total is None else total
        shown = []
        for index in range(min(count, ARRAY_LIMIT + 1)):
            at = address + index * 2 * self.abi.word
            base, length = self._word(at), self._word(at + self.abi.word)
            size = length
            if out and left is not None:
                size = max(min(length, left), 0)
                left -= size
            data = self._read(base, min(size, STRING_LIMIT + 1)) if base else b""
            text = pointer(base) if data is None else quoted(data, STRING_LIMIT)
            if not base:
                text = "NULL"
            shown.append(f"{{iov_base={text}, iov_len={length}}}")
        return sequence(shown)

    def _sockaddr_out(self, arg: decl.SockaddrOut, address: int) -> str:
        if self.result is None or self.result < 0:
            return pointer(address)
        data = self._read(address, min(self._named("*" + arg.size.removeprefix("*")), 128))
        return pointer(address) if data is None else values.sockaddr(data, self.abi)

    def _msghdr(self, address: int, *, out: bool, total: int | None = None) -> str:
        """struct user_msghdr (include/linux/socket.h)."""
        word = self.abi.word
        if self._read(address, 7 * word) is None:
            return pointer(address)
        name, iov = self._word(address), self._word(address + 2 * word)
        namelen = self._number(address + word, 4)
        flags = self._number(address + 6 * word, 4)
        count = self._word(address + 3 * word)
        control, control_size = self._word(address + 4 * word), self._word(address + 5 * word)
        peer = "NULL"
        if name:
            data = self._read(name, min(namelen, 128))
            peer = pointer(name) if data is None else values.sockaddr(data, self.abi)
        vectors = self._iovec(iov, count, out=out, total=total) if iov else "NULL"
        text = f"{{msg_name={peer}, msg_namelen={namelen}, msg_iov={vectors}, msg_iovlen={count}"
        if control:
            text += f", msg_control={pointer(control)}"
        text += f", msg_controllen={control_size}"
        from qusr.syscalls.sockets import MSG

        return text + f", msg_flags={values.flags(MSG, flags, self.abi)}}}"

    def _mmsghdr(self, arg: decl.Mmsghdr, address: int) -> str:
        out = bool(arg.direction & decl.OUT)
        count = self._named(arg.count)
        if self.result is not None:
            count = min(count, max(self.result, 0))
        step = 8 * self.abi.word
        shown = []
        for index in range(min(count, ARRAY_LIMIT + 1)):
            at = address + index * step
            length = self._number(at + 7 * self.abi.word, 4)
            header = self._msghdr(at, out=out, total=length if self.result is not None else None)
            tail = f", msg_len={length}" if self.result is not None else ""
            shown.append(f"{{msg_hdr={header}{tail}}}")
        return sequence(shown)
