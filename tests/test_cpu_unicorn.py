"""The Unicorn core by itself: small pieces of code, exact states, every way to stop.

Expected states are those of the Arm Architecture Reference Manual (DDI 0487), and of Linux
where a signal's details are concerned (arch/arm/mm/fault.c, arch/arm64/mm/fault.c).
"""

from __future__ import annotations

import ctypes
import tempfile
import threading
import time
from pathlib import Path

import pytest

from qusr._native import CallRegs
from qusr.cpu import unicorn
from tests.guestcode import (
    A32S,
    A64S,
    AARCH64,
    ALL,
    ARM,
    ARM_BE8,
    CODE,
    CODE_SIZE,
    DATA,
    DATA_SIZE,
    EXEC,
    NOWHERE,
    READ,
    WRITE,
    Flavour,
    Machine,
    assemble,
)

DATA_END = DATA + DATA_SIZE
T_BIT = 1 << 5

each = pytest.mark.parametrize("flavour", ALL, ids=str)
each_a64 = pytest.mark.parametrize("flavour", A64S, ids=str)
each_a32 = pytest.mark.parametrize("flavour", A32S, ids=str)


def is_a64(flavour: Flavour) -> bool:
    return flavour in A64S


def fault(
    addr: int, access: str, *, mapped: bool = False, bus: bool = False, align: bool = False
) -> dict[str, object]:
    return {
        "reason": "fault",
        "addr": addr,
        "access": access,
        "mapped": mapped,
        "bus": bus,
        "align": align,
    }


# Running and system calls


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


# Registers


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


# Faults


@each
@pytest.mark.parametrize("access", ["read", "write"])
def test_fault_in_the_middle_of_a_block(flavour: Flavour, access: str) -> None:
    a, b, c = ["x1", "x2", "x3"] if is_a64(flavour) else ["r1", "r2", "r3"]
    operation = "ldr" if access == "read" else "str"
    code = f"mov {b}, #1\n{operation} {b}, [{a}, #12]\nmov {c}, #1"
    machine = Machine(flavour, code, **{a: NOWHERE + 5})
    assert machine.cpu.run() == fault(NOWHERE + 17, access)
    assert (machine["pc"], machine[a], machine[b], machine[c]) == (CODE + 4, NOWHERE + 5, 1, 0)


@each
def test_fault_of_protection_and_repair(flavour: Flavour) -> None:
    a, b = ("x1", "x2") if is_a64(flavour) else ("r1", "r2")
    stop = "brk" if is_a64(flavour) else "bkpt"
    machine = Machine(flavour, f"str {b}, [{a}]\n{stop} #0", **{a: DATA, b: 7})
    machine.space.mprotect(DATA, DATA_SIZE, READ)
    assert machine.cpu.run() == fault(DATA, "write", mapped=True)
    machine.space.mprotect(DATA, DATA_SIZE, READ | WRITE)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine.word(DATA, machine.arch.word_bits // 8) == 7


@each
def test_access_across_pages(flavour: Flavour) -> None:
    a, b, size = ("x1", "x2", 8) if is_a64(flavour) else ("r1", "r2", 4)
    code = f"ldr {b}, [{a}]\nstr {b}, [{a}]"
    machine = Machine(flavour, code, **{a: DATA_END - 3, b: 9})
    assert machine.cpu.run() == fault(DATA_END, "read")
    assert machine[b] == 9
    machine["pc"] = CODE + 4
    assert machine.cpu.run() == fault(DATA_END, "write")
    assert machine.space.read(DATA_END - 3, 3) == bytes(3)
    machine[a] = DATA + 0x1000 - 3
    assert machine.cpu.run()["reason"] != "fault" or machine["pc"] != CODE + 4
    assert machine.word(DATA + 0x1000 - 3, size) == 9


@each_a64
@pytest.mark.parametrize("code", ["ldp x2, x3, [x1], #16", "stp x2, x3, [x1, #16]!"])
def test_pair_across_the_end_keeps_its_base(flavour: Flavour, code: str) -> None:
    base = DATA_END - 8 - (16 if "!" in code else 0)
    machine = Machine(flavour, code, x1=base, x2=1, x3=2)
    access = "read" if code.startswith("ldp") else "write"
    assert machine.cpu.run() == fault(DATA_END, access)
    assert (machine["pc"], machine["x1"], machine["x3"]) == (CODE, base, 2)


@each_a32
@pytest.mark.parametrize(
    "code", ["ldmia r1!, {r2-r5}", "stmia r1!, {r2-r5}", "vldmia r1!, {d0-d3}"]
)
def test_multiple_across_the_end_keeps_its_base(flavour: Flavour, code: str) -> None:
    machine = Machine(flavour, code, r1=DATA_END - 8, r5=5)
    access = "write" if code.startswith("st") else "read"
    assert machine.cpu.run() == fault(DATA_END, access)
    assert (machine["pc"], machine["r1"], machine["r5"]) == (CODE, DATA_END - 8, 5)


def test_fault_in_an_it_block() -> None:
    code = ".thumb\ncmp r0, r0\nitte eq\nmoveq r2, #1\nldreq r3, [r1]\nmovne r4, #1\nbkpt #0"
    machine = Machine(ARM, code, pc=CODE | 1, r1=NOWHERE)
    assert machine.cpu.run() == fault(NOWHERE, "read")
    assert (machine["pc"], machine["r2"]) == (CODE + 6, 1)
    # ITSTATE (CPSR[15:10,26:25]) still names the load and what follows it: 0b0000_1100 after
    # the first of ITTE EQ (0x06 becomes 0x0c, Arm ARM "ITAdvance").
    status = machine["cpsr"]
    assert (status >> 8 & 0xFC) | (status >> 25 & 3) == 0x0C
    machine["r1"] = DATA
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine["r4"] == 0


@pytest.mark.parametrize("access", ["ldreq r3, [r1]", "streq r3, [r1]", "vldreq d0, [r1]"])
@pytest.mark.parametrize(("it", "rest"), [("it", ""), ("ite", "movne r2, #1")])
def test_it_block_that_touches_a_new_page(access: str, it: str, rest: str) -> None:
    code = f"""
        .thumb
        cmp r0, r0
        {it} eq
        {access}
        {rest}
        cmp r0, #1
        bx lr
        .balign 32
        mov r4, #7
        mov r5, #8
        bkpt #3
        """
    machine = Machine(ARM, code, pc=CODE | 1, r1=DATA, lr=CODE + 32 | 1)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 3}
    # What the branch leads to is no part of the IT block.
    assert (machine["r2"], machine["r4"], machine["r5"]) == (0, 7, 8)
    assert machine["cpsr"] & 0x0600_FC00 == 0


@each
@pytest.mark.parametrize("target", [NOWHERE, NOWHERE + 0x123C, DATA])
def test_jump_to_what_cannot_be_executed(flavour: Flavour, target: int) -> None:
    code, reg = ("br x1", "x1") if is_a64(flavour) else ("bx r1", "r1")
    machine = Machine(flavour, code, **{reg: target})
    assert machine.cpu.run() == fault(target, "fetch", mapped=target == DATA)
    assert machine["pc"] == target


@each
def test_running_off_the_end_of_a_page(flavour: Flavour) -> None:
    machine = Machine(flavour, "nop", prot=READ | WRITE | EXEC)
    end = CODE + CODE_SIZE
    machine.patch(end - 8, "nop\nnop")
    machine["pc"] = end - 8
    assert machine.cpu.run() == fault(end, "fetch")
    assert machine["pc"] == end


def test_t32_instruction_across_the_end() -> None:
    machine = Machine(ARM, "nop", prot=READ | WRITE | EXEC)
    end = CODE + CODE_SIZE
    machine.patch(end - 4, ".thumb\nnop\n.inst.n 0xf8d1")  # nop; first half of ldr.w
    machine["pc"] = (end - 4) | 1
    assert machine.cpu.run() == fault(end, "fetch")
    assert machine["pc"] == end - 2


@each_a64
@pytest.mark.parametrize(
    ("code", "access"),
    [
        ("ldxr x2, [x1]", "read"),
        ("ldaxp x2, x3, [x1]", "read"),
        ("ldadd x2, x3, [x1]", "write"),
        ("cas x2, x3, [x1]", "write"),
    ],
)
def test_misaligned_a64(flavour: Flavour, code: str, access: str) -> None:
    machine = Machine(flavour, f"ldxr x4, [x5]\n{code}", x1=DATA + 4 + 1, x5=DATA)
    assert machine.cpu.run() == fault(DATA + 5, access, mapped=True, bus=True, align=True)
    assert machine["pc"] == CODE + 4


@each_a32
@pytest.mark.parametrize(
    ("code", "offset", "access"),
    [
        ("ldrex r2, [r1]", 0, "read"),
        ("ldrexh r2, [r1]", 0, "read"),
        ("ldrexd r2, r3, [r1]", 0, "read"),
        (".thumb\nldrex r2, [r1, #12]", 12, "read"),
    ],
)
def test_misaligned_a32(flavour: Flavour, code: str, offset: int, access: str) -> None:
    machine = Machine(flavour, code, r1=DATA + 1)
    machine["pc"] = CODE | ("thumb" in code)
    wanted = fault(DATA + 1 + offset, access, mapped=True, bus=True, align=True)
    assert machine.cpu.run() == wanted
    assert machine["pc"] == CODE


@each
def test_page_behind_the_end_of_a_file(flavour: Flavour) -> None:
    a, b = ("x1", "w2") if is_a64(flavour) else ("r1", "r2")
    machine = Machine(flavour, f"ldrb {b}, [{a}]\nldrb {b}, [{a}, #1]", **{a: NOWHERE + 0xFFF})
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 0x1000)
        file.flush()
        machine.map(NOWHERE, 0x2000, READ, 0x12, file.fileno())
        assert machine.cpu.run() == fault(NOWHERE + 0x1000, "read", mapped=True, bus=True)
    assert machine["x2" if is_a64(flavour) else "r2"] == ord("x")


def test_address_beyond_the_space() -> None:
    machine = Machine(AARCH64, "ldr x2, [x1]", x1=0x007F_FFFF_FFFF_FFF8)
    assert machine.cpu.run() == fault(0x007F_FFFF_FFFF_FFF8, "read")
    machine["x1"] = machine.space.limit
    assert machine.cpu.run() == fault(machine.space.limit, "read")


@each_a64
def test_tagged_addresses(flavour: Flavour) -> None:
    """The top byte of an address is no part of it (Arm ARM D8.8, TCR_EL1.TBI0)."""
    code = """
        str x2, [x1]
        ldr x4, [x1]
        ldxr x5, [x1]
        stxr w6, x2, [x1]
        ldadd x2, x7, [x1]
        adr x9, 1f
        orr x9, x9, #0x0100000000000000
        br x9
    1:  ldr x10, [x3, #24]
    """
    tag = 0x5500_0000_0000_0000
    machine = Machine(flavour, code, x1=tag | DATA, x2=77, x3=tag | NOWHERE, x6=9)
    # si_addr has no tag (Documentation/arch/arm64/tagged-pointers.rst).
    assert machine.cpu.run() == fault(NOWHERE + 24, "read")
    assert machine["pc"] == CODE + 8 * 4
    assert [machine[f"x{n}"] for n in (4, 5, 6, 7)] == [77, 77, 0, 77]
    assert machine.word(DATA, 8) == 154


# What programs may and may not execute


@each
def test_undefined_instruction(flavour: Flavour) -> None:
    machine = Machine(flavour, "nop\nudf #5")
    assert machine.cpu.run() == {"reason": "undefined"}
    assert machine["pc"] == CODE + 4
    assert machine.cpu.run() == {"reason": "undefined"}


@each_a64
@pytest.mark.parametrize(
    "code",
    [
        "msr daifset, #2",
        "msr sctlr_el1, x0",
        "mrs x0, sctlr_el1",
        "mrs x0, currentel",
        "mrs x0, pmccntr_el0",
        "tlbi vmalle1",
        "dc ivac, x1",
        "at s1e1r, x0",
        "eret",
        "hvc #0",
        "smc #0",
        "hlt #0",
        "dcps1",
    ],
)
def test_privileged_a64(flavour: Flavour, code: str) -> None:
    machine = Machine(flavour, code)
    assert machine.cpu.run() == {"reason": "undefined"}
    assert machine["pc"] == CODE


@each_a32
@pytest.mark.parametrize(
    "code",
    [
        "mcr p15, 0, r0, c1, c0, 0",
        "mrc p15, 0, r0, c0, c0, 0",
        "mrc p15, 0, r0, c13, c0, 4",
        "mcr p15, 0, r0, c13, c0, 3",
        "mrc p15, 0, r0, c9, c13, 0",
        "mrs r0, spsr",
        "vmrs r0, fpexc",
        ".arch_extension sec\nsmc #0",
        ".arch_extension virt\nhvc #0",
        ".arch_extension virt\neret",
    ],
)
def test_privileged_a32(flavour: Flavour, code: str) -> None:
    machine = Machine(flavour, code)
    assert machine.cpu.run() == {"reason": "undefined"}
    assert machine["pc"] == CODE


@each_a32
@pytest.mark.parametrize("code", ["cpsid i", "cps #19", "msr cpsr_c, #0xd3"])
def test_ignored_at_user_level(flavour: Flavour, code: str) -> None:
    """Writes of the mode and the masks are ignored in USR mode (Arm ARM, "CPS", "MSR")."""
    machine = Machine(flavour, f"{code}\nbkpt #0")
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine["cpsr"] & 0x1DF == 0x10


@each
@pytest.mark.parametrize("hint", ["nop", "yield", "wfe", "wfi", "sev"])
def test_hints_do_not_wait(flavour: Flavour, hint: str) -> None:
    stop = "brk" if is_a64(flavour) else "bkpt"
    machine = Machine(flavour, f"svc #0\n{hint}\n{hint}\nudf #0\n{stop} #1")
    assert machine.cpu.run(lambda _regs, _imm: True) == {"reason": "undefined"}
    assert machine["pc"] == CODE + 12
    machine["pc"] = CODE + 16
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 1}


@each_a32
@pytest.mark.parametrize("state", [".arm", ".thumb"])
@pytest.mark.parametrize("access", ["ldr r0, [r1]", "strb r0, [r1]", "ldm r1, {r2, r3}"])
@pytest.mark.parametrize("hint", ["yield", "wfe"])
def test_hint_after_access_to_a_new_page(
    flavour: Flavour, state: str, access: str, hint: str
) -> None:
    code = f"{state}\n{access}\n{hint}\n{hint}\nbkpt #1\nldr r0, [r1, #4]\nudf #0"
    machine = Machine(flavour, code, r1=DATA, pc=CODE | (state == ".thumb"))
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 1}
    machine["pc"] += 2 if state == ".thumb" else 4
    assert machine.cpu.run() == {"reason": "undefined"}


@each_a64
def test_readable_system_registers(flavour: Flavour) -> None:
    code = "mrs x1, ctr_el0\nmrs x2, dczid_el0\nmrs x3, cntfrq_el0\nmrs x4, cntvct_el0\n"
    machine = Machine(flavour, f"{code}msr tpidr_el0, x0\nmrs x5, tpidr_el0\nbrk #0", x0=0x1234)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine["x1"] >> 28 & 1 == 1  # CTR_EL0.IDC
    assert machine["x2"] == 4  # 64-byte blocks, DC ZVA allowed
    assert machine["x3"] == 62_500_000
    assert (machine["x5"], machine["tpidr"]) == (0x1234, 0x1234)
    first = machine["x4"]
    time.sleep(0.02)
    machine["pc"] = CODE
    machine.cpu.run()
    ticks = machine["x4"] - first
    assert 0.02 * 62.5e6 <= ticks < 2 * 62.5e6


@each_a64
def test_dc_zva(flavour: Flavour) -> None:
    machine = Machine(flavour, "stp x2, x2, [x1]\nstr x2, [x1, #64]\ndc zva, x1\nbrk #0")
    machine["x1"], machine["x2"] = DATA, 2**64 - 1
    machine.cpu.run()
    assert machine.space.read(DATA, 72) == bytes(64) + b"\xff" * 8
    machine["pc"], machine["x1"] = CODE + 8, NOWHERE + 70
    assert machine.cpu.run()["reason"] == "fault"
    assert machine["pc"] == CODE + 8


@each_a64
@pytest.mark.parametrize("code", ["dc cvau, x1", "dc civac, x1", "ic ivau, x1"])
def test_cache_maintenance_checks_its_address(flavour: Flavour, code: str) -> None:
    machine = Machine(flavour, f"{code}\nbrk #0", x1=DATA + 9)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    machine["pc"], machine["x1"] = CODE, NOWHERE + 9
    assert machine.cpu.run() == fault(NOWHERE + 9, "read")
    assert machine["pc"] == CODE


@each_a64
def test_breakpoint_immediate(flavour: Flavour) -> None:
    machine = Machine(flavour, "brk #0xabcd")
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0xABCD}
    assert machine["pc"] == CODE


@each_a32
def test_breakpoint_immediates(flavour: Flavour) -> None:
    machine = Machine(flavour, "bkpt #0xabcd\n.thumb\nbkpt #0xab\n")
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0xABCD}
    machine["pc"] = CODE + 4 | 1
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0xAB}
    assert machine["pc"] == CODE + 4


@each_a32
def test_system_call_immediates(flavour: Flavour) -> None:
    """`swi #nr` of the old ABI has 24 bits, that of Thumb 8."""
    machine = Machine(flavour, "svc #0x900004\n.thumb\nsvc #0x42\n")
    assert machine.cpu.run() == {"reason": "syscall", "imm": 0x900004}
    machine["pc"] = machine["pc"] | 1
    assert machine.cpu.run() == {"reason": "syscall", "imm": 0x42}
    assert (machine["pc"], bool(machine["cpsr"] & T_BIT)) == (CODE + 6, True)


@each_a32
def test_interworking(flavour: Flavour) -> None:
    code = """
        adr r0, 1f + 1
        bx r0
        .thumb
    1:  movs r1, #1
        blx 2f
        movs r3, #3
        bkpt #0
        .arm
        .align 2
    2:  mov r2, #2
        bx lr
    """
    machine = Machine(flavour, code)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert [machine[f"r{n}"] for n in (1, 2, 3)] == [1, 2, 3]
    assert machine["cpsr"] & T_BIT


def test_setend_changes_data_order() -> None:
    code = "setend be\nldr r0, [r1]\nsetend le\nldr r2, [r1]\nbkpt #0"
    machine = Machine(ARM, code, r1=DATA)
    machine.space.write(DATA, bytes([1, 2, 3, 4]))
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert (machine["r0"], machine["r2"]) == (0x01020304, 0x04030201)


# Steps


@each
def test_steps(flavour: Flavour) -> None:
    a = "x1" if is_a64(flavour) else "r1"
    code = f"mov {a}, #1\nadd {a}, {a}, #1\nb 1f\nnop\n1: svc #3\nadd {a}, {a}, #1\nudf #0"
    machine = Machine(flavour, code)
    seen = []
    for _ in range(6):
        exit_ = machine.cpu.step()
        seen.append((exit_["reason"], machine["pc"] - CODE, machine[a]))
    assert seen == [
        ("interrupted", 4, 1),
        ("interrupted", 8, 2),
        ("interrupted", 16, 2),
        ("syscall", 20, 2),
        ("interrupted", 24, 3),
        ("undefined", 24, 3),
    ]
    # Steps among runs, both over code that the other has translated.
    machine["pc"] = CODE
    assert machine.cpu.run()["reason"] == "syscall"
    machine["pc"] = CODE
    machine.cpu.step()
    assert (machine["pc"], machine[a]) == (CODE + 4, 1)
    assert machine.cpu.run()["reason"] == "syscall"


@each_a64
def test_step_over_an_emulated_register(flavour: Flavour) -> None:
    machine = Machine(flavour, "mrs x0, ctr_el0\nnop")
    assert machine.cpu.step() == {"reason": "interrupted"}
    assert machine["pc"] == CODE + 4
    assert machine["x0"] != 0


def test_step_to_itself() -> None:
    machine = Machine(AARCH64, "b .")
    for _ in range(3):
        assert machine.cpu.step() == {"reason": "interrupted"}
        assert machine["pc"] == CODE


def test_step_into_nowhere_then_fault() -> None:
    machine = Machine(AARCH64, "br x1", x1=NOWHERE)
    assert machine.cpu.step() == {"reason": "interrupted"}
    assert machine["pc"] == NOWHERE
    assert machine.cpu.step() == fault(NOWHERE, "fetch")


def test_steps_in_it_blocks() -> None:
    code = """
        .thumb
        cmp r0, #0
        ite eq
        moveq r1, #5
        movne r1, #6
        itt eq
        addeq r1, #1
        beq 1f
        nop
    1:  nop
    """
    machine = Machine(ARM, code, pc=CODE | 1)
    seen = []
    for _ in range(7):
        assert machine.cpu.step() == {"reason": "interrupted"}
        seen.append((machine["pc"] - CODE, machine["r1"]))
    assert seen == [(2, 0), (4, 0), (6, 5), (8, 5), (10, 5), (12, 6), (16, 6)]


# Interrupts


@each
def test_interrupt_of_a_loop_without_events(flavour: Flavour) -> None:
    """None of many interrupts is lost, whatever moment of a run it meets."""
    a = "x0" if is_a64(flavour) else "r0"
    machine = Machine(flavour, f"1: add {a}, {a}, #1\nb 1b")
    interrupter = machine.cpu.interrupter()
    seen = threading.Semaphore(0)
    lost = threading.Event()
    rounds = 1000

    def interrupt() -> None:
        for _ in range(rounds):
            interrupter.interrupt()
            if not seen.acquire(timeout=10):
                lost.set()
                interrupter.interrupt()
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    for _ in range(rounds):
        assert machine.cpu.run() == {"reason": "interrupted"}
        if lost.is_set():
            break
        seen.release()
    thread.join()
    assert not lost.is_set()
    assert machine["pc"] in {CODE, CODE + 4}


ONCE = {
    # Code, and what x1/r1 is after n rounds. All of it would go wrong if executed twice.
    "a64 pointer": (AARCH64, "ldr x0, [x0]\nadd x1, x1, #1"),
    "a64 ldadd": (AARCH64, "ldadd x3, x1, [x2]\nadd x1, x1, #1"),
    "a64 swp": (
        AARCH64,
        "add x1, x1, #1\nswp x1, x4, [x2]\nldr x1, [x2]\nsub x4, x1, x4\n"
        "sub x4, x4, #1\nadd x5, x5, x4",
    ),
    "a64 writeback": (
        AARCH64,
        "ldr x4, [x0, #8]!\nstr x4, [x0], #-8\nldp x0, x4, [x0]\nadd x1, x1, #1",
    ),
    "a32 pointer": (ARM, "ldr r0, [r0]\nadd r1, #1"),
    "a32 ldm": (ARM, "ldm r0, {r0, r4}\nadd r1, #1"),
    "a32 ldrex": (
        ARM,
        "2: ldrex r4, [r2]\nadd r4, #1\nstrex r5, r4, [r2]\ncmp r5, #0\nbne 2b\nldr r1, [r2]",
    ),
    "t32 pointer": (ARM, ".thumb\nldr r0, [r0]\nadd r1, #1"),
    "t32 stack": (ARM, ".thumb\npush {r0, r1}\nldr r0, [r0]\npop {r0, r1}\nadd r1, #1"),
}


@pytest.mark.parametrize("name", ONCE)
def test_interrupts_do_not_repeat_an_instruction(name: str) -> None:
    """Unicorn left alone ends a run behind a load or store and then executes it again."""
    flavour, body = ONCE[name]
    rounds = 3_000_000
    if is_a64(flavour):
        machine = Machine(flavour, f"1: {body}\nsubs x9, x9, #1\nb.ne 1b\nbrk #0")
        registers = {"x0": DATA + 64, "x2": DATA, "x3": 1, "x9": rounds}
        done = "x1"
    else:
        state = ".thumb\n" if "thumb" in body else ""
        machine = Machine(flavour, f"{state}1: {body}\nsubs r9, #1\nbne 1b\nbkpt #0")
        registers = {"r0": DATA + 64, "r2": DATA, "r9": rounds, "sp": DATA + 0x1000}
        machine["pc"] = CODE | bool(state)
        done = "r1"
    for register, value in registers.items():
        machine[register] = value
    # A list of one element, which points to itself.
    machine.space.write(DATA + 64, (DATA + 64).to_bytes(machine.arch.word_bits // 8, "little"))
    over = threading.Event()
    interrupter = machine.cpu.interrupter()

    def interrupt() -> None:
        while not over.wait(0.0001):
            interrupter.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    interrupts = 0
    while (exit_ := machine.cpu.run())["reason"] == "interrupted":
        interrupts += 1
    over.set()
    thread.join()
    assert exit_ == {"reason": "breakpoint", "imm": 0}
    assert machine[done] == rounds
    assert machine["x5" if is_a64(flavour) else "r3"] == 0
    assert interrupts


def test_interrupt_before_run() -> None:
    machine = Machine(AARCH64, "brk #0")
    machine.cpu.interrupter().interrupt()
    assert machine.cpu.run() == {"reason": "interrupted"}
    assert machine["pc"] == CODE
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}


def test_interrupt_from_a_system_call() -> None:
    machine = Machine(AARCH64, "1: svc #0\nadd x0, x0, #1\nb 1b")
    interrupter = machine.cpu.interrupter()

    def on_syscall(_regs: CallRegs, _imm: int) -> bool:
        if machine.space.read(DATA, 1) == b"\0":
            machine.space.write(DATA, b"\1")
            return True
        interrupter.interrupt()
        return True

    assert machine.cpu.run(on_syscall) == {"reason": "interrupted"}
    assert (machine["pc"], machine["x0"]) == (CODE + 4, 1)


def test_interrupter_outlives_the_cpu() -> None:
    machine = Machine(AARCH64, "nop")
    interrupter = machine.cpu.interrupter()
    del machine
    interrupter.interrupt()


# Threads

ATOMICS = {
    "ldxr": (AARCH64, "2: ldxr x4, [x0]\nadd x4, x4, #1\nstxr w5, x4, [x0]\ncbnz w5, 2b"),
    "ldadd": (AARCH64, "ldadd x3, x4, [x0]"),
    "cas": (
        AARCH64,
        "ldr x4, [x0]\n2: mov x5, x4\nadd x6, x4, #1\ncas x4, x6, [x0]\ncmp x4, x5\nb.ne 2b",
    ),
    "ldrex": (ARM, "2: ldrex r4, [r0]\nadd r4, #1\nstrex r5, r4, [r0]\ncmp r5, #0\nbne 2b"),
}


@pytest.mark.parametrize("name", ATOMICS)
def test_threads_lose_no_update(name: str) -> None:
    flavour, add = ATOMICS[name]
    if is_a64(flavour):
        machine = Machine(flavour, f"1: {add}\nsubs x1, x1, #1\nb.ne 1b\nbrk #0", x3=1)
        machine["x0"], machine["x1"] = DATA, 300_000
    else:
        machine = Machine(flavour, f"1: {add}\nsubs r1, #1\nbne 1b\nbkpt #0", r0=DATA)
        machine["r1"] = 300_000
    cpus = [machine.cpu, machine.cpu.duplicate(), machine.cpu.duplicate()]
    threads = [threading.Thread(target=cpu.run) for cpu in cpus]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert machine.word(DATA, 4 if flavour is ARM else 8) == 3 * 300_000


def test_a_thread_waits_for_another() -> None:
    """One spins on what the other is to store; neither makes a system call."""
    machine = Machine(AARCH64, "1: ldr x1, [x0]\ncbz x1, 1b\nbrk #0\n2: str x0, [x0]\nbrk #0")
    machine["x0"] = DATA
    other = machine.cpu.duplicate()
    other.set(32, CODE + 12)
    thread = threading.Thread(target=machine.cpu.run)
    thread.start()
    time.sleep(0.01)
    assert other.run() == {"reason": "breakpoint", "imm": 0}
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_system_call_does_not_keep_others_from_running() -> None:
    machine = Machine(AARCH64, "svc #0\nbrk #0")
    other = machine.cpu.duplicate()
    other.set(32, CODE + 4)

    def on_syscall(_regs: CallRegs, _imm: int) -> bool:
        assert other.run() == {"reason": "breakpoint", "imm": 0}
        return True

    assert machine.cpu.run(on_syscall) == {"reason": "breakpoint", "imm": 0}


# Code that changes


@pytest.mark.parametrize("maintenance", ["", "dc cvau, x0\ndsb ish\nic ivau, x0\ndsb ish\nisb"])
def test_code_that_rewrites_itself(maintenance: str) -> None:
    code = f"""
        adr x0, 2f
        ldr w1, 3f
    1:  bl 2f
        cbnz x5, 4f
        mov x5, #1
        str w1, [x0]
        {maintenance}
        b 1b
    2:  mov x2, #1
        ret
    3:  mov x2, #2
    4:  brk #0
    """
    machine = Machine(AARCH64, code, prot=READ | WRITE | EXEC)
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine["x2"] == 2


def test_code_written_through_another_mapping(tmp_path: Path) -> None:
    """A JIT that maps its code twice; it says so by IC IVAU of the executable address."""
    code = "bl 1f\nstr w1, [x0]\nic ivau, x3\ndsb ish\nisb\nbl 1f\nbrk #0\n1: br x3"
    machine = Machine(AARCH64, code, x0=NOWHERE, x3=NOWHERE + 0x1000)
    with (tmp_path / "code").open("w+b") as file:
        file.write(assemble(AARCH64, "mov x2, #1\nret").ljust(0x1000, b"\0"))
        file.flush()
        shared = 0x11  # MAP_SHARED | MAP_FIXED
        machine.map(NOWHERE, 0x1000, READ | WRITE, shared, file.fileno())
        machine.map(NOWHERE + 0x1000, 0x1000, READ | EXEC, shared, file.fileno())
    machine["x1"] = int.from_bytes(assemble(AARCH64, "mov x2, #2"), "little")
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine["x2"] == 2


@each
def test_other_code_at_the_same_address(flavour: Flavour) -> None:
    a, stop = ("x1", "brk") if is_a64(flavour) else ("r1", "bkpt")
    machine = Machine(flavour, f"mov {a}, #1\n{stop} #0")
    machine.cpu.run()
    machine.space.munmap(CODE, CODE_SIZE)
    machine.map(CODE, CODE_SIZE, READ | WRITE)
    machine.patch(CODE, f"mov {a}, #2\n{stop} #0")
    machine.space.mprotect(CODE, CODE_SIZE, READ | EXEC)
    machine["pc"] = CODE
    machine.cpu.run()
    assert machine[a] == 2


def test_invalidate() -> None:
    machine = Machine(AARCH64, "mov x1, #1\nbrk #0", prot=READ | WRITE | EXEC)
    machine.cpu.run()
    # Behind everybody's back, as a store by another process into shared memory is.
    code = assemble(AARCH64, "mov x1, #2")
    ctypes.memmove(machine.space.base + CODE, code, len(code))
    machine["pc"] = CODE
    machine.cpu.run()
    assert machine["x1"] == 1, "not noticed without a word: else this test shows nothing"
    machine.cpu.invalidate(CODE, CODE + 4)
    machine["pc"] = CODE
    machine.cpu.run()
    assert machine["x1"] == 2


def test_invalidate_of_everything_and_of_nothing() -> None:
    machine = Machine(AARCH64, "mov x1, #1\nbrk #0", prot=READ | WRITE | EXEC)
    machine.cpu.run()
    machine.patch(CODE, "mov x1, #2")
    machine.cpu.invalidate(0, 2**64 - 1)
    machine.cpu.invalidate(NOWHERE, NOWHERE)
    machine.cpu.invalidate(2**63, 2**63 + 4096)
    machine["pc"] = CODE
    assert machine.cpu.run() == {"reason": "breakpoint", "imm": 0}
    assert machine["x1"] == 2


# The library


def test_library_is_found_without_importing_it() -> None:
    assert Path(unicorn.library()).is_file()


def test_library_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unicorn, "_found", [])
    monkeypatch.setattr(unicorn, "_PACKAGE", "unicorn_of_nobody")
    with pytest.raises(unicorn.UnicornNotFoundError, match="pip install unicorn"):
        unicorn.library()


@pytest.mark.parametrize("content", [None, b"", b"no library"])
def test_library_damaged(tmp_path: Path, content: bytes | None) -> None:
    machine = Machine(ARM_BE8, "nop")
    path = tmp_path / "libunicorn.so.2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError, match="cannot load the unicorn library"):
        type(machine.cpu)(str(path), "arm", 33, [], machine.space)


def test_model_that_does_not_exist() -> None:
    machine = Machine(ARM, "nop")
    with pytest.raises(OSError, match="model 99"):
        type(machine.cpu)(unicorn.library(), "arm", 99, [], machine.space)
    with pytest.raises(ValueError, match="no such unicorn guest: vax"):
        type(machine.cpu)(unicorn.library(), "vax", 0, [], machine.space)
