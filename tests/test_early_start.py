"""Programs that are started without Python (`native/machine/src/start/`).

The command line is the launcher's, with code that says so on standard error when Python runs after
all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emulators import ENVIRONMENT, REPO, Emulator, Result

HELLO = REPO / "testbins/prebuilt/hello-aarch64"
PYTHON = b"Python was started\n"
_CODE = f"""#qusr-start command
import os, sys
os.write(2, {PYTHON!r})
sys.path[:0] = {[str(REPO), *(path for path in sys.path if path.endswith("-packages"))]!r}
from qusr import interp
interp.command()
"""


@dataclass
class Launcher:
    """Starts programs as the launcher does, with a store of its own."""

    store: Path

    def __call__(
        self,
        program: str | Path,
        *args: str,
        options: tuple[str, ...] = (),
        hidden: tuple[str, ...] = (),
        name: str = "qusr-aarch64",
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        """Runs it; `early` tells of the result whether Python had no part in it."""
        library = REPO / "qusr/_native.abi3.so"
        words = (sys.executable, "-I", "-S", "-c", _CODE, "-", "-", str(len(hidden)), *hidden)
        environment = {"LD_PRELOAD": str(library), "QUSR_CACHE_DIR": str(self.store)}
        run = Emulator((*words, name, *options), environment)
        return run(program, *args, env=env, cwd=cwd)


def early(result: Result) -> bool:
    """Whether Python was not needed."""
    return PYTHON not in result.stderr


@pytest.fixture
def launch(tmp_path: Path) -> Launcher:
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    return Launcher(store)


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """A copy that has not changed for long enough to be known by its times."""
    copy = tmp_path / "hello"
    shutil.copy(HELLO, copy)
    time.sleep(0.06)
    return copy


@pytest.fixture
def arm64(root: Callable[..., Path]) -> Path:
    return root("aarch64")


def test_the_second_start_needs_no_python(launch: Launcher, hello: Path) -> None:
    first = launch(hello).check()
    assert not early(first)
    for words in ((), ("with", "arguments")):
        again = launch(hello, *words).check(len(words))
        assert early(again)
        assert again.stdout == first.stdout != b""


@pytest.mark.parametrize(
    ("arch", "name"),
    [
        ("aarch64_be", "qusr-aarch64_be"),
        ("arm", "qusr-arm"),
        ("thumb", "qusr-arm"),
        ("armeb", "qusr-armeb"),
        ("armeb32", "qusr-armeb"),
        ("riscv64", "qusr-riscv64"),
        ("riscv32", "qusr-riscv32"),
        ("s390x", "qusr-s390x"),
    ],
)
def test_other_guests(
    launch: Launcher, testbin: Callable[..., Path], tmp_path: Path, arch: str, name: str
) -> None:
    program = tmp_path / "program"
    shutil.copy(testbin("be/basics", arch), program)
    time.sleep(0.06)
    first = launch(program, name=name, cwd=tmp_path).check()
    again = launch(program, name=name, cwd=tmp_path).check()
    assert (early(first), early(again)) == (False, True)
    assert again.stdout == first.stdout


def test_dynamic_programs(launch: Launcher, arm64: Path) -> None:
    options = ("-L", str(arm64))
    for number in range(2):
        result = launch("/bin/echo", "a  b", options=options).check()
        assert result.stdout == b"a  b\n"
        assert early(result) == (number == 1)
    assert launch("/bin/false", options=options).check(1)
    assert early(launch("/bin/false", options=options).check(1))
    # Another sysroot is another start, though the file is the same.
    assert not early(launch(arm64 / "bin/echo", options=("-L", "/")))


@pytest.mark.parametrize("arch", ["aarch64", "arm"])
def test_memory_is_as_python_makes_it(
    launch: Launcher, root: Callable[..., Path], arch: str
) -> None:
    """With what the kernel maps into each program, as arm's page of helpers."""
    command = ("/bin/cat", "/proc/self/maps")
    options = ("-L", str(root(arch)))
    first, again = (launch(*command, options=options, name=f"qusr-{arch}") for _ in range(2))
    assert not early(first)
    assert first.check().out == again.check().out
    if arch == "arm":
        assert "ffff0000-ffff1000 r-xp" in again.out and "[vectors]" in again.out


def test_the_environment_is_the_guests(launch: Launcher, arm64: Path) -> None:
    env = {"A": "1", "ODD": "x=y", "EMPTY": ""}
    seen = []
    for _ in range(2):
        result = launch(
            "/usr/bin/env", options=("-L", str(arm64)), hidden=("LD_DEBUG_X=1",), env=env
        )
        result.check()
        seen.append(sorted(result.stdout.splitlines()))
    assert early(result)
    assert seen[0] == seen[1]
    assert {b"A=1", b"ODD=x=y", b"EMPTY=", b"LD_DEBUG_X=1"} < set(seen[1])
    assert not any(line.startswith(b"LD_PRELOAD") for line in seen[1])


@pytest.mark.parametrize(
    ("command", "status", "output"),
    [
        ("(exit 3); echo $?", 0, b"3\n"),
        ("cd /usr && exec ./bin/env -i ./bin/printf hi", 0, b"hi"),
        ("tr '\\0' ' ' < /proc/self/cmdline", 0, None),
        ("trap 'echo caught; exit 5' INT; kill -INT $$", 5, b"caught\n"),
        ("kill -TERM $$", -signal.SIGTERM, b""),
        ("kill -SEGV $$", -signal.SIGSEGV, b""),
        ("trap '' PIPE; (trap) ; grep SigIgn /proc/self/status", 0, None),
        ("trap - PIPE; grep -E 'Sig(Ign|Cgt|Blk)' /proc/self/status", 0, None),
    ],
)
def test_python_goes_on_where_it_is_needed(
    launch: Launcher, arm64: Path, command: str, status: int, output: bytes | None
) -> None:
    """The same comes of it, whether Python was there from the beginning or came later."""
    run = [launch("/bin/sh", "-c", command, options=("-L", str(arm64))) for _ in range(2)]
    for result in run:
        result.check(status)
        assert result.stdout == (run[0].stdout if output is None else output)
    assert (launch.store).is_dir()


def test_programs_that_binfmt_misc_hands_over(launch: Launcher, arm64: Path) -> None:
    """Open, with a name of its own (flags O and P)."""
    code = _CODE.replace("#qusr-start command", "#qusr-start binfmt").replace(
        "interp.command()", "interp.main()"
    )
    environment = {
        **ENVIRONMENT,
        "LD_PRELOAD": str(REPO / "qusr/_native.abi3.so"),
        "QUSR_CACHE_DIR": str(launch.store),
        "QUSR_LD_PREFIX": str(arm64),
    }
    program = str(arm64 / "bin/sh")
    script = 'echo "$0"; ls /proc/self/fd | wc -l'
    for number in range(2):
        with open(program, "rb") as file:
            fd = file.fileno()
            words = [str(fd), "-P", "0", program, "name", "-c", script]
            run = subprocess.run(
                [sys.executable, "-I", "-S", "-c", code, *words],
                env=environment, pass_fds=[fd], capture_output=True, check=True,
            )  # fmt: skip
        # 0, 1, 2, and the one that lists them: the program's is closed.
        assert run.stdout == b"name\n4\n"
        assert run.stderr.count(PYTHON) == 1
        with open(HELLO, "rb") as file:
            fd = file.fileno()
            run = subprocess.run(
                [sys.executable, "-I", "-S", "-c", code, str(fd), "-", "0", str(HELLO)],
                env=environment, pass_fds=[fd], capture_output=True, check=True,
            )  # fmt: skip
        assert run.stderr.count(PYTHON) == 1 - number


def test_python_comes_at_once_where_it_always_comes(launch: Launcher, arm64: Path) -> None:
    """A program that was handed over for more than a child is handed over before it runs."""
    options = ("-L", str(arm64))
    for _ in range(3):
        result = launch("/bin/cat", "/proc/self/statm", options=options).check()
        assert not early(result)
    assert list(launch.store.glob("late-*"))
    # A shell's child is its own affair.
    for _ in range(2):
        launch("/bin/sh", "-c", "(exit 3); true", options=options).check()
    assert early(launch("/bin/sh", "-c", "true", options=options).check())


def test_a_program_that_changed_is_another_one(launch: Launcher, hello: Path) -> None:
    launch(hello)
    assert early(launch(hello))
    os.utime(hello, (1, 1))
    time.sleep(0.06)
    assert not early(launch(hello).check())
    assert early(launch(hello).check())


def test_a_new_dynamic_linker(launch: Launcher, arm64: Path, tmp_path: Path) -> None:
    sysroot = tmp_path / "sysroot"
    for name in ("lib/ld-linux-aarch64.so.1", "lib/aarch64-linux-gnu/libc.so.6", "bin/echo"):
        (sysroot / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(arm64 / name, sysroot / name)
    time.sleep(0.06)
    options = ("-L", str(sysroot))
    launch("/bin/echo", "x", options=options).check()
    assert early(launch("/bin/echo", "x", options=options).check())
    os.utime(sysroot / "lib/ld-linux-aarch64.so.1", (1, 1))
    time.sleep(0.06)
    assert not early(launch("/bin/echo", "x", options=options).check())
    assert early(launch("/bin/echo", "x", options=options).check())
    (sysroot / "lib/ld-linux-aarch64.so.1").unlink()
    gone = launch("/bin/echo", "x", options=options).check(127)
    assert b"no interpreter" in gone.stderr


def test_damaged_entries_are_misses(launch: Launcher, hello: Path) -> None:
    launch(hello)
    for file in launch.store.iterdir():
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    assert not early(launch(hello).check())
    assert early(launch(hello).check())
    for file in launch.store.iterdir():
        os.truncate(file, 30)
    assert not early(launch(hello).check())
    launch.store.chmod(0o777)
    assert not early(launch(hello).check())


@pytest.mark.parametrize(
    "case",
    [
        {"options": ("-strace",)},
        {"options": ("-0", "other")},
        {"env": {"QUSR_CORE": "unicorn"}},
        {"env": {"QEMU_SET_ENV": "A=1"}},
        {"env": {"QUSR_CACHE_DIR": ""}},
    ],
)
def test_what_is_not_plain_is_pythons(
    launch: Launcher, hello: Path, case: dict[str, object]
) -> None:
    launch(hello)
    result = launch(hello, **case)  # type: ignore[arg-type]
    assert not early(result.check())
    assert b"Hello" in result.stdout


def test_the_wrong_command_says_so(launch: Launcher, hello: Path) -> None:
    launch(hello)
    result = launch(hello, name="qusr-arm").check(126)
    assert b"use qusr-aarch64" in result.stderr


def test_files_that_cannot_be_executed(launch: Launcher, hello: Path) -> None:
    launch(hello)
    with hello.open("r+b"):
        busy = launch(hello)
        assert b"text file busy" in busy.stderr
    hello.chmod(0o644)
    refused = launch(hello)
    assert b"not executable" in refused.stderr


def test_a_relative_path_and_a_moved_folder(launch: Launcher, arm64: Path, tmp_path: Path) -> None:
    """Python starts behind the chdir and still knows the program."""
    command = "mkdir -p d; cd d; readlink /proc/self/exe; cat /proc/$$/comm; (exit 4)"
    shutil.copy(arm64 / "bin/sh", tmp_path / "shell")
    time.sleep(0.06)
    for _ in range(2):
        result = launch("./shell", "-c", command, options=("-L", str(arm64)), cwd=tmp_path).check(4)
        assert result.stdout == b"/usr/bin/readlink\nshell\n"
