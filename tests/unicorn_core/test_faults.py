"""Faults: addresses, registers at the fault, alignment."""

import tempfile

import pytest

from tests.guestcode import (
    AARCH64,
    ARM,
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
)
from tests.unicorn_core.flavours import DATA_END, each, each_a32, each_a64, fault, is_a64


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
