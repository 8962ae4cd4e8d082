"""Programs that are started without Python (`native/machine/src/start/`).

The command line is the launcher's, with code that says so on standard error when Python runs after
all. Both ways of it: the extension preloaded into Python, and the extension itself, which loads
Python when it is needed.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

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


EXTENSION = REPO / "qusr/_native.abi3.so"
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
#: The library that this Python is, if it is one.
LIBRARY = Path(sys.base_prefix) / "lib" / f"libpython{_VERSION}{sys.abiflags}.so.1.0"
#: Gives another program than argv[0] names; that is Python's, by which it finds its own files.
_CALLED = ("bash", "-c", 'exec -a "$1" "${@:2}"', "-", sys.executable)


@dataclass
class Launcher:
    """Starts programs as the launcher does, with a store of its own."""

    store: Path
    late: bool = False

    @property
    def command(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """What stands for `python` in the command line, and the variable that goes with it."""
        if self.late:
            return (*_CALLED, str(EXTENSION)), {"QUSR_LIBPYTHON": str(LIBRARY)}
        return (sys.executable,), {"LD_PRELOAD": str(EXTENSION)}

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
        python, variable = self.command
        words = (*python, "-I", "-S", "-c", _CODE, "-", "-", str(len(hidden)), *hidden)
        environment = {**variable, "QUSR_CACHE_DIR": str(self.store)}
        run = Emulator((*words, name, *options), environment)
        return run(program, *args, env=env, cwd=cwd)


def early(result: Result) -> bool:
    """Whether Python was not needed."""
    return PYTHON not in result.stderr


@pytest.fixture(params=["preloaded", "executed"])
def launch(tmp_path: Path, request: pytest.FixtureRequest) -> Launcher:
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    if request.param == "executed" and not LIBRARY.exists():
        pytest.skip("this Python is no shared library")
    return Launcher(store, late=request.param == "executed")


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    copy = tmp_path / "hello"
    shutil.copy(HELLO, copy)
    return copy


@pytest.fixture
def arm64(root: Callable[..., Path]) -> Path:
    return root("aarch64")


@pytest.mark.parametrize("cache", [None, ""])
def test_a_start_needs_no_python(launch: Launcher, hello: Path, cache: str | None) -> None:
    """Neither the first nor a later one, nor one without a store."""
    env = {} if cache is None else {"QUSR_CACHE_DIR": cache}
    for words in ((), (), ("with", "arguments")):
        result = launch(hello, *words, env=env).check(len(words))
        assert early(result)
        assert b"Hello" in result.stdout


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
        ("amd64", "qusr-x86_64"),
        ("i386", "qusr-i386"),
        ("ppc", "qusr-ppc"),
        ("m68k", "qusr-m68k"),
        ("mips64", "qusr-mips64"),
        ("mipsn32", "qusr-mipsn32"),
    ],
)
def test_other_guests(
    launch: Launcher, testbin: Callable[..., Path], tmp_path: Path, arch: str, name: str
) -> None:
    program = tmp_path / "program"
    shutil.copy(testbin("be/basics", arch), program)
    first = launch(program, name=name, cwd=tmp_path).check()
    again = launch(program, name="qusr", cwd=tmp_path).check()
    assert early(first)
    assert early(again)
    assert again.stdout == first.stdout


def test_dynamic_programs(launch: Launcher, arm64: Path) -> None:
    options = ("-L", str(arm64))
    result = launch("/bin/echo", "a  b", options=options).check()
    assert result.stdout == b"a  b\n"
    assert early(result)
    assert early(launch("/bin/false", options=options).check(1))
    # Relative, and not as plain as can be.
    above = os.path.relpath(arm64, arm64.parent)
    odd = ("-L", f"./{above}//bin/..")
    assert early(launch("/bin/true", options=odd, cwd=arm64.parent).check())


def test_scripts(launch: Launcher, arm64: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('#!/bin/sh -e\nprintf \'%s \' "$0" "$@"\n')
    script.chmod(0o755)
    result = launch(script, "a", options=("-L", str(arm64))).check()
    assert result.stdout == b"%s a " % bytes(script)
    assert early(result)


def test_ids_that_stay_the_same(launch: Launcher, arm64: Path) -> None:
    """posix_spawn(3) with POSIX_SPAWN_RESETIDS: setresuid(2) and setresgid(2), 147 and 149."""
    same = "syscall(147, -1, $< + 0, -1); syscall(149, -1, $( + 0, -1)"
    options = ("-L", str(arm64))
    assert early(launch("/usr/bin/perl", "-e", same, options=options).check())
    # Behind these nothing may be left to import from.
    groups = "$s = pack('L', $( + 0); syscall(159, 1, $s)"
    assert not early(launch("/usr/bin/perl", "-e", groups, options=options).check())


@pytest.mark.parametrize("arch", ["aarch64", "arm"])
def test_memory_is_as_python_makes_it(
    launch: Launcher, root: Callable[..., Path], arch: str
) -> None:
    """With what the kernel maps into each program, as arm's page of helpers."""
    command = ("/bin/cat", "/proc/self/maps")
    options = ("-L", str(root(arch)))
    first, again = (
        launch(*command, options=options, name=f"qusr-{arch}", env=env)
        for env in ({"QUSR_DEBUG": "1"}, {})
    )
    assert not early(first)
    assert early(again)
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
    ours = (b"LD_PRELOAD", b"QUSR_LIBPYTHON")
    assert not any(line.startswith(ours) for line in seen[1])


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


def test_a_program_is_executed_by_its_descriptor(launch: Launcher, arm64: Path) -> None:
    """execveat(2), 281 on arm64, with AT_EMPTY_PATH; false is another program than perl."""
    code = 'open(F, "<", "/bin/false"); $e = ""; syscall(281, fileno(F), $e, 0, 0, 4096)'
    result = launch("/usr/bin/perl", "-e", code, options=("-L", str(arm64)))
    assert early(result.check(1))


def test_programs_that_binfmt_misc_hands_over(launch: Launcher, arm64: Path) -> None:
    """Open, with a name of its own (flags O and P)."""
    code = _CODE.replace("#qusr-start command", "#qusr-start binfmt").replace(
        "interp.command()", "interp.main()"
    )
    python, variable = launch.command
    environment = {
        **ENVIRONMENT,
        **variable,
        "QUSR_CACHE_DIR": str(launch.store),
        "QUSR_LD_PREFIX": str(arm64),
    }
    program = str(arm64 / "bin/sh")
    script = 'echo "$0"; ls /proc/self/fd | wc -l'
    for _ in range(2):
        with open(program, "rb") as file:
            fd = file.fileno()
            words = [str(fd), "-P", "0", program, "name", "-c", script]
            run = subprocess.run(
                [*python, "-I", "-S", "-c", code, *words],
                env=environment, pass_fds=[fd], capture_output=True, check=True,
            )  # fmt: skip
        # 0, 1, 2, and the one that lists them: the program's is closed.
        assert run.stdout == b"name\n4\n"
        assert run.stderr.count(PYTHON) == 0
        with open(HELLO, "rb") as file:
            fd = file.fileno()
            run = subprocess.run(
                [*python, "-I", "-S", "-c", code, str(fd), "-", "0", str(HELLO)],
                env=environment, pass_fds=[fd], capture_output=True, check=True,
            )  # fmt: skip
        assert run.stderr.count(PYTHON) == 0


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("(exit 3); echo $?", b"3\n"),
        ("/bin/true; /bin/echo a | /bin/cat", b"a\n"),
        ("x=$(/bin/echo b); echo $x; /bin/false || echo c", b"b\nc\n"),
        ("exec /bin/echo d", b"d\n"),
        ("/does/not/exist; echo $?", b"127\n"),
        ("(kill -TERM $$) & wait; echo not reached", b""),
        ("ulimit -c 0; sh -c 'kill -SEGV $$'; echo $?", b"139\n"),
        ("perl -e 'fork or exit; syscall(260, -1, 0, 0, 0); print \"waited\"'", b"waited"),
    ],
)
def test_children_need_no_python(
    launch: Launcher, arm64: Path, command: str, output: bytes
) -> None:
    """Neither forks nor the programs that children execute."""
    result = launch("/bin/sh", "-c", command, options=("-L", str(arm64)))
    assert result.stdout == output
    assert early(result)


@pytest.mark.parametrize("check", ["chroot", "setuid", "mount_namespace"])
def test_who_gives_up_his_files_needs_no_python(
    launch: Launcher, testbin: Callable[..., Path], tmp_path: Path, check: str
) -> None:
    """The first of all starts one, which leaves what another begins with that has no files."""
    program = testbin("c/process/confined", "aarch64")
    reasons = []
    for _ in range(2):
        result = launch(program, check, options=("-d", "python"), cwd=tmp_path).check()
        assert result.stdout == f"ok {check}\n".encode()
        reasons.append(result.stderr.count(b"files out of reach"))
        # What the program does at last needs one all the same.
        assert b"python starts" in result.stderr
    assert reasons == [1, 0]


def test_a_log_stays_open(launch: Launcher, testbin: Callable[..., Path], tmp_path: Path) -> None:
    """Python has it opened before it is out of reach."""
    program = testbin("c/process/confined", "aarch64")
    log = tmp_path / "log"
    for _ in range(2):
        launch(program, "chroot", options=("-d", "python", "-D", str(log)), cwd=tmp_path).check()
        assert "python: killed 15" in log.read_text()


def test_damage_to_what_was_left_for_it(
    launch: Launcher, testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """Is as if nothing had been left."""
    program = testbin("c/process/confined", "aarch64")
    launch(program, "setuid", cwd=tmp_path).check()
    (boot,) = launch.store.glob("boot-*")
    data = bytearray(boot.read_bytes())
    data[-1] ^= 1
    boot.write_bytes(data)
    assert launch(program, "setuid", cwd=tmp_path).check().stdout == b"ok setuid\n"


@pytest.mark.parametrize("arch", ["aarch64", "arm"])
@pytest.mark.parametrize("program", ["atomics", "monitor", "sync", "beside spawns"])
def test_threads_need_no_python(
    launch: Launcher, testbin: Callable[..., Path], tmp_path: Path, arch: str, program: str
) -> None:
    name, *checks = program.split()
    path = testbin(f"c/threads/{name}", arch)
    result = launch(path, *checks, name=f"qusr-{arch}", cwd=tmp_path).check()
    assert early(result)


@pytest.mark.parametrize(
    "code",
    [
        "import threading as t; a = [t.Thread(target=print, args=(i,)) for i in range(9)];"
        "[x.start() for x in a]; [x.join() for x in a]",
        "import subprocess as s, threading as t;"
        "a = t.Thread(target=s.run, args=(['/bin/true'],)); a.start(); a.join()",
        "import os, threading as t;"
        "a = t.Thread(target=lambda: os.fork() or os._exit(0)); a.start(); a.join(); os.wait()",
        "import os, threading as t;"
        "t.Thread(target=os.execv, args=('/bin/true', ['true'])).start(); t.Event().wait()",
        "import os, threading as t; t.Thread(target=os._exit, args=(0,)).start(); t.Event().wait()",
    ],
)
def test_what_threads_do_needs_no_python(launch: Launcher, arm64: Path, code: str) -> None:
    """Neither children nor other programs nor the process's end."""
    options = ("-L", str(arm64))
    assert early(launch("/usr/bin/python3", "-c", code, options=options).check())


@pytest.mark.parametrize("check", ["looks", "forks", "vforks", "executes"])
def test_threads_come_to_python_one_by_one(
    launch: Launcher, testbin: Callable[..., Path], tmp_path: Path, check: str
) -> None:
    """It is started once in a process, by whichever thread needs it first."""
    log = tmp_path / "log"
    options = ("-d", "python", "-D", str(log))
    launch(testbin("c/threads/beside", "aarch64"), check, options=options, cwd=tmp_path).check()
    entries = [line.partition(" ") for line in log.read_text().splitlines()]
    starts = [pid for pid, _, what in entries if what.startswith("python starts: ")]
    assert starts
    assert len(starts) == len(set(starts))
    assert any(what.startswith("python: ") for _, _, what in entries)


def test_a_log_says_what_python_is_needed_for(
    launch: Launcher, arm64: Path, tmp_path: Path
) -> None:
    options = ("-L", str(arm64), "-d", "python", "-D", str(tmp_path / "log"))
    assert early(launch("/bin/true", options=options).check())
    assert not (tmp_path / "log").exists()
    assert not early(launch("/bin/cat", "/proc/self/smaps_rollup", options=options).check())
    first = (tmp_path / "log").read_text().splitlines()[0]
    assert first.endswith("python starts: a file of /proc")


def test_a_damaged_store_does_no_harm(launch: Launcher, hello: Path) -> None:
    launch(hello)
    for file in launch.store.iterdir():
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    assert early(launch(hello).check())
    launch.store.chmod(0o777)
    assert early(launch(hello).check())


@pytest.mark.parametrize(
    "case",
    [
        {"options": ("-0", "other")},
        {"options": ("-s", "1M", "-R", "4G", "-r", "6.1", "-seed", "5", "-p", "4096")},
        {"options": ("-E", "A=1", "-U", "HOME", "-opt", "no-fold", "-core", "native")},
        {"options": ("-cpu", "cortex-a53")},
        {"options": ("-core", "unicorn")},
        {"env": {"QUSR_CORE": "unicorn"}},
        {"env": {"QEMU_SET_ENV": "A=1", "QUSR_CPU": "max"}},
    ],
)
def test_options_need_no_python(launch: Launcher, hello: Path, case: dict[str, object]) -> None:
    result = launch(hello, **case).check()  # type: ignore[arg-type]
    assert early(result)
    assert b"Hello" in result.stdout


@pytest.mark.parametrize(
    "case",
    [{"options": ("-strace",)}, {"options": ("-d", "page")}],
)
def test_what_is_pythons(launch: Launcher, hello: Path, case: dict[str, object]) -> None:
    result = launch(hello, **case)  # type: ignore[arg-type]
    assert not early(result.check())
    assert b"Hello" in result.stdout


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (("-cpu", "pentium"), 1, "no CPU 'pentium' for aarch64: -cpu help lists them"),
        (("-s", "x"), 1, "-s x: not a number"),
        (("-nonsense",), 1, "unknown option '-nonsense' (-help lists them)"),
        (("-R", "64k"), 126, "no room for a stack: the guest has 0x10000 bytes"),
        (("-opt", "no-such"), 1, "no such optimisation: such"),
    ],
)
def test_refusals_need_no_python(
    launch: Launcher, hello: Path, options: tuple[str, ...], status: int, text: str
) -> None:
    result = launch(hello, options=options).check(status)
    assert early(result)
    (line,) = result.err.splitlines()
    assert line.startswith("qusr-aarch64: ")
    assert text in line


def test_the_wrong_command_says_so(launch: Launcher, hello: Path) -> None:
    result = launch(hello, name="qusr-arm").check(126)
    assert b"use qusr-aarch64" in result.stderr


def test_files_that_cannot_be_executed(launch: Launcher, hello: Path) -> None:
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
    for _ in range(2):
        result = launch("./shell", "-c", command, options=("-L", str(arm64)), cwd=tmp_path).check(4)
        assert result.stdout == b"/usr/bin/readlink\nshell\n"


#: Of `native/python/build.rs`.
_MARK = 0x7151_7573_7200_0000


def test_the_extension_needs_no_python_to_be_loaded() -> None:
    """Nothing of Python's is left to the linker, and its numbers stand where they are replaced."""
    names = (REPO / "native/python/python.symbols").read_text().split()
    with EXTENSION.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        undefined = {s.name for s in symbols.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"}
        sections = [
            (section.name, section.data())
            for section in elf.iter_sections()
            if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & SH_FLAGS.SHF_WRITE
        ]
    assert not undefined & set(names)
    marks = range(_MARK, _MARK + 16 * len(names), 16)
    found = Counter(
        name
        for name, data in sections
        for (word,) in struct.iter_unpack("<Q", data[: len(data) & ~7])
        if word in marks
    )
    assert found == {".got": len(names)}


@pytest.mark.skipif(not LIBRARY.exists(), reason="this Python is no shared library")
def test_no_python_is_loaded_before_it_is_needed(arm64: Path) -> None:
    """Nor by the launcher. It comes when the guest looks at a file that Python makes."""
    script = "echo a; read x; read x </proc/self/smaps_rollup; echo b; read x"
    launcher = Path(sys.executable).with_name("qusr-aarch64")
    with subprocess.Popen(
        [launcher, "-L", arm64, "/bin/sh", "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT,
    ) as run:  # fmt: skip
        assert run.stdin is not None
        assert run.stdout is not None
        maps = Path(f"/proc/{run.pid}/maps")
        assert run.stdout.readline() == b"a\n"
        assert str(LIBRARY) not in maps.read_text()
        run.stdin.write(b"\n")
        run.stdin.flush()
        assert run.stdout.readline() == b"b\n"
        assert str(LIBRARY) in maps.read_text()
        run.stdin.close()
        assert run.wait(30) == 1
