"""`#!` lines, compared with what the host's kernel does with the same file."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from qusr import _native
from qusr.loader.errors import LoadError
from qusr.loader.program import prepare
from qusr.loader.sysroot import Sysroot
from tests.emulators import need

SHOW = r"""
#include <unistd.h>
#include <string.h>
int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) write(1, argv[i], strlen(argv[i]) + 1);
}
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints its arguments, at a short path."""
    need("gcc")
    folder = tmp_path_factory.mktemp("s")
    (folder / "show.c").write_text(SHOW)
    subprocess.run(["gcc", "-O1", "-static", "-o", "show", "show.c"], cwd=folder, check=True)
    return folder / "show"


def kernel(path: Path, cwd: Path) -> list[bytes] | int:
    """What argv the interpreter gets, or the errno of execve."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    status, failed = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            os.dup2(writer, 1)
            os.execve(path, ["zero", "one", "two"], {})
        except OSError as error:
            os.write(failed, str(error.errno).encode())
        finally:
            os._exit(1)
    os.close(writer)
    os.close(failed)
    with os.fdopen(reader, "rb") as out, os.fdopen(status, "rb") as err:
        argv, number = out.read(), err.read()
    os.waitpid(pid, 0)
    return int(number) if number else argv.split(b"\0")[:-1]


def ours(path: Path) -> list[bytes] | int:
    """The same by our rules, for one level."""
    with open(path, "rb") as stream:
        parsed = _native.parse_script(stream.read(256))
    if parsed is None:
        return errno.ENOEXEC
    interpreter, argument = parsed
    if not interpreter:
        return errno.EACCES
    try:
        os.close(os.open(interpreter, os.O_RDONLY))
    except OSError as error:
        return error.errno or -1
    return [interpreter, *([] if argument is None else [argument]), bytes(path), b"one", b"two"]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_edge_cases(show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = bytes(show)
    room = 256 - 2 - len(name)
    cases = [
        b"#!" + name + b"\n",
        b"#!" + name,
        b"#!" + name + b" a b c\n",
        b"#!  \t " + name + b" \t a  b \t \n",
        b"#!" + name + b" \n",
        b"#!" + name + b"\t",
        b"#!" + name + b" arg",
        b"#!",
        b"#!\n",
        b"#! \t\n" + name,
        b"#!\0\n",
        b"#! ",
        b"#!" + b" " * 252 + b"x",
        b"#!" + b" " * 253,
        b"#!" + b" " * 254,
        b"#!" + b" " * 300,
        b"#!" + name + b" \0\n",
        b"#!" + name + b"\0x\n",
        b"#!" + name + b" a\0b\n",
        b"#!" + name + b"\r\n",
        b"#!" + name + b" " + b"y" * 400 + b"\n",
        b"#!" + name + b"y" * 400 + b"\n",
        b"#!./show x\n",
        b"#!show\n",
        b"#!/does/not/exist\n",
        b"#!/\n",
    ]
    for extra in (room - 3, room - 2, room - 1, room, room + 1):
        for end in (b"", b"\n", b" ", b" \n", b"z\n"):
            cases.append(b"#!" + name + b" " + b"y" * (extra - 1) + end)
            cases.append(b"#!" + b" " * extra + name + end)
            cases.append(b"#!" + name + b" " * extra + end)
    monkeypatch.chdir(show.parent)
    for case in cases:
        path = write(tmp_path / "s", case)
        mine, theirs = ours(path), kernel(path, show.parent)
        if theirs == errno.EACCES and isinstance(mine, list):
            # The kernel refuses the folder that is named; `prepare` does too.
            assert os.path.isdir(mine[0])
            continue
        assert mine == theirs, case


def test_random_heads(show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    monkeypatch.chdir(show.parent)
    words = [bytes(show), b" ", b"\t", b"\n", b"\0", b"a", b"  ", b"y" * 100, b"show"]
    for _ in range(300):
        head = b"#!" + b"".join(rng.choice(words) for _ in range(rng.randrange(1, 7)))
        path = write(tmp_path / "s", head)
        assert ours(path) == kernel(path, show.parent), head


def chain(folder: Path, last: Path, length: int) -> Path:
    """`length` scripts, each the interpreter of the next."""
    for number in range(length):
        last = write(folder / f"s{number}", b"#!" + bytes(last) + b" -%d\n" % number)
    return last


@pytest.mark.parametrize("length", [1, 4, 5, 6, 9])
def test_nesting(length: int, show: Path, tmp_path: Path) -> None:
    top = chain(tmp_path, show, length)
    theirs = kernel(top, tmp_path)
    try:
        prepared = prepare(str(top), [b"zero", b"one", b"two"], Sysroot(None), caller=183)
    except LoadError as error:
        assert error.errno == theirs == errno.ELOOP
        return
    assert prepared.argv == theirs
    assert prepared.guest is None
    assert prepared.execfn == bytes(top)
    prepared.close()


def test_interpreter_must_be_executable(show: Path, tmp_path: Path) -> None:
    shutil.copy(show, tmp_path / "plain")
    (tmp_path / "plain").chmod(0o644)
    path = write(tmp_path / "s", b"#!" + bytes(tmp_path / "plain") + b"\n")
    with pytest.raises(LoadError) as caught:
        prepare(str(path), [b"x"], Sysroot(None))
    assert caught.value.errno == kernel(path, tmp_path) == errno.EACCES
