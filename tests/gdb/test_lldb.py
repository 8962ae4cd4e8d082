"""Debian's LLDB on guests, by gdb's protocol with LLDB's own packets.

LLDB 14 knows no big-endian Arm (its table of cores has them little-endian only) and no ABI of
32-bit PowerPC, and cannot unwind RISC-V.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from qusr.debug.gdb.packets import unescape
from tests.emulators import ENVIRONMENT, need
from tests.gdb.client import Client
from tests.gdb.conftest import Begin, Debugged, in_order
from tests.gdb.test_gdb import END

QUIET = "process handle SIGUSR1 -s false -n false -p true"


def lldb(program: Debugged, *commands: str, before: tuple[str, ...] = ()) -> str:
    """What LLDB prints for commands behind the connection; `before`: those before it."""
    connect = f"process connect --plugin gdb-remote unix-connect://{program.socket}"
    words: list[str | Path] = [need("lldb"), "--no-use-colors", "--no-lldbinit", "--batch"]
    for command in ("settings set target.disable-aslr false", *before, connect, QUIET, *commands):
        words += ["-o", command]
    run = subprocess.run(
        [*words, program.program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=120, env=ENVIRONMENT,
    )  # fmt: skip
    return run.stdout


@pytest.mark.parametrize("arch", ["aarch64", "arm"])
def test_lldb(begin: Begin, arch: str) -> None:
    """Breakpoints, steps, frames, a watchpoint with both values, a call that LLDB compiles."""
    program = begin(arch, "events")
    text = lldb(
        program, "breakpoint set -n add", "continue", "bt", "frame variable x",
        "thread step-inst", "finish", "breakpoint delete -f", "expression add(4)",
        "watchpoint set variable counter",
        "continue", "continue", "watchpoint delete -f", "breakpoint set -n work -c 'n == 1'",
        "continue", "thread list", "breakpoint delete -f",
        "memory read -c 4 &counter", "detach",
    )  # fmt: skip
    in_order(
        text, r"stop reason = breakpoint 1\.1", r"frame #1: .*loop", r"frame #2: .*main",
        r"\(int\) x = 0", r"stop reason = instruction step", r"stop reason = step out",
        r"\(int\) \$1 = 0", r"new value: 0", r"old value: 0\s+new value: 1",
        r"stop reason = breakpoint 2\.1",
        r"argument=0x0*1\)", r"05 00 00 00", "detached",
    )  # fmt: skip
    assert program.end() == (5, END)


def test_big_endian(begin: Begin) -> None:
    """On s390x. (LLDB executes a static program up to the first breakpoint that it knows.)"""
    program = begin("s390x", "plain")
    text = lldb(
        program, "continue", "bt", "frame variable x", "print counter", "thread step-inst",
        "finish", "breakpoint delete -f", "watchpoint set variable counter", "continue",
        "continue", "print counter", "memory region &counter", "detach",
        before=("breakpoint set -n add",),
    )  # fmt: skip
    in_order(
        text, r"stop reason = breakpoint 1\.1", r"frame #0: .*add\(x=1\)", r"frame #1: .*main",
        r"\(int\) x = 1", r"\$0 = 0", r"stop reason = instruction step", r"stop reason = step out",
        r"\(int\) \$1 = 1", r"old value: 1\s+new value: 3", r"old value: 3\s+new value: 6",
        r"\$2 = 6", r"rw- .*plain-s390x", "detached",
    )  # fmt: skip
    assert program.end() == (9, "")


def test_packets(begin: Begin) -> None:
    """Those that are LLDB's own: what they say agrees with gdb's packets and /proc/PID/maps."""
    program = begin("aarch64", "events")
    client = Client(program.socket)
    pid = program.process.pid
    assert client.ask(b"QListThreadsInStopReply") == b"OK"
    facts = fields(client.ask(b"qProcessInfo"))
    assert facts["pid"] == f"{pid:x}" and facts["ptrsize"] == "8"
    assert bytes.fromhex(fields(client.ask(b"qHostInfo"))["triple"]) == b"aarch64--linux"
    assert fields(client.ask(b"qGDBServerVersion"))["name"] == "qusr"
    assert bytes.fromhex(client.ask(b"qGetWorkingDir").decode()) == os.getcwdb()
    register = fields(client.ask(b"qRegisterInfo20"))
    assert (register["name"], register["bitsize"], register["generic"]) == ("pc", "64", "pc")
    assert register["offset"] == "256"
    assert fields(client.ask(b"qRegisterInfo0"))["generic"] == "arg1"
    assert client.ask(b"qRegisterInfofff").startswith(b"E")
    pc = client.ask(b"p20")
    (thread,) = json.loads(unescape(client.ask(b"jThreadsInfo")))
    assert thread["tid"] == pid and thread["registers"]["32"] == pc.decode()
    where = int.from_bytes(bytes.fromhex(pc.decode()), "little")
    region = fields(client.ask(b"qMemoryRegionInfo:%x" % where))
    start, size = int(region["start"], 16), int(region["size"], 16)
    assert start <= where < start + size and region["permissions"] == "rx"
    assert b"ld-linux" in bytes.fromhex(region["name"])
    hole = fields(client.ask(b"qMemoryRegionInfo:0"))
    assert (hole["start"], hole["permissions"]) == ("0", "")
    assert client.ask(b"m%x,1" % (int(hole["size"], 16) - 1)).startswith(b"E")
    assert not client.ask(b"m%x,1" % int(hole["size"], 16)).startswith(b"E")
    number = client.ask(b"QSaveRegisterState")
    registers = client.ask(b"g")
    assert client.ask(b"P1=0102030405060708") == b"OK"
    assert client.ask(b"g") != registers
    assert client.ask(b"QRestoreRegisterState:" + number) == b"OK"
    assert client.ask(b"g") == registers
    assert client.ask(b"QRestoreRegisterState:" + number).startswith(b"E")
    assert client.ask(b"QEnableErrorStrings") == b"OK"
    assert bytes.fromhex(client.ask(b"m10,4").partition(b";")[2].decode()) == b"Input/output error"
    assert client.ask(b"QPassSignals:1e;14") == b"OK"
    assert client.ask(b"QCatchSyscalls:1;5e") == b"OK"  # exit_group
    client.ask(b"vCont;c")  # its execve
    answer = client.ask(b"vCont;c")
    assert b"syscall_entry:5e;" in answer
    assert b"threads:%x;thread-pcs:" % pid in answer, answer
    debug = client.ask(b"qShlibInfoAddr")
    # r_version of struct r_debug.
    assert client.ask(b"m" + debug + b",4") == b"01000000"
    client.close()


def fields(answer: bytes) -> dict[str, str]:
    """`key:value;` as a dictionary."""
    return dict(part.split(":", 1) for part in answer.decode().split(";") if part)
