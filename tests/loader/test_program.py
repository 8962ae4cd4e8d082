"""What `qusr-ARCH PROGRAM` says of files that it cannot run, and what `prepare` finds."""

from __future__ import annotations

import errno
import os
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qusr import _native
from qusr.arch.aarch64 import PROT_BTI
from qusr.loader.errors import LoadError
from qusr.loader.program import prepare
from qusr.loader.sysroot import Sysroot
from tests.emulators import need

from . import loading
from .elfmaker import (
    EM_AARCH64,
    EM_ARM,
    ET_DYN,
    PT_GNU_PROPERTY,
    PT_GNU_STACK,
    PT_INTERP,
    Elf,
    Phdr,
    R,
    W,
    X,
)
from .fakespace import FakeSpace

NOBODY = Sysroot(None)


def program(machine: int = EM_AARCH64, **more: object) -> Elf:
    bits = 32 if machine in (EM_ARM, 20, 8, 3) else 64
    made = Elf(
        machine=machine,
        bits=bits,
        entry=0x400100,
        phdrs=[Phdr(flags=R | X, vaddr=0x400000, filesz=0x400, memsz=0x400)],
        size=0x400,
    )
    if machine == EM_ARM:
        made.flags = 0x05000200
    for name, value in more.items():
        setattr(made, name, value)
    return made


def dynamic(interp: bytes, **more: object) -> Elf:
    made = program(**more)  # type: ignore[arg-type]
    made.phdrs.insert(0, Phdr(PT_INTERP, offset=0x200, filesz=len(interp), memsz=len(interp)))
    made.contents[0x200] = interp
    return made


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def write(data: bytes | Elf, name: str = "x", mode: int = 0o755) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.bytes())
        path.chmod(mode)
        return str(path)

    return write


def fails(path: str, sysroot: Sysroot = NOBODY, guest: str = "aarch64") -> LoadError:
    with pytest.raises(LoadError) as caught:
        prepare(path, [os.fsencode(path)], sysroot, guest=guest)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(path)
    return caught.value


def test_what_is_no_program(file: Callable[..., str], tmp_path: Path) -> None:
    def outcome(path: str) -> tuple[int, str]:
        error = fails(path)
        return error.status, errno.errorcode[error.errno]

    assert outcome(str(tmp_path / "missing")) == (127, "ENOENT")
    assert outcome(str(tmp_path)) == (126, "EACCES")
    assert outcome("/dev/null") == (126, "EACCES")
    assert outcome(file(b"", "empty")) == (126, "ENOEXEC")
    assert outcome(file(b"hello\n", "text")) == (126, "ENOEXEC")
    assert outcome(file(b"\x7fELF\2\1\1", "cut")) == (126, "ENOEXEC")
    assert outcome(file(program(), "plain", 0o644)) == (126, "EACCES")
    assert outcome(file(program(), "file") + "/under") == (126, "ENOTDIR")
    assert outcome(file(program(type=1), "object.o")) == (126, "ENOEXEC")
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert outcome(str(loop)) == (126, "ELOOP")
    assert outcome(str(tmp_path / ("n" * 300))) == (126, "ENAMETOOLONG")
    os.mkfifo(tmp_path / "fifo")
    assert outcome(str(tmp_path / "fifo")) == (126, "EACCES")


@pytest.mark.parametrize(
    ("elf", "text"),
    [
        (program(22, big_endian=True), "built for s390x: use qusr-s390x"),
        (program(20, big_endian=True), "built for PowerPC: use qusr-ppc"),
        (program(243), "built for RISC-V 64: use qusr-riscv64"),
        (program(258), "built for LoongArch64: no qusr command runs it"),
        (program(EM_ARM), "built for ARM: use qusr-arm"),
        (program(EM_ARM, big_endian=True), "built for big-endian ARM: use qusr-armeb"),
        (program(big_endian=True), "built for big-endian AArch64: use qusr-aarch64_be"),
        (program(62), "built for x86-64: this machine runs it without qusr, or use qusr-x86_64"),
        (program(3), "built for i386: this machine runs it without qusr, or use qusr-i386"),
        (program(8, big_endian=True), "built for MIPS: use qusr-mips"),
        (program(8, flags=0x20), "built for little-endian MIPS N32: use qusr-mipsn32el"),
        (program(0x1234), "built for unknown machine 4660 (64-bit): no qusr command runs it"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_other_machines(elf: Elf, text: str, file: Callable[..., str]) -> None:
    path = file(elf)
    error = fails(path)
    assert error.message == f"{path}: {text}"
    assert (error.status, error.errno) == (126, errno.ENOEXEC)


def test_interpreters(file: Callable[..., str], tmp_path: Path) -> None:
    ld = b"/lib/ld-qusr-test.so.1\0"
    path = file(dynamic(ld))
    error = fails(path)
    assert (error.status, error.errno) == (127, errno.ENOENT)
    assert re.search(
        r"no interpreter /lib/ld-qusr-test\.so\.1: install libc6:arm64 .*-L", str(error)
    )
    root = Sysroot(str(tmp_path / "root"))
    os.makedirs(tmp_path / "root")
    assert str(tmp_path / "root") in fails(path, root).message

    inside = "root/lib/ld-qusr-test.so.1"
    file(program(EM_ARM), inside)
    error = fails(path, root)
    assert (error.status, error.errno) == (126, errno.ELIBBAD)
    assert "built for ARM" in error.message
    file(b"#!/bin/sh\n", inside)
    assert fails(path, root).errno == errno.ELIBBAD
    file(program(type=ET_DYN, phnum=0), inside)
    assert fails(path, root).errno == errno.ELIBBAD
    file(program(), inside, 0o644)
    assert fails(path, root).errno == errno.EACCES

    file(program(type=ET_DYN), inside)
    prepared = prepare(path, [b"x"], root)
    assert prepared.interp is not None
    assert prepared.interp_path == str(tmp_path / inside)
    prepared.close()
    assert fails(file(dynamic(b"\0\0"))).errno == errno.EACCES


def test_no_descriptor_is_left_open(file: Callable[..., str], tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    for path in (
        file(b"text", "a"),
        file(b"#!\n", "b"),
        file(b"#!/does/not/exist\n", "c"),
        file(dynamic(b"/does/not/exist\0"), "d"),
        file(dynamic(b"/bin/ls\0"), "e"),
        file(program(phnum=0), "f"),
        file(program(EM_ARM), "g"),
    ):
        fails(path)
        assert descriptors() == before
    prepare(file(program()), [b"x"], NOBODY).close()
    assert descriptors() == before


def test_scripts_and_sysroots(file: Callable[..., str], tmp_path: Path) -> None:
    """The interpreter of a script is looked up in the sysroot; AT_EXECFN is the script."""
    shell = file(program(), "root/bin/qusr-test-sh")
    path = file(b"#!/bin/qusr-test-sh -e -u \n", "script")
    prepared = prepare(path, [b"zero", b"one"], Sysroot(str(tmp_path / "root")))
    assert prepared.argv == [b"/bin/qusr-test-sh", b"-e -u", os.fsencode(path), b"one"]
    assert (prepared.path, prepared.host_path) == ("/bin/qusr-test-sh", shell)
    assert prepared.execfn == os.fsencode(path)
    assert prepared.guest == "aarch64"
    prepared.close()
    # A script of the guest may run a program of the host: execve then really is one.
    path = file(b"#!/bin/sh\n", "host-script")
    prepared = prepare(path, [b"x"], NOBODY, caller=183)
    assert prepared.plan is None
    assert prepared.guest is None
    prepared.close()
    # That of a guest which is of the host's kind stays in its emulator.
    for machine in (3, 62):
        prepared = prepare(path, [b"x"], NOBODY, caller=machine)
        assert prepared.guest == "x86_64"
        prepared.close()
    with pytest.raises(
        LoadError, match=": interpreter /bin/sh: built for x86-64: this machine runs it"
    ):
        prepare(path, [b"x"], NOBODY, guest="aarch64")


@pytest.mark.parametrize("triplet", ["arm-linux-gnueabi", "arm-linux-gnueabihf"])
def test_the_sysroot_fits_the_program(triplet: str, tmp_path: Path) -> None:
    """Hard- and soft-float programs find their own libraries without -L."""
    need(f"{triplet}-gcc")
    (tmp_path / "x.c").write_text("int main(void) {}")
    subprocess.run([f"{triplet}-gcc", "-o", "x", "x.c"], cwd=tmp_path, check=True)
    prepared = prepare(str(tmp_path / "x"), [b"x"], NOBODY, seeks=True)
    assert prepared.root == f"/usr/{triplet}"
    assert prepared.interp_path.startswith(f"/usr/{triplet}/lib/ld-")
    prepared.close()


def test_open_file_instead_of_a_path(file: Callable[..., str]) -> None:
    fd = os.open(file(program()), os.O_RDONLY)
    prepared = prepare("/not/there", [b"argv0"], NOBODY, fd=fd)
    assert prepared.execfn == b"/not/there"
    assert prepared.guest == "aarch64"
    prepared.close()


def test_identify() -> None:
    def kind(data: bytes) -> str:
        return _native.file_kind(data)

    assert kind(b"") == "empty"
    assert kind(program().bytes()) == "elf"
    assert kind(program().bytes()[:63]) == "bad-elf"
    assert kind(program(EM_ARM).bytes()[:52]) == "elf"
    assert kind(b"#!/bin/sh") == "script"
    assert kind(b"echo hi\nmore\0") == "text"
    assert kind(b"\0") == "data"


# ---- what only guests have, which the host's kernel cannot show ----


def installed(
    path: str, limit: int, stack_size: int = 8 << 20
) -> tuple[FakeSpace, _native.Image, _native.Prepared]:
    prepared = prepare(path, [b"argv0"], NOBODY)
    space = FakeSpace(limit)
    loaded = prepared.install(space, stack_size=stack_size)
    return space, loaded, prepared


def stack_prot(space: FakeSpace, loaded: _native.Image) -> int:
    (prot,) = {prot for start, _, prot in space.ranges if start == loaded.stack_bottom}
    return prot


@pytest.mark.parametrize(
    ("machine", "flags", "reads_execute", "stack_executes"),
    [
        # The tables of arch/arm64/include/asm/elf.h and arch/arm/kernel/elf.c.
        (EM_ARM, None, True, True),
        (EM_ARM, R | W | X, False, True),
        (EM_ARM, R | W, False, False),
        (EM_AARCH64, None, False, False),
        (EM_AARCH64, R | W | X, False, True),
        (EM_AARCH64, R | W, False, False),
    ],
)
def test_executable_stacks(
    machine: int,
    flags: int | None,
    reads_execute: bool,
    stack_executes: bool,
    file: Callable[..., str],
) -> None:
    made = program(machine)
    made.phdrs.append(Phdr(flags=R | W, offset=0, vaddr=0x410000, filesz=0x10, memsz=0x2000))
    if flags is not None:
        made.phdrs.append(Phdr(PT_GNU_STACK, flags))
    space, loaded, _ = installed(file(made), 1 << 32 if made.bits == 32 else 1 << 47)
    assert loaded.read_implies_exec == reads_execute
    assert stack_prot(space, loaded) == (7 if stack_executes else 3)
    for page in (0x410000, 0x411000):
        assert space.pages[page][0] == (7 if reads_execute else 3)


def test_arm_memory(file: Callable[..., str]) -> None:
    """32-bit arm under a 64-bit kernel: COMPAT_ELF_ET_DYN_BASE, AARCH32_VECTORS_BASE."""
    made = dynamic(bytes(file(program(EM_ARM, type=ET_DYN), "ld.so"), "ascii") + b"\0",
                   machine=EM_ARM, type=ET_DYN)  # fmt: skip
    made.phdrs[1].vaddr = 0
    made.entry = 0x100
    space, loaded, _ = installed(file(made), 1 << 32)
    assert loaded.bias == 0x400000
    assert loaded.brk == 0x401000
    assert loaded.stack_top == 0xFFFF0000
    assert 0xF0000000 < loaded.base < loaded.stack_bottom
    _native.map_kernel_page(space, 0xFFFF0000, "[vectors]", b"\1\2\3")
    prot, data = space.pages[0xFFFF0000]
    assert prot == 5
    assert data == b"\1\2\3".ljust(4096, b"\0")
    assert space.names[(0xFFFF0000, 4096)] == "[vectors]"


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_branch_target_identification(kind: str, file: Callable[..., str]) -> None:
    """PROT_BTI on the code of a static program, or of the interpreter: the kernel's part."""

    def with_bti(made: Elf) -> Elf:
        # NT_GNU_PROPERTY_TYPE_0: FEATURE_1_AND with BTI
        note = struct.pack("<III4sIIII", 4, 16, 5, b"GNU\0", 0xC0000000, 4, 1, 0)
        made.phdrs.append(Phdr(PT_GNU_PROPERTY, offset=0x300, filesz=32, memsz=32))
        made.phdrs.append(Phdr(flags=R | W, offset=0, vaddr=0x410000, filesz=16, memsz=16))
        made.contents[0x300] = note
        return made

    if kind == "static":
        space, loaded, _ = installed(file(with_bti(program())), 1 << 47)
        assert space.pages[loaded.entry & -4096][0] == 5 | PROT_BTI
        assert space.pages[0x410000][0] == 3
        return
    ld = file(with_bti(program(type=ET_DYN)), "ld.so")
    path = file(with_bti(dynamic(os.fsencode(ld) + b"\0")))
    space, loaded, _ = installed(path, 1 << 47)
    # The program itself is up to the dynamic linker.
    assert space.pages[loaded.entry & -4096][0] == 5
    assert space.pages[loaded.start & -4096][0] == 5 | PROT_BTI


def test_small_space_has_no_kernel_helper_page() -> None:
    space = FakeSpace(1 << 30)
    _native.map_kernel_page(space, 0xFFFF0000, "[vectors]", b"x")
    assert not space.pages


def test_stack_size(file: Callable[..., str]) -> None:
    path = file(program())
    for size, expected in ((1 << 20, 1 << 20), (5, 128 << 10), (1 << 62, 1 << 30)):
        space, loaded, _ = installed(path, 1 << 47, size)
        assert loaded.stack_top - loaded.stack_bottom == expected
        assert loaded.stack_top == 1 << 47
        assert space.mmap_base <= loaded.stack_bottom - 256 * 4096


@pytest.mark.parametrize("machine", [EM_ARM, EM_AARCH64])
@pytest.mark.parametrize("big_endian", [False, True])
def test_stack_of_any_shape(machine: int, big_endian: bool, file: Callable[..., str]) -> None:
    """Reads the stack back as a C start-up file would."""
    made = program(machine, big_endian=big_endian)
    space, loaded, prepared = installed(file(made), 1 << 32 if made.bits == 32 else 1 << 47)
    prepared.argv = [b"prog", b"", b"last one"]
    built = prepared.build_stack(
        loaded, [b"A=1", b"B="], hwcap=0x1237, hwcap2=9, platform=b"v7l", random=bytes(range(16))
    )
    built.store(space)
    word = 4 if made.bits == 32 else 8
    order = ">" if big_endian else "<"
    assert built.sp % 16 == 0
    at = built.sp

    def pop() -> int:
        nonlocal at
        (value,) = struct.unpack(order + ("I" if word == 4 else "Q"), space.read(at, word))
        at += word
        assert isinstance(value, int)
        return value

    def text(address: int) -> bytes:
        return space.read(address, 4096).split(b"\0", 1)[0]

    assert pop() == 3
    assert [text(pop()) for _ in range(3)] == [b"prog", b"", b"last one"]
    assert pop() == 0
    assert [text(pop()) for _ in range(2)] == [b"A=1", b"B="]
    assert pop() == 0
    vector = {}
    while (key := pop()) != loading.AT_NULL:
        vector[key] = pop()
    assert pop() == 0
    assert vector[loading.AT_HWCAP] == 0x1237
    assert vector[loading.AT_HWCAP2] == 9
    assert vector[loading.AT_PAGESZ] == 4096
    assert vector[loading.AT_CLKTCK] == 100
    assert vector[loading.AT_ENTRY] == made.entry
    assert vector[loading.AT_BASE] == 0
    assert vector[loading.AT_PHDR] == 0x400000 + (52 if word == 4 else 64)
    assert vector[loading.AT_PHENT] == (32 if word == 4 else 56)
    assert vector[loading.AT_PHNUM] == 1
    assert vector[loading.AT_UID] == os.getuid()
    assert vector[loading.AT_SECURE] == 0
    assert text(vector[loading.AT_PLATFORM]) == b"v7l"
    assert text(vector[loading.AT_EXECFN]) == prepared.execfn
    assert space.read(vector[loading.AT_RANDOM], 16) == bytes(range(16))
    assert built.sp + len(built.data) == loaded.stack_top


def test_stack_that_does_not_fit(file: Callable[..., str]) -> None:
    made = program(EM_ARM)
    # A segment over the stack: the later mapping wins, as in the kernel.
    made.phdrs.append(Phdr(flags=R, offset=0, vaddr=0xFFFEF000, filesz=0x400, memsz=0x400))
    space, loaded, prepared = installed(file(made), 1 << 32)
    built = prepared.build_stack(loaded, [], hwcap=0, hwcap2=None, platform=b"", random=bytes(16))
    with pytest.raises(LoadError, match="does not fit"):
        built.store(space)
    space, loaded, prepared = installed(file(program()), 1 << 47, 128 << 10)
    prepared.argv = [b"x" * (129 << 10)]
    built = prepared.build_stack(loaded, [], hwcap=0, hwcap2=None, platform=b"", random=bytes(16))
    with pytest.raises(LoadError, match="does not fit"):
        built.store(space)
    with pytest.raises(LoadError) as caught:
        _native.check_limits(prepared.argv, [], prepared.execfn, word=8, stack_limit=8 << 20)
    assert caught.value.errno == errno.E2BIG


def test_nul_in_arguments() -> None:
    with pytest.raises(LoadError) as caught:
        _native.build_stack(
            1 << 20, [b"a\0b"], [], b"x", bits=64, big_endian=False, platform=b"", random=bytes(16)
        )
    assert caught.value.errno == errno.EINVAL


def test_script_is_checked_before_it_is_used() -> None:
    assert _native.parse_script(b"#!/bin/sh -x\nrest") == (b"/bin/sh", b"-x")
    assert _native.parse_script(b"no script") is None
