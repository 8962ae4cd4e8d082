"""The logs of -d: what they hold, in qemu-user's forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import ARCHES, REPO, Emulator

PREBUILT = REPO / "testbins" / "prebuilt"
INSTRUCTION = re.compile(r"0x([0-9a-f]{8,16}):  ([0-9a-f]{4,8}) +(\S+)")
#: The first block of testbins/hello's start.
ENTRY = {"aarch64": 0x4000DC, "arm": 0x10090}


def log_of(emulator: Emulator, arch: str, *options: str) -> str:
    result = emulator(PREBUILT / f"hello-{arch}", options=options).check()
    assert result.out == f"Hello from {arch}!\n"
    return result.err


def instructions(text: str) -> list[tuple[int, str]]:
    """(address, code) of each instruction in a log."""
    return [(int(at, 16), code) for at, code, _ in INSTRUCTION.findall(text)]


@pytest.mark.parametrize("arch", ARCHES)
def test_in_asm_as_qemu(
    arch: str, qusr: Callable[[str], Emulator], qemu: Callable[[str], Emulator]
) -> None:
    """The same instructions at the same addresses, whatever the blocks and the words."""
    emulator = qusr(arch)
    ours = instructions(log_of(emulator, arch, "-d", "in_asm"))
    theirs = instructions(log_of(qemu(arch), arch, "-d", "in_asm"))
    assert len(theirs) > 50
    assert set(ours) == set(theirs)


@pytest.mark.parametrize("arch", ARCHES)
def test_dfilter(arch: str, qusr: Callable[[str], Emulator]) -> None:
    entry = ENTRY[arch]
    for span in (f"{entry:#x}..{entry + 3:#x}", f"{entry:#x}+4", f"{entry + 3:#x}-4"):
        text = log_of(qusr(arch), arch, "-d", "in_asm,exec", "-dfilter", span)
        assert text.count("IN:") == 1
        assert text.count("Trace") == 1
        assert instructions(text)[0][0] == entry


@pytest.mark.parametrize("arch", ARCHES)
def test_exec_as_qemu(
    arch: str, qusr: Callable[[str], Emulator], qemu: Callable[[str], Emulator]
) -> None:
    """The first blocks are executed in the same order."""
    ours = re.findall(r"Trace \d+: \[([0-9a-f]+)\]", log_of(qusr(arch), arch, "-d", "exec"))
    text = log_of(qemu(arch), arch, "-d", "exec,nochain")
    theirs = re.findall(r"Trace 0: \S+ \[[0-9a-f]+/([0-9a-f]+)/", text)
    assert [int(at, 16) for at in ours][:20] == [int(at, 16) for at in theirs][:20]


@pytest.mark.parametrize("name", ["native", "unicorn"])
def test_cpu(name: str, qusr: Callable[[str], Emulator]) -> None:
    text = log_of(qusr("aarch64"), "aarch64", "--core", name, "-d", "cpu")
    first = text.split(" PC=", 1)
    assert "X0=0000000000000000" in first[0]
    assert first[1].startswith(f"{ENTRY['aarch64']:016x}")
    text = log_of(qusr("arm"), "arm", "--core", "unicorn", "-d", "cpu")
    assert f"PC={ENTRY['arm']:08x}" in text
    assert "R13" in text or "SP=" in text


@pytest.mark.parametrize("name", ["native", "unicorn"])
def test_thumb(
    name: str,
    qusr: Callable[[str], Emulator],
    qemu: Callable[[str], Emulator],
    root: Callable[[str], Path],
) -> None:
    """armhf's programs are Thumb code: two-byte instructions among them, at even addresses."""
    folder = root("arm")
    result = qusr("arm")(
        "/bin/true", root=folder, options=["--core", name, "-d", "in_asm,exec,cpu"]
    ).check()
    assert "IN: (Thumb)" in result.err
    assert re.search(r": {2}[0-9a-f]{4} {6}(push|mov|movs|cmp|ldr|bx)\b", result.err)
    traces = re.findall(r"Trace \d+: \[([0-9a-f]{8})\]\n", result.err)
    registers = re.findall(r"\bPC=([0-9a-f]{8})\b", result.err)
    assert traces == registers and len(traces) > 1000
    # The loader's first block: blocks later on may end elsewhere.
    theirs = qemu("arm")("/bin/true", root=folder, options=["-d", "in_asm"]).check().err
    first = instructions(theirs)[0][1]
    assert instructions(result.err)[0][1] == first
    assert traces[0][-3:] == f"{instructions(theirs)[0][0]:08x}"[-3:]


@pytest.mark.parametrize("arch", ARCHES)
def test_page(arch: str, qusr: Callable[[str], Emulator]) -> None:
    lines = log_of(qusr(arch), arch, "-d", "page").splitlines()
    digits = {"aarch64": 16, "arm": 8}[arch]
    assert lines[0].startswith("guest_base ")
    assert f"{'start':<{digits}} {'end':<{digits}} {'size':<{digits}} prot" in lines
    (entry,) = [line for line in lines if line.startswith("entry ")]
    assert int(entry.split()[1], 16) == ENTRY[arch]
    assert any(re.fullmatch(r"[0-9a-f]+-[0-9a-f]+ [0-9a-f]+ r-x", line) for line in lines)


def test_int(qusr: Callable[[str], Emulator], testbin: Callable[..., Path]) -> None:
    result = qusr("aarch64")(testbin("c/crash/undefined", "aarch64"), options=["-d", "int"])
    assert "SIGILL" in result.check(-4).err


def test_unimp(qusr: Callable[[str], Emulator], testbin: Callable[..., Path]) -> None:
    """The C library asks for rseq(2) (293 on AArch64) when a program starts."""
    program = testbin("c/ident/limits", "aarch64")
    line = "system call rseq (293): not implemented, ENOSYS\n"
    assert qusr("aarch64")(program, "uname", options=["-d", "unimp"]).check().err.startswith(line)
    assert qusr("aarch64")(program, "uname").check().err == ""


def test_items_that_a_core_does_not_have(qusr: Callable[[str], Emulator]) -> None:
    text = log_of(qusr("aarch64"), "aarch64", "--core", "unicorn", "-d", "op,out_asm")
    assert text.count("\n") == 1
    assert "--core native" in text


def test_native_core(qusr: Callable[[str], Emulator]) -> None:
    options = ("--core", "native", "-d", "in_asm,op,out_asm,exec", "-dfilter", "0x4000dc+4")
    text = log_of(qusr("aarch64"), "aarch64", *options)
    assert [at for at, _ in instructions(text)] == [0x4000DC, 0x4000E0, 0x4000E4, 0x4000E8]
    assert "OP:\n ---- 0x4000dc\n" in text
    assert re.search(r"OUT:\n\+0x0000:  [0-9a-f]+ +\w+", text)
    assert re.search(r"Trace \d+: \[00000000004000dc\]", text)


def test_file_names(qusr: Callable[[str], Emulator], tmp_path: Path) -> None:
    log_of(qusr("aarch64"), "aarch64", "-d", "strace", "-D", str(tmp_path / "log.%d"))
    (log,) = tmp_path.iterdir()
    pid = log.suffix[1:]
    first, second, *_ = log.read_text().splitlines()
    assert first.startswith(f"{pid} execve(") and second.startswith(f"{pid} write(1, ")


def test_a_file_for_each_thread(
    qusr: Callable[[str], Emulator], root: Callable[[str], Path], tmp_path: Path
) -> None:
    script = (
        "import threading; t = threading.Thread(target=print, args=('hi',)); t.start(); t.join()"
    )
    options = ["-strace", "-d", "tid", "-D", str(tmp_path / "log.%d")]
    run = qusr("aarch64")(
        "/usr/bin/python3", "-c", script, root=root("aarch64"), options=options
    ).check()
    assert (run.out, run.err) == ("hi\n", "")
    logs = sorted(tmp_path.iterdir())
    assert len(logs) == 2
    for log in logs:
        lines = log.read_text().splitlines()
        assert all(line.startswith(f"{log.suffix[1:]} ") for line in lines)
        assert not [line for line in lines if "unfinished" in line]


def test_the_guest_cannot_close_the_log(
    qusr: Callable[[str], Emulator], root: Callable[[str], Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    script = "import os; os.closerange(3, 70000); os.write(1, b'done')"
    run = qusr("aarch64")(
        "/usr/bin/python3", "-c", script, root=root("aarch64"),
        options=["-strace", "-D", str(log)],
    ).check()  # fmt: skip
    assert run.out == "done"
    assert 'write(1, "done", 4) = 4' in log.read_text()
    assert log.read_text().endswith("+++ exited with 0 +++\n")
