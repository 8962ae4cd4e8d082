"""What the stub does by itself, and what programs get when a debugger starts or ends them."""

from __future__ import annotations

import pytest

from tests.gdb.client import Client
from tests.gdb.conftest import LIBC, PLAIN, Begin, in_order
from tests.gdb.test_gdb import END, QUIET


@pytest.mark.parametrize("arch", LIBC)
def test_dprintf_in_the_stub(begin: Begin, arch: str) -> None:
    """The program prints it itself, with its own memory and registers; nobody stops for it."""
    program = begin(arch, "events")
    program.gdb(
        QUIET + 'set dprintf-style agent\ndprintf add,"add %d of %04x%c\\n", x, counter + 1, 65\n'
        'dprintf handler,"never\\n"\ncondition 2 number != 10\ncontinue\n'
    )
    lines = "".join(f"add {x} of {x // 2 + 1:04x}A\n" for x in range(10))
    assert program.end() == (5, lines + END)


@pytest.mark.parametrize("arch", [*PLAIN, "riscv64"])
def test_dprintf_without_a_library(begin: Begin, arch: str) -> None:
    program = begin(arch, "plain")
    program.gdb(
        'set dprintf-style agent\ndprintf add,"%d: %d %s\\n",x,counter,&text[0]\n'
        "condition 1 x >= 97\ncontinue\n"
    )
    assert program.end() == (9, "97: 4656 plain\n98: 4753 plain\n99: 4851 plain\n")


@pytest.mark.parametrize("persists", [True, False])
def test_commands_of_a_debugger_that_is_gone(begin: Begin, persists: bool) -> None:
    """`cmds:1,` is what gdb says with `set disconnected-dprintf on`. gdb itself takes breakpoints
    out when it is told to disconnect.
    """
    program = begin("riscv64", "plain")
    client = Client(program.socket)
    # if (counter == 1225) printf("%d\n", counter)
    counter = b"24%08x191620" % program.address_of("counter")
    condition = counter + b"2304c91327"
    command = counter + b"220022003401000525645c6e0027"
    packet = b"Z0,%x,2;X%x,%s;cmds:%d,X%x,%s" % (
        program.address_of("add"), len(condition) // 2, condition,
        persists, len(command) // 2, command,
    )  # fmt: skip
    assert client.ask(packet) == b"OK"
    client.close()
    assert program.end() == (9, "1225\n" if persists else "")


@pytest.mark.parametrize("arch", LIBC)
def test_what_the_kernel_reads(begin: Begin, arch: str) -> None:
    """write, writev and sendmsg (on s390x by socketcall) out of watched buffers, and a path."""
    program = begin(arch, "reads")
    text = program.gdb(
        "break begin\ncontinue\ndelete\nrwatch buffer[3]\nawatch vector[7]\nrwatch message[0]\n"
        # On s390x the MVC of main that fills the vector is told, too: docs/gdb.md.
        "rwatch path[1]\n" + "continue\n" * (5 if arch == "s390x" else 4) + "delete\ncontinue\n"
    )
    in_order(
        text, r"read watchpoint 2: buffer\[3\]\s+Value = 116 't'",
        r"access \(read/write\) watchpoint 3: vector\[7\]\s+Value = 105 'i'",
        r"read watchpoint 4: message\[0\]\s+Value = 119 'w'",
        r"read watchpoint 5: path\[1\]\s+Value = 100 'd'", "exited normally",
    )  # fmt: skip
    assert program.end() == (0, "done\n")


@pytest.mark.parametrize("arch", ["riscv64", *PLAIN])
def test_watchpoints_without_a_library(begin: Begin, arch: str) -> None:
    """On riscv64 they are those of the Unicorn core. What lies beside is no hit."""
    program = begin(arch, "plain")
    text = program.gdb(
        "break add if x == 50\ncontinue\ndelete\nwatch counter\ncontinue\ncontinue\ndelete\n"
        "rwatch beside\ncontinue\ndelete\nawatch counter\ncontinue\ncontinue\ndelete\ncontinue\n"
    )
    in_order(
        text, r"Old value = 1225\s+New value = 1275", r"Old value = 1275\s+New value = 1326",
        r"read watchpoint 3: beside\s+Value = 11", r"watchpoint 4: counter\s+Value = ",
        "exited with code 011",
    )  # fmt: skip
    assert program.end() == (9, "")


@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGBUS", "SIGFPE"])
@pytest.mark.parametrize("stop", ["break loop", "watch counter"])
def test_signals_of_faults_are_told_once(begin: Begin, signal: str, stop: str) -> None:
    """At a breakpoint, and at the end of the step over a store."""
    program = begin("aarch64", "events")
    text = program.gdb(f"{stop}\ncontinue\ndelete\nsignal {signal}\n")
    in_order(text, f"Program terminated with signal {signal}")
    assert "received signal" not in text
    assert program.end()[0] == -{"SIGSEGV": 11, "SIGBUS": 7, "SIGFPE": 8}[signal]


@pytest.mark.parametrize("arch", LIBC)
def test_siginfo_is_written(begin: Begin, arch: str) -> None:
    """The handler sees what the debugger has made of it, for a signal sent and for a fault."""
    program = begin(arch, "faults")
    text = program.gdb(
        "continue\nprint $_siginfo._sifields._sigfault.si_addr\n"
        "set var $_siginfo._sifields._sigfault.si_addr = 0x1234\n"
        "set var $_siginfo.si_code = 2\ncontinue\n"
        "set var $_siginfo._sifields._kill.si_uid = 4711\ncontinue\n"
    )
    # Of s390x the kernel tells the page only (arch/s390/mm/fault.c).
    where = "0x0" if arch == "s390x" else "0x10"
    in_order(text, "SIGSEGV", rf"\$1 = \(void \*\) {where}\b", "SIGUSR1", "exited normally")
    assert program.end() == (0, "segv code 2 addr 0x1234\nusr1 uid 4711\n")


def test_program_signals(begin: Begin) -> None:
    """The signal of the stop in which a program is let go reaches it, if QProgramSignals has it."""
    for packet, caught in ((b"QProgramSignals:e;1e", 10), (b"QProgramSignals:e", 0)):
        program = begin("aarch64", "events")
        client = Client(program.socket)
        assert client.ask(packet) == b"OK"
        assert client.ask(b"vCont;c").startswith(b"T1e")  # SIGUSR1, by gdb's number
        assert client.ask(b"D") == b"OK"
        assert program.end() == (5, END.replace("caught 10", f"caught {caught}"))


def test_thread_events(begin: Begin) -> None:
    """QThreadEvents: three threads begin and end."""
    program = begin("aarch64", "events")
    client = Client(program.socket)
    client.ask(b"qSupported:multiprocess+")
    assert client.ask(b"QThreadEvents:1") == b"OK"
    assert client.ask(b"QPassSignals:1e;14") == b"OK"
    begun, ended = [], []
    while not (answer := client.ask(b"vCont;c")).startswith(b"W"):
        if b"create:" in answer:
            begun.append(answer.split(b"thread:")[1].split(b";")[0])
        elif answer.startswith(b"w"):
            code, name = answer[1:].split(b";")
            assert int(code, 16) == 0
            ended.append(name)
    assert len(begun) == 3
    assert sorted(ended) == sorted(begun)
    assert program.end() == (5, END)


def test_libraries(begin: Begin) -> None:
    """Those of /proc/PID/maps, without the program itself."""
    program = begin("aarch64", "events")
    text = program.gdb(
        QUIET + "break loop\ncontinue\ninfo sharedlibrary\n"
        "maintenance packet qXfer:libraries-svr4:read::0,4000\ndelete\ncontinue\n"
    )
    assert "while parsing" not in text
    in_order(
        text, r"Yes .*ld-linux-aarch64\.so\.1", r"Yes .*libc\.so\.6", r"main-lm=",
        r'<library name=".*libc\.so\.6" lm="0x[0-9a-f]+" l_addr=', r"exited with code 05",
    )  # fmt: skip
    assert program.end() == (5, END)


def test_programs_one_after_the_other(begin: Begin) -> None:
    """vRun with arguments, environment and directory; R; vKill; addresses are always the same."""
    program = begin("aarch64", "started", "first")
    client = Client(program.socket)
    assert client.ask(b"!") == b"OK"
    assert client.ask(b"QDisableRandomization:1") == b"OK"
    path = str(program.program).encode().hex().encode()
    value = b"NEW=value of it".hex().encode()
    assert client.ask(b"QEnvironmentHexEncoded:" + value) == b"OK"
    assert client.ask(b"QEnvironmentUnset:" + b"HOME".hex().encode()) == b"OK"
    assert client.ask(b"QSetWorkingDir:" + b"/tmp".hex().encode()) == b"OK"
    assert client.ask(b"vKill;%x" % program.process.pid) == b"OK"
    assert client.ask(b"vRun;" + path + b";" + b"second".hex().encode()).startswith(b"T05")
    pc = client.ask(b"p20")
    assert client.ask(b"vCont;c") == b"W02"
    assert client.ask(b"QEnvironmentReset") == b"OK"
    assert client.ask(b"QSetWorkingDir:") == b"OK"
    client.send(b"R00")
    assert client.ask(b"?").startswith(b"T05")
    assert client.ask(b"p20") == pc
    assert client.ask(b"vCont;c") == b"W02"
    client.close()
    status, out = program.end()
    assert status == -9
    lines = out.splitlines()
    assert lines[0] == "second NEW=value of it HOME=none in /tmp"
    assert lines[1].startswith("second NEW=none HOME=/root in ") and lines[1] != "/tmp"
