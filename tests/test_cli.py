"""The command line: qemu-user's options, their variables, and what comes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from qusr.cli import Command, CommandError
from tests.emulators import ARCHES, ENVIRONMENT, REPO, Emulator

PREBUILT = REPO / "testbins" / "prebuilt"
HELLO = PREBUILT / "hello-aarch64"
GREETING = "Hello from aarch64!\n"


def command(
    words: Sequence[str], environ: Mapping[str, str] | None = None, name: str = "qusr-aarch64"
) -> Command:
    found = Command(name, environ or {})
    found.parse(words)
    return found


# --- reading the command line ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "guest"),
    [
        ("qusr", None), ("qusr-arm", "arm"), ("qusr-armhf", "arm"), ("qusr-armel", "arm"),
        ("qusr-armeb", "armeb"), ("qusr-aarch64", "aarch64"), ("qusr-arm64", "aarch64"),
        ("qusr-aarch64_be", "aarch64_be"), ("qemu-aarch64", "aarch64"),
        ("qemu-arm-static", "arm"), ("other-arm", None),
    ],
)  # fmt: skip
def test_guest_of_a_name(name: str, guest: str | None) -> None:
    assert Command(name, {}).guest == guest


def test_everything_after_the_program_is_its_own() -> None:
    found = command(["-L", "/root", "./prog", "-L", "x", "--", "-strace"])
    assert found.argv == ["./prog", "-L", "x", "--", "-strace"]
    assert found.text("L") == "/root"
    assert not found.flag("strace")
    assert command(["--", "-prog"]).argv == ["-prog"]


def test_options_go_before_variables() -> None:
    environ = {"QEMU_UNAME": "1.2", "QUSR_CPU": "mine", "QEMU_CPU": "theirs"}
    found = command(["./prog"], environ)
    assert (found.text("r"), found.text("cpu")) == ("1.2", "mine")
    found = command(["-r", "3.4", "-cpu", "max", "./prog"], environ)
    assert (found.text("r"), found.text("cpu")) == ("3.4", "max")


def test_two_dashes_are_one() -> None:
    found = command(["--strace", "--cpu", "max", "prog"])
    assert found.flag("strace")
    assert found.text("cpu") == "max"


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [("65536", 65536), ("0x10000", 65536), ("0200000", 65536), ("64k", 65536), ("64K", 65536),
     ("1M", 1 << 20), ("1G", 1 << 30)],
)  # fmt: skip
def test_stack_size(value: str, bytes_: int) -> None:
    assert command(["-s", value, "p"]).number("s") == bytes_
    assert command(["p"], {"QEMU_STACK_SIZE": value}).number("s") == bytes_


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [("0x40000000", 1 << 30), ("1G", 1 << 30), ("512M", 512 << 20), ("4096k", 4 << 20),
     ("0", None)],
)  # fmt: skip
def test_reserved_va(value: str, bytes_: int | None) -> None:
    assert command(["-R", value, "p"]).options().reserved_va == bytes_


def test_environment() -> None:
    inherited = {b"A": b"1", b"B": b"2", b"C": b"3"}
    assert command(["p"]).environment(inherited) is None
    # The last change stays; the variables' changes come first.
    found = command(
        ["-E", "A=x,D=y", "-U", "B", "-E", "C=a=b", "-U", "D", "p"],
        {"QEMU_SET_ENV": "D=0,E=5,F=6", "QEMU_UNSET_ENV": "F"},
    )
    assert found.environment(inherited) == [b"A=x", b"C=a=b", b"E=5"]


@pytest.mark.parametrize(
    "words",
    [
        ["-nonsense", "p"], ["-L"], ["-E", "A", "p"], ["-E", "=x", "p"], ["-U", "A=b", "p"],
        ["-s", "big", "p"], ["-s", "0", "p"], ["-s", "1T", "p"], ["-R", "1Q", "p"],
        ["-R", "100", "p"], ["-B", "x", "p"], ["-B", "0x123", "p"], ["-seed", "1x", "p"],
        ["-core", "fast", "p"], ["-", "p"],
    ],
)  # fmt: skip
def test_refused(words: list[str]) -> None:
    with pytest.raises(CommandError) as error:
        command(words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "variables", "told"),
    [
        (["-one-insn-per-tb"], {}, "-one-insn-per-tb"), (["-singlestep"], {}, "-singlestep"),
        (["-tb-size", "64"], {}, "-tb-size"), (["-trace", "x"], {}, "-trace"),
        (["-plugin", "x.so"], {}, "-plugin"), (["-p", "65536"], {}, "-p 65536"),
        ([], {"QEMU_SINGLESTEP": "1"}, "-singlestep"), ([], {"QEMU_TRACE": "x"}, "-trace"),
        (["-d", "mmu,trace:x,vpu"], {}, ""), ([], {"QEMU_NOTHING": "1"}, ""),
        (["-trace", "x", "-p", "65536", "-strace"], {}, "-trace"),
    ],
)  # fmt: skip
def test_what_does_nothing_is_one_warning(
    words: list[str], variables: dict[str, str], told: str, qusr: Callable[[str], Emulator]
) -> None:
    """The program runs all the same."""
    emulator = qusr("aarch64")
    run = subprocess.run(
        [*emulator.prefix, *words, REPO / "testbins/prebuilt/hello-aarch64"],
        env={**ENVIRONMENT, **emulator.environment, **variables},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "Hello from aarch64!\n")
    warnings = [line for line in run.stderr.splitlines() if line.startswith("qusr: warning: ")]
    assert len(warnings) == bool(told)
    assert all(told in line for line in warnings)


def test_dfilter_is_looked_at_without_logs() -> None:
    with pytest.raises(CommandError, match="-dfilter zzz: not"):
        command(["-dfilter", "zzz", "p"]).options()


# --- running ------------------------------------------------------------------------


@pytest.fixture
def run(qusr: Callable[[str], Emulator]) -> Emulator:
    return qusr("aarch64")


@pytest.mark.parametrize(
    "name",
    ["qusr", "qusr-arm", "qusr-armhf", "qusr-armel", "qusr-aarch64", "qusr-arm64"],
)
def test_commands(name: str, qusr: Callable[[str], Emulator]) -> None:
    arch = "aarch64" if "64" in name or name == "qusr" else "arm"
    result = qusr(name.removeprefix("qusr").removeprefix("-"))(PREBUILT / f"hello-{arch}").check()
    assert result.out == f"Hello from {arch}!\n"


def test_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "qusr", HELLO], capture_output=True, text=True, cwd=REPO, timeout=60,
        check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (0, GREETING, "")


def test_no_path_lookup(run: Emulator, tmp_path: Path) -> None:
    """As qemu-user: a name without a slash is a file of this folder."""
    program = tmp_path / "hello"
    program.write_bytes(HELLO.read_bytes())
    program.chmod(0o755)
    run("hello", cwd=tmp_path).check()
    run("hello", env={"PATH": str(tmp_path)}).check(127)


@pytest.mark.parametrize("arch", ARCHES)
def test_options_reach_the_guest(
    arch: str, qusr: Callable[[str], Emulator], root: Callable[[str], Path]
) -> None:
    def shell(script: str, *options: str, env: Mapping[str, str] | None = None) -> str:
        result = qusr(arch)("/bin/bash", "-c", script, root=root(arch), options=options, env=env)
        return result.check().out

    assert shell("echo $A-$B-${HOME-unset}", "-E", "A=1,B=2", "-U", "HOME") == "1-2-unset\n"
    assert shell("echo $A", env={"QEMU_SET_ENV": "A=5"}) == "5\n"
    assert shell("/bin/uname -r", "-r", "4.5.6-mine") == "4.5.6-mine\n"
    assert shell("/bin/uname -r", "-r", "") == f"{os.uname().release}\n"
    assert shell("/bin/uname -r", env={"QUSR_UNAME": "9.8", "QEMU_UNAME": "1"}) == "9.8\n"


def test_argv0(run: Emulator, root: Callable[[str], Path]) -> None:
    script = "read -rd '' name < /proc/self/cmdline; echo $name"
    result = run("/bin/bash", "-c", script, root=root("aarch64"), options=["-0", "another"])
    assert result.check().out == "another\n"


def test_seed(run: Emulator, root: Callable[[str], Path]) -> None:
    def stack_bytes(*options: str) -> str:
        """The 16 bytes that AT_RANDOM (25) points to."""
        script = (
            "import ctypes; libc = ctypes.CDLL(None); libc.getauxval.restype = ctypes.c_void_p;"
            "print(ctypes.string_at(libc.getauxval(25), 16).hex())"
        )
        return run("/usr/bin/python3", "-c", script, root=root("aarch64"), options=options).out

    first = stack_bytes("-seed", "42")
    assert len(first) == 33
    assert stack_bytes("-seed", "42") == first
    assert stack_bytes("-seed", "43") != first
    assert stack_bytes() != stack_bytes()


def test_exit_status(run: Emulator, root: Callable[[str], Path]) -> None:
    for status in (0, 1, 42, 255):
        run("/bin/bash", "-c", f"exit {status}", root=root("aarch64")).check(status)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE])
def test_death_by_signal(number: int, run: Emulator, root: Callable[[str], Path]) -> None:
    run("/bin/bash", "-c", f"kill -{number} $$", root=root("aarch64")).check(-number)


def test_no_core_of_the_emulator(  # but one of the guest: tests/test_core_dump.py
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path], tmp_path: Path
) -> None:
    prefix = qusr("aarch64").prefix
    program = testbin("c/crash/null", "aarch64")
    script = 'ulimit -c unlimited; "$@"; echo $?'
    run = subprocess.run(
        ["bash", "-c", script, "-", *prefix, program], capture_output=True, text=True, cwd=tmp_path,
        timeout=60, check=False,
    )  # fmt: skip
    assert run.stdout.splitlines()[-1] == "139"
    # Where core_pattern leads elsewhere there is no file; e_machine is at 18 (elf(5)).
    for core in tmp_path.iterdir():
        assert int.from_bytes(core.read_bytes()[18:20], "little") == 183  # EM_AARCH64


def test_sigpipe_is_not_ignored(run: Emulator, root: Callable[[str], Path]) -> None:
    """Python ignores SIGPIPE and SIGXFSZ: the guest must not see that."""
    result = run("/bin/grep", "SigIgn", "/proc/self/status", root=root("aarch64")).check()
    ignored = int(result.out.split()[1], 16)
    assert not ignored >> (signal.SIGPIPE - 1) & 1
    assert not ignored >> (signal.SIGXFSZ - 1) & 1


def test_sigint_ends_the_guest(
    qusr: Callable[[str], Emulator], root: Callable[[str], Path]
) -> None:
    prefix = [*qusr("aarch64").prefix, "-L", str(root("aarch64"))]
    program = [f"{root('aarch64')}/bin/bash", "-c", "echo ready; exec sleep 100"]
    run = subprocess.Popen([*prefix, *program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"ready\n"
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=20)
    assert (run.returncode, err) == (-signal.SIGINT, b"")


# --- what the commands tell of themselves -----------------------------------------


def test_help_shows_the_sysroot(qusr: Callable[[str], Emulator], tmp_path: Path) -> None:
    run = qusr("aarch64")
    for options, env, expected in (
        (["-L", str(tmp_path), "-help"], {}, f"{tmp_path}  (by -L)"),
        (["-h"], {"QUSR_LD_PREFIX": "/a", "QEMU_LD_PREFIX": "/b"}, "/a  (by QUSR_LD_PREFIX)"),
        (["--help"], {"QEMU_LD_PREFIX": "/b"}, "/b  (by QEMU_LD_PREFIX)"),
    ):
        out = run(HELLO, options=options, env=env).check().out
        assert f"QUSR_LD_PREFIX = {expected}\n" in out
        # This one pwntools looks for: its regular expression is "QEMU_LD_PREFIX *= *(.*)".
        assert f"\nQEMU_LD_PREFIX = {expected.split('  ')[0]}\n" in out
        assert out.startswith("usage: qusr-aarch64 ")


def test_help_names_every_option(qusr: Callable[[str], Emulator]) -> None:
    out = qusr("aarch64")(HELLO, options=["-help"]).check().out
    for option in (*"LsEU0rBRdD", "cpu", "dfilter", "strace", "seed", "core", "version"):
        assert f"\n-{option} " in out


def test_version(qusr: Callable[[str], Emulator]) -> None:
    out = qusr("aarch64")(HELLO, options=["-version"]).check().out
    assert out.startswith("qusr-aarch64 version ")


@pytest.mark.parametrize("arch", ARCHES)
def test_cpu_help(arch: str, qusr: Callable[[str], Emulator]) -> None:
    out = qusr(arch)(HELLO, options=["-cpu", "help"]).check().out
    assert out.startswith("Available CPUs:\n  max ")
    assert {"aarch64": "  cortex-a72 ", "arm": "  cortex-a15 "}[arch] in out


def test_start_imports_little() -> None:
    """A start whose load plan and thunk table are cached: what costs milliseconds is not there."""
    code = (
        "import sys; sys.argv = ['qusr-aarch64', sys.argv[1]]\n"
        "import os; before = set(sys.modules)\n"
        "from qusr import thread\n"
        "leave = thread.leave\n"
        "def show(how):\n"
        "    print(*(set(sys.modules) - before), sep='\\n', file=sys.stderr); leave(how)\n"
        "thread.leave = show\n"
        "from qusr.cli import main; main()\n"
    )
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(REPO)!r})\n{code}",
             HELLO],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    modules = set(run.stderr.split())
    assert "qusr.process" in modules
    heavy = {
        "argparse", "collections", "dataclasses", "enum", "functools", "inspect", "re", "signal",
        "subprocess", "typing", "capstone", "elftools", "unicorn", "qusr.syscalls.decl",
        "qusr.syscalls.layout", "qusr.debug.log",
    }  # fmt: skip
    assert modules & heavy == set()
