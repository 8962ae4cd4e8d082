"""clone and clone3 as strace(1) writes them: only what their flags make the kernel look at."""

from __future__ import annotations

from qusr.syscalls import decl, process
from qusr.syscalls import strace_values as values
from qusr.syscalls.context import unpack
from qusr.syscalls.strace_values import pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qusr.arch.abi import Abi

    Read = Callable[[int, int], bytes | None]

_CSIGNAL = 0xFF
_PIDFD, _SETTLS, _PARENT_SETTID = 0x1000, 0x80000, 0x100000
_CHILD_TID = 0x200000 | 0x1000000
"""CLONE_CHILD_CLEARTID and CLONE_CHILD_SETTID."""
_INTO_CGROUP = 0x200000000
_FIRST_SIZE = 64

_FLAGS3 = decl.FlagTable(
    {**process.CLONE.bits, "CLONE_CLEAR_SIGHAND": 0x100000000, "CLONE_INTO_CGROUP": _INTO_CGROUP}
)


class Clone:
    """One call, from its argument registers."""

    def __init__(self, abi: Abi, registers: Sequence[int], read: Read) -> None:
        self.abi = abi
        self.registers = registers
        self.read = read

    def before(self) -> str:
        """What is known before the call is made."""
        flags, stack = self.registers[:2]
        if "backwards2" in self.abi.families:
            flags, stack = stack, flags
        signal = flags & _CSIGNAL
        names = []
        if flags & 0xFFFFFFFF & ~_CSIGNAL:
            names.append(values.flags(process.CLONE, flags & 0xFFFFFFFF & ~_CSIGNAL, self.abi))
        if signal:
            names.append(values.signal_name(signal, self.abi))
        return f"child_stack={pointer(stack)}, flags={'|'.join(names) or '0'}"

    def after(self, result: int) -> str:
        """What follows. arm and AArch64 have the thread pointer before the child's tid."""
        flags, _, parent_tid, tls, child_tid = self.registers[:5]
        if "backwards2" in self.abi.families:
            _, flags, parent_tid, child_tid, tls = self.registers[:5]
        elif "x64" in self.abi.families:
            tls, child_tid = child_tid, tls
        text = ""
        if flags & (_PARENT_SETTID | _PIDFD):
            text += f", parent_tid={self._number(parent_tid, result)}"
        if flags & _SETTLS:
            text += f", tls={pointer(tls)}"
        if flags & _CHILD_TID:
            text += f", child_tidptr={pointer(child_tid)}"
        return text

    def _number(self, address: int, result: int) -> str:
        """What the kernel stored there."""
        data = self.read(address, 4) if result >= 0 else None
        if data is None:
            return pointer(address)
        order = self.abi.byte_order
        return f"[{int.from_bytes(data, order)}]"


class Clone3(Clone):
    """clone3, whose arguments are in a struct."""

    def __init__(self, abi: Abi, registers: Sequence[int], read: Read) -> None:
        super().__init__(abi, registers, read)
        self.address, self.size = registers[:2]
        known = process.CLONE_ARGS.size(abi)
        data = None
        if self.size >= _FIRST_SIZE:
            data = read(self.address, min(self.size, known))
        self.args: dict[str, int] | None = None
        if data is not None:
            self.args = unpack(process.CLONE_ARGS, data.ljust(known, b"\0"), abi)

    def before(self) -> str:
        """The struct as it is given."""
        args = self.args
        if args is None:
            return f"{pointer(self.address)}, {self.size}"
        flags = args["flags"]
        fields = [f"flags={values.flags(_FLAGS3, flags, self.abi)}"]
        for wanted, name in (
            (_PIDFD, "pidfd"),
            (_CHILD_TID, "child_tid"),
            (_PARENT_SETTID, "parent_tid"),
        ):
            if flags & wanted:
                fields.append(f"{name}={pointer(args[name])}")
        signal = args["exit_signal"]
        fields.append(f"exit_signal={values.signal_name(signal, self.abi) if signal else 0}")
        fields.append(f"stack={pointer(args['stack'])}")
        fields.append(
            f"stack_size={args['stack_size']:#x}" if args["stack_size"] else "stack_size=0"
        )
        if flags & _SETTLS:
            fields.append(f"tls={pointer(args['tls'])}")
        if args["set_tid"] or args["set_tid_size"]:
            fields.append(f"set_tid={self._tids(args)}, set_tid_size={args['set_tid_size']}")
        if flags & _INTO_CGROUP:
            fields.append(f"cgroup={args['cgroup']}")
        return f"{{{', '.join(fields)}}}"

    def _tids(self, args: dict[str, int]) -> str:
        count = min(args["set_tid_size"], 32)
        data = self.read(args["set_tid"], 4 * count)
        if data is None:
            return pointer(args["set_tid"])
        order = self.abi.byte_order
        numbers = [data[at : at + 4] for at in range(0, len(data), 4)]
        return f"[{', '.join(str(int.from_bytes(item, order)) for item in numbers)}]"

    def after(self, result: int) -> str:
        """What the kernel stored, and the struct's size."""
        if self.args is None:
            return ""
        fields = [
            f"{name}={self._number(self.args[name], result)}"
            for wanted, name in ((_PIDFD, "pidfd"), (_PARENT_SETTID, "parent_tid"))
            if self.args["flags"] & wanted and result >= 0
        ]
        stored = f" => {{{', '.join(fields)}}}" if fields else ""
        return f"{stored}, {self.size}"


def printer(name: str, abi: Abi, registers: Sequence[int], read: Read) -> Clone | None:
    """What prints the call `name`, if it is one of these."""
    kind = {"clone": Clone, "clone3": Clone3}.get(name)
    return None if kind is None else kind(abi, registers, read)
