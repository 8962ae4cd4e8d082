"""Plans of real programs against readelf, and what is refused, with which errno."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qusr import _native, loader
from qusr.loader.errors import LoadError
from testbins import build
from tests.emulators import need

from .elfmaker import (
    EM_AARCH64,
    EM_ARM,
    PT_GNU_PROPERTY,
    PT_GNU_STACK,
    PT_INTERP,
    Elf,
    Phdr,
    R,
    W,
    X,
)

PREBUILT = sorted(p for p in build.PREBUILT.iterdir() if p.is_file() and p.suffix != ".md")
INSTALLED = [
    Path(p)
    for p in (
        "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
        "/usr/aarch64-linux-gnu/lib/libc.so.6",
        "/usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3",
        "/usr/arm-linux-gnueabihf/lib/libc.so.6",
        "/usr/arm-linux-gnueabi/lib/libc.so.6",
        "/bin/ls",
        "/usr/bin/qemu-aarch64-static",
    )
    if os.path.exists(p)
]


def plan_of(path: Path) -> _native.Plan:
    return loader.read_plan(str(path))


def compare_with_readelf(path: Path) -> None:
    """Every field of the plan, as binutils' readelf prints it."""
    plan = plan_of(path)
    text = subprocess.run(
        [need("readelf"), "-W", "-h", "-l", "-n", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    def header(name: str) -> str:
        found = re.search(rf"^ *{re.escape(name)}: *(.*)$", text, re.M)
        assert found, name
        return found[1]

    assert plan.bits == int(header("Class").removeprefix("ELF"))
    assert plan.big_endian == ("big endian" in header("Data"))
    assert plan.is_dyn == header("Type").startswith("DYN")
    machines = {"AArch64": 183, "ARM": 40, "Advanced Micro Devices X86-64": 62}
    assert plan.machine == machines[header("Machine")]
    assert plan.entry == int(header("Entry point address"), 16)
    assert plan.flags == int(header("Flags").split(",")[0], 16)
    assert plan.phoff == int(header("Start of program headers").split()[0])
    assert plan.phentsize == int(header("Size of program headers").split()[0])
    assert plan.phnum == int(header("Number of program headers"))
    loads = re.findall(
        r"^  LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (.{3}) (0x\w+|0)", text, re.M
    )
    theirs = [
        (
            *(int(n, 16) for n in (offset, vaddr, filesz, memsz, align)),
            sum(bit for char, bit in (("R", 1), ("W", 2), ("E", 4)) if char in flags),
        )
        for offset, vaddr, filesz, memsz, flags, align in loads
    ]
    mine = [(s.offset, s.vaddr, s.filesz, s.memsz, s.align, s.prot) for s in plan.segments]
    assert mine == theirs
    interp = re.search(r"Requesting program interpreter: (.*)\]", text)
    assert plan.interp == (interp[1].encode() if interp else None)
    stack = re.search(r"^  GNU_STACK(?: +0x\w+){5} (...) 0x", text, re.M)
    executable = "executable" if stack and "E" in stack[1] else "not executable"
    assert plan.stack == ("default" if stack is None else executable)
    if plan.machine == EM_AARCH64:
        assert bool(plan.features & 1) == ("AArch64 feature: BTI" in text)
    # /proc and AT_PHDR: a PT_PHDR header says the same in another way.
    phdr = re.search(r"^  PHDR +0x\w+ 0x(\w+)", text, re.M)
    if phdr:
        assert plan.phdr_vaddr == int(phdr[1], 16)


@pytest.mark.parametrize("path", [*PREBUILT, *INSTALLED], ids=str)
def test_against_readelf(path: Path) -> None:
    compare_with_readelf(path)


@pytest.mark.parametrize(
    ("arch", "flags"),
    [
        (arch, flags)
        for arch in ("arm", "aarch64")
        for flags in ("-static", "-static-pie", "-pie", "-no-pie", "-no-pie -z execstack")
        # glibc for arm comes without the start-up file of static-pie
        if (arch, flags) != ("arm", "-static-pie")
    ],
)
def test_cross_built(arch: str, flags: str, tmp_path: Path) -> None:
    compiler = {"arm": "arm-linux-gnueabihf-gcc", "aarch64": "aarch64-linux-gnu-gcc"}[arch]
    need(compiler)
    source = tmp_path / "x.c"
    source.write_text("#include <stdio.h>\nchar bss[99999]; int main(void) { puts(bss); }\n")
    subprocess.run(
        [compiler, *flags.split(), *(["-mbranch-protection=bti"] if arch == "aarch64" else []),
         "-o", "x", "x.c"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    compare_with_readelf(tmp_path / "x")


def small(**more: object) -> Elf:
    """A correct little program."""
    made = Elf(
        machine=EM_AARCH64,
        entry=0x400100,
        phdrs=[Phdr(flags=R | X, vaddr=0x400000, filesz=0x400, memsz=0x400)],
        size=0x400,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def load(tmp_path: Path) -> Callable[[bytes], _native.Plan]:
    def read(data: bytes) -> _native.Plan:
        path = tmp_path / "x"
        path.write_bytes(data)
        return plan_of(path)

    return read


def interp(name: bytes, **more: int) -> Elf:
    header = Phdr(PT_INTERP, offset=0x200, filesz=len(name), memsz=len(name))
    for key, value in more.items():
        setattr(header, key, value)
    made = small()
    made.phdrs.insert(0, header)
    made.contents[0x200] = name
    return made


def with_load(**more: int) -> Elf:
    made = small()
    for key, value in more.items():
        setattr(made.phdrs[0], key, value)
    return made


def arm(entry: int = 0x400100, flags: int = 0x05000000) -> Elf:
    return small(machine=EM_ARM, bits=32, entry=entry, flags=flags)


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", errno.ENOEXEC, "empty file"),
    "text": (b"hello\n", errno.ENOEXEC, "text file"),
    "script": (b"#!/bin/sh\n", errno.ENOEXEC, "script"),
    "binary": (b"\0\1\2", errno.ENOEXEC, "not an ELF file"),
    "only magic": (b"\x7fELF", errno.ENOEXEC, "truncated"),
    "class": (b"\x7fELF\3\1" + bytes(99), errno.ENOEXEC, "class"),
    "byte order": (b"\x7fELF\2\0" + bytes(99), errno.ENOEXEC, "byte order"),
    "object file": (small(type=1).bytes(), errno.ENOEXEC, "an object file"),
    "core dump": (small(type=4).bytes(), errno.ENOEXEC, "a core dump"),
    "no type": (small(type=0).bytes(), errno.ENOEXEC, "not a program"),
    "no program headers": (small(phnum=0).bytes(), errno.ENOEXEC, "no program headers"),
    "size of a header": (small(phentsize=57).bytes(), errno.ENOEXEC, "57 bytes"),
    "too many headers": (small(phnum=1171).bytes(), errno.ENOEXEC, "1171 program headers"),
    "PN_XNUM": (small(phnum=0xFFFF).bytes(), errno.ENOEXEC, "65535 program headers"),
    "headers behind the end": (small(phnum=99).bytes(), errno.ENOEXEC, "headers are missing"),
    "nothing to load": (
        small(phdrs=[Phdr(PT_GNU_STACK, R)]).bytes(), errno.ENOEXEC, "nothing to load",
    ),
    "filesz > memsz": (with_load(memsz=0x3FF).bytes(), errno.EINVAL, "larger in the file"),
    "too large": (with_load(memsz=3 << 62, vaddr=(1 << 62) + 4096).bytes(), errno.EINVAL, "fit"),
    "offset": (with_load(offset=0x10).bytes(), errno.EINVAL, "offset"),
    "cut off": (with_load(filesz=0x401, memsz=0x401).bytes(), errno.ENOEXEC, "truncated"),
    "offset beyond 63 bits": (
        with_load(offset=(1 << 64) - 4096).bytes(), errno.ENOEXEC, "truncated",
    ),
    "interpreter too short": (interp(b"\0").bytes(), errno.ENOEXEC, "interpreter path of 1"),
    "interpreter too long": (interp(b"/" * 4096 + b"\0").bytes(), errno.ENOEXEC, "4097"),
    "interpreter without end": (interp(b"/ld.so").bytes(), errno.ENOEXEC, "no end"),
    "interpreter missing": (
        interp(b"/ld.so\0", offset=0x100000).bytes(), errno.EIO, "interpreter path is missing",
    ),
    "interpreter far away": (
        interp(b"/ld.so\0", offset=1 << 63).bytes(), errno.EIO, "interpreter path is missing",
    ),
    "unaligned arm entry": (arm(entry=0x400102).bytes(), errno.ENOEXEC, "entry point"),
    "26-bit arm": (arm(flags=8).bytes(), errno.ENOEXEC, "26-bit"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, load: Callable[[bytes], _native.Plan]) -> None:
    data, number, text = REFUSED[name]
    with pytest.raises(LoadError) as caught:
        load(data)
    assert (caught.value.errno, caught.value.status) == (number, 126)
    assert text in caught.value.message
    assert "\n" not in caught.value.message


def test_accepted(load: Callable[[bytes], _native.Plan]) -> None:
    """What looks odd and runs on Linux."""
    assert load(small().bytes()).entry == 0x400100
    assert load(arm(entry=0x400101).bytes()).guest == "arm"
    assert load(arm(flags=0).bytes()).flags == 0
    assert load(small(phnum=1, shoff=0xFFFFFFFFFFFF).bytes()).phnum == 1
    # e_phoff anywhere, even where no segment is
    assert load(small(phoff=0x3A1, size=0x1000).bytes()).phdr_vaddr == 0x4003A1
    assert load(interp(b"/lib/ld.so\0trailing\0").bytes()).interp == b"/lib/ld.so"
    many = [Phdr(PT_GNU_STACK, R | W)] * 1169
    made = small(phdrs=[*small().phdrs, *many], size=0x11000)
    assert load(made.bytes()).phnum == 1170


def test_byte_orders(load: Callable[[bytes], _native.Plan]) -> None:
    be32 = arm()
    be32.big_endian = True
    plan = load(be32.bytes())
    assert (plan.guest, plan.variant) == ("armeb", "be32")
    be32.flags |= 0x00800000
    plan = load(be32.bytes())
    assert (plan.guest, plan.variant) == ("armeb", "be8")
    assert load(arm(flags=0x05800000).bytes()).variant == ""
    assert load(small(big_endian=True).bytes()).guest == "aarch64_be"


def test_gnu_property(load: Callable[[bytes], _native.Plan]) -> None:
    def note(*properties: tuple[int, bytes], name: bytes = b"GNU\0", kind: int = 5) -> bytes:
        desc = b""
        for type_, data in properties:
            desc += type_.to_bytes(4, "little") + len(data).to_bytes(4, "little")
            desc += data.ljust(-(-len(data) // 8) * 8, b"\0")
        head = b"".join(n.to_bytes(4, "little") for n in (len(name), len(desc), kind))
        return head + name + desc

    def features(data: bytes, filesz: int | None = None) -> int | str:
        size = len(data) if filesz is None else filesz
        made = small()
        made.phdrs.append(Phdr(PT_GNU_PROPERTY, offset=0x400, filesz=size, memsz=size))
        made.contents[0x400] = data
        try:
            return load(made.bytes()).features
        except LoadError as error:
            return errno.errorcode[error.errno]

    bti = (0xC0000000, b"\1\0\0\0")
    assert features(note(bti)) == 1
    assert features(note((0xC0000000, b"\2\0\0\0"))) == 2
    assert features(note((0xB0000000, b""), bti)) == 1
    assert features(note((0xC0000001, b"12345678"))) == 0
    assert features(note()) == 0
    # The rules of parse_elf_properties: ascending, whole, of the right size.
    assert features(note(bti, (0xB0000000, b""))) == "ENOEXEC"
    assert features(note(bti, bti)) == "ENOEXEC"
    assert features(note((0xC0000000, b"\1"))) == "ENOEXEC"
    assert features(note(bti, name=b"GNX\0")) == "ENOEXEC"
    assert features(note(bti, kind=4)) == "ENOEXEC"
    assert features(note(bti)[:-1]) == "ENOEXEC"
    assert features(note(bti), 1025) == "ENOEXEC"
    assert features(b"\4\0\0\0") == "EIO"
