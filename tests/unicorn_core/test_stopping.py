"""Single steps and interrupts."""

import threading

import pytest

from qusr._native import CallRegs
from tests.guestcode import (
    AARCH64,
    ARM,
    CODE,
    DATA,
    NOWHERE,
    Flavour,
    Machine,
)
from tests.unicorn_core.flavours import each, each_a64, fault, is_a64


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
    # On a busy machine the rounds may be over before the other thread gets a processor.
    assert any(_interrupted(name) for _ in range(50))


def _interrupted(name: str) -> int:
    """How often three million rounds were interrupted, none of which may be done twice."""
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
    return interrupts


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
