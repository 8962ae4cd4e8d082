"""-d in_asm, exec, cpu, page: what is written when a guest starts and before its blocks."""

from __future__ import annotations

import os

from qusr import installed
from qusr.debug.log import BLOCK_ITEMS, NATIVE_ONLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qusr import _native
    from qusr.debug.log import Log
    from qusr.running import Process


class BlockLog:
    """Writes what a log wants to know of a process's blocks."""

    def __init__(self, process: Process, log: Log) -> None:
        self.process = process
        self.log = log
        self.arch = process.arch
        self.variant = ""
        self._disassemble: dict[str, Callable[[int, bytes], Iterator[str]]] = {}
        self._met: set[tuple[int, int]] = set()
        self._shown = True
        registers = self.arch.registers
        self.names = [name for name in registers.gdb if registers.bits.get(name, 0) <= 32]
        if "cpu" in log.items and "fpu" in log.items:
            self.names = list(registers.gdb)
        if "cpu" not in log.items:
            self.names = [registers.status_name] if registers.status_name else []

    def watch(self, native: _native.Thread, variant: str, *, own_logs: bool) -> None:
        """Has the blocks of the thread, whose program is of this variant, written.

        `own_logs`: its core tells :meth:`native`.
        """
        self.variant = variant
        items = self.log.items
        numbers = [self.arch.registers.numbers[name] for name in self.names]
        if own_logs:
            if "cpu" in items:
                native.watch_blocks(self.before_native, numbers, False, self.log.ranges)
            return
        if not items.isdisjoint(BLOCK_ITEMS):
            once = "exec" not in items and "cpu" not in items
            native.watch_blocks(self.block, numbers, once, self.log.ranges)
        missing = [item for item in NATIVE_ONLY if item in items]
        if missing:
            why = "not known of the unicorn core's translations; --core native shows them"
            self.log.write(f"-d {','.join(missing)}: {why}\n")

    def before_native(self, pc: int, _size: int, values: list[int]) -> None:
        """The registers before a block of the native core, which logs all else by itself."""
        address, _ = self.arch.located(pc)
        self.log.write(self.registers(address, dict(zip(self.names, values, strict=True))))

    def block(self, pc: int, size: int, values: list[int]) -> None:
        """Before the block at `pc`, `size` bytes long."""
        items = self.log.items
        registers = dict(zip(self.names, values, strict=True))
        mode = self.arch.mode(registers.get(self.arch.registers.status_name, 0))
        text = ""
        if "in_asm" in items and (pc, size) not in self._met:
            self._met.add((pc, size))
            text += self.assembly(pc, size, mode)
        if "exec" in items:
            text += self.trace(pc)
        if "cpu" in items:
            text += self.registers(pc, registers)
        self.log.write(text)

    def trace(self, pc: int) -> str:
        """The line of `exec`."""
        return f"Trace {os.getpid()}: [{pc:0{self.arch.register_bits // 4}x}]\n"

    def registers(self, pc: int, registers: dict[str, int]) -> str:
        """All of them, four in a line."""
        registers = {**registers, "pc": pc}
        widths = self.arch.registers.bits
        lines: list[str] = []
        line = ""
        for name, value in registers.items():
            width = widths.get(name, self.arch.register_bits) // 4
            item = f"{name.upper():>4}={value:0{max(width, 1)}x}"
            if len(line) + len(item) > 79:
                lines.append(line)
                line = ""
            line += (" " if line else "") + item
        lines.append(line)
        status = registers.get(self.arch.registers.status_name, 0)
        flags = "".join(name if status >> bit & 1 else "-" for bit, name in self.arch.flags)
        return "\n".join(lines) + f" {flags}\n"

    def assembly(self, pc: int, size: int, mode: str) -> str:
        """The guest's instructions from `pc` on."""
        try:
            code = self.process.memory.peek(pc, size)
        except OSError:
            return f"----------------\nIN: {pc:#x}: not readable\n"
        lines = "".join(f"{line}\n" for line in self._disassembler(mode)(pc, code))
        return f"----------------\nIN: {f'({mode})' if mode else ''}\n{lines}\n"

    def _disassembler(self, mode: str) -> Callable[[int, bytes], Iterator[str]]:
        found = self._disassemble.get(mode)
        if found is None:
            names = self.arch.capstone(self.variant, mode)
            found = self._disassemble[mode] = disassembler(*names)
        return found

    def native(self, item: str, text: str) -> None:
        """What the native core has to say: `text` of a log item."""
        items = self.log.items
        if item == "in_asm":
            first, _, end = text.removeprefix("IN:").strip().partition("-")
            start, mode = self.arch.located(int(first, 16))
            self._shown = self.log.in_range(start)
            if self._shown and "in_asm" in items:
                size = self.arch.located(int(end, 16))[0] - start
                self.log.write(self.assembly(start, size, mode))
        elif item == "exec":
            if "exec" not in items:
                return
            address, _ = self.arch.located(int(text.strip(), 16))
            if self.log.in_range(address):
                self.log.write(self.trace(address))
        elif item == "unimp":
            self.log.write(text)
        elif self._shown:
            shown = host_assembly(text) if item == "out_asm" else text
            self.log.write(f"{'OUT' if item == 'out_asm' else 'OP'}:\n{shown}\n")


def disassembler(family: str, modes: Sequence[str]) -> Callable[[int, bytes], Iterator[str]]:
    """A function (address, bytes) to lines, by capstone's names (`Arch.capstone`)."""
    try:
        import capstone
    except ImportError:
        has_packages = installed.FOLDER is not None
        why = "pip install capstone" if has_packages else "not in this executable"
        return lambda address, code: iter(
            [f"0x{address:08x}:  {code.hex()} (no disassembly: {why})"]
        )
    mode = 0
    for name in modes:
        mode |= getattr(capstone, "CS_" + name)
    engine = capstone.Cs(getattr(capstone, "CS_" + family), mode)
    big_endian = "MODE_BIG_ENDIAN" in modes
    # What it does not know is shown as data.
    engine.skipdata = True

    def lines(address: int, code: bytes) -> Iterator[str]:
        for at, size, name, operands in engine.disasm_lite(code, address):
            word = code[at - address : at - address + size]
            shown = word if big_endian else word[::-1]
            yield f"0x{at:08x}:  {shown.hex():<8}  {name:<8} {operands}".rstrip()

    return lines


def host_assembly(text: str) -> str:
    """The native core's `0x4000dc: [48, c7, …]`, disassembled; offsets count from the block."""
    code = bytes(int(byte, 16) for byte in text[text.index("[") + 1 : text.index("]")].split(","))
    try:
        import capstone
    except ImportError:
        return text
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.skipdata = True
    return "".join(
        f"+0x{at:04x}:  {code[at : at + size].hex():<20}  {name} {operands}".rstrip() + "\n"
        for at, size, name, operands in engine.disasm_lite(code, 0)
    )


def memory_map(process: Process) -> str:
    """-d page: the mappings when the guest starts, and what the loader made of the program."""
    digits = process.arch.word_bits // 4
    lines = [f"guest_base  {process.memory.base:#x}", "page layout after the load"]
    lines.append(f"{'start':<{digits}} {'end':<{digits}} {'size':<{digits}} prot")
    for start, end, prot, *_ in process.memory.regions():
        rights = "".join(c if prot & bit else "-" for bit, c in ((1, "r"), (2, "w"), (4, "x")))
        size = end - start
        lines.append(f"{start:0{digits}x}-{end:0{digits}x} {size:0{digits}x} {rights}")
    code, data = process.image.code_range(), process.image.data_range()
    values = {
        "start_brk": process.memory.brk_range()[0],
        "end_code": code[1],
        "start_code": code[0],
        "start_data": data[0],
        "end_data": data[1],
        "start_stack": process.stack.sp,
        "brk": process.memory.brk_range()[1],
        "entry": process.image.entry,
    }
    lines += [f"{name:<11} 0x{value:0{digits}x}" for name, value in values.items()]
    return "\n".join(lines) + "\n"
