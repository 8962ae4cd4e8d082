"""The guest's own compiler: cc1 -O2 of a real file, as, ld, and what they made."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.emulators import Emulator, Result, need
from tests.guests.compare import DATA, GCC_TRIPLET, LOADER, TRIPLET, Case, Guest, each

_SOURCE = (DATA / "lisp.c").read_text()

CASES = [
    Case("{cc1} --version"),
    Case("as --version"),
    Case("ld --version"),
    Case("cpp --version"),
]


#: What Debian's gcc driver would say.
DRIVER = {
    "arm": ["-march=armv7-a+fp", "-mfloat-abi=hard", "-mthumb"],
    "riscv64": ["-march=rv64gc", "-mabi=lp64d"],
}


class Toolchain:
    """The steps of a build, each under one emulator in one folder."""

    def __init__(self, guest: Guest, emulator: Emulator, folder: Path) -> None:
        self.guest = guest
        self.emulator = emulator
        self.folder = folder
        self.lib = f"/usr/lib/{TRIPLET[guest.arch]}"
        self.gcc = f"/usr/lib/gcc/{GCC_TRIPLET[guest.arch]}/{guest.gcc}"
        folder.mkdir()
        (folder / "lisp.c").write_text(_SOURCE)

    def run(self, program: str, *args: str) -> Result:
        return self.emulator(
            program, *args, root=self.guest.root, cwd=self.folder, timeout=300
        ).check()

    def reference_includes(self) -> list[str]:
        """Where the headers are, for qemu-user: its ``-L`` does not reach statx, by which an arm
        cc1 looks whether its folders exist. (Nor does it reach what libm.so, an absolute link,
        points to: hence the name of the library proper.)"""
        folders = [
            f"{self.gcc}/include",
            f"/usr/include/{TRIPLET[self.guest.arch]}",
            "/usr/include",
        ]
        return ["-nostdinc", *(f"-isystem{self.guest.root}{folder}" for folder in folders)]

    def build(self) -> dict[str, bytes]:
        """Compile, assemble and link; returns what each step made."""
        options = ["-quiet", "-imultiarch", TRIPLET[self.guest.arch], "-O2"]
        options += DRIVER.get(self.guest.arch, [])
        if self.emulator is self.guest.qemu:
            options += self.reference_includes()
        self.run(self.guest.cc1, *options, "lisp.c", "-o", "lisp.s")
        floats = [word for word in DRIVER.get(self.guest.arch, []) if word != "-mthumb"]
        self.run("/usr/bin/as", *floats, "lisp.s", "-o", "lisp.o")
        self.run(
            "/usr/bin/ld", "-o", "lisp", "-dynamic-linker", f"/lib/{LOADER[self.guest.arch]}",
            f"{self.lib}/crt1.o", f"{self.lib}/crti.o", f"{self.gcc}/crtbegin.o", "lisp.o",
            f"-L{self.gcc}", f"-L{self.lib}", "-l:libm.so.6", "-lc", "-lgcc", "--as-needed", "-lgcc_s",
            "--no-as-needed", f"{self.gcc}/crtend.o", f"{self.lib}/crtn.o",
        )  # fmt: skip
        return {name: (self.folder / name).read_bytes() for name in ("lisp.s", "lisp.o", "lisp")}


@pytest.fixture(scope="module")
def expected_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the program prints on the host."""
    program = tmp_path_factory.mktemp("lisp") / "lisp"
    source = str(DATA / "lisp.c")
    subprocess.run([need("gcc"), "-O1", source, "-o", str(program), "-lm"], check=True)
    run = subprocess.run([program], capture_output=True, text=True, check=True)
    return run.stdout


def test_compile_link_and_run(guest: Guest, tmp_path: Path, expected_output: str) -> None:
    ours = Toolchain(guest, guest.qusr, tmp_path / "work")
    made = ours.build()
    (tmp_path / "work").rename(tmp_path / "qusr")
    reference = Toolchain(guest, guest.qemu, tmp_path / "work").build()
    for name, content in made.items():
        assert content == reference[name], f"{name} differs from qemu-user's"
    assert len(re.findall(r"^\w+:$", made["lisp.s"].decode(), re.M)) > 20

    program = tmp_path / "qusr" / "lisp"
    result = guest.qusr(program, options=("-L", str(guest.root)), cwd=tmp_path).check()
    assert result.out == expected_output


@each(CASES)
def test_tool(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)


def test_compiler_reports_errors(guest: Guest, tmp_path: Path) -> None:
    case = Case(
        "{cc1} -quiet -fdiagnostics-color=never bad.c -o bad.s",
        status=1, files={"bad.c": "int f(void) { return x; }\n"}, compare_files=False,
    )  # fmt: skip
    result = guest.check(case, tmp_path)
    assert "bad.c:1:22: error: 'x' undeclared" in result.err
