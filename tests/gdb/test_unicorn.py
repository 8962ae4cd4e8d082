"""gdb-multiarch on guests that run on Unicorn."""

from __future__ import annotations

import pytest

from tests.gdb.client import Client
from tests.gdb.conftest import Begin, in_order

GUESTS = ("s390x", "riscv64", "mipsel", "x86_64")
OTHERS = [
    "mipsn32", "m68k",
    *(
        pytest.param(arch, marks=pytest.mark.slow)
        for arch in ("i386", "mips64", "mips64el", "mipsn32el", "mips", "ppc", "riscv32", "amd64")
    ),
]  # fmt: skip
REGISTERS = {
    "s390x": [r"pswm +0x\w+", r"pswa +0x\w+", r"r15 +0x\w+", r"acr0 +0x", r"fpc +0x", r"f15 +"],
    "x86_64": [
        r"rax +0x\w+",
        r"rip +0x\w+\s+0x\w+ <main",
        r"eflags +0x",
        r"st0 +",
        r"xmm0 +",
        r"mxcsr +0x",
    ],
    "i386": [
        r"eax +0x\w+",
        r"eip +0x\w+\s+0x\w+ <main",
        r"eflags +0x",
        r"st0 +",
        r"xmm0 +",
        r"mxcsr +0x",
    ],
    "riscv64": [r"ra +0x\w+", r"sp +0x\w+", r"t6 +0x\w+", r"pc +0x\w+\s+0x\w+ <main", r"fa0 +"],
    "mipsel": [r"sp +s8 +ra\s+R24 ( +\w{8}){8}", r"pc\s+( +\w{8}){6}", "f31: ", "fcsr +fir"],
    "mips64": [r"R28  0{16} 0*[1-9a-f]\w+ ", r"pc\s+", "f31: ", "fcsr +fir"],
    "m68k": [
        r"d0 +0x", r"a5 +0x", r"fp +0x", r"sp +0x", r"ps +0x", r"pc +0x\w+\s+0x\w+ <main",
        r"fp7 +", r"fpcontrol +0x", r"fpiaddr +0x",
    ],
    "ppc": [
        r"r31 +0x", r"f31 +", r"pc +0x\w+\s+0x\w+ <main", r"msr +0x", r"cr +0x", r"ctr +0x",
        r"fpscr +0x", r"vr31 +", r"vscr +0x", r"vrsave +0x",
    ],
}  # fmt: skip
for _same, _as in (
    ("mipsn32", "mips64"), ("mipsn32el", "mips64"), ("mips64el", "mips64"), ("mips", "mipsel"),
    ("riscv32", "riscv64"), ("amd64", "x86_64"),
):  # fmt: skip
    REGISTERS[_same] = REGISTERS[_as]
#: Where a result is.
RESULT = {
    "s390x": "r2", "riscv64": "a0", "riscv32": "a0", "x86_64": "rax", "amd64": "rax",
    "i386": "eax", "m68k": "d0", "ppc": "r3",
}  # fmt: skip


@pytest.mark.parametrize("arch", [*GUESTS, *OTHERS])
def test_breaks_steps_and_registers(begin: Begin, arch: str) -> None:
    """Breakpoint with a condition, stepi, next, finish, calls, registers read and written."""
    program = begin(arch, "plain")
    result = RESULT.get(arch, "v0")
    text = program.gdb(
        "break add if x == 50\ncontinue\nprint counter\nprint x\nbt\nprint $pc == &add\nstepi\n"
        "print $pc == &add\nnext\nprint counter\ndelete\nfinish\n"
        f"print ${result}\nset var ${result} = 77\nprint ${result}\ninfo all-registers\n"
        "print add(2)\nprint text\nset var counter = 4\nprint counter\ncontinue\n"
    )  # fmt: skip
    in_order(
        text, r"Breakpoint 1, add \(x=.*50\)", r"\$1 = 1225", r"\$2 = 50", "#0 +add", "#1 .*main",
        r"\$3 = 1", r"\$4 = 0", r"\$5 = 1275", r"Value returned is \$6 = 1275", r"\$7 = 1275",
        r"\$8 = 77", *REGISTERS[arch], r"\$9 = 1277", r'\$10 = "plain"', r"\$11 = 4",
        # 4 and 51 to 99: not 4950.
        "exited with code 01",
    )  # fmt: skip
    assert program.end()[0] == 1


@pytest.mark.parametrize("arch", [*GUESTS, *OTHERS])
def test_watch(begin: Begin, arch: str) -> None:
    """The value is told of the very store that changed it: s390x stops behind it."""
    program = begin(arch, "plain")
    text = program.gdb(
        "break add if x == 50\ncontinue\ndelete\nwatch counter\ncontinue\ncontinue\nprint x\n"
        "delete\nrwatch text[1]\nawatch beside if counter == 1378\ncontinue\ncontinue\ndelete\n"
        "continue\n"
    )
    in_order(
        text, r"Old value = 1225\s+New value = 1275", r"Old value = 1275\s+New value = 1326",
        r"\$1 = 51", "watchpoint 4: beside", "watchpoint 4: beside", "exited with code 011",
    )  # fmt: skip
    assert program.end()[0] == 9


def test_registers_of_x86_64_that_gdb_does_not_list(begin: Begin) -> None:
    """Nor does it with a program of its own. Outside of system calls there is no number of one."""
    program = begin("x86_64", "plain", "loud")
    text = program.gdb(
        "info registers fs_base gs_base orig_rax\ncatch syscall\ncontinue\nprint $orig_rax\n"
        "set var $orig_rax = 39\ncontinue\nprint $rax\ndelete\ncontinue\n"
    )
    in_order(
        text, r"fs_base +0x0 ", r"gs_base +0x0 ", r"orig_rax +0x\w+ +-1", "call to syscall write",
        r"\$1 = 1", rf"\$2 = {program.process.pid}", "exited with code",
    )  # fmt: skip
    # getpid was called instead.
    assert program.end()[1] == ""


def test_a_call_of_riscv64(begin: Begin) -> None:
    """gdb 13 has no `catch syscall` for it."""
    program = begin("riscv64", "plain", "loud")
    client = Client(program.socket)
    assert client.ask(b"QCatchSyscalls:1;40") == b"OK"  # write
    assert b"syscall_entry:40;" in client.ask(b"vCont;c")
    assert b"syscall_return:40;" in client.ask(b"vCont;c")
    assert client.ask(b"vCont;c") == b"W09"
    client.close()
    assert program.end() == (9, "loud\n")


@pytest.mark.parametrize(
    "arch",
    ["s390x", "x86_64", "mipsn32"]
    + [pytest.param(arch, marks=pytest.mark.slow) for arch in ("i386", "mips", "mips64el", "ppc")],
)
def test_calls_and_signals(begin: Begin, arch: str) -> None:
    """A system call by its name, and the end by a signal that the debugger sends. (gdb 13 has no
    `catch syscall` for RISC-V and m68k.)
    """
    program = begin(arch, "plain", "loud")
    text = program.gdb(
        "catch syscall write\ncontinue\ncontinue\ndelete\nbreak add\ncontinue\nsignal SIGUSR1\n"
    )
    in_order(
        text, r"call to syscall write", r"returned from syscall write", r"Breakpoint 2, add",
        r"terminated with signal SIGUSR1",
    )  # fmt: skip
    assert program.end() == (-10, "loud\n")


@pytest.mark.parametrize("arch", [*GUESTS, *OTHERS])
def test_stop_within_a_block(begin: Begin, arch: str) -> None:
    """Behind main's prologue, without a branch in between."""
    program = begin(arch, "plain")
    text = program.gdb("break main\ncontinue\nprint counter\nstepi\nprint $pc > &main\ncontinue\n")
    in_order(text, r"Breakpoint 1, .*main", r"\$1 = 0", r"\$2 = 1", "exited with code 0")


@pytest.mark.parametrize(
    "guest",
    ["s390x", "mipsel", "x86_64", "m68k", "ppc", "arm unicorn", "riscv64 unicorn"]
    + [
        pytest.param(guest, marks=pytest.mark.slow)
        for guest in ("mips64", "mipsn32", "i386", "aarch64 unicorn", "thumb unicorn", "aarch64")
    ],
)
def test_a_watchpoint_is_as_long_as_it_is(begin: Begin, guest: str) -> None:
    """What lies right beside an access is not accessed: loads, stores and both."""
    arch, _, core = guest.partition(" ")
    program = begin(arch, "plain", core=core)
    client = Client(program.socket)
    assert client.ask(b"qSupported:swbreak+")
    add = program.address_of("add")
    counter = program.address_of("counter")
    beside = program.address_of("beside")
    around = sorted(
        address
        for variable in (counter, beside)
        for address in (variable - 1, variable + 4)
        if not any(other <= address < other + 4 for other in (counter, beside))
    )
    for kind in (b"2", b"3", b"4"):
        for address in around:
            assert client.ask(b"Z%s,%x,1" % (kind, address)) == b"OK"
    assert client.ask(b"Z0,%x,2" % add) == b"OK"
    for _ in range(3):
        assert b"swbreak" in client.ask(b"vCont;c")
    # The last byte of it is.
    assert client.ask(b"Z2,%x,1" % (counter + 3)) == b"OK"
    answer = client.ask(b"vCont;c")
    assert b"watch:%x;" % (counter + 3) in answer, answer
    for kind in (b"2", b"3", b"4"):
        for address in around:
            assert client.ask(b"z%s,%x,1" % (kind, address)) == b"OK"
    assert client.ask(b"z2,%x,1" % (counter + 3)) == b"OK"
    assert client.ask(b"z0,%x,2" % add) == b"OK"
    assert client.ask(b"vCont;c").startswith(b"W09")
    client.close()
    assert program.end()[0] == 9
