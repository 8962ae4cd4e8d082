"""`qusr info`: what a loader sees of a program, compared with what the guest's own ld.so says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import REPO, Emulator, need


@pytest.fixture
def info(qusr: Callable[[str], Emulator]) -> Callable[..., tuple[int, str]]:
    def run(*words: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
        result = qusr("")("info", *words, options=options)
        assert result.err == ""
        return result.status, result.out

    return run


def fields(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key, []).append(value.strip())
    return found


@pytest.mark.parametrize("arch", ["aarch64", "arm"])
def test_libraries_are_those_that_the_guests_ld_so_finds(
    arch: str,
    info: Callable[..., tuple[int, str]],
    root: Callable[..., Path],
    qusr: Callable[[str], Emulator],
) -> None:
    sysroot = root(arch)
    status, text = info("/bin/ls", options=("-L", str(sysroot)))
    assert status == 0
    rows = fields(text)
    (interp,) = rows["interpreter"]
    mine = {}
    for row in rows["needs"]:
        name, _, path = row.partition(" (")[0].partition(" => ")
        mine[name] = Path(path).resolve()
    listed = qusr(arch)(
        "/bin/ls", options=["-L", str(sysroot)], env={"LD_TRACE_LOADED_OBJECTS": "1"}
    )
    theirs = dict(re.findall(r"^\s+(\S+) => (\S+)", listed.check().out, re.M))
    # The C library needs ld.so, which is there as the interpreter.
    mine.pop(Path(interp.partition(" => ")[0]).name, None)
    assert mine == {name: Path(f"{sysroot}{path}").resolve() for name, path in theirs.items()}
    assert Path(interp.partition(" => ")[2]).exists()


def test_the_headers_are_readelfs(
    info: Callable[..., tuple[int, str]], root: Callable[..., Path]
) -> None:
    program = root("arm") / "bin/ls"
    rows = fields(info(str(program), options=("-L", str(root("arm"))))[1])
    text = subprocess.run(
        [need("readelf"), "-W", "-h", "-n", str(program)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    build_id = re.search(r"Build ID: (\w+)", text)
    assert build_id
    assert rows["build-id"] == [build_id[1]]
    assert rows["ABI flags"] == ["0x5000400 (EABI 5, hard float)"]
    assert "0x5000400" in text
    assert rows["machine"] == ["ARM: qusr-arm runs it"]


def test_what_is_missing(
    info: Callable[..., tuple[int, str]], root: Callable[..., Path], tmp_path: Path
) -> None:
    program = root("aarch64") / "bin/ls"
    status, text = info(str(program), options=("-L", str(tmp_path)))
    assert status == 1
    rows = fields(text)
    assert rows["interpreter"] == ["/lib/ld-linux-aarch64.so.1 => not found"]
    assert "libc.so.6 => not found" in rows["needs"]


def test_static_and_foreign_programs(info: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    status, text = info(str(REPO / "testbins/prebuilt/hello-aarch64"))
    assert (status, fields(text)["interpreter"]) == (0, ["none: it is static"])
    status, text = info("/bin/ls")
    assert (status, fields(text)["machine"]) == (0, ["x86-64: qusr-x86_64 runs it"])
    foreign = bytearray(Path("/bin/ls").read_bytes())
    foreign[18:20] = (258).to_bytes(2, "little")  # e_machine
    (tmp_path / "foreign").write_bytes(foreign)
    status, text = info(str(tmp_path / "foreign"))
    assert (status, fields(text)["machine"]) == (1, ["LoongArch64: no guest runs it"])


def test_no_program(qusr: Callable[[str], Emulator], tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello\n")
    result = qusr("")("info", str(text)).check(126)
    assert result.err == f"qusr: {text}: a text file, not a program\n"
    assert qusr("")("info").check(1).err == "qusr: info: no program named\n"
    assert qusr("")("info", str(tmp_path / "x")).check(127)
