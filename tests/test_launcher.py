"""The commands' launcher: what it finds, what it tells Python, and what reaches the guest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import DEPENDENCIES, REPO, Result, add_dependencies, launcher

HELLO = REPO / "testbins" / "prebuilt"
GREETING = "Hello from aarch64!\n"
PYTHON = f"python3.{sys.version_info.minor}"
SITE = f"lib/{PYTHON}/site-packages"


def install(prefix: Path, site: str = SITE, *, with_python: bool = True) -> Path:
    """What pip makes below a prefix, in short: a command (which is returned) and packages."""
    if with_python:
        venv.create(prefix, symlinks=True)
    add_dependencies(prefix / site)
    (prefix / site / "qusr").symlink_to(REPO / "qusr")
    return launcher(prefix / "bin" / "qusr-aarch64")


def run(command: Sequence[str | bytes | Path], env: Mapping[str, str] | None = None) -> Result:
    words = tuple(os.fsdecode(word) for word in command)
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=100, stdin=subprocess.DEVNULL,
        env={**emulators.ENVIRONMENT, **emulators.QUSR_ENVIRONMENT, **(env or {})},
    )  # fmt: skip
    return Result(words, done.returncode, done.stdout, done.stderr)


def one_line(result: Result, status: int, *parts: str) -> None:
    assert result.check(status).err.count("\n") == 1, result.describe()
    for part in parts:
        assert part in result.err


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def busybox() -> Path:
    """A static program that does what its argv[0] says."""
    return emulators.debian_root("aarch64") / "usr/bin/busybox-static"


# --- where the package and Python are -----------------------------------------------


@pytest.mark.parametrize("name", ["plain", "with space", "a:b", "$HOME", "q\"\\'", "é\udcff"])
def test_a_prefix_may_have_any_name_and_be_moved(tmp_path: Path, name: str) -> None:
    install(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / name)
    moved = tmp_path / name / "bin" / "qusr-aarch64"
    result = run([os.fsencode(moved), HELLO / "hello-aarch64"]).check()
    assert (result.out, result.err) == (GREETING, "")


@pytest.mark.parametrize(
    "site", [f"lib64/{PYTHON}/site-packages", f"local/lib/{PYTHON}/dist-packages",
             "lib/python3/dist-packages", "."],
)  # fmt: skip
def test_packages_where_distributions_put_them(tmp_path: Path, site: str) -> None:
    command = install(tmp_path, site)
    assert run([command, HELLO / "hello-aarch64"]).check().out == GREETING


def test_editable_installation(tmp_path: Path) -> None:
    command = install(tmp_path)
    (tmp_path / SITE / "qusr").unlink()
    (tmp_path / SITE / "qusr.pth").write_text(str(REPO))
    assert run([command, HELLO / "hello-aarch64"]).check().out == GREETING


def test_python_out_of_path(tmp_path: Path) -> None:
    """`pip install --user` for a Python that is a script (pyenv's): not beside the command."""
    command = install(tmp_path / "user", "lib/python3.99/site-packages", with_python=False)
    script = tmp_path / "bin" / "python3.99"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "preload=$LD_PRELOAD"\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    result = run([command, HELLO / "hello-aarch64"], {"PATH": f"none:{script.parent}:/bin"})
    assert (result.check().out, result.err) == ("preload=\n" + GREETING, "")


def test_found_by_pythons_own_search(tmp_path: Path) -> None:
    """Nothing of qusr is near the command: Python with site, and PYTHONPATH, may know it."""
    command = launcher(tmp_path / "bin" / "qusr-aarch64")
    (command.parent / "python3").symlink_to(sys.executable)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "qusr").symlink_to(REPO / "qusr")
    add_dependencies(tmp_path / "elsewhere")
    result = run([command, HELLO / "hello-aarch64"], {"PYTHONPATH": str(tmp_path / "elsewhere")})
    assert (result.check().out, result.err) == (GREETING, "")


def test_no_package(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    command = launcher(tmp_path / "bin" / "qusr-aarch64")
    # The current folder, which has one, is no place to look.
    env = {"PWD": str(REPO)}
    done = subprocess.run(
        [command, "x"], cwd=REPO, env=env, capture_output=True, check=False, timeout=100
    )
    result = Result((str(command),), done.returncode, done.stdout, done.stderr)
    one_line(result, 126, "qusr-aarch64: the Python package qusr does not work", "No module named")


def test_no_python(tmp_path: Path) -> None:
    command = install(tmp_path, with_python=False)
    script = 'mount -t tmpfs none /usr/bin && PATH=/none && exec "$@"'
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", script, "sh"]
    result = run([*namespace, command, "x"])
    if "unshare:" in result.err and not emulators.IN_CI:
        pytest.skip(result.err)
    one_line(result, 126, f"qusr-aarch64: no python3 in {tmp_path}/bin, in /usr/bin or in PATH")


def test_python_too_old(tmp_path: Path) -> None:
    command = install(tmp_path, with_python=False)
    old = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv.pop(1))"
    script = tmp_path / "bin" / PYTHON
    script.write_text(f"#!/bin/sh\nshift 3\nexec {sys.executable} -c '{old}' \"$@\"\n")
    script.chmod(0o755)
    one_line(run([command, "x"]), 126, "qusr-aarch64: qusr needs Python 3.11", "is 3.9")


def test_package_is_broken(tmp_path: Path) -> None:
    install(tmp_path)
    package = tmp_path / SITE / "qusr"
    package.unlink()
    package.mkdir()
    (package / "_native.abi3.so").symlink_to(REPO / "qusr" / "_native.abi3.so")
    # What starts without Python does not notice.
    result = run([tmp_path / "bin" / "qusr-aarch64", "-version"])
    one_line(result, 126, "qusr-aarch64: the Python package qusr does not work with")


# --- packages elsewhere -----------------------------------------------------------


@pytest.mark.parametrize("shown", [True, False])
def test_dependencies_in_another_place(tmp_path: Path, *, shown: bool) -> None:
    """The user's packages, in a virtual environment that shows them, or does not."""
    command = install(tmp_path / "env")
    settings = tmp_path / "env" / "pyvenv.cfg"
    assert "include-system-site-packages = false" in settings.read_text()
    if shown:
        settings.write_text(settings.read_text().replace("= false", "= true"))
    for name in DEPENDENCIES:
        (tmp_path / "env" / SITE / name).unlink()
    add_dependencies(tmp_path / "home" / ".local" / SITE)
    result = run(
        [command, "-core", "unicorn", HELLO / "hello-aarch64"], {"HOME": str(tmp_path / "home")}
    )
    if shown:
        assert (result.check().out, result.err) == (GREETING, "")
    else:
        one_line(result, 1, "qusr-aarch64: the Python package unicorn is missing")


# --- what Python is told ------------------------------------------------------------

_TELL = r"""
#include <stdio.h>
int main(int argc, char **argv, char **envp) {
    for (int i = 0; i < argc; i++) fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
    putchar(1), putchar(0);
    for (; *envp; envp++) fwrite(*envp, 1, strlen(*envp) + 1, stdout);
}
"""


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command whose Python tells its arguments and its environment, a null behind each."""
    prefix = tmp_path_factory.mktemp("teller")
    (prefix / "bin").mkdir()
    source: list[str | Path] = [
        "-include",
        "string.h",
        "-x",
        "c",
        "-",
        "-static",
        "-o",
        prefix / "bin" / PYTHON,
    ]
    subprocess.run([emulators.need("cc"), *source], input=_TELL.encode(), check=True)
    return install(prefix, with_python=False)


def tell(command: Path, *words: str | bytes, env: Mapping[str, str]) -> tuple[list[bytes], ...]:
    done = subprocess.run([command, *words], env=env, capture_output=True, check=True, timeout=100)
    told, _, environment = done.stdout.partition(b"\1\0")
    return told.split(b"\0")[:-1], environment.split(b"\0")[:-1]


def test_command_line_of_python(teller: Path) -> None:
    env = {
        "A": "1",
        "LD_LIBRARY_PATH": "/x:/y",
        "PYTHONHOME": "/z",
        "LC_CTYPE": "C",
        "LD_PRELOAD": "",
    }
    words = [b"-core", b"native", b"", b"new\nline", b"\xff\xfe", b"-I"]
    argv, environment = tell(teller, *words, env=env)
    assert argv[:4] == [os.fsencode(teller.parent / PYTHON), b"-I", b"-S", b"-c"]
    assert argv[4].startswith(b"#qusr-start command\n")
    assert argv[5:8] == [b"-", b"-", b"3"]
    assert argv[8:11] == [b"LD_LIBRARY_PATH=/x:/y", b"LC_CTYPE=C", b"LD_PRELOAD="]
    assert argv[11:] == [b"qusr-aarch64", *words]
    extension = teller.parent.parent / SITE / "qusr" / "_native.abi3.so"
    assert environment == [b"A=1", b"PYTHONHOME=/z", b"LD_PRELOAD=" + os.fsencode(extension)]


@pytest.fixture
def late_teller(teller: Path, tmp_path: Path) -> Path:
    """A Python that is a shared library, and an extension that tells how it was executed."""
    command = launcher(tmp_path / "bin" / "qusr-aarch64")
    for copy in (command.with_name(PYTHON), tmp_path / SITE / "qusr" / "_native.abi3.so"):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(teller.with_name(PYTHON).resolve(), copy)
    (tmp_path / "lib" / f"lib{PYTHON}.so.1.0").touch()
    return command


def test_the_extension_is_what_is_executed(late_teller: Path) -> None:
    """With Python's command line: that is loaded later. The variable may be the guest's, too."""
    prefix = late_teller.parent.parent
    argv, environment = tell(late_teller, "x", env={"A": "1", "QUSR_LIBPYTHON": "mine"})
    assert argv[0] == os.fsencode(late_teller.with_name(PYTHON))
    assert argv[7:] == [b"1", b"QUSR_LIBPYTHON=mine", b"qusr-aarch64", b"x"]
    library = prefix / "lib" / f"lib{PYTHON}.so.1.0"
    assert environment == [b"A=1", b"QUSR_LIBPYTHON=" + os.fsencode(library)]


@pytest.mark.parametrize("what", ["not executable", "not for this machine"])
def test_an_extension_that_cannot_be_executed(late_teller: Path, what: str) -> None:
    """It is preloaded then, as where Python is one executable."""
    extension = late_teller.parent.parent / SITE / "qusr" / "_native.abi3.so"
    if what == "not executable":
        extension.chmod(0o644)
    else:
        shutil.copy(HELLO / "hello-aarch64", extension)
    _, environment = tell(late_teller, env={"A": "1"})
    assert environment == [b"A=1", b"LD_PRELOAD=" + os.fsencode(extension)]


def test_library_of_python_in_the_library_path(teller: Path, tmp_path: Path) -> None:
    """A Python of environment modules needs what is otherwise the guest's alone."""
    (tmp_path / f"lib{PYTHON}.so.1.0").touch()
    entry = f"LD_LIBRARY_PATH=/x:{tmp_path}"
    argv, environment = tell(teller, env=dict([entry.split("=")]))
    assert argv[8] == environment[-1] == entry.encode()


def test_thousands_of_arguments(teller: Path) -> None:
    words = [str(number) for number in range(30_000)]
    argv, _ = tell(teller, *words, env={})
    assert argv[9:] == [word.encode() for word in words]


@pytest.mark.parametrize("name", ["with space", "a:b", "$LIB"])
def test_no_preload_of_what_the_linker_would_misread(
    teller: Path, tmp_path: Path, name: str
) -> None:
    copy = install(tmp_path / name, with_python=False)
    shutil.copy(teller.parent / PYTHON, copy.parent)
    _, environment = tell(copy, env={"A": "1"})
    assert environment == [b"A=1"]


def test_name_is_the_files(teller: Path, tmp_path: Path) -> None:
    """As for a script: a symbolic link's name counts, a made-up argv[0] does not."""
    link = tmp_path / "qusr-armhf"
    link.symlink_to(teller)
    assert tell(link, "x", env={})[0][8:] == [b"qusr-armhf", b"x"]
    done = subprocess.run(["other", "x"], executable=link, capture_output=True, check=True)
    assert b"\0qusr-armhf\0x\0" in done.stdout


@pytest.mark.parametrize(("name", "letter"), [("PIPE", "p"), ("XFSZ", "x")])
def test_ignored_signals_are_told(teller: Path, name: str, letter: str) -> None:
    script = f'trap "" {name}; exec "$1"'
    done = subprocess.run(["sh", "-c", script, "sh", teller], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[6] == b"-" + letter.encode()


# --- what reaches the guest -----------------------------------------------------------


def test_environment_is_the_guests(command: Path, busybox: Path, tmp_path: Path) -> None:
    """All of it, and nothing else; none of it is Python's or the host linker's."""
    (tmp_path / "os.py").write_text("raise SystemExit('PYTHONPATH was obeyed')")
    (tmp_path / "start.py").write_text("raise SystemExit('PYTHONSTARTUP was obeyed')")
    env = {
        "HOME": str(tmp_path),
        "LD_LIBRARY_PATH": "/none:/lib",
        "LD_PRELOAD": "/none.so",
        "LD_DEBUG": "all",
        "PYTHONHOME": "/none",
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "start.py"),
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
    }
    done = subprocess.run(
        [command, "-0", "env", busybox], env=env, capture_output=True, check=True, text=True,
        stdin=subprocess.DEVNULL, timeout=100,
    )  # fmt: skip
    assert sorted(done.stdout.splitlines()) == sorted(f"{k}={v}" for k, v in env.items())
    assert done.stderr == ""


@pytest.mark.parametrize("env", [{}, {"LC_CTYPE": "C"}, {"LANG": "C", "LC_CTYPE": ""}])
def test_locale_is_the_guests(command: Path, busybox: Path, env: dict[str, str]) -> None:
    """Python sets LC_CTYPE in the locale C (PEP 538): the guest must not see that."""
    env = {**env, "HOME": "/nonexistent"}
    done = subprocess.run(
        [command, "-0", "env", busybox], env=env, capture_output=True, check=True, text=True
    )
    assert sorted(done.stdout.splitlines()) == sorted(f"{k}={v}" for k, v in env.items())


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGXFSZ])
def test_ignored_signals_stay_ignored(command: Path, busybox: Path, number: signal.Signals) -> None:
    script = f'trap "" {number.name[3:]}; exec "$@"'
    guest: list[str | Path] = [command, busybox, "grep", "SigIgn", "/proc/self/status"]
    bit = 1 << (number - 1)
    ignored = run(["sh", "-c", script, "sh", *guest]).check().out
    default = run(guest).check().out
    assert (int(ignored.split()[1], 16) & bit, int(default.split()[1], 16) & bit) == (bit, 0)


@pytest.mark.parametrize(("env", "expected"), [({}, []), ({"LD_PRELOAD": ""}, ["LD_PRELOAD="])])
def test_a_host_program_is_executed_without_the_extension(
    command: Path, busybox: Path, env: dict[str, str], expected: list[str]
) -> None:
    """One that a guest executes: with the extension it would not even start."""
    script = f"exec {emulators.need('env')}"
    result = run([command, busybox, "sh", "-c", script], env).check()
    assert [line for line in result.out.splitlines() if line.startswith("LD_")] == expected
    assert result.err == ""
