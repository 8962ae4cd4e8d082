"""The loader on the real AddressSpace gives the same memory as on the model."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qusr.arch.arm import VECTORS
from qusr.loader.errors import LoadError
from qusr.loader.program import prepare
from qusr.loader.sysroot import Sysroot
from testbins import build
from tests.emulators import need

from . import loading, test_fuzz, test_host_kernel
from .elfmaker import EM_ARM, Elf, Phdr
from .fakespace import FakeSpace

if TYPE_CHECKING:
    from qusr import _native as native
else:
    native = pytest.importorskip("qusr._native")

PAGE = 4096
STACK = 8 << 20


def pages_of(space: native.AddressSpace, loaded: native.Image) -> dict[int, tuple[int, bytes]]:
    found = {}
    for start, end, prot, *_ in space.regions():
        if start == loaded.stack_bottom:
            continue
        for page in range(start, end, PAGE):
            if not prot & 7:
                data = b""
            else:
                if not prot & 3:
                    space.mprotect(page, PAGE, prot | 1)
                data = space.read(page, PAGE)
            found[page] = (prot, data)
    return found


def compare(path: str, bits: int, sysroot: Sysroot) -> native.Image:
    prepared = prepare(path, [b"x"], sysroot, caller=183)
    if prepared.plan is None:
        # For the host's machine `prepare` stops; the loader itself does not mind.
        prepared.close()
        fd = os.open(path, os.O_RDONLY)
        program = loading.elf_file(loading.read_plan(fd, path), fd, path)
        interp = None
    else:
        fd = -1
        program = loading.elf_file(prepared.plan, prepared.fd, path)
        interp = (
            loading.elf_file(prepared.interp, prepared.interp_fd, "interp")
            if prepared.interp
            else None
        )
    space = native.AddressSpace(bits)
    model = FakeSpace(space.limit)
    model.map_window = space.map_window
    loaded = loading.load(space, program, interp, stack_size=STACK)
    expected = loading.load(model, program, interp, stack_size=STACK)
    for name in ("bias", "base", "entry", "brk", "phdr", "stack_top", "stack_bottom", "start"):
        assert getattr(loaded, name) == getattr(expected, name), name
    mine = pages_of(space, loaded)
    theirs = {page: (prot, bytes(data)) for page, (prot, data) in model.pages.items()}
    assert sorted(map(hex, mine)) == sorted(map(hex, theirs))
    for page, (prot, data) in theirs.items():
        assert mine[page][0] == prot, hex(page)
        if prot & 7:
            assert mine[page][1] == data, hex(page)
    prepared.close()
    if fd >= 0:
        os.close(fd)
    return loaded


@pytest.mark.parametrize("name", test_host_kernel.CASES)
def test_cases(name: str, tmp_path: Path) -> None:
    path = test_host_kernel.write(tmp_path / "x", test_host_kernel.CASES[name])
    compare(str(path), 47, Sysroot(None))


@pytest.mark.parametrize(
    ("compiler", "triplet", "bits"),
    [
        ("arm-linux-gnueabihf-gcc", "arm-linux-gnueabihf", 32),
        ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu", 48),
    ],
)
@pytest.mark.parametrize("flags", ["-static", "-pie", "-no-pie"])
def test_real_programs(compiler: str, triplet: str, bits: int, flags: str, tmp_path: Path) -> None:
    need(compiler)
    (tmp_path / "x.c").write_text("char bss[99999]; char data[5000] = {1}; int main(void) {}\n")
    subprocess.run([compiler, flags, "-o", "x", "x.c"], cwd=tmp_path, check=True)
    compare(str(tmp_path / "x"), bits, Sysroot(f"/usr/{triplet}"))


def test_kernel_helper_page() -> None:
    space = native.AddressSpace(32)
    native.map_kernel_page(space, VECTORS, "[vectors]", b"code")
    assert space.read(VECTORS, PAGE) == b"code".ljust(PAGE, b"\0")
    assert space.prot_at(VECTORS) == 5
    with pytest.raises(OSError, match="address"):
        space.write(VECTORS, b"x")


def test_corrupt_headers(tmp_path: Path) -> None:
    """What the checks let through, the address space takes or refuses."""
    import random

    rng = random.Random(5)
    samples = [(build.PREBUILT / name).read_bytes() for name in ("hello-arm", "hello-aarch64")]
    path = tmp_path / "x"
    path.write_bytes(b"")
    path.chmod(0o755)
    outcomes = set()
    streams = [test_fuzz.mutations(data, rng) for data in samples]
    for number in range(300):
        path.write_bytes(next(streams[number % 2]))
        try:
            prepared = prepare(str(path), [b"x"], Sysroot(None), caller=183)
        except LoadError:
            outcomes.add("refused")
            continue
        try:
            if prepared.plan is None:
                continue
            prepared.install(native.AddressSpace(prepared.plan.bits % 64 or 47), stack_size=STACK)
            outcomes.add("loaded")
        except LoadError as error:
            assert "\n" not in error.message
            outcomes.add("not mapped")
        finally:
            prepared.close()
    assert {"refused", "loaded"} <= outcomes


def test_arm_programs_may_start_low(tmp_path: Path) -> None:
    """Old toolchains link arm programs at 0x8000, the kernel's mmap_min_addr there."""
    made = Elf(machine=EM_ARM, bits=32, entry=0x8100, flags=0x05000000, size=0x400)
    made.phdrs = [Phdr(flags=5, vaddr=0x8000, filesz=0x400, memsz=0x400)]
    path = test_host_kernel.write(tmp_path / "x", made)
    prepared = prepare(str(path), [b"x"], Sysroot(None), caller=183)
    space = native.AddressSpace(32, mmap_min_addr=0x8000)
    assert prepared.install(space, stack_size=STACK).start == 0x8100
    prepared.close()
