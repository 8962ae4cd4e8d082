"""gdb-multiarch on guests. What it must say follows from tests/gdb/events.c, not from qusr."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.emulators import need
from tests.gdb.conftest import LIBC, MIPS, PLAIN, Begin, in_order, usr1

END = "status 7 caught 10 text hello counter 5\nexecuted\n"


def end(arch: str) -> str:
    """What the program prints as that guest's."""
    return END.replace("caught 10", f"caught {usr1(arch)}")


#: gdb stops for a signal; these tests are about other things.
QUIET = "handle SIGUSR1 nostop noprint pass\n"


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_breakpoints_steps_and_calls(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "break add\ncontinue\nbt\nprint x\nstepi\nfinish\ncontinue\nprint x\n"
        "delete\nprint add(1)\nbreak child\nnext\nset var counter = 4\ncontinue\n"
    )
    in_order(
        text, r"Breakpoint 1, add \(x=.*0\)", r"#0 +add", r"#1 .*loop", r"#2 .*main", r"\$1 = 0",
        r"Value returned is \$2 = 0", r"Breakpoint 1, add", r"\$3 = 1", r"\$4 = 1",
        r"exited with code 05",
    )  # fmt: skip
    status, out = program.end()
    # add(1) by hand, then what the loop adds to the 4: those of 1, 3, 5, 7 and 9.
    assert status == 5
    wanted = end(arch).replace("counter 5", "counter (8|9)")
    assert re.fullmatch(wanted, out)


def test_signed_return_addresses(begin: Begin) -> None:
    """gdb takes the authentication code off the addresses that it unwinds by."""
    program = begin("aarch64", "returns")
    text = program.gdb("break innermost\ncontinue\nbt\nup\nfinish\ncontinue\n")
    in_order(
        text, r"Breakpoint 1, innermost \(n=.*5\)", r"#0 +innermost", *(
            rf"#{n + 1} .*down \(n=(n@entry=)?{n}\)" for n in range(4)
        ), r"#5 .*main", r"#1 .*down", r"in down \(n=(n@entry=)?1\)", r"Value returned is .* = 11",
        r"exited with code 06",
    )  # fmt: skip
    assert program.end()[0] == 6


@pytest.mark.parametrize("arch", PLAIN)
def test_guests_without_a_library(begin: Begin, arch: str) -> None:
    """Registers, variables and memory in the guest's byte order."""
    program = begin(arch, "plain")
    text = program.gdb(
        "break add if x == 50\ncontinue\nprint counter\nprint x\nprint/x $pc == &add\n"
        "watch counter\ncontinue\ndelete\nset var counter = 5000\nprint counter\nkill\n"
    )
    in_order(
        text, r"Breakpoint 1, add \(x=.*50\)", r"\$1 = 1225", r"\$2 = 50", r"Hardware watchpoint 2",
        r"Old value = 1225", r"New value = 1275", r"\$4 = 5000",
    )  # fmt: skip


@pytest.mark.parametrize("arch", [*LIBC, "mips", MIPS[1]])
def test_watchpoints(begin: Begin, arch: str) -> None:
    """Stores and loads of instructions, and the kernel's for a system call."""
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "watch counter\ncontinue\ndelete\nrwatch shared[2]\ncontinue\ndelete\n"
        "watch text[0]\ncontinue\ndelete\nawatch caught\ncontinue\ndelete\ncontinue\n"
    )
    in_order(
        text, r"Old value = 0\s+New value = 1", r"read watchpoint 2: shared\[2\]\s+Value = 0",
        r"Old value = 0.*\s+New value = 104 'h'",
        rf"access \(read/write\) watchpoint 4: caught\s+Value = {usr1(arch)}",
        r"exited with code 05",
    )  # fmt: skip
    assert program.end() == (5, end(arch))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_a_breakpoint_behind_a_watched_call(begin: Begin, arch: str) -> None:
    """At the stop for what read(2) has stored the debugger puts one in, a few instructions on."""
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "watch text[0]\ncontinue\nset $there = $pc\nup\nset $back = $pc\n"
        "tbreak *$back\ncontinue\nprint $pc == $back && $pc != $there\ndelete\ncontinue\n"
    )
    in_order(
        text, r"Old value = 0.*\s+New value = 104 'h'", r"\nTemporary breakpoint 2, ", r"\$1 = 1",
        r"exited with code 05",
    )  # fmt: skip
    assert program.end() == (5, end(arch))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_condition_in_the_stub(begin: Begin, arch: str) -> None:
    """A million times: each by way of gdb would take hours."""
    program = begin(arch, "events", "many")
    text = program.gdb(QUIET + "break add if x == 999999\ncontinue\nprint counter\ncontinue\n")
    in_order(text, r"Breakpoint 1, add \(x=.*999999\)", r"\$1 = 499999", "exited with code 05")
    assert program.end()[0] == 5


@pytest.mark.parametrize("arch", [*LIBC, "mips", MIPS[1]])
def test_signals(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        "continue\nprint $_siginfo.si_signo\nbreak handler\ncontinue\nprint number\nfinish\n"
        "signal 0\n"
    )
    in_order(
        text, "Program received signal SIGUSR1", rf"\$1 = {usr1(arch)}", r"Breakpoint 1, handler",
        rf"\$2 = {usr1(arch)}", "<signal handler called>",
    )  # fmt: skip
    assert program.end() == (5, end(arch))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_a_signal_taken_away(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    program.gdb("continue\nsignal 0\n")
    assert program.end() == (5, END.replace("caught 10", "caught 0"))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_threads(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "break work\ncontinue\nprint n\nthread apply all bt 1\nset scheduler-locking on\n"
        "next\nset scheduler-locking off\ndelete\nbreak child\ncontinue\n"
    )
    in_order(text, r"New Thread", r"hit Breakpoint 1, work", r"Thread 1 ", "exited with code 05")
    assert program.end() == (5, end(arch))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_follow_the_child(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "set follow-fork-mode child\nbreak child\ncontinue\nfinish\ncontinue\n"
    )
    in_order(
        text, r"fork to child", r"hit Breakpoint 1.*child \(\)", r"Value returned is \$1 = 7",
        r"exited with code 07",
    )  # fmt: skip
    assert program.end() == (5, end(arch))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_both_sides_of_a_fork(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "set detach-on-fork off\nset schedule-multiple on\nbreak child\ncontinue\n"
        "info inferiors\ncontinue\n"
    )
    in_order(text, r"New inferior 2", r"hit Breakpoint 1.*child \(\)", "exited with code 07")


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_catchpoints(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        QUIET + "catch syscall pipe2\ncontinue\ncontinue\ndelete\ncatch fork\ncontinue\ndelete\n"
        "catch exec\ncontinue\ninfo symbol $pc\ndelete\ncontinue\n"
    )
    in_order(
        text, r"call to syscall pipe2", r"returned from syscall pipe2", r"forked process",
        r"exec'd ", "exited with code 05",
    )  # fmt: skip
    assert program.end() == (5, end(arch))


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_core_file(begin: Begin, arch: str, tmp_path: Path) -> None:
    program = begin(arch, "events")
    core = tmp_path / "core"
    program.gdb(f"break add if x == 5\ncontinue\ngenerate-core-file {core}\nkill\n")
    run = subprocess.run(
        [need("gdb-multiarch"), "-nx", "-batch", program.program, core, "-ex", "bt", "-ex",
         "print counter"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    in_order(run.stdout, r"#0 +add \(x=.*5\)", r"\$1 = 2")


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_monitor_and_information(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        "monitor help\nmonitor maps\nmonitor info registers\nmonitor nothing\ninfo auxv\n"
        "info proc mappings\ninfo os processes\nkill\n"
    )
    in_order(
        text, r"help +this list", r"r-xp .*events", r"pc +0x", "no such command: nothing",
        r"AT_ENTRY", r"events", r"events",
    )  # fmt: skip


def test_the_program_runs_on_when_the_debugger_is_gone(begin: Begin) -> None:
    program = begin("aarch64", "events")
    program.gdb(QUIET + "break add\ncontinue\ndisconnect\n")
    assert program.end() == (5, END)


def test_detach(begin: Begin) -> None:
    program = begin("aarch64", "events")
    program.gdb("break add\ncontinue\ndetach\n")
    assert program.end() == (5, END)


@pytest.mark.parametrize("arch", [*LIBC, *MIPS])
def test_monitor_tells_of_calls_and_signals(begin: Begin, arch: str) -> None:
    program = begin(arch, "events")
    text = program.gdb(
        QUIET
        + "break handler\ncontinue\nmonitor log\nmonitor syscalls on\nmonitor log strace,int\n"
        "monitor log exec\ncontinue\nmonitor log none\n"
    )
    in_order(
        text, r"strace +off", "exec can only be begun with -d", r"write\(\d+, \"hello\", 5\) = 5",
        r"read\(\d+, \"hello\", 5\) = 5", r"--- SIGCHLD \{si_signo=SIGCHLD.* ---",
        r"write\(1, \"status 7 .*\) = \d+", r"execve\(", r"exit_group\(5\) = \?",
    )  # fmt: skip
    assert program.end() == (5, end(arch))
