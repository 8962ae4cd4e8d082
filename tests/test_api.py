"""The Python API, and that the examples of its page do what the page says."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import qusr
from qusr.options import OPTIONS
from tests.emulators import ARCHES, REPO, Emulator

PREBUILT = REPO / "testbins" / "prebuilt"
PAGE = REPO / "docs" / "python-api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)


def hello(arch: str) -> str:
    return str(PREBUILT / f"hello-{arch}")


# --- the page ------------------------------------------------------------------------


def test_all_examples_are_found() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("```python") > 4


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_example(code: str, output: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, timeout=60,
        check=False,
    )  # fmt: skip
    assert run.stderr == ""
    # What the guest writes does not go through Python's buffer: the order is not asked for.
    assert sorted(run.stdout.splitlines()) == sorted(output.splitlines())


def test_the_page_of_the_command_line_has_all_options() -> None:
    page = (REPO / "docs" / "command-line.md").read_text()
    for option, variable in ((option.name, option.variable) for option in OPTIONS):
        if option in ("perfmap", "jitdump", "one-insn-per-tb"):
            continue  # of later qemu versions
        assert re.search(rf"`-{re.escape(option)}[` ]", page), option
        if option not in ("g", "singlestep", "trace", "plugin", "h", "help"):
            assert f"`{variable}`" in page, variable


def test_importing_qusr_is_free() -> None:
    code = "import sys; before = set(sys.modules); import qusr; print(set(sys.modules) - before)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, check=True
    )
    assert run.stdout.strip() in ("{'qusr'}", "{'qusr', '__future__'}", "{'__future__', 'qusr'}")


def test_unknown_name() -> None:
    with pytest.raises(AttributeError):
        _ = qusr.nonsense


# --- qusr.run ------------------------------------------------------------------------


@pytest.fixture
def bash(root: Callable[[str], Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    folder = root("aarch64")

    def run(script: str, **more: object) -> subprocess.CompletedProcess[str]:
        more.setdefault("capture_output", True)
        return qusr.run(
            [f"{folder}/bin/bash", "-c", script], sysroot=folder, text=True, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    return run


Bash = Callable[..., "subprocess.CompletedProcess[str]"]


def test_run_output_and_status(bash: Bash) -> None:
    done = bash("echo out; echo err >&2; exit 5")
    assert (done.returncode, done.stdout, done.stderr) == (5, "out\n", "err\n")
    assert done.args[1:] == ["-c", "echo out; echo err >&2; exit 5"]


def test_run_input_env_cwd(bash: Bash, tmp_path: Path) -> None:
    done = bash("read line; echo $line $A; pwd", input="given\n", env={"A": "b"}, cwd=tmp_path)
    assert done.stdout == f"given b\n{tmp_path}\n"


def test_run_environment_is_the_guests(bash: Bash) -> None:
    """PYTHONHOME would stop a Python that obeyed it."""
    done = bash("echo $PYTHONHOME", env={"PYTHONHOME": "/none", "PYTHONPATH": "/none"})
    assert (done.stdout, done.stderr) == ("/none\n", "")


def test_run_files(bash: Bash, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as file:
        done = bash(
            "echo a; echo b >&2", capture_output=False, stdout=file, stderr=subprocess.STDOUT
        )
    assert done.stdout is None
    assert out.read_text() == "a\nb\n"
    assert bash("read x || echo empty", stdin=subprocess.DEVNULL).stdout == "empty\n"


def test_run_check(bash: Bash) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        bash("exit 3", check=True)
    assert error.value.returncode == 3
    assert error.value.cmd[1:] == ["-c", "exit 3"]


def test_run_timeout(bash: Bash) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        bash("while :; do :; done", timeout=2)


def test_run_signal(bash: Bash) -> None:
    assert bash("kill -TERM $$").returncode == -15


def test_run_missing_program(tmp_path: Path) -> None:
    done = qusr.run([tmp_path / "none"], capture_output=True, text=True)
    assert done.returncode == 127
    assert done.stderr.startswith("qusr: ")


def test_run_guest(tmp_path: Path) -> None:
    assert qusr.run([hello("arm")], guest="arm", capture_output=True).returncode == 0
    assert qusr.run([hello("arm")], guest="aarch64", capture_output=True).returncode == 126


def test_run_takes_a_list() -> None:
    with pytest.raises(TypeError):
        qusr.run("ls")
    with pytest.raises(ValueError, match="empty"):
        qusr.run([])


def test_command(qusr: Callable[[str], Emulator]) -> None:
    del qusr
    from qusr.api import command

    with subprocess.Popen(command([hello("aarch64")]), stdout=subprocess.PIPE) as popen:
        assert popen.communicate(timeout=60)[0] == b"Hello from aarch64!\n"


# --- qusr.Process --------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHES)
def test_registers_and_memory(arch: str) -> None:
    process = qusr.Process([hello(arch), "first", "second"], env={"A": "1"})
    assert process.arch.name == arch
    word = process.arch.word_bits // 8
    sp = process.read_reg("sp")
    assert process.registers["sp"] == sp

    def pointer(index: int) -> int:
        return int.from_bytes(process.read(sp + index * word, word), "little")

    assert pointer(0) == 3
    assert process.read_string(pointer(2)) == b"first"
    assert process.read_string(pointer(5)) == b"A=1"
    process.write(pointer(2), b"FIRST")
    assert process.read_string(pointer(2)) == b"FIRST"
    first = "x0" if arch == "aarch64" else "r0"
    process.write_reg(first, 0x1234)
    assert process.read_reg(first) == 0x1234
    with pytest.raises(OSError) as error:
        process.read(0, 1)
    assert error.value.errno == errno.EFAULT
    assert "[stack]" in process.maps()
    assert f"hello-{arch}" in process.maps()


@pytest.mark.parametrize("arch", ARCHES)
def test_step_and_until(arch: str, capfd: pytest.CaptureFixture[str]) -> None:
    process = qusr.Process([hello(arch)])
    entry = process.pc
    assert process.step() is None
    assert process.pc == entry + 4
    seen: list[int] = []
    process.hook_code(lambda process, pc: seen.append(pc))
    assert process.run(until=entry + 12) is None
    assert process.pc == entry + 12
    assert seen == [entry + 4, entry + 8]
    exited = ended(process)
    assert (exited.status, exited.signal, exited.returncode) == (0, None, 0)
    assert process.exited is exited
    assert process.step() is exited
    assert capfd.readouterr().out == f"Hello from {arch}!\n"


def test_address_hook_steers(capfd: pytest.CaptureFixture[str]) -> None:
    """The hook on the call of the greeting returns from it at once."""
    process = qusr.Process([hello("aarch64")])
    reached = []

    def skip(process: qusr.Process) -> None:
        reached.append(process.pc)
        process.write_reg("pc", process.read_reg("x30"))

    process.hook_address(0x4001B4, skip)
    assert ended(process).status == 0
    assert reached == [0x4001B4]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("arch", ARCHES)
def test_syscall_hooks(arch: str, capfd: pytest.CaptureFixture[str]) -> None:
    process = qusr.Process([hello(arch)])
    written = []

    def write(process: qusr.Process, fd: int, address: int, size: int, *_: int) -> int:
        written.append((fd, process.read(address, size)))
        return size

    names = []
    process.add_syscall_hook(lambda process, name, args: names.append(name))
    process.set_syscall("write", write)
    assert ended(process).status == 0
    assert written == [(1, f"Hello from {arch}!\n".encode())]
    assert names == ["write", "exit_group"]
    assert capfd.readouterr().out == ""


def ended(process: qusr.Process) -> qusr.Exited:
    """Runs it to its end."""
    end = process.run()
    assert end is not None
    return end


def test_load_error(tmp_path: Path) -> None:
    with pytest.raises(qusr.LoadError) as error:
        qusr.Process([str(tmp_path / "none")])
    assert (error.value.status, error.value.errno) == (127, errno.ENOENT)


def test_usage_error() -> None:
    with pytest.raises(qusr.UsageError):
        qusr.Process([hello("arm")], options=qusr.Options(cpu="pentium"))


def test_two_guests_in_one_process(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = qusr.Process([hello("arm")]), qusr.Process([hello("aarch64")])
    second.step()
    assert ended(first).status == 0
    assert ended(second).status == 0
    assert capfd.readouterr().out == "Hello from arm!\nHello from aarch64!\n"
