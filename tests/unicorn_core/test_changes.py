"""Other threads, and code that changes."""

import ctypes
import threading
import time
from pathlib import Path

import pytest

from qusr._native import CallRegs
from tests.guestcode import (
    AARCH64,
    ARM,
    CODE,
    CODE_SIZE,
    DATA,
    EXEC,
    NOWHERE,
    READ,
    WRITE,
    Flavour,
    Machine,
    assemble,
)
from tests.unicorn_core.flavours import each, is_a64

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
