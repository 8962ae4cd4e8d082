"""Runs, system calls within them, registers."""

import pytest

from qusr._native import CallRegs
from tests.guestcode import (
    AARCH64,
    ARM,
    CODE,
    DATA,
    DATA_SIZE,
    Flavour,
    Machine,
)
from tests.unicorn_core.flavours import T_BIT, each, fault, is_a64


@each
def test_loop_and_system_call(flavour: Flavour) -> None:
    if is_a64(flavour):
        code = "mov x0, #5\n1: add x1, x1, x0\nsubs x0, x0, #1\nb.ne 1b\nmov x8, #64\nsvc #7"
    else:
        code = "mov r0, #5\n1: add r1, r1, r0\nsubs r0, r0, #1\nbne 1b\nmov r7, #64\nsvc #7"
    machine = Machine(flavour, code)
    assert machine.cpu.run() == {"reason": "syscall", "imm": 7}
    total, number = ("x1", "x8") if is_a64(flavour) else ("r1", "r7")
    assert (machine[total], machine[number]) == (15, 64)
    assert machine["pc"] == CODE + 6 * 4


@each
def test_system_calls_within_run(flavour: Flavour) -> None:
    if is_a64(flavour):
        code = "mov x9, #100\n1: svc #3\nadd x1, x1, x0\nsubs x9, x9, #1\nb.ne 1b\nbrk #9"
    else:
        code = "mov r9, #100\n1: svc #3\nadd r1, r1, r0\nsubs r9, r9, #1\nbne 1b\nbkpt #9"
    machine = Machine(flavour, code)
    seen = []

    def on_syscall(regs: CallRegs, imm: int) -> bool:
        seen.append(imm)
        regs.set(0, len(seen))
        return True

    assert machine.cpu.run(on_syscall) == {"reason": "breakpoint", "imm": 9}
    assert seen == [3] * 100
    assert machine["x1" if is_a64(flavour) else "r1"] == 5050


def test_callback_that_declines() -> None:
    machine = Machine(AARCH64, "svc #0x1234\nbrk #0")
    assert machine.cpu.run(lambda _regs, _imm: False) == {"reason": "syscall", "imm": 0x1234}
    assert machine["pc"] == CODE + 4


def test_callback_that_raises() -> None:
    machine = Machine(AARCH64, "svc #0\nbrk #0")
    with pytest.raises(ZeroDivisionError):
        machine.cpu.run(lambda _regs, _imm: 1 // 0 > 0)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}


def test_registers_of_a_call_do_not_outlive_it() -> None:
    machine = Machine(AARCH64, "svc #0\nbrk #0")
    kept: list[CallRegs] = []

    def keep(regs: CallRegs, _imm: int) -> bool:
        kept.append(regs)
        return True

    machine.cpu.run(keep)
    with pytest.raises(ValueError, match="over"):
        kept[0].get(0)


@each
def test_callback_moves_the_program_counter(flavour: Flavour) -> None:
    stop = "brk" if is_a64(flavour) else "bkpt"
    machine = Machine(flavour, f"svc #0\n{stop} #1\n{stop} #2")
    pc = machine.arch.registers.pc

    def on_syscall(regs: CallRegs, _imm: int) -> bool:
        assert regs.get(pc) == CODE + 4
        regs.set(pc, CODE + 8)
        assert regs.get(pc) == CODE + 8
        return True

    assert machine.cpu.run(on_syscall) == {"reason": "breakpoint", "imm": 2}
    assert machine["pc"] == CODE + 8


def test_callback_moves_to_thumb() -> None:
    machine = Machine(ARM, "svc #0\nbkpt #1\n.thumb\nbkpt #2")

    def on_syscall(regs: CallRegs, _imm: int) -> bool:
        regs.set(15, CODE + 8 | 1)
        return True

    assert machine.cpu.run(on_syscall) == {"reason": "breakpoint", "imm": 2}
    assert machine["cpsr"] & T_BIT


def test_callback_unmaps() -> None:
    machine = Machine(AARCH64, "ldr x2, [x1]\nsvc #0\nldr x2, [x1]\nbrk #0", x1=DATA)

    def on_syscall(_regs: CallRegs, _imm: int) -> bool:
        machine.space.munmap(DATA, DATA_SIZE)
        return True

    assert machine.cpu.run(on_syscall) == fault(DATA, "read")
    assert machine["pc"] == CODE + 8


@each
def test_registers_keep_values(flavour: Flavour) -> None:
    machine = Machine(flavour, "nop")
    registers = machine.arch.registers
    word = machine.arch.word_bits
    wanted = {}
    for name, number in registers.numbers.items():
        bits = registers.bits.get(name, word)
        value = (0x0123456789ABCDEFFEDCBA9876543210 * (number + 1)) & ((1 << bits) - 1)
        match name:
            case "pc":
                value = CODE
            case "cpsr":
                value = 0xA000_0000 if is_a64(flavour) else machine["cpsr"] | 0xA800_0000
            case "fpsr":
                value = 0x0800_009F  # QC and the cumulative flags
            case "fpcr" | "fpscr":
                value = 0x00C0_0000  # rounding mode
        wanted[name] = value
        machine[name] = value
    assert {name: machine[name] for name in wanted} == wanted
    copy = machine.cpu.duplicate()
    assert {name: copy.get(registers.numbers[name]) for name in wanted} == wanted


@each
def test_status_register_cannot_raise_the_level(flavour: Flavour) -> None:
    if is_a64(flavour):
        machine = Machine(flavour, "mrs x0, currentel", cpsr=0xF000_03C5)
        assert machine["cpsr"] == 0xF000_0000
    else:
        machine = Machine(flavour, "mrs r0, spsr", cpsr=0xF000_01D3)
        assert machine["cpsr"] & 0x1FF == 0x10
    assert machine.cpu.run() == {"reason": "undefined"}


def test_duplicate_is_independent() -> None:
    machine = Machine(AARCH64, "1: add x0, x0, #1\nsvc #0\nb 1b")
    machine.cpu.run()
    other = machine.cpu.duplicate()
    for _ in range(3):
        other.run()
    assert (machine["x0"], other.get(0)) == (1, 4)


def test_duplicate_in_thumb_state() -> None:
    machine = Machine(ARM, ".thumb\nnop\nsvc #0\nbkpt #5", pc=CODE | 1)
    machine.cpu.run()
    other = machine.cpu.duplicate()
    assert other.get(15) == CODE + 4
    assert other.run() == {"reason": "breakpoint", "imm": 5}
