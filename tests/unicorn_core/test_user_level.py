"""What programs may and may not execute."""

import time

import pytest

from tests.guestcode import (
    ARM,
    CODE,
    DATA,
    NOWHERE,
    Flavour,
    Machine,
)
from tests.unicorn_core.flavours import T_BIT, each, each_a32, each_a64, fault, is_a64


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
